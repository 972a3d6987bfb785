"""The loss terms of discriminator and generator: pure functions of the outputs, for texts, states and tokens alike.

Each term takes `real` and `generated`, the scores of one field for texts and for generated inputs, and `mean`, which
averages over rows (see `Mean`). It returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from electra_ie.common.errors import UserError, nearest
from electra_ie.data.fields import IGNORED
from electra_ie.models.outputs import MaskedTokenScores, MaskingGeneratorOutput, UnitScores

Mean = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(values (N, ...), weights (N,)) -> weighted mean (...). In training it is over all processes (see `loop.Mean`)."""


def local_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean over the rows of this process; 0 if no row has a weight."""
    total = (values * weights.to(values.dtype).view(-1, *[1] * (values.dim() - 1))).sum(0)
    return total / weights.sum().clamp(min=1e-8)


def _classification(scores: UnitScores, mean: Mean) -> torch.Tensor:
    """Return the cross entropy over the rows with a known label; for flags binary, averaged over the K flags."""
    if scores.field.kind == "flags":
        known = (scores.labels != IGNORED).all(-1)
        target = scores.labels.clamp(min=0).to(scores.logits.dtype)
        values = functional.binary_cross_entropy_with_logits(scores.logits, target, reduction="none").mean(-1)
    else:
        known = scores.labels != IGNORED
        values = functional.cross_entropy(scores.logits, scores.labels, reduction="none", ignore_index=IGNORED)
    return mean(values, scores.weight * known)


def classification(real: UnitScores, generated: UnitScores | None, mean: Mean) -> torch.Tensor:
    """Return the supervised loss on labeled rows: -log p(class | text, real)."""
    return _classification(real, mean)


def adversarial(real: UnitScores, generated: UnitScores | None, mean: Mean) -> torch.Tensor:
    """Return -log p(real | real row) - log p(generated | generated row), with p(real) = sigmoid(realness).

    Real rows are labeled and unlabeled ones (L_unsupervised of Salimans et al. 2016, section 5; Croce et al. 2020,
    equation 2).
    """
    assert generated is not None
    on_real = mean(functional.softplus(-real.realness), real.weight)
    return on_real + mean(functional.softplus(generated.realness), generated.weight)


def generator_adversarial(real: UnitScores, generated: UnitScores, mean: Mean) -> torch.Tensor:
    """Return -log p(real | generated row), the non-saturating loss (Goodfellow et al. 2014, section 3)."""
    return mean(functional.softplus(-generated.realness), generated.weight)


def feature_matching(real: UnitScores, generated: UnitScores, mean: Mean) -> torch.Tensor:
    """Return the squared distance between the mean features of real and generated rows, averaged over the features.

    Feature matching is from Salimans et al. 2016, section 3.1. The average instead of the sum makes the weight of the
    term independent of the encoder's width.
    """
    target = mean(real.features.detach(), real.weight)
    return (target - mean(generated.features, generated.weight)).square().mean()


def class_consistency(real: UnitScores, generated: UnitScores, mean: Mean) -> torch.Tensor:
    """Return the cross entropy of generated rows for the classes for which they were generated.

    It ties mu_c and sigma_c to their class (the generator's part of L_C of AC-GAN, Odena et al. 2017).
    """
    return _classification(generated, mean)


def distillation(real: UnitScores, generated: UnitScores | None, mean: Mean) -> torch.Tensor:
    """Return the cross entropy between the teacher's predictions for complete texts and those for masked ones.

    Hinton et al. 2015, arXiv 1503.02531, section 2, at temperature 1. For flags it is binary and averaged over them.
    """
    assert generated is not None
    assert generated.teacher_probabilities is not None
    target = generated.teacher_probabilities
    if generated.field.kind == "flags":
        values = functional.binary_cross_entropy_with_logits(generated.logits, target, reduction="none").mean(-1)
    else:
        values = -(target * generated.logits.log_softmax(-1)).sum(-1)
    return mean(values, generated.weight)


def divergence(generated: UnitScores, mean: Mean) -> torch.Tensor:
    """Return the Kullback-Leibler divergence, in nats, of the predictions for masked texts from the teacher's.

    It is 0 if both are equal, and `distillation` minus the entropy of the teacher. For flags it is averaged over the K
    flags.
    """
    assert generated.teacher_probabilities is not None
    entropy = torch.special.entr(generated.teacher_probabilities)
    if generated.field.kind == "flags":
        entropy = (entropy + torch.special.entr(1 - generated.teacher_probabilities)) / entropy.shape[-1]
    return distillation(generated, generated, mean) - mean(entropy.sum(-1), generated.weight)


def adversarial_masking(real: None, generated: MaskingGeneratorOutput, mean: Mean) -> torch.Tensor:
    """Return -<mask, dL_D / dmask>, whose gradient in the generator's weights is that of -L_D; its value means nothing.

    The generator raises the discriminator's loss as far as masking more or less of each token changes it.
    """
    assert generated.mask is not None
    gradient = None if generated.detached_mask is None else generated.detached_mask.grad
    if gradient is None:
        if len(generated.mask):
            remedy = "Give generated.detach() to the discriminator, and call backward on its loss before."
            raise UserError("the discriminator's loss has no gradient for the mask.", remedy=remedy)
        gradient = torch.zeros_like(generated.mask)  # a process may have no unlabeled rows
    rows = -(generated.mask * gradient).sum(1)
    # The value is the same in all processes, so that all notice when it is NaN; the gradient is of the own rows. Each
    # process has its part of dL_D times their number, since distributed training divides by it (see loop.Mean).
    value = mean(rows.detach() / getattr(mean, "processes", 1), torch.ones_like(rows.detach()))
    return value + (rows.sum() - rows.sum().detach())


def replaced_token_detection(real: UnitScores, generated: UnitScores, mean: Mean) -> torch.Tensor:
    """Return the binary cross entropy of "original", averaged over all tokens (Clark et al. 2020, section 3, L_Disc).

    real: the rows of original tokens. generated: those of replaced tokens.
    """
    values = torch.cat([functional.softplus(-real.realness), functional.softplus(generated.realness)])
    return mean(values, torch.cat([real.weight, generated.weight]))


def mlm(real: UnitScores | MaskedTokenScores, generated: MaskedTokenScores | None, mean: Mean) -> torch.Tensor:
    """Return the cross entropy of the original tokens at the masked positions (L_MLM of Clark et al. 2020, section 3).

    The model is the generator, or the encoder itself if there is no generator.
    """
    scores = real if isinstance(real, MaskedTokenScores) else generated
    assert scores is not None
    return mean(functional.cross_entropy(scores.logits, scores.labels, reduction="none"), scores.weight)


def reinforce(real: UnitScores, generated: MaskedTokenScores, mean: Mean) -> torch.Tensor:
    """Return the REINFORCE loss of the generator, whose reward is the discriminator's loss at each masked position.

    Clark et al. 2020, appendix F. The baseline is the mean reward of the batch; the paper learns one.
    """
    realness = real.realness.detach()[generated.positions]
    replaced = generated.sampled != generated.labels
    reward = torch.where(replaced, functional.softplus(realness), functional.softplus(-realness))
    likelihood = generated.logits.log_softmax(-1).gather(-1, generated.sampled[:, None]).squeeze(-1)
    return -mean((reward - mean(reward, generated.weight)) * likelihood, generated.weight)


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
"""The terms of `train`: a generator generates states or masks tokens of texts."""
TOKEN_TERMS: Table = {
    "discriminator": {"replaced_token_detection": replaced_token_detection, "mlm": mlm},
    "generator": {"mlm": mlm, "reinforce": reinforce},
}
"""The terms of `pretrain`: a generator replaces tokens."""
TERMS: Table = {model: {**ROW_TERMS[model], **TOKEN_TERMS[model]} for model in ROW_TERMS}


def check_terms(weights: Mapping[str, Mapping[str, float]], table: Table) -> None:
    """Check that the loss terms of discriminator and generator can be combined.

    Raises:
        UserError: a term does not exist, needs a generator that has no term, or excludes another term.
    """
    for model, terms in weights.items():
        for name in terms:
            if name not in table[model]:
                raise UserError(f'unknown term "{name}" of the {model}.', remedy=nearest(name, table[model]))
    for name in ("adversarial", "replaced_token_detection"):
        if name in weights["discriminator"] and not weights["generator"]:
            raise UserError(f"{name} needs a generator.", remedy="Set a term of the generator, or remove it.")
    masks = "adversarial_masking" in weights["generator"]
    distills = "distillation" in weights["discriminator"]
    if masks and not distills:
        remedy = "Set distillation for the discriminator, or remove adversarial_masking."
        raise UserError("adversarial_masking needs the predictions of a teacher.", remedy=remedy)
    if distills and (len(weights["generator"]) > masks or "adversarial" in weights["discriminator"]):
        remedy = "Set the terms of one of them."
        raise UserError("a generator masks tokens or generates states, not both.", remedy=remedy)
    if "mlm" in weights["discriminator"] and weights["generator"]:
        remedy = "Use --objective mlm, or set mlm for the generator."
        raise UserError("mlm is a term of the discriminator only without a generator.", remedy=remedy)


def weighted_loss(
    model: str,
    terms: Mapping[str, float],
    real: Mapping[str, Any],
    generated: Mapping[str, Any],
    mean: Mean,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the weighted sum of loss terms over fields, and the unweighted value of each by `<field>.<term>`.

    Args:
        model: `discriminator`, whose loss has the fields of `real`, or `generator`, whose loss has the keys of
            `generated` (one key if it masks texts for all fields).
        terms: The weight of each term.
        real: The scores of texts by field.
        generated: The scores of generated inputs by field.
        mean: See `Mean`.
    """
    total: torch.Tensor | None = None
    values = {}
    for name, weight in terms.items():
        if name not in TERMS[model]:
            raise UserError(f'unknown term "{name}" of the {model}.', remedy=nearest(name, TERMS[model]))
        for field in real if model == "discriminator" else generated:
            value = TERMS[model][name](real.get(field), generated.get(field), mean)
            values[f"{field}.{name}"] = float(value.detach())
            total = weight * value if total is None else total + weight * value
    assert total is not None
    return total, values
