"""Strict span F1, accuracy and macro F1, computed per document, with bootstrap confidence intervals.

Gold and predictions are compared on the whole document, so that gold outside the tokens that a model sees is missed,
not ignored.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence, Set
from itertools import chain, pairwise
from typing import Any

import numpy as np

from electra_ie.data.document import Offsets, Span
from electra_ie.data.fields import LISTED_KINDS, AnyField, Field, lost_by_overlap

MAIN = {"classes": "accuracy", "flags": "macro_f1", "spans": "f1", "relations": "f1", "attributes": "f1"}
"""The main score of each kind of field, by which checkpoints are selected."""
NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "f1": "F1"}
"""Display names of the main scores."""
COUNTS = ("support", "found", "false")
"""The counts of a score: gold items, predictions, and predictions that are not in the gold (false positives)."""
DRAWS = 1000
TAIL = 0.025
"""What is outside of an interval of 95 % on each side."""
INTERVAL = (
    f"95 % percentile bootstrap over documents, {DRAWS:,} draws; of a score that is 0 or 1 in all draws, the exact "
    "bound for a share of as many documents"
)
"""How confidence intervals are computed (Efron and Tibshirani 1993, chapter 13)."""
RECORDS = "records"
"""The key of the scores of records, which no field may have as its name."""
MASKING_EFFECT = ("divergence_masked_by_generator", "divergence_masked_at_random")
"""Keys of log.jsonl: the disagreement between discriminator and teacher on texts masked by the generator, and on texts
with as many tokens masked at random."""


def mean_score(scores: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return the mean of the main scores over the fields, by which checkpoints are selected.

    Fields whose main score is not defined are left out; None if it is defined for no field.

    Args:
        scores: The scores of a split, as in scores.json: for each field the result of `score`, and those of records.
    """
    of_fields = [of_field for name, of_field in scores.items() if name != RECORDS]
    defined = [of_field[of_field["main"]] for of_field in of_fields if of_field[of_field["main"]] is not None]
    return sum(defined) / len(defined) if defined else None


def score(field: AnyField, gold: Sequence[Any], predicted: Sequence[Any]) -> dict[str, Any]:
    """Score the predictions for one field against the gold, document by document.

    Spans are scored by seqeval (strict mode, scheme IOB2), classes and flags by scikit-learn. A score that is not
    defined is None, where these libraries return 0 or the value of `zero_division`: precision without predictions, and
    recall and F1 without gold. F1 is 0 where there is gold and nothing is predicted. Macro F1 is the mean over the
    labels with gold.

    Args:
        field: The field that is scored.
        gold: The gold of each document: a class, a collection of flags, or one of spans, relations or attributes.
        predicted: The prediction for each document, of the same type.

    Returns:
        The scores of the field's kind (0 to 1), the counts `support` (gold items), `found` (predictions) and `false`
        (false positives), `labels` (precision, recall, F1 and the counts of each label), `documents`, and under `main`
        the name of the main score. Spans also have `overlapping`: the gold spans (part of `support`) that overlap a
        longer one, so that no tag sequence can contain both; and of a field with fragments `fragments`: precision,
        recall, F1 and the counts of the spans that have several.
    """
    scorers: dict[str, Callable[..., dict[str, Any]]] = {"classes": _classes, "flags": _flags, "spans": _spans}
    scorer = scorers.get(field.kind, _items)
    return {"kind": field.kind, "main": MAIN[field.kind], "documents": len(gold), **scorer(field, gold, predicted)}


def _spans(field: Field, gold: Sequence[Collection[Span]], predicted: Sequence[Collection[Span]]) -> dict[str, Any]:
    """Return precision, recall and F1 of exact matches: same label, same first and last character, of each fragment.

    seqeval supplies the counts and `ratios` the scores, as the same counts then give the same float: training keeps
    the earlier one of two checkpoints with equal scores.
    """
    from seqeval.scheme import IOB2, Entities

    kinds = dict.fromkeys([*((label, ()) for label in field.labels), *map(_kind, chain(*gold, *predicted))])
    # seqeval strips hyphens from the labels in tags, so the tags hold an index: "-A" and "A" stay different labels.
    names = {kind: str(index) for index, kind in enumerate(kinds)}
    label_of = {name: label for (label, _), name in names.items()}
    sequences: tuple[list[list[str]], list[list[str]]] = [], []
    overlapping = 0
    for gold_spans, predicted_spans in zip(map(set, gold), map(set, predicted), strict=True):
        gold_tags, predicted_tags = _tag_segments(gold_spans, predicted_spans, names)
        sequences[0].extend(gold_tags)
        sequences[1].extend(predicted_tags)
        if len(gold_tags) > 1:  # some spans overlap, of the gold or of the predictions
            overlapping += len(lost_by_overlap(field, gold_spans))
    gold_entities, predicted_entities = (set(chain(*Entities(tags, IOB2).entities)) for tags in sequences)
    counts = [
        Counter(label_of[entity.tag] for entity in entities)
        for entities in (gold_entities & predicted_entities, predicted_entities, gold_entities)
    ]
    return {
        **ratios(*(counter.total() for counter in counts)),
        "overlapping": overlapping,
        "labels": {label: ratios(*(counter[label] for counter in counts)) for label in field.labels},
        **({"fragments": _of_fragments(gold, predicted)} if field.fragments else {}),
    }


Kind = tuple[str, tuple[Offsets, ...]]
"""What spans of equal offsets need to have in common to be the same: label and fragments."""


def _kind(span: Span) -> Kind:
    return span.label, span.fragments


def _of_fragments(gold: Sequence[Collection[Span]], predicted: Sequence[Collection[Span]]) -> dict[str, Any]:
    """Return precision, recall and F1 of the spans of several fragments."""
    several = [[[span for span in spans if span.fragments] for spans in side] for side in (gold, predicted)]
    return matches(*several)


def with_fragments(score: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of the labels of a field, as a table has them: with those of fragments, if there are any."""
    fragments = {"(several fragments)": score["fragments"]} if "fragments" in score else {}
    return {**score["labels"], **fragments}


def _tag_segments(
    gold: Set[Span], predicted: Set[Span], names: Mapping[Kind, str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the IOB2 tags of one document's gold and predicted spans, as equally many sequences of equal length.

    The tags are those of segments: the text is cut at every boundary of a span, so that any span is a whole number of
    segments, whatever the tokens of the model are, with those between its fragments. The first sequence holds all spans
    unless some of them overlap. Each further one holds what overlaps a span in those before it, usually gold that
    counts as missed, since its predicted counterpart is "O" throughout.
    """
    boundaries = sorted({boundary for span in chain(gold, predicted) for boundary in (span.start, span.end)})
    index = {boundary: position for position, boundary in enumerate(boundaries)}
    # What is in both goes first, so that a match is in the same sequence on both sides.
    layers = [_split_overlapping(gold, first=predicted), _split_overlapping(predicted, first=gold)]
    depth = max(map(len, layers))
    gold_tags, predicted_tags = (
        [_tags(layer, index, names) for layer in [*side, *([[]] * (depth - len(side)))]] for side in layers
    )
    return gold_tags, predicted_tags


def _split_overlapping(spans: Set[Span], first: Set[Span]) -> list[list[Span]]:
    """Split spans into lists without overlaps. Those that are also in `first` take precedence, then longer ones."""
    in_order = sorted(spans, key=lambda span: span.start)
    if all(before.end <= after.start for before, after in pairwise(in_order)):
        return [in_order]
    layers: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span not in first, span.start - span.end, span)):
        for layer in layers:
            position = bisect(layer, span)
            neighbors = layer[max(0, position - 1) : position + 1]
            if all(other.end <= span.start or span.end <= other.start for other in neighbors):
                break
        else:
            layer = []
            layers.append(layer)
        insort(layer, span)
    return layers


def _tags(spans: Iterable[Span], index: Mapping[int, int], names: Mapping[Kind, str]) -> list[str]:
    """Return one tag per segment. `index` maps a character offset to the segment that begins there."""
    tags = ["O"] * (len(index) - 1)
    for span in spans:
        first, last = index[span.start], index[span.end]
        name = names[_kind(span)]
        tags[first:last] = [f"B-{name}", *([f"I-{name}"] * (last - first - 1))]
    return tags


def ratios(correct: int, found: int, support: int) -> dict[str, Any]:
    """Return precision, recall and F1 (None where not defined, see `score`) and the counts."""
    return {
        "precision": _divide(correct, found),
        "recall": _divide(correct, support),
        "f1": 2 * correct / (found + support) if support else None,
        "support": support,
        "found": found,
        "false": found - correct,
    }


def _items(field: AnyField, gold: Sequence[Collection[Any]], predicted: Sequence[Collection[Any]]) -> dict[str, Any]:
    """Return precision, recall and F1 of relations or attributes that are equal to gold, also by label."""
    labels = {
        label: matches(
            ([each for each in of_text if each.label == label] for of_text in gold),
            ([each for each in of_text if each.label == label] for of_text in predicted),
        )
        for label in field.labels
    }
    return {**matches(gold, predicted), "labels": labels}


def matches(gold: Iterable[Collection[Hashable]], found: Iterable[Collection[Hashable]]) -> dict[str, Any]:
    """Return precision, recall, F1 and counts over all documents, of items that have to be equal."""
    correct = predicted = support = 0
    for expected, answer in zip(map(set, gold), map(set, found), strict=True):
        correct += len(expected & answer)
        predicted += len(answer)
        support += len(expected)
    return ratios(correct, predicted, support)


def _divide(numerator: float, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _classes(field: Field, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, and macro F1 over the classes with gold."""
    correct = sum(expected == label for expected, label in zip(gold, predicted, strict=True))
    return {
        "accuracy": _divide(correct, len(gold)),
        **_by_label(field, [{label} for label in gold], [{label} for label in predicted]),
    }


def _flags(field: Field, gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return macro and micro F1 over the flags with gold, and the share of documents with every flag correct."""
    gold_sets, predicted_sets = [set(flags) for flags in gold], [set(flags) for flags in predicted]
    exact = sum(expected == flags for expected, flags in zip(gold_sets, predicted_sets, strict=True))
    return {**_by_label(field, gold_sets, predicted_sets), "exact": _divide(exact, len(gold))}


def _by_label(field: Field, gold: Sequence[Set[str]], predicted: Sequence[Set[str]]) -> dict[str, Any]:
    """Return macro and micro F1, the total counts, and the scores of each label."""
    from sklearn.metrics import precision_recall_fscore_support

    truth, answers = _indicators(field, gold), _indicators(field, predicted)
    found, false = answers.sum(0), (answers & ~truth).sum(0)
    columns = precision_recall_fscore_support(truth, answers, average=None, zero_division=np.nan)
    rows = np.stack([*columns, found, false], axis=1).tolist()
    labels = {label: _defined(*row) for label, row in zip(field.labels, rows[:-1], strict=True)}
    macro = [scores["f1"] for scores in labels.values() if scores["support"]]
    _, _, micro, _ = precision_recall_fscore_support(truth, answers, average="micro", zero_division=np.nan)
    return {
        "macro_f1": _divide(sum(macro), len(macro)),
        "micro_f1": float(micro) if macro else None,
        **{name: sum(scores[name] for scores in labels.values()) for name in COUNTS},
        "labels": labels,
    }


def _indicators(field: Field, documents: Sequence[Set[str]]) -> np.ndarray:
    """Return a boolean matrix (N + 1, L + 1): which document has which label.

    The last row and column are False and change no count. scikit-learn refuses a matrix without rows, and reads one of
    a single column as binary classes.
    """
    matrix = np.zeros((len(documents) + 1, len(field.labels) + 1), dtype=bool)
    for column, label in enumerate(field.labels):
        matrix[:-1, column] = [label in labels for labels in documents]
    return matrix


def _defined(precision: float, recall: float, f1: float, support: float, found: float, false: float) -> dict[str, Any]:
    """Return scikit-learn's scores of a label with None for what is not defined (see `score`), and the counts."""
    return {
        "precision": precision if found else None,
        "recall": recall if support else None,
        "f1": f1 if support else None,
        "support": int(support),
        "found": int(found),
        "false": int(false),
    }


def intervals(field: AnyField, gold: Sequence[Any], predicted: Sequence[Any]) -> dict[str, Any]:
    """Return 95 % confidence intervals of the main score and of each label's F1, by bootstrap over documents.

    The intervals show the variation over other documents of the same kind, not the variation between trainings. A draw
    without any gold counts as 0: leaving such draws out would narrow the interval of a label that few documents have.

    If all draws give 0 or all give 1, the bootstrap has no width. The end is then the bound for the share of documents
    that are right, if all or none of as many were (Clopper and Pearson, 1934): 0.025^(1/n) for n documents.

    Returns:
        The lower and upper end under the name of the main score, and under `labels` those of each label; None where
        the score is not defined.
    """
    counts = _counts(field, gold, predicted)
    correct, found, support = _resample(counts)
    f1 = _f1(correct, found, support)
    if field.kind in LISTED_KINDS:
        main = _f1(correct.sum(1), found.sum(1), support.sum(1))
    elif field.kind == "classes":
        main = correct.sum(1) / max(len(gold), 1)
    else:
        with_gold = support > 0
        main = (f1 * with_gold).sum(1) / np.maximum(with_gold.sum(1), 1)
    occurs: np.ndarray = counts.sum(2) > 0
    labels = {
        label: _ends(f1[:, column], int(occurs[:, column].sum())) if counts[:, column, 2].any() else None
        for column, label in enumerate(field.labels)
    }
    defined = len(gold) > 0 if field.kind == "classes" else bool(counts[:, :, 2].any())
    return {MAIN[field.kind]: _ends(main, int(occurs.any(1).sum())) if defined else None, "labels": labels}


def _counts(field: AnyField, gold: Sequence[Any], predicted: Sequence[Any]) -> np.ndarray:
    """Return (N, L, 3): the correct predictions, all predictions and the gold items of each document and label."""
    counts = np.zeros((len(gold), len(field.labels), 3))
    columns = {label: column for column, label in enumerate(field.labels)}
    for row, pair in enumerate(zip(gold, predicted, strict=True)):
        expected, answer = ({value} if isinstance(value, str) else set(value) for value in pair)
        for kind, items in enumerate((expected & answer, answer, expected)):
            for item in items:
                counts[row, columns[item if isinstance(item, str) else item.label], kind] += 1
    return counts


def _resample(counts: np.ndarray) -> np.ndarray:
    """Return (3, D, L): the counts (N, L, 3) summed over N documents drawn with replacement, for each of D draws."""
    size = len(counts)
    rng = np.random.default_rng(0)  # fixed, so that the same documents give the same interval
    batch = 50  # draws at a time: bounds the memory
    weights = (rng.multinomial(size, np.full(size, 1 / max(size, 1)), size=batch) for _ in range(DRAWS // batch))
    # A sum over drawn documents is a product with how often each was drawn.
    sums = [times.astype(float) @ counts.reshape(size, -1) for times in weights]
    return np.moveaxis(np.concatenate(sums).reshape(DRAWS, -1, 3), 2, 0)


def _f1(correct: np.ndarray, found: np.ndarray, support: np.ndarray) -> np.ndarray:
    f1: np.ndarray = 2 * correct / np.maximum(found + support, 1)
    return f1


def _ends(values: np.ndarray, documents: int) -> list[float]:
    """Return the ends of an interval of draws. documents: those that have gold or predictions."""
    low, high = np.percentile(values, (100 * TAIL, 100 * (1 - TAIL)))
    bound = TAIL ** (1 / max(documents, 1))
    if low == high == 1:
        low = bound
    if low == high == 0:
        high = 1 - bound
    return [round(float(end), 4) for end in (low, high)]
