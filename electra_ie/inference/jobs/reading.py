"""The documents of one file: a reader for each kind of file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.text_files import BLOCK, escape_undecodable, open_bytes
from electra_ie.data.document import Document
from electra_ie.data.readers import jsonl, separated
from electra_ie.data.readers.plain import document_of_file
from electra_ie.inference.jobs.columns import number_of_rows, rows_of_data_set, rows_of_parquet
from electra_ie.inference.jobs.conversion import text_of_page, text_of_pdf
from electra_ie.inference.jobs.kinds import RECORDS, kind_of, suffix_of
from electra_ie.inference.jobs.standard_input import read_standard_input

BEGINNING = 1 << 20
"""The bytes from which the number of lines is estimated."""
REST = "What follows in this file is not read."
CONVERT = "Convert it to .txt, or to .jsonl with one text per line."


class Reading:
    """Reads one file after another.

    Attributes:
        options: The options of the kinds with records, by kind.
        require_id: A record without an id is an error.
        has_keys: The user has named the key of the text or of the id.
        prefix_ids: The ids of records get the name of their file before them.
    """

    def __init__(
        self,
        options: Mapping[str, Mapping[str, Any]],
        *,
        require_id: bool = False,
        has_keys: bool = False,
        prefix_ids: bool = False,
    ) -> None:
        """Set what holds for all files."""
        self.options, self.require_id, self.has_keys, self.prefix_ids = options, require_id, has_keys, prefix_ids
        self._path: Path | None = None
        self._line = 0
        self._lines: float | None = None

    def documents(self, path: Path, id: str, stem: str, fail: OnError) -> Iterator[Document]:
        """Yield the documents of a file.

        Args:
            path: The file.
            id: The id of its document, if it is one.
            stem: The prefix of the ids of records without an id.
            fail: Called with the error of each record that cannot be read.

        Raises:
            UserError: The file, or the rest of it, cannot be read.
        """
        self._path, self._line, self._lines = path, 0, None
        kind = kind_of(path)
        if kind == "stdin":
            own = self.options["jsonl"]
            yield from read_standard_input(id, own, fail, require_id=self.require_id, has_keys=self.has_keys)
            return
        if kind not in RECORDS:
            yield _whole_file(path, kind, id)
            return
        try:
            for document in self._records(path, kind, stem, fail):
                self._line = document.line
                is_numbered = document.id == f"{stem}-{document.line}"  # by the file already
                yield replace(document, id=f"{stem}/{document.id}") if self.prefix_ids and not is_numbered else document
        except UserError as error:
            is_begun = self._line or (error.line or 0) > 1
            remedy = f"{error.remedy} {REST}".lstrip() if is_begun else error.remedy
            raise UserError(error.message, file=error.file, line=error.line, remedy=remedy) from None

    def _records(self, path: Path, kind: str, stem: str, fail: OnError) -> Iterator[Document]:
        options = self.options.get(kind, self.options["datasets"])  # Parquet has the options of data sets
        if kind == "jsonl":
            return jsonl.read(path, (), options, fail, stem, self.require_id)
        if kind in ("csv", "tsv"):
            return separated.read(path, (), options, fail, stem)
        read = rows_of_parquet if kind == "parquet" else rows_of_data_set
        return read(path, options, fail, stem, self.require_id)

    def share(self) -> float:
        """Return about how much of the current file is read, from 0 to 1."""
        if self._path is None or not self._line:
            return 0.0
        if self._lines is None:
            self._lines = _number_of_lines(self._path)
        return min(1.0, self._line / max(self._lines, 1.0))


def _whole_file(path: Path, kind: str, id: str) -> Document:
    """Return a file that is one document."""
    if kind == "text":
        return document_of_file(path, id)
    if kind in ("html", "pdf"):
        text = text_of_page(path) if kind == "html" else text_of_pdf(path)
        return Document(id, text, {}, escape_undecodable(str(path)), 1)
    raise UserError(f"a {path.suffix.lower()} file is not read as text.", file=path, remedy=CONVERT)


def _number_of_lines(path: Path) -> float:
    """Return the number of lines of a file, estimated from its beginning, or the number of its rows.

    It is 1 for a file that cannot be read, and for a pipe, which would lose what is read from it here.
    """
    if kind_of(path) in ("parquet", "datasets"):
        return float(number_of_rows(path))
    if not path.is_file():
        return 1.0
    try:
        with open_bytes(path) as file:
            beginning = file.read(BEGINNING)
            is_compressed = suffix_of(path.name).lower().endswith(".gz")
            read = file.fileobj.tell() if is_compressed else len(beginning)  # type: ignore[attr-defined]
        size = path.stat().st_size
    except (OSError, EOFError, zlib.error):
        return 1.0
    # The decompressor reads ahead, so that a small file is read as a whole.
    lines = max(1, beginning.count(b"\n"))
    return lines * (size / max(read, 1) if read > BLOCK or read < size else 1.0)
