"""Tags of fields of spans, from the logits of a model: one distribution a token, or with tracks one for each label."""

from __future__ import annotations

import torch
from torch.nn import functional

from electra_ie.data.fields import Field


def tag_logits(field: Field, logits: torch.Tensor) -> torch.Tensor:
    """Return the logits of the tags (..., N, T) of N tracks from those of a model (..., N * (T - 1)): `O` has 0.

    So the model is a stock token classifier with the outputs `B-x` and `I-x` (and `C-x`) of each track, as the fake
    class of the discriminator needs no output (see `discriminator`).
    """
    return functional.pad(logits.unflatten(-1, (len(field.tracks), -1)), (1, 0))


def field_probabilities(field: Field, logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of a field from the logits of a model.

    They have the shape of the logits; with tracks, the last dimension has all tags of each track.
    """
    if field.kind == "flags":
        return logits.sigmoid()
    if field.has_tracks:
        return tag_logits(field, logits).softmax(-1).flatten(-2)
    return logits.softmax(-1)
