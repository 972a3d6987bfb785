"""Scoring of the dev split during training, which chooses the weights that are kept."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from electra_ie.inference.scoring import predict, score_answers
from electra_ie.metrics import mean_score
from electra_ie.training.callbacks import Callback, LoopState
from electra_ie.training.checkpoints import save_best
from electra_ie.training.loop import Step
from electra_ie.training.setup import TrainingSetup


def scored_steps(max_steps: int, evaluations: int) -> Iterator[int]:
    """Yield the steps after which dev is scored: evenly over the second half, the last step always."""
    yield from (round(max_steps * (0.5 + 0.5 * index / evaluations)) for index in range(1, evaluations + 1))


class DevScoring(Callback):
    """Score dev after the given steps, log the scores, and save the weights that are best so far. First process only.

    Of equal scores the earlier one wins. If no score is defined, no weights are best, and the last ones are kept as
    without a dev split.
    """

    def __init__(self, setup: TrainingSetup, steps: Collection[int]) -> None:
        self.setup, self.steps = setup, steps

    def on_step(self, state: LoopState, step: Step) -> None:
        """Score dev if this is one of the given steps."""
        if state.step in self.steps and self.setup.is_main_process:
            self.score(state)

    def score(self, state: LoopState) -> None:
        """Score dev with the present weights."""
        began = time.monotonic()
        with self.setup.thresholds.within(self.setup.discriminator):
            self._score_and_save(state, began)

    def _score_and_save(self, state: LoopState, began: float) -> None:
        fields, dev = self.setup.task.fields, self.setup.data.dev
        scores = score_answers(fields, dev, predict(self.setup.extractor, dev))
        mean, best = mean_score(scores), state.saved.best_score
        is_best = mean is not None and (best is None or mean > best)
        main_scores = {name: score[score["main"]] for name, score in scores.items()} | {"mean": mean}
        seconds = round(time.monotonic() - began, 3)
        state.log.append({"step": state.step, "dev": main_scores, "best": is_best, "seconds_scoring": seconds})
        if is_best:
            state.saved = replace(state.saved, best_step=state.step, best_score=mean)
            save_best(state.folder, self.setup.discriminator, state.saved)
        state.evaluated(main_scores)
