"""Label budgets: nested, decided by the seed, and plain unless stratified draws are asked for."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace

import pytest
import tiny

from electra_ie.data.document import Document, Span
from electra_ie.data.label_budget import keep_labels, ordered, sample

MANY = [
    Document(f"d{index}", f"text {index}", {"topic": ("trade", "travel", "travel", "other")[index % 4], "names": ()})
    for index in range(80)
]
SHARES = {"trade": 0.25, "travel": 0.5, "other": 0.25}
DRAWS = ("plain", "stratified")


def ids(documents):
    return [document.id for document in documents]


def topics(documents):
    return Counter(document.gold["topic"] for document in documents)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_larger_budget_contains_the_smaller_one(draw):
    kept = [ids(keep_labels(MANY, tiny.FIELDS, budget, 0, draw)[0]) for budget in range(1, 81)]
    for smaller, larger in zip(kept, kept[1:], strict=False):
        assert larger[: len(smaller)] == smaller
        assert len(larger) == len(smaller) + 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("budget", [8, 20, 40])
def test_stratified_draws_keep_the_proportions_of_classes(budget, seed):
    kept, _ = keep_labels(MANY, tiny.FIELDS, budget, seed, "stratified")
    for topic, share in SHARES.items():
        assert abs(topics(kept)[topic] - share * budget) <= 1.5


def test_plain_draws_do_not_read_the_gold():
    without_topic = [replace(document, gold={"names": ()}) for document in MANY]
    for seed in range(5):
        assert ids(ordered(MANY, tiny.FIELDS, seed)) == ids(ordered(without_topic, tiny.FIELDS, seed))
    # 20 of 80 documents without replacement: the count of a class has the variance of a hypergeometric distribution.
    counts = [topics(keep_labels(MANY, tiny.FIELDS, 20, seed)[0])["travel"] for seed in range(400)]
    assert statistics.mean(counts) == pytest.approx(10, abs=0.4)
    assert statistics.pvariance(counts) == pytest.approx(20 * 0.5 * 0.5 * 60 / 79, rel=0.25)


@pytest.mark.parametrize("draw", DRAWS)
def test_other_documents_lose_their_labels_and_none_is_lost(draw):
    bare = [Document("bare", "no gold")]
    kept, pool = keep_labels(MANY + bare, tiny.FIELDS, 20, 0, draw)
    assert len(kept) == 20
    assert all(document.gold for document in kept)
    assert all(document.gold == {} for document in pool)
    assert sorted(ids(kept + pool)) == sorted(ids(MANY + bare))


@pytest.mark.parametrize("draw", DRAWS)
def test_the_sample_is_a_function_of_the_seed(draw):
    assert ids(ordered(MANY, tiny.FIELDS, 0, draw)) == ids(ordered(MANY, tiny.FIELDS, 0, draw))
    draws = {tuple(ids(keep_labels(MANY, tiny.FIELDS, 10, seed, draw)[0])) for seed in range(5)}
    assert len(draws) == 5


def test_draws_are_plain_by_default():
    for seed in range(5):
        assert ids(ordered(MANY, tiny.FIELDS, seed)) == ids(ordered(MANY, tiny.FIELDS, seed, "plain"))
        assert ids(ordered(MANY, tiny.FIELDS, seed)) != ids(ordered(MANY, tiny.FIELDS, seed, "stratified"))


def test_documents_with_spans_only_are_sampled_at_random():
    spans = [Document(f"s{index}", "Arden", {"names": (Span(0, 5, "person"),)}) for index in range(30)]
    draws = {tuple(ids(ordered(spans, [tiny.NAMED], seed))) for seed in range(3)}
    assert len(draws) == 3
    assert all(sorted(order) == sorted(ids(spans)) for order in draws)
    for seed in range(3):
        assert ids(ordered(spans, [tiny.NAMED], seed)) == ids(ordered(spans, [tiny.NAMED], seed, "stratified"))


def test_a_sample_stays_in_order():
    drawn = sample(MANY, 10, 0)
    assert len(drawn) == 10
    assert ids(drawn) == ids(document for document in MANY if document in drawn)
    assert ids(drawn) == ids(sample(MANY, 10, 0)) != ids(sample(MANY, 10, 1))
    assert ids(sample(MANY, 100, 0)) == ids(MANY)
