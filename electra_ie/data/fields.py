"""Fields: what a model predicts, and their labels. Three kinds share an encoder; the others have a model each."""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from electra_ie.data.document import Document, Span

KINDS = ("classes", "flags", "spans")
BIO, TRACKS = "bio", "tracks"
"""Schemes of fields of spans: one sequence of tags, or one for each label, so that spans of two labels may overlap."""
RELATIONS, ATTRIBUTES = "relations", "attributes"
"""The kinds of `RelationField` and `AttributeField`, which are anchored to spans (see `marked_spans`)."""
ANCHORED_KINDS = (RELATIONS, ATTRIBUTES)
ALL_KINDS = (*KINDS, *ANCHORED_KINDS)
LISTED_KINDS = ("spans", *ANCHORED_KINDS)
"""The kinds whose gold is a tuple of items with a label each."""
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Names of fields."""
IGNORED = -100
"""The id of an unknown label, which the supervised losses ignore (as `ignore_index` of torch's cross entropy)."""


class _Read:
    """What all fields have that are read from data files."""

    name: str
    source: str

    @property
    def column(self) -> str:
        """The column or key of the gold in the data files; of an attribute in their spans."""
        return self.source or self.name


@dataclass(frozen=True)
class Field(_Read):
    """A property to predict for a document, with its kind and labels.

    kind `classes`: exactly one of `labels`. `flags`: any number of `labels`. `spans`: passages, each with a label.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    source: str = ""
    """The column or key of the gold in the data files; by default (empty) the field's name."""
    overlaps: str = "error"
    """How to treat gold spans that the scheme cannot express: raise an `error`, or `count` them as missed."""
    scheme: str = BIO
    """How spans are tagged: `bio`, or `tracks` for spans of different labels that may overlap."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the model's K outputs by id: the labels, or for spans `O, B-x, I-x, B-y, I-y, ...`.

        With the scheme `tracks` there is no `O`: its logit is 0 in each track.
        """
        if self.kind != "spans":
            return self.labels
        inside = [f"{prefix}-{label}" for label in self.labels for prefix in "BI"]
        return tuple(inside) if self.scheme == TRACKS else ("O", *inside)

    @cached_property
    def tracks(self) -> tuple[Field, ...]:
        """The sequences of tags of a field of spans: the field itself, or a field for each label (`tracks`)."""
        if self.scheme != TRACKS:
            return (self,)
        return tuple(Field(self.name, self.kind, (label,)) for label in self.labels)


def as_saved(field: Field) -> dict[str, Any]:
    """Return what a saved model says of its field: its answers, without how the gold is read."""
    saved: dict[str, Any] = {"name": field.name, "kind": field.kind, "labels": list(field.labels)}
    return saved if field.scheme == BIO else {**saved, "scheme": field.scheme}


def from_saved(saved: Mapping[str, Any]) -> Field:
    """Return the field that `as_saved` describes."""
    return Field(saved["name"], saved["kind"], tuple(saved["labels"]), scheme=saved.get("scheme", BIO))


@dataclass(frozen=True)
class RelationField(_Read):
    """Relations to predict between the spans of a document, which fields of kind `spans` find.

    Attributes:
        name: The name.
        labels: The labels of relations.
        between: The pairs of span labels, head and tail, that may be related; if empty, those of the training data.
        symmetric: The labels of relations without a direction: the head is the span that begins first in the text.
        source: The column or key of the gold in the data files; by default (empty) the field's name.
    """

    name: str
    labels: tuple[str, ...]
    between: tuple[tuple[str, str], ...] = ()
    symmetric: tuple[str, ...] = ()
    source: str = ""
    kind: ClassVar[str] = RELATIONS


@dataclass(frozen=True)
class AttributeField(_Read):
    """A class to predict for each span of a document, such as whether it is negated.

    Attributes:
        name: The name.
        labels: The classes, at least two.
        of: The labels of the spans that have one.
        default: The class of gold spans for which nothing is said; without it (empty) they are unlabeled.
        source: The key of the gold in the spans of the data files; by default (empty) the field's name.
    """

    name: str
    labels: tuple[str, ...]
    of: tuple[str, ...]
    default: str = ""
    source: str = ""
    kind: ClassVar[str] = ATTRIBUTES


AnchoredField = RelationField | AttributeField
"""A field whose model reads texts in which one or two spans are marked."""
AnyField = Field | AnchoredField
AnyFieldT = TypeVar("AnyFieldT", bound=AnyField)


def count_labels(field: AnyField, gold: Iterable[Any]) -> Counter[str]:
    """Count each label of a field in the gold of documents; `(none)` counts those to which no flag applies."""
    counts: Counter[str] = Counter()
    for value in gold:
        if field.kind == "classes":
            counts[value] += 1
        elif field.kind == "flags":
            counts.update(value or ["(none)"])
        else:
            counts.update(item.label for item in value)
    return counts


def has_label(gold: Any, label: str) -> bool:
    """Return whether the gold of a field of kind `classes` or `flags` is, or contains, a label."""
    return bool(gold == label if isinstance(gold, str) else label in gold)


def drop_overlapping(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Split the spans of a field into those that BIO can express and those that overlap a longer one.

    Longer spans are kept first; of equally long ones the first in the text. Both lists are sorted by offsets.
    """
    kept: list[Span] = []  # sorted and without overlaps, so that only the two neighbors of a span can overlap it
    dropped: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        index = bisect(kept, span)
        neighbors = kept[max(0, index - 1) : index + 1]
        if any(span.start < other.end and other.start < span.end for other in neighbors):
            dropped.append(span)
        else:
            kept.insert(index, span)
    return kept, sorted(dropped)


def by_track(field: Field, spans: Iterable[Span]) -> list[tuple[Field, list[Span], list[Span]]]:
    """Return each sequence of tags of a field with the spans that it can express, and those that overlap a longer one.

    Both lists are those of `drop_overlapping` for the spans with a label of the sequence.
    """
    listed = list(spans)
    return [(track, *drop_overlapping(span for span in listed if span.label in track.labels)) for track in field.tracks]


def lost_by_overlap(field: Field, spans: Iterable[Span]) -> list[Span]:
    """Return the spans of a field that overlap a longer one of the same sequence of tags, sorted by offsets."""
    return sorted(span for _, _, dropped in by_track(field, spans) for span in dropped)


def documents_by_field(
    documents: Sequence[Document], fields: Sequence[AnyFieldT]
) -> Iterator[tuple[AnyFieldT, list[int]]]:
    """Yield each field with the indices of the documents that have gold for it, if there are any."""
    for field in fields:
        indices = [index for index, document in enumerate(documents) if field.name in document.gold]
        if indices:
            yield field, indices
