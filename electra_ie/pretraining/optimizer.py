"""Adam as ELECTRA was trained with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn


class ElectraAdamW(torch.optim.AdamW):
    """AdamW, with `corrected` false without the correction of the moments' bias, as ELECTRA was trained
    (google-research electra, AdamWeightDecayOptimizer).

    The step is then lr * (m / (sqrt(v) + eps) + weight_decay * w). torch divides m by a = 1 - beta1^t and sqrt(v) by
    b = sqrt(1 - beta2^t); with lr * a / b, eps / b and weight_decay * b / a it computes just that. The first thousand
    steps are thereby up to 6.5 times as long: nothing under a long warm-up, ruin in a run of a few hundred.
    """

    corrected = True

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        if self.corrected:
            return super().step(closure)
        before = [dict(group) for group in self.param_groups]
        for group in self.param_groups:
            time = 1 + max((self._steps(each) for each in group["params"]), default=0)
            first, second = group["betas"]
            a, b = 1 - first**time, math.sqrt(1 - second**time)
            group.update(lr=group["lr"] * a / b, eps=group["eps"] / b, weight_decay=group["weight_decay"] * b / a)
        try:
            return super().step(closure)
        finally:
            for group, values in zip(self.param_groups, before, strict=True):
                group.update({name: values[name] for name in ("lr", "eps", "weight_decay")})

    def _steps(self, weight: torch.Tensor) -> int:
        return int(self.state[weight]["step"]) if weight in self.state else 0


def groups(
    parts: Sequence[tuple[str, Iterable[nn.Parameter]]], leave_out: set[int], decay: float
) -> list[dict[str, Any]]:
    """The weights of all parts, once each: those with weight decay, and biases and norms without.

    parts: the name of a learning rate of the recipe, and the weights that have it; a weight that stands in two belongs
    to the first. leave_out: the ids of weights that are not the optimiser's to change.
    """
    seen, found = set(leave_out), []
    for rate, weights in parts:
        new = [each for each in dict.fromkeys(weights) if each.requires_grad and id(each) not in seen]
        seen |= {id(each) for each in new}
        for some, its_decay in (([x for x in new if x.dim() > 1], decay), ([x for x in new if x.dim() <= 1], 0.0)):
            if some:
                found.append({"params": some, "rate": rate, "weight_decay": its_decay})
    return found
