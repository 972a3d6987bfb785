"""Thresholds that keep a promise, and what it would take where there are too few documents for one.

Documents are exchangeable, and findings of one document are not: they are right or wrong together. So each document
counts once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SEED = 0
STEPS = 20
"""Steps from the start of the fixed sequence to all documents."""
NEXT, MOST = 300, 10**6
"""Further documents that are tried one by one, and documents beyond which no number is given."""


@dataclass(frozen=True)
class Threshold:
    """A threshold that keeps a promise.

    Attributes:
        value: The threshold: findings with at least this score count.
        documents: The documents that it was measured on.
        measured: Precision or recall on them, each document with the same weight.
    """

    value: float
    documents: int
    measured: float


@dataclass(frozen=True)
class Price:
    """What a promise would take.

    Attributes:
        more: Further documents that would allow it if they are like those there are; None if no number would.
        documents: The documents that there are.
        measured: Precision or recall on those that were looked at, each document with the same weight.
    """

    more: int | None
    documents: int
    measured: float


def precision_threshold(
    documents: np.ndarray, scores: np.ndarray, right: np.ndarray, goal: float, confidence: float
) -> Threshold | Price:
    """Return the lowest threshold above which findings are right with at least a probability, or what it would take.

    The probability is that of a finding drawn at random from those above the threshold of a document drawn at random
    from those with any. One such finding of each document is drawn here, so that there is one independent trial per
    document, and the exact binomial test (Clopper and Pearson 1934) applies. The thresholds are tested in a fixed
    sequence (Angelopoulos et al., arXiv 2110.01052): from a number of documents with the highest scores that allows
    some errors (see `_most_of_start`) in twenty steps to all documents; the last one before the first that fails is
    taken. These numbers are fixed beforehand: they do not depend on what is right.

    Args:
        documents: The document of each finding, (N,).
        scores: The scores of the findings, (N,).
        right: Whether each is right, (N,).
        goal: The probability that is wanted, between 0 and 1.
        confidence: The probability, over the draw of the documents, with which the promise shall hold.
    """
    from scipy.special import bdtrc

    names, of = np.unique(documents, return_inverse=True)
    need = math.ceil(math.log(1 - confidence) / math.log(goal) - 1e-9)
    if len(names) < need:
        share, least = _share_right(of, right), need - len(names)
        more = _more_documents(len(names), need, share, goal, confidence) if len(names) else least
        return Price(None if more is None else max(least, more), len(names), share)
    best = np.full(len(names), -np.inf)
    np.maximum.at(best, of, scores)
    best = np.sort(best)[::-1]
    order = np.random.default_rng(SEED).permutation(len(of))  # the first one of a document above a threshold is drawn
    order = order[np.argsort(of[order], kind="stable")]
    of, scores, right = of[order], scores[order], right[order]
    values = [best[rank - 1] for rank in _ranks(need, len(names), goal, confidence)] + [0.0]
    drawn = np.array([_drawn(of, right, scores >= value) for value in values])
    trials, successes = drawn.T
    fails = np.flatnonzero(bdtrc(successes - 1, trials, goal) > 1 - confidence)
    passed = fails[0] if len(fails) else len(values)
    if passed:
        return Threshold(
            float(values[passed - 1]), int(trials[passed - 1]), float(successes[passed - 1] / trials[passed - 1])
        )
    share = float(successes[0] / trials[0])
    return Price(_more_documents(len(names), need, share, goal, confidence), len(names), share)


def _most_of_start(need: int, number: np.ndarray) -> np.ndarray:
    """Return the documents of the first threshold at most, for each number of documents.

    They are few enough that nearly all of them are right, and enough that some may be wrong.
    """
    most: np.ndarray = np.maximum(need, np.minimum(2 * number // 3, np.maximum(4 * need, number // 4)))
    return most


def _ranks(need: int, number: int, goal: float, confidence: float) -> list[int]:
    """Return the numbers of documents of the fixed sequence."""
    from scipy.special import bdtrc

    most = int(_most_of_start(need, np.array(number)))
    errors = int((bdtrc(most - np.arange(most) - 1, most, goal) <= 1 - confidence).sum()) - 1
    sizes = np.arange(need, most + 1)  # the least number of documents that allows as many errors
    start = int(sizes[np.argmax(bdtrc(sizes - errors - 1, sizes, goal) <= 1 - confidence)])
    return sorted({start + round((number - start) * step / STEPS) for step in range(STEPS + 1)})


def _drawn(of: np.ndarray, right: np.ndarray, above: np.ndarray) -> tuple[int, int]:
    """Return the number of documents with a finding above a threshold, and of those whose drawn finding is right.

    of: the document of each finding, in order; the first one above the threshold is drawn.
    """
    kept = of[above]
    first = np.flatnonzero(np.diff(kept, prepend=-1))
    return len(first), int(right[above][first].sum())


def _share_right(of: np.ndarray, right: np.ndarray) -> float:
    """Return the mean over documents of the share of findings that are right; 0 without a document."""
    return float((np.bincount(of, right) / np.bincount(of)).mean()) if len(of) else 0.0


def _more_documents(number: int, need: int, share: float, goal: float, confidence: float) -> int | None:
    """Return how many more documents allow the goal if the same share is right; None if no number does."""
    from scipy.special import bdtrc

    if share <= goal:
        return None
    for totals in (np.arange(number + 1, number + NEXT), np.geomspace(number + NEXT, MOST, NEXT).astype(int)):
        trials = _most_of_start(need, totals)
        enough = np.flatnonzero(bdtrc(np.floor(share * trials + 1e-9) - 1, trials, goal) <= 1 - confidence)
        if len(enough):
            return int(totals[enough[0]] - number)
    return None


def recall_threshold(
    documents: np.ndarray, scores: np.ndarray, right: np.ndarray, gold: np.ndarray, goal: float
) -> Threshold | Price:
    """Return the highest threshold above which enough of the gold is found, or what it would take.

    Conformal risk control (Angelopoulos et al., arXiv 2208.02814): the loss of a document is the share of its gold that
    is not among the findings above the threshold. It does not fall when the threshold rises, so that in the mean over
    documents drawn like these the recall is at least the goal, however dependent the findings of a document are.

    Args:
        documents: The document of each finding, (N,), a row of `gold`.
        scores: The scores of the findings, (N,).
        right: Whether each is in the gold, (N,).
        gold: The number of gold annotations of each document, (D,); only those with any count.
        goal: The recall that is wanted, between 0 and 1.
    """
    number, missed = int((gold > 0).sum()), 1 - goal
    order = np.argsort(-scores[right], kind="stable")
    values, recalls = scores[right][order], (1 / np.maximum(gold, 1))[documents[right]][order]
    found = recalls.cumsum()
    whole = float(found[-1] / number) if len(found) else 0.0
    enough = np.flatnonzero(number - found + 1 <= missed * (number + 1) + 1e-9)
    if number and len(enough):
        value = values[enough[0]]
        return Threshold(float(value), number, float(found[values >= value][-1] / number))
    allowed = whole - goal  # n documents with this recall do if n (1 - recall) + 1 <= (n + 1) (1 - goal)
    if not number:
        return Price(math.ceil(goal / missed - 1e-9), 0, 0.0)
    return Price(max(1, math.ceil(goal / allowed - 1e-9) - number) if allowed > 0 else None, number, whole)
