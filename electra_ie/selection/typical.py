"""Typical texts: of each cluster of the pool the text that is nearest to the others (TypiClust).

After Hacohen et al. 2022, "Active learning on a budget: opposite strategies suit high and low budgets" (arXiv
2202.02794): with few labels, what a model is uncertain of is worse than chance, and texts that stand for many others
are better.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

NEIGHBORS = 20
"""Neighbors within the cluster whose mean distance is the typicality of a text, as in the paper."""
MAX_CLUSTERS = 500
SMALL = 5
"""Texts of a cluster below which it is only used when no other is left: its texts are outliers."""
ITERATIONS = 100


def clusters(states: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the cluster of each row, (N,), by k-means with `count` clusters, or fewer if rows are equal."""
    count = min(count, MAX_CLUSTERS, len(np.unique(states, axis=0)))
    with threadpool_limits(1):  # with more threads, sums are added in another order
        model = KMeans(count, n_init=1, max_iter=ITERATIONS, random_state=seed).fit(states)
    labels: np.ndarray = model.labels_
    return labels


def typicality(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how typical each row is of its cluster, (N,): 1 / (1 + mean distance to its nearest neighbors there).

    It is 0 for the only row of a cluster.

    Args:
        states: (N, H).
        labels: The cluster of each row, (N,).
    """
    typical = np.zeros(len(states))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        neighbors = min(NEIGHBORS, len(members) - 1)
        if neighbors:
            with threadpool_limits(1):
                search = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(states[members])
                distances = search.kneighbors()[0]  # to the others: without an argument a row is not its own neighbor
            typical[members] = 1 / (1 + distances.mean(axis=1))
    return typical


def most_typical(
    labels: np.ndarray,
    typical: np.ndarray,
    is_labeled: np.ndarray,
    count: int,
    take: Callable[[int], bool],
) -> list[int]:
    """Return rows to label, in order: the most typical one of the cluster with the fewest labels, of these the largest.

    Args:
        labels: The cluster of each row, (N,).
        typical: The typicality of each row, (N,).
        is_labeled: Whether a row has a label already, (N,), or may not be chosen for another reason.
        count: The number of rows at most.
        take: Takes a row, or returns False if it is a near-copy of one that was taken before.
    """
    sizes = np.bincount(labels)
    taken = np.bincount(labels, is_labeled.astype(int), len(sizes))
    waiting = {
        int(label): sorted(np.flatnonzero((labels == label) & ~is_labeled).tolist(), key=lambda row: -typical[row])
        for label in np.unique(labels)
    }
    chosen: list[int] = []
    while len(chosen) < count and any(waiting.values()):
        label = min(
            (label for label, rows in waiting.items() if rows),
            key=lambda label: (taken[label], sizes[label] < SMALL, -sizes[label], label),
        )
        row = waiting[label].pop(0)
        if take(row):
            chosen.append(row)
            taken[label] += 1
    return chosen
