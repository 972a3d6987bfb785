"""Initialization of the bias of new heads from the frequencies of the labels.

A head whose initial predictions are uniform spends its first steps on learning how rare most labels are; for a field
with one token of interest in 250, that may be the whole training. With this bias its initial predictions have the
frequencies of the labels (after Lin et al. 2017, "Focal loss for dense object detection", arXiv 1708.02002, section
4.1, who set one small probability for rare labels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator


def init_bias_to_prior(discriminator: Discriminator, labeled: Sequence[LabeledWindow]) -> None:
    """Set the bias of each output layer from the labels of these windows.

    A bias that is not 0 is kept: only a head that was trained before, for the same labels, has one.
    """
    for field in discriminator.fields:
        bias = discriminator.head(field).output_layer.bias
        if bias is None or bias.any():
            continue
        with torch.no_grad():
            bias.copy_(prior_logits(labeled, field))


def prior_logits(labeled: Sequence[LabeledWindow], field: Field) -> torch.Tensor:
    """Return (K,) logits whose softmax, or sigmoid for flags, are the frequencies of a field's labels.

    With tracks, it is the softmax over the tags of each track, where `O` has the logit 0.

    The labels have the weights of the loss. One is added to each count (for flags: to that of the texts with the flag
    and of those without), so that no frequency is 0.

    The logsumexp of the logits of a softmax is log K, the value for zero logits, so that the bias does not change the
    realness (see `discriminator`).
    """
    known = [(row.window, row.gold[field.name]) for row in labeled if field.name in row.gold]
    labels: list[Any] = [gold for _, gold in known]
    weights = torch.tensor([window.weight for window, _ in known])
    if field.kind == "flags":
        flags = torch.tensor(labels).view(-1, len(field.names))
        return torch.logit(((flags * weights[:, None]).sum(0) + 1) / (weights.sum() + 2))
    if field.has_tracks:
        tags = torch.tensor([tags for window in labels for tags in window if tags[0] != IGNORED])
        columns = zip(field.tracks, tags.view(-1, len(field.tracks)).T, strict=True)
        counts = torch.stack([torch.bincount(own, minlength=len(track.names)) + 1.0 for track, own in columns])
        return (counts[:, 1:] / counts[:, :1]).log().flatten()
    if field.kind == "spans":
        labels = [tag for tags in labels for tag in tags if tag != IGNORED]
        weights = torch.ones(len(labels))
    counts = torch.bincount(torch.tensor(labels, dtype=torch.long), weights, minlength=len(field.names)) + 1
    return (counts / counts.sum()).log() + math.log(len(counts))
