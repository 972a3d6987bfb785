"""Tables: one record a row, columns divided by commas, tabs or any other character."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import Fault, UserError, nearest, stop, warn
from electra_ie.common.text_files import Place, lines
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import flags, known
from electra_ie.data.readers.keys import Keys
from electra_ie.data.readers.options import Option

KINDS = ("classes", "flags")
LONGEST = 2**31 - 1
"""Characters of a cell that the csv module shall accept: a document may exceed its default of 131,072."""
DELIMITERS = ",;\t|"
SEPARATORS = ";,/|"
ORDINARY = "If quotes are ordinary characters in this file, set the option quotes: false."
WRAPPED = re.compile(r'"[^"]*(?:""[^"]*)+"')
"""A cell as csv writes one that holds quotes."""


def options(delimiter: str, quotes: bool) -> dict[str, Option]:
    """The options of a table whose columns are divided by `delimiter`.

    header: the first line names the columns. columns: their names, in place of the header's. quotes: cells may be
    quoted as in csv; without, quotes are ordinary characters and the last column is the rest of the line.
    text: the column of the text, or several, composed as lines "name: value". id: the column of the ids.
    unlabelled: what stands for "not known". separator: what divides the flags of a cell. blank: what an empty cell of
    flags says, that none holds or nothing; where it is not set, nothing, aloud.
    """
    return {
        "header": Option(True),
        "delimiter": Option(delimiter),
        "quotes": Option(quotes),
        "columns": Option([]),
        "text": Option("text", (str, list)),
        "id": Option(""),
        "unlabelled": Option([]),
        "separator": Option("|"),
        "blank": Option("", choices=("none", "unknown")),
    }


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], fault: Fault = stop, stem: str | None = None
) -> Iterator[Document]:
    """The records of a table. A column that is not there, or an empty cell for `classes`, is unknown. A record without
    an id is called `<stem>-<line>`; the stem is the file's by default."""
    place = Place(str(path), 0)
    if len(options["delimiter"]) != 1 or options["delimiter"] in '\r\n"':
        raise place.error(f"the option delimiter is {options['delimiter']!r}.", "It must be one character.")
    if not options["header"] and not options["columns"]:
        raise place.error("the columns have no names.", "Name them in the option columns.")
    found = rows(path, options, fault)
    columns = list(options["columns"])
    if options["header"]:
        header = next(found, None)
        place, cells = (header.place, header.cells) if header else (place, [])
        columns = name_columns(cells, columns, options, place)
    check_columns(columns, options, place)
    keys = Keys(str(path), fields, [*text_columns(options), options["id"] or "id"], "column")
    keys.check(columns, place)
    blanks, quoted = Blanks(fields, options), 0
    for row in found:
        quoted += not options["quotes"] and any(WRAPPED.fullmatch(cell) for cell in row.cells)
        try:
            check_row(row, columns, fields, options)
            named = dict(zip(columns, row.cells, strict=True))
            read = document(named, fields, options, blanks, row.place, stem or path.stem)
        except UserError as error:
            fault(error)
            continue
        yield read
    if not options["columns"]:
        keys.report()
    blanks.report(str(path))
    if quoted:
        warn(
            f"{path}: {quoted} rows hold a cell in quotes, with doubled quotes in it: all are part of the text. "
            "Set the option quotes: true if they are quotes as in csv."
        )


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and the lines that it takes up."""

    place: Place
    cells: list[str]
    lines: list[str]


def rows(path: Path, options: Mapping[str, Any], fault: Fault) -> Iterator[Row]:
    """Each row that is not blank, with the line at which it begins. Without quotes a line that is no text is a fault of
    its own; with them it ends the file."""
    delimiter = options["delimiter"]
    if not options["quotes"]:
        splits = len(options["columns"]) - 1
        for number, line in lines(path, fault):
            line = line.rstrip("\r\n")
            if line:
                cells = line.split(delimiter, splits)
                # Only the first line shows how many columns there are when nobody named them.
                splits = splits if splits >= 0 else len(cells) - 1
                yield Row(Place(str(path), number), cells, [line])
        return
    csv.field_size_limit(LONGEST)
    taken: list[str] = []

    def take() -> Iterator[str]:
        for _, line in lines(path):
            taken.append(line)
            yield line

    # strict: a stray quote would else swallow the rows behind it without a word.
    table = csv.reader(take(), delimiter=delimiter, strict=True)
    while True:
        place = Place(str(path), table.line_num + 1)
        taken.clear()
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise place.error(f"this row cannot be read: {error}.", ORDINARY) from None
        if cells:
            yield Row(place, cells, list(taken))


def name_columns(header: Sequence[str], names: Sequence[str], options: Mapping[str, Any], place: Place) -> list[str]:
    """The names of the columns: the header's, or `names` where the task gives them."""
    if names and len(names) != len(header):
        remedy = better_delimiter(header, len(names)) or "Name each once."
        raise place.error(f"the file has {len(header)} columns, the option columns {len(names)}.", remedy)
    return list(names or header)


def better_delimiter(cells: Sequence[str], columns: int, names: Collection[str] = ()) -> str:
    """The remedy for a row of one cell that another common delimiter divides into `columns`, with `names` in it."""
    for delimiter in DELIMITERS if len(cells) == 1 else ():
        parts = [part.strip('" ').casefold() for part in cells[0].split(delimiter)]
        right = len(parts) == columns or columns == 0 and len(parts) > 1
        if right and all(name.casefold() in parts for name in names):
            shown = "\\t" if delimiter == "\t" else delimiter
            return f'The columns are divided by another character: set the option delimiter: "{shown}".'
    return ""


def check_columns(columns: Sequence[str], options: Mapping[str, Any], place: Place) -> None:
    """Raises UserError for a column named twice, or one that the options name and the file lacks."""
    for name in columns:
        if columns.count(name) > 1:
            raise place.error(f'two columns are called "{name}".', "Name each column once.")
    wanted = [name for name in (*text_columns(options), options["id"]) if name]
    for name in wanted:
        if name not in columns:
            if any(each.lower().startswith("sep=") for each in columns[:1]):
                remedy = "The first line is Excel's note of the delimiter: remove it, and set the option delimiter."
            elif other := better_delimiter(columns, 0, wanted):
                remedy = other
            elif f'"{name}"' in columns:
                remedy = "The cells are in quotes: set the option quotes: true."
            else:
                remedy = f"{nearest(name, columns)} See the options text, id and columns, for extract --text and --id."
            raise place.error(f'there is no column "{name}".', remedy)


def check_row(row: Row, columns: Sequence[str], fields: Sequence[Field], options: Mapping[str, Any]) -> None:
    """Raises UserError for a row of other columns than the header, or one whose quotes hold other rows."""
    if swallows(row, columns, fields, options):
        message = f"a quote opens a cell of {len(row.lines)} lines here, and some of these are rows of their own."
        raise row.place.error(message, f"{ORDINARY} If not, close the cell with a second quote where it ends.")
    if len(row.cells) != len(columns):
        message = f"this row has {len(row.cells)} columns, not {len(columns)} ({', '.join(columns)})."
        remedy = better_delimiter(row.cells, len(columns))
        if not remedy and options["quotes"]:
            remedy = f'Give each row {len(columns)} cells; put a cell that holds "{options["delimiter"]}" in quotes.'
        elif not remedy:
            quotes = any('"' in line for line in row.lines)
            remedy = f"Give each row {len(columns)} cells."
            remedy += " If cells are in quotes, as in csv, set the option quotes: true." if quotes else ""
        raise row.place.error(message, remedy)


def swallows(row: Row, columns: Sequence[str], fields: Sequence[Field], options: Mapping[str, Any]) -> bool:
    """Whether a cell over several lines holds other rows, which a stray quote makes part of it.

    A text may have line breaks, and commas in its lines. One of its lines is a row where the cells, quotes aside, are
    enough for the columns, and that of a field holds labels, a value for "not known", or nothing behind an id. Tabs
    stand in no text: one is enough.
    """
    delimiter, width = options["delimiter"], len(columns)
    several = [place for place, cell in enumerate(row.cells) if "\n" in cell or "\r" in cell]
    if not several:
        return False
    if delimiter == "\t":
        return any(delimiter in row.cells[place] for place in several)
    lines = [line.rstrip("\r\n").split(delimiter) for line in row.lines]
    with_id = [cells for cells in lines[1:-1] if has_id(cells, columns, options)]
    if not fields:
        return bool(with_id)
    for field in fields:
        place = columns.index(field.column) if field.column in columns else several[0]
        # The row's own labels are on its first line before the cell, and on its last line behind it.
        if place < several[0]:
            inner = lines[1:]
        elif place > several[-1]:
            inner, place = lines[:-1], place - width
        else:
            continue
        held = [cells[place].strip('"') for cells in inner if len(cells) >= width]
        known = {*field.labels, *options["unlabelled"]}
        if any(cell and set(cell.split(options["separator"])) <= known for cell in held):
            return True
        if any(not cells[place].strip() for cells in with_id):
            return True
    return False


def has_id(cells: Sequence[str], columns: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether the cells of a line are just those of a row, and that of the id is one word with a digit."""
    id = options["id"] or "id"
    if len(cells) != len(columns) or id not in columns:
        return False
    found = cells[columns.index(id)].split()
    return len(found) == 1 and any(map(str.isdigit, found[0]))


class Blanks:
    """Counts, for each field of flags, the rows with flags and those with an empty cell."""

    def __init__(self, fields: Sequence[Field], options: Mapping[str, Any]):
        self.blank, self.held = options["blank"], {field.name: 0 for field in fields}
        self.empty = dict(self.held)

    def report(self, file: str) -> None:
        """Says, in one line a field and only where cells are empty, what they are taken for."""
        for name, empty in self.empty.items():
            if not empty or self.blank == "unknown":
                continue
            counts = f"{file}: {empty} cells of the field {name} are empty and {self.held[name]} name flags"
            if self.blank == "none":
                warn(f"{counts}: {empty} rows are known to have none (blank: none).")
            else:
                warn(
                    f"{counts}: the empty ones are taken as unknown, and no row is known to have none. Set the option "
                    "blank: none if an empty cell says that no flag holds, or blank: unknown."
                )


def text_columns(options: Mapping[str, Any]) -> list[str]:
    """The columns that make the text."""
    text = options["text"]
    return text if isinstance(text, list) else [text]


def document(
    row: Mapping[str, str],
    fields: Sequence[Field],
    options: Mapping[str, Any],
    blanks: Blanks,
    place: Place,
    stem: str,
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
        if field.kind == "classes" and cell.strip():
            gold[field.name] = known(cell, field, place)
        elif field.kind == "flags" and cell.strip():
            blanks.held[field.name] += 1
            names = [name.strip() for name in cell.split(options["separator"])]
            refuse_other_separator(names, field, place)
            gold[field.name] = flags(names, field, place)
        elif field.kind == "flags":
            blanks.empty[field.name] += 1
            if options["blank"] == "none":
                gold[field.name] = ()
    return Document(id or f"{stem}-{place.line}", text, gold, place.file, place.line)


def refuse_other_separator(names: Sequence[str], field: Field, place: Place) -> None:
    """Raises UserError for flags that another separator divides: to correct one to its nearest would lose the rest."""
    for name in names:
        for separator in SEPARATORS if name not in field.labels else ():
            parts = [part.strip() for part in name.split(separator)]
            if len(parts) > 1 and set(parts) <= set(field.labels):
                message = f'the flags "{name}" of the field {field.name} are divided by "{separator}".'
                raise place.error(message, f'Set the option separator: "{separator}".')


def compose(row: Mapping[str, str], columns: Sequence[str]) -> str:
    """A text of several columns, one line each, so that a model of texts can read a structured record."""
    return "\n".join(f"{name}: {row[name]}" if row[name] else f"{name}:" for name in columns)
