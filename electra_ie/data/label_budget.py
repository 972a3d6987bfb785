"""Label budgets: which documents keep their labels. The samples are nested and a function of the seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Literal

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.data.fields import Field

Draw = Literal["plain", "stratified"]
"""How a label budget is drawn (see `ordered`)."""


def ordered(documents: Sequence[Document], fields: Sequence[Field], seed: int, draw: Draw = "plain") -> list[Document]:
    """Return the documents in the order in which a label budget takes them.

    Every prefix is a sample, and a longer prefix contains the shorter one.

    plain: a random permutation, which does not read the gold.

    stratified: if fields of kind `classes` or `flags` give each document a stratum, the prefixes have the strata in
    their proportions: the k-th of the n documents of a stratum has the position (k + u) / n, with u uniform in [0, 1).
    With fields of spans only, this is the plain permutation. The strata come from the gold of all documents. So the
    label shares of a small budget are closer to the true ones than in a plain sample, which makes a benchmark with few
    labels easier than the task of a user who has only these labels.
    """
    generator = random.Random(f"electra_ie labels {seed}")
    shuffled = list(documents)
    generator.shuffle(shuffled)
    if draw == "plain":
        return shuffled
    strata = [_stratum(document, fields) for document in shuffled]
    sizes = Counter(strata)
    counts: dict[Hashable, int] = defaultdict(int)
    positions = []
    for stratum in strata:
        positions.append((counts[stratum] + generator.random()) / sizes[stratum])
        counts[stratum] += 1
    return [document for _, document in sorted(zip(positions, shuffled, strict=True), key=lambda pair: pair[0])]


def keep_labels(
    documents: Sequence[Document], fields: Sequence[Field], budget: int, seed: int, draw: Draw = "plain"
) -> tuple[list[Document], list[Document]]:
    """Return `budget` of the labeled documents, and all others without their labels. draw: see `ordered`."""
    labeled = [document for document in documents if document.gold]
    unlabeled = [document for document in documents if not document.gold]
    order = ordered(labeled, fields, seed, draw)
    return order[:budget], [document.unlabeled() for document in order[budget:]] + unlabeled


def check_budget(labels: int | None, train: Sequence[Document]) -> None:
    """Raise UserError for a label budget larger than the number of labeled documents."""
    if labels is not None and labels > len(train):
        raise UserError(
            f"--label-budget {labels}: train has {len(train)} labeled documents.",
            remedy=f"Give at most {len(train)}, or omit --label-budget to use all.",
        )


def sample(documents: Sequence[Document], size: int, seed: int) -> list[Document]:
    """Return at most `size` random documents, in their original order."""
    if len(documents) <= size:
        return list(documents)
    chosen = random.Random(f"electra_ie sample {seed}").sample(range(len(documents)), size)
    return [documents[index] for index in sorted(chosen)]


def _stratum(document: Document, fields: Sequence[Field]) -> Hashable:
    """Return the classes and sets of flags of a document."""
    return tuple(document.gold.get(field.name) for field in fields if field.kind != "spans")
