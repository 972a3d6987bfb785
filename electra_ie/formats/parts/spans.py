"""Spans while they are read: offsets checked against the text, and those in other units converted or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import Offsets
from electra_ie.formats.parts.units import UTF_8, UTF_16, Units, convert, hint

FRAGMENTS = "fragments"
"""The key of the fragments of a span."""


class SpanReader:
    """Checks the offsets of the spans of one file, and counts those that it converts."""

    def __init__(self, file: str) -> None:
        self.file, self.units, self.converted = file, Units(), Counter[str]()

    def offsets(self, text: str, start: int, end: int, source: SourceLine, quoted: str | None = None) -> Offsets:
        """Return the offsets of a continuous span in code points.

        quoted: its text, if the file states it. Offsets that match it only as UTF-16 code units or UTF-8 bytes are
        converted; without a quotation, evidence for another unit is collected for `report`.

        Raises:
            UserError: the span is empty or outside the text, or its text is not the quoted one in any unit.
        """
        if quoted is not None and text[max(start, 0) : max(end, 0)] != quoted:
            for unit in (UTF_16, UTF_8):
                converted = convert(text, unit, start, end)
                if converted and quoted and text[slice(*converted)] == quoted:
                    self.converted[unit] += 1
                    return converted
            message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, not {quoted[:40]!r}."
            raise source.error(message, explain_offsets(text, start, end, quoted))
        check_range(text, start, end, source)
        if quoted is None:
            self.units.add(text, start, end, source)
        return start, end

    def fragments(self, pairs: Sequence[Offsets], source: SourceLine) -> tuple[Offsets, ...]:
        """Return fragments in the order of the text. Raises UserError if two of them overlap."""
        ordered = tuple(sorted(pairs))
        if any(first[1] > second[0] for first, second in zip(ordered, ordered[1:], strict=False)):
            shown = ", ".join(f"{start} to {end}" for start, end in pairs)
            raise source.error(f"fragments of one span overlap: {shown}.", "Correct the span.")
        return ordered

    def report(self) -> None:
        """Warn of the conversions, if any.

        Raises:
            UserError: offsets without a quoted text seem to count another unit than code points (see `units`).
        """
        self.units.check()
        for unit, number in self.converted.items():
            warn(f"{self.file}: the offsets of {number} spans count {unit}, by their quoted texts; converted.")


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
