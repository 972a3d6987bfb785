"""Spans of several fragments as fields have them, which may learn continuous ones only (the option `discontinuous`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Offsets, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.parts.gold import Spans
from electra_ie.formats.parts.options import Option

DISCONTINUOUS = Option("error", choices=("error", "hull", "skip"))
"""In a field without `fragments`, a span of several fragments is an error, is read from its first character to its
last, or is skipped and counted."""


class DividedSpans:
    """Reads the spans of one file for fields with and without fragments, by the option `discontinuous`.

    Attributes:
        spans: What builds the spans.
        skipped: The number of spans that are left out.
    """

    def __init__(self, spans: Spans, option: str) -> None:
        self.spans, self.option, self.skipped = spans, option, 0
        self._hulls, self._characters, self._others = 0, 0, 0
        self.begin()

    def begin(self) -> None:
        """Begin a document. What was read of one with errors is not counted."""
        self._gaps: list[Offsets] = []
        self._continuous: list[Span] = []

    def read(
        self, text: str, pairs: Sequence[Offsets], label: str, fields: Sequence[Field], source: SourceLine, more: str
    ) -> Iterator[tuple[Span, list[Field]]]:
        """Yield a span as fields have it, with these fields: first as it is, then as those without fragments have it.

        Fragments with only white space between them are joined before, such as those of a span over a line end.

        Args:
            text: The text.
            pairs: The offsets of the fragments of the span, or of the span.
            label: Its label.
            fields: The fields that have the label.
            source: Its position.
            more: What else the user can do about a span of several fragments, a sentence.

        Raises:
            UserError: Fields have continuous spans, and the option is `error`; or as `Spans.fragmented`.
        """
        ranges = self.spans.ranges(text, pairs, source)
        keeping = [field for field in fields if field.fragments or len(ranges) == 1]
        others = [field for field in fields if field not in keeping]
        if keeping:
            span = self.spans.fragmented(text, pairs, label, source)
            self._continuous += [] if span.fragments else [span]
            yield span, keeping
        if others and self.option == "error":
            raise source.error(
                f'this span "{label}" has {len(ranges)} fragments; {_named(others)} continuous ones.',
                _remedy(" ... ".join(text[start:end] for start, end in _gaps(ranges)), more),
            )
        if others and self.option == "skip":
            self.skipped += 1
        elif others:
            self._hulls += 1
            self._gaps += _gaps(ranges)
            yield self.spans.span(text, ranges[0][0], ranges[-1][1], label, source), others

    def count(self) -> None:
        """Add the text between the fragments in the document, and its other spans that overlap this text."""
        self._characters += sum(end - start for start, end in self._gaps)
        self._others += sum(
            any(span.start < end and start < span.end for start, end in self._gaps) for span in self._continuous
        )

    def report(self, file: str) -> None:
        """Warn of the spans that are read as one from the first fragment to the last, if any."""
        if self._hulls:
            warn(
                f"{file}: {self._hulls} spans of several fragments are read from their first character to their last "
                f"(discontinuous: hull), with the {self._characters} characters between the fragments; {self._others} "
                "other spans share characters with those."
            )


def _gaps(ranges: Sequence[Offsets]) -> list[Offsets]:
    """Return the offsets of the text between fragments."""
    return [(end, start) for (_, end), (start, _) in pairwise(ranges)]


def _named(fields: Sequence[Field]) -> str:
    """Return the subject and the verb of a sentence on fields."""
    names = " and ".join(field.name for field in fields)
    return f"the field {names} has" if len(fields) == 1 else f"the fields {names} have"


def _remedy(between: str, more: str) -> str:
    return (
        "To learn them, write fragments: true and scheme: tracks or levels in the field. The option discontinuous: "
        f"hull reads it as one span from the first character to the last, with the text between ({between[:40]!r}); "
        f"skip leaves such spans out. {more}"
    )
