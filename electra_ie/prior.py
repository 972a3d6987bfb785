"""New heads begin at the shares of the labels.

A head that begins with all answers alike spends its first steps on learning how rare most of them are, and where few
labels make few steps it may do nothing else: of a field with one token of interest in 250 it finds none. So the bias of
the last layer begins where it answers every text as often as the labels do (Lin et al. 2017, "Focal loss for dense
object detection", arXiv 1708.02002, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from electra_ie.batching import Labelled
from electra_ie.discriminator import Discriminator
from electra_ie.labels import IGNORED, Field


def begin_at_shares(discriminator: Discriminator, labelled: Sequence[Labelled]) -> None:
    """Set the bias of each head's last layer by the labels of these windows; a head that was trained before keeps its
    own."""
    for field in discriminator.fields:
        bias = discriminator.head(field).last.bias
        if bias is None or bias.any():
            continue
        with torch.no_grad():
            bias.copy_(prior_logits(labelled, field))


def prior_logits(labelled: Sequence[Labelled], field: Field) -> torch.Tensor:
    """(K,) logits whose softmax, or sigmoid for flags, are the shares of a field's answers among the units that are
    judged, one added to each count so that none is 0. For a softmax their logsumexp is log K, as if all were 0: a text
    begins no more and no less real than without (see `discriminator`)."""
    answers, weights = _judged(labelled, field)
    counts = (answers * weights[:, None]).sum(0) + 1
    if field.kind == "flags":
        return torch.logit(counts / (weights.sum() + 2))
    return (counts / counts.sum()).log() + math.log(len(counts))


def _judged(labelled: Sequence[Labelled], field: Field) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, K) zeros and ones, the answers to all units that are judged, and (N,), what each weighs in the loss."""
    known = [(row.window, row.gold[field.name]) for row in labelled if field.name in row.gold]
    answers: list[Any] = [gold for _, gold in known]
    weights = torch.tensor([window.share for window, _ in known])
    if field.kind == "flags":
        return torch.tensor(answers).view(-1, len(field.names)), weights
    if field.kind == "spans":
        answers = [tag for tags in answers for tag in tags if tag != IGNORED]
        weights = torch.ones(len(answers))
    return functional.one_hot(torch.tensor(answers, dtype=torch.long), len(field.names)).float(), weights
