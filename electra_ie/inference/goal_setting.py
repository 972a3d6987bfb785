"""Goals for the labels of a run, met by thresholds that labeled or reviewed documents allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from electra_ie.calibration.found import found_in
from electra_ie.calibration.goals import Goal
from electra_ie.calibration.promises import REVIEWED, Outcome, promises
from electra_ie.calibration.stored import RECALL, Calibration
from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, write
from electra_ie.common.hashing import SHOWN, of_sums
from electra_ie.common.logs import warn
from electra_ie.common.progress import progress
from electra_ie.data.document import Document, is_biased
from electra_ie.data.leakage import digest_of
from electra_ie.data.splits import DEV, TRAIN
from electra_ie.data.task import Task
from electra_ie.formats.annotations import FOUND
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.review.documents import read_documents
from electra_ie.inference.review.queue import check_fragments, is_queue
from electra_ie.inference.review.reading import read_queue, unreviewed
from electra_ie.inference.scoring import read
from electra_ie.runs.layout import AUDIT, model_names
from electra_ie.runs.model_card import is_generated, model_card
from electra_ie.runs.provenance import rewrite_settings
from electra_ie.runs.storage import fields_sum, model_files


@dataclass(frozen=True)
class Labeled:
    """Documents that goals are measured on: `dev`, or `reviewed`."""

    documents: Sequence[Document]
    data: str


def labeled_documents(
    run: Path,
    task: Task,
    goals: Sequence[Goal],
    reviewed: Path | None,
    options: Sequence[str] = (),
) -> Labeled:
    """Return the documents that goals are measured on: those that were reviewed, or those of dev.

    Args:
        run: The folder of the run.
        task: Its task.
        goals: The goals.
        reviewed: A review queue, or labeled documents in any format.
        options: Options of that format, as texts `key=value`.

    Raises:
        UserError: There are none, or something in them is invalid.
    """
    if options and (reviewed is None or is_queue(reviewed)):
        message = f"options of a format ({', '.join(options)}) are for labeled documents in a format of another tool."
        raise UserError(message, remedy="Give them with --reviewed, or no --read.")
    if reviewed is not None:
        if not is_queue(reviewed):
            documents = [
                _with_rejected(document, task, goals) for document in _read_any(reviewed, task, goals, options)
            ]
            if queued := [document for document in documents if document.chosen == FOUND]:
                _refuse_recall(goals, reviewed)
                _refuse_unreviewed(queued, goals, reviewed)
            return Labeled(_honest(documents, task, reviewed), REVIEWED)
        _refuse_recall(goals, reviewed)
        model = of_sums(model_files(run, model_names(task)))[:SHOWN]
        return Labeled(_honest(read_queue(reviewed, task.fields, model), task, reviewed), REVIEWED)
    if DEV not in task.splits:
        remedy = "Give labeled documents with --reviewed."
        raise UserError("the run has no split dev to measure goals on.", file=run, remedy=remedy)
    return Labeled(task.read(DEV), DEV)


def _refuse_recall(goals: Sequence[Goal], file: Path) -> None:
    """Raise UserError if a goal for the recall is to be measured on a review queue."""
    if any(goal.measure == RECALL for goal in goals):
        message = "a review queue has no texts without findings, so that it says nothing about the recall."
        remedy = "Label texts that were drawn at random, and give them with --reviewed."
        raise UserError(message, file=file, remedy=remedy)


def _with_rejected(document: Document, task: Task, goals: Sequence[Goal]) -> Document:
    """Return a text of a review queue that a person has submitted, with empty gold for the fields that it lacks.

    An annotation tool leaves out a question of which no flag is chosen, and may leave out a layer without a span: the
    person has rejected what was found. A class is not rejected without another one: without it, the text is unreviewed.
    """
    if not document.submitted or document.chosen != FOUND:
        return document
    wanted = {goal.field for goal in goals}
    none = {field.name: () for field in task.fields if field.name in wanted and field.kind in ("flags", "spans")}
    return replace(document, gold={**none, **document.gold})


def _refuse_unreviewed(queued: Sequence[Document], goals: Sequence[Goal], file: Path) -> None:
    """Raise UserError if texts of a review queue lack the labels of a goal's field."""
    wanted = {goal.field for goal in goals}
    if waiting := sum(not wanted <= document.gold.keys() for document in queued):
        raise unreviewed(file, waiting, len(queued))


def _read_any(path: Path, task: Task, goals: Sequence[Goal], options: Sequence[str]) -> list[Document]:
    """Return the documents of a file or folder in any format, with the gold of the fields that it can express."""
    wanted = {goal.field for goal in goals}
    read = read_documents(
        path, task, [each for each in task.fields if each.kind == "spans" or each.name in wanted], options
    )
    if missing := wanted - {field.name for field in read.fields}:
        kinds = ", ".join(sorted(missing))
        raise UserError(f"the format {read.format} cannot express the fields of the goals ({kinds}).", file=path)
    check_fragments(read.format, [field for field in task.fields if field.name in wanted], path)
    return read.documents


def _honest(documents: Sequence[Document], task: Task, file: Path) -> list[Document]:
    """Return the documents that say something of others: not those chosen by what they say, and none of train.

    Texts in which a model has found something are kept: they say what the precision is. What is left out is counted in
    a warning. Raises UserError if none is left.
    """
    drawn = [document for document in documents if not is_biased(document) or document.chosen == FOUND]
    if biased := len(documents) - len(drawn):
        warn(f"{file}: {biased:,} documents are left out, since they were chosen as typical or uncertain ones.")
    trained: set[bytes] = set()
    if TRAIN in task.splits:
        try:
            trained = {digest_of(document.text) for document in task.read(TRAIN) if document.gold}
        except UserError as error:
            warn(f"whether documents of {file} are in train is not known, since it cannot be read: {error}")
    kept = [document for document in drawn if digest_of(document.text) not in trained]
    if known := len(drawn) - len(kept):
        warn(f"{file}: {known:,} documents are left out, since the model was trained on their texts.")
    if documents and not kept:
        remedy = "Label other texts, drawn at random: those that electra-ie suggest marks random."
        raise UserError("no document is left on which goals can be measured.", file=file, remedy=remedy)
    return kept


def set_goals(
    run: Path, extractor: Extractor, goals: Sequence[Goal], labeled: Labeled, confidence: float
) -> list[Outcome]:
    """Measure goals, and write the thresholds of those that are met in the run, in place of earlier ones.

    Args:
        run: The folder of the run.
        extractor: Its extractor.
        goals: The goals.
        labeled: The documents.
        confidence: The confidence of goals for the precision.

    Raises:
        UserError: No document is labeled for a field of a goal. Nothing is written.
    """
    with progress(len(labeled.documents), f"reading {labeled.data}", unit="documents") as report:
        results = read(extractor, labeled.documents, report)
    findings = [result.findings for result in results]
    fields = [field for field in extractor.fields if field.name in {goal.field for goal in goals}]
    found = {field.name: found_in(field, labeled.documents, findings) for field in fields}
    outcomes = promises(goals, found, confidence, labeled.data)
    calibration = extractor.calibration or Calibration(fields_sum(run, extractor.fields))
    met = tuple(outcome.promise for outcome in outcomes if outcome.promise)
    _save(run, replace(calibration, promises=met))
    return outcomes


def _save(run: Path, calibration: Calibration) -> None:
    """Write the calibration of a run, and its audit and card again."""
    has_audit = (run / AUDIT).is_file()
    generated = has_audit and is_generated(run)
    calibration.save(run)
    if has_audit:
        rewrite_settings(run)
    if generated:
        write(run / CARD, model_card(run))
    elif (run / CARD).is_file():
        warn(f"{run / CARD}: kept, because it has been edited. The thresholds are only in calibration.json.")
