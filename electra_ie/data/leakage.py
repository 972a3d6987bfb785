"""Duplicates and near-duplicates between splits (data leakage), which make scores too high."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasketch import MinHash, MinHashLSH

from electra_ie.common.scripts import is_unspaced
from electra_ie.data.document import Document

ORDER = ("test", "dev", "train", "pool")
"""Splits; the documents of each are searched for in the splits after it."""
SHINGLE_WORDS = 3
"""Words in a shingle. Records and notes are short: with five, one changed word in forty makes two texts dissimilar."""
MIN_SIMILARITY = 0.8
"""The Jaccard similarity of the shingles of two texts from which they are near-duplicates."""
PERMUTATIONS = 126
BANDS = (21, 6)
"""Bands of the index, and rows in each. It returns 99.8 % of the pairs with similarity `MIN_SIMILARITY`, and 28 % of
those with 0.5; these are then filtered by their sketches, and the rest is compared exactly."""
MIN_ESTIMATE = 0.65
"""The similarity of two sketches from which texts are compared exactly. The standard error of an estimate at
`MIN_SIMILARITY` is 0.036, so that one pair in 80,000 is lost."""
MAX_CHARACTERS = 30_000_000
"""Characters of a split that are searched for near-duplicates: about twenty seconds on one core. In larger splits every
n-th document is compared. The search for exact duplicates has no limit."""
EMPTY_SKETCH = MinHash(num_perm=PERMUTATIONS)
CHUNK = 10_000
"""Shingles that are hashed at once, which bounds the memory for long texts."""
EXAMPLES = 3


@dataclass
class SplitOverlap:
    """The documents of one split that are also in another, by their index: the ids of both documents."""

    exact: dict[int, tuple[str, str]] = field(default_factory=dict)
    near: dict[int, tuple[str, str]] = field(default_factory=dict)


def overlaps(splits: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
    """Return the counts of duplicates for each pair of splits, with the ids of a few examples, but no text.

    Exact duplicates have the same text after each run of white space is replaced by one blank. Near-duplicates have
    similar sets of word shingles: candidates are found by MinHash (Broder 1997) with locality-sensitive hashing (Indyk
    and Motwani 1998), and their Jaccard similarity is then computed exactly.
    """
    names = [name for name in ORDER if splits.get(name)]
    found = {(first, second): SplitOverlap() for index, first in enumerate(names) for second in names[index + 1 :]}
    _find_exact(names, splits, found)
    compared = {name: compared_indices(splits[name]) for name in names}
    _find_near(names, splits, compared, found)
    return {
        "method": f"exact after white space is collapsed; near: Jaccard similarity of {SHINGLE_WORDS}-word shingles >= "
        f"{MIN_SIMILARITY}, by MinHash",
        "compared_for_near": {name: len(compared[name]) for name in names},
        "capped": [name for name in names if len(compared[name]) < len(splits[name])],
        "pairs": [_summary(pair, overlap, len(splits[pair[0]])) for pair, overlap in found.items()],
    }


def _summary(pair: tuple[str, str], overlap: SplitOverlap, documents: int) -> dict[str, Any]:
    """Return the counts and examples of a pair of splits; a document counts as exact or near, not as both."""
    near = {index: ids for index, ids in overlap.near.items() if index not in overlap.exact}
    examples = [list(ids) for ids in (*overlap.exact.values(), *near.values())][:EXAMPLES]
    return {
        "of": pair[0], "in": pair[1], "documents": documents, "exact": len(overlap.exact), "near": len(near),
        "examples": examples,
    }  # fmt: skip


def _find_exact(
    names: Sequence[str], splits: Mapping[str, Sequence[Document]], found: dict[tuple[str, str], SplitOverlap]
) -> None:
    """Add the exact duplicates to `found`."""
    earlier: dict[bytes, list[tuple[str, int]]] = {}
    for name in names:
        seen: set[bytes] = set()  # a text that occurs a million times in a split is looked up once
        for document in splits[name]:
            digest = digest_of(document.text)
            if digest in earlier and digest not in seen:
                seen.add(digest)
                for other, index in earlier[digest]:
                    found[other, name].exact[index] = (splits[other][index].id, document.id)
        if name != names[-1]:
            for index, document in enumerate(splits[name]):
                earlier.setdefault(digest_of(document.text), []).append((name, index))


class SketchIndex:
    """Index of the sketches of documents, by split and index in it, with the hashes of those that are compared."""

    def __init__(self, splits: Mapping[str, Sequence[Document]]) -> None:
        self.splits = splits
        self.index = MinHashLSH(threshold=MIN_SIMILARITY, num_perm=PERMUTATIONS, params=BANDS)
        self.sketches: dict[tuple[str, int], np.ndarray] = {}
        self.hashes: dict[tuple[str, int], np.ndarray] = {}

    def add(self, key: tuple[str, int], sketch: MinHash) -> None:
        """Add a document, given by its split and its index in it."""
        self.index.insert(key, sketch)
        self.sketches[key] = sketch.hashvalues.astype(np.uint32)  # all values are below 2 ** 32

    def candidates(self, sketch: MinHash) -> list[tuple[str, int]]:
        """Return the documents whose sketches share at least `MIN_ESTIMATE` of their values, most similar first.

        The index alone returns too many: thousands of form letters are half similar to each other.
        """
        keys = self.index.query(sketch)
        if not keys:
            return []
        estimates = (np.stack([self.sketches[key] for key in keys]) == sketch.hashvalues).mean(axis=1)
        ranked = sorted(zip((-estimates).tolist(), keys, strict=True))
        return [key for negative, key in ranked if -negative >= MIN_ESTIMATE]

    def hashes_of(self, key: tuple[str, int]) -> np.ndarray:
        """Return the hashes of the shingles of a document."""
        if key not in self.hashes:
            name, index = key
            self.hashes[key] = hashes(shingles(self.splits[name][index].text))
        return self.hashes[key]


def _find_near(
    names: Sequence[str],
    splits: Mapping[str, Sequence[Document]],
    compared: Mapping[str, Sequence[int]],
    found: dict[tuple[str, str], SplitOverlap],
) -> None:
    """Add the near-duplicates to `found`. Each document is hashed once, for its own search and for the index."""
    earlier = SketchIndex(splits)
    for name in names:
        sketches = []
        seen: set[bytes] = set()
        for index in compared[name]:
            document = splits[name][index]
            pieces = shingles(document.text)
            sketch = sketch_of(pieces)
            digest = digest_of(document.text)
            candidates = [] if digest in seen else earlier.candidates(sketch)
            piece_hashes = hashes(pieces if candidates else ())
            for other, other_index in candidates:
                overlap = found[other, name]
                if other_index in overlap.exact or other_index in overlap.near:
                    continue
                if jaccard(piece_hashes, earlier.hashes_of((other, other_index))) >= MIN_SIMILARITY:
                    overlap.near[other_index] = (splits[other][other_index].id, document.id)
            seen.add(digest)
            if name != names[-1]:
                sketches.append((index, sketch))
        # Added only now: a split is not compared with itself.
        for index, sketch in sketches:
            earlier.add((name, index), sketch)


def sketch_of(pieces: Sequence[bytes]) -> MinHash:
    """Return the MinHash of shingles."""
    sketch = EMPTY_SKETCH.copy()
    for start in range(0, len(pieces), CHUNK):
        sketch.update_batch(pieces[start : start + CHUNK])
    return sketch


def shingles(text: str) -> list[bytes]:
    """Return the distinct runs of `SHINGLE_WORDS` words, regardless of case; a shorter text is one shingle.

    A character of a script without blanks between words is one word.
    """
    folded = text.casefold()
    if any(map(is_unspaced, set(folded))):
        folded = "".join(f" {character} " if is_unspaced(character) else character for character in folded)
    words = folded.split()
    starts = range(max(1, len(words) - SHINGLE_WORDS + 1))
    return sorted({" ".join(words[start : start + SHINGLE_WORDS]).encode("utf-8") for start in starts})


def hashes(pieces: Sequence[bytes]) -> np.ndarray:
    """Return a hash of 8 bytes for each shingle, (n,): smaller to keep and to compare than the texts."""
    return np.frombuffer(b"".join(hashlib.blake2b(piece, digest_size=8).digest() for piece in pieces), np.uint64)


def jaccard(first: Sequence[bytes] | np.ndarray, second: Sequence[bytes] | np.ndarray) -> float:
    """Return |A and B| / |A or B| of two sets, given as sequences of distinct elements."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)


def compared_indices(documents: Sequence[Document]) -> range:
    """Return the indices of the documents that are compared: all, or every n-th (see `MAX_CHARACTERS`)."""
    characters = sum(len(document.text) for document in documents)
    return range(0, len(documents), max(1, -(-characters // MAX_CHARACTERS)))


def digest_of(text: str) -> bytes:
    """Return a hash that texts have in common if they differ in white space only."""
    return hashlib.blake2b(" ".join(text.split()).encode("utf-8"), digest_size=16).digest()
