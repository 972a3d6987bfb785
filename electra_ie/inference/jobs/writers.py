"""The formats of findings: JSON lines, in which a job collects them, and CSV and Parquet, which are made of these."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.escaping import escape_json, no_formula
from electra_ie.common.packages import require_package
from electra_ie.data.document import in_a_cell
from electra_ie.data.fields import ATTRIBUTES, AnyField, Field
from electra_ie.inference.jobs.own_files import ROW

FORMATS = ("jsonl", "csv", "parquet")
OTHER_ENDINGS = (
    ".arrow", ".docx", ".feather", ".gz", ".htm", ".html", ".json", ".ods", ".pdf", ".tsv", ".xls", ".xlsx", ".xml",
    ".zip",
)  # fmt: skip
"""Endings of formats in which no findings are written; a file of JSON lines with one would mislead its reader."""
ROWS = 10_000
"""The documents of a row group of Parquet."""
FRAGMENTS = "fragments"
"""The column of the fragments of a span, and its key in JSON."""
OF_ATTRIBUTE, ATTRIBUTE = ("", "_score"), ("label", "score")
"""The columns of an attribute in CSV, behind `attribute_` and the name of its field, and its keys in JSON."""


def format_of(output: Path | None, name: str | None) -> str:
    """Return the format of an output: the one that is named, or that of the file's ending, or JSON lines.

    Raises:
        UserError: There is no such format, the ending is that of another format and none is named, or the package
            that writes it is not installed.
    """
    if name is not None and name not in FORMATS:
        raise UserError(f'there is no format "{name}" of findings.', remedy=nearest(name, FORMATS))
    ending = output.suffix.lower() if output else ""
    if name is None and ending in OTHER_ENDINGS:
        remedy = "Give an output with the ending .jsonl, .csv or .parquet, or choose one of these with --format."
        raise UserError(f"findings are not written as {ending}.", file=output, remedy=remedy)
    format = name or (ending[1:] if ending[1:] in FORMATS else "jsonl")
    if format == "parquet":
        require_package("pyarrow", "Parquet", file=output)
    return format


def json_line(record: Mapping[str, Any]) -> str:
    """Return a record as a line of JSON without control characters."""
    return escape_json(json.dumps(record, ensure_ascii=False)) + "\n"


@dataclass(frozen=True)
class Columns:
    """The columns that only the findings of some models have.

    Attributes:
        attributes: The names of the fields of attributes.
        fragments: Whether a field has spans of several fragments.
    """

    attributes: Sequence[str] = ()
    fragments: bool = False

    @classmethod
    def of(cls, fields: Sequence[AnyField]) -> Self:
        """Return the columns for the findings of a model with these fields."""
        attributes = [field.name for field in fields if field.kind == ATTRIBUTES]
        return cls(attributes, any(isinstance(field, Field) and field.fragments for field in fields))


def header(columns: Columns) -> str:
    """Return the first line of CSV."""
    said = [f"attribute_{name}{part}" for name in columns.attributes for part in OF_ATTRIBUTE]
    return ",".join((*ROW, *([FRAGMENTS] if columns.fragments else []), *said)) + "\n"


def csv_lines(record: Mapping[str, Any], columns: Columns) -> str:
    """Return the findings of a document as rows of CSV; a document without findings has one row without them.

    Fragments are written as in brat: `0 4;10 14`.
    """
    text = io.StringIO(newline="")
    # All texts are quoted: a carriage return would otherwise end a row for a reader, but not for this writer.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for finding in record["findings"] or [{}]:
        cells = {**record, **finding}
        row = [cells.get(name, "") for name in ROW]
        if columns.fragments:
            row.append(in_a_cell(finding.get(FRAGMENTS, ())))
        for name in columns.attributes:
            row += [finding.get("attributes", {}).get(name, {}).get(key, "") for key in ATTRIBUTE]
        writer.writerow([no_formula(cell) for cell in row])
    return text.getvalue()


def write_csv(lines: Path, target: Path, columns: Columns) -> None:
    """Write findings in JSON lines as CSV, one finding a row."""
    with lines.open(encoding="utf-8") as source, target.open("w", encoding="utf-8", newline="") as file:
        file.write(header(columns))
        file.writelines(csv_lines(json.loads(line), columns) for line in source)


def write_parquet(lines: Path, target: Path, own: Columns) -> None:
    """Write findings in JSON lines as Parquet, one document a row, with the findings as a list of structs.

    Attributes are structs in those of findings, and fragments lists of two offsets.
    """
    import pyarrow
    from pyarrow import parquet

    text, number = pyarrow.string(), pyarrow.int64()
    finding = pyarrow.struct(
        {
            "field": text, "label": text, "start": number, "end": number, "text": text, "window": number,
            "score": pyarrow.float64(),
        }
    )  # fmt: skip
    if own.fragments:
        finding = pyarrow.struct([*finding, pyarrow.field(FRAGMENTS, pyarrow.list_(pyarrow.list_(number)))])
    span = pyarrow.struct([*finding][:5] + [*finding][6:])  # without the window
    relation = pyarrow.struct({"field": text, "label": text, "head": span, "tail": span, "score": pyarrow.float64()})
    columns = {"id": text, "file": text, "characters": number, "windows": number, "model": text, "version": text}
    if own.attributes:
        attribute = pyarrow.struct({"label": text, "score": pyarrow.float64()})
        said = pyarrow.struct(dict.fromkeys(own.attributes, attribute))
        finding = pyarrow.struct([*finding, pyarrow.field("attributes", said)])
    columns["findings"] = pyarrow.list_(finding)
    if _has_relations(lines):
        columns["relations"] = pyarrow.list_(relation)
    schema = pyarrow.schema(columns)
    with lines.open(encoding="utf-8") as source, parquet.ParquetWriter(target, schema) as writer:
        for records in _groups(source):
            writer.write_table(pyarrow.Table.from_pylist(records, schema))


def _has_relations(lines: Path) -> bool:
    """Return whether the model finds relations: each of its records has them, or none has."""
    with lines.open(encoding="utf-8") as source:
        first = next(source, "")
    return bool(first) and "relations" in json.loads(first)


def _groups(lines: Iterator[str]) -> Iterator[list[dict[str, Any]]]:
    while group := [json.loads(line) for line in islice(lines, ROWS)]:
        yield group
