"""Scores of relations, by the three conventions that Taillé et al. (EMNLP 2020, arXiv 2009.10684) separate.

strict: a relation counts as found if its label, both spans and the labels of both spans are right. boundaries: as
strict, whatever the labels of the spans are. given_spans: the relations that are found between the gold spans. Gold
that no pair can express (too far apart, labels of spans that no training relation has) counts as missed in all three.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from electra_ie.data.anchored.marked_spans import gold_spans
from electra_ie.data.anchored.relation_pairs import normalized
from electra_ie.data.document import Document, Relation
from electra_ie.data.fields import RelationField
from electra_ie.inference.engine.anchored import labeled_for
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.relations import RelationReader
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.metrics import intervals, matches, score


def score_relations(
    extractor: TextExtractor, documents: Sequence[Document], results: Sequence[DocumentResult]
) -> dict[str, dict[str, Any]]:
    """Return the scores of each field of relations, with those of `boundaries` and `given_spans`, and intervals.

    Args:
        extractor: The extractor.
        documents: Documents with gold. Each field is scored on those that are labeled for it.
        results: The results of the extractor for them.
    """
    readers = [reader for reader in extractor.anchored_readers if isinstance(reader, RelationReader)]
    spans = [field.name for field in extractor.fields if field.kind == "spans"]
    scores = {}
    for reader, labeled, own in labeled_for(readers, documents, results):
        field = reader.field
        gold = [normalized(field, document.gold[field.name]) for document in labeled]
        found = [_found(field, result) for result in own]
        given = _between_gold_spans(reader, labeled, spans)
        scores[field.name] = {
            **score(field, gold, found),
            "boundaries": matches(map(_without_labels, gold), map(_without_labels, found)),
            "given_spans": matches(gold, given),
            "intervals": intervals(field, gold, found),
        }
    return scores


def _found(field: RelationField, result: DocumentResult) -> tuple[Relation, ...]:
    found = [finding.relation for finding in result.relations or () if finding.field == field.name]
    return normalized(field, found)


def _between_gold_spans(
    reader: RelationReader, documents: Sequence[Document], spans: Sequence[str]
) -> list[tuple[Relation, ...]]:
    """Return the relations that are found between the gold spans of each document."""
    related = reader.related((document, gold_spans(document, spans)) for document in documents)
    return [
        normalized(reader.field, (Relation(head, tail, label) for (head, tail), label, _ in found)) for found in related
    ]


def _without_labels(relations: Iterable[Relation]) -> list[Hashable]:
    return [(each.head.ranges, each.tail.ranges, each.label) for each in relations]
