"""Callbacks of the training driver: what happens around the steps, for training and pretraining alike.

The driver (see `driver`) runs the steps and touches no file. Logging, scoring, checkpoints, progress and trackers are
callbacks, called in the order of the list, and a user's own callbacks come after them:

    class StopEarly(Callback):
        def on_evaluate(self, state, scores):
            if scores["mean"] > 0.9:
                state.stop = "the score is good enough"

    train(task, callbacks=[StopEarly()])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.progress import Report, progress
from electra_ie.config.base import BaseSettings
from electra_ie.runs.layout import LAST, write_log
from electra_ie.training.checkpoints import CheckpointHeader, save_checkpoint
from electra_ie.training.loop import AdversarialPair, Step, check_weights
from electra_ie.training.tracking import Track, tracking


@dataclass
class LoopState:
    """The state of a run while it trains, shared by all callbacks.

    Attributes:
        max_steps: The number of steps planned.
        folder: The folder of the run.
        log: The rows of log.jsonl, filled in the first process only.
        saved: The header of the checkpoint that was written last.
        step: Optimizer steps done.
        stop: Set by a callback, the reason to end before `max_steps`; the run is completed with its best weights so
            far.
        diverged: The reason if the training has collapsed.
        callbacks: The list that is called.
    """

    max_steps: int
    folder: Path
    log: list[dict[str, Any]] = field(default_factory=list)
    saved: CheckpointHeader = field(default_factory=CheckpointHeader)
    step: int = 0
    stop: str | None = None
    diverged: str | None = None
    callbacks: Sequence[Callback] = ()

    def evaluated(self, scores: Mapping[str, Any]) -> None:
        """Call `on_evaluate` of all callbacks. scores: by name, None for a score that is not defined."""
        for callback in self.callbacks:
            callback.on_evaluate(self, scores)

    def checkpointed(self, path: Path) -> None:
        """Call `on_save` of all callbacks. path: the checkpoint, a safetensors file."""
        for callback in self.callbacks:
            callback.on_save(self, path)

    @property
    def seconds(self) -> float:
        """Seconds of training in the log, those of earlier parts of a resumed run included."""
        return max((row.get("seconds", 0.0) for row in self.log), default=0.0)


class Callback:
    """Base class of callbacks; every method does nothing.

    With several processes `on_begin`, `on_step` and `on_end` are called in each, `on_evaluate` and `on_save` in the
    first only. What a callback raises ends the run, which can be resumed from its last checkpoint.
    """

    def on_begin(self, state: LoopState) -> None:
        """Called before the first step, also of a resumed run."""

    def on_step(self, state: LoopState, step: Step) -> None:
        """Called after each optimizer step with its losses."""

    def on_evaluate(self, state: LoopState, scores: Mapping[str, Any]) -> None:
        """Called after the dev split, or held-out text, was scored."""

    def on_save(self, state: LoopState, path: Path) -> None:
        """Called after a checkpoint was written."""

    def on_end(self, state: LoopState) -> None:
        """Called after the last step, also when a step or a callback raised."""


METHODS = ("on_begin", "on_step", "on_evaluate", "on_save", "on_end")


def check_callbacks(callbacks: Callback | Iterable[Callback]) -> tuple[Callback, ...]:
    """Return a user's callbacks as a tuple; a single one is a tuple of one.

    Raises:
        UserError: One is a class, or an object without a method that is called.
    """
    several = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in several:
        if isinstance(callback, type):
            remedy = f"Give an object of it: {callback.__name__}()."
            raise UserError(f"callbacks has the class {callback.__name__}, and must have objects.", remedy=remedy)
        if missing := [name for name in METHODS if not callable(getattr(callback, name, None))]:
            message = f"callbacks has an object of the type {type(callback).__name__} without {', '.join(missing)}."
            raise UserError(message, remedy="Derive its class from electra_ie.Callback, whose methods do nothing.")
    return several


class FiniteWeights(Callback):
    """Check after the given steps, in every process, that all weights are finite.

    Raises `LossNotFinite` otherwise, before such weights become a checkpoint.
    """

    def __init__(self, pair: AdversarialPair, steps: Collection[int]) -> None:
        self.pair, self.steps = pair, steps

    def on_step(self, state: LoopState, step: Step) -> None:
        """Check the weights if this is one of the given steps."""
        if state.step in self.steps:
            check_weights(self.pair, state.step)


class Tracker(Callback):
    """Send new rows of the log to the experiment tracker that the accelerator was created with, if any."""

    def __init__(self, pair: AdversarialPair, settings: BaseSettings) -> None:
        self.pair, self.settings = pair, settings
        self.context, self.sent = ExitStack(), 0
        self.track: Track = lambda row: None

    def on_begin(self, state: LoopState) -> None:
        """Start the tracker, and send the rows that a new run has logged already."""
        context = tracking(self.pair.accelerator, state.folder, self.settings, state.step)
        self.track = self.context.enter_context(context)
        self.sent = len(state.log) if state.step else 0  # the rows of a resumed run were sent before
        self._send(state)

    def on_step(self, state: LoopState, step: Step) -> None:
        """Send the row of the step."""
        self._send(state)

    def on_evaluate(self, state: LoopState, scores: Mapping[str, Any]) -> None:
        """Send the row of the scores."""
        self._send(state)

    def on_end(self, state: LoopState) -> None:
        """End the tracker."""
        self.context.close()

    def _send(self, state: LoopState) -> None:
        by_step: dict[int, dict[str, Any]] = {}  # a tracker takes each step once
        for row in state.log[self.sent :]:
            by_step.setdefault(row["step"], {}).update(row)
        for row in by_step.values():
            self.track(row)
        self.sent = len(state.log)


class ProgressBar(Callback):
    """Show steps, loss and the best dev score on standard error."""

    def __init__(self, description: str) -> None:
        self.description, self.context = description, ExitStack()
        self.report: Report | None = None

    def on_begin(self, state: LoopState) -> None:
        """Open the progress bar at the present step."""
        self.report = self.context.enter_context(progress(state.max_steps, self.description, start=state.step))

    def on_step(self, state: LoopState, step: Step) -> None:
        """Show the step, its loss and the best dev score."""
        if self.report:
            self.report(state.step, loss=step.losses["discriminator"], dev=state.saved.best_score)

    def on_end(self, state: LoopState) -> None:
        """Close the progress bar."""
        self.context.close()


class SaveCheckpoints(Callback):
    """Write a checkpoint after the given steps, except while `may_save` is false. First process only."""

    def __init__(
        self, pair: AdversarialPair, steps: Collection[int], may_save: Callable[[], bool] = lambda: True
    ) -> None:
        self.pair, self.steps, self.may_save = pair, steps, may_save

    def on_step(self, state: LoopState, step: Step) -> None:
        """Write a checkpoint if this is one of the given steps."""
        if state.step in self.steps and self.pair.accelerator.is_main_process and self.may_save():
            save_checkpoint_and_log(state, self.pair)


def save_checkpoint_and_log(state: LoopState, pair: AdversarialPair) -> None:
    """Write log and checkpoint of the present step, whose weights `check_weights` has passed, and call `on_save`."""
    state.saved = replace(state.saved, step=state.step)
    write_log(state.folder, state.log)  # first: a run is resumed with the rows up to the step of its checkpoint
    save_checkpoint(state.folder, pair, state.saved)
    state.checkpointed(state.folder / LAST)
