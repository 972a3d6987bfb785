"""Losses at their best temperature: over- and underconfidence do not count (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

MAX_LOG_SCALE = 3.0
"""Inverse temperatures from exp(-3) to exp(3) are searched, 0.05 to 20."""
MIN_PROBABILITY = 1e-9
"""Probabilities are at least this, so that a class that one classifier rules out can be outvoted by the other."""


def least_loss(loss: Callable[[float], float]) -> float:
    """Return the least value of a loss over all inverse temperatures, by which its argument multiplies the logits."""
    search = minimize_scalar(
        lambda log_scale: loss(np.exp(log_scale)), bounds=(-MAX_LOG_SCALE, MAX_LOG_SCALE), method="bounded"
    )
    return float(search.fun)


def calibrated_loss(probabilities: np.ndarray, gold: np.ndarray, weights: np.ndarray) -> float:
    """Return the cross entropy of probabilities (N, K) with the classes `gold` (N,), at the best temperature."""
    logits, correct = np.log(probabilities.clip(MIN_PROBABILITY)), (np.arange(len(gold)), gold.astype(int))

    def loss(scale: float) -> float:
        return -float(np.average(log_softmax(logits * scale, axis=1)[correct], weights=weights))

    return least_loss(loss)
