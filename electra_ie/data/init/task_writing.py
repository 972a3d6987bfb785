"""The files of a new task: its task.yaml, and its data as JSON lines if no reader reads them where they are."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path, write
from electra_ie.common.hub_client import HubName
from electra_ie.common.logs import silenced
from electra_ie.data.declaration.task_yaml import DATA_SETS, declaration
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField, Field
from electra_ie.data.init.from_pushed import Pushed
from electra_ie.data.init.sources import Found, Source
from electra_ie.data.readers import READERS
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.splits import SPLITS, UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE


def refuse_existing(file: Path) -> None:
    """Raise UserError if a file exists."""
    if file.exists():
        remedy = "Give another folder with --output, or remove it."
        raise UserError("this file exists and is not overwritten.", file=file, remedy=remedy)


def write_pushed(pushed: Pushed, name: HubName, folder: Path) -> list[str]:
    """Write the task that was sent with a data set, unchanged, and return what was assumed."""
    for file in pushed.files:
        refuse_existing(folder / file)
    folder.mkdir(parents=True, exist_ok=True)
    for file in pushed.files:
        with atomic_path(folder / file) as part:
            shutil.copyfile(pushed.task.folder / file, part)
    assumed = [
        f"the data set is {name.repository} of the hub, at the commit {pushed.commit}",
        "it was sent by push-data: fields and splits are those of its own task.yaml; shares and seed are not used",
        f"the data are written as JSON lines in {folder}",
    ]
    _write_text(folder / TASK_FILE, assumed, pushed.yaml)
    return assumed


def task_in_place(
    found: Found,
    folder: Path,
    by_source: Mapping[Source, Sequence[Document]],
    splits: Mapping[str, Sequence[Document]],
    fields: Sequence[AnyField],
) -> Task | None:
    """Return the task on the data where they are; None if its readers do not read the same documents and splits."""
    if found.reader not in READERS or not all(source.split for source in by_source):
        return None
    files: dict[str, list[str]] = {}
    for source in sorted(by_source, key=lambda source: SPLITS.index(source.split)):
        name = source.path if found.reader == DATA_SETS else source.path.relative_to(found.home)
        files.setdefault(source.split, []).append(name.as_posix())
    mapping = {
        "name": folder.name,
        "description": found.description,
        "format": found.reader,
        "files": files,
        "fields": {field.name: declaration(field) for field in fields},
    }
    for options in found.options:
        with suppress(UserError), silenced():
            task = Task.from_dict({**mapping, "options": dict(options)}, folder / TASK_FILE, data=found.home)
            read = task.read_splits(task.splits)
            if all(_content(read.get(split, ())) == _content(splits.get(split, ())) for split in SPLITS):
                return task
    return None


def _content(documents: Iterable[Document]) -> Counter[str]:
    """Return texts and gold, to compare documents that were read in two ways."""
    return Counter(repr((document.text, sorted(document.gold.items()))) for document in documents)


def converted_task(
    found: Found, folder: Path, splits: Mapping[str, Sequence[Document]], fields: Sequence[AnyField]
) -> Task:
    """Write the documents of each split as JSON lines, and return the task."""
    files = {split: (f"{split}.jsonl",) for split in splits}
    for (name,) in files.values():
        refuse_existing(folder / name)
    for split, (name,) in files.items():
        own = () if split == UNLABELED else fields
        lines = [json.dumps(_quoted(document, own), ensure_ascii=False) + "\n" for document in splits[split]]
        write(folder / name, "".join(lines))
    named = [replace(field, source="") for field in fields]
    of_texts = tuple(field for field in named if isinstance(field, Field))
    anchored = tuple(field for field in named if not isinstance(field, Field))
    return Task(
        folder.name, found.description, "jsonl", folder, files, {}, of_texts, folder / TASK_FILE, anchored=anchored
    )


def _quoted(document: Document, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the record of a document with the texts of its spans, which prove the unit of their offsets."""
    record = record_of(document, fields)
    for field in fields:
        if field.kind == "spans":
            for item, span in zip(record[field.name] or (), document.gold.get(field.name, ()), strict=True):
                parts = [document.text[start:end] for start, end in span.ranges]
                item["text"] = parts if span.fragments else parts[0]
    return record


def write_task(task: Task, assumed: Sequence[str]) -> None:
    """Write task.yaml, with what was assumed as comments."""
    elsewhere = task.folder.resolve() != task.file.parent.resolve()
    folder = Path(os.path.relpath(task.folder, task.file.parent)).as_posix()
    mapping = {
        "description": task.description,
        "format": task.format,
        **({"data": folder} if elsewhere else {}),
        "files": {split: names[0] if len(names) == 1 else list(names) for split, names in task.files.items()},
        **({"options": dict(task.options)} if task.options else {}),
        "fields": {field.name: declaration(field) for field in task.all_fields},
    }
    text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    _write_text(task.file, assumed, text)


def _write_text(file: Path, assumed: Sequence[str], text: str) -> None:
    comments = "".join(f"# {line}\n" for line in assumed)
    write(file, f"# Written by electra-ie init. It assumed:\n{comments}{text}")
