"""Checks of the gold of a data set, reported as warnings or errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.data.bio import to_spans, to_tags
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import LEVELS, TRACKS, Field, by_track, lost_by_overlap, with_levels
from electra_ie.data.leakage import digest_of
from electra_ie.data.task import Task
from electra_ie.data.windowing import WindowTokenizer, window_starts

SHOWN = 5
"""Gold spans that a warning names."""


def refuse_lost_spans(field: Field, documents: Sequence[Document], task: Task) -> None:
    """Check for spans within a field that overlap more than its scheme can express.

    Raises:
        UserError: there are some, and the task does not have `overlaps: count`, with which they are a warning, as
            those of more levels than the field has.
    """
    if field.kind != "spans":
        return
    gold = [(document, document.gold.get(field.name, ())) for document in documents]
    lost = [(document, span) for document, spans in gold for span in lost_by_overlap(field, spans)]
    if not lost:
        return
    total = sum(len(spans) for _, spans in gold)
    document, span = lost[0]
    message = (
        f'{len(lost)} of {total} gold spans of the field "{field.name}" overlap {overlapped(field)}, which the scheme '
        f"{field.scheme} cannot express (first: characters {span.start} to {span.end} of {document.id})."
    )
    better = f"Write {better_scheme(field, documents)} in the field, which loses none of them"
    if field.counts_lost:
        place = f"{document.file}:{document.line}: " if document.file and document.line else ""
        return warn(f"{place}{message} They are not trained on, and count as missed in every score. {better}.")
    remedy = f"{better}, or `overlaps: count` in the field to train without them."
    raise UserError(message, file=document.file, line=document.line, remedy=remedy)


def overlapped(field: Field) -> str:
    """Return what the spans overlap that a field cannot express."""
    if field.scheme == LEVELS:
        return "longer ones of the same label in more levels than the field has"
    return "a longer one of the same label" if field.scheme == TRACKS else "a longer one"


def better_scheme(field: Field, documents: Sequence[Document]) -> str:
    """Return the simplest scheme that expresses all spans of a field, as task.yaml has it."""
    tracks = replace(field, scheme=TRACKS, levels=())
    if not any(lost_by_overlap(tracks, document.gold.get(field.name, ())) for document in documents):
        return f"`scheme: {TRACKS}`"
    (needed,) = with_levels([replace(tracks, scheme=LEVELS)], documents)
    same = len(set(needed.levels)) == 1
    number = f" and `levels: {needed.levels[0] if same else list(needed.levels)}`" if field.levels else ""
    return f"`scheme: {LEVELS}`{number}"


def warn_of_shared_texts(dev: Sequence[Document], train: Sequence[Document], remedy: str = "") -> None:
    """Warn of texts of dev that are also in train: scores on them measure memory."""
    texts = {document.text for document in train}
    shared = sum(document.text in texts for document in dev)
    if shared:
        warn(
            f"{shared} of {len(dev)} texts of dev are also in train, word for word: scores on dev are too high. "
            f"{remedy}".rstrip()
        )


def refuse_unlabeled_fields(task: Task, train: Sequence[Document]) -> None:
    """Raise UserError for a field of which no labeled document of train has gold: there is nothing to learn."""
    for field in task.fields:
        if not any(field.name in document.gold for document in train):
            raise UserError(
                f'no labeled record of the split "train" has the field "{field.name}".',
                file=task.origin,
                remedy="Label some, give a larger --label-budget, or remove the field from the task.",
            )


def comparable_gold(document: Document, field: Field) -> Any:
    """Return the gold of a field as equal texts with equal labels have it, whatever their white space is."""
    gold, text = document.gold[field.name], document.text
    if field.kind != "spans":
        return gold
    before = list(accumulate((not character.isspace() for character in text), initial=0))
    return sorted(
        ([(before[start], "".join(text[start:end].split())) for start, end in span.ranges], span.label) for span in gold
    )


def warn_of_conflicts(train: Sequence[Document], fields: Sequence[Field], remedy: str = "") -> None:
    """Warn of equal texts in train, regardless of white space, that have different labels."""
    first: dict[bytes, Document] = {}
    conflicts: dict[bytes, tuple[Document, Document]] = {}
    for document in train:
        digest = digest_of(document.text)
        other = first.setdefault(digest, document)
        if other is document:
            continue
        known = [field for field in fields if field.name in document.gold and field.name in other.gold]
        if any(comparable_gold(document, field) != comparable_gold(other, field) for field in known):
            conflicts.setdefault(digest, (other, document))
    if conflicts:
        one, two = next(iter(conflicts.values()))
        several = "1 text is" if len(conflicts) == 1 else f"{len(conflicts):,} texts are"
        warn(
            f"{several} in train several times with different labels (first: {one.id} and {two.id}). {remedy}".rstrip()
        )


def warn_of_rare_labels(field: Field, train: Sequence[Document]) -> None:
    """Warn of the labels that no training document has, which a model cannot learn, and of those that only one has."""
    counts: Counter[str] = Counter()
    for document in train:
        gold = document.gold.get(field.name, ())
        counts.update(
            {gold} if field.kind == "classes" else set(gold) if field.kind == "flags" else {span.label for span in gold}
        )
    for count, description in enumerate(("no labeled document", "only one labeled document")):
        rare = [name for name in field.labels if counts[name] == count]
        if rare:
            have = "has" if len(rare) == 1 else "have"
            of = f"{len(rare)} of {len(field.labels)} labels"
            warn(f'field "{field.name}": {of} {have} {description}: {", ".join(rare)}.')


def count_spans(documents: Sequence[Document], fields: Sequence[Field]) -> int:
    """Return the number of gold spans in documents, over all fields of spans."""
    names = [field.name for field in fields if field.kind == "spans"]
    return sum(len(document.gold.get(name, ())) for document in documents for name in names)


def misaligned(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field]
) -> list[tuple[Document, Field, Span]]:
    """Return the gold spans that are lost when converted to tags and back: they begin or end inside a word or token.

    Spans that overlap a longer one of their field are not counted here (see `refuse_lost_spans`), nor those that only
    the windows divide (see `across_windows`).
    """
    lost = []
    for document in documents:
        of_fields = [field for field in fields if document.gold.get(field.name) and field.kind == "spans"]
        tracks = [row for field in of_fields for row in by_track(field, document.gold[field.name])]
        if tracks:
            offsets = windower.tokens(document.text)[1]
            for track, gold, _ in tracks:
                expressed = {span for span, _ in to_spans(track, to_tags(track, gold, offsets), offsets)}
                lost += [(document, track, span) for span in gold if span not in expressed]
    return lost


def across_windows(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field]
) -> list[tuple[Document, Field, Span]]:
    """Return the gold spans that are lost because a fragment is in another window than the one before it."""
    lost = []
    for document in documents:
        fragmented = [field for field in fields if field.fragments and document.gold.get(field.name)]
        tracks = [row for field in fragmented for row in by_track(field, document.gold[field.name])]
        if any(span.fragments for _, gold, _ in tracks for span in gold):
            windows = windower(document.text)
            offsets = [offset for window in windows for offset in window.owned]
            for track, gold, _ in tracks:
                whole, parts = (
                    {span for span, _ in to_spans(track, to_tags(track, gold, offsets, starts), offsets)}
                    for starts in ((), window_starts(windows))
                )
                lost += [(document, track, span) for span in gold if span in whole - parts]
    return lost


def warn_of_fragments(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field], split: str
) -> None:
    """Warn of the spans of a split whose fragments are in different windows."""
    if lost := across_windows(documents, windower, fields):
        warn(
            f"{len(lost)} of {count_spans(documents, fields)} gold spans of {split} have fragments in different "
            f"windows: {_shown(lost)}. The model cannot find them, and they count as missed. A larger window helps "
            "(--set window=TOKENS)."
        )


def warn_of_misaligned(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field], split: str
) -> None:
    """Warn of the gold spans of a split that begin or end inside a word or token, with their count and the first."""
    lost = misaligned(documents, windower, fields)
    if not lost:
        return
    unit = "word" if windower.whole_words else "token"
    remedy = f"The model can find them only up to the edges of the {unit}, and they count as missed."
    if windower.whole_words and (better := len(lost) - len(misaligned(documents, windower.by_tokens(), fields))):
        remedy += f" With --set units=tokens it can find {better} of them."
    total = count_spans(documents, fields)
    warn(
        f"{len(lost)} of {total} gold spans of {split} begin or end inside a {unit} of this encoder: {_shown(lost)}. "
        f"{remedy}"
    )


def _shown(lost: Sequence[tuple[Document, Field, Span]]) -> str:
    """Return the places of the first of these spans."""
    first = sorted(lost, key=lambda item: (item[0].file, item[0].line, item[2]))[:SHOWN]
    places = [
        f"{document.id} ({f'line {document.line}' if document.line else document.file}, characters {span.start} to "
        f"{span.end})"
        for document, _, span in first
    ]
    return ", ".join([*places, "..."] if len(lost) > SHOWN else places)
