"""Stock heads without their encoder, which judge states."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field
from electra_ie.models.pooling import averaged, averages


def module_key(field: Field) -> str:
    """The name of a field's part of a player: a field may be called `type` or `train`, a module's part may not."""
    return f"field_{field.name}"


class StateReplay(nn.Module):
    """Replaces the encoder of a stock model, and returns the states that it is given as the encoder's output.

    The pooler, which some families keep inside the encoder, belongs to the head and stays here; and so does the
    averaging layer (see `pooling`), which other fields on the same encoder do without.
    """

    def __init__(self, pooler: nn.Module | None, averages: bool = False):
        super().__init__()
        self.pooler, self.averages = pooler, averages

    def forward(
        self, input_ids: Any = None, inputs_embeds: torch.Tensor | None = None, attention_mask: Any = None, **_: Any
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        if inputs_embeds is None:
            raise RuntimeError("the head does not hand its encoder `inputs_embeds`")
        states = averaged(inputs_embeds, attention_mask) if self.averages else inputs_embeds
        pooled = self.pooler(states) if self.pooler is not None else None
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=states, pooler_output=pooled)


class Head(nn.Module):
    """One field's stock model, without its encoder."""

    model: PreTrainedModel

    def __init__(self, field: Field, model: PreTrainedModel, fakes: bool):
        super().__init__()
        self.field, self.model = field, model
        self.averages = averages(model.config)
        playback = StateReplay(getattr(model.base_model, "pooler", None), self.averages)
        setattr(model, model.base_model_prefix, playback)
        self.last = _last_linear(model)
        self.last.register_forward_pre_hook(self._keep_features)
        self.features = torch.empty(0)
        # Made only for the game: a layer without a gradient would stop distributed training.
        self.extra = nn.Linear(self.last.in_features, 1) if fakes and field.kind == "flags" else None

    def _keep_features(self, _: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        self.features = arguments[0]

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """States (B, L, H) and mask (B, L) -> logits, features and realness of each unit: (B, ...) or (B, L, ...)."""
        logits = self.model(inputs_embeds=states, attention_mask=mask).logits.float()
        features, self.features = self.features.float(), torch.empty(0)
        realness = logits.logsumexp(-1) if self.extra is None else self.extra(features).squeeze(-1)
        return logits, features, realness


def _last_linear(model: PreTrainedModel) -> nn.Linear:
    layers = [
        each for each in model.modules() if isinstance(each, nn.Linear) and each.out_features == model.config.num_labels
    ]
    if not layers:
        raise UserError(f"{type(model).__name__} ends in no linear layer.", remedy="Choose another encoder.")
    return layers[-1]
