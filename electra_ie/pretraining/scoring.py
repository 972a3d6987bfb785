"""Scores of generator and discriminator on the held-out blocks."""

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
    """Return means over the held-out blocks, computed in this process alone.

    mlm_loss, mlm_accuracy: cross entropy and accuracy on the masked tokens, of the generator, or of the encoder for the
    objective mlm. replaced_token_detection_loss: binary cross entropy over all tokens. precision, recall: of the class
    "replaced" at the threshold of one half; None if no token was predicted as replaced, or none was replaced.
    replaced: the share of replaced tokens.
    """
    sums: dict[str, float] = {}

    def add(**values: Any) -> None:
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value)

    discriminator, generator = pair.unwrapped_discriminator, pair.unwrapped_generator
    for model in (discriminator, generator):
        if model is not None:
            model.eval()
    for cpu_batch in batches:
        batch = cpu_batch.to(pair.accelerator.device)
        with pair.accelerator.autocast():
            generated = generator(**batch) if generator is not None else None
            output = discriminator(**batch, generated=generated)
        add(**_mlm_sums(generated.predictions if generated else output.units[TOKENS.name]))
        if generated:
            add(**_detection_sums(output.units[TOKENS.name], output.generated_units[TOKENS.name]))
    return _means(sums)


def _mlm_sums(filled: MaskedTokenScores) -> dict[str, torch.Tensor]:
    loss = functional.cross_entropy(filled.logits, filled.labels, reduction="none")
    correct = filled.logits.argmax(-1) == filled.labels
    return {
        "mlm_loss": (loss * filled.weight).sum(),
        "correct": (correct * filled.weight).sum(),
        "masked": filled.weight.sum(),
    }


def _detection_sums(original: UnitScores, replaced: UnitScores) -> dict[str, torch.Tensor]:
    """Return sums over all tokens. Both arguments have all tokens, with weights for the original or replaced ones."""
    loss = (
        functional.softplus(-original.realness) * original.weight
        + functional.softplus(replaced.realness) * replaced.weight
    )
    predicted = original.realness < 0
    return {
        "detection_loss": loss.sum(),
        "tokens": original.weight.sum() + replaced.weight.sum(),
        "replaced": replaced.weight.sum(),
        "predicted": (predicted * (original.weight + replaced.weight)).sum(),
        "true_positives": (predicted * replaced.weight).sum(),
    }


def _means(sums: dict[str, float]) -> dict[str, float | None]:
    masked = max(sums["masked"], 1.0)
    means: dict[str, float | None] = {"mlm_loss": sums["mlm_loss"] / masked, "mlm_accuracy": sums["correct"] / masked}
    if "tokens" in sums:
        tokens, hits = max(sums["tokens"], 1.0), sums["true_positives"]
        means["replaced_token_detection_loss"] = sums["detection_loss"] / tokens
        means["precision"] = hits / sums["predicted"] if sums["predicted"] else None
        means["recall"] = hits / sums["replaced"] if sums["replaced"] else None
        means["replaced"] = sums["replaced"] / tokens
    return means
