"""The terms of both players' losses: pure functions of verdicts. None asks at which level the game is played.

Each takes `mean`, which averages over the rows of all processes (see `loop.Mean`), and returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from electra_ie.common.errors import UserError, nearest
from electra_ie.data.fields import IGNORED
from electra_ie.models.outputs import DiscriminatorOutput, MaskedBatch, MaskedLMOutput

Mean = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(values (N, ...), weights (N,)) -> weighted mean (...), over all processes."""


def _classification(verdict: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """Cross entropy, over the rows whose label is known; for flags binary, averaged over the K flags."""
    if verdict.field.kind == "flags":
        known = (verdict.labels != IGNORED).all(-1)
        target = verdict.labels.clamp(min=0).to(verdict.logits.dtype)
        values = functional.binary_cross_entropy_with_logits(verdict.logits, target, reduction="none").mean(-1)
    else:
        known = verdict.labels != IGNORED
        values = functional.cross_entropy(verdict.logits, verdict.labels, reduction="none", ignore_index=IGNORED)
    return mean(values, verdict.weight * known)


def classification(real: DiscriminatorOutput, fake: DiscriminatorOutput | None, mean: Mean) -> torch.Tensor:
    """Supervised loss on labelled rows: -log p(class | text), given that the row is real."""
    return _classification(real, mean)


def adversarial(real: DiscriminatorOutput, fake: DiscriminatorOutput | None, mean: Mean) -> torch.Tensor:
    """-log p(real | real row) - log p(fake | fake row), with p(real) = sigmoid(realness); labelled and unlabelled rows
    alike (L_unsupervised of Salimans et al. 2016, section 5; Croce et al. 2020, equation 2)."""
    assert fake is not None
    on_real = mean(functional.softplus(-real.realness), real.weight)
    return on_real + mean(functional.softplus(fake.realness), fake.weight)


def generator_adversarial(real: DiscriminatorOutput, fake: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """-log p(real | fake row): the generator's non-saturating loss (Goodfellow et al. 2014, section 3)."""
    return mean(functional.softplus(-fake.realness), fake.weight)


def feature_matching(real: DiscriminatorOutput, fake: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """Feature matching (Salimans et al. 2016, section 3.1): squared distance between the mean features of real and of
    fake rows, averaged over the features so that its weight does not depend on the encoder's width."""
    target = mean(real.features.detach(), real.weight)
    return (target - mean(fake.features, fake.weight)).square().mean()


def class_consistency(real: DiscriminatorOutput, fake: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """Cross entropy of a fake under the class it was made for: what keeps mu_c and sigma_c those of their class
    (the generator's part of AC-GAN's L_C, Odena et al. 2017)."""
    return _classification(fake, mean)


def distillation(real: DiscriminatorOutput, fake: DiscriminatorOutput | None, mean: Mean) -> torch.Tensor:
    """Cross entropy between the teacher's answer to a whole text and the answer to it with tokens hidden (Hinton et al.
    2015, arXiv 1503.02531, section 2, at temperature 1); for flags binary, averaged over the K flags."""
    assert fake is not None and fake.taught is not None
    if fake.field.kind == "flags":
        values = functional.binary_cross_entropy_with_logits(fake.logits, fake.taught, reduction="none").mean(-1)
    else:
        values = -(fake.taught * fake.logits.log_softmax(-1)).sum(-1)
    return mean(values, fake.weight)


def divergence(fake: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """How far the answer to a text with tokens hidden is from the teacher's to the whole text: the Kullback-Leibler
    divergence in nats, 0 where both are the same; for flags binary, averaged over the K flags. It is the value of
    `distillation` without what the teacher itself is unsure of."""
    assert fake.taught is not None
    unsure = torch.special.entr(fake.taught)
    if fake.field.kind == "flags":
        unsure = (unsure + torch.special.entr(1 - fake.taught)) / unsure.shape[-1]
    return distillation(fake, fake, mean) - mean(unsure.sum(-1), fake.weight)


def adversarial_masking(real: None, fake: MaskedBatch, mean: Mean) -> torch.Tensor:
    """The discriminator's loss, which the generator is to raise, as far as hiding more or less of each token changes
    it: -<hidden, dL_D / dhidden>, whose gradient in the generator's weights is that of -L_D; its value says nothing."""
    assert fake.shown is not None
    felt = fake.shown.grad if fake.shown.grad is not None else torch.zeros_like(fake.hidden)
    rows = -(fake.hidden * felt).sum(1)
    # The value is that of all processes, which so notice alike when it is no number; the gradient is this one's part.
    # What each felt is its part of L_D times their number, since distributed training divides by it (see loop.Mean).
    value = mean(rows.detach() / getattr(mean, "processes", 1), torch.ones_like(rows.detach()))
    return value + (rows.sum() - rows.sum().detach())


def replaced_token_detection(real: DiscriminatorOutput, fake: DiscriminatorOutput, mean: Mean) -> torch.Tensor:
    """Replaced-token detection (Clark et al. 2020, section 3, L_Disc): binary cross entropy of "original", averaged
    over all tokens, original (the rows of `real`) and replaced (those of `fake`) alike."""
    values = torch.cat([functional.softplus(-real.realness), functional.softplus(fake.realness)])
    return mean(values, torch.cat([real.weight, fake.weight]))


def mlm(real: DiscriminatorOutput | MaskedLMOutput, fake: MaskedLMOutput | None, mean: Mean) -> torch.Tensor:
    """Masked language modelling: cross entropy of the token that stood in each chosen place (L_MLM of Clark et al.
    2020, section 3), by the generator, or by the discriminator's encoder where there is no generator."""
    filled = real if isinstance(real, MaskedLMOutput) else fake
    assert filled is not None
    return mean(functional.cross_entropy(filled.logits, filled.labels, reduction="none"), filled.weight)


def reinforce(real: DiscriminatorOutput, fake: MaskedLMOutput, mean: Mean) -> torch.Tensor:
    """The generator rewarded, by REINFORCE, with the discriminator's loss in each chosen place (Clark et al. 2020,
    appendix F). The baseline is the mean reward of the batch, where the paper learns one."""
    realness = real.realness.detach()[fake.places]
    replaced = fake.drawn != fake.labels
    reward = torch.where(replaced, functional.softplus(realness), functional.softplus(-realness))
    likelihood = fake.logits.log_softmax(-1).gather(-1, fake.drawn[:, None]).squeeze(-1)
    return -mean((reward - mean(reward, fake.weight)) * likelihood, fake.weight)


Table = dict[str, dict[str, Callable[..., torch.Tensor]]]
ROW_TERMS: Table = {
    "discriminator": {
        "classification": classification,
        "adversarial": adversarial,
        "distillation": distillation,
    },
    "generator": {
        "adversarial_masking": adversarial_masking,
        "generator_adversarial": generator_adversarial,
        "feature_matching": feature_matching,
        "class_consistency": class_consistency,
    },
}
"""The games of `train`: fakes are states, or texts with tokens hidden."""
TOKEN_TERMS: Table = {
    "discriminator": {"replaced_token_detection": replaced_token_detection, "mlm": mlm},
    "generator": {"mlm": mlm, "reinforce": reinforce},
}
"""The game of `pretrain`: fakes are tokens."""
TERMS: Table = {player: {**ROW_TERMS[player], **TOKEN_TERMS[player]} for player in ROW_TERMS}


def check_terms(weights: Mapping[str, Mapping[str, float]], table: Table) -> None:
    """Raise UserError for a term that the game does not have, one that needs a generator where there is none, or one
    that leaves no place for it."""
    for player, terms in weights.items():
        for name in terms:
            if name not in table[player]:
                raise UserError(f'unknown term "{name}" of the {player}.', remedy=nearest(name, table[player]))
    for name in ("adversarial", "replaced_token_detection"):
        if name in weights["discriminator"] and not weights["generator"]:
            raise UserError(f"{name} needs a generator.", remedy="Set a term of the generator, or drop it.")
    hides = "adversarial_masking" in weights["generator"]
    if hides != ("distillation" in weights["discriminator"]):
        remedy = "Give both, or neither."
        raise UserError("distillation and adversarial_masking are terms of one game.", remedy=remedy)
    if hides and (len(weights["generator"]) > 1 or "adversarial" in weights["discriminator"]):
        remedy = "Take the terms of one of them."
        raise UserError("a generator hides tokens or makes states, not both.", remedy=remedy)
    if "mlm" in weights["discriminator"] and weights["generator"]:
        remedy = "Take --objective mlm, or give mlm to the generator."
        raise UserError("the discriminator fills masks only where there is no generator.", remedy=remedy)


def weighted_loss(
    player: str,
    terms: Mapping[str, float],
    real: Mapping[str, DiscriminatorOutput],
    fake: Mapping[str, Any],
    mean: Mean,
) -> tuple[torch.Tensor, dict[str, float]]:
    """A player's loss, summed over fields and terms, and its parts (unweighted) for the log. The discriminator answers
    for every field that there is; the generator for what it made, which may be one thing for all fields."""
    total: torch.Tensor | None = None
    parts = {}
    for name, weight in terms.items():
        for field in real if player == "discriminator" else fake:
            value = TERMS[player][name](real.get(field), fake.get(field), mean)
            parts[f"{field}.{name}"] = float(value.detach())
            total = weight * value if total is None else total + weight * value
    assert total is not None
    return total, parts
