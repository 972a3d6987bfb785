"""A training run: the teacher if there is one, the loop with its callbacks, the choice of weights, the finished run."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import yaml
from accelerate.utils import broadcast_object_list

from electra_ie.common.errors import UserError
from electra_ie.common.files import locked, refuse_within, write
from electra_ie.common.logs import notice, silenced, warn
from electra_ie.config.base import check_same_settings
from electra_ie.config.train import TrainSettings
from electra_ie.data.batching import Batches
from electra_ie.data.declaration.record_plan import RECORD
from electra_ie.data.declaration.task_yaml import MEMORY
from electra_ie.data.fields import with_levels
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.inference.scoring import without_gold
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.runs.layout import (
    BEST,
    CHECKPOINT,
    CORPUS,
    LAST,
    SETTINGS,
    TASK,
    TEACHER,
    TEACHER_STEP,
    TEACHER_WEIGHTS,
    check_output,
    is_finished,
    is_first_stage_finished,
    load_task,
    read_log,
    write_log,
)
from electra_ie.runs.training_facts import Collapse
from electra_ie.training.callbacks import Callback, FiniteWeights, LoopState, ProgressBar, SaveCheckpoints, Tracker
from electra_ie.training.checkpoints import (
    CheckpointHeader,
    check_same_adaptation,
    check_same_corpus,
    check_same_distillation,
    load_best,
    load_checkpoint,
    load_checkpoint_and_log,
    read_weights,
    save_weights,
    trained_state,
)
from electra_ie.training.dev_scoring import DevScoring, scored_steps
from electra_ie.training.divergence import DivergenceMonitor, StopOnDivergence
from electra_ie.training.driver import drive
from electra_ie.training.encoder_adaptation import EncoderAdaptation
from electra_ie.training.finalize import complete
from electra_ie.training.loop import LossNotFinite, own_states
from electra_ie.training.pseudo_labels.pool import pseudo_labels
from electra_ie.training.pseudo_labels.predictions import PseudoLabel
from electra_ie.training.second_stage import check_anchored, train_anchored
from electra_ie.training.self_training import (
    FinishedTeacher,
    last_teacher_row,
    load_teacher,
    refuse_unfinished,
    supervised_data,
    teacher_log_row,
)
from electra_ie.training.setup import TrainingSetup, set_up
from electra_ie.training.step_log import StepLog, measured_steps
from electra_ie.training.tracking import check_tracker

PlanAdaptation = Callable[[Task, TrainSettings], EncoderAdaptation]
CHECKPOINTS = 10
"""Checkpoints of a run, evenly over its steps, beside those of each scoring of dev."""


class Trainer:
    """Trains a `TrainingSetup` into a run in `folder`. Nothing is written before `run`.

    callbacks: a user's own, called after the built-in ones. given_teacher: a finished supervised run that teaches the
    first round; if None, one is trained.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        folder: Path,
        callbacks: Sequence[Callback] = (),
        given_teacher: FinishedTeacher | None = None,
    ) -> None:
        self.setup, self.folder, self.callbacks, self.given_teacher = setup, folder, callbacks, given_teacher
        self.state = LoopState(setup.settings.max_steps or 0, folder)
        self.collapsed: Collapse | None = None
        self.teacher_header: CheckpointHeader | None = None
        self.pseudo_labels: list[PseudoLabel] | None = None
        self.co_trained: list[str] = []

    def run(self, resume: bool = False) -> None:
        """Train, and leave a complete run. With `resume`, continue from the last checkpoint, to the same weights.

        Raises UserError if the training collapses before there are weights to fall back to, or if the run to resume
        began with other settings, another task or other texts.
        """
        self.learn(resume)
        if self.setup.is_main_process:
            self.select_final_weights()
            complete(self.setup, self.state, self.collapsed, self.co_trained)
            clear(self.folder)
        self.setup.accelerator.wait_for_everyone()

    def begin(self, resume: bool) -> None:
        """Write what the run is resumed from, or with `resume` check that nothing of it has changed."""
        if resume:
            self._check_unchanged()
        elif self.setup.is_main_process:
            self._write_beginning()

    def learn(self, resume: bool) -> None:
        """Train up to the last step; the weights to keep are in the run's checkpoints."""
        self.begin(resume)
        if resume:
            self.state.saved, self.state.log = load_checkpoint_and_log(self.folder, self.setup.pair)
            self.state.step = self.state.saved.step
        preparation = 0.0
        if self.setup.settings.has_teacher:
            teacher = self.prepare_teacher()
            began = time.monotonic()
            if not self.setup.windows.pool:
                warn(
                    f"{self.setup.description}: there is no unlabeled text to learn from; the teacher's weights are "
                    "kept. Add texts with --unlabeled."
                )
                if self.setup.is_main_process:
                    self._keep_teacher()
                return
            with self.setup.accelerator.autocast():
                self.pseudo_labels, self.co_trained = self.label_pool(teacher)
            assert isinstance(self.setup.generator, MaskingGenerator)
            self.setup.generator.teacher = teacher.predict
            preparation = time.monotonic() - began
        try:
            self._train(preparation)
        except LossNotFinite as error:
            self._restore_last_good(error.step, error.what)

    def _write_beginning(self) -> None:
        """Write what a run is resumed from. run.yaml comes last: a run that has it can be resumed."""
        task = yaml.safe_dump(self.setup.task.as_dict(), sort_keys=False, allow_unicode=True)
        write(self.folder / TASK, task)
        data = self.setup.data
        adaptation = {"adaptation": self.setup.adaptation.hash} if self.setup.adaptation else {}
        distillation = {"distillation": self.setup.distillation} if self.setup.distillation else {}
        began_with = {"hash": data.hash, "parts": data.parts, **adaptation, **distillation}
        write(self.folder / CORPUS, json.dumps(began_with) + "\n")
        write(self.folder / SETTINGS, self.setup.settings.to_yaml())

    def _check_unchanged(self) -> None:
        check_same_distillation(self.folder, self.setup.distillation)
        began_with = TrainSettings.build(self.folder / SETTINGS)
        check_same_settings(began_with.replace(task=self.setup.settings.task), self.setup.settings, self.folder)
        task = load_task(self.folder).as_dict()
        for key, value in self.setup.task.as_dict().items():
            if key not in ("name", "description", "data", MEMORY, RECORD) and task.get(key) != value:
                raise UserError(
                    f"the run began with another task ({key} differs).", file=self.folder / TASK,
                    remedy="Give the task as it was, or start another run.",
                )  # fmt: skip
        check_same_corpus(self.folder, self.setup.data.hash, self.setup.data.parts)
        if self.setup.adaptation:
            check_same_adaptation(self.folder, self.setup.adaptation.hash)

    def _train(self, preparation: float) -> None:
        """Run the loop. preparation: seconds spent on the pseudo-labels, which count as training."""
        setup, settings, windows, state = self.setup, self.setup.settings, self.setup.windows, self.state
        pool = windows.pool if settings.reads_unlabeled else ()
        batches = Batches(
            [*windows.labeled, *windows.label_windows], pool,
            (settings.batch_size or 0, settings.unlabeled_batch_size or 0), windows.windower,
            setup.task.fields, settings.training_seed, setup.accelerator.process_index,
            setup.accelerator.num_processes,
        )  # fmt: skip
        batches.pseudo_labels = self.pseudo_labels
        scored = set(scored_steps(state.max_steps, settings.num_evaluations)) if setup.data.dev else set()
        saved = scored | {round(state.max_steps * index / CHECKPOINTS) for index in range(1, CHECKPOINTS + 1)}
        monitor = DivergenceMonitor(state.max_steps)
        measured = measured_steps(state.max_steps)
        callbacks = [
            StopOnDivergence(monitor),
            StepLog(setup, batches, measured, preparation),
            Tracker(setup.pair, settings),
            FiniteWeights(setup.pair, saved),
            DevScoring(setup, scored),
            # Weights that show a sign of divergence are no weights to fall back to.
            SaveCheckpoints(setup.pair, saved, lambda: not monitor.sign),
            ProgressBar(f"training {setup.description}"),
            *self.callbacks,
        ]
        drive(setup.pair, batches, settings.replace(seed=settings.training_seed), state, callbacks)
        if state.diverged:
            self._restore_last_good(state.step, state.diverged)

    def _restore_last_good(self, step: int, reason: str) -> None:
        """End a collapsed run with the last good weights. Raises UserError, in every process, if there are none."""
        saved, main = self.state.saved, self.setup.is_main_process
        if self.teacher_header and saved.best_step is None and main:
            self._keep_teacher()
            saved = self.state.saved
        good = saved.step if saved.best_step is None else saved.best_step
        best, good = broadcast_object_list([saved.best_step, good])
        if best is None and not good:
            if main:  # the others have no log
                write_log(self.folder, self.state.log)
            settings = self.setup.settings
            other = ", or train with --preset supervised" if settings.reads_unlabeled else ""
            remedy = f"Lower the learning rate: --set learning_rate={min((settings.learning_rate or 0) / 10, 1e-4):g}"
            message = f"{self.setup.description} has collapsed at step {step}: {reason}."
            raise UserError(message, file=self.folder, remedy=f"{remedy}{other}.")
        if best is None and main:
            load_checkpoint(self.folder, self.setup.pair)
        self.collapsed = {"step": step, "what": reason, "kept": good}
        kept = f"the weights of step {good}" if good else "the teacher's weights"
        warn(f"{self.setup.description} has collapsed at step {step}: {reason}. The run keeps {kept}.")

    # The teacher

    def prepare_teacher(self) -> Discriminator:
        """Return the teacher: the model of the round before, or in the first round a supervised one.

        It is trained in a run within this one, unless it was trained before or a finished run is given.
        """
        setup, folder, weights = self.setup, self.folder / TEACHER, self.folder / TEACHER_WEIGHTS
        settings = setup.settings.of_teacher if setup.windows.pool else setup.settings.supervised
        data = setup.data if settings.has_teacher else supervised_data(setup)
        teacher = Trainer(set_up(setup.task, settings, data, folder, student=setup), folder, (), self.given_teacher)
        discriminator = teacher.setup.discriminator
        trained, begun = broadcast_object_list([weights.is_file(), (folder / SETTINGS).is_file()])
        if not trained and self.given_teacher and not settings.has_teacher:
            discriminator.load_state_dict(self.given_teacher.discriminator.state_dict())
            if setup.is_main_process:
                write_log(folder, self.given_teacher.log)
                save_weights(weights, trained_state(discriminator), self.given_teacher.header)
        elif not trained:
            teacher.learn(begun)
            if setup.is_main_process:
                teacher.save_as_teacher(weights)
        setup.accelerator.wait_for_everyone()
        tensors, self.teacher_header = read_weights(weights)
        discriminator.load_state_dict(tensors, strict=False)
        if setup.is_main_process and not self.state.step:
            self.state.log = [teacher_log_row(read_log(folder))]
        return discriminator

    def label_pool(self, teacher: Discriminator) -> tuple[list[PseudoLabel], list[str]]:
        """Return the pseudo-labels of the unlabeled windows, and the fields for which co-training was used."""
        return pseudo_labels(self.setup, teacher)

    def save_as_teacher(self, path: Path) -> None:
        """Write the final weights of this run to `path`, for the student; remove its checkpoints."""
        self.select_final_weights()
        if self.state.saved.best_step is not None:
            load_best(self.folder, self.setup.discriminator)
        else:  # as in `complete`: a student that collapses keeps these weights
            self.setup.thresholds.set(self.setup.discriminator)
        write_log(self.folder, [*self.state.log, last_teacher_row(self.state.saved.step, self.collapsed)])
        save_weights(path, trained_state(self.setup.discriminator), self.state.saved)
        shutil.rmtree(self.folder / CHECKPOINT)

    def _keep_teacher(self) -> None:
        """Make the teacher's weights those that the run keeps."""
        assert self.teacher_header is not None
        self.state.saved = CheckpointHeader(self.state.saved.step, TEACHER_STEP, self.teacher_header.best_score)
        self.state.log.append({"step": self.state.saved.step, "kept": "teacher"})
        save_weights(self.folder / BEST, read_weights(self.folder / TEACHER_WEIGHTS)[0], self.state.saved)

    def select_final_weights(self) -> None:
        """Keep the weights that are best on dev, or the teacher's if those are better by more than a standard error.

        The standard error is that of a share. To keep whichever scores higher would favor self-training in a
        comparison on the same dev split, which then has two draws against the baseline's one.
        """
        best, teacher = self.state.saved.best_score, self.teacher_header.best_score if self.teacher_header else None
        if best is None or teacher is None or self.state.saved.best_step == TEACHER_STEP:
            return
        if best < teacher - math.sqrt(teacher * (1 - teacher) / len(self.setup.data.dev)):
            self._keep_teacher()
            scores = f"it scores {best:.3f} on dev and its teacher {teacher:.3f}"
            warn(f"{self.setup.description}: {scores}: the teacher's weights are kept.")


@own_states()
def train_run(
    task: Task,
    settings: TrainSettings,
    folder: Path,
    resume: bool = False,
    tracker: str | None = None,
    teacher: Path | None = None,
    callbacks: Sequence[Callback] = (),
    plan_adaptation: PlanAdaptation | None = None,
) -> None:
    """Read the data, train, and leave a complete run; a finished run is left as it is.

    teacher: a finished supervised run (see `Trainer`). callbacks: the user's own. plan_adaptation: `plan_adaptation` of
    `pretraining.adaptation`, which this package cannot import; needed for settings that adapt the encoder.

    Raises UserError for any fault in the input, before anything is written.
    """
    check_tracker(tracker)
    check_output(folder, resume)
    refuse_within(folder, [*task.paths, *settings.unlabeled])
    if resume and is_finished(folder):
        if task.memory:  # files are identified by their paths, objects only by their content
            data = TrainingData.read(task, settings)
            check_same_corpus(folder, data.hash, data.parts)
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        clear(folder)  # a killed process may have left checkpoints
        return
    if teacher and not settings.has_teacher:
        remedy = "Leave --teacher out, or give --preset self_training."
        raise UserError(f"--teacher: the preset {settings.preset} has no teacher.", remedy=remedy)
    if teacher:
        refuse_unfinished(teacher)  # before the data are read, which may take a while
    data = TrainingData.read(task, settings)
    task = replace(task, fields=with_levels(task.fields, data.train))
    check_anchored(task, data)
    _warn_of_fields_without_dev(task, data)
    adaptation = None
    if settings.adapts_encoder:
        assert plan_adaptation is not None
        adaptation = plan_adaptation(task, settings)
    setup = set_up(task, settings, data, folder, tracker, adaptation=adaptation)
    _warn_of_thresholds(setup)
    given_teacher = load_teacher(teacher, setup) if teacher else None
    with locked(folder):
        if adaptation and adaptation.steps:
            Trainer(setup, folder).begin(resume)  # so that the run can be resumed if it is interrupted meanwhile
            adapted = adaptation.trained()
            with silenced():  # its warnings were printed above
                setup = set_up(task, settings, data, folder, tracker, adaptation=adapted)
        trainer = Trainer(setup, folder, callbacks, given_teacher)
        if resume and task.anchored and is_first_stage_finished(folder):  # only the second stage is missing
            trainer.begin(resume)
        else:
            trainer.run(resume)
        if task.anchored:
            encoder = (setup.adaptation and setup.adaptation.folder) or setup.settings.encoder
            train_anchored(task, settings, data, folder, encoder, train_run)


def _warn_of_fields_without_dev(task: Task, data: TrainingData) -> None:
    """Warn of fields without gold in dev, since dev does not choose weights for them."""
    bare = without_gold(task.fields, data.dev) if data.dev else []
    if len(bare) == len(task.fields):
        warn("no document of dev has a label of any field: no score is defined there, and the last weights are kept.")
    elif bare:
        names = ", ".join(bare)
        warn(f"no document of dev has a label of {names}: no score is defined there, nor are weights chosen by it.")


def _warn_of_thresholds(setup: TrainingSetup) -> None:
    """Warn of flags whose threshold stays at one half, since there are too few unlabeled texts to set it."""
    texts = setup.thresholds.texts
    remedy = " Add texts with --unlabeled." if texts == len(setup.data.pool) else ""
    for field, flags in setup.thresholds.unchanged.items():
        warn(
            f"{field}: the thresholds of {', '.join(flags)} stay at one half: {texts:,} unlabeled texts are too few to "
            f"set those of labels with these shares.{remedy}"
        )


def clear(folder: Path) -> None:
    """Remove the checkpoints of a finished run, the last one first: without it the run counts as finished."""
    (folder / LAST).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
