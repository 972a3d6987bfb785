"""Scores of relations, by the three conventions that Taillé et al. (EMNLP 2020, arXiv 2009.10684) separate.

strict: a relation counts as found if its label, both spans and the labels of both spans are right. boundaries: as
strict, whatever the labels of the spans are. given_spans: the relations that are found between the gold spans. Gold
that no pair can express (too far apart, labels of spans that no training relation has) counts as missed in all three.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

from electra_ie.data.document import Document, Relation
from electra_ie.data.fields import RelationField, documents_by_field
from electra_ie.data.relation_pairs import normalized
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.relations import RelationReader
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.metrics import MAIN, intervals, ratios


def score_relations(
    extractor: TextExtractor, documents: Sequence[Document], results: Sequence[DocumentResult]
) -> dict[str, dict[str, Any]]:
    """Return the scores of each field of relations, with those of `boundaries` and `given_spans`, and intervals.

    Args:
        extractor: The extractor.
        documents: Documents with gold. Each field is scored on those that are labeled for it.
        results: The results of the extractor for them.
    """
    readers = {reader.field: reader for reader in extractor.relation_readers}
    spans = [field.name for field in extractor.fields if field.kind == "spans"]
    scores = {}
    for field, indices in documents_by_field(documents, list(readers)):
        labeled = [documents[index] for index in indices]
        gold = [normalized(field, document.gold[field.name]) for document in labeled]
        found = [_found(field, results[index]) for index in indices]
        given = _between_gold_spans(readers[field], labeled, spans)
        scores[field.name] = {
            **_scores(field, gold, found),
            "boundaries": _total(map(_without_labels, gold), map(_without_labels, found)),
            "given_spans": _total(gold, given),
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
    given = [(document, [span for name in spans for span in document.gold.get(name, ())]) for document in documents]
    related = reader.related(given)
    return [normalized(reader.field, (Relation(*pair, label) for pair, label, _ in found)) for found in related]


def _scores(
    field: RelationField, gold: Sequence[Collection[Relation]], found: Sequence[Collection[Relation]]
) -> dict[str, Any]:
    """Return the strict scores, as `metrics.score` does for fields."""
    labels = {
        label: _total(
            ([each for each in of_text if each.label == label] for of_text in gold),
            ([each for each in of_text if each.label == label] for of_text in found),
        )
        for label in field.labels
    }
    return {
        "kind": field.kind,
        "main": MAIN[field.kind],
        "documents": len(gold),
        **_total(gold, found),
        "labels": labels,
    }


def _total(gold: Iterable[Collection[Hashable]], found: Iterable[Collection[Hashable]]) -> dict[str, Any]:
    """Return precision, recall, F1 and counts over all documents."""
    correct = predicted = support = 0
    for expected, answer in zip(map(set, gold), map(set, found), strict=True):
        correct += len(expected & answer)
        predicted += len(answer)
        support += len(expected)
    return ratios(correct, predicted, support)


def _without_labels(relations: Iterable[Relation]) -> list[Hashable]:
    return [((each.head.start, each.head.end), (each.tail.start, each.tail.end), each.label) for each in relations]
