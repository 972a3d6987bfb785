"""Training of relations: after the fields of a run, one model for each field of relations, on texts with marked pairs.

Each is trained by the same loop as a run of its own, whose one field has the class `NONE` and the labels of the
relations (see `data.relation_pairs`). It learns from pairs of gold spans. Its unlabeled texts have the pairs of the
spans that the run finds in the unlabeled documents, so that self-training is also that of relations.
"""

from __future__ import annotations

import math
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, write
from electra_ie.common.logs import warn
from electra_ie.common.progress import progress
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document
from electra_ie.data.fields import RelationField
from electra_ie.data.relation_pairs import NONE, Pair, PairRules, class_field, pair_documents, relation_by_pair
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.relation_scoring import score_relations
from electra_ie.inference.scoring import plot_relations
from electra_ie.runs.layout import CHECKPOINT, SETTINGS, TASK, read_scores, write_scores
from electra_ie.runs.model_card import model_card
from electra_ie.runs.provenance import rewrite_weights
from electra_ie.runs.storage import add_relations

PAIRS_PER_ROOT = 320
"""Unlabeled pairs that are collected, times the square root of the labeled pairs: as many as a training reads."""
DOCUMENTS = 5000
"""Unlabeled documents that are read for them at most."""
SUMMARY = "relations"
"""The key of the summaries of these trainings in scores.json."""
TrainRun = Callable[[Task, TrainSettings, Path, bool], None]
"""Trains a task of classes into a run in a folder, or with True resumes it."""


def check_relations(task: Task, data: TrainingData) -> None:
    """Check that there is something to learn for each field of relations, before anything is trained.

    Raises:
        UserError: no labeled document of train has a relation of a field, or none that the field considers.
    """
    for field in task.relations:
        labeled = [document for document in data.train if document.gold.get(field.name)]
        if not labeled:
            remedy = "Label some, give a larger --label-budget, or remove the field from the task."
            raise UserError(f"no labeled document has a relation of {field.name}.", file=task.origin, remedy=remedy)
        rules = PairRules.learn(field, data.train)
        if not any(_labeled_pairs(field, rules, document, _spans(task))[1] for document in labeled):
            pairs = ", ".join(f"{head} to {tail}" for head, tail in field.between)
            message = f"no labeled relation of {field.name} is between spans that the field considers ({pairs})."
            raise UserError(message, file=task.file, remedy="Correct between in the field, or leave it out.")


def train_relations(
    task: Task, settings: TrainSettings, data: TrainingData, folder: Path, encoder: str, train_run: TrainRun
) -> None:
    """Train the fields of relations of a run whose other fields are finished, and complete the run with them.

    Args:
        task: The task.
        settings: The settings of the run.
        data: The documents of the run.
        folder: Its folder.
        encoder: The encoder to begin with: that of the settings, or the adapted one.
        train_run: Trains one of them; a run that was interrupted is resumed.
    """
    state = PartialState()
    done = read_scores(folder)["training"].get(SUMMARY, {})
    for field in task.relations:
        if field.name not in done:
            rules = PairRules.learn(field, data.train)
            pairs, lost = _task(field, task, rules, data, _pool(field, rules, settings, data, folder))
            if lost:
                reasons = ", ".join(f"{count} {reason}" for reason, count in lost.items())
                warn(f"{lost.total()} labeled relations of {field.name} are not trained on: {reasons}.")
            nested = folder / CHECKPOINT / SUMMARY / field.name
            begun = broadcast_object_list([(nested / SETTINGS).is_file()])[0]
            if not begun and state.is_main_process:
                shutil.rmtree(nested, ignore_errors=True)
            state.wait_for_everyone()
            train_run(pairs, _settings(settings, field, encoder), nested, begun)
            if state.is_main_process:
                _add(folder, nested, field, rules, pairs, lost)
            state.wait_for_everyone()
    if state.is_main_process:
        _complete(task, data, folder)
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    state.wait_for_everyone()


def _settings(settings: TrainSettings, field: RelationField, encoder: str) -> TrainSettings:
    """Return the settings of the training of a field of relations.

    Co-training would read states of the pretrained encoder, in which the markers hardly count; a description of a label
    is no text with a marked pair.
    """
    changes: dict[str, Any] = {"task": field.name, "data": None, "unlabeled": (), "label_budget": None}
    return settings.replace(**changes, encoder=encoder, adapt_encoder=False, co_training=False, label_texts=False)


def _task(
    field: RelationField, task: Task, rules: PairRules, data: TrainingData, pool: Sequence[Document]
) -> tuple[Task, Counter[str]]:
    """Return the task of classes of marked texts, with documents in memory; and what it lacks of train, by reason."""
    train, lost = _pairs(field, rules, data.train, _spans(task))
    splits = {"train": train, "dev": _pairs(field, rules, data.dev, _spans(task))[0], "unlabeled": pool}
    memory = {f"{split}.jsonl": documents for split, documents in splits.items() if documents}
    files = {split: (f"{split}.jsonl",) for split, documents in splits.items() if documents}
    fields, description = (class_field(field),), f"Relations of {task.name}."
    return Task(field.name, description, "jsonl", Path(), files, {}, fields, Path(TASK), memory), lost


def _spans(task: Task) -> list[str]:
    return [field.name for field in task.fields if field.kind == "spans"]


def _pairs(
    field: RelationField, rules: PairRules, documents: Sequence[Document], spans: Sequence[str]
) -> tuple[list[Document], Counter[str]]:
    """Return the marked texts of documents that are labeled for a field, and the relations without one, by reason.

    spans: the names of the fields of spans.
    """
    marked: list[Document] = []
    lost: Counter[str] = Counter()
    for document in documents:
        if field.name in document.gold:
            pairs, labels, without = _labeled_pairs(field, rules, document, spans)
            marked += pair_documents(document, pairs, labels, field.name)
            lost += without
    return marked, lost


def _labeled_pairs(
    field: RelationField, rules: PairRules, document: Document, spans: Sequence[str]
) -> tuple[list[Pair], dict[Pair, str], Counter[str]]:
    """Return the pairs of gold spans of a document, the labels of the related ones, and the relations without one."""
    pairs = rules.pairs(document.text, (span for name in spans for span in document.gold.get(name, ())))
    return pairs, *relation_by_pair(field, rules, document, pairs)


def _pool(
    field: RelationField, rules: PairRules, settings: TrainSettings, data: TrainingData, folder: Path
) -> list[Document]:
    """Return the marked texts of unlabeled documents, with the spans that the run finds in them.

    With several processes they are those of the first one, since devices round differently.
    """
    if not settings.reads_unlabeled or not data.pool:
        return []
    found: list[list[Document] | None] = [None]
    if PartialState().is_main_process:
        documents = list(data.pool)
        random.Random(f"electra_ie relations {settings.seed}").shuffle(documents)
        labeled = sum(len(document.gold.get(field.name, ())) for document in data.train)
        wanted, pairs = PAIRS_PER_ROOT * math.sqrt(labeled), list[Document]()
        extractor = Extractor.from_pretrained(folder, relations=False)
        with progress(min(len(documents), DOCUMENTS), "spans of unlabeled texts", unit="documents") as report:
            for number, result in enumerate(extractor.read(documents[:DOCUMENTS]), start=1):
                spans = (finding.span for finding in result.findings if finding.window is None)
                considered = rules.pairs(result.document.text, spans)
                pairs += islice(pair_documents(result.document, considered), math.ceil(wanted) - len(pairs))
                report(number)
                if len(pairs) >= wanted:
                    break
        found = [pairs]
    shared: list[Document] = broadcast_object_list(found)[0]
    return shared


def _add(
    folder: Path, nested: Path, field: RelationField, rules: PairRules, pairs: Task, lost: Mapping[str, int]
) -> None:
    """Move the trained model of a field into the run, and note how it was trained in scores.json."""
    training = read_scores(nested)["training"]
    gold = pairs.memory["train.jsonl"] or ()
    summary = {
        "pairs": len(gold),
        "related": sum(document.gold[field.name] != NONE for document in gold),
        "not_expressed": dict(lost),
        "unlabeled_pairs": training["unlabeled"]["documents"],
        **{name: training[name] for name in ("steps", "best_step", "seconds", "seconds_scoring")},
        **{name: training[name] for name in ("collapsed", "constant_answers") if name in training},
        "rules": rules.as_dict,
    }
    add_relations(folder, nested, field, rules)
    of_run = read_scores(folder)["training"]
    write_scores(folder, "training", {**of_run, SUMMARY: {**of_run.get(SUMMARY, {}), field.name: summary}})


def _complete(task: Task, data: TrainingData, folder: Path) -> None:
    """Score the relations on dev, and write audit and card again, with the models of the relations."""
    if data.dev:
        extractor = Extractor.from_pretrained(folder)
        results = list(extractor.read(document.unlabeled() for document in data.dev))
        scores = score_relations(extractor, data.dev, results)
        write_scores(folder, "dev", {**read_scores(folder).get("dev", {}), **scores})
        plot_relations(folder, "dev", scores)
    rewrite_weights(folder, task)
    write(folder / CARD, model_card(folder))
