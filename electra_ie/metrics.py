"""Scores: strict span F1, accuracy and macro F1, on documents and never on what a model could read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from electra_ie.document import Span
from electra_ie.labels import Field

MAIN = {"classes": "accuracy", "flags": "macro_f1", "spans": "f1"}
"""The one number by which a checkpoint is chosen, by kind of field."""


def score(field: Field, gold: Sequence[Any], found: Sequence[Any]) -> dict[str, Any]:
    """Compare answers, document by document.

    Returns the numbers of the kind (0 to 1), `labels` (precision, recall, f1 and support of each label),
    `documents`, and under `main` the name of the number that decides.
    """
    scorers: dict[str, Callable[..., dict[str, Any]]] = {"classes": _classes, "flags": _flags, "spans": _spans}
    scorer = scorers[field.kind]
    return {"kind": field.kind, "main": MAIN[field.kind], "documents": len(gold), **scorer(field, gold, found)}


def _spans(field: Field, gold: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Strict F1: same label, same first and last character; what seqeval's strict mode counts, here on characters, so
    that gold which no token sequence can spell (nested, inside a token) still counts as missed."""
    support, proposed, right = Counter[str](), Counter[str](), Counter[str]()
    for known, answer in zip(gold, found, strict=True):
        support.update(span.label for span in set(known))
        proposed.update(span.label for span in set(answer))
        right.update(span.label for span in set(known) & set(answer))
    labels = {label: _ratios(right[label], proposed[label], support[label]) for label in field.labels}
    return {**_ratios(right.total(), proposed.total(), support.total()), "labels": labels}


def _ratios(right: int, proposed: int, support: int) -> dict[str, Any]:
    """Precision, recall and F1; 0 where undefined."""
    return {
        "precision": right / proposed if proposed else 0.0,
        "recall": right / support if support else 0.0,
        "f1": 2 * right / (proposed + support) if proposed + support else 0.0,
        "support": support,
    }


def _classes(field: Field, gold: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    """Accuracy, and macro F1 over the classes that occur in the gold."""
    return {
        "accuracy": sum(one == other for one, other in zip(gold, found, strict=True)) / len(gold) if gold else 0.0,
        **_by_label(field, [{each} for each in gold], [{each} for each in found]),
    }


def _flags(field: Field, gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Macro and micro F1 over the flags that occur in the gold, and the share of documents with every flag right."""
    known, answers = [set(each) for each in gold], [set(each) for each in found]
    exact = sum(one == other for one, other in zip(known, answers, strict=True))
    return {**_by_label(field, known, answers), "exact": exact / len(known) if known else 0.0}


def _by_label(field: Field, gold: Sequence[set[str]], found: Sequence[set[str]]) -> dict[str, Any]:
    counts = {
        label: (
            sum(label in known and label in answer for known, answer in zip(gold, found, strict=True)),
            sum(label in answer for answer in found),
            sum(label in known for known in gold),
        )
        for label in field.labels
    }
    labels = {label: _ratios(*count) for label, count in counts.items()}
    occurring = [each["f1"] for each in labels.values() if each["support"]]
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    return {
        "macro_f1": sum(occurring) / len(occurring) if occurring else 0.0,
        "micro_f1": _ratios(*totals)["f1"],
        "labels": labels,
    }
