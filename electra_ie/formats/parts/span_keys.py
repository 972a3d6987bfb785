"""Lists of spans in JSON records, recognized by their keys and values, whatever the keys are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

NAMES_OF_KEYS = {
    "start": ("start", "start_offset", "start_char", "start_idx", "begin"),
    "end": ("end", "end_offset", "end_char", "end_idx", "stop"),
    "label": ("label", "type", "entity_type", "tag", "category"),
}
"""The keys of spans that are known."""
OWN = {"text": "text", "start": "start", "end": "end", "label": "label"}
"""The keys of JSON lines."""
TOKENS = "tokens"
"""The key of the words of a text, which have offsets and tags, and are no spans."""
PROVEN = 0.9
"""The share of the spans whose text needs to be at their offsets: files have errors, which the reader reports."""
Items = Sequence[tuple[str, Mapping[str, Any]]]
"""The objects of the lists under a key, each with the text of its record."""


@dataclass(frozen=True)
class SpanKeys:
    """The keys with which the spans of a file are read: those of a record, and those of a span.

    quoted: that of the text of a span, "" if no key has it. inclusive: the end is the last character of a span.
    """

    text: str
    spans: str
    start: str
    end: str
    label: str
    quoted: str
    inclusive: bool

    @property
    def is_own(self) -> bool:
        """Whether JSON lines are read with these keys."""
        return all(getattr(self, name) == key for name, key in OWN.items()) and not self.inclusive


def lists_of_spans(records: Sequence[Any]) -> list[SpanKeys]:
    """Return the keys of each list of spans in records: of objects with a label and two whole numbers.

    The numbers are offsets if their keys are known names and they are within the text, or if another key has the text
    that is there.
    """
    found = [record for record in records if isinstance(record, dict)]
    if not found or len(found) < len(records):
        return []
    lists = dict.fromkeys(key for record in found for key, value in record.items() if isinstance(value, list))
    every = [next(_keys_of(found, key), None) for key in lists if key != TOKENS and not key.startswith("_")]
    return [keys for keys in every if keys]


def _keys_of(records: Sequence[Mapping[str, Any]], spans: str) -> Iterator[SpanKeys]:
    """Yield the keys with which the lists under a key are spans, the most likely first."""
    having = [record for record in records if record.get(spans)]
    texts = dict.fromkeys(key for record in having for key, value in record.items() if isinstance(value, str))
    for text in sorted(texts, key=lambda key: (key != OWN["text"], -sum(len(str(each.get(key))) for each in having))):
        if all(isinstance(record.get(text), str) and isinstance(record[spans], list) for record in having):
            items = [(record[text], item) for record in having for item in record[spans]]
            if items and all(isinstance(item, dict) for _, item in items):
                yield from _keys_of_items(items, text, spans)


def _keys_of_items(items: Items, text: str, spans: str) -> Iterator[SpanKeys]:
    common = [key for key in items[0][1] if all(key in item for _, item in items)]
    numbers = [key for key in common if all(type(item[key]) is int for _, item in items)]
    texts = [key for key in common if all(isinstance(item[key], str) and item[key] for _, item in items)]
    known = [next((name for name in NAMES_OF_KEYS[key] if name in numbers), "") for key in ("start", "end")]
    for start, end in sorted(permutations(numbers, 2), key=lambda pair: list(pair) != known):
        if not all(0 <= item[start] <= item[end] <= len(content) for content, item in items):
            continue
        quoted, inclusive = _quotation(items, texts, start, end)
        others = [key for key in texts if key != quoted]
        label = next((name for name in NAMES_OF_KEYS["label"] if name in others), "")
        if not label and quoted and len(others) == 1:
            label = others[0]
        if label and (quoted or [start, end] == known):
            default = "" if any("text" in item for _, item in items) else "text"
            yield SpanKeys(text, spans, start, end, label, quoted or default, inclusive)


def _quotation(items: Items, texts: Sequence[str], start: str, end: str) -> tuple[str, bool]:
    """Return the key of the text of spans, "" if there is none, and whether the end is the last character of it."""
    for key in texts:
        for more in (0, 1):
            right = sum(content[item[start] : item[end] + more] == item[key] for content, item in items)
            if right >= PROVEN * len(items):
                return key, bool(more)
    return "", False
