"""Texts without labels: files, folders of files, JSON lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import escape_undecodable, read_text, relative
from electra_ie.data.document import Document
from electra_ie.data.fields import KINDS as KINDS
from electra_ie.data.fields import Field
from electra_ie.data.readers import jsonl
from electra_ie.data.readers.folders import files_of
from electra_ie.data.readers.options import Option

OPTIONS: dict[str, Option] = {}
ENDINGS = (".txt", ".jsonl")


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any]) -> Iterator[Document]:
    """A file as one unlabelled document, or each `.txt` below a folder, by name."""
    if not path.is_dir():
        yield atomic_path(path, path.name)
        return
    for file in files_of(path, ENDINGS[:1]):
        yield atomic_path(file, relative(file, path))


def read_unlabelled(path: str | os.PathLike[str]) -> Iterator[Document]:
    """The texts of an unlabelled pool, one at a time: a `.txt` is one document, a `.jsonl` has a `text` a line, of a
    folder each `.txt` and `.jsonl` below it is read (see `folders`).

    Raises:
        UserError: the path does not exist, a folder holds no text, or a file is not UTF-8 text.
    """
    found = Path(path)
    if found.is_dir():
        return (document for file in files_of(found, ENDINGS) for document in _one(file, relative(file, found)))
    if found.exists() and found.suffix.lower() not in ENDINGS:
        remedy = "Give a .txt, a .jsonl with a text a line, or a folder of them."
        raise UserError("this cannot be read as unlabelled text.", file=found, remedy=remedy)
    return _one(found, escape_undecodable(found.name))


def _one(file: Path, id: str) -> Iterator[Document]:
    """The documents of one file: each line of a `.jsonl`, else the whole."""
    if file.suffix.lower() != ".jsonl":
        yield atomic_path(file, id)
        return
    defaults = {name: option.default for name, option in jsonl.OPTIONS.items()}
    yield from jsonl.read(file, (), defaults, stem=id[: -len(file.suffix)])


def atomic_path(file: Path, id: str) -> Document:
    """A file as one document."""
    return Document(id, read_text(file), {}, escape_undecodable(str(file)), 1)
