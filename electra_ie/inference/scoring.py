"""Scores of an extractor on labelled documents, field by field, and a picture of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.progress import Report, progress
from electra_ie.data.document import Document
from electra_ie.data.fields import Field, documents_by_field
from electra_ie.data.gold_checks import warn_of_misaligned
from electra_ie.inference.extractor import Extractor
from electra_ie.metrics import intervals, score
from electra_ie.runs import plots
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import announce_data_folder, load_task, write_scores

Scores = dict[str, dict[str, Any]]
"""What `metrics.score` returns, by field."""


def answer(extractor: Extractor, documents: Sequence[Document], report: Report | None = None) -> list[dict[str, Any]]:
    """The extractor's answers to each document, by field."""
    answers = []
    for reading in extractor.read(document.unlabeled() for document in documents):
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
        for field, places in documents_by_field(documents, fields)
    }


def with_intervals(
    scores: Scores, fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]
) -> Scores:
    """The scores, each field's with its 95 % intervals (see `metrics.intervals`) under `intervals`."""
    found = {}
    for field, places in documents_by_field(documents, fields):
        gold = [documents[place].gold[field.name] for place in places]
        ends = intervals(field, gold, [answers[place][field.name] for place in places])
        found[field.name] = {**scores[field.name], "intervals": ends}
    return found


def mean_score(scores: Scores) -> float | None:
    """The mean of the number that decides, over the fields where it is defined: what a checkpoint is chosen by. None
    where it is defined for no field."""
    known = [each[each["main"]] for each in scores.values() if each[each["main"]] is not None]
    return sum(known) / len(known) if known else None


def without_gold(fields: Sequence[Field], documents: Sequence[Document]) -> list[str]:
    """The fields that cannot be scored on these documents, since none of them has a label of theirs: no score of such
    a field is defined but for the number of false findings."""
    return [field.name for field in fields if not any(document.gold.get(field.name) for document in documents)]


def score_run(run: str | os.PathLike[str], split: str, data: str | None = None) -> Scores:
    """Read a split of a run's task with the run, score it, and put scores and pictures into the run's folder; of a run
    on the hub nothing is changed.

    data: the folder of the task's files, in place of the one it was trained from. Raises UserError for a split without
    labels, or for a run from the hub without `data`.
    """
    there = parse_hub_name(run)
    if there and data is None:
        remedy = "Give the folder of the task's files with --data."
        raise UserError("a run on the hub has no data to be scored on.", file=str(there), remedy=remedy)
    folder = run_folder(run)
    extractor = Extractor.load(str(folder))
    task = load_task(folder, data)
    if data is None:
        announce_data_folder(folder, task)
    documents = task.read(split)
    warn_of_misaligned(documents, extractor.windower, extractor.fields, split)
    with progress(len(documents), f"reading {split}", unit="documents") as report:
        answers = answer(extractor, documents, report)
    scores = judge(extractor.fields, documents, answers)
    if not scores:
        raise UserError(f'no document of the split "{split}" has a label.', file=run, remedy="Choose another split.")
    scores = with_intervals(scores, extractor.fields, documents, answers)
    if not there:
        write_scores(folder, split, scores)
        draw(folder, split, extractor.fields, documents, answers)
    return scores


def draw(
    folder: Path, split: str, fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]
) -> list[Path]:
    """A confusion matrix for each field of classes, scores by label for the others; returns the files."""
    scores = judge(fields, documents, answers)
    files = []
    for field, places in documents_by_field(documents, fields):
        files.append(folder / f"{split}_{field.name}.png")
        title = f"{field.name}, {split} ({len(places)} documents)"
        if field.kind == "classes":
            gold = [documents[place].gold[field.name] for place in places]
            plots.confusion(field.labels, gold, [answers[place][field.name] for place in places], files[-1], title)
        else:
            plots.per_label(scores[field.name]["labels"], files[-1], title)
    return files
