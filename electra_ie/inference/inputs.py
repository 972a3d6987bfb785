"""Input of extraction: find the files, read the documents, assign their ids, and report what cannot be read."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.files import descriptors
from electra_ie.common.folders import Listing, count, walk
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, decode, escape_undecodable, relative
from electra_ie.data.document import Document
from electra_ie.data.readers import READERS, jsonl, separated
from electra_ie.data.readers.plain import ENDINGS, document_of_file
from electra_ie.data.task import Task
from electra_ie.formats.parts.record_ids import RecordIds

STANDARD_INPUT = Path("-")
TABLES = {".csv": "csv", ".tsv": "tsv"}
RECORDS = (".jsonl", *TABLES)
NOT_TEXT = (
    ".json", ".ndjson", ".jsonlines", ".jl", ".ndj", ".ipynb", ".geojson", ".svg", ".eml",
    ".tab", ".psv", ".xml", ".html", ".htm", ".xhtml", ".yaml", ".yml", ".parquet", ".pdf", ".rtf", ".doc", ".docx",
    ".odt", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".zip", ".gz", ".ann", ".conll", ".conllu",
)  # fmt: skip
"""Endings of files that are not plain text: their markup would be read as words."""
FINDINGS = {"id", "file", "characters", "windows", "findings"}
"""Keys of a record that `electra-ie extract` writes."""


@dataclass(frozen=True)
class _File:
    """A file to read.

    Attributes:
        path: The file.
        id: The id of its document.
        stem: The prefix of the ids of its records without an id: `<stem>-<line>`.
    """

    path: Path
    id: str
    stem: str = ""

    @property
    def ending(self) -> str:
        """The lower-case file name extension with its dot."""
        return self.path.suffix.lower()


class Inbox:
    """The documents of several paths.

    A path is a text file (of any other ending), a table, a `.jsonl` file, a folder, or `-` for standard input as one
    document. A `.jsonl` file or a table has one document per line or row. It is read with the options of the task if
    the task has the same format, else with the defaults of the format. Of a folder, each `.txt` and `.jsonl` file is
    read, and each table in the format of the task (see `common.folders`), except files that `extract` wrote.

    The id of a document is that of its record, or else the path of its file below the named folder. If two files would
    have the same id, all files have their path as it was named.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        task: Task,
        text: str | None = None,
        id: str | None = None,
    ) -> None:
        """List the files.

        Args:
            paths: Files, folders, or `-`.
            task: The task of the run, for the options of its format.
            text: The key or column of the text, in place of the option of that name.
            id: The key or column of the id, likewise; every record must have it.

        Raises:
            UserError: A path does not exist.
        """
        own = {name: value for name, value in (("text", text), ("id", id)) if value is not None}
        self.options = {
            name: READERS[name].settle({**(task.options if task.format == name else {}), **own})
            for name in ("jsonl", *TABLES.values())
        }
        self.required = id
        self.endings = (*ENDINGS, *(ending for ending, name in TABLES.items() if name == task.format))
        self.folders: list[Path] = []
        self.listings: list[Listing] = []
        self.files: list[_File] = []
        self.findings = self.repeated = 0
        for path in paths:
            self._add(os.fspath(path))
        self._drop_repeated()
        self._make_ids_unique()

    def _add(self, path: str) -> None:
        if path == str(STANDARD_INPUT):
            self.files.append(_File(STANDARD_INPUT, "stdin"))
            return
        file_or_folder = Path(path)
        if not os.path.lexists(file_or_folder):
            raise UserError("there is no such file or folder.", file=path, remedy="Check the path.")
        if not file_or_folder.is_dir():
            self.files.append(_File(file_or_folder, escape_undecodable(file_or_folder.name)))
            return
        listing = walk(file_or_folder, self.endings)
        self.folders.append(file_or_folder)
        self.listings.append(listing)
        texts = [file for file in listing.files if not (file.suffix.lower() == ".jsonl" and _holds_findings(file))]
        self.findings += len(listing.files) - len(texts)
        listing.files = texts
        self.files += [_File(file, relative(file, file_or_folder)) for file in texts]

    def _drop_repeated(self) -> None:
        """Keep the first of several paths to the same file."""
        first = {os.path.realpath(file.path): file for file in reversed(self.files)}
        kept = [file for file in self.files if first[os.path.realpath(file.path)] is file]
        self.files, self.repeated = kept, len(self.files) - len(kept)

    def _make_ids_unique(self) -> None:
        if len({file.id for file in self.files}) < len(self.files):
            self.files = [
                file if file.path is STANDARD_INPUT else replace(file, id=escape_undecodable(file.path.as_posix()))
                for file in self.files
            ]
        # `a.csv` and `a.jsonl` would both have records `a-1`: the stem keeps the ending where it is not unique.
        stems = [file.id[: len(file.id) - len(file.path.suffix)] for file in self.files]
        used = Counter(stem for file, stem in zip(self.files, stems, strict=True) if file.ending in RECORDS)
        self.files = [
            replace(file, stem=file.id if used[stem] > 1 else stem)
            for file, stem in zip(self.files, stems, strict=True)
        ]

    def read(self, fail: OnError) -> Iterator[Document]:
        """Yield the documents one at a time, each with its own id. Memory grows with the ids only.

        Args:
            fail: Called with the error of each file or line that cannot be read. If it returns, reading continues with
                the next line or row, or with the next file if the boundaries of rows are lost.
        """
        self._report()
        for listing in self.listings:
            if not listing.files:
                fail(listing.empty_error())
        ids = RecordIds()
        for document in self._documents(fail):
            try:
                ids.add(document.id, SourceLine(document.file, document.line))
            except UserError as error:
                fail(error)
                continue
            yield document

    def _report(self) -> None:
        """Warn about what is left out."""
        for listing in self.listings:
            if listing.files:
                listing.report()
        if self.findings:
            warn(f"left out: {count(self.findings, 'file of findings', 'files of findings')}, written by extract.")
        if self.repeated:
            warn(f"{count(self.repeated, 'file is', 'files are')} named more than once and read once.")

    def _documents(self, fail: OnError) -> Iterator[Document]:
        for file in self.files:
            try:
                if file.path is STANDARD_INPUT:
                    name = "<standard input>"
                    yield Document(file.id, decode(sys.stdin.buffer.read(), name), {}, name, 1)
                elif file.ending == ".jsonl":
                    yield from self._records(file, fail)
                elif file.ending in TABLES:
                    yield from self._rows(file, fail)
                elif file.ending in NOT_TEXT:
                    remedy = "Convert it to .txt, or to .jsonl with one text per line."
                    raise UserError(f"a {file.ending} file is not read as text.", file=file.path, remedy=remedy)
                else:
                    yield document_of_file(file.path, file.id)
            except UserError as error:
                fail(error)

    def _records(self, file: _File, fail: OnError) -> Iterator[Document]:
        yield from jsonl.read(file.path, (), self.options["jsonl"], fail, file.stem, bool(self.required))

    def _rows(self, file: _File, fail: OnError) -> Iterator[Document]:
        try:
            yield from separated.read(file.path, (), self.options[TABLES[file.ending]], fail, file.stem)
        except UserError as error:
            remedy = f"{error.remedy} The rows from here on are not read."
            raise UserError(error.message, file=error.file, line=error.line, remedy=remedy) from None

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


def _holds_findings(file: Path) -> bool:
    """Return whether a file begins with a record that `electra-ie extract` has written."""
    try:
        with file.open("rb") as stream:
            record = json.loads(stream.readline())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, Mapping) and record.keys() >= FINDINGS and "text" not in record
