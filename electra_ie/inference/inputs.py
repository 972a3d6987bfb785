"""The texts to extract from: which files they are in, how each is read, which id it gets, and what cannot be read."""

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
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, decode, escape_undecodable, relative
from electra_ie.data.document import Document
from electra_ie.data.readers import READERS, jsonl, separated
from electra_ie.data.readers.folders import Listing, count, walk
from electra_ie.data.readers.plain import ENDINGS, document_of_file
from electra_ie.data.task import Task

STANDARD_INPUT = Path("-")
TABLES = {".csv": "csv", ".tsv": "tsv"}
RECORDS = (".jsonl", *TABLES)
NOT_TEXT = (
    ".json", ".ndjson", ".jsonlines", ".jl", ".ndj", ".ipynb", ".geojson", ".svg", ".eml",
    ".tab", ".psv", ".xml", ".html", ".htm", ".xhtml", ".yaml", ".yml", ".parquet", ".pdf", ".rtf", ".doc", ".docx",
    ".odt", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".zip", ".gz", ".ann", ".conll", ".conllu",
)  # fmt: skip
"""Endings of files whose characters are not those of a text: their markup would be read as words."""
FINDINGS = {"id", "file", "characters", "windows", "findings"}
"""Keys of a record that `extract` writes."""


@dataclass(frozen=True)
class _File:
    """A file to be read. id: of its document; its records without an id are called `<stem>-<line>`."""

    path: Path
    id: str
    stem: str = ""

    @property
    def ending(self) -> str:
        return self.path.suffix.lower()


class Inbox:
    """The texts of several paths: text files (whatever their ending), tables, `.jsonl` files, folders, or `-` for
    standard input as one document.

    A `.jsonl` and a table have a document a line or row; they are read with the options of the task where its format is
    theirs, and else with the format's defaults. text, id: the key or column of either, in place of those options. Of a
    folder each `.txt` and `.jsonl` is read, and each table of the task's own format (see `formats.folders`); a file of
    findings in it is left out.

    The id of a document is its own, or else its path below the folder that was named; where two files of several paths
    would have one id, it is the path as it was named.

    Raises:
        UserError: a path does not exist.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        task: Task,
        text: str | None = None,
        id: str | None = None,
    ):
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
        self._leave_repeated_out()
        self._make_ids_differ()

    def _add(self, path: str) -> None:
        if path == str(STANDARD_INPUT):
            self.files.append(_File(STANDARD_INPUT, "stdin"))
            return
        found = Path(path)
        if not os.path.lexists(found):
            raise UserError("there is no such file or folder.", file=path, remedy="Check the path.")
        if not found.is_dir():
            self.files.append(_File(found, escape_undecodable(found.name)))
            return
        listing = walk(found, self.endings)
        self.folders.append(found)
        self.listings.append(listing)
        texts = [file for file in listing.files if not (file.suffix.lower() == ".jsonl" and _holds_findings(file))]
        self.findings += len(listing.files) - len(texts)
        listing.files = texts
        self.files += [_File(file, relative(file, found)) for file in texts]

    def _leave_repeated_out(self) -> None:
        """A file that several paths lead to is read once."""
        first = {os.path.realpath(each.path): each for each in reversed(self.files)}
        kept = [each for each in self.files if first[os.path.realpath(each.path)] is each]
        self.files, self.repeated = kept, len(self.files) - len(kept)

    def _make_ids_differ(self) -> None:
        if len({each.id for each in self.files}) < len(self.files):
            self.files = [
                each if each.path is STANDARD_INPUT else replace(each, id=escape_undecodable(each.path.as_posix()))
                for each in self.files
            ]
        stems = [each.id[: len(each.id) - len(each.path.suffix)] for each in self.files]
        taken = Counter(stem for each, stem in zip(self.files, stems, strict=True) if each.ending in RECORDS)
        self.files = [
            replace(each, stem=each.id if taken[stem] > 1 else stem)
            for each, stem in zip(self.files, stems, strict=True)
        ]

    def read(self, fail: OnError) -> Iterator[Document]:
        """The documents, one at a time; no two have one id. Memory grows with the ids only.

        fail: gets what cannot be read, by file and line. If it returns, the reading goes on behind that: with the
        next line or row, or where this is not safe with the next file.
        """
        self._report()
        for listing in self.listings:
            if not listing.files:
                fail(listing.empty_error())
        taken: dict[str, str] = {}
        for document in self._documents(fail):
            place = f"{document.file}:{document.line}"
            if document.id in taken:
                message = f'the id "{document.id}" is taken by {taken[document.id]}.'
                fail(SourceLine(document.file, document.line).error(message, "Give each record its own id."))
                continue
            taken[document.id] = place
            yield document

    def _report(self) -> None:
        """Warns of what is left out."""
        for listing in self.listings:
            if listing.files:
                listing.report()
        if self.findings:
            warn(f"left out: {count(self.findings, 'file of findings', 'files of findings')}, written by extract.")
        if self.repeated:
            warn(f"{count(self.repeated, 'file is', 'files are')} named more than once and read once.")

    def _documents(self, fail: OnError) -> Iterator[Document]:
        for each in self.files:
            try:
                if each.path is STANDARD_INPUT:
                    name = "<standard input>"
                    yield Document(each.id, decode(sys.stdin.buffer.read(), name), {}, name, 1)
                elif each.ending == ".jsonl":
                    yield from self._records(each, fail)
                elif each.ending in TABLES:
                    yield from self._rows(each, fail)
                elif each.ending in NOT_TEXT:
                    remedy = "Convert it to .txt, or to .jsonl with a text a line."
                    raise UserError(f"a {each.ending} file is not read as text.", file=each.path, remedy=remedy)
                else:
                    yield document_of_file(each.path, each.id)
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
        """The files that are read: their paths, and of standard input the number of the open file."""
        for each in self.files:
            yield from descriptors(sys.stdin) if each.path is STANDARD_INPUT else [each.path]

    def shown(self, file: str) -> str:
        """A document's file for people to read: of an absolute path what is below the folder that was named."""
        path = Path(file)
        if not path.is_absolute():
            return file
        return next((relative(path, each) for each in self.folders if path.is_relative_to(each)), path.name)


def _holds_findings(file: Path) -> bool:
    """Does a file begin with a record that `extract` has written?"""
    try:
        with file.open("rb") as stream:
            record = json.loads(stream.readline())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, Mapping) and record.keys() >= FINDINGS and "text" not in record
