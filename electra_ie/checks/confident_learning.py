"""Confident learning: which labels contradict the predictions of a model that has not seen them.

Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70, arXiv
1911.00068. The suspects are the examples outside the diagonal of the confident joint (section 3.1), ranked by
self-confidence (section 4), as `cleanlab.filter.find_label_issues(filter_by="confident_learning",
return_indices_ranked_by="self_confidence")` returns them.
"""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-6
"""How far a probability may be below the threshold of its class, which rounding could cause."""


def suspects(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the examples whose label is suspect, most suspect first, and the class that each probably has.

    An example is confidently of a class if its probability is at least the mean probability of the class over the
    examples with this label (equation 2). It is suspect if it is confidently of another class than its label, and the
    most probable class is not its label.

    Args:
        labels: The given classes (N,).
        probabilities: Out-of-fold probabilities (N, K).

    Returns:
        The indices (M,) of the suspect examples, by rising probability of their label; their probable classes (M,).
    """
    examples = np.arange(len(labels))
    count = np.bincount(labels, minlength=probabilities.shape[1])
    sums = np.bincount(labels, probabilities[examples, labels], minlength=probabilities.shape[1])
    # Nothing is confidently of a class without examples: its threshold is above every probability.
    thresholds = np.where(count > 0, sums / count.clip(1), 2.0)
    confident = probabilities >= thresholds - TOLERANCE
    guess = np.where(confident, probabilities, -1.0).argmax(axis=1)
    guess = np.where(confident.sum(axis=1) > 1, probabilities.argmax(axis=1), guess)
    own = probabilities[examples, labels]
    contradicted = confident.any(axis=1) & (guess != labels) & (own + TOLERANCE < probabilities.max(axis=1))
    found = np.flatnonzero(contradicted)
    ranked = found[np.argsort(own[found], kind="stable")]
    return ranked, guess[ranked]
