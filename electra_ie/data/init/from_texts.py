"""A task made from texts without labels: its fields are declared, and it is labeled by hand (`electra-ie label`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.files import write
from electra_ie.data.document import Document
from electra_ie.data.document_ids import repeated_ids
from electra_ie.data.fields import KINDS, RELATIONS
from electra_ie.data.readers import read_unlabeled
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.splits import SPLITS, UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE

SHAPE = "Give NAME=KIND:LABEL,LABEL, such as entities=spans:PERSON,AMOUNT."
TEXTS = f"{UNLABELED}.jsonl"


def declared_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Return the declarations of fields, as in task.yaml, of texts like `entities=spans:PERSON,AMOUNT`.

    Raises:
        UserError: A text has another shape, an unknown kind, or the name of another one.
    """
    fields: dict[str, Any] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        kind, colon, labels = rest.partition(":")
        name, kind, names = name.strip(), kind.strip(), [label.strip() for label in labels.split(",") if label.strip()]
        if not (equals and colon and name and names):
            raise UserError(f'"{text}" declares no field.', remedy=SHAPE)
        if kind not in (*KINDS, RELATIONS):
            raise UserError(f'there is no kind "{kind}" in "{text}".', remedy=nearest(kind, (*KINDS, RELATIONS)))
        if name in fields:
            raise UserError(f'the field "{name}" is declared twice.', remedy="Give all its labels at once.")
        fields[name] = {"kind": kind, "labels": names}
    return fields


def init_unlabeled(
    path: str | os.PathLike[str], output: str | os.PathLike[str] | None, fields: Mapping[str, Any]
) -> tuple[Task, list[str]]:
    """Write a task for texts without labels, and return it with what was assumed.

    The texts are written as JSON lines. The labels are going to be in train.jsonl and dev.jsonl.

    Args:
        path: A .txt, a .jsonl with one text a line, or a folder of them.
        output: The folder of the task; None for `NAME_task` in the current folder.
        fields: The declarations of the fields, as in task.yaml.

    Raises:
        UserError: A field is invalid, there is no text, or the folder has a task already. Nothing is written.
    """
    root = Path(path)
    folder = Path(output) if output is not None else Path(f"{root.resolve().name.partition('.')[0]}_task")
    files = {split: f"{split}.jsonl" for split in SPLITS if split != "test"}
    for name in (TASK_FILE, *files.values()):
        if (folder / name).exists():
            remedy = "Give another folder with --output, or remove it."
            raise UserError("this file exists and is not overwritten.", file=folder / name, remedy=remedy)
    described = f"Texts of {root.resolve().name}, labeled by hand."
    mapping = {"description": described, "format": "jsonl", "files": files, "fields": dict(fields)}
    Task.from_dict(mapping, folder / TASK_FILE)  # checks the fields
    texts = list(_texts(root))
    if not texts:
        raise UserError("there is no text.", file=root, remedy="Give a folder with .txt files.")
    for error in repeated_ids(texts):
        raise error
    write(folder / TEXTS, "".join(json.dumps(record_of(text, ()), ensure_ascii=False) + "\n" for text in texts))
    content = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    write(folder / TASK_FILE, f"# Written by electra-ie init. Describe what labels mean under descriptions.\n{content}")
    assumed = [f"{len(texts):,} texts, written to {TEXTS}; labels that they may have are not read"]
    return Task.load(folder), [*assumed, "labels are going to be in train.jsonl and dev.jsonl"]


def _texts(root: Path) -> Iterable[Document]:
    """Yield the texts that are not blank."""
    return (document for document in read_unlabeled(root) if document.text.strip())
