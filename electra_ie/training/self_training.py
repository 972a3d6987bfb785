"""The teacher of a run: what is logged of it, and a finished supervised run that becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.common.logs import warn
from electra_ie.config.base import differences
from electra_ie.config.train import TrainSettings
from electra_ie.data.batching import Batch
from electra_ie.data.task import Task
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.masking_generator import Teacher
from electra_ie.runs.layout import CORPUS, SETTINGS, is_finished, load_task, read_log, read_scores, refuse_links
from electra_ie.runs.provenance import code_now, environment_now, read_audit
from electra_ie.runs.storage import load_run, model_files
from electra_ie.training.checkpoints import Progress
from electra_ie.training.co_training import FeatureClassifier

Rows = Sequence[Mapping[str, Any]]
REMEDY = (
    "Give the folder of the supervised run with the same labels, seed, settings, code and machine, or leave --teacher "
    "out: it is trained. In a comparison, delete that run and resume."
)


def answers_of(teacher: Discriminator, view: FeatureClassifier | None = None) -> Teacher:
    """What a masking generator asks of a teacher. view: what is asked of classes beside it."""
    teacher.eval()

    @torch.no_grad()
    def answer(texts: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        states = teacher.states(texts)
        probabilities = teacher.probabilities(states, texts)
        return states, view.beside(probabilities, texts) if view else probabilities

    return answer


def load_teacher(
    run: Path, task: Task, settings: TrainSettings, corpus: str, pupil: Discriminator
) -> tuple[Discriminator, Progress, Rows]:
    """The discriminator of a finished run (see `refuse_unfinished`), how far it came, and its log.

    recipe: what the teacher would be trained with. corpus: the hash of what it would learn from. pupil: whom it is to
    teach. Raises UserError where the run is not just what would be trained here and now.
    """
    refuse_links(run)
    made, audit, names = TrainSettings.build(run / SETTINGS), read_audit(run), [field.name for field in task.fields]
    of_no_account = {
        name: getattr(settings, name)
        for name in ("task", "data", "include_examples", *TrainSettings.GENERATOR_SETTINGS)
    }
    other = differences(replace(made, **of_no_account), settings)
    known = run / CORPUS
    if not known.is_file() or parse(known.read_bytes(), known).get("hash") != corpus:
        other.append("the texts or their labels")
    if load_task(run).fields != task.fields:
        other.append("the fields of the task")
    elif model_files(run, names) != audit["weights"]:
        other.append("its models, which are not as its audit.json says")
    if audit["code"] != code_now():
        other.append("the code of this package")
    if audit["environment"] != environment_now():
        other.append("the machine or the packages on it")
    if not other and not _begins_alike(teacher := load_run(run)[0], pupil):
        other.append("the weights of its encoder")
    if other:
        raise UserError(f"this run cannot be the teacher, it differs in {', '.join(other)}.", file=run, remedy=REMEDY)
    rows, told = read_log(run), read_scores(run).get("training", {})
    best = [row["dev"]["mean"] for row in rows if row.get("best")]
    if "steps" not in told or (told.get("best_step") is not None and not best):
        raise UserError("what the log or the scores of this run said is missing.", file=run, remedy=REMEDY)
    if fallen := told.get("collapsed"):
        warn(f"{run}: the teacher collapsed at step {fallen['step']}: {fallen['what']}.")
    reached = Progress(told["steps"], told["best_step"], best[-1] if best else None)
    return teacher, reached, [*rows, last_teacher_row(reached.step, fallen)]


def refuse_unfinished(run: Path) -> None:
    """Raises UserError where there is no finished run."""
    if not (run / SETTINGS).is_file() or not is_finished(run):
        raise UserError("there is no finished run to be the teacher.", file=run, remedy=REMEDY)


def _begins_alike(teacher: Discriminator, pupil: Discriminator) -> bool:
    """Have both all weights in the same shapes, and the same values in those that training leaves as they are?"""
    ours, theirs = pupil.state_dict(), teacher.state_dict()
    if {name: each.shape for name, each in ours.items()} != {name: each.shape for name, each in theirs.items()}:
        return False
    still = [name for name, each in pupil.named_parameters() if not each.requires_grad]
    return all(torch.equal(ours[name].cpu(), theirs[name].cpu()) for name in still)


def last_teacher_row(step: int, collapsed: Mapping[str, Any] | None) -> dict[str, Any]:
    """The last row of a teacher's log."""
    return {"step": step, "collapsed": collapsed}


def teacher_log_row(rows: Rows) -> dict[str, Any]:
    """What a run's log says of the teacher whose log this is: step 0, the dev scores of the weights it kept, whether it
    collapsed, the time it took."""
    scored = [row["dev"] for row in rows if row.get("best")]
    if any("kept" in row for row in rows):  # an earlier generation, which kept its own teacher's
        scored = [row["teacher"] for row in rows if "teacher" in row]
    return {
        "step": 0,
        "seconds": max((row.get("seconds", 0.0) for row in rows), default=0.0),
        "seconds_scoring": sum(row.get("seconds_scoring", 0.0) for row in rows),
        **({"teacher": scored[-1]} if scored else {}),
        "collapsed": rows[-1]["collapsed"],
    }


def teacher_summary(rows: Rows) -> dict[str, Any]:
    """Dev scores of the teacher, if there are any, and what it collapsed by, from the log of the run that it taught."""
    found = {"dev": rows[0].get("teacher"), "collapsed": rows[0]["collapsed"]}
    return {name: value for name, value in found.items() if value}
