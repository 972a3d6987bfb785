"""Label budgets: nested, in proportion, and decided by the seed."""

from __future__ import annotations

from collections import Counter

import pytest
import tiny

from electra_ie.data.document import Document, Span
from electra_ie.data.label_budget import keep_labels, ordered, sample

MANY = [
    Document(f"d{number}", f"text {number}", {"topic": ("trade", "travel", "travel", "other")[number % 4], "names": ()})
    for number in range(80)
]


def ids(documents):
    return [document.id for document in documents]


def test_a_larger_budget_contains_the_smaller_one():
    kept = [ids(keep_labels(MANY, tiny.FIELDS, budget, 0)[0]) for budget in range(1, 81)]
    for smaller, larger in zip(kept, kept[1:], strict=False):
        assert larger[: len(smaller)] == smaller
        assert len(larger) == len(smaller) + 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("budget", [8, 20, 40])
def test_classes_are_sampled_in_their_proportions(budget, seed):
    """Those of all of train, whose gold decides the draw: a benchmark's few labels have truer shares than a user's."""
    kept, _ = keep_labels(MANY, tiny.FIELDS, budget, seed)
    counts = Counter(document.gold["topic"] for document in kept)
    for topic, share in (("trade", 0.25), ("travel", 0.5), ("other", 0.25)):
        assert abs(counts[topic] - share * budget) <= 1.5


def test_other_documents_lose_their_labels_and_none_is_lost():
    bare = [Document("bare", "no gold")]
    kept, pool = keep_labels(MANY + bare, tiny.FIELDS, 20, 0)
    assert len(kept) == 20
    assert all(document.gold for document in kept)
    assert all(document.gold == {} for document in pool)
    assert sorted(ids(kept + pool)) == sorted(ids(MANY + bare))


def test_the_sample_is_a_function_of_the_seed():
    assert ids(ordered(MANY, tiny.FIELDS, 0)) == ids(ordered(MANY, tiny.FIELDS, 0))
    draws = {tuple(ids(keep_labels(MANY, tiny.FIELDS, 10, seed)[0])) for seed in range(5)}
    assert len(draws) == 5


def test_documents_with_spans_only_are_sampled_at_random():
    spans = [Document(f"s{number}", "Arden", {"names": (Span(0, 5, "person"),)}) for number in range(30)]
    draws = {tuple(ids(ordered(spans, [tiny.NAMED], seed))) for seed in range(3)}
    assert len(draws) == 3
    assert all(sorted(each) == sorted(ids(spans)) for each in draws)


def test_a_sample_stays_in_order():
    drawn = sample(MANY, 10, 0)
    assert len(drawn) == 10
    assert ids(drawn) == ids(document for document in MANY if document in drawn)
    assert ids(drawn) == ids(sample(MANY, 10, 0)) != ids(sample(MANY, 10, 1))
    assert ids(sample(MANY, 100, 0)) == ids(MANY)
