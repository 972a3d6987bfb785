"""Rare types of spans: raise their probabilities in pseudo-labels to the share that the labels make sure.

A teacher of few labels may predict a rare type hardly ever on text that it was not trained on, and its student would
learn that the type does not occur. As for flags (see `pseudo_labels`), the probabilities of such a type are shifted
until their mean is the share of the type among the labels (distribution alignment, Berthelot et al. 2020, "ReMixMatch",
arXiv 1911.09785, section 3.1), here less one standard error, and only if the mean is more than two standard errors
below the share: six spans in two of fifty documents say little about the share of their type, and raising it puts the
type on other words. Types that the teacher predicts more often are left as they are: to lower them to the share cost up
to 4.3 points of F1 on bc5cdr, sec_filings and medical_cases_real (benchmarks/trials.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from electra_ie.data.fields import Field

MAX_SHIFT = 3.0
"""The largest shift of logits: beyond it, words that hardly resemble the type would get its tag."""
SURE = 2.0
"""Standard errors that the mean of a rare type is below its share at least."""
ROUNDS = 30
MIN_PROBABILITY = 1e-9


def raise_rare_types(field: Field, teacher: np.ndarray, gold: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Return the teacher's probabilities for the tags of unlabeled words, (U, K), with those of rare types raised.

    Args:
        field: A field of spans.
        teacher: (U, K) probabilities of the tags.
        gold: (W,) tags of labeled words.
        lengths: The number of words of each labeled document, W together. One document does not say how sure its shares
            are, so that nothing is raised.
    """
    if len(lengths) == 1:
        return teacher
    begins, *others = (
        np.array([field.names.index(f"{tag}-{label}") for label in field.labels])
        for tag in ("BIC" if field.fragments else "BI")
    )
    shares, errors = _shares(gold, lengths, begins)
    rare = np.flatnonzero(teacher[:, begins].mean(0) < shares - SURE * errors)
    targets = shares[rare] - errors[rare]
    logits = np.log(teacher.astype(np.float64).clip(MIN_PROBABILITY))
    probabilities, shifts = teacher, np.zeros(len(rare))
    for _ in range(ROUNDS if len(rare) else 0):
        # In a rare type the mean grows almost as the exponential of the shift, so that the rounds converge.
        missing = np.log(targets / probabilities[:, begins[rare]].mean(0))
        shifts = (shifts + missing).clip(0, MAX_SHIFT)
        shifted = logits.copy()
        for columns in (begins, *others):
            shifted[:, columns[rare]] += shifts
        probabilities = softmax(shifted, axis=1)
    return probabilities


def _shares(gold: np.ndarray, lengths: Sequence[int], begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of words with each tag of `begins`, and its standard error.

    It is that of a ratio over documents, since spans of a type come several in a document.
    """
    words = np.array(lengths)
    counts = np.array([(tags[:, None] == begins).sum(0) for tags in np.split(gold, words.cumsum()[:-1])])
    shares = counts.sum(0) / words.sum()
    squares = ((counts - words[:, None] * shares) ** 2).sum(0) * len(words) / (len(words) - 1)
    return shares, np.sqrt(squares) / words.sum()
