"""Uncertain texts: those of whose answers a run is the least sure, and that are unlike each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata


def mean_rank(uncertainties: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return one number from 0 to 1 for each text, (N,): the mean over the fields of its rank in the pool.

    A rank is the share of the texts of which the model is more certain. Ranks give every field the same weight,
    whatever its kind: the uncertainty of spans over a hundred tokens is small by nature, that of a class is not.

    Args:
        uncertainties: By field, for each text (see `inference.engine.uncertainty`).
    """
    if not uncertainties:
        return np.zeros(0)
    columns = [[each[name] for each in uncertainties] for name in uncertainties[0]]
    ranks = [(rankdata(column) - 0.5) / len(column) for column in columns]
    mean: np.ndarray = np.mean(ranks, axis=0)
    return mean


def apart(
    scores: np.ndarray, states: np.ndarray, near: np.ndarray, count: int, take: Callable[[int], bool]
) -> list[int]:
    """Return rows in the order of choice: the next one has the highest score, times 1 minus its cosine to the chosen.

    Args:
        scores: (N,).
        states: (N, H), of length one.
        near: States of texts that are chosen already, (M, H).
        count: The number of rows at most.
        take: Takes a row, or returns False if it is a near-copy of one that was taken before.
    """
    closest = np.zeros(len(scores))
    for state in near:
        closest = np.maximum(closest, states @ state)
    left = np.ones(len(scores), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < count and left.any():
        row = int(np.where(left, scores * (1 - closest), -1.0).argmax())
        left[row] = False
        if take(row):
            chosen.append(row)
            closest = np.maximum(closest, states @ states[row])
    return chosen
