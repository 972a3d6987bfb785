"""Distillation of a finished run: its data again, its student, and the training loop with the run as teacher."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import locked, refuse_within
from electra_ie.common.hashing import of_sums
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.logs import notice, warn
from electra_ie.config.distill import Target, given_options, student_settings, with_steps
from electra_ie.config.train import TrainSettings
from electra_ie.data.readers import read_unlabeled
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData, windows_of
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.distillation.layers import cut, kept_layers, number_of_layers
from electra_ie.distillation.soft_labels import soft_labels
from electra_ie.distillation.static import static_student
from electra_ie.distillation.token_vectors import MAX_CONTEXTS
from electra_ie.metrics import MAIN
from electra_ie.models.discriminator import Discriminator
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import (
    SETTINGS,
    announce_data_folder,
    check_output,
    check_same_as_finished,
    is_finished,
    load_task,
    read_scores,
)
from electra_ie.runs.provenance import split_sum
from electra_ie.runs.storage import load_run, model_files
from electra_ie.runs.training_facts import DistillationFacts
from electra_ie.runs.verification import read_audit
from electra_ie.training.callbacks import Callback
from electra_ie.training.checkpoints import check_same_distillation
from electra_ie.training.loop import own_states
from electra_ie.training.pseudo_labels.predictions import PseudoLabel
from electra_ie.training.setup import Start, TrainingSetup, set_up
from electra_ie.training.trainer import Trainer, clear


@dataclass(frozen=True)
class Teacher:
    """A finished run that teaches: its model, its window tokenizer, its hash, and its scores on dev."""

    discriminator: Discriminator
    windower: WindowTokenizer
    hash: str
    dev: Mapping[str, float | None]


class StudentTrainer(Trainer):
    """Trains a student on the answers of a finished run."""

    def __init__(self, setup: TrainingSetup, folder: Path, callbacks: Sequence[Callback], finished: Teacher) -> None:
        super().__init__(setup, folder, callbacks)
        self.finished = finished

    def prepare_teacher(self) -> Discriminator:
        """Return the model of the finished run, on the device of the training."""
        if self.setup.is_main_process and not self.state.step:
            row: dict[str, Any] = {"step": 0, "seconds": 0.0, "seconds_scoring": 0.0, "collapsed": None}
            self.state.log = [{**row, **({"teacher": self.finished.dev} if self.finished.dev else {})}]
        teacher: Discriminator = self.finished.discriminator.to(self.setup.accelerator.device)
        return teacher

    def label_pool(self, teacher: Discriminator) -> tuple[list[PseudoLabel], list[str]]:
        """Return the probabilities of the run for all windows; they are combined with nothing."""
        return soft_labels(self.setup, teacher), []


@own_states()
def distill_run(  # noqa: PLR0913 - the options of `distill`
    run: str | os.PathLike[str],
    target: Target,
    folder: Path,
    unlabeled: Sequence[str] = (),
    data: str | None = None,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    given: Mapping[str, Any] | None = None,
) -> None:
    """Distill a finished run into a new run in `folder`; a finished one is left as it is when resumed.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        target: What the student is.
        folder: The folder of the student's run.
        unlabeled: Paths of unlabeled text, in addition to those of the run.
        data: The folder of the task's files, instead of the one that the run was trained from.
        overrides: Settings as `key=value`.
        resume: Resume the distillation in `folder`.
        callbacks: A user's own.
        given: Settings by name.

    Raises:
        UserError: any fault in the input, before anything is written.
    """
    check_output(folder, resume)
    source = run_folder(run)
    task = _task_of(source, data)
    of_run = TrainSettings.build(source / SETTINGS)
    settings = student_settings(of_run, target, unlabeled, data, overrides, given)
    options = given_options(of_run, settings, target)
    refuse_within(folder, [source, *task.paths, *settings.unlabeled])
    teacher, facts = _load_teacher(source, task, target)
    facts |= {"run": _shared_name(run, source), "settings": options["settings"], "unlabeled": options["unlabeled"]}
    if resume and is_finished(folder):
        check_same_distillation(folder, facts)
        check_same_as_finished(folder, settings, ("task",))
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        clear(folder)
        return
    _refuse_empty(unlabeled)
    read = replace(TrainingData.read(task, settings), hints=())  # a student has the answers of its teacher only
    if (then := read_audit(source)["splits"].get("train")) != split_sum(read.train):
        warn(f"{source}: the labeled documents are not those that the run was trained on ({then}).")
    labeled = windows_of(read.train, teacher.windower, ())
    documents = len(read.train) + len(read.pool)
    settings = with_steps(settings, target, round(documents * len(labeled) / len(read.train)))
    if target.layers is None:
        pool = read.unlabeled_windows(teacher.windower, MAX_CONTEXTS, settings.seed)[1]
        text, seed = [*pool, *labeled], settings.training_seed
        student = static_student(teacher.discriminator, teacher.windower, text, target.vectors, seed)
    else:
        student = cut(teacher.discriminator, target.layers)
    setup = set_up(task, settings, read, folder, start=Start(student, teacher.windower, facts))
    with locked(folder):
        StudentTrainer(setup, folder, callbacks, teacher).run(resume)


def _task_of(run: Path, data: str | None) -> Task:
    """Return the task of a finished run, and say which folder its data are read from."""
    task = load_task(run, data)
    if not (run / SETTINGS).is_file() or not is_finished(run):
        raise UserError("there is no finished run here.", file=run, remedy="Give the folder of a finished run.")
    task.refuse_anchored("distilled", run, "Distill a run without them.")
    if data is None:
        announce_data_folder(run, task)
    return task


def _shared_name(run: str | os.PathLike[str], folder: Path) -> str:
    """Return the name of a run that a card may show: `ORG/NAME@COMMIT` on the Hub, or the last part of its path."""
    name = parse_hub_name(run)
    return f"{name.repository}@{folder.name}" if name else folder.resolve().name


def _load_teacher(run: Path, task: Task, target: Target) -> tuple[Teacher, DistillationFacts]:
    """Return the teacher, and the facts about the distillation. Raises UserError for what cannot be distilled."""
    discriminator, windower, fields, _ = load_run(run)
    discriminator.eval()
    files = model_files(run, [field.name for field in fields])
    scores = read_scores(run).get("dev", {})
    dev = {field.name: scores[field.name][MAIN[field.kind]] for field in task.fields if field.name in scores}
    defined = [score for score in dev.values() if score is not None]
    teacher = Teacher(
        discriminator, windower, of_sums(files), {**dev, "mean": sum(defined) / len(defined)} if defined else {}
    )
    preset = TrainSettings.build(run / SETTINGS).preset
    facts: DistillationFacts = {"name": target.name, "teacher": teacher.hash, "preset": preset}
    if target.layers is None:
        return teacher, {**facts, "vectors": target.vectors}
    total = number_of_layers(discriminator)
    return teacher, {**facts, "layers": kept_layers(total, target.layers), "of": total}


def _refuse_empty(paths: Sequence[str]) -> None:
    """Raise UserError for a path of unlabeled text without any text."""
    for path in paths:
        if not any(document.text.strip() for document in read_unlabeled(path)):
            raise UserError("there is no text in this path.", file=path, remedy="Give text, or leave it out.")
