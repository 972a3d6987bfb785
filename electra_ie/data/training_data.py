"""Training data: the labeled and unlabeled documents of a run, checked, and split into windows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.config.train import TrainSettings
from electra_ie.data.declaration.hints_yaml import declared_descriptions
from electra_ie.data.document import Document, as_bytes
from electra_ie.data.document_ids import repeated_ids, with_paths
from electra_ie.data.fields import Field, count_labels, lost_by_overlap, with_levels
from electra_ie.data.gold_checks import (
    across_windows,
    count_spans,
    misaligned,
    refuse_lost_spans,
    refuse_unlabeled_fields,
    warn_of_conflicts,
    warn_of_fragments,
    warn_of_misaligned,
    warn_of_rare_labels,
    warn_of_shared_texts,
)
from electra_ie.data.hints import Hint
from electra_ie.data.in_memory import NAME as IN_MEMORY
from electra_ie.data.label_budget import check_budget, keep_labels, sample
from electra_ie.data.readers import read_unlabeled
from electra_ie.data.task import Task
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, label

MAX_LOST = 0.05
"""The share of the gold spans, expressible in tokens but not in words, above which `units: auto` selects tokens."""


@dataclass(frozen=True)
class TrainingData:
    """The documents of a run: `train` labeled, `pool` unlabeled, `dev` to select the checkpoint (may be empty).

    `hints` are the hints of the task with their terms, and `descriptions` its descriptions of labels, by field.
    """

    train: list[Document]
    pool: list[Document]
    dev: list[Document]
    hints: tuple[Hint, ...] = ()
    descriptions: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @cached_property
    def parts(self) -> dict[str, str]:
        """SHA-256 of each part: the documents (ids, texts and gold, in order), the hints and the descriptions."""
        documents = hashlib.sha256()
        for split in (self.train, self.pool, self.dev):
            for document in split:
                documents.update(as_bytes(document))
            documents.update(b"\n")
        hints, declared = [hint.hash for hint in self.hints], declared_descriptions(self.descriptions)
        return {"texts": documents.hexdigest(), "hints": _hash(hints), "descriptions": _hash(declared)}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all parts: that of the documents if there are no hints and no descriptions."""
        return _hash(self.parts) if self.hints or self.descriptions else self.parts["texts"]

    @classmethod
    def read(cls, task: Task, settings: TrainSettings) -> TrainingData:
        """Read the documents for these settings, and warn of rare labels, of leakage into dev and of conflicts.

        Raises:
            UserError: a file, record, hint or list of codes is invalid, train or dev has no label, the label budget is
                larger than the number of labeled documents, or spans overlap and the task does not allow it.
        """
        task.check_codes()
        hints = task.read_hints() if settings.has_teacher else ()
        read = task.read_splits(split for split in ("train", "dev") if split == "train" or split in task.splits)
        documents = read["train"]
        train = [document for document in documents if document.gold]
        if not train:
            raise UserError(
                'no record of the split "train" has a label.',
                file=task.origin,
                remedy="Label some records, or check the names of the columns.",
            )
        check_budget(settings.label_budget, train)
        budget = settings.label_budget or len(train)
        train, rest = keep_labels(documents, task.fields, budget, settings.seed, settings.label_draw)
        labeled = [document for document in read.get("dev", []) if document.gold]
        dev = sample(labeled, settings.max_dev_documents, settings.seed)
        if read.get("dev") and not dev:
            raise UserError(
                'no record of the split "dev" has a label.',
                file=task.origin,
                remedy="Label some records, or remove the split to keep the weights of the last step.",
            )
        refuse_unlabeled_fields(task, train)
        # A task of texts with marked spans is not what the command reads.
        remedy = "`electra-ie check` lists them." if not task.memory or task.name == IN_MEMORY else ""
        warn_of_shared_texts(dev, documents, remedy)
        warn_of_conflicts(train, task.fields, remedy)
        pool: list[Document] = []
        if settings.uses_unlabeled(field.kind for field in task.fields):
            pool = [*rest, *unlabeled(task, settings)]
        elif settings.unlabeled:
            warn(f"--unlabeled: the preset {settings.preset} uses no unlabeled text; --preset self_training does.")
        for hint in hints:
            if hint.pattern:  # one that is too slow for a text is reported before anything is trained
                for document in (*train, *pool, *dev):
                    hint.find(document.text)
        for field in with_levels(task.fields, train):
            refuse_lost_spans(field, [*train, *dev], task)
            warn_of_rare_labels(field, train)
        return cls(train, pool, dev, hints, task.descriptions)

    def windower(
        self,
        tokenizer: PreTrainedTokenizerBase,
        size: int,
        context_overlap: int,
        fields: Sequence[Field],
        units: str = "auto",
    ) -> WindowTokenizer:
        """Return the window tokenizer for these documents, and warn of gold spans that it cannot express.

        Args:
            tokenizer: the tokenizer of the encoder.
            size: tokens of a window.
            context_overlap: tokens of context at a cut (see `WindowTokenizer`).
            fields: the fields.
            units: what is tagged, `words`, `tokens` or `auto` (see `TrainSettings`).
        """
        selected = words = WindowTokenizer(tokenizer, size, context_overlap, whole_words=True)
        tokens = words.by_tokens()
        if units == "tokens":
            selected = tokens
        elif units == "auto" and (lost_by_words := len(misaligned(self.train, words, fields))):
            lost = lost_by_words - len(misaligned(self.train, tokens, fields))
            selected = tokens if lost > MAX_LOST * count_spans(self.train, fields) else words
        for split in ("train", "dev"):
            warn_of_misaligned(getattr(self, split), selected, fields, split)
            warn_of_fragments(getattr(self, split), selected, fields, split)
        return selected

    def unlabeled_windows(
        self, windower: WindowTokenizer, needed: int, seed: int
    ) -> tuple[list[Document], list[LabeledWindow]]:
        """Return documents of `pool`, in an order drawn by the seed, and their windows: `needed` or a few more, or all.

        The other documents are not tokenized.
        """
        order = list(self.pool)
        random.Random(f"electra_ie pool {seed}").shuffle(order)
        windows: list[LabeledWindow] = []
        for count, document in enumerate(order):
            if len(windows) >= needed:
                return order[:count], windows
            windows += label(document, windower(document.text), ())
        return order, windows

    def label_counts(self, fields: Sequence[Field]) -> dict[str, dict[str, int]]:
        """Return the count of each label in the gold of train, by field."""
        counts = {}
        for field in fields:
            gold = (document.gold[field.name] for document in self.train if field.name in document.gold)
            counts[field.name] = dict(count_labels(field, gold))
        return counts

    def not_expressed(self, windower: WindowTokenizer, fields: Sequence[Field]) -> dict[str, int]:
        """Return counts of the gold spans of train.

        `spans`: all. `overlapping`: those that overlap a longer one of their field. `inside`: of the others, those that
        begin or end inside a word or token. `divided`, if a field has fragments: those whose fragments are in different
        windows.
        """
        of_spans = [field for field in fields if field.kind == "spans"]
        gold = [(field, document.gold.get(field.name, ())) for document in self.train for field in of_spans]
        lost = sum(len(lost_by_overlap(field, spans)) for field, spans in gold)
        inside = len(misaligned(self.train, windower, fields))
        counts = {"spans": count_spans(self.train, fields), "overlapping": lost, "inside": inside}
        if any(field.fragments for field in fields):
            counts["divided"] = len(across_windows(self.train, windower, fields))
        return counts


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def unlabeled(task: Task, settings: TrainSettings) -> list[Document]:
    """Return the unlabeled documents of the task and of the settings. Raises UserError as `Task.read` does."""
    read = [(os.fspath(path), list(read_unlabeled(path))) for path in settings.unlabeled]
    added = [document.unlabeled() for document in with_paths(read)]
    for error in repeated_ids(added):
        raise error
    return [*(task.read("unlabeled") if "unlabeled" in task.splits else []), *added]


def windows_of(
    documents: Sequence[Document], windower: WindowTokenizer, fields: Sequence[Field]
) -> list[LabeledWindow]:
    """Return the windows of documents, with their gold."""
    return [row for document in documents for row in label(document, windower(document.text), fields)]
