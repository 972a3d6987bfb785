"""One row of log.jsonl for every training step."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from typing import Any

from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.training.callbacks import Callback, LoopState
from electra_ie.training.loop import DistinctLabels, Step
from electra_ie.training.setup import TrainingSetup

MEASUREMENTS, STEPS_BETWEEN = 20, 25
"""Measurements of the masking generator's effect: at most this many, at least this many steps apart. One costs a
quarter to a half of a step."""


def measured_steps(max_steps: int) -> set[int]:
    """Return the steps after which the effect of the masking generator is measured, the last one always."""
    every = max(STEPS_BETWEEN, math.ceil(max_steps / MEASUREMENTS))
    return {*range(every, max_steps, every), max_steps}


class StepLog(Callback):
    """Append losses, seconds and, at the given steps, the effect of masking to the log. First process only.

    before: seconds of training before the first step, such as those for preparing the teacher's answers.
    """

    def __init__(self, setup: TrainingSetup, batches: Any, measured: Collection[int], before: float) -> None:
        self.setup, self.batches, self.measured, self.before = setup, batches, measured, before
        self.began = 0.0

    def on_begin(self, state: LoopState) -> None:
        """Start the clock, behind by the seconds that a resumed run has taken before."""
        self.began = time.monotonic() - state.seconds - self.before

    def on_step(self, state: LoopState, step: Step) -> None:
        """Append the row of the step."""
        if self.setup.is_main_process:
            row = log_row(step, time.monotonic() - self.began)
            state.log.append({**row, **self.masking_effect(state.step)} if state.step in self.measured else row)

    def masking_effect(self, step: int) -> dict[str, float]:
        """Measure on the texts of the next step the effect of masking (`MaskingGenerator.masking_effect`).

        No weight changes, and processes exchange nothing. Empty without such a generator, or if a value is not finite.
        """
        generator = self.setup.generator
        if not isinstance(generator, MaskingGenerator) or generator.score is None:
            return {}
        with self.setup.accelerator.autocast():
            batch = self.batches[step].to(self.setup.accelerator.device)
            effect = generator.masking_effect(self.setup.discriminator, batch, step)
        return effect if all(map(math.isfinite, effect.values())) else {}


def log_row(step: Step, seconds: float) -> dict[str, Any]:
    """Return the row of log.jsonl for a step."""
    row: dict[str, Any] = {"step": step.number + 1, "seconds": round(seconds, 3), **step.losses}
    if step.realness:
        row.update(realness_real=step.realness[0], realness_fake=step.realness[1])
    return {**row, **step.parts, "distinct_labels": step.distinct_labels}


def logged_step(row: Mapping[str, Any]) -> Step | None:
    """Return what a row of log.jsonl says about its step; None for a row of scores."""
    if "discriminator" not in row:
        return None
    realness = (row["realness_real"], row["realness_fake"]) if "realness_fake" in row else None
    distinct = {name: DistinctLabels(*counts) for name, counts in row.get("distinct_labels", {}).items()}
    return Step(row["step"] - 1, {"discriminator": row["discriminator"]}, {}, realness, distinct)
