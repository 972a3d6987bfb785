"""Near-copies: texts that would be labeled twice, as `data.leakage` defines near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable

from electra_ie.data.document import Document
from electra_ie.data.leakage import MIN_SIMILARITY, SketchIndex, hashes, jaccard, shingles, sketch_of

KEY = "taken"


class Taken:
    """The texts that are labeled or chosen, and whether another text is a near-copy of one of them."""

    def __init__(self, documents: Iterable[Document]) -> None:
        """Take these documents."""
        self.documents: list[Document] = []
        self.index = SketchIndex({KEY: self.documents})
        for document in documents:
            self.add(document)

    def add(self, document: Document) -> None:
        """Take a document."""
        self.documents.append(document)
        self.index.add((KEY, len(self.documents) - 1), sketch_of(shingles(document.text)))

    def has_copy_of(self, document: Document) -> bool:
        """Return whether a document that is taken has nearly the same text."""
        pieces = shingles(document.text)
        candidates = self.index.candidates(sketch_of(pieces))
        own = hashes(pieces if candidates else ())
        return any(jaccard(own, self.index.hashes_of(key)) >= MIN_SIMILARITY for key in candidates)
