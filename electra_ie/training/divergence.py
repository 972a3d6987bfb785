"""Detection of a training that collapses.

Signs are an exploding loss, a discriminator that rejects every generated row, and a field that gets the same answer in
every text.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Iterator

from electra_ie.training.callbacks import Callback, LoopState
from electra_ie.training.loop import Step
from electra_ie.training.step_log import logged_step

EXPLODED = 10.0
"""A loss this many times its recent median has exploded."""
REJECTED = 0.005
"""Below this mean p(real | fake) a generator gets no useful gradient (Arjovsky and Bottou 2017, section 2)."""


class DivergenceMonitor:
    """Watches the steps of a run, and reports when the training has collapsed.

    A sign counts when it holds for a tenth of the steps in a row, and for at least twenty. One answer for all texts is
    a sign only in the second half, and only for a field that gave several answers before: a field that has not learned
    yet has not collapsed.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.patience = steps, max(20, steps // 10)
        self.recent_losses: deque[float] = deque(maxlen=5 * self.patience)
        self.duration: Counter[str] = Counter()
        self.steps_with_several_answers: Counter[str] = Counter()

    @property
    def sign(self) -> str | None:
        """The sign that has held for a quarter of the patience.

        No checkpoint is written while there is one, since training would fall back to it.
        """
        return self._longest(self.patience // 4)

    def see(self, step: Step) -> str | None:
        """Take in a step; return what has collapsed, or None."""
        for name, holds in self._signs(step):
            self.duration[name] = self.duration[name] + 1 if holds else 0
        return self._longest(self.patience)

    def _longest(self, least: int) -> str | None:
        name, count = max(self.duration.items(), key=lambda item: item[1], default=("", 0))
        return name if count >= least else None

    def _signs(self, step: Step) -> Iterator[tuple[str, bool]]:
        """Yield every sign that this step can show, and whether it does."""
        loss = step.losses["discriminator"]
        exploded = len(self.recent_losses) >= self.patience and loss > EXPLODED * statistics.median(self.recent_losses)
        if not exploded:
            self.recent_losses.append(loss)
        yield "the loss has exploded", exploded
        if step.realness:
            yield "the discriminator rejects every generated row", step.realness[1] < REJECTED
        for name, (predicted, gold) in step.distinct_labels.items():
            if gold > 1 and step.number >= self.steps / 5:
                self.steps_with_several_answers[name] += predicted > 1
                learned = self.steps_with_several_answers[name] > self.patience // 2
                sign = predicted == 1 and learned and step.number >= self.steps / 2
                yield f"the field {name} gets the same answer in every text", sign


class StopOnDivergence(Callback):
    """Stop the run when the training has collapsed. The losses are those of all processes, so all stop alike."""

    def __init__(self, monitor: DivergenceMonitor) -> None:
        self.monitor = monitor

    def on_begin(self, state: LoopState) -> None:
        """Pass the steps that the log has to the monitor."""
        for row in state.log:  # of a resumed run: the monitor continues where it was
            if step := logged_step(row):
                self.monitor.see(step)

    def on_step(self, state: LoopState, step: Step) -> None:
        """Stop the run if the monitor reports a collapse."""
        state.diverged = self.monitor.see(step)
        state.stop = state.stop or state.diverged
