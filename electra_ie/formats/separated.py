"""Tables: one record a row, columns divided by commas, tabs or any other character."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.document import Document
from electra_ie.errors import nearest
from electra_ie.formats.files import Place, lines
from electra_ie.formats.gold import flags, known
from electra_ie.formats.options import Option
from electra_ie.labels import Field

KINDS = ("classes", "flags")
LONGEST = 2**31 - 1
"""Characters of a cell that the csv module shall accept: a document may exceed its default of 131,072."""


def options(delimiter: str) -> dict[str, Option]:
    """The options of a table whose columns are divided by `delimiter`.

    header: the first line names the columns. columns: their names, in place of the header's. quotes: cells may be
    quoted as in csv; without, quotes are ordinary characters and the last column is the rest of the line.
    text: the column of the text, or several, composed as lines "name: value". id: the column of the ids.
    unlabelled: what stands for "not known". separator: what divides the flags of a cell.
    """
    return {
        "header": Option(True),
        "delimiter": Option(delimiter),
        "quotes": Option(True),
        "columns": Option([]),
        "text": Option("text", (str, list)),
        "id": Option(""),
        "unlabelled": Option([]),
        "separator": Option("|"),
    }


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], stem: str | None = None
) -> Iterator[Document]:
    """The records of a table. A column that is not there, or an empty cell for `classes`, is unknown. A record without
    an id is called `<stem>-<line>`; the stem is the file's by default."""
    place = Place(str(path), 0)
    if len(options["delimiter"]) != 1 or options["delimiter"] in '\r\n"':
        raise place.error(f"the option delimiter is {options['delimiter']!r}.", "It must be one character.")
    if not options["header"] and not options["columns"]:
        raise place.error("the columns have no names.", "Name them in the option columns.")
    found = rows(path, options)
    columns = list(options["columns"])
    if options["header"]:
        place, header = next(found, (place, []))
        columns = name_columns(header, columns, place)
    check_columns(columns, options, place)
    for place, cells in found:
        if len(cells) != len(columns):
            message = f"this row has {len(cells)} columns, not {len(columns)} ({', '.join(columns)})."
            raise place.error(message, "Add or quote the cells, or set the option delimiter or quotes.")
        yield document(dict(zip(columns, cells, strict=True)), fields, options, place, stem or path.stem)


def rows(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[Place, list[str]]]:
    """The cells of each row that is not blank, with the line at which it begins."""
    delimiter = options["delimiter"]
    if not options["quotes"]:
        splits = len(options["columns"]) - 1
        for number, line in lines(path):
            line = line.rstrip("\r\n")
            if line:
                cells = line.split(delimiter, splits)
                # Only the first line shows how many columns there are when nobody named them.
                splits = splits if splits >= 0 else len(cells) - 1
                yield Place(str(path), number), cells
        return
    csv.field_size_limit(LONGEST)
    # strict: a stray quote would else swallow the rows behind it without a word.
    table = csv.reader((line for _, line in lines(path)), delimiter=delimiter, strict=True)
    while True:
        place = Place(str(path), table.line_num + 1)
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "If quotes are ordinary characters in this file, set the option quotes: false."
            raise place.error(f"this row cannot be read: {error}.", remedy) from None
        if cells:
            yield place, cells


def name_columns(header: Sequence[str], names: Sequence[str], place: Place) -> list[str]:
    """The names of the columns: the header's, or `names` where the task gives them."""
    if names and len(names) != len(header):
        raise place.error(f"the file has {len(header)} columns, the option columns {len(names)}.", "Name each once.")
    return list(names or header)


def check_columns(columns: Sequence[str], options: Mapping[str, Any], place: Place) -> None:
    """Raises UserError for a column named twice, or one that the options name and the file lacks."""
    for name in columns:
        if columns.count(name) > 1:
            raise place.error(f'two columns are called "{name}".', "Name each column once.")
    for name in filter(None, [*text_columns(options), options["id"]]):
        if name not in columns:
            message = f'there is no column "{name}".'
            raise place.error(message, f"{nearest(name, columns)} See the options text, id and columns.")


def text_columns(options: Mapping[str, Any]) -> list[str]:
    """The columns that make the text."""
    text = options["text"]
    return text if isinstance(text, list) else [text]


def document(
    row: Mapping[str, str], fields: Sequence[Field], options: Mapping[str, Any], place: Place, stem: str
) -> Document:
    """One row as a document."""
    text = row[options["text"]] if isinstance(options["text"], str) else compose(row, options["text"])
    id = row.get(options["id"] or "id")
    if id == "":
        raise place.error("the id is empty.", "Give each record an id, or leave the column out.")
    gold: dict[str, Any] = {}
    for field in fields:
        cell = row.get(field.column)
        if cell is None or cell in options["unlabelled"]:
            continue
        if field.kind == "flags":
            names = [name.strip() for name in cell.split(options["separator"])] if cell.strip() else []
            gold[field.name] = flags(names, field, place)
        elif cell:
            gold[field.name] = known(cell, field, place)
    return Document(id or f"{stem}-{place.line}", text, gold, place.file, place.line)


def compose(row: Mapping[str, str], columns: Sequence[str]) -> str:
    """A text of several columns, one line each, so that a model of texts can read a structured record."""
    return "\n".join(f"{name}: {row[name]}" if row[name] else f"{name}:" for name in columns)
