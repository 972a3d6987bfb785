"""AdamW as ELECTRA was trained with it, and the parameter groups of pretraining."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import nn


class ElectraAdamW(torch.optim.AdamW):
    """AdamW that omits the bias correction of the moments if `corrected` is false.

    ELECTRA was trained so (google-research electra, AdamWeightDecayOptimizer). The update is then
    lr * (m / (sqrt(v) + eps) + weight_decay * w). torch divides m by a = 1 - beta1^t and sqrt(v) by
    b = sqrt(1 - beta2^t), so that lr * a / b, eps / b and weight_decay * b / a give exactly that. Updates of about the
    first thousand steps become up to 6.5 times as large, which is harmless under a long warm-up and ruins a run of a
    few hundred steps.
    """

    corrected = True

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Perform one optimizer step."""
        if self.corrected:
            return cast(float | None, super().step(closure))
        before = [dict(group) for group in self.param_groups]
        for group in self.param_groups:
            time = 1 + max((self._steps(weight) for weight in group["params"]), default=0)
            first, second = group["betas"]
            a, b = 1 - first**time, math.sqrt(1 - second**time)
            group.update(lr=group["lr"] * a / b, eps=group["eps"] / b, weight_decay=group["weight_decay"] * b / a)
        try:
            return cast(float | None, super().step(closure))
        finally:
            for group, values in zip(self.param_groups, before, strict=True):
                group.update({name: values[name] for name in ("lr", "eps", "weight_decay")})

    def _steps(self, weight: torch.Tensor) -> int:
        return int(self.state[weight]["step"]) if weight in self.state else 0


def parameter_groups(
    parts: Sequence[tuple[str, Iterable[nn.Parameter]]], excluded: set[int], weight_decay: float
) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimizer; biases and norms (one dimension) get no weight decay.

    parts: pairs of the setting that holds the learning rate, and the weights it applies to; a weight in several parts
    belongs to the first one. excluded: the ids of weights that the optimizer does not change. Each group has the name
    of its setting under "rate".
    """
    seen, groups = set(excluded), []
    for rate, weights in parts:
        new = [weight for weight in dict.fromkeys(weights) if weight.requires_grad and id(weight) not in seen]
        seen |= {id(weight) for weight in new}
        matrices, vectors = (
            [weight for weight in new if weight.dim() > 1],
            [weight for weight in new if weight.dim() <= 1],
        )
        for params, decay in ((matrices, weight_decay), (vectors, 0.0)):
            if params:
                groups.append({"params": params, "rate": rate, "weight_decay": decay})
    return groups
