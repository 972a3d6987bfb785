"""Offsets as the page of an annotation tool counts them: in UTF-16 code units, in which an emoji is two.

The pages of doccano and Argilla count so, and their servers store the numbers that they are given (doccano#2290,
argilla#5729). In an export, marks of the page are in these units, and what a script has imported is in its own.
"""

from __future__ import annotations

from electra_ie.common.text_files import SourceLine
from electra_ie.formats.parts.units import UTF_16, convert, convert_back, on_word_edges

CODE_POINTS, PAGE = "code_points", "utf16"
"""What offsets count: values of the option `offsets`."""


def from_page(text: str, start: int, end: int, source: SourceLine) -> tuple[int, int]:
    """Return offsets of the page as code points. Raises UserError if they are outside the text or in a character."""
    offsets = convert(text, UTF_16, start, end)
    if offsets is None:
        raise source.error(f"the span {start} to {end} is outside the text, or cuts a character, in UTF-16.")
    return offsets


def as_on_page(text: str, start: int, end: int) -> tuple[int, int]:
    """Return offsets in code points as the page counts them."""
    return convert_back(text, UTF_16, start, end)


def may_be_of_page(text: str, start: int, end: int) -> bool:
    """Return whether offsets mean other characters on the page, and nothing shows that they are code points."""
    offsets = _others(text, start, end)
    return offsets is not None and (on_word_edges(text, *offsets) or not on_word_edges(text, start, end))


def is_of_page(text: str, start: int, end: int) -> bool:
    """Return whether offsets are at the edges of words on the page, and not as code points."""
    offsets = _others(text, start, end)
    return offsets is not None and on_word_edges(text, *offsets) and not on_word_edges(text, start, end)


def _others(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the characters that offsets mean on the page if those are others than in code points, else None."""
    if max(text, default="") <= "\uffff":
        return None
    offsets = convert(text, UTF_16, start, end)
    return None if offsets == (start, end) else offsets
