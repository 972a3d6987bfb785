"""Text files, decoded strictly: what is not UTF-8 text is refused by file and line, never guessed at or mended."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from electra_ie.common.errors import Fault, UserError, stop

MARK = b"\xef\xbb\xbf"
"""The byte order mark some editors put before UTF-8."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""The byte order marks of UTF-16."""
LINE = re.compile(rb"[^\r\n]*(?:\r+\n|\r|\n)|[^\r\n]+")
"""A line and its end: LF, CRLF, the CR of old Macs, or the CR CR LF of a file that was converted twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line (from 1) of a file; 0 stands for the file as a whole."""

    file: str
    line: int

    def error(self, message: str, remedy: str = "") -> UserError:
        """The mistake found here, to be raised."""
        return UserError(message, file=self.file, line=self.line or None, remedy=remedy)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def decode(raw: bytes, file: str | os.PathLike[str], line: int = 1) -> str:
    """The text of `raw`, bytes of `file` from `line` on, code point for code point.

    Raises:
        UserError: binary data, or bytes that are not UTF-8; it names the line of the first bad byte.
    """
    if raw.startswith(UTF_16):
        raise UserError("this is UTF-16 text.", file=file, line=line, remedy="Save it as UTF-8.")
    null = raw.find(b"\0")
    if null >= 0:
        line += raw.count(b"\n", 0, null)
        remedy = "Give a text file; if it is text in another encoding, save it as UTF-8."
        raise UserError("this is binary data (a NUL byte), not text.", file=file, line=line, remedy=remedy)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8 text."
        raise UserError(message, file=file, line=line, remedy="Save the file as UTF-8.") from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be opened or read into a UserError."""
    try:
        yield
    except FileNotFoundError:
        if path.is_symlink():
            remedy = "Put the file itself in its place, or remove the link."
            raise UserError("this is a link that leads nowhere.", file=path, remedy=remedy) from None
        raise UserError("there is no such file.", file=path, remedy="Check the path.") from None
    except (IsADirectoryError, NotADirectoryError):
        raise UserError("this is not a file.", file=path, remedy="Give a file here.") from None
    except PermissionError:
        remedy = "Give yourself the right to read it."
        raise UserError("this file may not be read.", file=path, remedy=remedy) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        remedy = "Copy it again, or pack it again with gzip."
        raise UserError("this .gz file is damaged or cut short.", file=path, remedy=remedy) from None
    except OSError as error:
        raise UserError(f"this file cannot be read: {error.strerror}.", file=path) from None


def read_text(path: Path) -> str:
    """The whole of a file. Line ends and a byte order mark are kept: offsets count every code point there is."""
    with reading(path):
        raw = path.read_bytes()
    return decode(raw, path)


def lines(path: Path, fault: Fault = stop) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file, of a `.gz` unpacked, their ends kept, a leading byte order mark left out; memory
    stays flat. fault: gets each line that is not UTF-8 text, and may go on with the next; by default it ends the
    reading."""
    with reading(path), _open(path) as file:
        for number, raw in enumerate((raw for part in file for raw in LINE.findall(part)), start=1):
            try:
                line = decode(raw.removeprefix(MARK) if number == 1 else raw, path, number)
            except UserError as error:
                if number == 1 and raw.startswith(UTF_16):  # nor is any other line
                    raise
                fault(error)
                continue
            yield number, line


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def relative(path: Path, folder: Path) -> str:
    """The name of a file below `folder`, with `/` on every system: an id that does not depend on the machine."""
    return escape_undecodable(path.relative_to(folder).as_posix())


def escape_undecodable(name: str) -> str:
    """A file's name; bytes in it that are not UTF-8 as `\\xff`, so that it can be written as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
