"""A JSON lines file of a task whose records are changed one at a time, each line that is not changed byte for byte."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path
from electra_ie.common.hashing import of_text
from electra_ie.common.logs import silenced
from electra_ie.common.text_files import UTF_8_MARK, SourceLine, lines
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField
from electra_ie.data.readers.jsonl import Records
from electra_ie.formats.parts.json_values import parse

Record = dict[str, Any]
"""A record of a file, with the keys of the task."""
KEY_DIGITS = 16
"""Hex digits of the hash by which a text is known: 64 bits."""
WAIT = 20
"""Seconds for which a change waits for that of another process."""
Signature = tuple[int, int, int] | None


def lock_of(path: Path) -> FileLock:
    """Return the lock of files that several processes change, at a path of its own."""
    return FileLock(path, timeout=WAIT, thread_local=False)


@contextmanager
def acquired(lock: FileLock, path: Path) -> Iterator[None]:
    """Keep other processes from changing a file or folder. Raises UserError if another one does not release it."""
    try:
        lock.acquire()
    except Timeout:
        raise UserError("another process is changing this.", file=path, remedy="Wait, and try again.") from None
    try:
        yield
    finally:
        lock.release()


def key_of(text: str) -> str:
    """Return the key of a text: the first digits of its hash. Equal texts are one."""
    return of_text(text)[:KEY_DIGITS]


class RecordFile:
    """A JSON lines file of a task, read again whenever another program has changed it.

    A file that does not exist has no records; the first one creates it.

    Attributes:
        path: The file.
        fields: The fields of the task.
        options: The options of the reader jsonl.
        incomplete: The documents that lack a required field, by key.
        labeled: The keys of the documents with a value for any field.
    """

    def __init__(
        self, path: Path, fields: Sequence[AnyField], required: Collection[str], options: Mapping[str, Any]
    ) -> None:
        """Remember the file; nothing is read.

        Args:
            path: The file.
            fields: The fields of the task.
            required: The names of those that a record has when it is labeled.
            options: The options of the reader jsonl.
        """
        self.path, self.fields, self.required, self.options = path, tuple(fields), tuple(required), dict(options)
        self.incomplete: dict[str, Document] = {}
        self.labeled: set[str] = set()
        self._lines: list[str] = []
        self._records: dict[str, tuple[int, Record, Document]] = {}
        self._signature: Signature = None
        self._marked = False
        self._loaded = False

    def refresh(self) -> bool:
        """Read the file if it has changed since the last time. Return whether it had.

        Raises:
            UserError: A record is invalid, or the file cannot be read.
        """
        signature = signature_of(self.path)
        if self._loaded and signature == self._signature:
            return False
        self._loaded = False  # what is read in part, until an error, is never written
        self._lines, self._records, self.incomplete, self.labeled = [], {}, {}, set()
        if signature is not None:
            self._read()
        self._signature, self._loaded = signature, True
        return True

    def _read(self) -> None:
        with self.path.open("rb") as file:
            self._marked = file.read(len(UTF_8_MARK)) == UTF_8_MARK
        validation = self.validation()
        for number, line in lines(self.path):
            self._lines.append(line)
            if not line.strip():
                continue
            source = SourceLine(str(self.path), number)
            record = parse(line, source)
            document = validation.document(record, source)
            key = key_of(document.text)
            if key not in self._records:
                self._records[key] = (number - 1, record, document)
                self._count(key, document)
        with silenced():  # `train` reports what it does not read; this file is read at every change
            validation.report()

    def _count(self, key: str, document: Document | None) -> None:
        """Keep what is known about a document, or that there is none."""
        self.incomplete.pop(key, None)
        self.labeled.discard(key)
        if document is not None and any(name not in document.gold for name in self.required):
            self.incomplete[key] = document
        if document is not None and document.gold:
            self.labeled.add(key)

    def validation(self) -> Records:
        """Return what reads the records of the file as documents."""
        return Records(str(self.path), self.fields, self.options, self.path.stem)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def record(self, key: str) -> Record | None:
        """Return the record of a text, the first one of equal texts; None if there is none."""
        return self._records[key][1] if key in self._records else None

    def document(self, key: str) -> Document | None:
        """Return the document of a text; None if there is none."""
        return self._records[key][2] if key in self._records else None

    def documents(self) -> list[Document]:
        """Return the documents in the order of the file, one for equal texts."""
        return [document for _, _, document in self._records.values()]

    def ids(self) -> set[str]:
        """Return the ids of the records."""
        return {document.id for document in self.documents()}

    def put(self, key: str, record: Record | None) -> None:
        """Replace the record of a text, add it as the last line, or remove it (None).

        The file is replaced as a whole: it is the one before or the one after, whenever the process ends.

        Raises:
            UserError: The record is invalid, or the file was changed in this moment. The file is unchanged.
            OSError: The file cannot be written. It is unchanged.
        """
        changed = list(self._lines)
        index = self._records[key][0] if key in self._records else None
        if record is None:
            if index is None:
                return
            del changed[index]
            document = None
        else:
            source = SourceLine(str(self.path), (len(changed) if index is None else index) + 1)
            document = self.validation().document(record, source)
            line = json.dumps(record, ensure_ascii=False) + "\n"
            if index is None:
                if changed and not changed[-1].endswith(("\n", "\r")):
                    changed[-1] += "\n"
                changed.append(line)
            else:
                changed[index] = line
        if signature_of(self.path) != self._signature:
            raise UserError("another program has just changed this file.", file=self.path, remedy="Save again.")
        write_lines(self.path, changed, self._marked)
        self._lines, self._signature = changed, signature_of(self.path)
        self._count(key, document)
        if record is not None and document is not None:
            self._records[key] = (len(changed) - 1 if index is None else index, record, document)
        else:
            del self._records[key]
            self._records = {
                other: (place - (index is not None and place > index), kept, document)
                for other, (place, kept, document) in self._records.items()
            }


def signature_of(path: Path) -> Signature:
    """Return what changes when a file is changed (inode, size, time in nanoseconds); None if there is no file."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def write_lines(path: Path, lines: Iterable[str], marked: bool = False) -> None:
    """Replace a file, or the one that a link names, by these lines, which are on the disk when this returns."""
    path = path.resolve()  # a link within the folder stays one; `LabelStore` refuses one that leads out
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        with part.open("wb") as file:
            file.write(UTF_8_MARK if marked else b"")
            file.writelines(line.encode("utf-8") for line in lines)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
