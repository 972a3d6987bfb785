"""What goes to the hub: of a run its models, numbers and card; of a task its documents and its data card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, MODEL_FILES
from electra_ie.common.hub_client import Content
from electra_ie.common.logs import warn
from electra_ie.common.yaml_source import Source
from electra_ie.data.document import Document
from electra_ie.data.readers import jsonl
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import SPLITS
from electra_ie.runs.hub_dataset_card import dataset_page
from electra_ie.runs.layout import CHECKPOINT, CURVES, RUN_FILES, SETTINGS, TASK, check_models, is_finished, load_task

PICTURE = re.compile(rf"(?:{'|'.join(SPLITS)})_(?P<field>\w+)\.png")
"""The scores of a split, drawn."""


@dataclass(frozen=True)
class Upload:
    """`files`: what goes to the hub, by its path there. `left_out`: the files of the folder that stay here."""

    files: Mapping[str, Content]
    left_out: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each file."""
        return {
            path: len(content) if isinstance(content, bytes) else content.stat().st_size
            for path, content in self.files.items()
        }

    @property
    def card(self) -> str:
        """What the page on the hub shows."""
        content = self.files[CARD]
        return (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8")


# Runs


def plan_run_upload(folder: Path) -> Upload:
    """What of a finished run goes to the hub, and what lies beside it and does not.

    Only files that a run is known to have go, and no link does: whatever else was put into the folder, such as findings
    with their texts, stays here. A card with examples goes too, with a warning. Raises UserError where there is no
    finished run.
    """
    if not (folder / SETTINGS).is_file() or not (folder / TASK).is_file():
        remedy = "Give what train wrote to --output."
        raise UserError(
            f"this is not the folder of a run (no {SETTINGS} and {TASK} in it).", file=folder, remedy=remedy
        )
    if not is_finished(folder):
        goes_on = (folder / CHECKPOINT).exists()
        remedy = f"Finish it with: electra-ie train ... {'--resume' if goes_on else ''}"
        raise UserError("this run is not finished.", file=folder, remedy=f"{remedy.strip()}.")
    task = load_task(folder)
    check_models(folder, task.fields)
    fields = [field.name for field in task.fields]
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in every}
    files: dict[str, Content] = {name: path for name, path in names.items() if run_path_field(name) in ("", *fields)}
    for path in [*(folder / field for field in fields), *(names[name] for name in files)]:
        if path.is_symlink():
            raise UserError("this is a link: it may lead out of the run.", file=path, remedy="Put a copy in its place.")
    files[TASK] = yaml.safe_dump(task.without_folder(), sort_keys=False, allow_unicode=True).encode()
    values = Source.read(folder / SETTINGS)[0]
    _warn_of_paths(folder / SETTINGS, values)
    if values.get("include_examples"):
        warn(f"{folder / CARD}: what is sent holds texts: the examples of dev that --include-examples put there.")
    return Upload(files, tuple(name for name in names if name not in files))


def run_path_field(path: str) -> str | None:
    """The field whose file this is in a run, empty for a file of the whole run; None where no run has such a file."""
    above, _, name = path.rpartition("/")
    if above:
        model = "/" not in above and any(fnmatchcase(name, pattern) for pattern in MODEL_FILES)
        return above if model else None
    picture = PICTURE.fullmatch(name)
    return picture["field"] if picture else "" if name in (*RUN_FILES, CURVES) else None


def _warn_of_paths(file: Path, values: Mapping[str, Any]) -> None:
    """run.yaml goes as it is, or it would not be what the run was made by: say which folders it tells of."""
    told = [each for value in values.values() for each in (value if isinstance(value, list) else [value])]
    paths = [each for each in told if isinstance(each, str) and Path(each).is_absolute()]
    if paths:
        warn(f"{file}: what is sent names folders of this machine: {', '.join(dict.fromkeys(paths))}.")


# Data sets


def plan_data_upload(task: Task, repository: str) -> Upload:
    """A task as a `repository` of data: a .jsonl a split, a task.yaml that names these, and the data card.

    The files are those that the task's reader gives, offsets and all, in whatever format they are here; a field that is
    unknown of a document is null. Raises UserError for what is wrong in the files, and for a field whose name is taken.
    """
    for field in task.fields:
        if field.name in ("id", "text"):
            message = f'there is no place for a field called "{field.name}" beside the column of that name.'
            raise UserError(message, file=task.file, remedy="Rename it.")
    read = task.read_splits(task.splits)
    files: dict[str, Content] = {CARD: dataset_page(task, read, repository).encode()}
    files[TASK] = yaml.safe_dump(_as_jsonl(task), sort_keys=False, allow_unicode=True).encode()
    files |= {f"{split}.jsonl": _lines(task, documents) for split, documents in read.items()}
    return Upload(files)


def is_data_path(path: str) -> bool:
    """Is this the path of a file that `plan_data_upload` gives for some task?"""
    return path in (CARD, TASK, *(f"{split}.jsonl" for split in SPLITS))


def _as_jsonl(task: Task) -> dict[str, Any]:
    """What task.yaml says of the task once its files are JSON lines beside it."""
    told = task.without_folder()
    del told["name"], told["options"]
    told["format"] = "jsonl"
    told["files"] = {split: f"{split}.jsonl" for split in task.splits}
    told["fields"] = {
        name: {key: value for key, value in field.items() if key != "from"} for name, field in told["fields"].items()
    }
    return told


def _lines(task: Task, documents: Sequence[Document]) -> bytes:
    records = (jsonl.record_of(document, task.fields) for document in documents)
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
