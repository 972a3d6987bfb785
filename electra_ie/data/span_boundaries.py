"""Rules for the boundaries of predicted spans: they end at line ends, and without emoji at their edges."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field

LINE_END = re.compile("[\n\r\v\f\x85\u2028\u2029]")
_PICTURE = (
    "[\u2022\u2023\u2043\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\ue000-\uf8ff\U0001f000-\U0001faff]"
    "[\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]*"
)
"""An emoji, arrow, bullet or dingbat with its joiners and variation selectors; not trademarks, units or currencies."""
FIRST = re.compile(rf"(?:\s*{_PICTURE})+\s*")
LAST = re.compile(rf"(?:\s*{_PICTURE})+\s*\Z")


@dataclass(frozen=True, slots=True)
class BoundaryRules:
    """Rules for the spans of a field. A rule is applied if all gold spans of the training texts follow it.

    lines: a span ends at the end of its line. pictures: a span, or one of its fragments, does not begin or end with an
    emoji, arrow or bullet.
    Without these rules, a model trained on few labels joins values on consecutive lines into one span, and includes
    characters that its tokenizer does not know.
    """

    lines: bool = True
    pictures: bool = True

    @classmethod
    def of(cls, gold: Iterable[tuple[str, Iterable[Span]]]) -> BoundaryRules:
        """Return the rules that all gold spans of these texts follow."""
        listed = [(text, span) for text, spans in gold for span in spans]
        pieces = [text[start:end] for text, span in listed for start, end in span.ranges]
        return cls(
            lines=not any(LINE_END.search(text, span.start, span.end) for text, span in listed),
            pictures=not any(FIRST.match(piece) or LAST.search(piece) for piece in pieces),
        )

    def breaks(self, text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
        """Return the indices of the tokens at which a new line begins, where no span continues.

        Args:
            text: the text.
            offsets: start and end of each token, in order, none of them empty.
        """
        if not self.lines:
            return []
        starts = [start for start, _ in offsets]
        tokens = {bisect_left(starts, match.end()) for match in LINE_END.finditer(text)}
        return sorted(tokens - {0, len(starts)})

    def trim(self, text: str, span: Span) -> Span | None:
        """Return the span without pictures at the edges of its fragments, or None if nothing is left."""
        if not self.pictures:
            return span
        ranges = [_trimmed(text, start, end) for start, end in span.ranges]
        kept = [(start, end) for start, end in ranges if start < end]
        return Span.of(kept, span.label) if kept else None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    first = FIRST.match(text, start, end)
    start = first.end() if first else start
    last = LAST.search(text, start, end)
    return start, last.start() if last else end


def edges_of(documents: Sequence[Document], fields: Sequence[Field]) -> dict[str, BoundaryRules]:
    """Return the rules of each field of spans, from the gold of `documents`."""
    spans = [field.name for field in fields if field.kind == "spans"]
    return {
        name: BoundaryRules.of((document.text, document.gold.get(name, ())) for document in documents) for name in spans
    }


def edges_from(value: object) -> BoundaryRules:
    """Return the rules of a saved configuration. Raises ValueError if it is not a mapping of two booleans."""
    if (
        isinstance(value, Mapping)
        and set(value) == {"lines", "pictures"}
        and all(isinstance(rule, bool) for rule in value.values())
    ):
        return BoundaryRules(**value)
    raise ValueError(f"edges is {value!r}, not a mapping of lines and pictures to booleans")
