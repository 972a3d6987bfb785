"""Callbacks of pretraining: averaged log rows, the time limit, held-out scores, and checkpoints by the clock."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from accelerate.utils import broadcast_object_list

from electra_ie.pretraining.scoring import score
from electra_ie.pretraining.setup import PretrainingSetup
from electra_ie.training.callbacks import Callback, LoopState, save_checkpoint_and_log
from electra_ie.training.loop import Step


class TimeLimit(Callback):
    """Stop the run once its hours are over, in all processes as the first one decides. Checked at the given steps."""

    def __init__(self, hours: float | None, steps: Collection[int]) -> None:
        self.hours, self.steps = hours, steps
        self.began = 0.0

    def on_begin(self, state: LoopState) -> None:
        """Start the clock at the seconds that the run has taken before."""
        self.began = time.monotonic() - state.seconds

    def on_step(self, state: LoopState, step: Step) -> None:
        """Stop the run if its time is over."""
        if state.step in self.steps and is_over(self.hours, time.monotonic() - self.began):
            state.stop = "the time is over"


def is_over(hours: float | None, seconds: float) -> bool:
    """Return whether training has taken longer than `hours`, for all processes what the first one finds."""
    return hours is not None and bool(broadcast_object_list([seconds > hours * 3600])[0])


class AveragedLog(Callback):
    """Append to the log the mean of the steps since the row before, at the given steps.

    tokens_per_step: tokens read in a step over all processes, special tokens included.
    """

    def __init__(self, steps: Collection[int], tokens_per_step: int) -> None:
        self.steps, self.tokens_per_step = steps, tokens_per_step
        self.window: list[Step] = []
        self.began = 0.0

    def on_begin(self, state: LoopState) -> None:
        """Start the clock at the seconds that the run has taken before."""
        self.began = time.monotonic() - state.seconds

    def on_step(self, state: LoopState, step: Step) -> None:
        """Add the step, and append a row if this is one of the given steps."""
        self.window.append(step)
        if state.step in self.steps:
            self._append(state)

    def on_end(self, state: LoopState) -> None:
        """Append the row of the last steps if the run was stopped."""
        if state.stop and self.window:  # a callback has stopped the run between two rows
            self._append(state)

    def _append(self, state: LoopState) -> None:
        """Append the mean of the steps since the row before."""
        row = mean_row(self.window, state.step)
        seconds = round(time.monotonic() - self.began, 3)
        state.log.append({"step": state.step, "seconds": seconds, "tokens": state.step * self.tokens_per_step, **row})
        self.window = []


def mean_row(steps: list[Step], done: int) -> dict[str, Any]:
    """Return losses and realness averaged over steps."""
    total = Step(done, {}, {}, None)
    for step in steps:
        total.add(step, len(steps))
    row: dict[str, Any] = dict(total.losses)
    if total.realness:
        row.update(realness_real=total.realness[0], realness_fake=total.realness[1])
    return {**row, **total.parts}


class HeldOutScoring(Callback):
    """Score the held-out blocks at the given steps, and when the run stops. First process only."""

    def __init__(self, setup: PretrainingSetup, steps: Collection[int]) -> None:
        self.setup, self.steps = setup, steps

    def on_step(self, state: LoopState, step: Step) -> None:
        """Score if this is one of the given steps."""
        if (state.step in self.steps or state.stop) and self.setup.is_main_process and self.setup.held_out:
            scores = score(self.setup.pair, self.setup.held_out)
            state.log.append({**state.log[-1], "held_out": scores})
            state.evaluated(scores)


class SaveByTime(Callback):
    """Write a checkpoint when `minutes` have passed since the last one, after the last step, and when the run stops.

    Checked at the given steps, first process only.
    """

    def __init__(self, setup: PretrainingSetup, minutes: float, steps: Collection[int]) -> None:
        self.setup, self.minutes, self.steps = setup, minutes, steps
        self.saved = 0.0

    def on_begin(self, state: LoopState) -> None:
        """Start the clock."""
        self.saved = time.monotonic()

    def on_step(self, state: LoopState, step: Step) -> None:
        """Write a checkpoint if enough time has passed."""
        if state.step not in self.steps or not self.setup.is_main_process:
            return
        if state.step == state.max_steps or state.stop or time.monotonic() - self.saved > 60 * self.minutes:
            save_checkpoint_and_log(state, self.setup.pair)
            self.saved = time.monotonic()
