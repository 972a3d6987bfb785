"""Co-training of flags: words and sentences teach each other on unlabeled texts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from electra_ie.training.pseudo_labels import flag_views
from electra_ie.training.pseudo_labels.flag_views import CoTrainedFlags, aligned, aligned_loss

EVIDENCE = (
    "the cash came in small parts", "parts of the money were paid in cash", "small sums again and again",
    "again a small sum at the desk", "the desk counted parts of a sum", "coins and notes at the desk",
)  # fmt: skip
"""Each shares words with the next one only, so that a few labels lead to all of them through unlabeled texts."""
OTHER = (
    "the goods left the port", "a lease for the office", "the train was late", "rent for the office in march",
    "the port was closed in march", "a late train to the port", "the lease ends in winter", "winter goods in the office",
)  # fmt: skip


def drawn(count: int, seed: int, evidence=EVIDENCE) -> tuple[list[str], np.ndarray]:
    """Return texts of four sentences, one in three with evidence for the first flag; nothing shows the second one."""
    rng = random.Random(seed)
    texts, gold = [], []
    for _ in range(count):
        has_flag = rng.random() < 1 / 3
        parts = rng.sample(OTHER, 4)
        if has_flag:
            parts[rng.randrange(4)] = rng.choice(evidence)
        texts.append(". ".join(parts) + ".")
        gold.append([has_flag, rng.random() < 0.5])
    return texts, np.array(gold)


def encode(sentences):
    """Return a state for each sentence that depends on its words: the sum of a random vector for each."""
    vectors = {}
    states = []
    for sentence in sentences:
        for word in sentence.strip(".").split():
            vectors.setdefault(word, np.random.default_rng(list(word.encode())).normal(size=16))
        total = sum(vectors[word] for word in sentence.strip(".").split())
        states.append(total / np.linalg.norm(total))
    return np.array(states, dtype=np.float32)


def precision_of(unlabeled: int) -> float:
    """Return the average precision of the first flag on the unlabeled texts, without a teacher."""
    labeled, gold = drawn(16, 1, EVIDENCE[:2])
    texts, truth = drawn(unlabeled, 2)
    views = CoTrainedFlags(gold, encode)
    views.fit(labeled, texts, {}, np.zeros((len(texts), gold.shape[1])))
    logits = views.combine_with_teacher(np.zeros((len(texts), 2)), texts)
    return float(average_precision_score(truth[:, 0], logits[:, 0]))


def test_views_find_the_texts_with_the_flag_and_unlabeled_texts_help(monkeypatch):
    together = precision_of(200)
    monkeypatch.setattr(flag_views, "ROUNDS", 1)  # only the labels
    alone = precision_of(200)
    assert together > 0.9
    assert together > alone + 0.02


@pytest.mark.parametrize("view", ["_Words", "_Sentences"])
def test_each_view_helps_the_other(monkeypatch, view):
    """A view whose scores are noise makes the result worse: none of them does all the work."""
    both = precision_of(200)
    noise = np.random.default_rng(0)
    cls = getattr(flag_views, view)
    monkeypatch.setattr(cls, "scores", lambda self, texts: noise.normal(size=(len(texts), len(self.models))))
    assert precision_of(200) < both - 0.05


def test_texts_about_flags_are_evidence():
    """A word that only the description has raises the flag that it describes, and no other flag."""
    labeled, gold = drawn(24, 1)
    texts = ["the coins came in winter.", *drawn(30, 2)[0], "the wheels came in winter."]
    gaps = []
    for about in ({}, {0: "coins."}):
        views = CoTrainedFlags(gold, encode)
        views.fit(labeled, texts, about, np.zeros((len(texts), 2)))
        logits = views.combine_with_teacher(np.zeros((len(texts), 2)), texts)
        gaps.append(logits[0] - logits[-1])
    assert gaps[1][0] > gaps[0][0] + 0.5
    assert gaps[1][1] < gaps[0][1] + 0.5


def test_views_learn_from_the_evidence_of_hints():
    """A hint matches a sentence that no label shows; a text with a similar sentence rises over one with another."""
    labeled, gold = drawn(24, 1)
    new = ["gamblers met at noon.", "farmers met at noon."] * 15
    texts = ["gamblers met by night.", "farmers met by night.", *drawn(30, 2)[0], *new]
    evidence = np.array([[4.0 * (text == new[0]), 0.0] for text in texts])
    gaps = []
    for weight in (0, 1):
        views = CoTrainedFlags(gold, encode)
        views.fit(labeled, texts, {}, weight * evidence)
        logits = views.combine_with_teacher(np.zeros((len(texts), 2)), texts)
        gaps.append(logits[0] - logits[1])
    assert gaps[1][0] > gaps[0][0] + 0.5
    assert gaps[1][1] == pytest.approx(gaps[0][1], abs=0.1), "the other flag"


def test_flags_with_few_labeled_texts_are_left_to_the_teacher():
    labeled, gold = drawn(12, 1)
    gold = np.column_stack([gold[:, 0], np.arange(12) < 1, np.arange(12) < 11, np.zeros(12, bool)])
    views = CoTrainedFlags(gold, encode)
    assert views.columns.tolist() == [0]
    texts, _ = drawn(30, 2)
    views.fit(labeled, texts, {}, np.zeros((len(texts), gold.shape[1])))
    teacher = np.random.default_rng(0).normal(size=(30, 4))
    combined = views.combine_with_teacher(teacher, texts)
    assert np.array_equal(combined[:, 1:], teacher[:, 1:])
    assert not np.allclose(combined[:, 0], teacher[:, 0])


def test_teacher_has_a_say():
    labeled, gold = drawn(24, 1)
    texts, truth = drawn(40, 2)
    views = CoTrainedFlags(gold, encode)
    views.fit(labeled, texts, {}, np.zeros((len(texts), gold.shape[1])))
    right = np.where(truth, 1.0, -1.0)
    with_right, with_wrong = (views.combine_with_teacher(sign * right, texts)[:, 0] for sign in (1, -1))
    assert average_precision_score(truth[:, 0], with_right) > average_precision_score(truth[:, 0], with_wrong)


def test_mean_of_aligned_probabilities_is_the_label_share():
    logits = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 5.0] + [3.0, -7.0]
    probabilities = aligned(logits, np.array([0.1, 0.6]))
    np.testing.assert_allclose(probabilities.mean(0), [0.1, 0.6], atol=1e-6)
    assert np.array_equal(probabilities.argsort(0), logits.argsort(0))


def test_aligned_loss_does_not_depend_on_scale_and_shift_and_prefers_the_right_order():
    rng = np.random.default_rng(0)
    gold = rng.random((60, 2)) < [0.2, 0.5]
    logits = gold * 1.5 + rng.normal(size=gold.shape)
    loss = aligned_loss(logits, gold, gold.mean(0))
    assert aligned_loss(2.5 * logits - 4, gold, gold.mean(0)) == pytest.approx(loss, abs=1e-3)
    assert aligned_loss(rng.normal(size=gold.shape), gold, gold.mean(0)) > loss + 0.1


def test_result_is_the_same_twice():
    labeled, gold = drawn(24, 1)
    texts, _ = drawn(40, 2)
    results = []
    for _ in range(2):
        views = CoTrainedFlags(gold, encode)
        views.fit(labeled, texts, {}, np.zeros((len(texts), gold.shape[1])))
        results.append(views.combine_with_teacher(np.zeros((40, 2)), texts))
    assert np.array_equal(*results)
