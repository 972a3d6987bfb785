"""Tags of fields of spans, from the logits of a model: one distribution a token, or with tracks one for each label."""

from __future__ import annotations

import torch
from torch.nn import functional

from electra_ie.data.fields import TRACKS, Field


def tag_logits(field: Field, logits: torch.Tensor) -> torch.Tensor:
    """Return the logits of the tags (..., N, 3) of N tracks from those of a model (..., 2 * N): `O` has the logit 0.

    So the model is a stock token classifier with the outputs `B-x` and `I-x` of each label, as the fake class of the
    discriminator needs no output (see `discriminator`).
    """
    return functional.pad(logits.unflatten(-1, (len(field.tracks), 2)), (1, 0))


def field_probabilities(field: Field, logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of a field from the logits of a model.

    They have the shape of the logits; with the scheme `tracks`, the last dimension has three tags for each track.
    """
    if field.kind == "flags":
        return logits.sigmoid()
    if field.scheme == TRACKS:
        return tag_logits(field, logits).softmax(-1).flatten(-2)
    return logits.softmax(-1)
