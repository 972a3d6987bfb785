"""Spans while they are read: offsets checked against the text, and those in other units converted or refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import Offsets
from electra_ie.formats.parts.units import UTF_8, UTF_16, Units, convert, hint

GREEK = (
    "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8\u03b9\u03ba\u03bb\u03bc"
    "\u03bd\u03be\u03bf\u03c0\u03c1\u03c3\u03c4\u03c5\u03c6\u03c7\u03c8\u03c9"
)
LATIN = "abgdezetiklunxoprstupcpo"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
FOLDED = str.maketrans(
    GREEK + GREEK.upper() + "\u00b5\u03c2" + DASHES, LATIN + LATIN.upper() + "us" + "-" * len(DASHES)
)
"""Dashes and Greek letters, with the characters that tools for ASCII write for them: mostly the first of their name."""
FRAGMENTS = "fragments"
"""The key of the fragments of a span."""


class SpanReader:
    """Checks the offsets of the spans of one file, and counts those that it converts.

    Attributes:
        unread: Keys of spans, with the number of their values that are not read.
        folded: The number of spans whose quoted text has other dashes or Greek letters.
    """

    def __init__(self, file: str) -> None:
        self.file, self.units, self.converted = file, Units(), Counter[str]()
        self.unread = Counter[str]()
        self.folded = 0

    def offsets(
        self, text: str, start: int, end: int, source: SourceLine, quoted: str | None = None, *, folds: bool = False
    ) -> Offsets:
        """Return the offsets of a continuous span in code points.

        quoted: its text, if the file states it. Offsets that match it only as UTF-16 code units or UTF-8 bytes are
        converted; without a quotation, evidence for another unit is collected for `report`. folds: it may have other
        dashes than the text, and Latin letters for Greek ones; such spans are counted.

        Raises:
            UserError: the span is empty or outside the text, or its text is not the quoted one in any unit.
        """
        if quoted is not None and text[max(start, 0) : max(end, 0)] != quoted:
            for unit in (UTF_16, UTF_8):
                converted = convert(text, unit, start, end)
                if converted and quoted and text[slice(*converted)] == quoted:
                    self.converted[unit] += 1
                    return converted
            own = text[max(start, 0) : max(end, 0)]
            if folds and quoted and len(own) == end - start and own.translate(FOLDED) == quoted.translate(FOLDED):
                self.folded += 1
                return start, end
            message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, not {quoted[:40]!r}."
            raise source.error(message, explain_offsets(text, start, end, quoted))
        check_range(text, start, end, source)
        if quoted is None:
            self.units.add(text, start, end, source)
        return start, end

    def located(
        self, text: str, pairs: Sequence[Offsets], quoted: str | Sequence[str] | None, source: SourceLine
    ) -> tuple[Offsets, ...]:
        """Return the fragments of a span in code points and in the order of the text.

        quoted: the text of each, or one text from the first to the last, also without what is between them.

        Raises:
            UserError: as `offsets`, or two fragments overlap.
        """
        if isinstance(quoted, str) and len(pairs) > 1:
            return self.fragments(self._quoted_once(text, pairs, quoted, source), source)
        parts = [quoted] * len(pairs) if quoted is None or isinstance(quoted, str) else quoted
        found = [self.offsets(text, *pair, source, part) for pair, part in zip(pairs, parts, strict=True)]
        return self.fragments(found, source)

    def _quoted_once(self, text: str, pairs: Sequence[Offsets], quoted: str, source: SourceLine) -> list[Offsets]:
        """Return the offsets of fragments with one quotation, in the unit in which it is theirs."""
        for unit in ("", UTF_16, UTF_8):
            found = [convert(text, unit, *pair) if unit else pair for pair in pairs]
            known = [pair for pair in found if pair is not None]
            if len(known) == len(pairs) and is_quotation(text, known, quoted):
                for pair in known:
                    check_range(text, *pair, source)
                if unit:
                    self.converted[unit] += 1
                return known
        start, end = hull(pairs)
        message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, not {quoted[:40]!r}."
        raise source.error(message, explain_offsets(text, start, end, quoted))

    def fragments(self, pairs: Sequence[Offsets], source: SourceLine) -> tuple[Offsets, ...]:
        """Return fragments in the order of the text. Raises UserError if two of them overlap."""
        ordered = tuple(sorted(pairs))
        if any(first[1] > second[0] for first, second in zip(ordered, ordered[1:], strict=False)):
            shown = ", ".join(f"{start} to {end}" for start, end in pairs)
            raise source.error(f"fragments of one span overlap: {shown}.", "Correct the span.")
        return ordered

    def report(self) -> None:
        """Warn of the conversions and of values that are not read, if any.

        Raises:
            UserError: offsets without a quoted text seem to count another unit than code points (see `units`).
        """
        self.units.check()
        if self.folded:
            differ = f"the quoted texts of {self.folded} spans have other dashes or Greek letters than the text"
            warn(f"{self.file}: {differ}; accepted.")
        for unit, number in self.converted.items():
            warn(f"{self.file}: the offsets of {number} spans count {unit}, by their quoted texts; converted.")
        for key, number in self.unread.items():
            warn(f'{self.file}: {number} values of "{key}" in spans or relations are no texts, and not read.')


def hull(pairs: Sequence[Offsets]) -> Offsets:
    """Return the offsets from the first character of fragments to their last."""
    return min(start for start, _ in pairs), max(end for _, end in pairs)


def is_quotation(text: str, pairs: Sequence[Offsets], quoted: str) -> bool:
    """Return whether a text is that of fragments: from the first to the last, or each of them, joined by blanks."""
    start, end = hull(pairs)
    return quoted in (text[max(start, 0) : max(end, 0)], " ".join(text[first:last] for first, last in sorted(pairs)))


def fragments_of(item: Mapping[str, Any], name: str, source: SourceLine) -> list[Offsets]:
    """Return the fragments of a span; its start and end, unchecked, if it has none: no key, null or an empty list.

    A fragment is a pair, `[0, 4]`, or an object with start and end, as Parquet has it.

    Raises:
        UserError: the fragments are no offsets or not from the start to the end of the span, or the number of its texts
            is another.
    """
    listed, quoted = item.get(FRAGMENTS), item.get("text")
    if listed is None or listed == []:
        return [(item.get("start"), item.get("end"))]  # type: ignore[list-item]
    pairs = [_pair(entry) for entry in listed] if isinstance(listed, list) else []
    known = [pair for pair in pairs if pair is not None]
    if not pairs or len(known) < len(pairs):
        message = f'a span of "{name}" has "{FRAGMENTS}": {json.dumps(listed, default=str)[:60]}.'
        raise source.error(message, "It must be a list of offsets: [[0, 3], [8, 12]].")
    first, last = hull(known)
    if (first, last) != (item.get("start"), item.get("end")):
        given = f"{item.get('start')} to {item.get('end')}"
        message = f'a span of "{name}" is {given}, and its fragments {first} to {last}.'
        raise source.error(message, "start is that of the first fragment, and end that of the last.")
    if isinstance(quoted, list) and not (len(quoted) == len(known) and all(isinstance(each, str) for each in quoted)):
        texts = sum(isinstance(each, str) for each in quoted)
        message = f'a span of "{name}" has {len(known)} fragments and {texts} texts.'
        raise source.error(message, "Give the text of each fragment, or leave text out.")
    return known


def _pair(entry: Any) -> Offsets | None:
    """Return the offsets of a fragment; None if it has none."""
    pair: Any = [entry.get("start"), entry.get("end")] if isinstance(entry, Mapping) else entry
    is_range = isinstance(pair, list | tuple) and [type(offset) for offset in pair] == [int, int]
    return (pair[0], pair[1]) if is_range else None


def check_range(text: str, start: int, end: int, source: SourceLine) -> None:
    """Raise UserError for a span that is empty or outside the text."""
    if start >= end:
        remedy = "start must be smaller than end; end is exclusive."
        raise source.error(f"the span {start} to {end} is empty.", remedy)
    if start < 0 or end > len(text):
        remedy = f"Offsets must count Unicode code points of the text as it is in the file.{hint(text, start, end)}"
        raise source.error(f"the span {start} to {end} is outside the text of {len(text)} characters.", remedy)


def explain_offsets(text: str, start: int, end: int, quoted: str) -> str:
    """Return the remedy for a span whose text is not `quoted`: how its offsets may have been counted."""
    exact = "Offsets must count Unicode code points of the text as it is in the file, the end exclusive."
    if text[start : end + 1] == quoted:
        return f"{exact} Here the end is inclusive: add 1 to every end."
    for unit in (UTF_16, UTF_8):
        offsets = convert(text, unit, start, end)
        if offsets and text[slice(*offsets)] == quoted:
            return f"{exact} Here they count {unit}: convert them."
    if text.startswith("\ufeff") and text[start + 1 : end + 1] == quoted:
        return f"{exact} Here they leave out the byte order mark at the beginning: save the text without it."
    if text.replace("\r\n", "\n")[start:end] == quoted.replace("\r\n", "\n"):
        return f"{exact} Here they count a line end of two characters (CRLF) as one: save the text with LF."
    return exact
