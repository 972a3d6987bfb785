"""A discriminator whose encoder is cut to a few of its layers, with the heads as they are."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import AutoConfig

from electra_ie.common.errors import UserError
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.discriminator import Discriminator, without_head
from electra_ie.models.static_config import StaticConfig


def kept_layers(total: int, count: int) -> list[int]:
    """Return the indices of `count` of `total` layers, evenly, with the first and the last: 0, 3, 5 for three of six.

    Raises:
        UserError: there are not more layers than are to be kept, or `count` is below 1.
    """
    if not 1 <= count < total:
        remedy = f"Give --layers of 1 to {total - 1}." if total > 1 else "Give --to static."
        layers = f"{total} layer" + ("s" if total != 1 else "")
        raise UserError(f"--layers is {count}, and the encoder of this run has {layers}.", remedy=remedy)
    if count == 1:
        return [0]
    return [int(index * (total - 1) / (count - 1) + 0.5) for index in range(count)]


def number_of_layers(discriminator: Discriminator) -> int:
    """Return the number of layers that can be cut. Raises UserError for an encoder without separate layers."""
    return len(_layers(discriminator.encoder)[1])


def cut(discriminator: Discriminator, count: int) -> Discriminator:
    """Return a new discriminator with `count` layers of the encoder, by `kept_layers`, and the same heads.

    It is built from its configuration, so that it is what stock transformers builds when it loads the saved model, and
    the weights are copied into it.

    Raises:
        UserError: there are not so many layers, or the encoder has no separate layers.
    """
    name, layers = _layers(discriminator.encoder)
    kept = kept_layers(len(layers), count)
    config: DiscriminatorConfig = copy.deepcopy(discriminator.config)  # type: ignore[assignment]
    encoder = AutoConfig.for_model(**config.encoder)
    encoder.num_hidden_layers = count
    if isinstance(types := getattr(encoder, "layer_types", None), list):  # such as full and sliding attention
        encoder.layer_types = [types[index] for index in kept]
    config.encoder = without_head(encoder.to_dict())
    student = Discriminator(config)
    prefix = f"encoder.{name}."
    weights = {}
    for key, value in discriminator.state_dict().items():
        renamed = key
        if key.startswith(prefix):
            index, _, rest = key.removeprefix(prefix).partition(".")
            if int(index) not in kept:
                continue
            renamed = f"{prefix}{kept.index(int(index))}.{rest}"
        weights[renamed] = value
    student.load_state_dict(weights)
    return student


def _layers(encoder: Any) -> tuple[str, nn.ModuleList]:
    """Return the name and the list of an encoder's layers. Raises UserError if it has no such list."""
    total = encoder.config.num_hidden_layers
    lists = [
        (name, module)
        for name, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == total
    ]
    if isinstance(encoder.config, StaticConfig) or not lists:
        reason = "static" if isinstance(encoder.config, StaticConfig) else "without separate layers"
        message = f"the encoder of this run ({encoder.config.model_type}) is {reason}: no layers can be cut."
        raise UserError(message, remedy="Distill the run that it was made from, or give --to static.")
    return lists[0]
