"""Formats of annotated text, both ways: a module for each reads and writes all that the format can hold.

`annotations` is what they have in common, `features` computes what a conversion loses. The formats that tasks are
trained on are in `data.readers`, which reads documents of this folder for the fields of a task. They import `common`.
"""

from __future__ import annotations

from electra_ie.common.errors import UserError, nearest
from electra_ie.formats.base import Format
from electra_ie.formats.brat import BRAT
from electra_ie.formats.conll import CONLL
from electra_ie.formats.conllu import CONLLU
from electra_ie.formats.json_lines import JSON_LINES

FORMATS: dict[str, Format] = {format.name: format for format in (BRAT, CONLL, CONLLU, JSON_LINES)}


def format_of(name: str) -> Format:
    """Return a format by its name. Raises UserError for a name that no format has."""
    if name not in FORMATS:
        raise UserError(f'there is no format "{name}".', remedy=nearest(name, FORMATS))
    return FORMATS[name]
