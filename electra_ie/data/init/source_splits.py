"""The splits of a new task: those that the names of its sources say, the others drawn from train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from electra_ie.common.errors import ErrorCollector
from electra_ie.common.folders import count
from electra_ie.common.logs import warn
from electra_ie.data.document import Document, is_biased
from electra_ie.data.document_ids import repeated_ids
from electra_ie.data.fields import AnyField
from electra_ie.data.init.sources import SHOWN, Source
from electra_ie.data.init.split_drawing import draw_splits, rough_scores
from electra_ie.data.splits import DEV, SPLITS, TEST, TRAIN, UNLABELED


def without_unlabeled_tests(
    by_source: Mapping[Source, list[Document]],
) -> tuple[dict[Source, list[Document]], list[str]]:
    """Return the sources without those of dev and test that have no label, as of benchmarks, and what was assumed."""
    empty = [
        source
        for source, documents in by_source.items()
        if source.split in (DEV, TEST) and not any(any(document.gold.values()) for document in documents)
    ]
    kept = {source: documents for source, documents in by_source.items() if source not in empty}
    return kept, [f"{source.path.name} is left out: none of its documents has a label" for source in empty]


def with_ids(
    by_source: Mapping[Source, Sequence[Document]],
) -> tuple[dict[Source, list[Document]], list[str]]:
    """Return the documents with an id each, and what was assumed.

    A record without an id gets the name of its file and its line. Where files have the same id, the name of the file is
    put before it.

    Raises:
        UserError: Records of one file have the same id.
    """
    named = {
        source: [
            replace(document, id=document.id or f"{source.stem}-{document.line or number}")
            for number, document in enumerate(documents, start=1)
        ]
        for source, documents in by_source.items()
    }
    files = Counter(id for documents in named.values() for id in {document.id for document in documents})
    distinct = {
        source: [
            replace(document, id=f"{source.stem}-{document.id}") if files[document.id] > 1 else document
            for document in documents
        ]
        for source, documents in named.items()
    }
    errors = ErrorCollector()
    for error in repeated_ids(document for documents in distinct.values() for document in documents):
        errors.add(error)
    errors.raise_any("the ids")
    shared = sum(number > 1 for number in files.values())
    return distinct, [f"{shared:,} ids are in several files: the name of the file is put before them"] if shared else []


def splits_of_sources(
    by_source: Mapping[Source, Sequence[Document]], fields: Sequence[AnyField], shares: Mapping[str, float], seed: int
) -> tuple[dict[str, list[Document]], list[str]]:
    """Return the documents of each split, and what was assumed."""
    splits: dict[str, list[Document]] = {split: [] for split in SPLITS}
    for source, documents in by_source.items():
        for document in documents:
            unlabeled = not document.gold and source.split in ("", TRAIN)
            splits[UNLABELED if unlabeled else source.split or TRAIN].append(document)
    assumed = []
    moved = sum(
        not document.gold for source, docs in by_source.items() if source.split != UNLABELED for document in docs
    )
    if moved and splits[UNLABELED]:
        without = count(moved, "document without labels is", "documents without labels are")
        assumed.append(f"{without} in the split unlabeled")
    missing = {split: share for split, share in shares.items() if share and not splits[split]}
    if missing:
        train = splits[TRAIN]
        drawn = draw_splits(train, fields, {TRAIN: 1 - sum(missing.values()), **missing}, seed)
        splits |= drawn
        counts = " and ".join(f"{len(drawn[split]):,} for {split}" for split in missing)
        assumed.append(
            f"of {len(train):,} labeled documents, {counts} are drawn with seed {seed}: labels in proportion, equal "
            "texts together; each record counts as a document of its own"
        )
        if biased := sum(map(is_biased, train)):
            assumed.append(f"{biased:,} documents that were chosen by what they say stay in {TRAIN}")
        if warning := rough_scores(drawn, fields):
            warn(warning)
        assumed += [f"too few documents for a split {split}" for split in missing if not drawn[split]]
    assumed += list(_unseen(splits, fields))
    return {split: documents for split, documents in splits.items() if documents}, assumed


def _unseen(splits: Mapping[str, Sequence[Document]], fields: Sequence[AnyField]) -> Iterator[str]:
    """Yield a line for each field with labels that no document of train has."""
    for field in fields:
        values = [document.gold[field.name] for document in splits[TRAIN] if field.name in document.gold]
        seen = {
            label
            for value in values
            for label in ([value] if isinstance(value, str) else [getattr(item, "label", item) for item in value])
        }
        if unseen := [label for label in field.labels if label not in seen]:
            yield f"{field.name}: no document of train has {', '.join(unseen[:SHOWN])}{', ...' * (len(unseen) > SHOWN)}"
