"""Formats of annotated text, both ways: a module for each reads and writes all that the format can hold.

`annotations` is what they have in common, `features` computes what a conversion loses. The formats that tasks are
trained on are in `data.readers`, which reads documents of this folder for the fields of a task.
"""

from __future__ import annotations

from electra_ie.common.errors import UserError, nearest
from electra_ie.formats.argilla import ARGILLA
from electra_ie.formats.base import Format
from electra_ie.formats.bioc import BIOC
from electra_ie.formats.brat import BRAT
from electra_ie.formats.cas import CAS
from electra_ie.formats.conll import CONLL
from electra_ie.formats.conllu import CONLLU
from electra_ie.formats.docbin import DOCBIN
from electra_ie.formats.doccano import DOCCANO
from electra_ie.formats.excel import EXCEL
from electra_ie.formats.json_lines import JSON_LINES
from electra_ie.formats.json_spans import JSON_SPANS
from electra_ie.formats.label_studio import LABEL_STUDIO
from electra_ie.formats.label_studio_min import LABEL_STUDIO_MIN
from electra_ie.formats.parquet import PARQUET
from electra_ie.formats.prodigy import PRODIGY
from electra_ie.formats.pubtator import PUBTATOR
from electra_ie.formats.tables import CSV, TSV

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        ARGILLA, BIOC, BRAT, CAS, CONLL, CONLLU, CSV, DOCBIN, DOCCANO, JSON_LINES, JSON_SPANS, LABEL_STUDIO,
        LABEL_STUDIO_MIN, PARQUET, PRODIGY, PUBTATOR, TSV, EXCEL,
    )
}  # fmt: skip
"""The formats by name."""


def format_of(name: str) -> Format:
    """Return a format by its name. Raises UserError for a name that no format has."""
    if name not in FORMATS:
        raise UserError(f'there is no format "{name}".', remedy=nearest(name, FORMATS))
    return FORMATS[name]
