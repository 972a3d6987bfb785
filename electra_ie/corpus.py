"""What a run learns from: labelled and unlabelled documents, checked, counted and cut into windows."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from electra_ie.batching import Labelled, Windows, label
from electra_ie.common.errors import UserError, warn
from electra_ie.config.train import Recipe
from electra_ie.document import Document, Span, as_bytes
from electra_ie.formats import read_unlabelled
from electra_ie.labels import Field, count_labels, flatten, to_spans, to_tags
from electra_ie.sampling import keep_labels, sample
from electra_ie.task import Task, repeated_ids, with_paths

MOST_LOST = 0.05
"""Share of the gold spans that words may fail to spell, and tokens not, before tokens are judged."""
SHOWN = 5
"""Gold spans that a warning names."""


@dataclass(frozen=True)
class Corpus:
    """The documents of a run: `train` with labels, `pool` without, `dev` to choose the checkpoint (may be empty)."""

    train: list[Document]
    pool: list[Document]
    dev: list[Document]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all texts and their gold, in order."""
        digest = hashlib.sha256()
        for split in (self.train, self.pool, self.dev):
            for document in split:
                digest.update(as_bytes(document))
            digest.update(b"\n")
        return digest.hexdigest()

    @classmethod
    def read(cls, task: Task, recipe: Recipe) -> Corpus:
        """Read what the recipe asks for; warn of classes without an example.

        Raises UserError for whatever in the files is not as it should be, a label budget above what there is, or
        gold that BIO cannot express where the task does not allow for it.
        """
        read = task.read_splits(split for split in ("train", "dev") if split == "train" or split in task.splits)
        documents = read["train"]
        train = [document for document in documents if document.gold]
        if not train:
            raise UserError(
                'no record of the split "train" has a label.',
                file=task.folder,
                remedy="Label some, or check the names of the columns.",
            )
        check_budget(recipe.labels, train)
        train, rest = keep_labels(documents, task.fields, recipe.labels or len(train), recipe.seed)
        dev = sample(read.get("dev", []), recipe.dev_limit, recipe.seed)
        if dev and not any(document.gold for document in dev):
            raise UserError(
                'no record of the split "dev" has a label.',
                file=task.folder,
                remedy="Label some, or leave the split out: the last step is kept then.",
            )
        warn_of_shared_texts(dev, documents)
        pool: list[Document] = []  # plain training would read it for nothing
        if recipe.game:
            pool = [*rest, *unlabelled(task, recipe)]
        elif recipe.unlabeled:
            warn(f"--unlabeled: the preset {recipe.preset} reads no unlabelled text. --preset adversarial does.")
        for field in task.fields:
            refuse_lost_spans(field, [*train, *dev], task)
            warn_of_rare_labels(field, train)
        return cls(train, pool, dev)

    def cutter(
        self, tokenizer: PreTrainedTokenizerBase, size: int, margin: int, fields: Sequence[Field], units: str = "auto"
    ) -> Windows:
        """How this corpus is cut: into words or tokens, as `units` says (see `Recipe`).

        Gold spans of train and of dev that these units cannot spell are counted aloud.
        """
        chosen = words = Windows(tokenizer, size, margin, whole_words=True)
        tokens = words.by_tokens()
        if units == "tokens":
            chosen = tokens
        elif units == "auto" and (by_words := len(misaligned(self.train, words, fields))):
            lost = by_words - len(misaligned(self.train, tokens, fields))
            chosen = tokens if lost > MOST_LOST * count_spans(self.train, fields) else words
        for split in ("train", "dev"):
            warn_of_misaligned(getattr(self, split), chosen, fields, split)
        return chosen

    def windows(self, cutter: Windows, fields: Sequence[Field]) -> tuple[list[Labelled], list[Labelled]]:
        """The windows of `train` and of `pool`."""
        return windows_of(self.train, cutter, fields), windows_of(self.pool, cutter, fields)

    def label_counts(self, fields: Sequence[Field]) -> dict[str, dict[str, int]]:
        """How often each label of each field stands in the gold of train."""
        golds = {field: [each.gold[field.name] for each in self.train if field.name in each.gold] for field in fields}
        return {field.name: dict(count_labels(field, gold)) for field, gold in golds.items()}

    def not_expressed(self, cutter: Windows, fields: Sequence[Field]) -> dict[str, int]:
        """Gold spans of train: how many, how many overlap a longer one of their field, and how many of the others begin
        or end inside a unit that the cutter judges."""
        names = [field.name for field in fields if field.kind == "spans"]
        lost = sum(len(flatten(each.gold.get(name, ()))[1]) for each in self.train for name in names)
        inside = len(misaligned(self.train, cutter, fields))
        return {"spans": count_spans(self.train, fields), "overlapping": lost, "inside": inside}


def unlabelled(task: Task, recipe: Recipe) -> list[Document]:
    """The unlabelled texts of the task, and those that the recipe adds. Raises UserError as `Task.read` does."""
    read = [(os.fspath(path), list(read_unlabelled(path))) for path in recipe.unlabeled]
    added = [document.unlabelled() for document in with_paths(read)]
    for error in repeated_ids(added):
        raise error
    return [*(task.read("unlabeled") if "unlabeled" in task.splits else []), *added]


def windows_of(documents: Sequence[Document], cutter: Windows, fields: Sequence[Field]) -> list[Labelled]:
    """The windows of documents, with what is known of them."""
    return [row for document in documents for row in label(document, cutter(document.text), fields)]


def check_budget(labels: int | None, train: Sequence[Document]) -> None:
    """Raises UserError for a label budget above what there is."""
    if labels is not None and labels > len(train):
        raise UserError(
            f"--labels {labels}: train has {len(train)} labelled documents.",
            remedy="Ask for fewer, or leave --labels out to use all.",
        )


def refuse_lost_spans(field: Field, documents: Sequence[Document], task: Task) -> None:
    """Spans of one field that overlap cannot all be expressed in BIO: an error, or a count where the task allows it."""
    if field.kind != "spans":
        return
    gold = [(document, document.gold.get(field.name, ())) for document in documents]
    lost = [(document, span) for document, spans in gold for span in flatten(spans)[1]]
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
    helps = sum(len(flatten(spans)[1]) for spans in alone) < len(lost)  # not where spans of one label overlap
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
    documents: Sequence[Document], cutter: Windows, fields: Sequence[Field]
) -> list[tuple[Document, Field, Span]]:
    """The gold spans that gold -> tags -> spans does not give back: they begin or end inside a unit of the cutter.

    Spans that overlap a longer one of their field are not among them (see `refuse_lost_spans`).
    """
    found = []
    for document in documents:
        golds = [(field, flatten(document.gold.get(field.name, ()))[0]) for field in fields if field.kind == "spans"]
        if any(gold for _, gold in golds):
            offsets = cutter.tokens(document.text)[1]
            for field, gold in golds:
                back = {span for span, _ in to_spans(field, to_tags(field, gold, offsets), offsets)}
                found += [(document, field, span) for span in gold if span not in back]
    return found


def warn_of_misaligned(documents: Sequence[Document], cutter: Windows, fields: Sequence[Field], split: str) -> None:
    """One line that counts the gold spans of a split that the units of the cutter cannot spell, with the first five."""
    lost = misaligned(documents, cutter, fields)
    if not lost:
        return
    unit = "word" if cutter.whole_words else "token"
    first = sorted(lost, key=lambda each: (each[0].file, each[0].line, each[2]))[:SHOWN]
    shown = ", ".join(
        f"{document.id} (line {document.line}, characters {span.start} to {span.end})" for document, _, span in first
    )
    remedy = "They are found up to its edges at best, and count as missed."
    if cutter.whole_words and (better := len(lost) - len(misaligned(documents, cutter.by_tokens(), fields))):
        remedy += f" --set units=tokens can find {better} of them."
    total = count_spans(documents, fields)
    warn(
        f"{len(lost)} of {total} gold spans of {split} begin or end inside a {unit} of this encoder: {shown}"
        f"{', ...' if len(lost) > SHOWN else ''}. {remedy}"
    )


def by_field(documents: Sequence[Document], fields: Sequence[Field]) -> Iterator[tuple[Field, list[int]]]:
    """For each field the places of the documents of which it is known."""
    for field in fields:
        places = [place for place, document in enumerate(documents) if field.name in document.gold]
        if places:
            yield field, places
