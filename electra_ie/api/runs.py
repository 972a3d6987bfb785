"""Functions that use a finished run: `evaluate`, `extract`, `suggest` and `verify`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from electra_ie.api.outputs import check_outputs, data_files
from electra_ie.common.errors import MAX_SHOWN, UserError, raise_error
from electra_ie.common.escaping import escape_json
from electra_ie.common.files import atomic_path, descriptors, refuse_overwriting, write
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.logs import notice
from electra_ie.common.progress import progress
from electra_ie.data.in_memory import InMemory
from electra_ie.data.task import Task
from electra_ie.inference.html_report import Page
from electra_ie.inference.inputs import Inbox
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import read_scores, run_path_field

if TYPE_CHECKING:  # these load torch: each function imports what it needs
    from electra_ie.formats.conversion import Conversion, Options
    from electra_ie.inference.scoring import SplitScores
    from electra_ie.runs.provenance import Verification

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
LISTED = 100
"""The number of unreadable inputs that are named one by one. Of the others only the number is printed."""


class Extraction(dict[str, int]):
    """The counts of an extraction: `documents`, `characters`, `windows` and `findings`.

    Attributes:
        faults: A UserError for each file, record or rest of a table that could not be read and was left out.
    """

    def __init__(self) -> None:
        """Set all counts to 0."""
        super().__init__(dict.fromkeys(("documents", "characters", "windows", "findings"), 0))
        self.faults: list[UserError] = []


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
        refuse_overwriting([Path(file)], [*_own_files(folder), *data_files(load_task(folder, files))])
    before = read_scores(Path(run))
    scores = score_run(run, split, data)
    if file:
        write(Path(file), json.dumps({"run": os.fspath(run), "split": split, "scores": scores}, indent=2) + "\n")
    update_model_card(Path(run), before)
    return SplitScores.of(scores)


def extract(
    run: str | os.PathLike[str],
    paths: Paths,
    output: str | os.PathLike[str] | TextIO,
    html: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    id: str | None = None,
    strict: bool = False,
) -> Extraction:
    """Extract findings from files and write them as JSON lines, one per document.

    Documents are streamed: only the memory for their ids grows with their number.

    Args:
        run: A folder of a run or of an exported model, or `ORG/NAME[@REVISION]` on the Hub.
        paths: Text files, tables (.csv, .tsv), .jsonl files, folders, or `-` for standard input (see
            `inference.inputs.Inbox`).
        output: A path, or an open text file.
        html: A path for an HTML page with the findings highlighted.
        text: The key or column of the text (default: as in the run's task).
        id: The key or column of the id (default: as in the run's task).
        strict: Raise the first fault in an input, instead of leaving the input out.

    Returns:
        The counts, and the faults of the inputs that were left out. Each of them is also logged.

    Raises:
        UserError: A path does not exist, an output is also an input, or no input can be read. Nothing has been written.
    """
    from electra_ie.inference.loading import load_extractor
    from electra_ie.runs.layout import load_task

    files = [Path(file) for file in (output, html) if isinstance(file, (str, os.PathLike))]
    check_outputs(files)
    folder = run_folder(run)
    task = load_task(folder)
    inbox = Inbox(_listed(paths), task, text, id)
    # The descriptor of an open output, so that `extract RUN inbox > inbox/findings.jsonl` is refused too.
    refuse_overwriting([*files, *descriptors(output)], [*_own_files(folder), *inbox.sources()])
    extractor = load_extractor(folder)
    counts = Extraction()

    def fail(fault: UserError) -> None:
        if strict:
            raise fault
        counts.faults.append(fault.with_traceback(None))  # a traceback would keep the text in memory

    with ExitStack() as stack:
        lines = stack.enter_context(_stream(Path(output))) if isinstance(output, (str, os.PathLike)) else output
        kinds = {field.name: field.kind for field in extractor.fields}
        page = stack.enter_context(Page(html, _title(task, run), kinds)) if html else None
        report = stack.enter_context(progress(None, "extracting", unit="documents"))
        for result in extractor.read(inbox.read(fail)):
            record = result.record()
            lines.write(escape_json(json.dumps(record, ensure_ascii=False)) + "\n")
            if page:
                page.add({**record, "file": inbox.shown(record["file"])}, result.document.text)
            counts["documents"] += 1
            counts["findings"] += len(result.findings)
            counts["characters"] += record["characters"]
            counts["windows"] += result.windows
            report(counts["documents"])
        _refuse_nothing(counts)
    _report_faults(counts.faults)
    return counts


def suggest(
    run: str | os.PathLike[str],
    paths: Paths,
    output: str | os.PathLike[str],
    *,
    format: str | None = None,
    options: Options = (),
    lossy: bool = False,
) -> Conversion:
    """Write what a run finds in texts as predictions for an annotation tool, the least certain text first.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        paths: Texts, as for `extract`. All of them are kept in memory.
        output: The file or folder to write, which may not exist.
        format: The name of the format of the output, such as `label_studio` (default: that of its ending).
        options: The options of the format: values by name, or texts `key=value`.
        lossy: Write although the format cannot hold something, such as predictions.

    Returns:
        The number of texts and of findings, what the format cannot hold, and whether the output was written: not if
        something would be lost, unless `lossy` is given.

    Raises:
        UserError: A path does not exist, an input cannot be read, the output exists, or the format or an option is
            unknown. Nothing has been written.
    """
    from electra_ie.formats.conversion import Side, write_all
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.suggestions import suggestions
    from electra_ie.runs.layout import load_task

    target = Side.of_target(output, format, options)
    target.format.check_writable(target.path)
    folder = run_folder(run)
    inbox = Inbox(_listed(paths), load_task(folder))
    return write_all(suggestions(Extractor.from_pretrained(folder), inbox.read(raise_error)), target, lossy=lossy)


def verify(run: str | os.PathLike[str], *, data: str | None = None) -> Verification:
    """Compare a run with its audit.json: weights, settings, data, splits, code and environment.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        data: The folder of the task's files, instead of the one that the run was trained from.

    Returns:
        The differences, and what could not be checked.

    Raises:
        UserError: The run has no audit.
    """
    from electra_ie.runs.provenance import verify as check

    return check(run_folder(run), data)


def _listed(paths: Paths) -> Iterable[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that replaces `path` once it is complete, and is deleted after an error."""
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _own_files(run: Path) -> list[Path]:
    """Return the files of a run or an exported model: models, settings and results."""
    from electra_ie.inference.engine.exported import FILES, is_exported

    files = [file for file in run.rglob("*") if run_path_field(file.relative_to(run).as_posix()) is not None]
    return [*files, *(run / name for name in FILES)] if is_exported(run) else files


def _title(task: Task, run: str | os.PathLike[str]) -> str:
    """Return the title of an HTML page. An absolute path of a run is shortened to its last part."""
    name = Path(run).name if os.path.isabs(run) else os.fspath(run)
    return f"{task.name}: findings of {name}"


def _refuse_nothing(counts: Extraction) -> None:
    """Raise UserError if inputs could not be read and no document was."""
    faults = counts.faults
    if counts["documents"] or not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    first = f". The first {MAX_SHOWN}:" if len(faults) > MAX_SHOWN else ":"
    message = f"none of {len(faults):,} inputs could be read; nothing is written{first}"
    raise UserError(message, errors=faults[:MAX_SHOWN])


def _report_faults(faults: Sequence[UserError]) -> None:
    """Log what could not be read, one line each."""
    for fault in faults[:LISTED]:
        notice(str(fault))
    if len(faults) > LISTED:
        notice(f"... and {len(faults) - LISTED:,} more that could not be read.")
