"""The unit of offsets without a quoted text: code points, as required, or UTF-16 units, bytes or other line ends.

Spans of names and values begin and end at the edges of words. If the spans of a file do so only in another unit, the
file is refused: otherwise a model would be trained on shifted spans without any error.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from electra_ie.common.scripts import continues_word
from electra_ie.common.text_files import SourceLine

Width = Callable[[str, int], int]


def _crlf_as_one(text: str, index: int) -> int:
    return 0 if text.startswith("\r\n", index) else 1


def _lf_as_two(text: str, index: int) -> int:
    return 2 if text[index] == "\n" and not text.startswith("\r", index - 1) else 1


UTF_16, UTF_8 = "UTF-16 code units", "UTF-8 bytes"
UNITS: dict[str, tuple[re.Pattern[str], Width]] = {
    UTF_16: (re.compile("[\U00010000-\U0010ffff]"), lambda text, index: 1 + (text[index] > "\uffff")),
    UTF_8: (re.compile("[^\x00-\x7f]"), lambda text, index: len(text[index].encode("utf-8", "replace"))),
    "characters with a line end of two (CRLF) as one": (re.compile("\r\n"), _crlf_as_one),
    "characters with a line end of one (LF) as two": (re.compile("(?<!\r)\n"), _lf_as_two),
}
"""The other units: where they count differently from code points, and how many of them a character has."""
INCLUSIVE = "code points with the last one included"
MIN_SPANS = {UTF_16: 1, INCLUSIVE: 3}
"""Spans that a unit needs as evidence, by default 2. For UTF-16 one is enough. An inclusive end needs more: a stem
before a short ending ("CEO" in "CEOs") looks like one."""
SHOWN = 5
REMEDY = (
    "Convert them to Unicode code points, the end exclusive; if they are correct as they are, "
    'give each span its "text" to prove it.'
)


@dataclass
class _Evidence:
    """The spans that are at word edges only in another unit, and the number of those only in code points."""

    spans: list[tuple[SourceLine, int, int]] = field(default_factory=list)
    against: int = 0


class Units:
    """Collector of evidence, from the unquoted spans of a file, for the unit of its offsets.

    Attributes:
        known: Units that the reader of a format tells apart itself.
    """

    def __init__(self) -> None:
        self.evidence: dict[str, _Evidence] = defaultdict(_Evidence)
        self.known: set[str] = set()

    def add(self, text: str, start: int, end: int, source: SourceLine) -> None:
        """Add one span of a text."""
        fits = on_word_edges(text, start, end)
        for unit, (first, last) in _conversions(text, start, end):
            fits_converted = unit not in self.known and on_word_edges(text, first, last)
            if fits_converted and not fits:
                self.evidence[unit].spans.append((source, start, end))
            elif fits and not fits_converted and unit not in self.known:
                self.evidence[unit].against += 1

    def check(self) -> None:
        """Raise UserError, with the unit and the first spans, if another unit fits better than code points."""
        for unit, evidence in self.evidence.items():
            spans = evidence.spans
            few = len(spans) < MIN_SPANS.get(unit, 2)
            doubtful = evidence.against * (4 if unit == INCLUSIVE else 1) >= len(spans)
            if not few and not doubtful:
                shown = ", ".join(f"{source.within} ({start} to {end})" for source, start, end in spans[:SHOWN])
                message = (
                    f"the offsets seem to count {unit}: {len(spans)} spans cut words as code points and do not in that "
                    f"unit ({shown}{', ...' if len(spans) > SHOWN else ''})."
                )
                raise spans[0][0].error(message, REMEDY)


def hint(text: str, start: int, end: int) -> str:
    """Return a sentence with the unit in which an invalid span would be at word edges, or ""."""
    for unit, (first, last) in _conversions(text, start, end):
        if unit != INCLUSIVE and on_word_edges(text, first, last):
            return f" The span would fall on words if its offsets counted {unit}: convert them."
    return ""


def _conversions(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each other unit in which the span has other characters than in code points, with those characters."""
    for unit in UNITS:
        offsets = convert(text, unit, start, end)
        if offsets and offsets != (start, end):
            yield unit, offsets
    if end < len(text):
        yield INCLUSIVE, (start, end + 1)


def convert(text: str, unit: str, start: int, end: int) -> tuple[int, int] | None:
    """Return offsets in `unit` as code points; None if one is inside a character or after the text."""
    first, last = _code_point(text, unit, start), _code_point(text, unit, end)
    return None if first is None or last is None else (first, last)


def convert_back(text: str, unit: str, start: int, end: int) -> tuple[int, int]:
    """Return offsets in code points as `unit`."""
    starts = _starts(text, unit)
    return starts[start], starts[end]


def _code_point(text: str, unit: str, offset: int) -> int | None:
    """Return the index of the character that begins after `offset` units; None if there is none."""
    starts = _starts(text, unit)
    index = bisect_left(starts, offset)
    return index if index < len(starts) and starts[index] == offset else None


@lru_cache(maxsize=len(UNITS))  # the spans of a text are read one after another
def _starts(text: str, unit: str) -> Sequence[int]:
    """Return the number of units before each character of a text, and at its end."""
    differs, width = UNITS[unit]
    if not differs.search(text):
        return range(len(text) + 1)
    return [0, *accumulate(width(text, index) for index in range(len(text)))]


def on_word_edges(text: str, start: int, end: int) -> bool:
    """Return whether a span is inside the text, has no white space at its edges, and cuts no word.

    A number directly before its unit ("5g") is a word of its own.
    """
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        return False
    edges = (start, end)
    return not any(
        continues_word(text, edge) and text[edge - 1].isdigit() == text[edge].isdigit() for edge in edges
    )  # fmt: skip
