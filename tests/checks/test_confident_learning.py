"""Confident learning flags and ranks the same labels as cleanlab on the same probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from electra_ie.checks.confident_learning import suspects


def cases(seed: int):
    """Yield labels and probabilities: some with a class without examples, ties, and confident models."""
    draw = np.random.default_rng(seed)
    for _ in range(60):
        classes, size = int(draw.integers(2, 6)), int(draw.integers(10, 120))
        labels = draw.integers(0, classes - int(draw.random() < 0.2 and classes > 2), size)
        labels[: labels.max() + 1] = np.arange(labels.max() + 1)
        probabilities = draw.dirichlet(np.full(classes, 0.5), size)
        probabilities[np.arange(size), labels] += draw.random()
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        yield labels, probabilities.round(2) if draw.random() < 0.3 else probabilities


@pytest.mark.parametrize("seed", range(3))
def test_the_suspects_and_their_order_are_those_of_cleanlab(seed):
    reference = pytest.importorskip("cleanlab.filter").find_label_issues
    total = 0
    for labels, probabilities in cases(seed):
        expected = reference(
            labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
        ).tolist()
        found = suspects(labels, probabilities)[0].tolist()
        own = probabilities[np.arange(len(labels)), labels]
        assert sorted(found) == sorted(expected)
        assert own[found].tolist() == own[expected].tolist(), "only equal probabilities may be in another order"
        total += len(found)
    assert total > 100


def test_the_probable_class_is_returned():
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]])
    found, guesses = suspects(labels, probabilities)
    assert (found.tolist(), guesses.tolist()) == ([2], [1])
