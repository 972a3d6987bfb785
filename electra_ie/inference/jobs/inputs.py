"""The inputs of an extraction: files are found, documents get their ids, and what cannot be read is reported."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.files import descriptors
from electra_ie.common.folders import Listing, count, is_saved_data_set, walk
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, escape_undecodable, relative
from electra_ie.data.document import Document
from electra_ie.data.readers import READERS
from electra_ie.data.readers.plain import ENDINGS
from electra_ie.data.task import Task
from electra_ie.formats.parts.options import parse
from electra_ie.formats.parts.record_ids import repeated
from electra_ie.inference.jobs.kinds import RECORDS, STANDARD_INPUT, TABLES, kind_of, suffix_of
from electra_ie.inference.jobs.own_files import without_own
from electra_ie.inference.jobs.reading import Reading
from electra_ie.inference.jobs.seen_ids import SeenIds

OF_TABLES = ("header", "delimiter", "quotes", "columns", "text", "id")
"""The options of a table that decide its texts."""
LISTED = 1000
"""The number of files up to which `Inputs.files` names them."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file or data set to read. There may be millions: its id is a part of its name.

    Attributes:
        name: The path.
        start: Where the id begins in the path.
        keeps_ending: Whether the ids of its records begin with the whole id, not with the id without its ending.
    """

    name: str
    start: int
    keeps_ending: bool = False

    @property
    def path(self) -> Path:
        """The path."""
        return STANDARD_INPUT if self.name == str(STANDARD_INPUT) else Path(self.name)

    @property
    def id(self) -> str:
        """The id of its document."""
        if self.name == str(STANDARD_INPUT):
            return "stdin"
        return escape_undecodable(self.name[self.start :].replace(os.sep, "/"))

    @property
    def stem(self) -> str:
        """The prefix of the ids of its records without an id: `<stem>-<line>`."""
        return self.id if self.keeps_ending else self.id.removesuffix(suffix_of(self.name))


@dataclass(frozen=True)
class Inputs:
    """What a job reads, as its manifest records it.

    Attributes:
        number: The number of files; a data set is one.
        bytes: Their size.
        digest: A hash of the path, size and time of change of each, in order.
        files: Path, size and time of change (nanoseconds since 1970) of each; empty if there are more than 1,000.
        standard_input: Whether standard input is one of them, of which only the content can be compared.
    """

    number: int
    bytes: int
    digest: str
    files: list[list[str | int]]
    standard_input: bool


class Inbox:
    """The documents of several paths.

    A path is a file, a folder, a pattern such as `inbox/**/*.pdf`, or `-` for standard input, which has JSON lines or
    one text. Which kinds of file are read is said in `kinds`. Of a folder, each `.txt` and `.jsonl` file is read, also
    as `.gz`, and each table in the format of the task (see `common.folders`), except files that `extract` wrote. A
    folder that `datasets` saved is one data set. Records are read with the options of the task if the task has the same
    format, else with the defaults of the format.

    The id of a document is that of its record, or else the path of its file below the named folder. If two files would
    have the same id, all files have their path as it was named.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        task: Task,
        text: str | None = None,
        id: str | None = None,
        *,
        read: Sequence[str] = (),
        prefix_ids: bool = False,
    ) -> None:
        """List the files.

        Args:
            paths: Files, folders, patterns, or `-`.
            task: The task of the run, for the options of its format.
            text: The key or column of the text, in place of the option of that name.
            id: The key or column of the id, likewise; every record must have it.
            read: Options of tables as `key=value`, in place of those of the task: `OF_TABLES`.
            prefix_ids: Put the name of the file before the ids of its records.

        Raises:
            UserError: A path does not exist, or an option is unknown or for no file.
        """
        own = {name: value for name, value in (("text", text), ("id", id)) if value is not None}
        declared = {name: READERS["csv"].options[name] for name in OF_TABLES}
        of_tables = parse(read, declared, "csv")
        self.options = {
            name: READERS[name].settle(
                {
                    **(task.options if task.format == name else {}),
                    **(of_tables if name in TABLES.values() else {}),
                    **own,
                }
            )
            for name in ("jsonl", "datasets", *TABLES.values())
        }
        endings = (*ENDINGS, *(ending for ending, name in TABLES.items() if name == task.format))
        self.endings = (*endings, *(f"{ending}.gz" for ending in endings))
        self.folders: list[Path] = []
        self.listings: list[Listing] = []
        self.files: list[_File] = []
        self.own_files = self.repeated = 0
        named = [os.fspath(path) for path in paths]
        for path in named:
            self._add(path)
        if len(named) > 1 or any(has_magic(path) for path in named):  # in one folder each file is listed once
            self._drop_repeated()
            self._make_ids_unique()
        self._make_stems_unique()
        if of_tables and not any(kind_of(file.path) in TABLES.values() for file in self.files):
            raise UserError("--read has options of tables, and no input is one.", remedy="Leave --read out.")
        self.reading = Reading(self.options, require_id=bool(id), has_keys=bool(own), prefix_ids=prefix_ids)
        self.done = self.bytes_before = 0
        self._fingerprint: Inputs | None = None

    def _add(self, path: str) -> None:
        if path == str(STANDARD_INPUT):
            self.files.append(_File(path, 0))
        elif os.path.lexists(path):
            self._add_existing(path)
        elif has_magic(path):
            matches = sorted(glob(path, recursive=True))
            if not matches:
                raise UserError("no file has a name of this pattern.", file=path, remedy="Check the pattern.")
            start = _fixed_length(path)
            files = [match for match in matches if not os.path.isdir(match) or is_saved_data_set(Path(match))]
            for match in files or matches:
                self._add_existing(match, start)
        else:
            raise UserError("there is no such file or folder.", file=path, remedy="Check the path.")

    def _add_existing(self, path: str, start: int | None = None) -> None:
        """Add a file, or what a folder has. start: where the ids begin in the path, if it is one of a pattern."""
        folder = Path(path)
        if not folder.is_dir() or is_saved_data_set(folder):
            self.files.append(_File(str(folder), len(str(folder)) - len(folder.name) if start is None else start))
            return
        listing = walk(folder, self.endings)
        self.folders.append(folder)
        self.listings.append(listing)
        texts = without_own(listing.files)
        self.own_files += len(listing.files) - len(texts)
        listing.files = texts[:1]  # whether there is one is all that is asked later
        begin = _length_below(folder) if start is None else start
        self.files += [_File(str(file), begin) for file in texts]

    def _drop_repeated(self) -> None:
        """Keep the first of several paths to the same file."""
        seen: set[str] = set()
        kept = []
        for file in self.files:
            target = os.path.realpath(file.name)
            if target not in seen:
                seen.add(target)
                kept.append(file)
        self.files, self.repeated = kept, len(self.files) - len(kept)

    def _make_ids_unique(self) -> None:
        if len({file.id for file in self.files}) < len(self.files):
            self.files = [replace(file, start=0) for file in self.files]

    def _make_stems_unique(self) -> None:
        """Let `a.csv` and `a.jsonl`, which would both have records `a-1`, keep their endings in the ids of records."""
        used = Counter(file.stem for file in self.files if kind_of(file.path) in RECORDS)
        self.files = [replace(file, keeps_ending=True) if used[file.stem] > 1 else file for file in self.files]

    def read(self, fail: OnError) -> Iterator[Document]:
        """Yield the documents one at a time, each with its own id. Memory does not grow with their number.

        Args:
            fail: Called with the error of each file or line that cannot be read. If it returns, reading continues with
                the next line or row, or with the next file if the boundaries of rows are lost.
        """
        self._report()
        for listing in self.listings:
            if not listing.files:
                fail(_empty(listing))
        with SeenIds() as ids:
            for number, document in self._documents(fail):
                if taken := ids.add(document.id, number, document.line):
                    first = SourceLine(escape_undecodable(self.files[taken[0]].name), taken[1])
                    fail(self._repeated(document, first))
                    continue
                yield document

    def _repeated(self, document: Document, first: SourceLine) -> UserError:
        """Return the error of a document whose id is that of another."""
        error = repeated(document.id, first, SourceLine(document.file, document.line))
        if first.file == document.file or self.reading.prefix_ids:
            return error
        remedy = f"{error.remedy} --prefix-ids puts the name of its file before each."
        return UserError(error.message, file=error.file, line=error.line, remedy=remedy)

    def _report(self) -> None:
        """Warn about what is left out."""
        for listing in self.listings:
            if listing.files:
                listing.report()
        if self.own_files:
            warn(f"left out: {count(self.own_files, 'file', 'files')}, written by extract.")
        if self.repeated:
            warn(f"{count(self.repeated, 'file is', 'files are')} named more than once and read once.")

    def _documents(self, fail: OnError) -> Iterator[tuple[int, Document]]:
        """Yield each document with the number of its file."""
        self.done = self.bytes_before = 0
        for number, file in enumerate(self.files):
            try:
                _check_name(file)
                for document in self.reading.documents(file.path, file.id, file.stem, fail):
                    yield number, document
            except UserError as error:
                fail(error)
            self.done = number + 1
            self.bytes_before += _size(file)

    def progress(self) -> float:
        """Return about how many bytes of the inputs are read; the part of the current file is estimated by its line."""
        if self.done == len(self.files):
            return float(self.bytes_before)
        return self.bytes_before + self.reading.share() * _size(self.files[self.done])

    def fingerprint(self) -> Inputs:
        """Return what tells these inputs from others: paths, sizes and times of change, when this is called first."""
        if self._fingerprint is None:
            self._fingerprint = self._take_fingerprint()
        return self._fingerprint

    def _take_fingerprint(self) -> Inputs:
        digest, total = hashlib.sha256(), 0
        files: list[list[str | int]] = []
        for file in self.files:
            size, changed = (0, 0) if file.path is STANDARD_INPUT else _status(file)
            row: list[str | int] = [escape_undecodable(file.name), size, changed]
            digest.update(repr(row).encode())
            total += size
            if len(self.files) <= LISTED:
                files.append(row)
        standard_input = any(file.path is STANDARD_INPUT for file in self.files)
        return Inputs(len(self.files), total, digest.hexdigest(), files, standard_input)

    def sources(self) -> Iterator[Path | int]:
        """Yield what is read: the path of each file, and the file descriptor of standard input."""
        for file in self.files:
            yield from descriptors(sys.stdin) if file.path is STANDARD_INPUT else [file.path]

    def shown(self, file: str) -> str:
        """Return a document's file for display: an absolute path is shortened to what is below the named folder."""
        path = Path(file)
        if not path.is_absolute():
            return file
        return next((relative(path, folder) for folder in self.folders if path.is_relative_to(folder)), path.name)


def _empty(listing: Listing) -> UserError:
    """Return the error of a folder without a file that is read of folders."""
    error = listing.empty_error()
    remedy = f"Name other kinds of file by a pattern in quotes: '{listing.folder}/**/*.csv'."
    return UserError(error.message, file=error.file, remedy=remedy if listing.others else error.remedy)


def _fixed_length(pattern: str) -> int:
    """Return the length of the folders at the beginning of a pattern without `*`, `?` or `[`, as `Path` has them."""
    parts = pattern.split(os.sep)[:-1]
    magic = next((number for number, part in enumerate(parts) if has_magic(part)), len(parts))
    return _length_below(Path(os.sep.join([*parts[:magic], ""])))


def _length_below(folder: Path) -> int:
    """Return the length of what comes before the names of files in the path of a folder."""
    return 0 if folder == Path() else len(str(folder / "x")) - 1


def _check_name(file: _File) -> None:
    """Raise UserError for a file whose name is not UTF-8: no findings could name it."""
    try:
        file.name.encode()
    except UnicodeEncodeError:
        message = "the name of this file is not UTF-8."
        raise UserError(message, file=escape_undecodable(file.name), remedy="Rename the file.") from None


def _size(file: _File) -> int:
    return 0 if file.path is STANDARD_INPUT else _status(file)[0]


def _status(file: _File) -> tuple[int, int]:
    """Return size and time of change of a file, or of all files of a data set; zeros if there is no access."""
    try:
        files = sorted(file.path.rglob("*")) if file.path.is_dir() else [file.path]
        states = [os.stat(each) for each in files if not each.is_dir()]
    except OSError:
        return 0, 0
    return sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=0)
