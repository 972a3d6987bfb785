"""Which documents keep their labels: fair, nested, and decided by the seed alone."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from electra_ie.data.document import Document
from electra_ie.data.fields import Field


def ordered(documents: Sequence[Document], fields: Sequence[Field], seed: int) -> list[Document]:
    """The documents in the order in which a label budget takes them.

    Any prefix is a sample, and a longer prefix holds the shorter one. Where a field of kind `classes` or `flags`
    gives each document one stratum, prefixes have the strata in their proportions: the k-th of n documents of a
    stratum stands at (k + u) / n of the way, u uniform. Spans alone give a plain permutation.

    The strata are those of the gold of all these documents: a small budget has truer shares than texts that somebody
    drew without knowing their labels, and a benchmark with few labels is easier by that.
    """
    draw = random.Random(f"electra_ie labels {seed}")
    shuffled = list(documents)
    draw.shuffle(shuffled)
    strata = [_stratum(document, fields) for document in shuffled]
    sizes = Counter(strata)
    seen: dict[Hashable, int] = defaultdict(int)
    places = []
    for stratum in strata:
        places.append((seen[stratum] + draw.random()) / sizes[stratum])
        seen[stratum] += 1
    return [document for _, document in sorted(zip(places, shuffled, strict=True), key=lambda pair: pair[0])]


def keep_labels(
    documents: Sequence[Document], fields: Sequence[Field], budget: int, seed: int
) -> tuple[list[Document], list[Document]]:
    """Keep the labels of `budget` labelled documents; the others come back second, with nothing known of them."""
    labelled = [document for document in documents if document.gold]
    bare = [document for document in documents if not document.gold]
    order = ordered(labelled, fields, seed)
    return order[:budget], [document.unlabeled() for document in order[budget:]] + bare


def sample(documents: Sequence[Document], size: int, seed: int) -> list[Document]:
    """At most `size` documents, drawn by the seed, in the order in which they stood."""
    if len(documents) <= size:
        return list(documents)
    chosen = random.Random(f"electra_ie sample {seed}").sample(range(len(documents)), size)
    return [documents[index] for index in sorted(chosen)]


def _stratum(document: Document, fields: Sequence[Field]) -> Hashable:
    """The classes and sets of flags that are known of a document."""
    return tuple(document.gold.get(field.name) for field in fields if field.kind != "spans")
