"""Fields and their labels; spans <-> tags <-> ids (scheme BIO)."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from electra_ie.data.document import Document, Span

KINDS = ("classes", "flags", "spans")
IGNORED = -100
"""The id of a row whose label is unknown: it is in no supervised loss (the convention of torch's cross entropy)."""


@dataclass(frozen=True)
class Field:
    """One question asked of a document, and its possible answers.

    `classes`: one of `labels`. `flags`: any of `labels`, or none. `spans`: passages called by one of `labels`.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    source: str = ""
    """The column or key of the data file that holds the gold; the field's name where empty."""
    overlaps: str = "error"
    """What to do with gold spans that overlap within the field, which BIO cannot express: `error`, or `count` them."""

    @property
    def column(self) -> str:
        return self.source or self.name

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the model's K outputs, by id: the labels, or `O, B-x, I-x, ...` for spans."""
        if self.kind != "spans":
            return self.labels
        return ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in "BI"))


def count_labels(field: Field, gold: Iterable[Any]) -> Counter[str]:
    """How often each label of a field stands in the gold of documents; `(none)` for those known to bear no flag."""
    counts: Counter[str] = Counter()
    for value in gold:
        if field.kind == "classes":
            counts[value] += 1
        elif field.kind == "flags":
            counts.update(value or ["(none)"])
        else:
            counts.update(span.label for span in value)
    return counts


def drop_overlapping(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Split spans of one field into those that BIO can express (longest first, none overlapping) and the rest."""
    kept: list[Span] = []  # in order: only the neighbours of a span can clash with it
    lost: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start - each.end, each.start)):
        place = bisect(kept, span)
        beside = kept[max(0, place - 1) : place + 1]
        if any(span.start < other.end and other.start < span.end for other in beside):
            lost.append(span)
        else:
            kept.insert(place, span)
    return kept, sorted(lost)


def documents_by_field(documents: Sequence[Document], fields: Sequence[Field]) -> Iterator[tuple[Field, list[int]]]:
    """For each field the places of the documents of which it is known."""
    for field in fields:
        places = [place for place, document in enumerate(documents) if field.name in document.gold]
        if places:
            yield field, places
