"""The choice of the texts that a person should label next."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from electra_ie.common.errors import UserError
from electra_ie.common.logs import notice
from electra_ie.config.train import EMBEDDED
from electra_ie.data.document import Document
from electra_ie.data.label_budget import sample
from electra_ie.data.leakage import digest_of
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.selection.copies import Taken
from electra_ie.selection.states import Encoded
from electra_ie.selection.typical import clusters, most_typical, typicality
from electra_ie.selection.uncertain import mean_rank

MAX_TEXTS = 5_000
"""Texts of the pool that are read at most: of a larger pool, a sample drawn by the seed."""
UNCERTAIN_SHARE = 0.5
"""The share of the pool, the most uncertain texts of it, among which the choice is made with a run."""
Chosen = Literal["typical", "uncertain", "random"]


@dataclass(frozen=True)
class Choice:
    """A text to label.

    Attributes:
        document: The text, without gold.
        chosen: How it was chosen. Scores on texts that were not drawn at random are biased.
        score: With a run, the mean rank of the text by uncertainty; without one, its typicality. Both are from 0 to 1.
    """

    document: Document
    chosen: Chosen
    score: float


def choose(
    documents: Sequence[Document],
    count: int,
    *,
    labeled: Sequence[Document],
    extractor: TextExtractor | None = None,
    encoder: str = EMBEDDED,
    seed: int = 0,
    random_share: float = 0.2,
) -> list[Choice]:
    """Return the texts that a person should label next, in that order; the same for the same arguments.

    Without a run, they are the typical texts of clusters (see `selection.typical`). With one, they are the typical
    texts of clusters of that half of the pool of whose answers it is less certain, as many clusters as texts are wanted
    (a simple form of diverse mini-batches, Zhdanov 2019, arXiv 1901.05954): the most uncertain texts alone are alike,
    and with few labels often outliers. Fields of relations do not count. A share is drawn at random from all texts that
    are not labeled, so that there are labels whose scores are honest. Near-copies of labeled or chosen texts are only
    chosen when nothing else is left.

    Args:
        documents: The pool. Blank texts, texts that are labeled, and all but the first of equal texts are left out. Of
            a larger pool, `MAX_TEXTS` are drawn, and a notice says so.
        count: The number of texts. Fewer are returned if the pool has no more.
        labeled: The documents that are labeled already.
        extractor: The run; None for a choice without one.
        encoder: The encoder whose states tell how similar texts are: a folder, or a name as for training.
        seed: The seed.
        random_share: The share of `count` that is drawn at random, from 0 to 1.

    Raises:
        UserError: count or random_share is out of its range, or the encoder cannot be loaded.
    """
    if count < 1 or not 0 <= random_share <= 1:
        message = f"count is {count} and random_share {random_share:g}."
        raise UserError(message, remedy="Give a count of at least 1, and a share from 0 to 1.")
    pool = _sampled(_pool(documents, labeled), seed)
    count = min(count, len(pool))
    drawn = random.Random(f"electra_ie suggest {seed}").sample(range(len(pool)), int(count * random_share + 0.5))
    taken = Taken([*labeled, *(pool[index] for index in drawn)])
    copies: list[int] = []

    def take(index: int) -> bool:
        if taken.has_copy_of(pool[index]):
            copies.append(index)
            return False
        taken.add(pool[index])
        return True

    if not count:
        return []
    wanted, texts = count - len(drawn), Encoded(encoder)
    chosen: Chosen = "uncertain" if extractor else "typical"
    if extractor:
        scores = mean_rank(list(extractor.pipeline().uncertainties(pool)))
        rows = _uncertain(pool, scores, drawn, wanted, seed, texts, take)
    else:
        scores, rows = _typical(pool, labeled, drawn, wanted, seed, texts, take)
    return [
        Choice(pool[index], name, float(scores[index]))
        for index, name in _mixed([*rows, *copies[: wanted - len(rows)]], chosen, drawn)
    ]


def by_uncertainty(
    documents: Sequence[Document], extractor: TextExtractor, labeled: Sequence[Document] = ()
) -> list[Choice]:
    """Return the distinct texts that are not labeled, those of whose answers the extractor is least certain first.

    All are read, however many there are. Blank texts are left out.
    """
    pool = _pool(documents, labeled)
    if not pool:
        return []
    scores = mean_rank(list(extractor.pipeline().uncertainties(pool)))
    return [Choice(pool[row], "uncertain", float(scores[row])) for row in np.argsort(-scores, kind="stable")]


def _pool(documents: Sequence[Document], labeled: Sequence[Document]) -> list[Document]:
    """Return the distinct texts that are not labeled, without gold."""
    seen = {digest_of(document.text) for document in labeled}
    pool = []
    for document in documents:
        digest = digest_of(document.text)
        if document.text.strip() and digest not in seen:
            seen.add(digest)
            pool.append(document.unlabeled())
    return pool


def _sampled(pool: list[Document], seed: int) -> list[Document]:
    """Return a pool, or of a large one `MAX_TEXTS` texts."""
    if len(pool) <= MAX_TEXTS:
        return pool
    notice(f"the choice is made among {MAX_TEXTS:,} of {len(pool):,} texts, drawn with seed {seed}")
    return sample(pool, MAX_TEXTS, seed)


def _typical(
    pool: Sequence[Document],
    labeled: Sequence[Document],
    drawn: Sequence[int],
    count: int,
    seed: int,
    texts: Encoded,
    take: Callable[[int], bool],
) -> tuple[np.ndarray, list[int]]:
    """Return the typicality of each text of the pool, and the typical ones that are chosen."""
    known = sample(labeled, MAX_TEXTS, seed)
    states = texts.states([document.text for document in (*pool, *known)])
    labels = clusters(states, len(known) + len(drawn) + count, seed)
    typical = typicality(states, labels)
    is_labeled = np.arange(len(states)) >= len(pool)
    is_labeled[list(drawn)] = True
    return typical, most_typical(labels, typical, is_labeled, count, take)


def _uncertain(
    pool: Sequence[Document],
    scores: np.ndarray,
    drawn: Sequence[int],
    count: int,
    seed: int,
    texts: Encoded,
    take: Callable[[int], bool],
) -> list[int]:
    """Return the uncertain texts of the pool that are chosen: those of the certain half only if there are no others."""
    others = np.setdiff1d(np.arange(len(pool)), drawn)
    ordered = others[np.argsort(-scores[others], kind="stable")]
    half = max(count, math.ceil(UNCERTAIN_SHARE * len(ordered)))
    chosen: list[int] = []
    for candidates in (ordered[:half].tolist(), ordered[half:].tolist()):
        if candidates and len(chosen) < count:
            states = texts.states([pool[index].text for index in candidates])
            labels, nothing = clusters(states, count, seed), np.zeros(len(candidates), dtype=bool)

            def take_row(row: int, candidates: list[int] = candidates) -> bool:
                return take(candidates[row])

            rows = most_typical(labels, typicality(states, labels), nothing, count - len(chosen), take_row)
            chosen += [candidates[row] for row in rows]
    return chosen


def _mixed(chosen: Sequence[int], name: Chosen, drawn: Sequence[int]) -> list[tuple[int, Chosen]]:
    """Return the chosen texts with those drawn at random spread evenly among them, so that any first part has both."""
    places: list[tuple[float, int, Chosen]] = [
        ((position + 0.5) / len(rows), index, how)
        for rows, how in ((chosen, name), (drawn, "random"))
        for position, index in enumerate(rows)
    ]
    return [(index, how) for _, index, how in sorted(places, key=lambda place: place[0])]
