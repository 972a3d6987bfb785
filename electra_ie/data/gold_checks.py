"""What is wrong with the gold of a data set, counted and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.data.bio import to_spans, to_tags
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field, drop_overlapping
from electra_ie.data.task import Task
from electra_ie.data.windowing import WindowTokenizer

SHOWN = 5
"""Gold spans that a warning names."""


def refuse_lost_spans(field: Field, documents: Sequence[Document], task: Task) -> None:
    """Spans of one field that overlap cannot all be expressed in BIO: an error, or a count where the task allows it."""
    if field.kind != "spans":
        return
    gold = [(document, document.gold.get(field.name, ())) for document in documents]
    lost = [(document, span) for document, spans in gold for span in drop_overlapping(spans)[1]]
    if not lost:
        return
    total = sum(len(spans) for _, spans in gold)
    document, span = lost[0]
    message = (
        f'{len(lost)} of {total} gold spans of the field "{field.name}" overlap a longer one; BIO cannot express them '
        f"(first: characters {span.start} to {span.end} of {document.id})."
    )
    if field.overlaps == "count":
        return warn(f"{message} They are not trained on, and count as missed in every score.")
    alone = [[each for each in spans if each.label == name] for _, spans in gold for name in field.labels]
    helps = sum(len(drop_overlapping(spans)[1]) for spans in alone) < len(lost)  # not where spans of one label overlap
    remedy = "Give the labels fields of their own, or write" if helps else "Write"
    remedy += " `overlaps: count` in the field to train without them."
    raise UserError(message, file=document.file, line=document.line, remedy=remedy)


def warn_of_shared_texts(dev: Sequence[Document], train: Sequence[Document]) -> None:
    """One line where documents of dev stand in train too: scores on them prove nothing."""
    known = {document.text for document in train}
    shared = sum(document.text in known for document in dev)
    if shared:
        warn(f"{shared} of {len(dev)} documents of dev stand in train too, word for word, and prove nothing.")


def warn_of_rare_labels(field: Field, train: Sequence[Document]) -> None:
    """A line that names the labels no training document has, and one for those that one document alone has: a model
    cannot learn what it never sees, and hardly what it sees once."""
    seen: Counter[str] = Counter()
    for document in train:
        gold = document.gold.get(field.name, ())
        seen.update(
            {gold} if field.kind == "classes" else set(gold) if field.kind == "flags" else {span.label for span in gold}
        )
    for number, told in enumerate(("no labelled document", "one labelled document only")):
        rare = [name for name in field.labels if seen[name] == number]
        if rare:
            have = "has" if len(rare) == 1 else "have"
            of = f"{len(rare)} of {len(field.labels)} labels"
            warn(f'field "{field.name}": {of} {have} {told}: {", ".join(rare)}.')


def count_spans(documents: Sequence[Document], fields: Sequence[Field]) -> int:
    """How many gold spans the documents have, over all fields of spans."""
    names = [field.name for field in fields if field.kind == "spans"]
    return sum(len(document.gold.get(name, ())) for document in documents for name in names)


def misaligned(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field]
) -> list[tuple[Document, Field, Span]]:
    """The gold spans that gold -> tags -> spans does not give back: they begin or end inside a unit of the cutter.

    Spans that overlap a longer one of their field are not among them (see `refuse_lost_spans`).
    """
    found = []
    for document in documents:
        golds = [
            (field, drop_overlapping(document.gold.get(field.name, ()))[0]) for field in fields if field.kind == "spans"
        ]
        if any(gold for _, gold in golds):
            offsets = windower.tokens(document.text)[1]
            for field, gold in golds:
                back = {span for span, _ in to_spans(field, to_tags(field, gold, offsets), offsets)}
                found += [(document, field, span) for span in gold if span not in back]
    return found


def warn_of_misaligned(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field], split: str
) -> None:
    """One line that counts the gold spans of a split that the units of the cutter cannot spell, with the first five."""
    lost = misaligned(documents, windower, fields)
    if not lost:
        return
    unit = "word" if windower.whole_words else "token"
    first = sorted(lost, key=lambda each: (each[0].file, each[0].line, each[2]))[:SHOWN]
    shown = ", ".join(
        f"{document.id} (line {document.line}, characters {span.start} to {span.end})" for document, _, span in first
    )
    remedy = "They are found up to its edges at best, and count as missed."
    if windower.whole_words and (better := len(lost) - len(misaligned(documents, windower.by_tokens(), fields))):
        remedy += f" --set units=tokens can find {better} of them."
    total = count_spans(documents, fields)
    warn(
        f"{len(lost)} of {total} gold spans of {split} begin or end inside a {unit} of this encoder: {shown}"
        f"{', ...' if len(lost) > SHOWN else ''}. {remedy}"
    )
