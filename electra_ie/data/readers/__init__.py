"""Readers of the files of a task, by the format that task.yaml names: `READERS`.

`annotated` reads every format of `formats`, such as brat and CoNLL, for the fields of a task. The other modules are
formats that belong to tasks: `jsonl`, `separated` (csv, tsv), `dataset` (the library `datasets`) and `plain` (texts
without labels). `parts` is what they share. A new annotation format is a module of `formats` and needs nothing here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.data.document import Document
from electra_ie.data.fields import ALL_KINDS, ATTRIBUTES, RELATIONS, AnyField
from electra_ie.data.readers import annotated, dataset, jsonl, plain, separated
from electra_ie.data.readers.plain import read_unlabeled
from electra_ie.formats import FORMATS
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature
from electra_ie.formats.parts.options import Option, settle

__all__ = ["READERS", "Reader", "read_unlabeled"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A format: the function that reads its records, its options, and the kinds of field that it can express."""

    name: str
    records: Callable[[Path, Sequence[Any], Mapping[str, Any], OnError], Iterator[Document]]  # of fields of its kinds
    options: Mapping[str, Option]
    kinds: tuple[str, ...]

    def settle(
        self, values: Mapping[str, Any], file: str | os.PathLike[str] | None = None, line: int | None = None
    ) -> dict[str, Any]:
        """Return a value for every option; `file` and `line` are the position of `values`, for errors."""
        return settle(values, self.options, self.name, file, line)

    def check(self, field: AnyField, file: str | os.PathLike[str] | None = None, line: int | None = None) -> None:
        """Raise UserError for a field of a kind that the format cannot express."""
        if field.kind not in self.kinds:
            able = ", ".join(name for name, reader in READERS.items() if field.kind in reader.kinds and name != "text")
            message = (
                f"the format {self.name} cannot express the field {field.name} of kind {field.kind}, only "
                f"{' and '.join(self.kinds)}."
            )
            raise UserError(message, file=file, line=line, remedy=f"Formats that can: {able}.")

    def read(
        self,
        path: str | os.PathLike[str],
        fields: Sequence[AnyField],
        options: Mapping[str, Any] | None = None,
        on_error: OnError = raise_error,
    ) -> Iterator[Document]:
        """Yield the documents of a file (or folder), one at a time, with the gold of `fields`.

        Args:
            path: the file or folder.
            fields: the fields whose gold is read.
            options: options of the format; the others have their defaults.
            on_error: called for each invalid record; the next record follows if it does not raise.

        Raises:
            UserError: at once for an option or a field that is not of this format, and while reading for anything that
                makes the rest of the file unreadable.
        """
        for field in fields:
            self.check(field)
        return self.records(Path(path), fields, self.settle(options or {}), on_error)


def _texts(path: Path, fields: Sequence[AnyField], options: Mapping[str, Any], on_error: OnError) -> Iterator[Document]:
    """Yield plain texts. They have no records, so that an error is always one of the whole file."""
    return plain.read(path, fields, options)


def _annotated(format: Format) -> Reader:
    """Return the reader of an annotation format; its options are those of the format and of `annotated`."""
    kinds = [
        *(("classes", "flags") if Feature.LABELS in format.holds else ()),
        *(("spans",) if Feature.SPANS in format.holds else ()),
        *((RELATIONS,) if {Feature.SPANS, Feature.RELATIONS} <= format.holds else ()),
        *((ATTRIBUTES,) if {Feature.SPANS, Feature.SPAN_ATTRIBUTES} <= format.holds else ()),
    ]
    options = {**format.options, **annotated.OPTIONS}
    return Reader(format.name, partial(annotated.read, format), options, tuple(kinds))


READERS = {
    "jsonl": Reader("jsonl", jsonl.read, jsonl.OPTIONS, ALL_KINDS),
    "csv": Reader("csv", separated.read, separated.options(",", quotes=True), separated.KINDS),
    "tsv": Reader("tsv", separated.read, separated.options("\t", quotes=False), separated.KINDS),
    "datasets": Reader("datasets", dataset.read, dataset.OPTIONS, ALL_KINDS),
    "text": Reader("text", _texts, plain.OPTIONS, ALL_KINDS),
}
READERS |= {name: _annotated(format) for name, format in FORMATS.items() if name not in READERS}
