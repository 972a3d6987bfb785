"""The file of a task, the tasks that the package ships, and how a name or a path leads to one."""

from __future__ import annotations

import os
from pathlib import Path

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.files import ROOT

TASK_FILE = "task.yaml"
ENDINGS = (".yaml", ".yml")
"""The endings of files that are read as YAML, whatever is in them."""


def shipped(folder: str) -> Path:
    """Return the path of a shipped folder: in the package of an installed wheel, next to the package in a checkout."""
    return ROOT / folder if (ROOT / folder).is_dir() else ROOT.parent / folder


def list_tasks() -> list[str]:
    """Return the names of the shipped tasks."""
    return sorted(file.parent.name for file in shipped("tasks").glob(f"*/{TASK_FILE}"))


def locate_task(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the task file for its path, its folder or a shipped name. Raises UserError if there is none."""
    path = Path(name_or_path)
    if path.is_file() and path.suffix.lower() not in ENDINGS:
        _refuse_data(path)
    for file in (path, path / TASK_FILE, shipped("tasks") / path / TASK_FILE):
        if file.is_file():
            return file
    if path.is_dir():
        remedy = "Write one, as the README shows; electra-ie init DATA writes one for annotated data."
        raise UserError(f"there is no {TASK_FILE} in this folder.", file=path, remedy=remedy)
    names = list_tasks()
    remedy = f"{nearest(str(path), names)} Or give the path of a {TASK_FILE}."
    raise UserError(f'there is no task "{os.fspath(name_or_path)}".', remedy=remedy)


def _refuse_data(path: Path) -> None:
    """Raise UserError for a file of annotated data, of which a task can be made."""
    from electra_ie.formats.detection import candidates  # of all formats, which the name of a task needs not

    if found := candidates(path):
        titles = " or ".join(format.title for format in found)
        remedy = f"electra-ie init {os.fspath(path)} makes a task of it."
        raise UserError(f"this is data ({titles}), and no task.", file=path, remedy=remedy)
