"""Rows of text files with columns separated by a character, and the faults of such files."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines_of, open_bytes, reading
from electra_ie.formats.parts.options import Option

MAX_CELL = 2**25
"""Limit of the csv module on the characters of a cell; its default of 131,072 is too small for documents, and with
no limit a quote that is not closed would take the rest of the file into memory."""
DELIMITERS = ",;\t|"
NO_QUOTES = "If quotes are ordinary characters in this file, set the option quotes: false (--read quotes=false)."
QUOTES = "set the option quotes: true (--read quotes=true)"
QUOTED_CELL = re.compile(r'"[^"]*(?:""[^"]*)*"')
"""A cell in quotes, with those in it doubled, as csv writes it."""
LabelColumns = Sequence[tuple[str, Collection[str]]]
"""The columns of labels, each with all labels that it may have."""


def layout(delimiter: str, quotes: bool) -> dict[str, Option]:
    """Return the options for the layout of a file with this delimiter by default.

    header: the first line has the names of the columns. columns: names of the columns, instead of the header's. quotes:
    cells may be quoted as in csv; without, quotes are ordinary characters and the last column is the rest of the line.
    """
    return {
        "header": Option(True),
        "delimiter": Option(delimiter),
        "quotes": Option(quotes),
        "columns": Option([]),
    }


class Table:
    """A file of rows, with the names of its columns.

    Raises:
        UserError: the options are impossible, or the header lacks a column that they name.
    """

    def __init__(self, path: Path, options: Mapping[str, Any], on_error: OnError) -> None:
        self.path, self.options, self.quoted = path, options, 0
        self.source = SourceLine(str(path), 0)
        check_layout(options, self.source)
        self._rows = rows(path, options, on_error)
        self.columns = list(options["columns"])
        if options["header"]:
            header = next(self._rows, None)
            if header is None:
                raise empty(self.source)
            self.source = header.source
            self.columns = name_columns(header.cells, self.columns, self.source)
        check_columns(self.columns, options, self.source)

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header, and warn of quotes that are read as text, and of a file that may be cut."""
        row = None
        for row in self._rows:
            self.quoted += not self.options["quotes"] and any(QUOTED_CELL.fullmatch(cell) for cell in row.cells)
            yield row
        # A closing quote ends the last cell, too. Editors leave out the last line end, so that this is no error.
        ends = ("\r", "\n", '"') if self.options["quotes"] else ("\r", "\n")
        if row and not row.lines[-1].endswith(ends):
            warn(f"{row.source}: the last row has no line end, as in a file that was cut: check that it is whole.")
        if self.quoted:
            warn(
                f"{self.path}: {self.quoted} rows have a cell in quotes, which are read as part of the "
                "text. Set the option quotes: true if they are quotes as in csv."
            )


def empty(source: SourceLine) -> UserError:
    """Return the error of a table without a row."""
    return source.error("the file is empty.", "Its first line must name the columns, such as text.")


def check_layout(options: Mapping[str, Any], source: SourceLine) -> None:
    """Raise UserError for a delimiter that is impossible, or columns without names."""
    if len(options["delimiter"]) != 1 or options["delimiter"] in '\r\n"':
        raise source.error(f"the option delimiter is {options['delimiter']!r}.", "It must be one character.")
    if not options["header"] and not options["columns"]:
        raise source.error("the columns have no names.", "Name them in the option columns.")


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and its lines in the file."""

    source: SourceLine
    cells: list[str]
    lines: list[str]


def rows(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[Row]:
    """Yield each row that is not blank, with its first line. A row with a line that is not UTF-8 text is one error.

    Raises:
        UserError: The file cannot be read, or the first row, which may name the columns, is not UTF-8 text.
    """
    with reading(path), open_bytes(path) as file:
        if options["quotes"]:
            yield from _quoted_rows(file, path, options["delimiter"], on_error)
        else:
            yield from _plain_rows(file, path, options, on_error)


def _plain_rows(file: BinaryIO, path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[Row]:
    """Yield the rows of a file in which quotes are ordinary characters, and each line is a row."""
    max_splits = len(options["columns"]) - 1
    for number, raw, fault in lines_of(file, path):
        if fault and number == 1:
            raise fault
        line = raw.rstrip("\r\n")
        if fault:
            on_error(fault)
        elif line:
            cells = line.split(options["delimiter"], max_splits)
            # Without the option columns, the first line defines the number of columns.
            max_splits = max_splits if max_splits >= 0 else len(cells) - 1
            yield Row(SourceLine(str(path), number), cells, [raw])


def _quoted_rows(file: BinaryIO, path: Path, delimiter: str, on_error: OnError) -> Iterator[Row]:
    """Yield the rows of a file whose cells may be quoted, and may have line ends in the quotes."""
    csv.field_size_limit(MAX_CELL)
    row_lines: list[str] = []
    faults: list[UserError] = []

    def recorded_lines() -> Iterator[str]:
        for _, line, fault in lines_of(file, path):
            row_lines.append(line)
            faults.extend([fault] if fault else [])
            yield line

    # strict: otherwise csv accepts text after a closing quote, and a stray quote silently swallows the rows after it.
    table = csv.reader(recorded_lines(), delimiter=delimiter, strict=True)
    is_first = True
    while True:
        source = SourceLine(str(path), table.line_num + 1)
        row_lines.clear()
        faults.clear()
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise source.error(f"this row cannot be read: {error}.", NO_QUOTES) from None
        if faults and is_first:
            raise faults[0]
        is_first = False
        if faults:
            on_error(faults[0])
        elif cells:
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
            option = f'set the option delimiter: "{shown}" (--read "delimiter={shown}")'
            return f"The columns are separated by another character: {option}."
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
                remedy = f"The cells are in quotes: {QUOTES}."
            else:
                remedy = (
                    f"{nearest(name, columns)} The options text and id name other columns: in task.yaml, with --read "
                    "of init, convert and extract, or as --text and --id of extract."
                )
            raise source.error(f'there is no column "{name}".', remedy)


def check_row(row: Row, columns: Sequence[str], labels: LabelColumns, options: Mapping[str, Any]) -> None:
    """Raise UserError for a row with another number of columns than the header, or with other rows in its quotes."""
    if swallows(row, columns, labels, options):
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
            remedy += f" If cells are in quotes, as in csv, {QUOTES}." if quotes else ""
        raise row.source.error(message, remedy)


def swallows(row: Row, columns: Sequence[str], labels: LabelColumns, options: Mapping[str, Any]) -> bool:
    """Return whether a cell over several lines contains other rows, because a quote is not closed.

    A text may have line breaks, and commas in its lines. One of its lines counts as a row if its cells are enough for
    the columns, and its cell in a column of labels has labels, a value for "unknown", or nothing while the line has an
    id. Texts do not contain tabs: one tab is enough.
    """
    delimiter, width = options["delimiter"], len(columns)
    multiline = [index for index, cell in enumerate(row.cells) if "\n" in cell or "\r" in cell]
    if not multiline:
        return False
    if delimiter == "\t":
        return any(delimiter in row.cells[index] for index in multiline)
    lines = [line.rstrip("\r\n").split(delimiter) for line in row.lines]
    lines_with_id = [cells for cells in lines[1:-1] if has_id(cells, columns, options)]
    if not labels:
        return bool(lines_with_id)
    for column, names in labels:
        index = columns.index(column) if column in columns else multiline[0]
        # The labels of the row itself are on its first line if they come before the cell, else on its last line.
        if index < multiline[0]:
            inner = lines[1:]
        elif index > multiline[-1]:
            inner, index = lines[:-1], index - width
        else:
            continue
        values = [cells[index].strip('"') for cells in inner if len(cells) >= width]
        valid = {*names, *options["unlabeled"]}
        if any(
            value and set(value.split(options["separator"]) if options["separator"] else [value]) <= valid
            for value in values
        ):
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


def text_columns(options: Mapping[str, Any]) -> list[str]:
    """Return the columns of the text."""
    text = options["text"]
    return text if isinstance(text, list) else [text]


def compose(record: Mapping[str, str], columns: Sequence[str]) -> str:
    """Return a text of several columns, one line each, for models that read structured records as text."""
    return "\n".join(f"{name}: {record[name]}" if record[name] else f"{name}:" for name in columns)
