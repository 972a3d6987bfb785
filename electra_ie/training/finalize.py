"""What makes a trained run complete: stock folders, proof that they are what was trained, scores, plots and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from electra_ie.common.errors import warn
from electra_ie.common.files import CARD, write
from electra_ie.data.batching import collate
from electra_ie.data.dataset_card import dataset_on_hub
from electra_ie.data.fields import documents_by_field
from electra_ie.data.label_budget import sample
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import Scores, mean_score, plot_scores, predict, score_answers, with_intervals
from electra_ie.runs import plots
from electra_ie.runs.layout import CURVES, write_log, write_scores
from electra_ie.runs.model_card import model_card
from electra_ie.runs.model_card_metadata import base_model
from electra_ie.runs.provenance import write_audit
from electra_ie.runs.storage import save_fields
from electra_ie.training.checkpoints import load_best
from electra_ie.training.self_training import teacher_summary

Training = Any

READ = 100
"""Labelled documents that tell, where there is no dev split, whether a field gets one answer."""


def complete(run: Training) -> None:
    """Save the best weights as stock folders, prove that they are those, and leave scores, plots and card."""
    if run.done.best_step is not None:
        load_best(run.folder, run.discriminator)
    save_fields(run.folder, run.discriminator, run.windower, run.extractor.edges)
    saved = Extractor.load(str(run.folder), str(run.accelerator.device))
    _verify_answers(run, saved)
    answers = predict(saved, run.corpus.dev)
    scores = score_answers(run.task.fields, run.corpus.dev, answers)
    _verify_scores(run, scores)
    alike = _answered_alike(run, saved, answers)
    summary = {
        "labelled": {"documents": len(run.corpus.train), "windows": len(run.labelled)},
        "unlabelled": {"documents": len(run.corpus.pool), "windows": len(run.pool)},
        "labels": run.corpus.label_counts(run.task.fields),
        "not_expressed": run.corpus.not_expressed(run.windower, run.task.fields),
        "base_model": base_model(run.settings.encoder),
        "dataset": dataset_on_hub(run.task),
        "steps": run.settings.max_steps,
        "best_step": run.done.best_step,
        **({"collapsed": run.collapsed} if run.collapsed else {}),
        **({"answered_alike": alike} if alike else {}),
        **({"teacher": teacher_summary(run.rows)} if run.teacher else {}),
        **({"second_view": list(run.view.layers)} if run.view else {}),
        "seconds": round(max((row.get("seconds", 0.0) for row in run.rows), default=0.0), 1),
        "seconds_scoring": round(sum(row.get("seconds_scoring", 0.0) for row in run.rows), 1),
        "processes": run.accelerator.num_processes,
        "threads": torch.get_num_threads(),
    }
    write_scores(run.folder, "training", summary)
    if scores:
        scores = with_intervals(scores, run.task.fields, run.corpus.dev, answers)
        write_scores(run.folder, "dev", scores)
        plot_scores(run.folder, "dev", run.task.fields, run.corpus.dev, answers)
    plots.curves(run.rows, run.folder / CURVES)
    write_log(run.folder, run.rows)
    write_audit(run.folder, run.task, run.settings, run.corpus)
    write(run.folder / CARD, model_card(run.folder))


def _answered_alike(run: Training, saved: Extractor, of_dev: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields that get the same answer in every document, of dev or else of those learnt from, where they bear
    several; each is said aloud. A training that never learnt has no better weights to fall back to."""
    documents, answers = run.corpus.dev, of_dev
    if not documents:
        documents = sample(run.corpus.train, READ, run.settings.seed)
        answers = predict(saved, documents)
    found = []
    for field, places in documents_by_field(documents, run.task.fields):
        gold = [documents[place].gold[field.name] for place in places]
        given = [answers[place][field.name] for place in places]
        if all(each == given[0] for each in given) and any(each != gold[0] for each in gold):
            found.append(field.name)
            remedy = "Label more, train longer (--set max_steps=N) or more gently (--set learning_rate=R)."
            warn(f"{run.role}: the field {field.name} gets one answer, whatever the text. {remedy}")
    return found


@torch.no_grad()
def _verify_answers(run: Training, saved: Extractor) -> None:
    """The saved folders, loaded anew, must answer as the model in memory does."""
    batch = collate(run.labelled[:16], run.windower, run.task.fields).to(run.accelerator.device)
    run.discriminator.eval()
    saved.discriminator.eval()
    other = saved.discriminator.answers(batch)
    for name, logits in run.discriminator.answers(batch).items():
        if not torch.allclose(logits, other[name], atol=1e-4):
            raise RuntimeError(f"the saved model of the field {name} does not answer as the trained one does")


def _verify_scores(run: Training, scores: Scores) -> None:
    """What the saved folders score on dev must be what the log says of the best step."""
    logged, saved = run.done.best_score, mean_score(scores)
    if logged is not None and (saved is None or abs(saved - logged) > 1e-6):
        raise RuntimeError(f"the saved model scores {saved} on dev, the log says {logged}")
