"""One training run: play the game, with a teacher or without, score dev, and keep the best."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedTokenizerBase

from electra_ie.common.errors import UserError, warn
from electra_ie.common.files import locked, refuse_within, write
from electra_ie.common.progress import notice, progress
from electra_ie.config.base import check_same_settings
from electra_ie.config.train import TrainSettings
from electra_ie.data.batching import Batches
from electra_ie.data.span_boundaries import edges_of
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData, windows_of
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.inference.extractor import Extractor
from electra_ie.inference.scoring import answer, judge, mean_score, without_gold
from electra_ie.models.bias_init import init_bias_to_prior
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer, mask_token, max_length, resolve_revision
from electra_ie.models.latent_generator import LatentGenerator
from electra_ie.models.losses import ROW_TERMS, check_terms
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.models.pooling import choose
from electra_ie.runs.layout import (
    BEST,
    CHECKPOINT,
    CORPUS,
    LAST,
    SETTINGS,
    TASK,
    TEACHER,
    TEACHER_WEIGHTS,
    TRACKING,
    check_output,
    is_finished,
    load_task,
    read_log,
    write_log,
)
from electra_ie.training.checkpoints import (
    Progress,
    check_same_corpus,
    checkpoint,
    load_best,
    load_checkpoint,
    read_weights,
    restore,
    save_best,
    save_weights,
    trained_state,
)
from electra_ie.training.co_training import FeatureClassifier
from electra_ie.training.distribution_alignment import align_flag_distribution
from electra_ie.training.divergence import DivergenceMonitor
from electra_ie.training.finalize import complete
from electra_ie.training.loop import (
    LossNotFinite,
    Step,
    check_weights,
    make_accelerator,
    own_states,
    prepare,
    training_steps,
)
from electra_ie.training.self_training import (
    Rows,
    answers_of,
    last_teacher_row,
    load_teacher,
    refuse_unfinished,
    teacher_log_row,
)
from electra_ie.training.tracking import check_tracker, tracking

MEASURED, MEASURED_APART = 20, 25
"""How often at most it is measured what a generator that hides achieves, and the steps between at least: once costs
a quarter of a step to half of one."""


class Training:
    """A task, a recipe and a corpus, about to become a run in `folder`. Nothing is written before `run`."""

    def __init__(
        self,
        task: Task,
        settings: TrainSettings,
        corpus: TrainingData,
        folder: Path,
        tracker: str | None = None,
        within: Training | None = None,
        teacher: Path | None = None,
    ):
        """within: the run whose teacher this one trains; it cuts the texts alike. teacher: a finished supervised run
        that is to teach the first generation; without, one is trained."""
        check_terms({"discriminator": settings.discriminator, "generator": settings.generator}, ROW_TERMS)
        self.task, self.corpus, self.folder = task, corpus, folder
        self.accelerator = make_accelerator(settings.precision, tracker, folder / TRACKING)
        settings = replace(settings, encoder=resolve_revision(settings.encoder))
        tokenizer = load_tokenizer(settings.encoder)
        pooling = choose(settings.encoder, settings.pooling)
        torch.manual_seed(settings.training_seed)  # decides the weights of the new heads and of the generator
        fakes = settings.has_generator and not settings.has_teacher
        self.discriminator = Discriminator.load(settings.encoder, task.fields, pooling, fakes)
        hidden = self.discriminator.hidden
        whole_texts = any(field.kind != "spans" for field in task.fields)
        settings = replace(settings, pooling=pooling).with_window(
            max_length(tokenizer, self.discriminator.encoder.config), whole_texts
        )
        self.role = f"{task.name} ({_role(settings, within is not None)})"
        self.windower: WindowTokenizer = (
            within.windower
            if within
            else corpus.windower(tokenizer, settings.window or 0, settings.context_overlap, task.fields, settings.units)
        )
        self.labelled, self.pool = corpus.windows(self.windower, task.fields)
        init_bias_to_prior(self.discriminator, self.labelled)
        self.generator: LatentGenerator | MaskingGenerator | None = None
        if fakes:
            self.generator = LatentGenerator(task.fields, hidden, settings.latent_size, settings.training_seed)
        elif (
            settings.has_teacher and self.pool
        ):  # of labelled texts, read in place of others, a teacher has nothing to say
            self.generator = _hiding(self.discriminator, tokenizer, settings)
        spans = any(field.kind == "spans" for field in task.fields)
        self.settings = settings.with_schedule(len(self.labelled), hidden, spans)
        self.players = prepare(self.accelerator, self.discriminator, self.generator, self.settings)
        self.view: FeatureClassifier | None = None
        hiding = isinstance(self.generator, MaskingGenerator)
        if hiding and settings.co_training and any(field.kind == "classes" for field in task.fields):
            self.view = FeatureClassifier(
                self.discriminator
            )  # now: it keeps the encoder as it is before anything is trained
        edges = edges_of(corpus.train, task.fields)
        self.extractor = Extractor(self.discriminator, self.windower, task.fields, edges=edges)
        self.rows: list[dict[str, Any]] = []
        self.done = Progress()
        self.collapsed: dict[str, Any] | None = None
        self.teacher: Progress | None = None
        self.given: tuple[Discriminator, Progress, Rows] | None = within.given if within else None
        if teacher:
            learnt_from = replace(corpus, pool=[]).hash
            self.given = load_teacher(teacher, task, self.settings.supervised, learnt_from, self.discriminator)

    def run(self, resume: bool = False) -> None:
        """Train, and leave a complete run. With `resume`, go on from the last checkpoint, to the very same weights.

        Raises UserError where the training collapses before there are weights to fall back to, or where the run to
        resume was begun with another recipe.
        """
        self._learn(resume)
        if self.accelerator.is_main_process:
            self._select_final_weights()
            complete(self)
            clear(self.folder)
        self.accelerator.wait_for_everyone()

    def _learn(self, resume: bool) -> None:
        """Play the game, or what is left of it."""
        main = self.accelerator.is_main_process
        if resume:
            self._restore()
        elif main:
            write(self.folder / TASK, yaml.safe_dump(self.task.as_dict(), sort_keys=False, allow_unicode=True))
            write(self.folder / CORPUS, json.dumps({"hash": self.corpus.hash}) + "\n")
            # Last: with it the run can be resumed.
            write(self.folder / SETTINGS, yaml.safe_dump(self.settings.as_dict(), sort_keys=False, allow_unicode=True))
        preparing = 0.0
        if self.settings.has_teacher:
            teacher = self._train_teacher()
            began = time.monotonic()
            if not isinstance(self.generator, MaskingGenerator):
                told = "there are no unlabelled texts to learn from; the teacher's weights are kept"
                notice(f"{self.role}: {told}. Add texts with --unlabeled.")
                if main:
                    self._take_teacher()
                return
            align_flag_distribution(teacher, self.labelled, self.pool, self.windower, self.settings.seed)
            if self.view:
                dev = windows_of(self.corpus.dev, self.windower, self.task.fields)
                self.view.learn(self.labelled, self.pool, dev, teacher, self.windower, self.settings.seed)
            self.generator.teacher = answers_of(teacher, self.view)
            preparing = time.monotonic() - began
        try:
            self._play(main, preparing)
        except LossNotFinite as error:
            self._restore_last_good(error.step, error.what)

    def _train_teacher(self) -> Discriminator:
        """The generation before, or the discriminator that learns from the labels alone: trained in a run within this
        one, or before it."""
        folder, weights = self.folder / TEACHER, self.folder / TEACHER_WEIGHTS
        main = self.accelerator.is_main_process
        settings = self.settings.of_teacher if self.pool else self.settings.supervised
        corpus = self.corpus if settings.has_teacher else replace(self.corpus, pool=[])
        inner = Training(self.task, settings, corpus, folder, within=self)
        learnt, begun = broadcast_object_list([weights.is_file(), (folder / SETTINGS).is_file()])
        if not learnt and self.given and not settings.has_teacher:
            teacher, reached, rows = self.given
            inner.discriminator.load_state_dict(teacher.state_dict())
            if main:
                write_log(folder, rows)
                save_weights(weights, trained_state(inner.discriminator), reached)
        elif not learnt:
            inner._learn(begun)
            if main:
                inner._select_final_weights()
                if inner.done.best_step is not None:
                    load_best(folder, inner.discriminator)
                write_log(folder, [*inner.rows, last_teacher_row(inner.done.step, inner.collapsed)])
                save_weights(weights, trained_state(inner.discriminator), inner.done)
                shutil.rmtree(folder / CHECKPOINT)
        self.accelerator.wait_for_everyone()
        state, self.teacher = read_weights(weights)
        inner.discriminator.load_state_dict(state, strict=False)
        if main and not self.done.step:
            self.rows = [teacher_log_row(read_log(folder))]
        return inner.discriminator

    def _take_teacher(self) -> None:
        """Let the teacher's weights be those that are kept."""
        assert self.teacher is not None
        self.done = Progress(self.done.step, 0, self.teacher.best_score)
        self.rows.append({"step": self.done.step, "kept": "teacher"})
        save_weights(self.folder / BEST, read_weights(self.folder / TEACHER_WEIGHTS)[0], self.done)

    def _select_final_weights(self) -> None:
        """The best weights on dev are kept; but the teacher's where the game has fallen behind them by more than one
        standard error of a share. (To keep whichever is ahead would favour the game in a comparison on that dev.)"""
        best, taught = self.done.best_score, self.teacher.best_score if self.teacher else None
        if best is None or taught is None or self.done.best_step == 0:
            return
        if best < taught - math.sqrt(taught * (1 - taught) / len(self.corpus.dev)):
            self._take_teacher()
            scored = f"the game scores {best:.3f} on dev and the teacher {taught:.3f}"
            warn(f"{self.role}: {scored}: the teacher's weights are kept.")

    def _restore(self) -> None:
        begun_with = TrainSettings.build(self.folder / SETTINGS)
        check_same_settings(replace(begun_with, task=self.settings.task), self.settings, self.folder)
        begun = load_task(self.folder).as_dict()
        for part, value in self.task.as_dict().items():
            if begun[part] != value and part not in ("name", "description", "data"):
                raise UserError(
                    f"the run was begun with another task: its {part} differ.", file=self.folder / TASK,
                    remedy="Give the task as it was, or begin another run.",
                )  # fmt: skip
        check_same_corpus(self.folder, self.corpus.hash)
        self.done, self.rows = restore(self.folder, self.players)

    def _play(self, main: bool, preparing: float) -> None:
        """preparing: the seconds that it took to mend what the teacher says, which are part of the training's."""
        steps, place = self.settings.max_steps or 0, self.accelerator.process_index
        batches = Batches(
            self.labelled,
            self.pool,
            (self.settings.batch_size or 0, self.settings.unlabeled_batch_size or 0),
            self.windower,
            self.task.fields,
            self.settings.training_seed,
            place,
            self.accelerator.num_processes,
        )
        done, collapsed = self.done.step, None
        scored = set(self._scored_steps())
        kept = scored | {round(steps * tenth / 10) for tenth in range(1, 11)}
        every = max(MEASURED_APART, math.ceil(steps / MEASURED))
        measured = {*range(every, steps, every), steps}
        before = max((row.get("seconds", 0.0) for row in self.rows), default=0.0) + preparing
        watch = DivergenceMonitor(steps)
        for row in self.rows:  # of a run that is resumed
            if "discriminator" in row:
                watch.see(_step(row))
        began = time.monotonic()
        name = f"training {self.role}"
        with (
            progress(steps, name, start=self.done.step) as report,
            tracking(self.accelerator, self.folder, self.settings, self.done.step) as track,
        ):
            if main and not self.done.step and self.rows:
                track(self.rows[0])
            for step in training_steps(
                self.players, batches, replace(self.settings, seed=self.settings.training_seed), self.done.step
            ):
                done = step.number + 1
                collapsed = watch.see(step)  # the numbers of a step are those of all processes: all decide alike
                if main:
                    told = self._achieved(batches, done) if done in measured else {}
                    self.rows.append({**_row(step, before + time.monotonic() - began), **told})
                    track(self.rows[-1])
                if done in kept:
                    self._keep(done, done in scored, not watch.sign, track)
                if main:
                    report(done, loss=step.losses["discriminator"], dev=self.done.best_score)
                if collapsed:
                    break
        if collapsed:
            self._restore_last_good(done, collapsed)

    def _achieved(self, batches: Batches, done: int) -> dict[str, float]:
        """What the generator that hides achieves on the texts of the next step (see `MaskingGenerator.achieved`), on
        this process alone: nothing is exchanged, and no weight changes."""
        if not isinstance(self.generator, MaskingGenerator):
            return {}
        with self.accelerator.autocast():
            batch = batches[done].to(self.accelerator.device)
            found = self.generator.achieved(self.discriminator, batch, done)
        return found if all(map(math.isfinite, found.values())) else {}

    def _scored_steps(self) -> Iterator[int]:
        """Evenly over the second half, the last step always; none without a dev split."""
        steps, times = self.settings.max_steps or 0, self.settings.num_evaluations
        if self.corpus.dev:
            yield from (round(steps * (0.5 + 0.5 * number / times)) for number in range(1, times + 1))

    def _score(self, done: int) -> None:
        """Score dev; keep these weights if they are the best so far (the earlier ones, where two are equal). None are
        the best where no score is defined: the last ones are kept then, as without dev."""
        began = time.monotonic()
        scores = judge(self.task.fields, self.corpus.dev, answer(self.extractor, self.corpus.dev))
        value = mean_score(scores)
        better = value is not None and (self.done.best_score is None or value > self.done.best_score)
        by_name = {name: each[each["main"]] for name, each in scores.items()}
        row = {"step": done, "dev": {**by_name, "mean": value}, "best": better}
        self.rows.append({**row, "seconds_scoring": round(time.monotonic() - began, 3)})
        if better:
            self.done = replace(self.done, best_step=done, best_score=value)
            save_best(self.folder, self.discriminator, self.done)

    def _keep(self, done: int, scored: bool, sound: bool, track: Callable[[Mapping[str, Any]], None]) -> None:
        """Score dev, if it is time to, and make a checkpoint of what is sound.

        Raises `LossNotFinite` for weights that must not be kept, in every process: all fall back, or none.
        """
        check_weights(self.players, done)
        if not self.accelerator.is_main_process:
            return
        if scored:
            self._score(done)
            track(self.rows[-1])
        if sound:
            self._checkpoint(done)

    def _checkpoint(self, done: int) -> None:
        reached = replace(self.done, step=done)
        checkpoint(self.folder, self.players, reached, self.rows)
        self.done = reached

    def _restore_last_good(self, step: int, what: str) -> None:
        """End the run with the last good weights. Raises UserError, in every process, where there are none."""
        if self.teacher and self.done.best_step is None and self.accelerator.is_main_process:
            self._take_teacher()
        good = self.done.step if self.done.best_step is None else self.done.best_step
        best, good = broadcast_object_list([self.done.best_step, good])
        if best is None and not good:
            if self.accelerator.is_main_process:  # the others have no rows
                write_log(self.folder, self.rows)
            other = ", or with --preset supervised" if self.settings.has_generator else ""
            remedy = (
                f"Train more gently: --set learning_rate={min((self.settings.learning_rate or 0) / 10, 1e-4):g}{other}."
            )
            raise UserError(f"{self.role} has collapsed at step {step}: {what}.", file=self.folder, remedy=remedy)
        if best is None and self.accelerator.is_main_process:
            load_checkpoint(self.folder, self.players)
        self.collapsed = {"step": step, "what": what, "kept": good}
        kept = f"the weights of step {good}" if good else "the teacher's weights"
        warn(f"{self.role} has collapsed at step {step}: {what}. The run keeps {kept}.")


@own_states()
def train_run(
    task: Task,
    settings: TrainSettings,
    folder: Path,
    resume: bool = False,
    tracker: str | None = None,
    teacher: Path | None = None,
) -> None:
    """Read the corpus, train, and leave a complete run; a finished one is left alone. teacher: see `Training`.

    Raises UserError for whatever is wrong with the input, before anything is written.
    """
    check_tracker(tracker)
    check_output(folder, resume)
    refuse_within(folder, [*task.paths, *settings.unlabeled])
    if resume and is_finished(folder):
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        clear(folder)  # a kill may have left what it was about to remove
        return
    if teacher and not settings.has_teacher:
        remedy = "Leave --teacher out, or give --preset adversarial."
        raise UserError(f"--teacher: the preset {settings.preset} has no teacher.", remedy=remedy)
    if teacher:
        refuse_unfinished(teacher)  # before anything is read, which may take a while
    corpus = TrainingData.read(task, settings)
    _tell_of_bare_fields(task, corpus)
    training = Training(task, settings, corpus, folder, tracker, teacher=teacher)
    with locked(folder):
        training.run(resume)


def _tell_of_bare_fields(task: Task, corpus: TrainingData) -> None:
    """Warn of fields that dev says nothing about, since the weights are not chosen by them."""
    bare = without_gold(task.fields, corpus.dev) if corpus.dev else []
    if len(bare) == len(task.fields):
        warn("no document of dev has a label of any field: no score is defined there, and the last weights are kept.")
    elif bare:
        named = ", ".join(bare)
        warn(f"no document of dev has a label of {named}: no score is defined there, nor are weights chosen by it.")


def _role(settings: TrainSettings, teaches: bool) -> str:
    """What a run is called where its progress is told."""
    if teaches and not settings.has_teacher:
        return "teacher"
    one_of_several = settings.has_teacher and (teaches or settings.self_training_rounds > 1)
    return f"{settings.preset}, generation {settings.self_training_rounds}" if one_of_several else settings.preset


def _hiding(
    discriminator: Discriminator, tokenizer: PreTrainedTokenizerBase, settings: TrainSettings
) -> MaskingGenerator:
    """Raises UserError where no token can be hidden from the encoder."""
    token = mask_token(tokenizer, settings.encoder)
    discriminator.probe_hiding(settings.encoder, token)
    return MaskingGenerator(
        discriminator.hidden, token, tokenizer.all_special_ids, settings.mask_ratio, settings.training_seed
    )


def clear(folder: Path) -> None:
    """Remove the checkpoints of a finished run. The last one first: without it the run counts as finished."""
    (folder / LAST).unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)


def _row(step: Step, seconds: float) -> dict[str, Any]:
    """A line of log.jsonl."""
    row: dict[str, Any] = {"step": step.number + 1, "seconds": round(seconds, 3), **step.losses}
    if step.realness:
        row.update(realness_real=step.realness[0], realness_fake=step.realness[1])
    return {**row, **step.parts, "answers": step.answers}


def _step(row: Mapping[str, Any]) -> Step:
    """What a line of log.jsonl says of its step."""
    realness = (row["realness_real"], row["realness_fake"]) if "realness_fake" in row else None
    answers = {name: (given, right) for name, (given, right) in row.get("answers", {}).items()}
    return Step(row["step"] - 1, {"discriminator": row["discriminator"]}, {}, realness, answers)
