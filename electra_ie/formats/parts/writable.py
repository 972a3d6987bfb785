"""What text files can hold of a document: names without blanks, values in one line, and text only."""

from __future__ import annotations

import re
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.features import Losses

NAMES, LINES = "blanks and delimiters in names", "line ends in notes and values"
"""Kinds of loss."""
BLANK = re.compile(r"\s")
NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""NUL, by which binary files are recognized, and lone surrogates, which UTF-8 cannot encode."""


def name(value: str, losses: Losses, forbidden: re.Pattern[str] = BLANK) -> str:
    """Return a label or another name with `_` for each forbidden character, and count it if it changes."""
    written = forbidden.sub("_", value) or "_"
    losses.update([NAMES] * (written != value))
    return written


def one_line(value: str, losses: Losses) -> str:
    """Return a text with a blank for each line end, and count it if it changes."""
    written = re.sub("[\r\n]", " ", value)
    losses.update([LINES] * (written != value))
    return written


def refuse_other_than_text(document: AnnotatedDocument, content: str, path: Path) -> None:
    """Raise UserError if what is to be written for a document contains NUL or half of a surrogate pair."""
    if match := NO_TEXT.search(content):
        message = f'the document "{document.id}" contains U+{ord(match[0]):04X}, which a text file cannot hold.'
        raise UserError(message, file=path, remedy="Remove the character from the document.")
