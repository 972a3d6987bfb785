"""The function `resolve`: the decisions of people put into the findings of an extraction."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from electra_ie.api.outputs import check_outputs, run_files
from electra_ie.api.records import make_records, record_maker
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.common.files import refuse_overwriting
from electra_ie.common.hashing import SHOWN, of_sums
from electra_ie.data.task import Task
from electra_ie.inference.engine.exported import model_sum
from electra_ie.inference.jobs.writers import format_of
from electra_ie.inference.review.documents import read_documents
from electra_ie.inference.review.queue import is_queue
from electra_ie.inference.review.reading import records_of_queue, refuse_unsealed
from electra_ie.inference.review.resolving import (
    Resolution,
    decisions_of_documents,
    decisions_of_queue,
    resolve_findings,
)
from electra_ie.records.writing import check_target
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import is_exported, load_task, model_names


@check_types
def resolve(
    run: str | os.PathLike[str],
    findings: str | os.PathLike[str],
    reviewed: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    records: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
) -> Resolution:
    """Put the decisions of people into the findings of an extraction with a queue for review.

    What a person has confirmed or added is written beside what the thresholds have accepted, with `"decision":
    "reviewed"`; what was rejected is not. A finding without a decision still waits: the text has their number.

    Args:
        run: The folder of the run or exported model that extracted, or `ORG/NAME[@REVISION]` on the Hub.
        findings: The output of `extract` with `review`, as JSON lines.
        reviewed: The queue with decisions, or its texts as annotated in another tool, in any format.
        output: A path for the findings, as JSON lines.
        records: A path for the records of the findings, `.jsonl`, `.csv` or `.parquet`.
        data: The folder of the lists of codes of `records`, instead of that of the data that the run was trained from.
        options: Options of the format of `reviewed`, as texts `key=value`.

    Returns:
        The counts.

    Raises:
        UserError: The findings are of another run or of another queue, a decision does not fit, or an output cannot be
            written. Nothing is written.
    """
    source, queue, target = Path(findings), Path(reviewed), Path(output)
    files = [target, *([Path(records)] if records is not None else [])]
    check_outputs(files)
    for file in (source, queue):
        if not file.exists():
            raise UserError("this file does not exist.", file=file, remedy="Check the path.")
    folder = run_folder(run)
    refuse_overwriting(files, [*run_files(folder), source, *([queue] if queue.is_file() else queue.rglob("*"))])
    if format_of(target, None) != "jsonl":
        remedy = "Give an output with the ending .jsonl; --records writes csv and parquet."
        raise UserError("resolve writes findings as JSON lines.", file=target, remedy=remedy)
    task = load_task(folder)
    if data is not None and records is None:
        remedy = "Give --records, or leave --data out."
        raise UserError("the folder of data is only read for records.", file=data, remedy=remedy)
    maker = None
    if records is not None:
        check_target(Path(records), target, "jsonl")
        maker = record_maker(folder, task, data)
    model = _model_of(folder, task)
    if is_queue(queue):
        if options:
            message = f"options of a format ({', '.join(options)}) are for texts in a format of another tool."
            raise UserError(message, file=queue, remedy="Leave --read out.")
        decisions = decisions_of_queue(records_of_queue(queue, task.fields, model, refuse_unsealed), task, queue)
    else:
        read = read_documents(queue, task, task.all_fields, options, answered=True)
        if not any(document.gold or document.submitted for document in read.documents):
            remedy = "Export it when texts are annotated; predictions are no decisions."
            raise UserError("no text of this file is annotated.", file=queue, remedy=remedy)
        decisions = decisions_of_documents(read.documents, task)
    resolution = resolve_findings(source, decisions, model, target)
    if maker and records is not None:
        make_records(maker, target, Path(records), queued=True)
    return resolution


def _model_of(folder: Path, task: Task) -> str:
    """Return the first digits of the hash of the models of a run or an exported model, as its findings name them."""
    if is_exported(folder):
        return model_sum(folder)[:SHOWN]
    from electra_ie.runs.storage import model_files  # loads torch

    return of_sums(model_files(folder, model_names(task)))[:SHOWN]
