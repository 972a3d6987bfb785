"""Rare types of spans: raise their probabilities in pseudo-labels to the share that they have among the labels.

A teacher of few labels may predict a rare type hardly ever on text that it was not trained on, and its student would
learn that the type does not occur. As for flags (see `pseudo_labels`), the probabilities of such a type are shifted
until their mean is the share of the type among the labels (distribution alignment, Berthelot et al. 2020, "ReMixMatch",
arXiv 1911.09785, section 3.1). Types that the teacher predicts more often than that are left as they are: to lower them
to the share cost up to 4.3 points of F1 on bc5cdr, sec_filings and medical_cases_real (benchmarks/trials.md).
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from electra_ie.data.fields import Field

MAX_SHIFT = 3.0
"""The largest shift of logits: beyond it, words that hardly resemble the type would get its tag."""
ROUNDS = 30
MIN_PROBABILITY = 1e-9


def raise_rare_types(field: Field, teacher: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return the teacher's probabilities for the tags of unlabeled words, (U, K), with those of rare types raised.

    Args:
        field: A field of spans.
        teacher: (U, K) probabilities of the tags.
        gold: (W,) tags of labeled words.
    """
    begins, insides = (np.array([field.names.index(f"{tag}-{label}") for label in field.labels]) for tag in "BI")
    shares = np.bincount(gold, minlength=len(field.names))[begins] / len(gold)
    rare = np.flatnonzero((shares > 0) & (teacher[:, begins].mean(0) < shares))
    logits = np.log(teacher.astype(np.float64).clip(MIN_PROBABILITY))
    probabilities, shifts = teacher, np.zeros(len(rare))
    for _ in range(ROUNDS if len(rare) else 0):
        # In a rare type the mean grows almost as the exponential of the shift, so that the rounds converge.
        missing = np.log(shares[rare] / probabilities[:, begins[rare]].mean(0))
        shifts = (shifts + missing).clip(0, MAX_SHIFT)
        shifted = logits.copy()
        for columns in (begins[rare], insides[rare]):
            shifted[:, columns] += shifts
        probabilities = softmax(shifted, axis=1)
    return probabilities
