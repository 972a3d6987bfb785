"""The bias of new heads starts at the label distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator


def init_bias_to_prior(discriminator: Discriminator, labelled: Sequence[LabeledWindow]) -> None:
    """Set the bias of each head's last layer by the labels of these windows. Only a head that was trained before, for
    the same labels, has a bias that is not 0; it is kept."""
    for field in discriminator.fields:
        bias = discriminator.head(field).last.bias
        if bias is None or bias.any():
            continue
        with torch.no_grad():
            bias.copy_(prior_logits(labelled, field))


def prior_logits(labelled: Sequence[LabeledWindow], field: Field) -> torch.Tensor:
    """(K,) logits whose softmax, or sigmoid for flags, are the shares of a field's answers among the units that are
    judged, as they weigh in the loss; one is added to each count (for flags: of those that bear one, and of those that
    do not), so that no share is 0.

    The logsumexp of a softmax's logits is log K, as if all were 0: shares make no state more or less real (see
    `discriminator`).
    """
    known = [(row.window, row.gold[field.name]) for row in labelled if field.name in row.gold]
    answers: list[Any] = [gold for _, gold in known]
    weights = torch.tensor([window.weight for window, _ in known])
    if field.kind == "flags":
        borne = torch.tensor(answers).view(-1, len(field.names))
        return torch.logit(((borne * weights[:, None]).sum(0) + 1) / (weights.sum() + 2))
    if field.kind == "spans":
        answers = [tag for tags in answers for tag in tags if tag != IGNORED]
        weights = torch.ones(len(answers))
    counts = torch.bincount(torch.tensor(answers, dtype=torch.long), weights, minlength=len(field.names)) + 1
    return (counts / counts.sum()).log() + math.log(len(counts))
