"""Self-training: a teacher trained on the labels answers the unlabeled texts, and its student learns those answers.

Here are what a run logs about its teacher, and the checks of a finished supervised run that is to be the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.common.logs import warn
from electra_ie.config.base import differences
from electra_ie.config.train import TrainSettings
from electra_ie.data.training_data import TrainingData
from electra_ie.models.discriminator import Discriminator
from electra_ie.runs.code import code_now
from electra_ie.runs.layout import (
    CORPUS,
    SETTINGS,
    is_finished,
    load_task,
    model_names,
    read_log,
    read_scores,
    refuse_links,
)
from electra_ie.runs.provenance import environment_now
from electra_ie.runs.storage import load_run, model_files
from electra_ie.runs.training_facts import Collapse, TeacherFacts, TrainingFacts
from electra_ie.runs.verification import read_audit
from electra_ie.training.checkpoints import CheckpointHeader
from electra_ie.training.setup import TrainingSetup

Log = Sequence[Mapping[str, Any]]
REMEDY = (
    "Give the folder of the supervised run with the same labels, seed, settings, code and machine, or leave out "
    "--teacher to train one. In a comparison, delete that run and resume."
)


@dataclass
class FinishedTeacher:
    """A finished supervised run: its model, the header that its last checkpoint had, and its log."""

    discriminator: Discriminator
    header: CheckpointHeader
    log: Log


def load_teacher(run: Path, setup: TrainingSetup) -> FinishedTeacher:
    """Load a finished supervised run (see `refuse_unfinished`) as the teacher of the run of `setup`.

    Raises UserError if the run differs from the one that would be trained here and now, by what differs.
    """
    refuse_links(run)
    task, settings = setup.task, setup.settings.supervised
    audit, names = read_audit(run), model_names(task)
    ignored = ("task", "data", "include_examples", *TrainSettings.IGNORED_IF_SUPERVISED)
    trained_with = TrainSettings.build(run / SETTINGS)
    trained_with = trained_with.replace(**{name: getattr(settings, name) for name in ignored})
    other = differences(trained_with, settings)
    corpus = run / CORPUS
    learned_from = parse(corpus.read_bytes(), corpus) if corpus.is_file() else {}
    if learned_from.get("hash") != supervised_data(setup).hash:
        other.append("the texts or their labels")
    if learned_from.get("adaptation") != (setup.adaptation.hash if setup.adaptation else None):
        other.append("the adaptation of its encoder")
    if load_task(run).all_fields != task.all_fields:
        other.append("the fields of the task")
    elif model_files(run, names) != audit["weights"]:
        other.append("its models, which are not as its audit.json says")
    if audit["code"] != code_now():
        other.append("the code of this package")
    if audit["environment"] != environment_now():
        other.append("the machine or the packages on it")
    if not other and not _same_initial_weights(teacher := load_run(run)[0], setup.discriminator):
        other.append("the weights of its encoder")
    if other:
        raise UserError(f"this run cannot be the teacher, it differs in {', '.join(other)}.", file=run, remedy=REMEDY)
    log = read_log(run)
    facts: TrainingFacts = read_scores(run).get("training", {})
    best = [row["dev"]["mean"] for row in log if row.get("best")]
    if "steps" not in facts or (facts.get("best_step") is not None and not best):
        raise UserError("its log.jsonl or scores.json lacks the steps or dev scores.", file=run, remedy=REMEDY)
    if collapse := facts.get("collapsed"):
        warn(f"{run}: the teacher collapsed at step {collapse['step']}: {collapse['what']}.")
    header = CheckpointHeader(facts["steps"], facts["best_step"], best[-1] if best else None)
    return FinishedTeacher(teacher, header, [*log, last_teacher_row(header.step, collapse)])


def supervised_data(setup: TrainingSetup) -> TrainingData:
    """Return the documents of the supervised run that teaches the run of `setup`, without hints: it uses none."""
    is_used = setup.settings.supervised.uses_unlabeled(field.kind for field in setup.task.fields)
    return replace(setup.data, hints=(), pool=setup.data.pool if is_used else [])


def refuse_unfinished(run: Path) -> None:
    """Raise UserError if there is no finished run in a folder, or one that is not supervised."""
    if not (run / SETTINGS).is_file() or not is_finished(run):
        raise UserError("there is no finished run to be the teacher.", file=run, remedy=REMEDY)
    preset = TrainSettings.build(run / SETTINGS).preset
    if preset != "supervised":
        raise UserError(f"this is a {preset} run; a teacher must be supervised.", file=run, remedy=REMEDY)


def _same_initial_weights(teacher: Discriminator, student: Discriminator) -> bool:
    """Return whether all weights have the same shapes, and those that training does not change the same values."""
    ours, theirs = student.state_dict(), teacher.state_dict()
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        return False
    frozen = [name for name, parameter in student.named_parameters() if not parameter.requires_grad]
    return all(torch.equal(ours[name].cpu(), theirs[name].cpu()) for name in frozen)


def last_teacher_row(step: int, collapsed: Collapse | None) -> dict[str, Any]:
    """Return the last row of a teacher's log."""
    return {"step": step, "collapsed": collapsed}


def teacher_log_row(log: Log) -> dict[str, Any]:
    """Return the row of a run's log about its teacher, from the teacher's log.

    It has step 0, the dev scores of the weights that the teacher kept, how it collapsed if it did, and its seconds.
    """
    dev_scores = [row["dev"] for row in log if row.get("best")]
    if any("kept" in row for row in log):  # an earlier round, which kept the weights of its own teacher
        dev_scores = [row["teacher"] for row in log if "teacher" in row]
    return {
        "step": 0,
        "seconds": max((row.get("seconds", 0.0) for row in log), default=0.0),
        "seconds_scoring": sum(row.get("seconds_scoring", 0.0) for row in log),
        **({"teacher": dev_scores[-1]} if dev_scores else {}),
        "collapsed": log[-1]["collapsed"],
    }


def teacher_facts(log: Log) -> TeacherFacts:
    """Return the dev scores of the teacher and how it collapsed, where defined, from the log of its student."""
    dev, collapsed = log[0].get("teacher"), log[0]["collapsed"]
    return {**({"dev": dev} if dev else {}), **({"collapsed": collapsed} if collapsed else {})}
