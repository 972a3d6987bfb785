"""Reader of plain texts without labels: files, folders of files, JSON lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.folders import files_of
from electra_ie.common.text_files import escape_undecodable, read_text, relative
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField
from electra_ie.data.readers import jsonl
from electra_ie.formats.parts.options import Option

OPTIONS: dict[str, Option] = {}
ENDINGS = (".txt", ".jsonl")


def read(path: Path, fields: Sequence[AnyField], options: Mapping[str, Any]) -> Iterator[Document]:
    """Yield a file as one unlabeled document, or every `.txt` below a folder in the order of their paths."""
    if not path.is_dir():
        yield document_of_file(path, path.name)
        return
    for file in files_of(path, ENDINGS[:1]):
        yield document_of_file(file, relative(file, path))


def read_unlabeled(path: str | os.PathLike[str]) -> Iterator[Document]:
    """Yield unlabeled texts, one at a time.

    A `.txt` is one document, a `.jsonl` has one in the `text` of each line, and in a folder every `.txt` and `.jsonl`
    is read (see `folders`).

    Raises:
        UserError: the path does not exist, a folder contains no text, or a file is not UTF-8 text.
    """
    root = Path(path)
    if root.is_dir():
        return (document for file in files_of(root, ENDINGS) for document in _documents(file, relative(file, root)))
    if root.exists() and root.suffix.lower() not in ENDINGS:
        remedy = "Give a .txt, a .jsonl with one text a line, or a folder of them."
        raise UserError("this file cannot be read as unlabeled text.", file=root, remedy=remedy)
    return _documents(root, escape_undecodable(root.name))


def _documents(file: Path, id: str) -> Iterator[Document]:
    """Yield the documents of one file: one for each line of a `.jsonl`, else the whole file."""
    if file.suffix.lower() != ".jsonl":
        yield document_of_file(file, id)
        return
    defaults = {name: option.default for name, option in jsonl.OPTIONS.items()}
    yield from jsonl.read(file, (), defaults, stem=id[: -len(file.suffix)])


def document_of_file(file: Path, id: str) -> Document:
    """Return a whole file as one document."""
    return Document(id, read_text(file), {}, escape_undecodable(str(file)), 1)
