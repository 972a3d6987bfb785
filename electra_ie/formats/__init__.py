"""Formats of annotated text, both ways: a module for each reads and writes all that the format can hold.

`annotations` is what they have in common, `features` computes what a conversion loses. The formats that tasks are
trained on are in `data.readers`, which reads documents of this folder for the fields of a task. They import `common`.
"""

from __future__ import annotations

from electra_ie.common.errors import UserError, nearest
from electra_ie.formats.base import Format
from electra_ie.formats.excel import EXCEL
from electra_ie.formats.json_lines import JSON_LINES
from electra_ie.formats.json_spans import JSON_SPANS
from electra_ie.formats.parquet import PARQUET
from electra_ie.formats.tables import CSV, TSV

FORMATS: dict[str, Format] = {format.name: format for format in (CSV, JSON_SPANS, JSON_LINES, PARQUET, TSV, EXCEL)}


def format_of(name: str) -> Format:
    """Return a format by its name. Raises UserError for a name that no format has."""
    if name not in FORMATS:
        raise UserError(f'there is no format "{name}".', remedy=nearest(name, FORMATS))
    return FORMATS[name]
