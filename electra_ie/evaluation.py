"""Scores of an extractor on labelled documents, field by field, and a picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from electra_ie import plots
from electra_ie.console import Report
from electra_ie.corpus import by_field
from electra_ie.document import Document
from electra_ie.extractor import Extractor
from electra_ie.labels import Field
from electra_ie.metrics import score

Scores = dict[str, dict[str, Any]]
"""What `metrics.score` returns, by field."""


def answer(extractor: Extractor, documents: Sequence[Document], report: Report | None = None) -> list[dict[str, Any]]:
    """The extractor's answers to each document, by field."""
    answers = []
    for reading in extractor.read(document.unlabelled() for document in documents):
        answers.append(reading.answers)
        if report:
            report(len(answers))
    return answers


def judge(fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]) -> Scores:
    """Compare answers with gold, each field on the documents of which it is known."""
    return {
        field.name: score(
            field,
            [documents[place].gold[field.name] for place in places],
            [answers[place][field.name] for place in places],
        )
        for field, places in by_field(documents, fields)
    }


def mean_score(scores: Scores) -> float:
    """The mean over the fields of the number that decides: what a checkpoint is chosen by."""
    return sum(each[each["main"]] for each in scores.values()) / len(scores)


def draw(
    folder: Path, split: str, fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]
) -> list[Path]:
    """A confusion matrix for each field of classes, scores by label for the others; returns the files."""
    scores = judge(fields, documents, answers)
    files = []
    for field, places in by_field(documents, fields):
        files.append(folder / f"{split}_{field.name}.png")
        title = f"{field.name}, {split} ({len(places)} documents)"
        if field.kind == "classes":
            gold = [documents[place].gold[field.name] for place in places]
            plots.confusion(field.labels, gold, [answers[place][field.name] for place in places], files[-1], title)
        else:
            plots.per_label(scores[field.name]["labels"], files[-1], title)
    return files
