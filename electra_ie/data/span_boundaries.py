"""What ends a span beside its tags: the end of a line, and an emoji at its edge."""

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
"""An emoji, arrow, bullet or dingbat with the characters that join or vary it; no mark of trade, unit or currency."""
FIRST = re.compile(rf"(?:\s*{_PICTURE})+\s*")
LAST = re.compile(rf"(?:\s*{_PICTURE})+\s*\Z")


@dataclass(frozen=True, slots=True)
class Edges:
    """Rules for the spans of a field. Each holds where no gold span of the training texts breaks it.

    lines: a span ends where its line ends. pictures: a span neither begins nor ends with an emoji, arrow or bullet.
    A model of few labels else joins values on neighbouring lines into one, and takes in what its tokenizer does not
    know.
    """

    lines: bool = True
    pictures: bool = True

    @classmethod
    def of(cls, gold: Iterable[tuple[str, Iterable[Span]]]) -> Edges:
        """The rules that hold for all gold spans of the texts given."""
        passages = [text[span.start : span.end] for text, spans in gold for span in spans]
        return cls(
            lines=not any(LINE_END.search(each) for each in passages),
            pictures=not any(FIRST.match(each) or LAST.search(each) for each in passages),
        )

    def breaks(self, text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
        """The places among tokens at which a new line begins and hence no span goes on.

        offsets: the characters of each token, in order, none empty.
        """
        if not self.lines:
            return []
        starts = [start for start, _ in offsets]
        places = {bisect_left(starts, match.end()) for match in LINE_END.finditer(text)}
        return sorted(places - {0, len(starts)})

    def trim(self, text: str, span: Span) -> Span | None:
        """The span without pictures at its edges; None where nothing else is in it."""
        if not self.pictures:
            return span
        first = FIRST.match(text, span.start, span.end)
        start = first.end() if first else span.start
        last = LAST.search(text, start, span.end)
        end = last.start() if last else span.end
        return Span(start, end, span.label) if start < end else None


def edges_of(documents: Sequence[Document], fields: Sequence[Field]) -> dict[str, Edges]:
    """The rules of each field of spans, from the gold of `documents`."""
    spans = [field.name for field in fields if field.kind == "spans"]
    return {name: Edges.of((each.text, each.gold.get(name, ())) for each in documents) for name in spans}


def edges_from(value: object) -> Edges:
    """The rules that a saved configuration holds. Raises ValueError for anything else than two booleans."""
    if isinstance(value, Mapping) and set(value) == {"lines", "pictures"}:
        if all(isinstance(each, bool) for each in value.values()):
            return Edges(**value)
    raise ValueError(f"edges is {value!r}")
