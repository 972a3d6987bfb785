"""How both pair do on the blocks that were held out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

from electra_ie.models.outputs import MaskedTokenScores, UnitScores
from electra_ie.pretraining.masking import TokenBatch
from electra_ie.pretraining.token_models import TOKENS
from electra_ie.training.loop import AdversarialPair


@torch.no_grad()
def score(pair: AdversarialPair, batches: Iterable[TokenBatch]) -> dict[str, float | None]:
    """Means over the held-out blocks, on this process alone.

    filling_loss, filling_accuracy: cross entropy and accuracy in the chosen places, of the generator or of the encoder
    that fills masks itself. finding_loss: binary cross entropy over all tokens; precision and recall of "replaced" at
    the threshold of one half, None where nothing was found or replaced; replaced: the share of tokens that were.
    """
    sums: dict[str, float] = {}

    def add(**values: Any) -> None:
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value)

    discriminator, generator = pair.unwrapped_discriminator, pair.unwrapped_generator
    for each in (discriminator, generator):
        if each is not None:
            each.eval()
    for batch in batches:
        batch = batch.to(pair.accelerator.device)
        with pair.accelerator.autocast():
            generated = generator(**batch) if generator is not None else None
            output = discriminator(**batch, generated=generated)
        add(**_filling(generated.predictions if generated else output.units[TOKENS.name]))
        if generated:
            add(**_finding(output.units[TOKENS.name], output.generated_units[TOKENS.name]))
    return _means(sums)


def _filling(filled: MaskedTokenScores) -> dict[str, torch.Tensor]:
    loss = functional.cross_entropy(filled.logits, filled.labels, reduction="none")
    right = filled.logits.argmax(-1) == filled.labels
    return {"loss": (loss * filled.weight).sum(), "right": (right * filled.weight).sum(), "chosen": filled.weight.sum()}


def _finding(real: UnitScores, fake: UnitScores) -> dict[str, torch.Tensor]:
    loss = functional.softplus(-real.realness) * real.weight + functional.softplus(fake.realness) * fake.weight
    found = real.realness < 0
    return {
        "finding": loss.sum(),
        "tokens": real.weight.sum() + fake.weight.sum(),
        "replaced": fake.weight.sum(),
        "found": (found * (real.weight + fake.weight)).sum(),
        "hits": (found * fake.weight).sum(),
    }


def _means(sums: dict[str, float]) -> dict[str, float | None]:
    chosen = max(sums["chosen"], 1.0)
    means: dict[str, float | None] = {"filling_loss": sums["loss"] / chosen, "filling_accuracy": sums["right"] / chosen}
    if "tokens" in sums:
        means["finding_loss"] = sums["finding"] / max(sums["tokens"], 1.0)
        means["precision"] = sums["hits"] / sums["found"] if sums["found"] else None
        means["recall"] = sums["hits"] / sums["replaced"] if sums["replaced"] else None
        means["replaced"] = sums["replaced"] / max(sums["tokens"], 1.0)
    return means
