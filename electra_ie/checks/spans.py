"""Spans that training cannot use, and entities of dev and test that train already has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from electra_ie.checks.counts import Splits, labeled
from electra_ie.checks.issues import Issue, Place, counted
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field, lost_by_overlap
from electra_ie.data.gold_checks import across_windows, better_scheme, count_spans, misaligned, overlapped
from electra_ie.data.windowing import WindowTokenizer

PLACES = 20
"""Places that an issue lists."""
MOSTLY_SEEN = 0.5
"""The share of the spans of a split with a text that train has, above which scores say little about new entities."""


@dataclass(frozen=True, slots=True)
class SeenCount:
    """Spans of a split whose text is also that of a span of train, regardless of case and white space.

    `seen`: with the same label in train. `other_label`: only with another label.
    """

    split: str
    field: str
    label: str
    spans: int
    seen: int
    other_label: int


def overlapping_spans(splits: Splits, fields: Sequence[Field]) -> Iterator[Issue]:
    """Yield an issue for each field and split with spans that overlap more than its scheme can express."""
    for field in fields:
        for split, documents in labeled(splits).items():
            spans = [(document, span) for document in documents for span in _spans(document, field)]
            lost = [
                (document, span) for document in documents for span in lost_by_overlap(field, _spans(document, field))
            ]
            if lost:
                refused = not field.counts_lost
                end = "training refuses them" if refused else "they count as missed"
                message = (
                    f'field "{field.name}": {len(lost):,} of {counted(len(spans), "span")} of {split} overlap '
                    f"{overlapped(field)}; {end}. {better_scheme(field, documents)} loses none of them."
                )
                places = [_place(split, document, span) for document, span in lost[:PLACES]]
                severity = "error" if refused else "note"
                yield Issue(
                    "overlapping_spans", severity, message, len(lost), len(spans), places, split, field.name
                )  # fmt: skip


def misaligned_spans(splits: Splits, fields: Sequence[Field], windower: WindowTokenizer) -> Iterator[Issue]:
    """Yield an issue for each field and split with spans that begin or end inside a word, or token, of the encoder."""
    unit = "word" if windower.whole_words else "token"
    fault = f"begin or end inside a {unit} of the encoder; the model can find them only up to the edges of the {unit}."
    return _not_expressed("misaligned_spans", fault, misaligned, splits, fields, windower)


def divided_spans(splits: Splits, fields: Sequence[Field], windower: WindowTokenizer) -> Iterator[Issue]:
    """Yield an issue for each field and split with spans whose fragments are in different windows."""
    fault = "have fragments in different windows; the model cannot find them. A larger window helps."
    return _not_expressed("divided_spans", fault, across_windows, splits, fields, windower)


def _not_expressed(
    check: str,
    fault: str,
    find: Callable[[Sequence[Document], WindowTokenizer, Sequence[Field]], list[tuple[Document, Field, Span]]],
    splits: Splits,
    fields: Sequence[Field],
    windower: WindowTokenizer,
) -> Iterator[Issue]:
    """Yield an issue for each field and split with spans that `find` returns: that the tags cannot express."""
    for field in fields:
        for split, documents in labeled(splits).items():
            lost = find(documents, windower, [field])
            if lost:
                total = count_spans(documents, [field])
                message = f'field "{field.name}": {len(lost):,} of {counted(total, "span")} of {split} {fault}'
                places = [_place(split, document, span) for document, _, span in lost[:PLACES]]
                yield Issue(check, "warning", message, len(lost), total, places, split, field.name)


def count_seen(splits: Splits, fields: Sequence[Field]) -> list[SeenCount]:
    """Return for each split but train how many spans of each label have a text that train has."""
    counts = []
    for field in (field for field in fields if field.kind == "spans"):
        known = {
            (span.label, _key(document, span))
            for document in splits.get("train", ())
            for span in _spans(document, field)
        }
        texts = {text for _, text in known}
        for split in (split for split in labeled(splits) if split != "train"):
            for label in field.labels:
                keys = [
                    _key(document, span)
                    for document in splits[split]
                    for span in _spans(document, field)
                    if span.label == label
                ]
                seen = sum((label, key) in known for key in keys)
                other = sum(key in texts and (label, key) not in known for key in keys)
                counts.append(SeenCount(split, field.name, label, len(keys), seen, other))
    return counts


def seen_entities(counts: Sequence[SeenCount]) -> Iterator[Issue]:
    """Yield an issue for each field and split in which most spans have a text that train has with the same label."""
    for split, field in dict.fromkeys((count.split, count.field) for count in counts):
        rows = [count for count in counts if (count.split, count.field) == (split, field)]
        total, seen = sum(row.spans for row in rows), sum(row.seen for row in rows)
        if total and seen > MOSTLY_SEEN * total:
            message = (
                f'field "{field}": {seen / total:.0%} of the spans of {split} have a text that train has with the same '
                "label: scores say little about new ones."
            )
            yield Issue("seen_entities", "note", message, seen, total, (), split, field)


def _spans(document: Document, field: Field) -> Sequence[Span]:
    return document.gold.get(field.name, ()) if field.kind == "spans" else ()


def _key(document: Document, span: Span) -> str:
    return " ".join(span.passage(document.text).casefold().split())


def _place(split: str, document: Document, span: Span) -> Place:
    return Place.of(split, document, span.start, span.end, given=span.label)
