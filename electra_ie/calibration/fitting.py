"""Fitting of scales on labeled documents, judged by what they say of documents that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from electra_ie.calibration.error import SEED, Bin, calibration_error, reliability
from electra_ie.calibration.found import Found
from electra_ie.calibration.scales import LEAST, Scale

LEAST_FINDINGS, LEAST_DOCUMENTS = 20, 10
"""What a scale is fitted on at least."""
ISOTONIC = 200
"""Findings from which on an isotonic function may follow."""
FOLDS = 5
TINY = 1e-12
METHODS = {"spans": "logistic regression", "flags": "temperature and shift", "classes": "temperature"}


@dataclass(frozen=True)
class Fit:
    """What was fitted for a field.

    Attributes:
        scale: The scale; None if the scores stay as they are.
        summary: Counts, method and calibration error before and after, or the reason that scores stay as they are.
        before: The bins of the scores of the model.
        after: The bins of the scores of documents that were not fitted on; empty without a scale.
    """

    scale: Scale | None
    summary: dict[str, Any]
    before: tuple[Bin, ...] = ()
    after: tuple[Bin, ...] = ()


def fit(found: Found) -> Fit:
    """Fit the scale of a field, and keep it if it is better on documents that it was not fitted on.

    Better is a lower cross-entropy in a cross-validation over documents. From `ISOTONIC` findings on, an isotonic
    function follows if it is better still.

    found: the findings, with their evidence and the scores of the model itself.
    """
    number, documents = len(found.scores), len(np.unique(found.documents))
    summary: dict[str, Any] = {"findings": number, "documents": documents}
    if number < LEAST_FINDINGS or documents < LEAST_DOCUMENTS:
        reason = (
            f"{number} findings in {documents} documents of dev are too few: at least {LEAST_FINDINGS} in "
            f"{LEAST_DOCUMENTS} are needed"
        )
        return Fit(None, {**summary, "reason": reason})
    before = calibration_error(found.documents, found.scores, found.right)
    summary["error_before"] = before.as_list()
    bins = tuple(reliability(found.scores, found.right))
    entropies: dict[bool | None, float] = {None: _entropy(found.scores, found.right)}
    crossed = {steps: _cross_fitted(found, steps) for steps in ((False, True) if number >= ISOTONIC else (False,))}
    entropies |= {steps: _entropy(scores, found.right) for steps, scores in crossed.items()}
    best = min(entropies, key=lambda steps: entropies[steps])
    if best is None:
        reason = "no scale that was fitted on other documents of dev was better than the scores of the model"
        return Fit(None, {**summary, "reason": reason}, bins)
    after = calibration_error(found.documents, crossed[best], found.right)
    summary |= {"method": METHODS[found.field.kind], "isotonic": best, "error_after": after.as_list()}
    return Fit(_scale(found, best), summary, bins, tuple(reliability(crossed[best], found.right)))


def _entropy(scores: np.ndarray, right: np.ndarray) -> float:
    """Return the mean cross-entropy of scores."""
    known = np.clip(scores, LEAST, 1 - LEAST)
    return float(-np.log(np.where(right, known, 1 - known)).mean())


def _cross_fitted(found: Found, steps: bool) -> np.ndarray:
    """Return the score of each finding by a scale that was fitted on other documents, (N,)."""
    names, of = np.unique(found.documents, return_inverse=True)
    fold = (np.random.default_rng(SEED).permutation(len(names)) % FOLDS)[of]
    scores = np.empty(len(of))
    for number in range(FOLDS):
        rest, own = fold != number, fold == number
        assert found.evidence is not None
        scores[own] = _scale(_chosen(found, rest), steps)(found.evidence[own])
    return scores


def _chosen(found: Found, chosen: np.ndarray) -> Found:
    assert found.evidence is not None
    return replace(found, right=found.right[chosen], evidence=found.evidence[chosen])


def _scale(found: Found, steps: bool) -> Scale:
    """Fit a scale. steps: whether an isotonic function follows."""
    scale = SCALES[found.field.kind](found)
    if not steps:
        return scale
    from sklearn.isotonic import IsotonicRegression

    assert found.evidence is not None
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(scale.exact(found.evidence), found.right)
    points = zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True)
    return replace(scale, steps=tuple(points))


def _of_spans(found: Found) -> Scale:
    """Fit logistic regression; the weights of standardized numbers have a normal prior with variance 1."""
    evidence = found.evidence
    assert evidence is not None
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0)
    spread[spread < LEAST] = np.inf  # a number that does not vary has no weight

    def scale(values: np.ndarray) -> Scale:
        weights = values[:-1] / spread
        return Scale("spans", tuple(weights.tolist()), float(values[-1] - (weights * mean).sum()))

    return scale(_minimum(found, scale, np.zeros(evidence.shape[1] + 1), lambda values: (values[:-1] ** 2).sum()))


def _of_flags(found: Found) -> Scale:
    """Fit temperature and shift: the threshold of a flag is at logit 0, whatever the probability is there."""

    def scale(values: np.ndarray) -> Scale:
        return Scale("flags", (float(np.exp(values[0])),), float(values[1]))

    return scale(_minimum(found, scale, np.zeros(2), lambda values: (values**2).sum()))


def _of_classes(found: Found) -> Scale:
    """Fit the temperature (Guo et al., ICML 2017, arXiv 1706.04599) for whether the largest logit is right."""

    def scale(values: np.ndarray) -> Scale:
        return Scale("classes", (float(np.exp(values[0])),))

    return scale(_minimum(found, scale, np.zeros(1), lambda values: (values**2).sum()))


SCALES: dict[str, Callable[[Found], Scale]] = {"spans": _of_spans, "flags": _of_flags, "classes": _of_classes}


def _minimum(
    found: Found, scale: Callable[[np.ndarray], Scale], start: np.ndarray, penalty: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return the parameters with the least penalized cross-entropy.

    The targets are those of Platt (1999), a little below 1 and above 0, so that findings that are all right do not
    make every new one certain.
    """
    from scipy.optimize import minimize

    right, evidence = found.right, found.evidence
    assert evidence is not None
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(values: np.ndarray) -> float:
        scores = np.clip(scale(values).exact(evidence), TINY, 1 - TINY)  # at the limits nothing would change the loss
        return float(-(targets * np.log(scores) + (1 - targets) * np.log(1 - scores)).sum() + penalty(values) / 2)

    bounds = [(-20.0, 20.0)] * len(start)
    best: np.ndarray = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return best
