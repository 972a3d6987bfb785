"""Counts of documents and labels by split, labels with few examples, and texts without content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from electra_ie.checks.issues import Issue, Place, are, counted, have
from electra_ie.data.document import Document
from electra_ie.data.fields import LISTED_KINDS, AnyField, count_labels, has_label

LISTED = 10
"""Labels that a message names."""
Splits = Mapping[str, Sequence[Document]]
"""The documents by split: `train`, `dev`, `test` and `pool`, those of them that exist."""


@dataclass(frozen=True, slots=True)
class SplitCount:
    """The size of a split."""

    split: str
    documents: int
    labeled: int
    characters: int


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label occurs in each labeled split: its spans, relations or attributes, or documents that have it."""

    field: str
    kind: str
    label: str
    counts: Mapping[str, int]


def labeled(splits: Splits) -> Splits:
    """Return the splits that may have labels."""
    return {split: documents for split, documents in splits.items() if split != "pool"}


def count_splits(splits: Splits) -> list[SplitCount]:
    """Return the size of each split."""
    return [
        SplitCount(
            split,
            len(documents),
            sum(bool(document.gold) for document in documents),
            sum(len(document.text) for document in documents),
        )
        for split, documents in splits.items()
    ]


def count_by_label(splits: Splits, fields: Sequence[AnyField]) -> list[LabelCount]:
    """Return the count of each label of each field, in their order."""
    counts = []
    for field in fields:
        by_split = {
            split: count_labels(field, (each.gold[field.name] for each in documents if field.name in each.gold))
            for split, documents in labeled(splits).items()
        }
        for label in field.labels:
            counts.append(
                LabelCount(field.name, field.kind, label, {split: count[label] for split, count in by_split.items()})
            )
    return counts


def empty_texts(splits: Splits) -> Iterator[Issue]:
    """Yield an issue for each split with documents that are empty or white space only."""
    for split, documents in splits.items():
        places = [Place.of(split, document) for document in documents if not document.text.strip()]
        if places:
            of = f"{len(places):,} of {counted(len(documents), 'document')} of {split}"
            message = f"{of} {are(len(places))} empty or white space only."
            severity = "note" if split == "pool" else "warning"
            yield Issue("empty_texts", severity, message, len(places), len(documents), places, split)


def rare_labels(splits: Splits, fields: Sequence[AnyField]) -> Iterator[Issue]:
    """Yield an issue for each field with labels that no document of train has, and one for those that only one has."""
    train = splits.get("train", ())
    for field in fields:
        having = {label: [each for each in train if _has(each, field, label)] for label in field.labels}
        for count, description in enumerate(("no labeled document", "only one labeled document")):
            rare = [label for label in field.labels if len(having[label]) == count]
            if not rare:
                continue
            elsewhere = sum(_in_scores(splits, field, label) for label in rare)
            listed = ", ".join(rare[:LISTED]) + (f" and {len(rare) - LISTED:,} more" if len(rare) > LISTED else "")
            scored = f"; {elsewhere:,} of them {are(elsewhere)} in dev or test" if elsewhere else ""
            message = (
                f'field "{field.name}": {len(rare):,} of {counted(len(field.labels), "label")} {have(len(rare))} '
                f"{description} in train: {listed}{scored}."
            )
            places = [Place.of("train", each, given=label) for label in rare for each in having[label]]
            check = ("labels_without_example", "labels_with_one_example")[count]
            yield Issue(check, "warning", message, len(rare), len(field.labels), places, "train", field.name)


def _in_scores(splits: Splits, field: AnyField, label: str) -> bool:
    """Return whether a document of dev or test has a label."""
    return any(_has(each, field, label) for split in ("dev", "test") for each in splits.get(split, ()))


def _has(document: Document, field: AnyField, label: str) -> bool:
    """Return whether a document has a label of a field of any kind."""
    gold = document.gold.get(field.name, ())
    return any(item.label == label for item in gold) if field.kind in LISTED_KINDS else has_label(gold, label)
