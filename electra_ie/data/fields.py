"""Fields: what a model predicts, and their labels. Three kinds share an encoder; the others have a model each."""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar, TypeVar

from electra_ie.data.document import Document, Span

KINDS = ("classes", "flags", "spans")
BIO, TRACKS, LEVELS = "bio", "tracks", "levels"
"""Schemes of fields of spans: one sequence of tags, or one for each label, so that spans of two labels may overlap, or
several for each label, so that spans of one label may overlap."""
MAX_LEVELS = 8
"""The levels of a label at most: a sequence of tags each, of which the deepest has the fewest spans to learn from."""
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
    """How spans are tagged: `bio`, `tracks` for spans of different labels that may overlap, or `levels` for any."""
    levels: tuple[int, ...] = ()
    """With the scheme `levels`, the number of sequences of tags of each label; empty until it is known."""
    fragments: bool = False
    """Whether spans of several fragments are learned and found; with the schemes `tracks` and `levels` only."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the model's K outputs by id: the labels, or for spans `O, B-x, I-x, B-y, I-y, ...`.

        With tracks there is no `O`: its logit is 0 in each track. `C-x` begins a further fragment of the span of `x`
        before it. A prefix ends with the number of the level from 2 on: `B2-x`; a label may have any name, since the
        first hyphen ends the prefix.
        """
        if self.kind != "spans":
            return self.labels
        prefixes = "BIC" if self.fragments else "BI"
        if not self.has_tracks:
            return ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in prefixes))
        return tuple(
            f"{prefix}{level if level > 1 else ''}-{label}"
            for label, levels in zip(self.labels, self._levels, strict=True)
            for level in range(1, levels + 1)
            for prefix in prefixes
        )

    @property
    def has_tracks(self) -> bool:
        """Whether each label has sequences of tags of its own: with the schemes `tracks` and `levels`."""
        return self.scheme != BIO

    @property
    def counts_lost(self) -> bool:
        """Whether gold spans that the scheme cannot express are counted as missed, and not refused."""
        return self.overlaps == "count" or self.scheme == LEVELS

    @property
    def _levels(self) -> tuple[int, ...]:
        if self.scheme == LEVELS and not self.levels:
            raise ValueError(f"the number of levels of {self.name} is not known (see `with_levels`)")
        return self.levels if self.scheme == LEVELS else (1,) * len(self.labels)

    @cached_property
    def tracks(self) -> tuple[Field, ...]:
        """The sequences of tags of a field of spans: the field itself, or one or several fields for each label."""
        if not self.has_tracks:
            return (self,)
        return tuple(
            Field(self.name, self.kind, (label,), fragments=self.fragments)
            for label, levels in zip(self.labels, self._levels, strict=True)
            for _ in range(levels)
        )


def as_saved(field: Field) -> dict[str, Any]:
    """Return what a saved model says of its field: its answers, without how the gold is read."""
    saved: dict[str, Any] = {"name": field.name, "kind": field.kind, "labels": list(field.labels)}
    if field.has_tracks:
        saved["scheme"] = field.scheme
    if field.levels:
        saved["levels"] = list(field.levels)
    if field.fragments:
        saved["fragments"] = True
    return saved


def from_saved(saved: Mapping[str, Any]) -> Field:
    """Return the field that `as_saved` describes."""
    return Field(
        saved["name"], saved["kind"], tuple(saved["labels"]), scheme=saved.get("scheme", BIO),
        levels=tuple(saved.get("levels", ())), fragments=saved.get("fragments", False),
    )  # fmt: skip


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


def anchored_as_saved(field: AnchoredField) -> dict[str, Any]:
    """Return what a saved model says of its field of relations or attributes: without how the gold is read."""
    own = {"symmetric": field.symmetric} if isinstance(field, RelationField) else {"of": field.of}
    names = {name: list(values) for name, values in {"labels": field.labels, **own}.items()}
    return {"name": field.name, "kind": field.kind, **names}


def anchored_from_saved(saved: Mapping[str, Any]) -> AnchoredField:
    """Return the field that `anchored_as_saved` describes. Raises KeyError or TypeError for anything else."""
    name, labels = str(saved["name"]), tuple(saved["labels"])
    if saved["kind"] == RELATIONS:
        return RelationField(name, labels, symmetric=tuple(saved["symmetric"]))
    return AttributeField(name, labels, tuple(saved["of"]))


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

    Longer spans are kept first; of equally long ones the first in the text. Both lists are sorted by offsets. The text
    between the fragments of a span counts as part of it.
    """
    kept: list[Span] = []  # sorted and without overlaps, so that only the two neighbors of a span can overlap it
    dropped: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span)):
        index = bisect(kept, span)
        neighbors = kept[max(0, index - 1) : index + 1]
        if any(span.start < other.end and other.start < span.end for other in neighbors):
            dropped.append(span)
        else:
            kept.insert(index, span)
    return kept, sorted(dropped)


def by_track(field: Field, spans: Iterable[Span]) -> list[tuple[Field, list[Span], list[Span]]]:
    """Return each sequence of tags of a field with the spans that it can express, and those that overlap a longer one.

    Both lists are those of `drop_overlapping` for the spans with a label of the sequence. With the scheme `levels`, a
    level has those of the spans that the levels before it have dropped, and only the last one drops any.
    """
    listed = list(spans)
    rows: list[tuple[Field, list[Span], list[Span]]] = []
    for track, levels in groupby(field.tracks):
        rest = [span for span in listed if span.label in track.labels]
        for _ in levels:
            kept, rest = drop_overlapping(rest)
            rows.append((track, kept, []))
        rows[-1] = (track, kept, rest)
    return rows


def lost_by_overlap(field: Field, spans: Iterable[Span]) -> list[Span]:
    """Return the spans of a field that overlap a longer one of the same sequence of tags, sorted by offsets.

    None while the number of levels is not known.
    """
    if field.scheme == LEVELS and not field.levels:
        return []
    return sorted(span for _, _, dropped in by_track(field, spans) for span in dropped)


def with_levels(fields: Iterable[Field], documents: Sequence[Document]) -> tuple[Field, ...]:
    """Return fields with the number of levels that express all spans of these documents, where it is not known."""
    return tuple(
        replace(field, levels=tuple(_depth(field.name, label, documents) for label in field.labels))
        if field.scheme == LEVELS and not field.levels
        else field
        for field in fields
    )


def without_levels(fields: Iterable[AnyField]) -> tuple[AnyField, ...]:
    """Return fields without the number of levels, which follows from the labels and may differ in two runs."""
    return tuple(replace(field, levels=()) if isinstance(field, Field) else field for field in fields)


def _depth(name: str, label: str, documents: Iterable[Document]) -> int:
    """Return the number of sequences of tags that express the spans of a label, from 1 to `MAX_LEVELS`."""
    deepest = 1
    for document in documents:
        rest, depth = [span for span in document.gold.get(name, ()) if span.label == label], 0
        while rest:
            rest, depth = drop_overlapping(rest)[1], depth + 1
        deepest = max(deepest, depth)
    return min(deepest, MAX_LEVELS)


def documents_by_field(
    documents: Sequence[Document], fields: Sequence[AnyFieldT]
) -> Iterator[tuple[AnyFieldT, list[int]]]:
    """Yield each field with the indices of the documents that have gold for it, if there are any."""
    for field in fields:
        indices = [index for index, document in enumerate(documents) if field.name in document.gold]
        if indices:
            yield field, indices
