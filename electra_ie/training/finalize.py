"""Completion of a trained run: stock folders, the check that they match the trained model, scores, plots and card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from electra_ie.common.files import CALIBRATION, CARD, write
from electra_ie.common.logs import warn
from electra_ie.data.batching import collate
from electra_ie.data.dataset_card import dataset_on_hub
from electra_ie.data.fields import documents_by_field
from electra_ie.data.label_budget import sample
from electra_ie.inference.calibrating import calibrate_run, read_with_evidence
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import Scores, plot_scores, predict, score_answers, with_intervals
from electra_ie.metrics import mean_score
from electra_ie.runs import plots
from electra_ie.runs.cards.metadata import base_model
from electra_ie.runs.layout import CURVES, write_log, write_scores
from electra_ie.runs.model_card import model_card
from electra_ie.runs.provenance import write_audit
from electra_ie.runs.storage import fields_sum, save_fields
from electra_ie.runs.training_facts import Collapse, TrainingFacts
from electra_ie.training.callbacks import LoopState
from electra_ie.training.checkpoints import load_best
from electra_ie.training.self_training import teacher_facts
from electra_ie.training.setup import TrainingSetup

SAMPLE = 100
"""Labeled documents that are answered, without a dev split, to detect a field that always gets the same answer."""


def complete(setup: TrainingSetup, state: LoopState, collapsed: Collapse | None, co_trained: Sequence[str]) -> None:
    """Save the chosen weights as stock folders, verify them, and write scores, plots, provenance and card.

    The card, with which a run is finished, is not written if there are relations or attributes to train.

    collapsed: how the training collapsed, if it did. co_trained: the fields with co-training.
    """
    folder, fields, dev = state.folder, setup.task.fields, setup.data.dev
    if state.saved.best_step is not None:
        load_best(folder, setup.discriminator)
    else:  # the best weights were saved with their thresholds
        setup.thresholds.set(setup.discriminator)
    (folder / CALIBRATION).unlink(missing_ok=True)  # of a completion that was killed
    save_fields(folder, setup.discriminator, setup.windows.windower, setup.extractor.edges)
    saved = Extractor.from_pretrained(folder, device=str(setup.accelerator.device), anchored=False)
    _verify_logits(setup, saved)
    results = read_with_evidence(saved, dev)
    answers = [result.answers for result in results]
    scores = score_answers(fields, dev, answers)
    _verify_scores(state, scores)
    constant = _constant_fields(setup, saved, answers)
    adaptation = setup.adaptation.summary if setup.adaptation else None
    facts: TrainingFacts = {
        "labeled": {"documents": len(setup.data.train), "windows": len(setup.windows.labeled)},
        "label_texts": len(setup.windows.label_texts),
        "unlabeled": {"documents": len(setup.windows.pool_documents), "windows": setup.windows.unlabeled_count},
        "labels": setup.data.label_counts(fields),
        "not_expressed": setup.data.not_expressed(setup.windows.windower, fields),
        "base_model": base_model(setup.settings.encoder),
        **({"adaptation": adaptation} if adaptation else {}),
        **({"distillation": setup.distillation} if setup.distillation else {}),
        "dataset": dataset_on_hub(setup.task),
        "steps": state.step if state.stop and not state.diverged else setup.settings.max_steps or 0,
        "best_step": state.saved.best_step,
        **({"collapsed": collapsed} if collapsed else {}),
        **({"constant_answers": constant} if constant else {}),
        "calibration": calibrate_run(folder, fields, dev, results, fields_sum(folder, fields)),
        **({"teacher": teacher_facts(state.log)} if setup.settings.has_teacher else {}),
        **({"co_training": list(co_trained)} if setup.settings.co_training and setup.settings.has_teacher else {}),
        "seconds": round(state.seconds, 1),
        "seconds_scoring": round(sum(row.get("seconds_scoring", 0.0) for row in state.log), 1),
        "processes": setup.accelerator.num_processes,
        "threads": torch.get_num_threads(),
    }
    write_scores(folder, "training", facts)
    if scores:
        write_scores(folder, "dev", with_intervals(scores, fields, dev, answers))
        plot_scores(folder, "dev", fields, dev, answers)
    plots.curves(state.log, folder / CURVES)
    write_log(folder, state.log)
    write_audit(folder, setup.task, setup.settings, setup.data, adaptation, setup.distillation)
    if not setup.task.anchored:  # with a second stage the run is not finished yet
        write(folder / CARD, model_card(folder))


def _constant_fields(setup: TrainingSetup, saved: Extractor, dev_answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields that get the same answer in every document though their gold differs; warn of each.

    A training that never learned has no better weights to fall back to, so it is reported and not stopped. The
    documents are those of dev, or a sample of train without a dev split.
    """
    documents, answers = setup.data.dev, dev_answers
    if not documents:
        documents = sample(setup.data.train, SAMPLE, setup.settings.seed)
        answers = predict(saved, documents)
    constant = []
    for field, indices in documents_by_field(documents, setup.task.fields):
        gold = [documents[index].gold[field.name] for index in indices]
        predicted = [answers[index][field.name] for index in indices]
        is_constant = all(prediction == predicted[0] for prediction in predicted)
        if is_constant and any(label != gold[0] for label in gold):
            constant.append(field.name)
            remedy = "Label more, or train longer (--set max_steps=N) or at a lower rate (--set learning_rate=R)."
            warn(f"{setup.description}: the field {field.name} gets the same answer in every text. {remedy}")
    return constant


@torch.no_grad()
def _verify_logits(setup: TrainingSetup, saved: Extractor) -> None:
    """Raise RuntimeError if the saved folders, loaded again, give other logits than the model in memory."""
    batch = collate(setup.windows.labeled[:16], setup.windows.windower, setup.task.fields).to(setup.accelerator.device)
    setup.discriminator.eval()
    saved.discriminator.eval()
    loaded = saved.discriminator.predict_logits(batch)
    for name, logits in setup.discriminator.predict_logits(batch).items():
        if not torch.allclose(logits, loaded[name], atol=1e-4):
            raise RuntimeError(f"the saved model of the field {name} gives other logits than the trained one")


def _verify_scores(state: LoopState, scores: Scores) -> None:
    """Raise RuntimeError if the saved model's dev score differs from the logged one of the best step."""
    logged, saved = state.saved.best_score, mean_score(scores)
    if logged is not None and (saved is None or not math.isclose(saved, logged, rel_tol=0, abs_tol=1e-6)):
        raise RuntimeError(f"the saved model scores {saved} on dev; the log has {logged}")
