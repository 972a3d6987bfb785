"""Which documents of one split stand in another, word for word or nearly: what makes scores too good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasketch import MinHash, MinHashLSH

from electra_ie.data.document import Document

ORDER = ("test", "dev", "train", "pool")
"""Documents of a split are looked for in those behind it."""
WORDS = 3
"""Words in a shingle. Records and notes are short: at five, one changed word in forty already parts two texts."""
ALIKE = 0.8
"""The least share of their shingles that two near-duplicates have in common (Jaccard)."""
PERMUTATIONS = 126
BANDS = (21, 6)
"""Bands of the index and rows in each: of pairs as alike as `ALIKE` it proposes 99.8 %, of pairs half alike 28 %. What
it proposes is then compared by sketch, and what is left shingle by shingle."""
ESTIMATED = 0.65
"""The least likeness of two sketches for their texts to be compared: of pairs as alike as `ALIKE`, whose sketches miss
that by 0.036 (standard error), one in 80,000 is lost."""
MOST_CHARACTERS = 30_000_000
"""What near-duplicates are looked for in at most, a split: about twenty seconds on one core. Above it every n-th
document is compared. Word for word all are."""
BLANK = MinHash(num_perm=PERMUTATIONS)
AT_ONCE = 10_000
"""Shingles hashed at once: bounds the memory over a text of any length."""
EXAMPLES = 3


@dataclass
class Shared:
    """Documents of one split that stand in another, by number: the ids of both."""

    exact: dict[int, tuple[str, str]] = field(default_factory=dict)
    near: dict[int, tuple[str, str]] = field(default_factory=dict)


def overlaps(splits: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
    """Counts for each pair of splits, and the ids of a few examples; no text.

    Word for word: the same text after white space is made one blank. Nearly: Jaccard similarity of word shingles, found
    by MinHash (Broder 1997) with locality-sensitive hashing (Indyk and Motwani 1998) and then counted exactly.
    """
    names = [name for name in ORDER if splits.get(name)]
    shared = {(one, other): Shared() for place, one in enumerate(names) for other in names[place + 1 :]}
    _find_exact(names, splits, shared)
    drawn = {name: _drawn(splits[name]) for name in names}
    _find_near(names, splits, drawn, shared)
    return {
        "method": f"exact after white space is made one; near: Jaccard of {WORDS}-word shingles >= {ALIKE}, by MinHash",
        "compared_for_near": {name: len(drawn[name]) for name in names},
        "capped": [name for name in names if len(drawn[name]) < len(splits[name])],
        "pairs": [_told(pair, found, len(splits[pair[0]])) for pair, found in shared.items()],
    }


def _told(pair: tuple[str, str], found: Shared, documents: int) -> dict[str, Any]:
    near = {number: ids for number, ids in found.near.items() if number not in found.exact}
    examples = [list(ids) for ids in (*found.exact.values(), *near.values())][:EXAMPLES]
    return {
        "of": pair[0], "in": pair[1], "documents": documents, "exact": len(found.exact), "near": len(near),
        "examples": examples,
    }  # fmt: skip


def _find_exact(names: Sequence[str], splits: Mapping[str, Sequence[Document]], shared: dict[Any, Shared]) -> None:
    known: dict[bytes, list[tuple[str, int]]] = {}
    for name in names:
        met: set[bytes] = set()  # a text that stands there a million times is looked up once
        for document in splits[name]:
            digest = _digest(document.text)
            if digest in known and digest not in met:
                met.add(digest)
                for one, number in known[digest]:
                    shared[one, name].exact[number] = (splits[one][number].id, document.id)
        if name != names[-1]:
            for number, document in enumerate(splits[name]):
                known.setdefault(_digest(document.text), []).append((name, number))


class _SketchIndex:
    """Documents met so far, by split and number: an index of their sketches, and the hashes of those compared."""

    def __init__(self, splits: Mapping[str, Sequence[Document]]):
        self.splits = splits
        self.index = MinHashLSH(threshold=ALIKE, num_perm=PERMUTATIONS, params=BANDS)
        self.sketches: dict[tuple[str, int], np.ndarray] = {}
        self.hashes: dict[tuple[str, int], np.ndarray] = {}

    def add(self, key: tuple[str, int], sketch: MinHash) -> None:
        self.index.insert(key, sketch)
        self.sketches[key] = sketch.hashvalues.astype(np.uint32)  # each is below 2 ** 32

    def perhaps_like(self, sketch: MinHash) -> list[tuple[str, int]]:
        """Those that the index proposes and whose sketches agree with this one in `ESTIMATED` of the places or more:
        form letters are half alike by the thousand."""
        proposed = self.index.query(sketch)
        if not proposed:
            return []
        agreed = (np.stack([self.sketches[key] for key in proposed]) == sketch.hashvalues).mean(axis=1)
        return [key for key, share in zip(proposed, agreed, strict=True) if share >= ESTIMATED]

    def hashes_of(self, key: tuple[str, int]) -> np.ndarray:
        if key not in self.hashes:
            self.hashes[key] = hashes(shingles(self.splits[key[0]][key[1]].text))
        return self.hashes[key]


def _find_near(
    names: Sequence[str], splits: Mapping[str, Sequence[Document]], drawn: Mapping[str, Sequence[int]],
    shared: dict[Any, Shared],
) -> None:  # fmt: skip
    """Each document is hashed once: it is looked up among the splits before its own, then joins them."""
    before = _SketchIndex(splits)
    for name in names:
        sketched = []
        met: set[bytes] = set()
        for place in drawn[name]:
            document = splits[name][place]
            pieces = shingles(document.text)
            sketch = _sketch(pieces)
            digest = _digest(document.text)
            proposed = [] if digest in met else before.perhaps_like(sketch)
            mine = hashes(pieces if proposed else ())
            for one, number in proposed:
                found = shared[one, name]
                if number in found.exact or number in found.near:
                    continue
                if jaccard(mine, before.hashes_of((one, number))) >= ALIKE:
                    found.near[number] = (splits[one][number].id, document.id)
            met.add(digest)
            if name != names[-1]:
                sketched.append((place, sketch))
        for place, sketch in sketched:
            before.add((name, place), sketch)


def _sketch(pieces: Sequence[bytes]) -> MinHash:
    sketch = BLANK.copy()
    for start in range(0, len(pieces), AT_ONCE):
        sketch.update_batch(pieces[start : start + AT_ONCE])
    return sketch


def shingles(text: str) -> list[bytes]:
    """All runs of `WORDS` words, without regard to case, each once; the whole of a shorter text."""
    words = text.casefold().split()
    starts = range(max(1, len(words) - WORDS + 1))
    return sorted({" ".join(words[start : start + WORDS]).encode("utf-8") for start in starts})


def hashes(pieces: Sequence[bytes]) -> np.ndarray:
    """Eight bytes for each: they are kept, and compared in place of the texts."""
    return np.frombuffer(b"".join(hashlib.blake2b(each, digest_size=8).digest() for each in pieces), np.uint64)


def jaccard(one: Sequence[bytes] | np.ndarray, other: Sequence[bytes] | np.ndarray) -> float:
    """|A and B| / |A or B| of two sets, whose elements are given once each."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def _drawn(documents: Sequence[Document]) -> range:
    """The numbers of the documents that are compared: all, or evenly every n-th."""
    characters = sum(len(document.text) for document in documents)
    return range(0, len(documents), max(1, -(-characters // MOST_CHARACTERS)))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(" ".join(text.split()).encode("utf-8"), digest_size=16).digest()
