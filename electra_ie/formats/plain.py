"""Texts without labels: files, folders of files, JSON lines, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.document import Document
from electra_ie.errors import UserError, warn
from electra_ie.formats import jsonl
from electra_ie.formats.files import decode, printable, read_text, relative
from electra_ie.formats.options import Option
from electra_ie.labels import KINDS as KINDS
from electra_ie.labels import Field

OPTIONS: dict[str, Option] = {}
STANDARD_INPUT = "-"
ENDINGS = (".txt", ".jsonl")


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any]) -> Iterator[Document]:
    """A file as one unlabelled document, or each `.txt` below a folder, by name."""
    if not path.is_dir():
        yield whole(path, path.name)
        return
    for file in sorted(path.rglob("*.txt")):
        yield whole(file, relative(file, path))


def read_texts(path: str | os.PathLike[str], leave_out: Collection[Path] = ()) -> Iterator[Document]:
    """The texts to extract from, one at a time: memory stays flat.

    `path` is a text file (whatever its ending), a `.jsonl` with a `text` a line, a folder (each `.txt` and `.jsonl`
    below it, by name), or `-` for standard input as one document. Other files of a folder are counted aloud, but for
    those of `leave_out` (resolved): what a command writes there itself.

    Raises:
        UserError: the path does not exist, a folder holds no text, or a file is not UTF-8 text.
    """
    if os.fspath(path) == STANDARD_INPUT:
        name = "<standard input>"
        return iter([Document("stdin", decode(sys.stdin.buffer.read(), name), {}, name, 1)])
    found = Path(path)
    if found.is_dir():
        return folder(found, leave_out)
    return one(found, printable(found.name))


def read_unlabelled(path: str | os.PathLike[str]) -> Iterator[Document]:
    """The texts of an unlabelled pool: a `.txt` (one document), a `.jsonl`, or a folder of them, as `read_texts`."""
    found = Path(path)
    if found.exists() and not found.is_dir() and found.suffix.lower() not in ENDINGS:
        remedy = "Give a .txt, a .jsonl with a text a line, or a folder of them."
        raise UserError("this cannot be read as unlabelled text.", file=found, remedy=remedy)
    return read_texts(found)


def folder(path: Path, leave_out: Collection[Path] = ()) -> Iterator[Document]:
    """The texts below a folder, by name."""
    files = sorted(file for file in path.rglob("*") if not file.is_dir() and file.resolve() not in leave_out)
    texts = [file for file in files if file.suffix.lower() in ENDINGS]
    if not texts:
        raise UserError("there is no .txt and no .jsonl in this folder.", file=path, remedy="Give a folder of texts.")
    if len(texts) < len(files):
        warn(f"{path}: {len(files) - len(texts)} files of {len(files)} are neither .txt nor .jsonl and are not read.")
    for file in texts:
        yield from one(file, relative(file, path))


def one(file: Path, id: str) -> Iterator[Document]:
    """The documents of one file: each line of a `.jsonl`, else the whole."""
    if file.suffix.lower() != ".jsonl":
        yield whole(file, id)
        return
    defaults = {name: option.default for name, option in jsonl.OPTIONS.items()}
    yield from jsonl.read(file, (), defaults, stem=id[: -len(file.suffix)])


def whole(file: Path, id: str) -> Document:
    """A file as one document."""
    return Document(id, read_text(file), {}, printable(str(file)), 1)
