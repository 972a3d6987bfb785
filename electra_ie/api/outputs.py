"""What may be written where: outputs that are checked before anything is read, and the files that they may not be."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import export_files
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE
from electra_ie.runs.layout import is_exported, run_path_field


def check_outputs(files: Sequence[Path], folders: Container[Path] = ()) -> None:
    """Raise UserError for outputs that cannot be written, before anything is read. folders: those that are folders."""
    for file in files:
        if file.is_dir() and file not in folders:
            raise UserError("the output is a folder.", file=file, remedy="Give the name of a file.")
        if not file.absolute().parent.is_dir():
            remedy = "Create it, or write elsewhere."
            raise UserError("the folder of the output does not exist.", file=file, remedy=remedy)
        if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            remedy = "Write elsewhere, or change its permissions."
            raise UserError("no permission to write the output.", file=file, remedy=remedy)
    if len({file.resolve() for file in files}) < len(files):
        raise UserError("two outputs have the same name.", file=files[0], remedy="Give each its own.")


def refuse_own_outputs(files: Iterable[Path], own: Iterable[Path]) -> None:
    """Raise UserError for outputs that are files which the job itself writes beside its findings."""
    reserved = {file.resolve() for file in own}
    for file in files:
        if file.resolve() in reserved:
            raise UserError("extract writes another file by this name.", file=file, remedy="Give another name.")


def data_files(task: Task, unlabeled: Iterable[str] = ()) -> Iterator[Path]:
    """Yield the data files of a task, those of more unlabeled text, and its task.yaml. Folders: all files in them."""
    for path in (*task.paths, *map(Path, unlabeled)):
        yield from path.rglob("*") if path.is_dir() else (path,)
    yield task.file
    yield task.folder / TASK_FILE  # of a run, whose own task.yaml is another file


def run_files(run: Path) -> list[Path]:
    """Return the files of a run or an exported model: models, settings and results."""
    files = [file for file in run.rglob("*") if run_path_field(file.relative_to(run).as_posix()) is not None]
    return [*files, *(run / name for name in export_files(run))] if is_exported(run) else files
