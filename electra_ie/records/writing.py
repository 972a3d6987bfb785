"""Files of records, made of the findings of an extraction: JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.escaping import escape_json, no_formula
from electra_ie.common.files import atomic_path, is_stream
from electra_ie.common.packages import require_package
from electra_ie.data.declaration.record_plan import CELLS, CONFLICTS, FRAGMENTS, OF_TEXT, RECORD, TO_REVIEW, columns
from electra_ie.data.document import in_a_cell
from electra_ie.records.grouping import Entry, Mention, Record, RecordMaker

FORMATS = ("jsonl", "csv", "parquet")
ROWS = 10_000
"""The records of a row group of Parquet."""
BETWEEN = " | "
"""What is between several values of a field in a cell."""
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:%| %| \w[\w/%.]*| [€$£¥])?")
"""A number with a unit or a currency, which a spreadsheet does not execute, also with a sign before it."""
Made = tuple[Mapping[str, Any], list[Record]]
"""A line of `electra-ie extract`, and its records."""


def as_dict(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it: by field a list of values, each with the passage that says it."""
    anchor = record.anchor
    return {
        "anchor": None if anchor is None else _place(anchor),
        "fields": {name: [_entry(entry) for entry in entries] for name, entries in record.entries.items()},
        "conflicts": record.conflicts,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    mention = entry.mention
    label = mention.place.label or mention.answer
    return {**entry.value.as_dict(), "label": label, **_place(mention), "score": mention.score}


def _place(mention: Mention) -> dict[str, Any]:
    """Return the characters and the passage of a mention, None for the whole text, and its fragments if any."""
    fragments = {"fragments": [list(pair) for pair in mention.fragments]} if mention.fragments else {}
    return {"start": mention.start, "end": mention.end, "text": mention.text or None, **fragments}


def row(record: Record) -> dict[str, str]:
    """Return a record as a row of a table; several values of a field are in one cell.

    Each field has a cell of its fragments here, for which a table has a column if its spans may have several.
    """
    cells = {CONFLICTS: BETWEEN.join(record.conflicts)}
    for name, entries in record.entries.items():
        values = [_cells(entry) for entry in entries]
        cells.update({f"{name}{cell}": _joined([value[cell] for value in values]) for cell in CELLS})
        cells[f"{name}{FRAGMENTS}"] = _joined([in_a_cell(entry.mention.fragments) for entry in entries])
    return cells


def _joined(cells: Sequence[str]) -> str:
    """Return the cells of several values as one, which is empty if all of them are."""
    return BETWEEN.join(cells) if any(cells) else ""


def _cells(entry: Entry) -> dict[str, str]:
    """Return the cells of a value, by the ending of their column."""
    mention, value = entry.mention, entry.value.as_dict()
    cells = {
        "": value["value"],
        "_unit": value["currency"] or value["unit"],
        "_status": value["status"],
        "_text": mention.text,
        "_start": mention.start,
        "_end": mention.end,
        "_score": mention.score,
        "_rule": value["rule"],
        "_version": value["version"],
        "_reason": value["reason"],
    }
    return {name: "" if cell is None else str(cell) for name, cell in cells.items()}


def check_target(target: Path, findings: Path | None, written: str) -> None:
    """Check a file of records before anything is extracted.

    Args:
        target: The file.
        findings: The file of the findings; None if they go to a stream.
        written: Their format.

    Raises:
        UserError: its ending is no format of records, or of one whose package is not installed; the findings are not
            kept as JSON lines, or one of both files
            exists and is a device or a pipe.
    """
    if _ending(target) not in FORMATS:
        remedy = f"{nearest(_ending(target), FORMATS)} The ending of the file chooses the format."
        raise UserError(f'there is no format "{_ending(target)}" of records.', file=target, remedy=remedy)
    if _ending(target) == "parquet":
        require_package("pyarrow", "Parquet", file=target)
    if findings is None or written != "jsonl":
        remedy = "Give a file for the findings, too: --output findings.jsonl."
        given = "" if findings is None else f", and those of {findings} are {written}"
        raise UserError(f"records are made of findings in JSON lines{given}.", file=target, remedy=remedy)
    for file in (findings, target):
        if is_stream(file):
            message = "records are not made from or written to a device or a pipe."
            raise UserError(message, file=file, remedy="Give a file.")


def _ending(target: Path) -> str:
    return target.suffix.lower().removeprefix(".")


@dataclass
class Written:
    """What is written.

    Attributes:
        records: The number of records.
        outside: The number of accepted findings of their fields that are in no record.
        waiting: The number of findings that wait for review, and are in no record therefore.
    """

    records: int = 0
    outside: int = 0
    waiting: int = 0


def write_records(maker: RecordMaker, findings: Path, target: Path, *, queued: bool = False) -> Written:
    """Write the records of the texts of a file of findings, and return the counts.

    Args:
        maker: Makes the records.
        findings: JSON lines as `electra-ie extract` writes them.
        target: The file (see `check_target`). Its ending chooses the format.
        queued: Whether findings wait in a queue for review: each text then has their number, so that an empty field of
            a record is not mistaken for a text that does not say it.

    Raises:
        UserError: the file cannot be written. An earlier file is as it was.
    """
    ending, written = _ending(target), Written()
    names = columns(maker.plan.fields, queued=queued)
    with findings.open(encoding="utf-8") as lines, atomic_path(target) as part:
        texts = _made(maker, map(json.loads, lines), written)
        if ending == "jsonl":
            _write_lines(texts, part)
        elif ending == "csv":
            _write_csv(_rows(texts), part, names)
        else:
            _write_parquet(_rows(texts), part, names)
    return written


def _made(maker: RecordMaker, texts: Iterable[Mapping[str, Any]], written: Written) -> Iterator[Made]:
    """Yield each text with its records, and count them."""
    for text in texts:
        records = maker.of_findings(text)
        written.records += len(records)
        written.outside += maker.count_outside(text, records)
        written.waiting += text.get(TO_REVIEW, 0)
        yield text, records


def _rows(texts: Iterable[Made]) -> Iterator[dict[str, Any]]:
    for text, records in texts:
        for number, record in enumerate(records, start=1):
            yield {**{key: text[key] for key in OF_TEXT}, RECORD: number, **row(record), **_waiting(text)}


def _waiting(text: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of findings of a text that wait for review, if there is a queue."""
    return {TO_REVIEW: text[TO_REVIEW]} if TO_REVIEW in text else {}


def _write_lines(texts: Iterable[Made], target: Path) -> None:
    with target.open("w", encoding="utf-8") as file:
        for text, records in texts:
            made = [as_dict(record) for record in records]
            line = {**{key: text[key] for key in OF_TEXT}, "records": made, **_waiting(text)}
            file.write(escape_json(json.dumps(line, ensure_ascii=False)) + "\n")


def _write_csv(rows: Iterator[dict[str, Any]], target: Path, names: Sequence[str]) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        writer.writerows({name: _cell(cells[name]) for name in names} for cells in rows)


def _cell(cell: Any) -> Any:
    """Return a cell of CSV that no spreadsheet executes. A number with a unit or currency stays as it is."""
    return cell if isinstance(cell, str) and NUMBER.fullmatch(cell) else no_formula(cell)


def _write_parquet(rows: Iterator[dict[str, Any]], target: Path, names: Sequence[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {name: pyarrow.int64() if name in (RECORD, TO_REVIEW) else pyarrow.string() for name in names}
    schema = pyarrow.schema(types)
    with parquet.ParquetWriter(target, schema) as writer:
        while group := list(islice(rows, ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))
