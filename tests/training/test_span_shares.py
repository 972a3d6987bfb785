"""Rare types of spans in pseudo-labels."""

from __future__ import annotations

import numpy as np
import pytest

from electra_ie.data.fields import Field
from electra_ie.training.pseudo_labels.span_shares import MAX_SHIFT, raise_rare_types

FIELD = Field("names", "spans", ("PER", "ORG"))
OUTSIDE, B_PER, B_ORG = (FIELD.names.index(name) for name in ("O", "B-PER", "B-ORG"))
DOCUMENT = [B_PER] * 4 + [B_ORG] + [OUTSIDE] * 15
DOCUMENTS = 5
GOLD = np.array(DOCUMENT * DOCUMENTS)
LENGTHS = [len(DOCUMENT)] * DOCUMENTS
"""Documents with equal counts: the standard errors of the shares are 0."""


def teacher(person: float, company: float, words: int = 200) -> np.ndarray:
    """Probabilities of tags; the types differ from word to word, with these means."""
    rows = np.full((words, len(FIELD.names)), 1e-4)
    wave = 1 + 0.9 * np.sin(np.arange(words))
    rows[:, B_PER], rows[:, B_ORG] = person * wave, company * wave[::-1]
    rows[:, OUTSIDE] = 0
    rows[:, OUTSIDE] = 1 - rows.sum(1)
    return rows


def test_rare_type_is_raised_to_its_share_and_others_are_not_lowered():
    before = teacher(0.4, 0.01)
    after = raise_rare_types(FIELD, before, GOLD, LENGTHS)
    assert after[:, B_ORG].mean() == pytest.approx(0.05, rel=1e-3)
    assert after[:, B_PER].mean() > 0.9 * before[:, B_PER].mean()
    assert after.sum(1) == pytest.approx(1)
    assert list(after[:, B_ORG].argsort()) == list(before[:, B_ORG].argsort())


def test_frequent_types_are_left_as_they_are():
    before = teacher(0.4, 0.2)
    assert np.array_equal(raise_rare_types(FIELD, before, GOLD, LENGTHS), before)


def test_type_without_labels_is_not_raised():
    gold = np.array(([B_PER] * 4 + [OUTSIDE] * 16) * DOCUMENTS)
    after = raise_rare_types(FIELD, teacher(0.4, 0.001), gold, LENGTHS)
    assert np.array_equal(after, teacher(0.4, 0.001))


def test_shift_is_limited():
    before = teacher(0.4, 1e-5)
    after = raise_rare_types(FIELD, before, GOLD, LENGTHS)
    odds = (after[:, B_ORG] / after[:, OUTSIDE]) / (before[:, B_ORG] / before[:, OUTSIDE])
    assert np.log(odds) == pytest.approx(MAX_SHIFT, abs=1e-6)


def test_type_is_raised_by_less_if_its_counts_in_the_documents_differ():
    gold = np.array([OUTSIDE] * 100)
    gold[[0, 20, 21, 40, 60, 61]] = B_ORG  # 1, 2, 1, 2, 0 in the documents, 1.2 on average: share 0.06
    error = np.sqrt((2 * 0.2**2 + 2 * 0.8**2 + 1.2**2) * 5 / 4) / 100
    after = raise_rare_types(FIELD, teacher(0.4, 0.005), gold, LENGTHS)
    assert after[:, B_ORG].mean() == pytest.approx(0.06 - error, rel=1e-3)


def test_type_of_few_documents_is_not_raised():
    gold = np.array([OUTSIDE] * 100)
    gold[[0, 1, 2, 20, 21]] = B_ORG
    before = teacher(0.4, 0.001)
    assert np.array_equal(raise_rare_types(FIELD, before, gold, LENGTHS), before)


def test_one_document_does_not_raise_a_type():
    gold = np.array([OUTSIDE] * 100)
    gold[[0, 1, 2, 20, 21]] = B_ORG
    before = teacher(0.4, 0.001)
    assert np.array_equal(raise_rare_types(FIELD, before, gold, [100]), before)
