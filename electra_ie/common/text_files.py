"""Text files, decoded strictly as UTF-8: other bytes are an error with file and line, and are never replaced."""

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

from electra_ie.common.errors import OnError, UserError, first_line, raise_error

UTF_8_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before UTF-8."""
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""The byte order marks of UTF-16."""
LINE = re.compile(rb"[^\r\n]*(?:\r+\n|\r|\n)|[^\r\n]+")
"""A line and its end: LF, CRLF, CR (old Macs), or CR CR LF (a file that was converted twice)."""
LINE_END = re.compile(rb"\r+\n|\r|\n")
MAX_LINE = 2**25
"""The most bytes of a line: 32 MiB. A longer one is an error, since a file without line ends would fill the memory."""
BLOCK = 2**20
"""The bytes of a long line that are read at once."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line (from 1) of a file, for error messages; line 0 is the file as a whole."""

    file: str
    line: int

    @property
    def position(self) -> tuple[str, int]:
        """The file and line of a document that begins here, as `Document` has them."""
        return self.file, self.line

    @property
    def within(self) -> str:
        """The position within the file, for lists of several: `line 3`."""
        return f"line {self.line}"

    def error(self, message: str, remedy: str = "") -> UserError:
        """Return a UserError at this line, to be raised."""
        return UserError(message, file=self.file, line=self.line or None, remedy=remedy)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class SourceRecord(SourceLine):
    """A record (from 1) of a split in memory, for error messages: `file` is the split, `line` the number."""

    @property
    def position(self) -> tuple[str, int]:
        """The whole position as the file of a document, which has no line."""
        return str(self), 0

    @property
    def within(self) -> str:
        """The position within the split: `record 3`."""
        return f"record {self.line}"

    def error(self, message: str, remedy: str = "") -> UserError:
        """Return a UserError at this record, to be raised."""
        return UserError(message, file=str(self), remedy=remedy)

    def __str__(self) -> str:
        return f"{self.file}, {self.within}" if self.line else self.file


def decode(raw: bytes, file: str | os.PathLike[str], line: int = 1) -> str:
    """Return the text of `raw`, the bytes of `file` from `line` on.

    Raises:
        UserError: `raw` is binary, UTF-16 or not UTF-8; the error names the line of the first invalid byte.
    """
    if raw.startswith(UTF_16_MARKS):
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
    """Convert the errors of the system, when a file cannot be opened or read, to UserError."""
    try:
        yield
    except FileNotFoundError:
        if path.is_symlink():
            remedy = "Replace it by the file itself, or remove the link."
            raise UserError("this link points to nothing.", file=path, remedy=remedy) from None
        raise UserError("there is no such file.", file=path, remedy="Check the path.") from None
    except (IsADirectoryError, NotADirectoryError):
        raise UserError("this is not a file.", file=path, remedy="Give a file here.") from None
    except PermissionError:
        remedy = "Check its permissions."
        raise UserError("no permission to read this file.", file=path, remedy=remedy) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        remedy = "Copy it again, or compress it again with gzip."
        raise UserError("this .gz file is damaged or truncated.", file=path, remedy=remedy) from None
    except OSError as error:
        message = f"this file cannot be read: {error.strerror or first_line(error)}."
        raise UserError(message, file=path, remedy="Check the disk, or copy the file again.") from None


def read_text(path: Path) -> str:
    """Return the text of a file. Line ends and a byte order mark are kept, since offsets count all code points.

    A `.gz` is decompressed.
    """
    with reading(path):
        raw = path.read_bytes()
        if path.suffix.lower() == ".gz":
            raw = gzip.decompress(raw)
    return decode(raw, path)


def lines(path: Path, on_error: OnError = raise_error) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers (from 1) and line ends, without a leading byte order mark.

    A `.gz` is decompressed. One line of the file is in memory at a time.

    Args:
        path: the file.
        on_error: called for each line that is not UTF-8 text or is longer than `MAX_LINE`; the next line follows if it
            does not raise.
    """
    with reading(path), open_bytes(path) as file:
        for number, line, fault in lines_of(file, path):
            if fault:
                on_error(fault)
            else:
                yield number, line


def lines_of(file: BinaryIO, name: str | os.PathLike[str]) -> Iterator[tuple[int, str, UserError | None]]:
    """Yield the lines of an open file as `lines` does, each with what is wrong with it, or None.

    A line that is not UTF-8 text is decoded with the replacement character, and one that is too long is empty.

    name: the name of the file, for errors.
    """
    for number, raw in enumerate(_raw_lines(file), start=1):
        if raw is None:
            message, remedy = f"this line has more than {MAX_LINE // 2**20} MiB.", "Divide it into several records."
            yield number, "", UserError(message, file=name, line=number, remedy=remedy)
            continue
        raw = raw.removeprefix(UTF_8_MARK) if number == 1 else raw  # noqa: PLW2901
        try:
            yield number, decode(raw, name, number), None
        except UserError as error:
            if number == 1 and raw.startswith(UTF_16_MARKS):  # then no other line is UTF-8 either
                raise
            yield number, raw.decode("utf-8", "replace").replace("\0", "\ufffd"), error


def _raw_lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield the lines of a file with their ends; None for a line that is longer than `MAX_LINE`."""
    rest = b""
    while part := file.readline(BLOCK):
        if not rest and part.endswith(b"\n"):
            yield from LINE.findall(part)
            continue
        rest += part
        # A CR at the end may be followed by the LF that belongs to it.
        before_end = rest.rstrip(b"\r")
        end = len(rest) if part.endswith(b"\n") else max(before_end.rfind(b"\n"), before_end.rfind(b"\r")) + 1
        yield from (line if len(line) <= MAX_LINE else None for line in LINE.findall(rest[:end]))
        rest = rest[end:]
        if len(rest) > MAX_LINE:
            yield None
            rest = _after_line(file)
    yield from LINE.findall(rest)


def _after_line(file: BinaryIO) -> bytes:
    """Read to the end of a line, and return what is read of the next one."""
    while part := file.readline(BLOCK):
        if match := LINE_END.search(part):
            return part[match.end() :]
    return b""


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading; a `.gz` is decompressed."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def relative(path: Path, folder: Path) -> str:
    """Return the path of a file within `folder`, with `/` on every system: an id that is the same on all machines."""
    return escape_undecodable(path.relative_to(folder).as_posix())


def escape_undecodable(name: str) -> str:
    r"""Return a file name with bytes that are not UTF-8 as `\xff`, so that it can be written as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
