"""Workbooks of Excel (xlsx): a document a row, of which one sheet is read. Every cell is read and written as a text."""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.files import atomic_path
from electra_ie.common.logs import warn
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.common.text_files import SourceLine, reading
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.base import Format
from electra_ie.formats.parts.delimited import check_columns, empty
from electra_ie.formats.parts.options import Option
from electra_ie.formats.tables import CELLS, COLUMNS, HOLDS, Records, cells_of, columns_of, reduce

OPTIONS = {"sheet": Option(""), **COLUMNS, **CELLS}
"""sheet: the name of the sheet, by default the first. The others are those of tables."""
MAX_UNITS, MAX_ROWS = 32_767, 1_048_576
"""Limits of Excel: UTF-16 code units of a cell, and rows of a sheet."""
ESCAPED = re.compile(r"_x(?![dD][89a-fA-F])([0-9a-fA-F]{4})_")
"""A character that XML cannot hold, as Excel writes it."""
TO_ESCAPE = re.compile(r"_(?=x[0-9a-fA-F]{4}_)|[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]")
LIKE_FORMULA = ("=", "+", "-", "@")
OLD = b"\xd0\xcf\x11\xe0"
"""The beginning of an .xls, and of an encrypted workbook."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a sheet, whose first row that is not blank has the names of the columns."""
    sheet = _sheet(_workbook(path), options["sheet"], path)
    counts = Counter[str]()
    found = [*_rows(sheet, path, counts)]
    if not found:
        raise empty(SourceLine(str(path), 0))
    (source, header), *rows = found
    if _is_index(header, [cells for _, cells in rows]):
        warn(f'{path}: the first column of the sheet "{sheet.title}" has no name and numbers the rows: it is left out.')
        header, rows = header[1:], [(place, cells[1:]) for place, cells in rows]
    columns = [name for name in header if name]
    check_columns(columns, options, source)
    records = Records(columns, options, source)
    for source, cells in rows:
        try:
            _refuse_unnamed(cells, header, source)
            record = dict.fromkeys(columns, "") | {
                name: cell for name, cell in zip(header, cells, strict=False) if name
            }
            document = records.document(record, source)
        except UserError as error:
            on_error(error)
            continue
        yield document
    records.report(str(path))
    _report(sheet, counts, path)


def column_names(path: Path, options: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns: the first row that is not blank."""
    rows = _rows(_sheet(_workbook(path), options["sheet"], path), path, Counter())
    return [name for name in next(rows, (None, []))[1] if name]


def _workbook(path: Path) -> Any:
    """Return an open workbook. Raises UserError for a file that is none."""
    import openpyxl  # type: ignore[import-untyped]

    with reading(path), path.open("rb") as file:
        beginning = file.read(len(OLD))
        if beginning == OLD:
            message = "this is an old .xls, or a workbook with a password."
            raise UserError(message, file=path, remedy="Save it as .xlsx, without a password.")
        file.seek(0)
        try:
            with PROCESS_STATE, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of charts, validation and other parts that hold no cells
                return openpyxl.load_workbook(file)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError, SyntaxError) as error:
            message = f"this is not a workbook of Excel (.xlsx), or it is damaged ({type(error).__name__})."
            raise UserError(message, file=path, remedy="Save it again as .xlsx.") from None


def _sheet(workbook: Any, name: str, path: Path) -> Any:
    """Return the sheet of a name, or the first, and warn of the others."""
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if not sheets:
        raise UserError("the workbook has no sheet with cells.", file=path, remedy="Add one.")
    if name and name not in sheets:
        raise UserError(f'there is no sheet "{name}".', file=path, remedy=nearest(name, sheets))
    chosen = name or next(iter(sheets))
    others = [f'"{title}"' for title in sheets if title != chosen]
    if others and not name:
        warn(f'{path}: the sheet "{chosen}" is read, not {", ".join(others)} (option sheet).')
    return sheets[chosen]


def _rows(sheet: Any, path: Path, counts: Counter[str]) -> Iterator[tuple[SourceLine, list[str]]]:
    """Yield the cells of each row that is not blank, with its number as the line."""
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_text(cell.value) for cell in cells]
        if any(texts):
            counts["formulas"] += sum(cell.data_type == "f" for cell in cells)
            counts["hidden rows"] += sheet.row_dimensions[number].hidden if number in sheet.row_dimensions else 0
            yield SourceLine(str(path), number), texts


def _text(value: Any) -> str:
    """Return the text of a cell: numbers as they are stored, dates in ISO 8601, formulas as they are written."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "ref"):  # a formula of several cells
        return str(getattr(value, "text", None) or "=")
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), str(value))


def _is_index(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first column is the index that pandas writes: without a name, of rising whole numbers."""
    first = [cells[0] for cells in rows]
    if not header or header[0] or not first or not all(map(str.isdecimal, first)):
        return False
    return all(int(before) < int(after) for before, after in pairwise(first))


def _refuse_unnamed(cells: Sequence[str], header: Sequence[str], source: SourceLine) -> None:
    """Raise UserError for a cell in a column without a name."""
    for index, cell in enumerate(cells):
        if cell and not (index < len(header) and header[index]):
            message = f"the cell {index + 1} of this row, {cell[:40]!r}, is in a column without a name."
            raise source.error(message, "Name the column in the first row, or empty the cell.")


def _report(sheet: Any, counts: Mapping[str, int], path: Path) -> None:
    """Warn of what a person sees in another way than it is read."""
    said = {
        "formulas": "{} cells have formulas, which are read as written, without results; save the values",
        "hidden rows": "{} hidden rows are read as the others",
        "merged": "{} groups of merged cells are read as a value in the first cell and empty others",
    }
    for name, number in {**counts, "merged": len(sheet.merged_cells.ranges)}.items():
        if number:
            warn(f'{path}: in the sheet "{sheet.title}" {said[name].format(number)}.')


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as a workbook of one sheet. A text that looks like a formula stays a text."""
    import openpyxl

    columns = columns_of(documents, options, path)
    if len(documents) >= MAX_ROWS:
        message = f"{len(documents):,} documents are more than the rows of a sheet ({MAX_ROWS:,})."
        raise UserError(message, file=path, remedy="Write several files, or another format.")
    rows = [columns, *(cells_of(document, columns, options, path) for document in documents)]
    for row in rows:
        _check_row(row, path)
    workbook = openpyxl.Workbook(write_only=True)
    try:
        sheet = workbook.create_sheet(options["sheet"] or "Sheet1")
    except ValueError as error:
        raise UserError(f"the option sheet is {options['sheet']!r}: {error}.", file=path) from None
    for row in rows:
        sheet.append([_cell(sheet, text) for text in row])
    with atomic_path(path) as partial, partial.open("wb") as file:
        workbook.save(file)


def _check_row(row: Sequence[str], path: Path) -> None:
    """Raise UserError for a row that would be blank, or a cell that is too long: it would be cut."""
    if not any(row):
        message = "a document has neither a text nor any value: its row would be blank."
        raise UserError(message, file=path, remedy="Remove it, or give it an id.")
    for text in row:
        units = len(_escape(text).encode("utf-16-le")) // 2
        if units > MAX_UNITS:
            message = f"a cell would have {units:,} characters, and Excel allows {MAX_UNITS:,}: {text[:40]!r}."
            raise UserError(message, file=path, remedy="Choose another format.")


def _escape(text: str) -> str:
    return TO_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def _cell(sheet: Any, text: str) -> Any:
    """Return a cell of a text."""
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

    cell = WriteOnlyCell(sheet, _escape(text))
    cell.data_type = "s"  # openpyxl takes "=..." for a formula and "#N/A" for an error
    cell.quotePrefix = text.startswith(LIKE_FORMULA)  # Excel keeps it a text when the cell is edited
    return cell


def detect(path: Path) -> bool:
    """Return whether a file seems to be a workbook."""
    return path.suffix.lower() in (".xlsx", ".xlsm") and path.is_file() and zipfile.is_zipfile(path)


EXCEL = Format(
    "xlsx",
    "Excel",
    read,
    write,
    HOLDS,
    OPTIONS,
    detect,
    package="openpyxl",
    extra="formats",
    reduce=reduce,
    endings=(".xlsx",),
    columns=column_names,
)
