"""What a run learns from: labelled and unlabelled documents, checked, counted and cut into windows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document, as_bytes
from electra_ie.data.document_ids import repeated_ids, with_paths
from electra_ie.data.fields import Field, count_labels, drop_overlapping
from electra_ie.data.gold_checks import (
    count_spans,
    misaligned,
    refuse_lost_spans,
    warn_of_misaligned,
    warn_of_rare_labels,
    warn_of_shared_texts,
)
from electra_ie.data.label_budget import keep_labels, sample
from electra_ie.data.readers import read_unlabeled
from electra_ie.data.task import Task
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, label

MOST_LOST = 0.05
"""Share of the gold spans that words may fail to spell, and tokens not, before tokens are judged."""


@dataclass(frozen=True)
class TrainingData:
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
    def read(cls, task: Task, settings: TrainSettings) -> TrainingData:
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
        check_budget(settings.label_budget, train)
        train, rest = keep_labels(documents, task.fields, settings.label_budget or len(train), settings.seed)
        dev = sample(read.get("dev", []), settings.max_dev_documents, settings.seed)
        if dev and not any(document.gold for document in dev):
            raise UserError(
                'no record of the split "dev" has a label.',
                file=task.folder,
                remedy="Label some, or leave the split out: the last step is kept then.",
            )
        warn_of_shared_texts(dev, documents)
        pool: list[Document] = []  # plain training would read it for nothing
        if settings.has_generator:
            pool = [*rest, *unlabeled(task, settings)]
        elif settings.unlabeled:
            warn(f"--unlabeled: the preset {settings.preset} reads no unlabelled text. --preset adversarial does.")
        for field in task.fields:
            refuse_lost_spans(field, [*train, *dev], task)
            warn_of_rare_labels(field, train)
        return cls(train, pool, dev)

    def windower(
        self,
        tokenizer: PreTrainedTokenizerBase,
        size: int,
        context_overlap: int,
        fields: Sequence[Field],
        units: str = "auto",
    ) -> WindowTokenizer:
        """How this corpus is cut: into words or tokens, as `units` says (see `TrainSettings`).

        Gold spans of train and of dev that these units cannot spell are counted aloud.
        """
        chosen = words = WindowTokenizer(tokenizer, size, context_overlap, whole_words=True)
        tokens = words.by_tokens()
        if units == "tokens":
            chosen = tokens
        elif units == "auto" and (by_words := len(misaligned(self.train, words, fields))):
            lost = by_words - len(misaligned(self.train, tokens, fields))
            chosen = tokens if lost > MOST_LOST * count_spans(self.train, fields) else words
        for split in ("train", "dev"):
            warn_of_misaligned(getattr(self, split), chosen, fields, split)
        return chosen

    def windows(
        self, windower: WindowTokenizer, fields: Sequence[Field]
    ) -> tuple[list[LabeledWindow], list[LabeledWindow]]:
        """The windows of `train` and of `pool`."""
        return windows_of(self.train, windower, fields), windows_of(self.pool, windower, fields)

    def label_counts(self, fields: Sequence[Field]) -> dict[str, dict[str, int]]:
        """How often each label of each field stands in the gold of train."""
        golds = {field: [each.gold[field.name] for each in self.train if field.name in each.gold] for field in fields}
        return {field.name: dict(count_labels(field, gold)) for field, gold in golds.items()}

    def not_expressed(self, windower: WindowTokenizer, fields: Sequence[Field]) -> dict[str, int]:
        """Gold spans of train: how many, how many overlap a longer one of their field, and how many of the others begin
        or end inside a unit that the cutter judges."""
        names = [field.name for field in fields if field.kind == "spans"]
        lost = sum(len(drop_overlapping(each.gold.get(name, ()))[1]) for each in self.train for name in names)
        inside = len(misaligned(self.train, windower, fields))
        return {"spans": count_spans(self.train, fields), "overlapping": lost, "inside": inside}


def unlabeled(task: Task, settings: TrainSettings) -> list[Document]:
    """The unlabelled texts of the task, and those that the recipe adds. Raises UserError as `Task.read` does."""
    read = [(os.fspath(path), list(read_unlabeled(path))) for path in settings.unlabeled]
    added = [document.unlabeled() for document in with_paths(read)]
    for error in repeated_ids(added):
        raise error
    return [*(task.read("unlabeled") if "unlabeled" in task.splits else []), *added]


def windows_of(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field]
) -> list[LabeledWindow]:
    """The windows of documents, with what is known of them."""
    return [row for document in documents for row in label(document, windower(document.text), fields)]


def check_budget(labels: int | None, train: Sequence[Document]) -> None:
    """Raises UserError for a label budget above what there is."""
    if labels is not None and labels > len(train):
        raise UserError(
            f"--label-budget {labels}: train has {len(train)} labelled documents.",
            remedy="Ask for fewer, or leave --label-budget out to use all.",
        )
