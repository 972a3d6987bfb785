"""The files of an unfinished job, which grow by whole chunks; a manifest says how much of each is valid."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from electra_ie.common.errors import UserError

FINDINGS, ERRORS, TEXTS, MANIFEST = "findings.jsonl", "errors.jsonl", "texts.jsonl", "manifest.json"
QUEUE = "queue.jsonl"
"""The texts with findings for review, in the order of the inputs."""
FILES = (FINDINGS, ERRORS, TEXTS, QUEUE)


class Journal:
    """Append-only files in a folder. What was appended after the last `synced` is cut when they are opened again."""

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        """Set the folder, and the bytes of each file that are valid."""
        self.folder, self.valid = folder, sizes
        self.files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Journal:
        """Open the files and cut what is not valid."""
        for name in FILES:
            file = (self.folder / name).open("ab")
            file.truncate(self.valid.get(name, 0))
            file.seek(0, os.SEEK_END)
            self.files[name] = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files.values():
            try:
                file.close()
            except OSError:  # what could not be written is not valid
                if kind is None:
                    raise

    def check(self) -> None:
        """Raise UserError if a file has fewer bytes than are valid."""
        for name, size in self.valid.items():
            path = self.folder / name
            if (path.stat().st_size if path.exists() else 0) < size:
                message = f"this file of an unfinished job has lost some of its {size:,} bytes."
                raise UserError(message, file=path, remedy="Give --overwrite to start over.")

    def append(self, name: str, text: str) -> None:
        """Append text to a file."""
        self.files[name].write(text.encode("utf-8"))

    def synced(self) -> dict[str, int]:
        """Wait until all that was appended is on the disk, and return the bytes of each file."""
        for file in self.files.values():
            file.flush()
            os.fsync(file.fileno())
        return {name: file.tell() for name, file in self.files.items()}


@contextmanager
def writing(output: Path, kept: str) -> Iterator[None]:
    """Convert the errors of the system in writing a job to one that says what remains of it."""
    try:
        yield
    except OSError as error:
        file = error.filename or output
        raise UserError(f"cannot be written: {error.strerror or error}.", file=file, remedy=kept) from None
