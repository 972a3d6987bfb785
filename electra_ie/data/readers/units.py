"""What offsets count, when no quotation proves it: code points, as they must, or UTF-16 units, bytes, other line ends.

Spans of names and values fall on the edges of words. Where the spans of a file do so only in another unit, the file is
refused: trained on as it is, it would teach shifted spans, and nothing would fail.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from electra_ie.common.text_files import Place
from electra_ie.data.scripts import continues_word

Width = Callable[[str, int], int]


def _line_end_as_one(text: str, at: int) -> int:
    return 0 if text.startswith("\r\n", at) else 1


def _line_end_as_two(text: str, at: int) -> int:
    return 2 if text[at] == "\n" and not text.startswith("\r", at - 1) else 1


UTF_16, UTF_8 = "UTF-16 code units", "UTF-8 bytes"
UNITS: dict[str, tuple[re.Pattern[str], Width]] = {
    UTF_16: (re.compile("[\U00010000-\U0010ffff]"), lambda text, at: 1 + (text[at] > "\uffff")),
    UTF_8: (re.compile("[^\x00-\x7f]"), lambda text, at: len(text[at].encode("utf-8", "replace"))),
    "characters with a line end of two (CRLF) as one": (re.compile("\r\n"), _line_end_as_one),
    "characters with a line end of one (LF) as two": (re.compile("(?<!\r)\n"), _line_end_as_two),
}
"""Other units than code points: where they count otherwise, and how many of them the character at a place takes."""
INCLUSIVE = "code points with the last one included"
LEAST = {UTF_16: 1, INCLUSIVE: 3}
"""Spans that must speak for a unit, where two are not enough or one is: a stem before a short ending ("CEO" in "CEOs")
looks as if its end were included."""
SHOWN = 5


@dataclass
class _Evidence:
    """Spans that fall on word edges in another unit only, and how many do so in code points only."""

    places: list[tuple[Place, int, int]] = field(default_factory=list)
    against: int = 0


class Units:
    """Collects what the unquoted spans of a file say about the unit of its offsets."""

    def __init__(self) -> None:
        self.evidence: dict[str, _Evidence] = defaultdict(_Evidence)

    def see(self, text: str, start: int, end: int, place: Place) -> None:
        """Take one span of a text into account."""
        here = _on_word_edges(text, start, end)
        for unit, (first, last) in _read_otherwise(text, start, end):
            there = _on_word_edges(text, first, last)
            if there and not here:
                self.evidence[unit].places.append((place, start, end))
            elif here and not there:
                self.evidence[unit].against += 1

    def check(self) -> None:
        """Raises UserError, naming the unit and the first spans, where another unit than code points fits better."""
        for unit, found in self.evidence.items():
            spans = found.places
            few = len(spans) < LEAST.get(unit, 2)
            doubtful = found.against * (4 if unit == INCLUSIVE else 1) >= len(spans)
            if not few and not doubtful:
                shown = ", ".join(f"line {place.line} ({start} to {end})" for place, start, end in spans[:SHOWN])
                message = (
                    f"the offsets seem to count {unit}: {len(spans)} spans cut words as code points and do not in that "
                    f"unit ({shown}{', ...' if len(spans) > SHOWN else ''})."
                )
                raise spans[0][0].error(message, REMEDY)


REMEDY = (
    "Convert them to Unicode code points, the end exclusive; if they are right as they are, "
    'give each span its "text" to prove it.'
)


def hint(text: str, start: int, end: int) -> str:
    """The unit in which a span that is wrong in code points would be right, as a sentence; else nothing."""
    for unit, (first, last) in _read_otherwise(text, start, end):
        if unit != INCLUSIVE and _on_word_edges(text, first, last):
            return f" The span would fall on words if its offsets counted {unit}: convert them."
    return ""


def _read_otherwise(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The characters that a span means in each other unit, where they are others than in code points."""
    for unit in UNITS:
        found = read_as(text, unit, start, end)
        if found and found != (start, end):
            yield unit, found
    if end < len(text):
        yield INCLUSIVE, (start, end + 1)


def read_as(text: str, unit: str, start: int, end: int) -> tuple[int, int] | None:
    """The characters between two offsets in a unit; None where one falls inside a character or behind the text."""
    first, last = _place(text, unit, start), _place(text, unit, end)
    return None if first is None or last is None else (first, last)


def _place(text: str, unit: str, offset: int) -> int | None:
    """The character at which `offset` units have passed; None inside a character or behind the text."""
    passed = _passed(text, unit)
    at = bisect_left(passed, offset)
    return at if at < len(passed) and passed[at] == offset else None


@lru_cache(maxsize=len(UNITS))  # the spans of a text come one after another
def _passed(text: str, unit: str) -> Sequence[int]:
    """How many units have passed before each character of a text, and at its end."""
    differs, width = UNITS[unit]
    if not differs.search(text):
        return range(len(text) + 1)
    return [0, *accumulate(width(text, at) for at in range(len(text)))]


def _on_word_edges(text: str, start: int, end: int) -> bool:
    """Whether a span is inside the text, has no white space at its edges, and cuts no word.

    A number may stand before its unit without a blank ("5g").
    """
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        return False
    return not any(continues_word(text, at) and text[at - 1].isdigit() == text[at].isdigit() for at in (start, end))
