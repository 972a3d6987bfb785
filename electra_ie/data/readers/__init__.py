"""Readers of annotated text, one module a format. A new format is one module and one line in `READERS`.

May import `common` and the documents and fields of `data`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import Fault, UserError, stop
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers import brat, conll, jsonl, plain, separated
from electra_ie.data.readers.options import Option, settle
from electra_ie.data.readers.plain import read_unlabelled

__all__ = ["READERS", "Reader", "read_unlabelled"]


@dataclass(frozen=True, slots=True)
class Reader:
    """One format: how its records are read, which options there are, and which kinds of field it can hold."""

    name: str
    records: Callable[[Path, Sequence[Field], Mapping[str, Any], Fault], Iterator[Document]]
    options: Mapping[str, Option]
    kinds: tuple[str, ...]

    def settle(
        self, given: Mapping[str, Any], file: str | os.PathLike[str] | None = None, line: int | None = None
    ) -> dict[str, Any]:
        """Every option with its value; `file` and `line` are where `given` was written, for the message."""
        return settle(given, self.options, self.name, file, line)

    def check(self, field: Field, file: str | os.PathLike[str] | None = None, line: int | None = None) -> None:
        """Raises UserError for a field whose gold this format has no place for."""
        if field.kind not in self.kinds:
            able = ", ".join(name for name, reader in READERS.items() if field.kind in reader.kinds and name != "text")
            message = (
                f"the format {self.name} cannot hold the field {field.name}, which is of kind {field.kind}; it holds "
                f"{' and '.join(self.kinds)}."
            )
            export = " From Label Studio, export CONLL2003 and set format: conll." if field.kind == "spans" else ""
            raise UserError(message, file=file, line=line, remedy=f"Formats that can: {able}.{export}")

    def read(
        self,
        path: str | os.PathLike[str],
        fields: Sequence[Field],
        options: Mapping[str, Any] | None = None,
        fault: Fault = stop,
    ) -> Iterator[Document]:
        """The documents of a file (or folder), one at a time, with the gold of `fields`.

        fault: gets each mistake in a record, by file and line, and may go on with the next; by default it ends the
            reading.

        Raises:
            UserError: at once for an option or a field that the format does not know, and while reading for
                whatever makes the rest of the file unreadable.
        """
        for field in fields:
            self.check(field)
        return self.records(Path(path), fields, self.settle(options or {}), fault)


def _texts(path: Path, fields: Sequence[Field], options: Mapping[str, Any], fault: Fault) -> Iterator[Document]:
    """Plain texts: their only mistakes are those of a whole file."""
    return plain.read(path, fields, options)


READERS = {
    "jsonl": Reader("jsonl", jsonl.read, jsonl.OPTIONS, jsonl.KINDS),
    "csv": Reader("csv", separated.read, separated.options(",", quotes=True), separated.KINDS),
    "tsv": Reader("tsv", separated.read, separated.options("\t", quotes=False), separated.KINDS),
    "conll": Reader("conll", conll.read, conll.OPTIONS, conll.KINDS),
    "brat": Reader("brat", brat.read, brat.OPTIONS, brat.KINDS),
    "text": Reader("text", _texts, plain.OPTIONS, plain.KINDS),
}
