"""Reader of tables: one record a row, columns separated by commas, tabs or another character."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers.parts.gold import check_label, flags
from electra_ie.data.readers.parts.keys import Keys
from electra_ie.formats.parts.delimited import Table, check_row, compose, layout, text_columns
from electra_ie.formats.parts.options import Option

KINDS = ("classes", "flags")
SEPARATORS = ";,/|"


def options(delimiter: str, quotes: bool) -> dict[str, Option]:
    """Return the options of a table with this delimiter by default.

    Those of `delimited.layout`, and text: the column of the text, or several, composed as lines "name: value". id: the
    column of the ids. unlabeled: values that mean "unknown". separator: the character between the flags of a
    cell, or nothing for one a cell. none: cells of flags that mean "no flag applies", such as `-`. blank: what an empty
    cell of flags means, `none` (no flag applies) or `unknown`; by default unknown, with a warning.
    """
    return {
        **layout(delimiter, quotes),
        "text": Option("text", (str, list)),
        "id": Option(""),
        "unlabeled": Option([]),
        "separator": Option("|"),
        "none": Option([]),
        "blank": Option("", choices=("none", "unknown")),
    }


def read(
    path: Path,
    fields: Sequence[Field],
    options: Mapping[str, Any],
    on_error: OnError = raise_error,
    stem: str | None = None,
) -> Iterator[Document]:
    """Yield the records of a table.

    A field is unknown if its column does not exist, or if its cell is empty and its kind is `classes`.

    Args:
        path: the file.
        fields: the fields whose gold is read.
        options: a value for each of `options`.
        on_error: called for each invalid record.
        stem: a record without an id gets the id `<stem>-<line>`; by default the stem of the file's name.
    """
    table = Table(path, options, on_error)
    columns = table.columns
    keys = Keys(str(path), fields, [*text_columns(options), options["id"] or "id"], "column")
    keys.check(columns, table.source)
    blanks, labels = Blanks(fields, options), [(field.column, field.labels) for field in fields]
    for row in table.rows():
        try:
            check_row(row, columns, labels, options)
            record = dict(zip(columns, row.cells, strict=True))
            document = document_of(record, fields, options, blanks, row.source, stem or path.stem)
        except UserError as error:
            on_error(error)
            continue
        yield document
    if not options["columns"]:
        keys.report()
    blanks.report(str(path))


class Blanks:
    """Counts, for each field of flags, of the rows with flags and of those with an empty cell."""

    def __init__(self, fields: Sequence[Field], options: Mapping[str, Any]) -> None:
        self.blank, self.filled = options["blank"], {field.name: 0 for field in fields}
        self.empty = dict(self.filled)

    def report(self, file: str) -> None:
        """Warn of empty cells, one line a field, with what they are read as."""
        for name, empty in self.empty.items():
            if not empty or self.blank == "unknown":
                continue
            counts = f"{file}: {empty} cells of the field {name} are empty and {self.filled[name]} have flags"
            if self.blank == "none":
                warn(f"{counts}: in {empty} rows no flag applies (blank: none).")
            else:
                warn(
                    f"{counts}: the empty ones are read as unknown, so that no row is known to have no flag. Set the "
                    "option blank: none if an empty cell means that no flag applies, or blank: unknown."
                )


def document_of(
    record: Mapping[str, str],
    fields: Sequence[Field],
    options: Mapping[str, Any],
    blanks: Blanks,
    source: SourceLine,
    stem: str,
) -> Document:
    """Return one row as a document."""
    text = record[options["text"]] if isinstance(options["text"], str) else compose(record, options["text"])
    id = record.get(options["id"] or "id")
    if id == "":
        raise source.error("the id is empty.", "Give each record an id, or remove the column.")
    gold: dict[str, Any] = {}
    for field in fields:
        cell = record.get(field.column)
        if cell is None or cell in options["unlabeled"]:
            continue
        if field.kind == "classes" and cell.strip():
            gold[field.name] = check_label(cell, field, source)
        elif field.kind == "flags" and cell.strip():
            blanks.filled[field.name] += 1
            if cell.strip() in options["none"]:
                gold[field.name] = ()
                continue
            separator = options["separator"]
            names = [name.strip() for name in (cell.split(separator) if separator else [cell])]
            refuse_other_separator(names, field, source)
            gold[field.name] = flags(names, field, source)
        elif field.kind == "flags":
            blanks.empty[field.name] += 1
            if options["blank"] == "none":
                gold[field.name] = ()
    return Document(id or f"{stem}-{source.line}", text, gold, source.file, source.line)


def refuse_other_separator(names: Sequence[str], field: Field, source: SourceLine) -> None:
    """Raise UserError for flags with another separator: the nearest label, as a correction, would lose the others."""
    for name in names:
        for separator in SEPARATORS if name not in field.labels else ():
            parts = [part.strip() for part in name.split(separator)]
            if len(parts) > 1 and set(parts) <= set(field.labels):
                message = f'the flags "{name}" of the field {field.name} are separated by "{separator}".'
                raise source.error(message, f'Set the option separator: "{separator}".')
