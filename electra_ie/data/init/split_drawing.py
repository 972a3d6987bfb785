"""Splits drawn from labeled documents: with the labels in their proportions, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from electra_ie.data.document import Document, is_biased
from electra_ie.data.fields import AnyField, count_labels
from electra_ie.data.splits import DEV, TEST, TRAIN

Label = tuple[str, str]
"""A field and one of its labels."""
FEW = 20
"""With fewer documents than this, the standard error of a share of correct answers is about ten points or more."""
SHOWN = 5
"""Labels that a warning names."""


def draw_splits(
    documents: Sequence[Document], fields: Sequence[AnyField], shares: Mapping[str, float], seed: int
) -> dict[str, list[Document]]:
    """Return the documents of each split, in their original order; a split may be empty.

    The labels of all fields are spread in proportion to the shares, the rarest first (iterative stratification:
    Sechidis et al. 2011, "On the stratification of multi-label data"). So a label of few documents is in as many splits
    as it can be, first in that of the largest share. Documents with the same text, ignoring white space, are in the
    same split.

    Texts that were chosen to be labeled because of what they say (`document.BIASED`) stay in train: the scores on them
    are not those on other texts. So dev and test are drawn from the others, as many as their share of all documents, if
    there are as many.

    Args:
        documents: The documents.
        fields: The fields whose labels count. That no label applies counts as a label.
        shares: The share of each split, train among them; they add up to 1.
        seed: The seed of the draw.
    """
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(" ".join(document.text.split()), []).append(document)
    labels = {text: _labels(group, fields) for text, group in groups.items()}
    texts = list(groups)
    random.Random(f"electra_ie splits {seed}").shuffle(texts)
    biased = [text for text in texts if any(map(is_biased, groups[text]))]
    split_of = _stratify(texts, labels, shares, biased)
    return {
        split: [document for document in documents if split_of[" ".join(document.text.split())] == split]
        for split in shares
    }


def rough_scores(drawn: Mapping[str, Sequence[Document]], fields: Sequence[AnyField]) -> str:
    """Return a warning if scores on the drawn test split are rough, since it is small; else "".

    It says how small dev and test are, and which labels have one example or none in them.
    """
    if not 0 < len(drawn.get(TEST, ())) < FEW:
        return ""
    few = {split: drawn[split] for split in (DEV, TEST) if 0 < len(drawn.get(split, ())) < FEW}
    counts: dict[Label, dict[str, int]] = {}
    for split, documents in few.items():
        for field in fields:
            found = count_labels(field, [each.gold[field.name] for each in documents if field.name in each.gold])
            for label in field.labels:
                counts.setdefault((field.name, label), {})[split] = found[label]
    rare = [
        f"{label} ({', '.join(f'{number} in {split}' for split, number in of_label.items())})"
        for (_, label), of_label in counts.items()
        if min(of_label.values()) <= 1
    ]
    more = f" and {len(rare) - SHOWN:,} more" if len(rare) > SHOWN else ""
    examples = f" Labels with one example or none: {', '.join(rare[:SHOWN])}{more}." if rare else ""
    sizes = " and ".join(f"{len(documents)} for {split}" for split, documents in few.items())
    remedy = "With few labels: --test 0, so that train and dev have more."
    return f"scores are rough on so few documents: {sizes}.{examples} {remedy}"


def _labels(documents: Sequence[Document], fields: Sequence[AnyField]) -> list[Label]:
    """Return the labels that documents have, each once."""
    return [
        (field.name, label)
        for field in fields
        for label in count_labels(
            field, [document.gold[field.name] for document in documents if field.name in document.gold]
        )
    ]


def _stratify(
    items: Sequence[str], labels: Mapping[str, Sequence[Label]], shares: Mapping[str, float], in_train: Sequence[str]
) -> dict[str, str]:
    """Return the split of each item. Ties are broken by the order of items and shares. in_train: those of train."""
    waiting: dict[Label | None, dict[str, None]] = {None: dict.fromkeys(items)}  # by label, in order; None: all items
    for item in items:
        for label in labels[item]:
            waiting.setdefault(label, {})[item] = None
    wanted = {
        split: {label: share * len(having) for label, having in waiting.items()} for split, share in shares.items()
    }
    split_of: dict[str, str] = {}

    def put(item: str, split: str) -> None:
        split_of[item] = split
        for having in (None, *labels[item]):
            del waiting[having][item]
            wanted[split][having] -= 1

    for item in in_train:
        put(item, TRAIN)
    while waiting[None]:
        left = [label for label, having in waiting.items() if having and label is not None]
        rarest = min(left, key=lambda label: len(waiting[label]), default=None)
        for item in list(waiting[rarest]):
            put(item, max(shares, key=lambda name: (wanted[name][rarest], wanted[name][None])))
    return split_of
