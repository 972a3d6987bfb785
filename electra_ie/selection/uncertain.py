"""Uncertain texts: those of whose answers a run is the least sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
