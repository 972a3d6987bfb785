"""Features of annotation: what a format can hold, what a document has, and what is lost between them.

A format declares the features that it holds. `reduced` removes the others from a document, and counts them: this is the
loss of a conversion, and what the format has to return for the document that was written. So losses are computed, not
described by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    AnyAnnotation,
    Relation,
    without,
)
from electra_ie.formats.concepts import LOST, relations_of_concepts


class Feature(Enum):
    """A feature of annotation. The value is what a report calls it."""

    IDS = "ids of documents"
    SPANS = "spans"
    FRAGMENTS = "spans of several fragments"
    NESTED = "spans within others"
    CROSSING = "spans that cross others"
    EQUAL = "spans with the offsets of others"
    LAYERS = "layers of spans"
    UNANNOTATED = "documents that were not annotated"
    RELATIONS = "relations"
    MANY_ARGUMENTS = "relations of other than two arguments"
    SYMMETRIC = "relations without order"
    EVENT_ARGUMENTS = "relations with events"
    RELATION_LAYERS = "layers of relations"
    EVENTS = "events"
    SPAN_ATTRIBUTES = "attributes of spans"
    OTHER_ATTRIBUTES = "attributes of relations and events"
    SPAN_REFERENCES = "references of spans"
    OTHER_REFERENCES = "references of relations and events"
    SPAN_NOTES = "notes on spans"
    OTHER_NOTES = "notes on relations and events"
    DOCUMENT_NOTES = "notes on documents"
    LABELS = "labels of documents"
    QUESTIONS = "names of questions"
    SCORES = "scores"
    ORIGINS = "origins of annotations"
    PREDICTED = "marks of predictions"
    METADATA = "other values of records"


NOT_RELATED = "documents whose relations were not annotated"
"""What is lost of a document with spans, in a format without layers of relations: it has none there."""
Losses = Counter[str]
"""Counts by what is lost: names of features, and further ones that a format names itself."""


def reduced(document: AnnotatedDocument, held: Collection[Feature]) -> tuple[AnnotatedDocument, Losses]:
    """Return a document without the features that are not among `held`, and how often each was removed.

    Of spans that overlap where the format allows none (in one layer, if it has layers), the longest is kept, of equally
    long ones the first. Relations and events with a span that is removed are removed, and counted, too.
    """
    losses: Losses = Counter()
    for step in _STEPS:
        document = step(document, held, losses)
    return document, losses


def _count(losses: Losses, feature: Feature, number: int) -> None:
    if number:
        losses[feature.value] += number


def _record(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove what belongs to the record as a whole."""
    if Feature.IDS not in held:
        _count(losses, Feature.IDS, bool(document.id))
        document = replace(document, id="")
    if Feature.METADATA not in held:
        concepts = relations_of_concepts(document.metadata)
        losses.update([LOST] * len(concepts))
        _count(losses, Feature.METADATA, len(document.metadata) - bool(concepts))
        document = replace(document, metadata={})
    if Feature.DOCUMENT_NOTES not in held:
        _count(losses, Feature.DOCUMENT_NOTES, len(document.notes))
        document = replace(document, notes=())
    if Feature.PREDICTED not in held:
        _count(losses, Feature.PREDICTED, document.predicted)
        document = replace(document, predicted=False)
    return document


def _labels(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove labels of the document, or the names of their questions: with one question it is called `labels`."""
    if Feature.LABELS not in held:
        _count(losses, Feature.LABELS, len(document.labels))
        return replace(document, labels={}, label_scores={}, label_origins={})
    if Feature.QUESTIONS not in held:
        names = [name for name in document.labels if name != ONE_QUESTION]
        _count(losses, Feature.QUESTIONS, len(names))
        if names:
            joined = tuple(dict.fromkeys(label for labels in document.labels.values() for label in labels))
            document = replace(
                document, labels={ONE_QUESTION: joined}, label_scores=_of_only_question(document, "label_scores"),
                label_origins=_of_only_question(document, "label_origins"),
            )  # fmt: skip
    return document


def _of_only_question(document: AnnotatedDocument, name: str) -> dict[str, Any]:
    """Return what a document says of its labels under the name of the only question; nothing if there are several."""
    values = list(getattr(document, name).values())
    return {ONE_QUESTION: values[0]} if values and len(document.labels) == 1 else {}


ONE_QUESTION = "labels"
"""The question of labels in formats that have no names of questions."""


def _spans(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove spans that the format cannot hold."""
    if Feature.SPANS not in held:
        _count(losses, Feature.SPANS, len(document.spans))
        return replace(_dropping(document, document.spans, losses), layers=None)
    if Feature.FRAGMENTS not in held:
        several = [span for span in document.spans if len(span.fragments) > 1]
        _count(losses, Feature.FRAGMENTS, len(several))
        document = _dropping(document, several, losses)
    for feature in (Feature.EQUAL, Feature.NESTED, Feature.CROSSING):
        if feature not in held:
            lost = [span for spans in _sets(document, held) for span in _overlapping(spans, feature)]
            _count(losses, feature, len(lost))
            document = _dropping(document, lost, losses)
    return document


def _layers(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove the names of layers, and whether a document was annotated."""
    if document.layers is None and Feature.SPANS in held and Feature.UNANNOTATED not in held:
        _count(losses, Feature.UNANNOTATED, 1)
        document = replace(document, layers=("",))
    if Feature.LAYERS not in held and document.layers not in (None, ("",)):
        _count(losses, Feature.LAYERS, sum(layer != "" for layer in document.layers or ()))
        document = replace(document, layers=("",), spans=tuple(replace(span, layer="") for span in document.spans))
    return document


def _relations(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove relations and events that the format cannot hold."""
    events = {event.id for event in document.events}

    def lost(feature: Feature, relations: Sequence[Relation]) -> None:
        nonlocal document
        _count(losses, feature, len(relations))
        document = _dropping(document, relations, losses)

    if Feature.RELATIONS not in held:
        lost(Feature.RELATIONS, document.relations)
    if Feature.EVENT_ARGUMENTS not in held:
        to_events = [item for item in document.relations if any(target in events for _, target in item.arguments)]
        lost(Feature.EVENT_ARGUMENTS, to_events)
    if Feature.MANY_ARGUMENTS not in held:
        lost(Feature.MANY_ARGUMENTS, [item for item in document.relations if len(item.arguments) != PAIR])
    if Feature.SYMMETRIC not in held:
        _count(losses, Feature.SYMMETRIC, sum(item.symmetric for item in document.relations))
        ordered = tuple(replace(item, symmetric=False) for item in document.relations)
        document = replace(document, relations=ordered)
    if Feature.EVENTS not in held:
        _count(losses, Feature.EVENTS, len(document.events))
        document = _dropping(document, document.events, losses)
    if Feature.RELATION_LAYERS not in held:
        if Feature.RELATIONS in held:
            _count(losses, Feature.RELATION_LAYERS, sum(layer != "" for layer in document.relation_layers))
            losses.update([NOT_RELATED] * (not document.relation_layers and document.layers is not None))
        nameless = tuple(replace(item, layer="") for item in document.relations)
        document = replace(document, relations=nameless, relation_layers=("",))
    return document


PAIR = 2
"""The number of arguments of most relations."""


def _details(document: AnnotatedDocument, held: Collection[Feature], losses: Losses) -> AnnotatedDocument:
    """Remove attributes, references, notes, scores and origins that the format cannot hold."""
    of_spans = (Feature.SPAN_ATTRIBUTES, Feature.SPAN_REFERENCES, Feature.SPAN_NOTES)
    of_others = (Feature.OTHER_ATTRIBUTES, Feature.OTHER_REFERENCES, Feature.OTHER_NOTES)
    if Feature.SCORES not in held and document.label_scores:
        _count(losses, Feature.SCORES, sum(len(scores) for scores in document.label_scores.values()))
        document = replace(document, label_scores={})
    if Feature.ORIGINS not in held:
        _count(losses, Feature.ORIGINS, len(document.label_origins))
        document = replace(document, label_origins={})

    def bare(annotation: AnyAnnotation, named: tuple[Feature, Feature, Feature]) -> AnyAnnotation:
        attributes, references, notes = named
        if attributes not in held:
            _count(losses, attributes, len(annotation.attributes))
            annotation = replace(annotation, attributes=())
        if references not in held:
            _count(losses, references, len(annotation.references))
            annotation = replace(annotation, references=())
        if notes not in held:
            _count(losses, notes, len(annotation.notes))
            annotation = replace(annotation, notes=())
        if Feature.SCORES not in held:
            _count(losses, Feature.SCORES, annotation.score is not None)
            annotation = replace(annotation, score=None)
        if Feature.ORIGINS not in held:
            _count(losses, Feature.ORIGINS, annotation.origin != "")
            annotation = replace(annotation, origin="")
        return annotation

    return replace(
        document,
        spans=tuple(bare(span, of_spans) for span in document.spans),
        relations=tuple(bare(relation, of_others) for relation in document.relations),
        events=tuple(bare(event, of_others) for event in document.events),
    )


def _dropping(document: AnnotatedDocument, lost: Sequence[Annotation], losses: Losses) -> AnnotatedDocument:
    """Return a document without these annotations; the relations and events that go with them are counted."""
    kept = without(document, [annotation.id for annotation in lost])
    own = {annotation.id for annotation in lost}
    left = {annotation.id for annotation in kept.annotations}
    _count(losses, Feature.RELATIONS, sum(item.id not in left | own for item in document.relations))
    _count(losses, Feature.EVENTS, sum(event.id not in left | own for event in document.events))
    return kept


def _sets(document: AnnotatedDocument, held: Collection[Feature]) -> list[list[AnnotatedSpan]]:
    """Return the spans of each layer, or all as one set if the format has no layers."""
    sets: dict[str, list[AnnotatedSpan]] = {}
    for span in document.spans:
        sets.setdefault(span.layer if Feature.LAYERS in held else "", []).append(span)
    return list(sets.values())


def _overlapping(spans: Sequence[AnnotatedSpan], feature: Feature) -> Iterator[AnnotatedSpan]:
    """Yield the shorter span of each pair that overlaps in this way, once; of equally long ones the later."""
    ordered = sorted(spans, key=lambda span: (-_length(span), span.fragments))
    rank = {span.id: number for number, span in enumerate(ordered)}
    pairs = [sorted(pair, key=lambda span: rank[span.id]) for pair in _overlapping_pairs(spans)]
    dropped: set[str] = set()
    for first, second in sorted(pairs, key=lambda pair: [rank[span.id] for span in pair]):
        if _overlap(first, second) is feature and not {first.id, second.id} & dropped:
            dropped.add(second.id)
            yield second


def _overlapping_pairs(spans: Sequence[AnnotatedSpan]) -> Iterator[tuple[AnnotatedSpan, AnnotatedSpan]]:
    """Yield the pairs of spans whose characters, from the first to the last, overlap."""
    open_spans: list[AnnotatedSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        open_spans = [other for other in open_spans if other.end > span.start]
        yield from ((other, span) for other in open_spans)
        open_spans.append(span)


def _overlap(first: AnnotatedSpan, second: AnnotatedSpan) -> Feature:
    """Return how two overlapping spans lie: with equal offsets, one within the other, or crossing."""
    if first.fragments == second.fragments:
        return Feature.EQUAL
    outer, inner = sorted((first, second), key=_length, reverse=True)
    return Feature.NESTED if outer.start <= inner.start and inner.end <= outer.end else Feature.CROSSING


def _length(span: AnnotatedSpan) -> int:
    return span.end - span.start


_STEPS = (_record, _labels, _spans, _relations, _details, _layers)
