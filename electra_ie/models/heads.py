"""Heads of the discriminator: stock transformers models whose encoder is replaced by given states."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field
from electra_ie.models.pooling import apply_averaging_layer, has_averaging_layer


def module_key(field: Field) -> str:
    """Return the name of a field's submodule: a field may be called `type` or `train`, a submodule may not."""
    return f"field_{field.name}"


class StateReplay(nn.Module):
    """Replacement for the encoder of a stock model, which returns the states that it receives as `inputs_embeds`.

    The pooler, which some families have inside the encoder, belongs to the head and is kept here. So is the averaging
    layer (see `pooling`), since other fields on the same encoder do not use it.
    """

    def __init__(self, pooler: nn.Module | None, averages: bool = False) -> None:
        super().__init__()
        self.pooler, self.averages = pooler, averages

    def forward(
        self, input_ids: Any = None, inputs_embeds: torch.Tensor | None = None, attention_mask: Any = None, **_: Any
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """Return the states (B, L, H) as the encoder's output, pooled if the encoder has a pooler."""
        if inputs_embeds is None:
            raise RuntimeError("the stock model does not pass `inputs_embeds` to its encoder")
        states = apply_averaging_layer(inputs_embeds, attention_mask) if self.averages else inputs_embeds
        pooled = self.pooler(states) if self.pooler is not None else None
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=states, pooler_output=pooled)


class FieldHead(nn.Module):
    """The stock model of one field without its encoder.

    Attributes:
        field: The field.
        model: The stock model, with `StateReplay` as its encoder.
        averages: Whether the stock model has an averaging layer (see `pooling`).
        output_layer: The last linear layer, with K outputs.
        realness_layer: The layer for the realness of texts with flags (see `discriminator`), or None.
    """

    model: PreTrainedModel

    def __init__(self, field: Field, model: PreTrainedModel, realness_head: bool) -> None:
        super().__init__()
        self.field, self.model = field, model
        self.averages = has_averaging_layer(model.config)
        replay = StateReplay(getattr(model.base_model, "pooler", None), self.averages)
        setattr(model, model.base_model_prefix, replay)
        self.output_layer = last_linear(model)
        self.output_layer.register_forward_pre_hook(self._keep_features)
        self.features = torch.empty(0)
        # Created only on request: DistributedDataParallel fails on a layer that gets no gradient.
        needs_layer = realness_head and field.kind == "flags"
        self.realness_layer = nn.Linear(self.output_layer.in_features, 1) if needs_layer else None

    def _keep_features(self, _: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        self.features = args[0]

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits, features and realness of each unit from states (B, L, H) and mask (B, L).

        The shapes begin with (B,), or with (B, L) for spans.
        """
        logits = self.model(inputs_embeds=states, attention_mask=mask).logits.float()
        features, self.features = self.features.float(), torch.empty(0)
        if self.realness_layer is None:
            return logits, features, logits.logsumexp(-1)
        return logits, features, self.realness_layer(features).squeeze(-1)


def last_linear(model: PreTrainedModel) -> nn.Linear:
    """Return the last linear layer with K outputs. Raises UserError if there is none."""
    layers = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == model.config.num_labels
    ]
    if not layers:
        message = f"{type(model).__name__} has no linear output layer."
        raise UserError(message, remedy="Choose another encoder.")
    return layers[-1]
