"""Score an extractor on labeled documents, field by field, and plot the scores."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.logs import warn
from electra_ie.common.progress import Report, progress
from electra_ie.data.document import Document
from electra_ie.data.fields import Field, documents_by_field
from electra_ie.data.gold_checks import warn_of_misaligned
from electra_ie.data.in_memory import InMemory, with_split
from electra_ie.data.task import Task
from electra_ie.inference.attribute_scoring import score_attributes
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.relation_scoring import score_relations
from electra_ie.metrics import RECORDS, intervals, mean_score, score
from electra_ie.records.grouping import RecordMaker
from electra_ie.records.scoring import score_records
from electra_ie.runs import plots
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import announce_data_folder, load_task, read_scores, refuse_foreign_codes, write_scores
from electra_ie.runs.training_facts import TrainingFacts

Scores = dict[str, dict[str, Any]]
"""The result of `metrics.score` for each field, and under `RECORDS` that of `score_records`, as in scores.json."""


@dataclass(frozen=True)
class FieldScores:
    """Scores of one field on one split.

    Attributes:
        metric: The name of the main metric: `accuracy`, `macro_f1` or `f1`.
        value: The value of the main metric, from 0 to 1; None if it is not defined.
        interval: Lower and upper end of the 95 % interval of `value` (see `metrics.intervals`), if it is defined.
        metrics: All metrics and counts, also by label, as in scores.json.
    """

    metric: str
    value: float | None
    interval: tuple[float, float] | None
    metrics: Mapping[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def of(cls, scores: Mapping[str, Any]) -> FieldScores:
        """Return the scores of a field from their content in scores.json."""
        metric = scores["main"]
        ends = scores.get("intervals", {}).get(metric)
        return cls(metric, scores[metric], (ends[0], ends[1]) if ends else None, scores)


@dataclass(frozen=True)
class SplitScores:
    """Scores of all fields on one split; `scores["topic"]` are those of the field `topic`.

    Attributes:
        fields: The scores of each field.
        mean: The mean of the main metrics over the fields where they are defined; None if they are for no field.
        records: The scores of records, by field and of whole records (see `records.scoring`); None if the task has no
            records.
    """

    fields: Mapping[str, FieldScores]
    mean: float | None
    records: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, scores: Scores) -> SplitScores:
        """Return the scores of a split from their content in scores.json."""
        fields = {name: FieldScores.of(of_field) for name, of_field in scores.items() if name != RECORDS}
        return cls(fields, mean_score(scores), scores.get(RECORDS))

    def __getitem__(self, field: str) -> FieldScores:
        if field not in self.fields:
            raise KeyError(_not_there("field", field, self.fields))
        return self.fields[field]


@dataclass(frozen=True)
class RunScores:
    """Scores of a run; `scores["dev"]` are those on the split `dev`.

    Attributes:
        splits: The scores on each split that the run was scored on.
        training: The facts about the training: steps, seconds, number of documents, counts of labels.
    """

    splits: Mapping[str, SplitScores]
    training: TrainingFacts = dataclasses.field(repr=False)

    @classmethod
    def read(cls, run: Path) -> RunScores:
        """Return the scores in scores.json of a run."""
        content = read_scores(run)
        training = content.pop("training", {})
        return cls({split: SplitScores.of(scores) for split, scores in content.items()}, training)

    def __getitem__(self, split: str) -> SplitScores:
        if split not in self.splits:
            raise KeyError(_not_there("scored split", split, self.splits))
        return self.splits[split]


def _not_there(what: str, name: str, names: Iterable[str]) -> str:
    """Return the message of a KeyError that names what is there."""
    return f'there is no {what} "{name}". {nearest(name, names)}'


def predict(
    extractor: TextExtractor, documents: Sequence[Document], report: Report | None = None
) -> list[dict[str, Any]]:
    """Return the answers of the extractor to each document: field name to answer. The gold is not read."""
    return [result.answers for result in read(extractor, documents, report)]


def read(extractor: TextExtractor, documents: Sequence[Document], report: Report | None = None) -> list[DocumentResult]:
    """Return the result of the extractor for each document. The gold is not read."""
    results = []
    for result in extractor.read(document.unlabeled() for document in documents):
        results.append(result)
        if report:
            report(len(results))
    return results


def score_answers(fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]) -> Scores:
    """Score the answers against the gold. Each field is scored on the documents that are labeled for it."""
    return {
        field.name: score(
            field,
            [documents[index].gold[field.name] for index in indices],
            [answers[index][field.name] for index in indices],
        )
        for field, indices in documents_by_field(documents, fields)
    }


def score_anchored(
    extractor: TextExtractor, documents: Sequence[Document], results: Sequence[DocumentResult]
) -> Scores:
    """Score relations and attributes against the gold, each field on the documents that are labeled for it."""
    return {
        **score_relations(extractor, documents, results),
        **score_attributes(extractor, documents, results),
    }


def with_intervals(
    scores: Scores, fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]
) -> Scores:
    """Return the scores with the 95 % intervals of each field (see `metrics.intervals`) under `intervals`."""
    result = {}
    for field, indices in documents_by_field(documents, fields):
        gold = [documents[index].gold[field.name] for index in indices]
        ends = intervals(field, gold, [answers[index][field.name] for index in indices])
        result[field.name] = {**scores[field.name], "intervals": ends}
    return result


def without_gold(fields: Sequence[Field], documents: Sequence[Document]) -> list[str]:
    """Return the names of the fields without a label in any of these documents.

    Of their scores only the count of false positives is defined.
    """
    return [field.name for field in fields if not any(document.gold.get(field.name) for document in documents)]


def score_run(
    run: str | os.PathLike[str],
    split: str,
    data: str | os.PathLike[str] | InMemory | None = None,
    task: Task | None = None,
) -> Scores:
    """Score a run on a split of its task, and write scores and plots to the run's folder.

    A run from the Hub is scored without writing anything.

    Args:
        run: A run folder or a repository on the Hub.
        split: The name of the split.
        data: The folder of the task's files, or the records of the split in memory (default: the folder that the run
            was trained from).
        task: The task, in place of the one in the folder of the run: with documents in memory.

    Raises:
        UserError: The split has no labels, or the run is on the Hub and `data` is not given.
    """
    on_hub = parse_hub_name(run)
    if on_hub and data is None and task is None:
        remedy = "Give the folder of the task's files with --data."
        raise UserError("a run on the hub has no data to be scored on.", file=str(on_hub), remedy=remedy)
    folder = run_folder(run)
    extractor = Extractor.from_pretrained(folder)
    if task is None:
        if data is None or isinstance(data, str | os.PathLike):
            task = load_task(folder, data)
        else:
            task = with_split(load_task(folder), split, data)
        if data is None:
            announce_data_folder(folder, task)
    documents = task.read(split)
    warn_of_misaligned(documents, extractor.windower, extractor.fields, split)
    with progress(len(documents), f"reading {split}", unit="documents") as report:
        results = read(extractor, documents, report)
    answers = [result.answers for result in results]
    scores = score_answers(extractor.fields, documents, answers)
    anchored = score_anchored(extractor, documents, results)
    if not scores and not anchored:
        remedy = "Label documents of this split, or choose another one with --split."
        raise UserError(f'no document of the split "{split}" has a label.', file=run, remedy=remedy)
    scores = {**with_intervals(scores, extractor.fields, documents, answers), **anchored}
    if task.record:
        chosen = isinstance(data, str | os.PathLike)
        scores |= _of_records(None if chosen else folder, task, documents, results)
    if not on_hub:
        write_scores(folder, split, scores)
        plot_scores(folder, split, extractor.fields, documents, answers)
        plot_anchored(folder, split, anchored)
    return scores


def _of_records(
    run: Path | None, task: Task, documents: Sequence[Document], results: Sequence[DocumentResult]
) -> Scores:
    """Return the scores of records, each field on the documents with gold for it (see `score_records`).

    Without the package that a value needs, or a list of codes, there are none, with a warning.

    Args:
        run: The run that names the folder of the lists of codes; None if the user has given it.
        task: The task.
        documents: The documents.
        results: The results for them.
    """
    try:
        if run is not None:
            refuse_foreign_codes(run, task)
        maker = RecordMaker(task)
    except UserError as error:
        warn(f"the records are not scored: {error}")
        return {}
    gold = [maker.of_gold(document, task) for document in documents]
    found = [maker.of_findings(result.record()) for result in results]
    return {RECORDS: score_records(maker.plan, [document.gold.keys() for document in documents], gold, found)}


def plot_scores(
    folder: Path, split: str, fields: Sequence[Field], documents: Sequence[Document], answers: Sequence[dict[str, Any]]
) -> list[Path]:
    """Plot a confusion matrix for each field of classes and scores by label for the others; return the files."""
    scores = score_answers(fields, documents, answers)
    files = []
    for field, indices in documents_by_field(documents, fields):
        files.append(folder / f"{split}_{field.name}.png")
        title = f"{field.name}, {split} ({len(indices)} documents)"
        if field.kind == "classes":
            gold = [documents[index].gold[field.name] for index in indices]
            predicted = [answers[index][field.name] for index in indices]
            plots.confusion(field.labels, gold, predicted, files[-1], title)
        else:
            plots.per_label(scores[field.name]["labels"], files[-1], title)
    return files


def plot_anchored(folder: Path, split: str, scores: Scores) -> None:
    """Plot the scores of fields of relations and attributes by label."""
    for name, of_field in scores.items():
        title = f"{name}, {split} ({of_field['documents']} documents)"
        plots.per_label(of_field["labels"], folder / f"{split}_{name}.png", title)
