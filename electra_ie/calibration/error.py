"""The expected calibration error: how far scores are from the share of findings that are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10
DRAWS = 1000
"""Bootstrap samples of the documents."""
SEED = 0


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error, from 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        """Return value, low and high, rounded."""
        return [round(number, 4) for number in (self.value, self.low, self.high)]


@dataclass(frozen=True)
class Bin:
    """Findings with similar scores: their number, mean score, and the share that is right."""

    findings: int
    score: float
    right: float


def bins_of(scores: np.ndarray) -> np.ndarray:
    """Return the bin of each finding, (N,): ten with equally many findings, fewer if scores are equal or few."""
    number = max(1, min(BINS, len(scores) // BINS))
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, number + 1)[1:-1]))
    placed: np.ndarray = np.searchsorted(edges, scores, side="right")
    return placed


def reliability(scores: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Return the bins of findings, lowest scores first. scores, right: (N,)."""
    bins = bins_of(scores)
    return [
        Bin(int(own.sum()), float(scores[own].mean()), float(right[own].mean()))
        for own in (bins == number for number in np.unique(bins))
    ]


def calibration_error(documents: np.ndarray, scores: np.ndarray, right: np.ndarray) -> CalibrationError:
    """Return the expected calibration error (Naeini et al., AAAI 2015), in bins of equally many findings.

    The interval is the percentile interval of a bootstrap over documents, because findings of one document depend on
    each other. It is moved by the bias of the bootstrap: resampled differences are larger than true ones.

    Args:
        documents: The document of each finding, (N,).
        scores: Their scores, (N,).
        right: Whether each is right, (N,).
    """
    bins, (_, of) = bins_of(scores), np.unique(documents, return_inverse=True)
    gaps = np.zeros((of.max() + 1, bins.max() + 1))
    np.add.at(gaps, (of, bins), right - scores)
    counts = np.bincount(of).astype(float)
    value = float(np.abs(gaps.sum(axis=0)).sum() / len(scores))
    draws = np.random.default_rng(SEED).multinomial(len(gaps), np.full(len(gaps), 1 / len(gaps)), DRAWS)
    drawn = np.abs(draws @ gaps).sum(axis=1) / np.maximum(draws @ counts, 1)
    low, high = np.percentile(drawn, [2.5, 97.5]) - (drawn.mean() - value)
    return CalibrationError(value, float(max(0.0, low)), float(max(high, 0.0)))
