"""The driver of training and pretraining: steps of the loop, with callbacks around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelerate.utils import broadcast_object_list

from electra_ie.common.logs import notice
from electra_ie.training.callbacks import Callback, LoopState
from electra_ie.training.loop import AdversarialPair, LoopConfig, check_weights, training_steps


def drive(
    pair: AdversarialPair, batches: Any, settings: LoopConfig, state: LoopState, callbacks: Sequence[Callback]
) -> None:
    """Train from `state.step` to `settings.max_steps`, or until a callback sets `state.stop`.

    batches: `batches[n]` is batch n (see `loop.training_steps`).

    Raises `LossNotFinite`, also for the weights of a run that was stopped, and whatever a callback raises; `on_end` is
    called in any case.
    """
    state.callbacks = callbacks
    begun: list[Callback] = []
    try:
        for callback in callbacks:
            begun.append(callback)
            callback.on_begin(state)
        for step in training_steps(pair, batches, settings, state.step):
            state.step = step.number + 1
            for callback in callbacks:
                callback.on_step(state, step)
            if pair.accelerator.num_processes > 1:  # scores are known in the first process only: all end, or none
                state.stop = broadcast_object_list([state.stop])[0]
            if state.stop:
                break
    finally:
        for callback in reversed(begun):
            callback.on_end(state)
    if state.stop and not state.diverged:  # weights of a step that no callback may have checked are the final ones
        check_weights(pair, state.step)
        notice(f"stopped after step {state.step} of {state.max_steps}: {state.stop}.")
