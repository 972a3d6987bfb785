"""A pretraining run: the number of steps, the loop with its callbacks, the finished encoder."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, locked, write
from electra_ie.common.logs import notice
from electra_ie.config.base import check_same_settings
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.models.encoders import resolve_encoder
from electra_ie.models.pooling import POOLING_FILE, pooling_file
from electra_ie.pretraining import model_factory
from electra_ie.pretraining.callbacks import AveragedLog, HeldOutScoring, SaveByTime, TimeLimit, is_over
from electra_ie.pretraining.export import blend, save_encoder, verify
from electra_ie.pretraining.memory import peak_memory
from electra_ie.pretraining.model_card import encoder_card
from electra_ie.pretraining.scoring import score
from electra_ie.pretraining.setup import PretrainingSetup, set_up
from electra_ie.runs import plots
from electra_ie.runs.layout import CHECKPOINT, CORPUS, CURVES, PRETRAINING, SETTINGS, write_log
from electra_ie.training.callbacks import Callback, FiniteWeights, LoopState, ProgressBar, Tracker
from electra_ie.training.checkpoints import check_same_corpus, load_checkpoint_and_log, not_finite_error
from electra_ie.training.driver import drive
from electra_ie.training.loop import LossNotFinite, own_states, training_steps

LOG_ROWS = 1_000
"""Maximum number of rows of losses in log.jsonl; each is the mean of the steps since the row before."""
TRIAL = 8
"""Steps that are timed, after two that are not, to estimate how many fit into the given hours."""
SPARE = 0.03
"""Share of the hours that is left for scoring and saving."""


class Pretrainer:
    """Trains a `PretrainingSetup` into an encoder in `folder`. Nothing is written there before `run`.

    began: time.monotonic() when the run was started, before its corpus was read, which counts as part of its hours.
    callbacks: a user's own, called after the built-in ones. description: what the progress line says.
    """

    def __init__(
        self,
        setup: PretrainingSetup,
        folder: Path,
        began: float,
        callbacks: Sequence[Callback] = (),
        description: str | None = None,
    ) -> None:
        self.setup, self.folder, self.began, self.callbacks = setup, folder, began, callbacks
        self.description = description or f"pretraining ({setup.settings.objective})"
        self.settings = setup.settings
        self.steps_per_pass = math.ceil(len(setup.batches.trained) / (self.settings.batch_size or 1))
        self.state = LoopState(0, folder)

    def run(self, resume: bool = False) -> None:
        """Pretrain, and leave a complete encoder.

        With `resume`, continue from the last checkpoint, to the same weights.

        Raises UserError if a loss or a weight is NaN or infinite (the last good checkpoint stays), or if the run to
        resume began with other settings or another corpus.
        """
        if resume:
            self._restore()
        try:
            self.settings = self._with_steps()
        except LossNotFinite as error:
            raise UserError(f"{error}, in a trial of the first ones.", remedy="Check the encoder's weights.") from error
        self.state.max_steps = self.settings.max_steps or 0
        self._set_peaks()
        if not resume and self.setup.is_main_process:
            self._write_beginning()
        try:
            self._train()
        except LossNotFinite as error:
            if self.setup.is_main_process:
                write_log(self.folder, self.state.log)
            raise not_finite_error(error, self.folder, self.state.saved, self.settings.learning_rate) from error
        if self.setup.is_main_process:
            self._finish()
        self.setup.accelerator.wait_for_everyone()

    # Before the first step

    def _restore(self) -> None:
        began_with = PretrainSettings.build(self.folder / SETTINGS)
        check_same_settings(began_with, self.settings, self.folder)
        self.settings = self.settings.derive(max_steps=began_with.max_steps)  # not estimated again from the hours
        check_same_corpus(self.folder, self.setup.blocks.hash)
        self.state.saved, self.state.log = load_checkpoint_and_log(self.folder, self.setup.pair)
        self.state.step = self.state.saved.step

    def _write_beginning(self) -> None:
        """Write what a run is resumed from. run.yaml comes last: a run that has it can be resumed."""
        corpus = {"hash": self.setup.blocks.hash, **self.setup.corpus}
        write(self.folder / CORPUS, json.dumps(corpus, indent=2) + "\n")
        self.setup.tokenizer.save_pretrained(self.folder)
        write(self.folder / SETTINGS, self.settings.to_yaml())

    def _with_steps(self) -> PretrainSettings:
        """Return the settings with the number of steps: the given one, or what fits into the hours, or one pass."""
        hours = self.settings.max_hours
        steps = self.settings.max_steps or (self._steps_in(hours) if hours else self.steps_per_pass)
        return self.settings.with_max_steps(steps)

    def _steps_in(self, hours: float) -> int:
        """Estimate how many steps fit: some are run at a learning rate of 0, which leaves the weights as they are."""
        trial = self.settings.replace(max_steps=2 + TRIAL, learning_rate=0.0)
        self._set_peaks(0.0)
        began = 0.0
        for step in training_steps(self.setup.pair, self.setup.batches, trial):
            if step.number == 1:
                began = time.monotonic()
        seconds = (time.monotonic() - began) / TRIAL
        self.setup.pair.optimizer.state.clear()
        accelerator = self.setup.accelerator
        slowest = max(accelerator.gather(torch.tensor([seconds], device=accelerator.device)).tolist())
        left = hours * 3600 * (1 - SPARE) - (time.monotonic() - self.began)
        steps = int(broadcast_object_list([max(1, int(left / slowest))])[0])
        if self.setup.is_main_process:
            notice(f"{slowest:.3f} s a step: {steps:,} steps in {hours:g} hours")
        return steps

    def _set_peaks(self, learning_rate: float | None = None) -> None:
        """Set the peak learning rate of each group of weights: the given one, or that of its setting."""
        optimizer: Any = self.setup.pair.optimizer
        for group in optimizer.param_groups:
            group["peak"] = getattr(self.settings, group["rate"]) if learning_rate is None else learning_rate
        optimizer.optimizer.corrected = self.settings.bias_correction is not False

    # The steps

    def _train(self) -> None:
        setup, settings, state = self.setup, self.settings, self.state
        if is_over(settings.max_hours, state.seconds):  # resumed when the hours were over already
            return
        steps = state.max_steps
        every = max(1, steps // LOG_ROWS)
        scored = {round(steps * index / settings.num_evaluations) for index in range(1, settings.num_evaluations + 1)}
        logged = {*range(every, steps, every), *scored, steps}
        callbacks = [
            TimeLimit(settings.max_hours, logged),
            FiniteWeights(setup.pair, logged),  # in every process: all end, or none
            AveragedLog(logged, (settings.batch_size or 0) * settings.block_length),
            HeldOutScoring(setup, scored),
            Tracker(setup.pair, settings),
            SaveByTime(setup, settings.save_minutes, logged),
            ProgressBar(self.description),
            *self.callbacks,
        ]
        drive(setup.pair, setup.batches, settings, state, callbacks)

    # After the last step

    def _finish(self) -> None:
        """Save stock folders, verify that they match the trained models, and write summary, plot and card."""
        setup, pair = self.setup, self.setup.pair
        discriminator, generator = pair.unwrapped_discriminator, pair.unwrapped_generator
        if self.settings.interpolation is not None:
            blend(discriminator.encoder, model_factory.load_start(self.settings), self.settings.interpolation)
            if pair.shared:
                pair.shared.lead()
        save_encoder(discriminator, self.folder, setup.tokenizer)
        if generator is not None:
            save_encoder(generator, self.folder / model_factory.GENERATOR, setup.tokenizer)
        pooling = None if self.settings.from_scratch else pooling_file(resolve_encoder(self.settings.start))
        if pooling:  # so that `train` pools as before
            write(self.folder / POOLING_FILE, pooling.read_text("utf-8"))
        if setup.held_out:
            verify(pair, setup.held_out[0], self.folder)
        summary = self._summary()
        write(self.folder / PRETRAINING, json.dumps(summary, indent=2) + "\n")
        plots.pretraining(self.state.log, self.folder / CURVES)
        write(self.folder / CARD, encoder_card(self.settings, summary))
        write_log(self.folder, self.state.log)
        shutil.rmtree(self.folder / CHECKPOINT, ignore_errors=True)  # a callback may stop a run before the first

    def _summary(self) -> dict[str, Any]:
        """Return what pretraining.json holds: corpus, steps, speed, hardware and held-out scores."""
        setup, last = self.setup, self.state.log[-1]
        seconds = last["seconds"]
        kind = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
        return {
            "corpus": {"hash": setup.blocks.hash, **setup.corpus},
            "steps": last["step"],
            "steps_planned": self.settings.max_steps,
            "tokens": last["tokens"],
            "passes": round(last["step"] * (self.settings.batch_size or 0) / len(setup.batches.trained), 3),
            "seconds": round(seconds, 1),
            "tokens_per_second": round(last["tokens"] / seconds) if seconds else None,
            "processes": setup.accelerator.num_processes,
            "device": kind,
            "precision": setup.accelerator.mixed_precision,
            "peak_memory_mib": peak_memory(),
            "held_out": score(setup.pair, setup.held_out) if setup.held_out else {},
        }


@own_states()
def pretrain_run(
    settings: PretrainSettings,
    folder: Path,
    resume: bool = False,
    tracker: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Read the corpus, pretrain, and leave a complete encoder. callbacks: the user's own.

    Raises UserError for any fault in the input, before anything is written.
    """
    began = time.monotonic()
    pretrainer = Pretrainer(set_up(settings, folder, tracker), folder, began, callbacks)
    with locked(folder):
        pretrainer.run(resume)
