"""Splits drawn from labeled documents: with the labels in their proportions, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from electra_ie.data.document import Document
from electra_ie.data.fields import Field, count_labels

Label = tuple[str, str]
"""A field and one of its labels."""


def draw_splits(
    documents: Sequence[Document], fields: Sequence[Field], shares: Mapping[str, float], seed: int
) -> dict[str, list[Document]]:
    """Return the documents of each split, in their original order; a split may be empty.

    The labels of all fields are spread in proportion to the shares, the rarest first (iterative stratification:
    Sechidis et al. 2011, "On the stratification of multi-label data"). So a label of few documents is in as many splits
    as it can be, first in that of the largest share. Documents with the same text, ignoring white space, are in the
    same split.

    Args:
        documents: The documents.
        fields: The fields whose labels count. That no label applies counts as a label.
        shares: The share of each split; they add up to 1.
        seed: The seed of the draw.
    """
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(" ".join(document.text.split()), []).append(document)
    labels = {text: _labels(group, fields) for text, group in groups.items()}
    texts = list(groups)
    random.Random(f"electra_ie splits {seed}").shuffle(texts)
    split_of = _stratify(texts, labels, shares)
    return {
        split: [document for document in documents if split_of[" ".join(document.text.split())] == split]
        for split in shares
    }


def _labels(documents: Sequence[Document], fields: Sequence[Field]) -> list[Label]:
    """Return the labels that documents have, each once."""
    return [
        (field.name, label)
        for field in fields
        for label in count_labels(
            field, [document.gold[field.name] for document in documents if field.name in document.gold]
        )
    ]


def _stratify(
    items: Sequence[str], labels: Mapping[str, Sequence[Label]], shares: Mapping[str, float]
) -> dict[str, str]:
    """Return the split of each item. Ties are broken by the order of items and shares."""
    waiting: dict[Label | None, dict[str, None]] = {None: dict.fromkeys(items)}  # by label, in order; None: all items
    for item in items:
        for label in labels[item]:
            waiting.setdefault(label, {})[item] = None
    wanted = {
        split: {label: share * len(having) for label, having in waiting.items()} for split, share in shares.items()
    }
    split_of: dict[str, str] = {}
    while waiting[None]:
        left = [label for label, having in waiting.items() if having and label is not None]
        rarest = min(left, key=lambda label: len(waiting[label]), default=None)
        for item in list(waiting[rarest]):
            split = max(shares, key=lambda name: (wanted[name][rarest], wanted[name][None]))
            split_of[item] = split
            for having in (None, *labels[item]):
                del waiting[having][item]
                wanted[split][having] -= 1
    return split_of
