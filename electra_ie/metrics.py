"""Scores: strict span F1, accuracy and macro F1, on documents and never on what a model could read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from electra_ie.data.document import Span
from electra_ie.data.fields import Field

MAIN = {"classes": "accuracy", "flags": "macro_f1", "spans": "f1"}
"""The one number by which a checkpoint is chosen, by kind of field."""
NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "f1": "F1"}
"""These numbers for people."""
COUNTS = ("support", "found", "false")
"""The counts of a score: of gold, of answers, and of answers that are not in the gold."""
DRAWS = 1000
INTERVAL = f"95 % percentile bootstrap over documents, {DRAWS:,} draws"
"""How intervals are made (Efron and Tibshirani 1993, chapter 13)."""


def score(field: Field, gold: Sequence[Any], found: Sequence[Any]) -> dict[str, Any]:
    """Compare answers, document by document.

    Returns the numbers of the kind (0 to 1), `labels` (precision, recall, f1 and counts of each label), `documents`,
    and under `main` the name of the number that decides. The counts, also in total: `support`, what the gold holds;
    `found`, what was answered; `false`, what of that is not in the gold.

    A number that is not defined is None. Precision is right / found: not defined where nothing was found. Recall is
    right / support, and F1 is 2 * right / (found + support): not defined without gold, where nothing could be found
    rightly and only the false findings can be counted. (scikit-learn and seqeval give F1 0 there, or what
    `zero_division` says.) Where there is gold and nothing was found, F1 is 0. Macro F1 is the mean over the labels
    with gold.
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
    """Precision, recall and F1, None where not defined (see `score`), and the counts."""
    return {
        "precision": _share(right, proposed),
        "recall": _share(right, support),
        "f1": 2 * right / (proposed + support) if support else None,
        "support": support,
        "found": proposed,
        "false": proposed - right,
    }


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _classes(field: Field, gold: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    """Accuracy, and macro F1 over the classes that occur in the gold."""
    return {
        "accuracy": _share(sum(one == other for one, other in zip(gold, found, strict=True)), len(gold)),
        **_by_label(field, [{each} for each in gold], [{each} for each in found]),
    }


def _flags(field: Field, gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Macro and micro F1 over the flags that occur in the gold, and the share of documents with every flag right."""
    known, answers = [set(each) for each in gold], [set(each) for each in found]
    exact = sum(one == other for one, other in zip(known, answers, strict=True))
    return {**_by_label(field, known, answers), "exact": _share(exact, len(known))}


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
    total = _ratios(*(sum(column) for column in zip(*counts.values(), strict=True)))
    return {
        "macro_f1": _share(sum(occurring), len(occurring)),
        "micro_f1": total["f1"],
        **{name: total[name] for name in COUNTS},
        "labels": labels,
    }


def intervals(field: Field, gold: Sequence[Any], found: Sequence[Any]) -> dict[str, Any]:
    """How far the numbers of `score` would lie apart on other documents of the same kind: the ends of 95 % intervals of
    the number that decides, under its name, and under `labels` of each label's F1; None where the number is not
    defined.

    The documents are drawn again with replacement. What differs between two trainings is not in it. A draw without any
    gold counts as 0: without these draws the interval of a label that few documents have would be narrower still.
    """
    counts = _counts(field, gold, found)
    right, proposed, support = _redrawn(counts)
    f1 = _f1(right, proposed, support)
    if field.kind == "spans":
        main = _f1(right.sum(1), proposed.sum(1), support.sum(1))
    elif field.kind == "classes":
        main = right.sum(1) / max(len(gold), 1)
    else:
        occurring = support > 0
        main = (f1 * occurring).sum(1) / np.maximum(occurring.sum(1), 1)
    labels = {
        label: _ends(f1[:, place]) if counts[:, place, 2].any() else None for place, label in enumerate(field.labels)
    }
    known = len(gold) > 0 if field.kind == "classes" else bool(counts[:, :, 2].any())
    return {MAIN[field.kind]: _ends(main) if known else None, "labels": labels}


def _counts(field: Field, gold: Sequence[Any], found: Sequence[Any]) -> np.ndarray:
    """(N, L, 3): of each document and label how many answers are right, how many were given, how many there are."""
    counts = np.zeros((len(gold), len(field.labels), 3))
    place = {label: number for number, label in enumerate(field.labels)}
    for row, pair in enumerate(zip(gold, found, strict=True)):
        known, answer = ({each} if isinstance(each, str) else set(each) for each in pair)
        for column, some in enumerate((known & answer, answer, known)):
            for each in some:
                counts[row, place[each.label if isinstance(each, Span) else each], column] += 1
    return counts


def _redrawn(counts: np.ndarray) -> np.ndarray:
    """(N, L, 3) -> (3, D, L): the sums over as many documents, drawn with replacement, D times."""
    size = len(counts)
    draw = np.random.default_rng(0)  # the same documents give the same interval
    at_once = 50  # bounds the memory
    times = (draw.multinomial(size, np.full(size, 1 / max(size, 1)), size=at_once) for _ in range(DRAWS // at_once))
    sums = [each.astype(float) @ counts.reshape(size, -1) for each in times]
    return np.moveaxis(np.concatenate(sums).reshape(DRAWS, -1, 3), 2, 0)


def _f1(right: np.ndarray, proposed: np.ndarray, support: np.ndarray) -> np.ndarray:
    return 2 * right / np.maximum(proposed + support, 1)


def _ends(values: np.ndarray) -> list[float]:
    return [round(float(end), 4) for end in np.percentile(values, (2.5, 97.5))]


ACHIEVED = ("disagreement_hidden_by_generator", "disagreement_hidden_by_chance")
"""What log.jsonl calls how far the discriminator is from its teacher on texts of which the generator hides tokens, and
on those of which as many are hidden by chance."""
