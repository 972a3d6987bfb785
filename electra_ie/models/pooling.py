"""Mean pooling that stock classes can express, for encoders whose own class reads the first token only.

Sentence encoders are trained with the mean of their states and leave the first token unused (what that costs:
benchmarks/pooling.py). The stock heads of the BERT family read the first token all the same. So the encoder gets one
more layer, in which every token attends to all alike: behind it the first token holds the mean. It is a stock layer
with weights that are written, not learnt, and stock transformers loads it like any other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import layer_norm
from transformers import AutoConfig, PreTrainedConfig

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.models.encoders import resolve_encoder, translate_load_errors
from electra_ie.models.untrusted import values_of

TOLD = "1_Pooling/config.json"
AVERAGES = "averages"
"""The entry of a configuration's block `electra_ie` that tells of an averaging layer."""
STRENGTH = 30.0
"""How much more the mean weighs than what the residual connection of the layer lets through: the first token."""

BERT_LAYER = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "mixed": "attention.output.dense", "norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense", "narrow": "output.dense", "last": "output.LayerNorm",
}  # fmt: skip
DISTILBERT_LAYER = {
    "query": "attention.q_lin", "key": "attention.k_lin", "value": "attention.v_lin", "mixed": "attention.out_lin",
    "norm": "sa_layer_norm", "wide": "ffn.lin1", "narrow": "ffn.lin2", "last": "output_layer_norm",
}  # fmt: skip
FAMILIES = {
    "bert": BERT_LAYER, "roberta": BERT_LAYER, "xlm-roberta": BERT_LAYER, "camembert": BERT_LAYER,
    "electra": BERT_LAYER, "distilbert": DISTILBERT_LAYER,
}  # fmt: skip
"""By model type, where the parts of a layer are. In these families attention knows no positions, and each half of a
layer ends in a layer norm."""


BEFORE_TANH = {
    "bert": "bert.pooler.dense", "roberta": "classifier.dense", "xlm-roberta": "classifier.dense",
    "camembert": "classifier.dense",
}  # fmt: skip
"""By model type, the layer between the pooled state and the classifier, where a tanh comes behind it."""


def averaged(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """What the layer makes of states (B, L, H) and mask (B, L): all but the mean over the tokens that are no padding.

    The layer norms of the layer have no weights of their own, so that the second changes nothing.
    """
    weights = torch.ones_like(states[..., :1]) if mask is None else mask[..., None].to(states.dtype)
    mean = (states * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
    return layer_norm(STRENGTH * mean + states, states.shape[-1:], eps=1e-12)


@contextmanager
def averaging(model: Any) -> Iterator[None]:
    """Within, the encoder of a stock model has its averaging layer, as it is saved."""
    layers = _layers(model)
    layers.append(_layer(layers[-1], FAMILIES[model.config.model_type]))
    model.config.num_hidden_layers = len(layers)
    try:
        yield
    finally:
        drop_layer(model)


def drop_layer(model: Any) -> None:
    """Take the averaging layer off a stock model that was saved with it."""
    layers = _layers(model)
    del layers[-1]
    model.config.num_hidden_layers = len(layers)


def _layers(model: Any) -> nn.ModuleList:
    encoder = model.base_model
    return encoder.transformer.layer if model.config.model_type == "distilbert" else encoder.encoder.layer


@torch.no_grad()
def _layer(like: nn.Module, names: dict[str, str]) -> nn.Module:
    layer: Any = copy.deepcopy(like)
    for each in layer.parameters():
        each.zero_()
    for part, size in (("value", 1.0), ("mixed", STRENGTH)):
        nn.init.eye_(layer.get_submodule(names[part]).weight).mul_(size)
    for part in ("norm", "last"):
        nn.init.ones_(layer.get_submodule(names[part]).weight)
    return layer


@torch.no_grad()
def init_near_identity(model: Any) -> None:
    """Let the layer between the pooled state and the classifier begin by handing it on, but for a tanh.

    In a sentence encoder that layer was never trained, or not for the mean, and what it makes of it is worth less: with
    3 labels for each of 77 classes logistic regression on frozen states has 59.0 % accuracy before it and 53.9 behind
    it; see benchmarks/README.md for what training makes of both.
    """
    if name := BEFORE_TANH.get(model.config.model_type):
        layer = model.get_submodule(name)
        nn.init.eye_(layer.weight).mul_(0.5)
        nn.init.zeros_(layer.bias)


def can_average(config: PreTrainedConfig) -> bool:
    """Can an encoder of this configuration have an averaging layer?"""
    return config.model_type in FAMILIES and config.num_hidden_layers > 0


def averages(config: PreTrainedConfig) -> bool:
    """Does this saved model end in an averaging layer?"""
    told = getattr(config, "electra_ie", None)
    return can_average(config) and isinstance(told, dict) and told.get(AVERAGES) is True


def choose(encoder: str, asked: str | None = None) -> str:
    """`mean` or `stock`: what is asked for, else the mean for an encoder, a folder or a name on the hub, that says it
    was trained so (1_Pooling/config.json of a sentence encoder).

    Raises UserError where the mean is asked for and the stock class of the family cannot be made to judge by it; where
    it is not asked for, one line tells of that.
    """
    if asked == "stock":
        return asked
    folder = resolve_encoder(encoder)
    file = told_in(folder)
    told = values_of(file) if file else {}
    if not (asked or told.get("pooling_mode_mean_tokens")):
        return "stock"
    with translate_load_errors(encoder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if can_average(config) or hasattr(config, "classifier_pooling"):
        return "mean"
    message = f"the stock class of {config.model_type} cannot judge texts by the mean of their states"
    if asked:
        raise UserError(f"{message}.", remedy="Set pooling=stock, or choose an encoder of the BERT family.")
    warn(f"{message}, as this encoder was trained to: it judges them by their first token.")
    return "stock"


def told_in(folder: str) -> Path | None:
    """The file in which a sentence encoder says how it pools."""
    file = Path(folder) / TOLD
    return file if file.is_file() else None
