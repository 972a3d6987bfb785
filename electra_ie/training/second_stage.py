"""The second stage of a training: after the fields of a run, one model for each field of relations or attributes.

Each is trained by the same loop as a run of its own, whose one field has classes of texts with marked spans (see
`data.anchored.marked_spans`). It learns from gold spans. Its unlabeled texts have the spans that the run finds in the
unlabeled documents, so that self-training is also that of relations and attributes.
"""

from __future__ import annotations

import math
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, write
from electra_ie.common.logs import warn
from electra_ie.common.progress import progress
from electra_ie.config.train import TrainSettings
from electra_ie.data.anchored.marked_spans import SpanRules, gold_spans, marked_documents
from electra_ie.data.anchored.relation_pairs import PairRules
from electra_ie.data.anchored.rules import RULES
from electra_ie.data.document import Document
from electra_ie.data.fields import AnchoredField
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import plot_anchored, score_anchored
from electra_ie.runs.layout import CHECKPOINT, SETTINGS, TASK, read_scores, write_scores
from electra_ie.runs.model_card import model_card
from electra_ie.runs.provenance import rewrite_weights
from electra_ie.runs.storage import add_anchored
from electra_ie.runs.training_facts import SecondStageFacts, TrainingFacts, second_stage_facts

TEXTS_PER_ROOT = 320
"""Unlabeled texts that are collected, times the square root of the labeled ones: as many as a training reads."""
DOCUMENTS = 5000
"""Unlabeled documents that are read for them at most."""
TrainRun = Callable[[Task, TrainSettings, Path, bool], None]
"""Trains a task of classes into a run in a folder, or with True resumes it."""


def check_anchored(task: Task, data: TrainingData) -> None:
    """Check that there is something to learn for each field of relations or attributes, before anything is trained.

    Raises:
        UserError: no labeled document of train has gold of a field, or none that the field considers.
    """
    for field in task.anchored:
        if not any(document.gold.get(field.name) for document in data.train):
            remedy = "Label some, give a larger --label-budget, or remove the field from the task."
            item = RULES[field.kind].item
            raise UserError(f"no labeled document has {item} of {field.name}.", file=task.origin, remedy=remedy)
    for relations in task.relations:
        labeled = [document for document in data.train if relations.name in document.gold]
        rules = PairRules.learn(relations, labeled)
        lost = sum(rules.labeled(relations, each, gold_spans(each, _spans(task)))[1].total() for each in labeled)
        if lost == sum(len(document.gold[relations.name]) for document in labeled):
            pairs = ", ".join(f"{head} to {tail}" for head, tail in relations.between)
            message = f"no labeled relation of {relations.name} is between spans that the field considers ({pairs})."
            raise UserError(message, file=task.file, remedy="Correct between in the field, or leave it out.")


def train_anchored(
    task: Task, settings: TrainSettings, data: TrainingData, folder: Path, encoder: str, train_run: TrainRun
) -> None:
    """Train the fields of relations and attributes of a run whose other fields are finished, and complete the run.

    Args:
        task: The task.
        settings: The settings of the run.
        data: The documents of the run.
        folder: Its folder.
        encoder: The encoder to begin with: that of the settings, or the adapted one.
        train_run: Trains one of them; a run that was interrupted is resumed.
    """
    state = PartialState()
    done: TrainingFacts = read_scores(folder)["training"]
    for field in task.anchored:
        if field.name not in second_stage_facts(done, field.kind):
            rules = RULES[field.kind].learn(field, data.train)
            texts, lost = _task(field, task, rules, data, _pool(field, rules, settings, data, folder))
            if lost:
                reasons = ", ".join(f"{count} {reason}" for reason, count in lost.items())
                warn(f"{lost.total()} labeled {field.kind} of {field.name} are not trained on: {reasons}.")
            nested = folder / CHECKPOINT / field.kind / field.name
            begun = broadcast_object_list([(nested / SETTINGS).is_file()])[0]
            if not begun and state.is_main_process:
                shutil.rmtree(nested, ignore_errors=True)
            state.wait_for_everyone()
            train_run(texts, _settings(settings, field, encoder), nested, begun)
            if state.is_main_process:
                _add(folder, nested, field, rules, texts, lost)
            state.wait_for_everyone()
    if state.is_main_process:
        _complete(task, data, folder)
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    state.wait_for_everyone()


def _settings(settings: TrainSettings, field: AnchoredField, encoder: str) -> TrainSettings:
    """Return the settings of the training of a field of relations or attributes.

    Co-training would read states of the pretrained encoder, in which the markers hardly count; a description of a label
    is no text with marked spans.
    """
    changes: dict[str, Any] = {"task": field.name, "data": None, "unlabeled": (), "label_budget": None}
    return settings.replace(**changes, encoder=encoder, adapt_encoder=False, co_training=False, label_texts=False)


def _task(
    field: AnchoredField, task: Task, rules: SpanRules[Any], data: TrainingData, pool: Sequence[Document]
) -> tuple[Task, Counter[str]]:
    """Return the task of classes of marked texts, with documents in memory; and what it lacks of train, by reason."""
    train, lost = _labeled(field, rules, data.train, _spans(task))
    splits = {"train": train, "dev": _labeled(field, rules, data.dev, _spans(task))[0], "unlabeled": pool}
    memory = {f"{split}.jsonl": documents for split, documents in splits.items() if documents}
    files = {split: (f"{split}.jsonl",) for split, documents in splits.items() if documents}
    fields, description = (rules.classes(field),), f"{field.kind.capitalize()} of {task.name}."
    return Task(field.name, description, "jsonl", Path(), files, {}, fields, Path(TASK), memory), lost


def _spans(task: Task) -> list[str]:
    return [field.name for field in task.fields if field.kind == "spans"]


def _labeled(
    field: AnchoredField, rules: SpanRules[Any], documents: Sequence[Document], spans: Sequence[str]
) -> tuple[list[Document], Counter[str]]:
    """Return the marked texts of documents that are labeled for a field, and the gold without one, by reason.

    spans: the names of the fields of spans.
    """
    marked: list[Document] = []
    lost: Counter[str] = Counter()
    for document in documents:
        if field.name in document.gold:
            labels, without = rules.labeled(field, document, gold_spans(document, spans))
            marked += marked_documents(document, labels, labels, field.name)
            lost += without
    return marked, lost


def _pool(
    field: AnchoredField, rules: SpanRules[Any], settings: TrainSettings, data: TrainingData, folder: Path
) -> list[Document]:
    """Return the marked texts of unlabeled documents, with the spans that the run finds in them.

    With several processes they are those of the first one, since devices round differently.
    """
    if not settings.reads_unlabeled or not data.pool:
        return []
    found: list[list[Document] | None] = [None]
    if PartialState().is_main_process:
        documents = list(data.pool)
        random.Random(f"electra_ie {field.kind} {settings.seed}").shuffle(documents)
        labeled = sum(len(document.gold.get(field.name, ())) for document in data.train)
        wanted, texts = TEXTS_PER_ROOT * math.sqrt(labeled), list[Document]()
        extractor = Extractor.from_pretrained(folder, anchored=False)
        with progress(min(len(documents), DOCUMENTS), "spans of unlabeled texts", unit="documents") as report:
            for number, result in enumerate(extractor.read(documents[:DOCUMENTS]), start=1):
                spans = (finding.span for finding in result.findings if finding.window is None)
                candidates = rules.candidates(result.document.text, spans)
                # Ids of documents need not be unique across the sources of the pool; those of a task are.
                document = replace(result.document, id=f"{result.document.id}#{number}")
                texts += islice(marked_documents(document, candidates), math.ceil(wanted) - len(texts))
                report(number)
                if len(texts) >= wanted:
                    break
        found = [texts]
    shared: list[Document] = broadcast_object_list(found)[0]
    return shared


def _add(
    folder: Path, nested: Path, field: AnchoredField, rules: SpanRules[Any], texts: Task, lost: Mapping[str, int]
) -> None:
    """Move the trained model of a field into the run, and note how it was trained in scores.json."""
    training: TrainingFacts = read_scores(nested)["training"]
    gold = Counter(document.gold[field.name] for document in texts.memory["train.jsonl"] or ())
    unlabeled = {f"unlabeled_{rules.unit}": training["unlabeled"]["documents"]}
    facts: SecondStageFacts = {
        # The names of these follow from the unit, which mypy cannot check: tests do.
        **cast(SecondStageFacts, {rules.unit: gold.total(), **rules.counted(gold)}),
        "not_expressed": dict(lost),
        **cast(SecondStageFacts, unlabeled),
        "steps": training["steps"],
        "best_step": training["best_step"],
        "seconds": training["seconds"],
        "seconds_scoring": training["seconds_scoring"],
        **({"collapsed": training["collapsed"]} if "collapsed" in training else {}),
        **({"constant_answers": training["constant_answers"]} if "constant_answers" in training else {}),
        "rules": rules.as_dict,
    }
    add_anchored(folder, nested, field, rules)
    of_run: TrainingFacts = read_scores(folder)["training"]
    of_kind = {**second_stage_facts(of_run, field.kind), field.name: facts}
    write_scores(folder, "training", {**of_run, field.kind: of_kind})


def _complete(task: Task, data: TrainingData, folder: Path) -> None:
    """Score relations and attributes on dev, and write audit and card again, with their models."""
    if data.dev:
        extractor = Extractor.from_pretrained(folder)
        results = list(extractor.read(document.unlabeled() for document in data.dev))
        scores = score_anchored(extractor, data.dev, results)
        write_scores(folder, "dev", {**read_scores(folder).get("dev", {}), **scores})
        plot_anchored(folder, "dev", scores)
    rewrite_weights(folder, task)
    write(folder / CARD, model_card(folder))
