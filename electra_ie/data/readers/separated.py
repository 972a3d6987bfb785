"""Reader of tables: one record a row, columns separated by commas, tabs or another character."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import check_label, flags
from electra_ie.data.readers.keys import Keys
from electra_ie.formats.options import Option

KINDS = ("classes", "flags")
MAX_CELL = 2**31 - 1
"""Limit of the csv module on the characters of a cell; its default of 131,072 is too small for documents."""
DELIMITERS = ",;\t|"
SEPARATORS = ";,/|"
NO_QUOTES = "If quotes are ordinary characters in this file, set the option quotes: false."
QUOTED_CELL = re.compile(r'"[^"]*(?:""[^"]*)+"')
"""A cell that contains quotes, as csv writes it."""


def options(delimiter: str, quotes: bool) -> dict[str, Option]:
    """Return the options of a table with this delimiter by default.

    header: the first line has the names of the columns. columns: names of the columns, instead of the header's. quotes:
    cells may be quoted as in csv; without, quotes are ordinary characters and the last column is the rest of the line.
    text: the column of the text, or several, composed as lines "name: value". id: the column of the ids. unlabeled:
    values that mean "unknown". separator: the character between the flags of a cell. blank: what an empty cell of flags
    means, `none` (no flag applies) or `unknown`; by default unknown, with a warning.
    """
    return {
        "header": Option(True),
        "delimiter": Option(delimiter),
        "quotes": Option(quotes),
        "columns": Option([]),
        "text": Option("text", (str, list)),
        "id": Option(""),
        "unlabeled": Option([]),
        "separator": Option("|"),
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
    source = SourceLine(str(path), 0)
    if len(options["delimiter"]) != 1 or options["delimiter"] in '\r\n"':
        raise source.error(f"the option delimiter is {options['delimiter']!r}.", "It must be one character.")
    if not options["header"] and not options["columns"]:
        raise source.error("the columns have no names.", "Name them in the option columns.")
    table = rows(path, options, on_error)
    columns = list(options["columns"])
    if options["header"]:
        header = next(table, None)
        source, cells = (header.source, header.cells) if header else (source, [])
        columns = name_columns(cells, columns, source)
    check_columns(columns, options, source)
    keys = Keys(str(path), fields, [*text_columns(options), options["id"] or "id"], "column")
    keys.check(columns, source)
    blanks, quoted = Blanks(fields, options), 0
    for row in table:
        quoted += not options["quotes"] and any(QUOTED_CELL.fullmatch(cell) for cell in row.cells)
        try:
            check_row(row, columns, fields, options)
            record = dict(zip(columns, row.cells, strict=True))
            document = document_of(record, fields, options, blanks, row.source, stem or path.stem)
        except UserError as error:
            on_error(error)
            continue
        yield document
    if not options["columns"]:
        keys.report()
    blanks.report(str(path))
    if quoted:
        warn(
            f"{path}: {quoted} rows have a cell in quotes with doubled quotes in it, which are read as part of the "
            "text. Set the option quotes: true if they are quotes as in csv."
        )


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and its lines in the file."""

    source: SourceLine
    cells: list[str]
    lines: list[str]


def rows(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[Row]:
    """Yield each row that is not blank, with its first line.

    Without quotes, a line that is not UTF-8 is one error; with quotes, it stops the reading of the file.
    """
    delimiter = options["delimiter"]
    if not options["quotes"]:
        max_splits = len(options["columns"]) - 1
        for number, raw in lines(path, on_error):
            line = raw.rstrip("\r\n")
            if line:
                cells = line.split(delimiter, max_splits)
                # Without the option columns, the first line defines the number of columns.
                max_splits = max_splits if max_splits >= 0 else len(cells) - 1
                yield Row(SourceLine(str(path), number), cells, [line])
        return
    csv.field_size_limit(MAX_CELL)
    row_lines: list[str] = []

    def recorded_lines() -> Iterator[str]:
        for _, line in lines(path):
            row_lines.append(line)
            yield line

    # strict: otherwise csv accepts text after a closing quote, and a stray quote silently swallows the rows after it.
    table = csv.reader(recorded_lines(), delimiter=delimiter, strict=True)
    while True:
        source = SourceLine(str(path), table.line_num + 1)
        row_lines.clear()
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise source.error(f"this row cannot be read: {error}.", NO_QUOTES) from None
        if cells:
            yield Row(source, cells, list(row_lines))


def name_columns(header: Sequence[str], names: Sequence[str], source: SourceLine) -> list[str]:
    """Return the names of the columns: `names` if the task has them, else the header's."""
    if names and len(names) != len(header):
        remedy = better_delimiter(header, len(names)) or "Name each column once."
        message = f"the file has {len(header)} columns, but the option columns has {len(names)} names."
        raise source.error(message, remedy)
    return list(names or header)


def better_delimiter(cells: Sequence[str], columns: int, names: Collection[str] = ()) -> str:
    """Return the remedy if another common delimiter splits a row of one cell into `columns` with `names`, else ""."""
    for delimiter in DELIMITERS if len(cells) == 1 else ():
        parts = [part.strip('" ').casefold() for part in cells[0].split(delimiter)]
        fits = len(parts) == columns or columns == 0 and len(parts) > 1
        if fits and all(name.casefold() in parts for name in names):
            shown = "\\t" if delimiter == "\t" else delimiter
            return f'The columns are separated by another character: set the option delimiter: "{shown}".'
    return ""


def check_columns(columns: Sequence[str], options: Mapping[str, Any], source: SourceLine) -> None:
    """Raise UserError for a repeated column name, or for one in the options that the file lacks."""
    for name in columns:
        if columns.count(name) > 1:
            raise source.error(f'two columns have the name "{name}".', "Give each column its own name.")
    required = [name for name in (*text_columns(options), options["id"]) if name]
    for name in required:
        if name not in columns:
            if any(column.lower().startswith("sep=") for column in columns[:1]):
                remedy = "The first line is Excel's note of the delimiter: remove it, and set the option delimiter."
            elif other := better_delimiter(columns, 0, required):
                remedy = other
            elif f'"{name}"' in columns:
                remedy = "The cells are in quotes: set the option quotes: true."
            else:
                remedy = f"{nearest(name, columns)} See the options text, id and columns, for extract --text and --id."
            raise source.error(f'there is no column "{name}".', remedy)


def check_row(row: Row, columns: Sequence[str], fields: Sequence[Field], options: Mapping[str, Any]) -> None:
    """Raise UserError for a row with another number of columns than the header, or with other rows in its quotes."""
    if swallows(row, columns, fields, options):
        message = f"a quote opens a cell of {len(row.lines)} lines here, and some of these look like rows."
        raise row.source.error(message, f"{NO_QUOTES} Otherwise close the cell with a second quote where it ends.")
    if len(row.cells) != len(columns):
        message = f"this row has {len(row.cells)} columns, not {len(columns)} ({', '.join(columns)})."
        remedy = better_delimiter(row.cells, len(columns))
        if not remedy and options["quotes"]:
            remedy = f'Give each row {len(columns)} cells; quote a cell that contains "{options["delimiter"]}".'
        elif not remedy:
            quotes = any('"' in line for line in row.lines)
            remedy = f"Give each row {len(columns)} cells."
            remedy += " If cells are in quotes, as in csv, set the option quotes: true." if quotes else ""
        raise row.source.error(message, remedy)


def swallows(row: Row, columns: Sequence[str], fields: Sequence[Field], options: Mapping[str, Any]) -> bool:
    """Return whether a cell over several lines contains other rows, because a quote is not closed.

    A text may have line breaks, and commas in its lines. One of its lines counts as a row if its cells are enough for
    the columns, and the cell of a field has labels, a value for "unknown", or nothing while the line has an id. Texts
    do not contain tabs: one tab is enough.
    """
    delimiter, width = options["delimiter"], len(columns)
    multiline = [index for index, cell in enumerate(row.cells) if "\n" in cell or "\r" in cell]
    if not multiline:
        return False
    if delimiter == "\t":
        return any(delimiter in row.cells[index] for index in multiline)
    lines = [line.rstrip("\r\n").split(delimiter) for line in row.lines]
    lines_with_id = [cells for cells in lines[1:-1] if has_id(cells, columns, options)]
    if not fields:
        return bool(lines_with_id)
    for field in fields:
        index = columns.index(field.column) if field.column in columns else multiline[0]
        # The labels of the row itself are on its first line if they come before the cell, else on its last line.
        if index < multiline[0]:
            inner = lines[1:]
        elif index > multiline[-1]:
            inner, index = lines[:-1], index - width
        else:
            continue
        values = [cells[index].strip('"') for cells in inner if len(cells) >= width]
        valid = {*field.labels, *options["unlabeled"]}
        if any(value and set(value.split(options["separator"])) <= valid for value in values):
            return True
        if any(not cells[index].strip() for cells in lines_with_id):
            return True
    return False


def has_id(cells: Sequence[str], columns: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Return whether a line has the cells of a row, and an id that is one word with a digit."""
    id = options["id"] or "id"
    if len(cells) != len(columns) or id not in columns:
        return False
    words = cells[columns.index(id)].split()
    return len(words) == 1 and any(map(str.isdigit, words[0]))


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


def text_columns(options: Mapping[str, Any]) -> list[str]:
    """Return the columns of the text."""
    text = options["text"]
    return text if isinstance(text, list) else [text]


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
            names = [name.strip() for name in cell.split(options["separator"])]
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


def compose(record: Mapping[str, str], columns: Sequence[str]) -> str:
    """Return a text of several columns, one line each, for models that read structured records as text."""
    return "\n".join(f"{name}: {record[name]}" if record[name] else f"{name}:" for name in columns)
