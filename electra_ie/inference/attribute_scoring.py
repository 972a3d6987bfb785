"""Scores of attributes of spans, and those of a rule on the same spans.

strict: an attribute counts as found if its label, its span and the label of the span are right. given_spans: the labels
that are found for the gold spans, as accuracy and macro F1. rule_baseline: those of the rules of `cue_rules` for the
same spans. A gold span without a gold attribute takes no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from electra_ie.data.anchored.marked_spans import gold_spans
from electra_ie.data.document import Attribute, Document
from electra_ie.data.fields import AttributeField
from electra_ie.inference.cue_rules import CueRules
from electra_ie.inference.engine.anchored import labeled_for
from electra_ie.inference.engine.attributes import AttributeReader
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.metrics import intervals, score

Attributes = Sequence[Sequence[Attribute]]
"""Those of each document."""


def score_attributes(
    extractor: TextExtractor, documents: Sequence[Document], results: Sequence[DocumentResult]
) -> dict[str, dict[str, Any]]:
    """Return the scores of each field of attributes, with `given_spans`, `rule_baseline` and intervals.

    Args:
        extractor: The extractor.
        documents: Documents with gold. Each field is scored on those that are labeled for it.
        results: The results of the extractor for them.
    """
    readers = [reader for reader in extractor.anchored_readers if isinstance(reader, AttributeReader)]
    names = [field.name for field in extractor.fields if field.kind == "spans"]
    scores = {}
    for reader, labeled, own in labeled_for(readers, documents, results):
        field = reader.field
        gold: Attributes = [document.gold[field.name] for document in labeled]
        found = [_found(field, document, result, names) for document, result in zip(labeled, own, strict=True)]
        of_gold = [(document, [each.span for each in of_text]) for document, of_text in zip(labeled, gold, strict=True)]
        given = [[Attribute(span, label) for (span,), label, _ in of_text] for of_text in reader.classified(of_gold)]
        scores[field.name] = {
            **score(field, gold, found),
            "intervals": intervals(field, gold, found),
            "given_spans": score_given_spans(field, gold, given),
            "rule_baseline": score_rule(field, reader.rules.common, labeled),
        }
    return scores


def score_rule(field: AttributeField, common: str, documents: Sequence[Document]) -> dict[str, Any]:
    """Return name and scores of the rule baseline of a field.

    Args:
        field: The field.
        common: The most frequent label of its labeled spans in train.
        documents: Documents that are labeled for the field.
    """
    rules = CueRules.of(field, common)
    gold: list[Sequence[Attribute]] = [document.gold[field.name] for document in documents]
    found = []
    for document, of_text in zip(documents, gold, strict=True):
        spans = [each.span for each in of_text]
        found.append([Attribute(*each) for each in zip(spans, rules.answers(document.text, spans), strict=True)])
    return {"rule": rules.name, **score_given_spans(field, gold, found)}


def _found(field: AttributeField, document: Document, result: DocumentResult, spans: Sequence[str]) -> list[Attribute]:
    """Return the attributes that are found, but not those of gold spans whose attribute is unknown."""
    unknown = set(gold_spans(document, spans)) - {each.span for each in document.gold[field.name]}
    return [
        Attribute(finding.span, each.label)
        for finding in result.findings
        for each in finding.attributes or ()
        if each.field == field.name and finding.span not in unknown
    ]


def score_given_spans(field: AttributeField, gold: Attributes, given: Attributes) -> dict[str, Any]:
    """Return the scores of one label for each gold span, with intervals over documents.

    The share of right labels is the accuracy, and equals the F1 over all labels.

    Args:
        field: The field.
        gold: The gold of each document.
        given: For each document, an attribute of each of these spans.
    """
    scores, ends = score(field, gold, given), intervals(field, gold, given)
    with_gold = [values["f1"] for values in scores["labels"].values() if values["support"]]
    return {
        "accuracy": scores["f1"],
        "macro_f1": sum(with_gold) / len(with_gold) if with_gold else None,
        "support": scores["support"],
        "labels": scores["labels"],
        "intervals": {"accuracy": ends["f1"], "labels": ends["labels"]},
    }
