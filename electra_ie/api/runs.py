"""Functions that use a finished run: `evaluate`, `extract` and `verify`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from electra_ie.api.outputs import check_outputs, data_files, refuse_own_outputs, run_files
from electra_ie.api.records import make_records, record_maker
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.common.files import descriptors, is_stream, refuse_overwriting, write
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.data.in_memory import InMemory
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.detection import by_ending
from electra_ie.inference.jobs.counts import Extraction
from electra_ie.inference.jobs.filters import Filters
from electra_ie.inference.jobs.inputs import Inbox
from electra_ie.inference.jobs.job import Job, extract_to_file, extract_to_stream
from electra_ie.inference.jobs.own_files import errors_file, manifest_file, refuse_foreign, texts_file
from electra_ie.inference.jobs.workers.choice import Workers
from electra_ie.inference.jobs.writers import format_of
from electra_ie.inference.review.queue import LINES, Queue, check_fragments
from electra_ie.records.writing import check_target
from electra_ie.runs.download import run_folder
from electra_ie.runs.export_audit import verify_export
from electra_ie.runs.layout import is_exported, read_scores

if TYPE_CHECKING:  # these load torch: each function imports what it needs
    from electra_ie.inference.scoring import SplitScores
    from electra_ie.runs.verification import Verification

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@check_types
def evaluate(
    run: str | os.PathLike[str],
    split: str = "test",
    *,
    data: str | os.PathLike[str] | InMemory | None = None,
    file: str | os.PathLike[str] | None = None,
) -> SplitScores:
    """Score a run on a split of its task, and save the scores in its scores.json, its plots and its model card.

    A card that has been edited is kept. Of a run on the Hub nothing is saved.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        split: The name of the split.
        data: The folder of the task's files, instead of the one that the run was trained from; or the records of the
            split in memory, as for `train`.
        file: A file to which the scores are also written, as JSON.

    Returns:
        The scores of each field.

    Raises:
        UserError: The split has no labels, or cannot be read; or `file` is a file of the data or of the run.
    """
    from electra_ie.inference.scoring import SplitScores, score_run
    from electra_ie.runs.layout import load_task
    from electra_ie.runs.model_card import update_model_card

    if file:
        check_outputs([Path(file)])
    if file and (data is not None or not parse_hub_name(run)):
        folder = run_folder(run)
        files = data if isinstance(data, str | os.PathLike) else None
        refuse_overwriting([Path(file)], [*run_files(folder), *data_files(load_task(folder, files))])
    before = read_scores(Path(run))
    scores = score_run(run, split, data)
    if file:
        write(Path(file), json.dumps({"run": os.fspath(run), "split": split, "scores": scores}, indent=2) + "\n")
    update_model_card(Path(run), before)
    return SplitScores.of(scores)


@check_types
def extract(  # noqa: PLR0913 - the options of a public function, all but four by keyword
    run: str | os.PathLike[str],
    paths: Paths,
    output: str | os.PathLike[str] | TextIO,
    html: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    id: str | None = None,
    strict: bool = False,
    format: str | None = None,
    labels: Sequence[str] = (),
    min_score: float = 0.0,
    overwrite: bool = False,
    processes: int = 1,
    records: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    engine: str = "local",
    workers: int | None = None,
    review: str | os.PathLike[str] | None = None,
    review_format: str | None = None,
    read: Sequence[str] = (),
    prefix_ids: bool = False,
) -> Extraction:
    """Extract findings from files and write them, with a manifest that says what was read by which model.

    Documents are streamed. If the same call was interrupted, it goes on where that ended; if it is finished, nothing is
    done.

    Args:
        run: A folder of a run or of an exported model, or `ORG/NAME[@REVISION]` on the Hub.
        paths: Files, folders, patterns such as `inbox/**/*.pdf`, or `-` for standard input (see
            `inference.jobs.inputs.Inbox`).
        output: A path, or an open text file, which gets no manifest.
        html: A path for an HTML page with the findings highlighted.
        text: The key or column of the text (default: as in the run's task).
        id: The key or column of the id (default: as in the run's task).
        strict: Raise the first fault in an input, instead of leaving the input out.
        format: `jsonl`, `csv` or `parquet` (default: by the ending of the output, else `jsonl`).
        labels: Only findings with one of these labels.
        min_score: Only findings with at least this score.
        overwrite: Start over if the output was begun or written, also by another model or from other inputs.
        processes: The number of processes that extract. Each loads the run and imports the script that called this
            function, so a script calls it under `if __name__ == "__main__":`.
        records: A path for the records of the findings, `.jsonl`, `.csv` or `.parquet`. The output must be a file of
            JSON lines, from which they are made when it is complete. The HTML page shows them, too.
        data: The folder of the lists of codes of `records`, instead of that of the data that the run was trained from.
        engine: `local`, or `ray` for the cluster at RAY_ADDRESS, or a Ray on this machine.
        workers: The number of workers of Ray, each of which loads the run (default: one on each machine, or GPU).
        review: A path for the texts with findings that a person should see by the thresholds of the run (`calibrate`),
            the lowest score first. The output, which must be a file, then has the accepted findings only.
        review_format: `jsonl`, or a format of annotation tools such as `label_studio` or `doccano` (default: by the
            ending of the path).
        read: Options of tables, such as `delimiter=;` (see `docs/data.md`), in place of those of the run's task.
        prefix_ids: Put the name of the file before the ids of its records, so that files may have the same ids.

    Returns:
        The counts, and the faults of the inputs that were left out. Each of them is also logged.

    Raises:
        UserError: A path does not exist, an output is also an input or a file that `extract` did not write, no input
            can be read, or the output is that of another model, other options or other inputs. Nothing has been
            written.
    """
    from electra_ie.runs.layout import load_task

    filters = Filters(tuple(labels), min_score)
    files = [Path(file) for file in (output, html, records, review) if isinstance(file, (str, os.PathLike))]
    of_queue = FORMATS.get(review_format or "")
    check_outputs(files, [Path(review)] if review is not None and of_queue and of_queue.writes_folder else [])
    _refuse_combinations(html, data, records, review, filters)
    target = Path(output) if isinstance(output, (str, os.PathLike)) else None
    extracting, written, folder = Workers(engine, processes, workers), format_of(target, format), run_folder(run)
    task = load_task(folder)
    maker = None
    if records is not None:
        check_target(Path(records), target, written)
        maker = record_maker(folder, task, data)
    queue = _queue(review, review_format, target, task)
    inbox = Inbox(_listed(paths), task, text, id, read=read, prefix_ids=prefix_ids)
    beside = [errors_file(target), texts_file(target), manifest_file(target)] if target else []
    refuse_own_outputs(files, beside)
    # The descriptor of an open output, so that `extract RUN inbox > inbox/findings.jsonl` is refused too.
    refuse_overwriting([*files, *beside, *descriptors(output)], [*run_files(folder), *inbox.sources()])
    for file in (html, records):
        if file is not None and not overwrite:
            refuse_foreign(Path(file))
    job = Job(
        folder,
        inbox,
        format=written,
        filters=filters,
        html=Path(html) if html else None,
        title=_title(task, run),
        strict=strict,
        overwrite=overwrite,
        workers=extracting,
        keys={"text": text, "id": id, "read": list(read) or None, "prefix_ids": prefix_ids or None},
        records=maker,
        queue=queue,
    )
    if target is None:
        return extract_to_stream(job, cast(TextIO, output))
    if is_stream(target):
        with target.open("a", encoding="utf-8", newline="\n") as stream:  # of >> file, what is in the file stays
            return extract_to_stream(job, stream)
    extraction = extract_to_file(job, target)
    if maker and records is not None:
        make_records(maker, target, Path(records), queued=queue is not None)
    return extraction


@check_types
def verify(run: str | os.PathLike[str], *, data: str | os.PathLike[str] | None = None) -> Verification:
    """Compare a run with its audit.json: weights, settings, data, splits, code and environment.

    Of an exported model, weights, settings, code and environment are compared, without torch.

    Args:
        run: A folder of a run or of an exported model, or `ORG/NAME[@REVISION]` on the Hub.
        data: The folder of the task's files, instead of the one that the run was trained from.

    Returns:
        The differences, and what could not be checked.

    Raises:
        UserError: The run has no audit.
    """
    folder = run_folder(run)
    if is_exported(folder):
        return verify_export(folder)
    from electra_ie.runs.provenance import verify as check

    return check(folder, data)


def _refuse_combinations(
    html: str | os.PathLike[str] | None,
    data: str | os.PathLike[str] | None,
    records: str | os.PathLike[str] | None,
    review: str | os.PathLike[str] | None,
    filters: Filters,
) -> None:
    """Raise UserError for options of `extract` that do not go together."""
    if data is not None and records is None:
        remedy = "Give --records, or leave --data out."
        raise UserError("the folder of data is only read for records.", file=data, remedy=remedy)
    if html is not None and is_stream(Path(html)):
        message = "a page is not written to a device or a pipe."
        raise UserError(message, file=html, remedy="Give a file: --html page.html.")
    if review is not None and filters != Filters():
        message = "a queue for review has all findings of its texts, without --label and --min-score."
        raise UserError(message, file=review, remedy="Leave these out; goals decide what is left for review.")


def _queue(review: str | os.PathLike[str] | None, format: str | None, output: Path | None, task: Task) -> Queue | None:
    """Return the queue for review. Raises UserError if it cannot hold the findings, or the output is no file."""
    if review is None:
        if format is not None:
            raise UserError("the format of a queue is given without one.", remedy="Give its file with --review.")
        return None
    if output is None or (output.exists() and not output.is_file()):
        remedy = "Give a file for the accepted findings: --output findings.jsonl."
        raise UserError("a queue for review goes with findings in a file.", file=review, remedy=remedy)
    path = Path(review)
    queue = Queue(path, format or (LINES if path.suffix.lower() == ".jsonl" else by_ending(path).name))
    check_fragments(queue.format, task.fields, path)
    return queue


def _listed(paths: Paths) -> Iterable[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def _title(task: Task, run: str | os.PathLike[str]) -> str:
    """Return the title of an HTML page. An absolute path of a run is shortened to its last part."""
    name = Path(run).name if os.path.isabs(run) else os.fspath(run)
    return f"{task.name}: findings of {name}"
