"""Mean pooling as a stock layer, for encoders whose stock classifier reads the first token only.

Sentence encoders are trained with the mean of their states and leave the first token unused (benchmarks/pooling.py
measures what this costs), but the stock classifiers of the BERT family read the first token. So the encoder gets one
more layer, in which every token attends to all tokens equally: after it, the first token holds the mean. It is a stock
layer with constant weights, which stock transformers loads like any other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import layer_norm
from transformers import AutoConfig, PreTrainedConfig

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.models.encoders import resolve_encoder, translate_load_errors
from electra_ie.models.untrusted import read_json_object

POOLING_FILE = "1_Pooling/config.json"
"""The file in which a sentence encoder declares its pooling."""
AVERAGES = "averages"
"""The key in the block `electra_ie` of a config that marks a model with an averaging layer."""
STRENGTH = 30.0
"""The weight of the mean relative to the first token, which the residual connection of the layer adds."""

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
"""The parts of a layer by model type. The attention of these families uses no positions, and each half of a layer ends
in a layer norm, so that constant weights can make a layer average."""


BEFORE_TANH = {
    "bert": "bert.pooler.dense", "roberta": "classifier.dense", "xlm-roberta": "classifier.dense",
    "camembert": "classifier.dense",
}  # fmt: skip
"""By model type, the layer between the pooled state and the classifier if a tanh follows it."""


def apply_averaging_layer(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the output of the averaging layer for states (B, L, H) and mask (B, L), computed directly.

    The mean is over the tokens that are not padding. The layer norms have constant weights, so that the second one
    changes nothing.
    """
    weights = torch.ones_like(states[..., :1]) if mask is None else mask[..., None].to(states.dtype)
    mean = (states * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
    return layer_norm(STRENGTH * mean + states, states.shape[-1:], eps=1e-12)


@contextmanager
def with_averaging_layer(model: Any) -> Iterator[None]:
    """Add the averaging layer to the encoder of a stock model, as it is saved, within the context."""
    layers = _layers(model)
    layers.append(_averaging_layer(layers[-1], FAMILIES[model.config.model_type]))
    model.config.num_hidden_layers = len(layers)
    try:
        yield
    finally:
        drop_averaging_layer(model)


def drop_averaging_layer(model: Any) -> None:
    """Remove the averaging layer, the last one, from a stock model that was saved with it."""
    layers = _layers(model)
    del layers[-1]
    model.config.num_hidden_layers = len(layers)


def _layers(model: Any) -> nn.ModuleList:
    parent = model.base_model.transformer if model.config.model_type == "distilbert" else model.base_model.encoder
    layers: nn.ModuleList = parent.layer
    return layers


@torch.no_grad()
def _averaging_layer(like: nn.Module, names: dict[str, str]) -> nn.Module:
    """Return a layer with the structure of `like` and the constant weights that average.

    Zero queries and keys give uniform attention; value and output projections pass the states on.
    """
    layer = copy.deepcopy(like)
    for parameter in layer.parameters():
        parameter.zero_()
    for part, scale in (("value", 1.0), ("mixed", STRENGTH)):
        nn.init.eye_(_weight(layer, names[part])).mul_(scale)
    for part in ("norm", "last"):
        nn.init.ones_(_weight(layer, names[part]))
    return layer


def _weight(module: nn.Module, name: str) -> torch.Tensor:
    weight: Any = module.get_submodule(name).weight
    return cast(torch.Tensor, weight)


@torch.no_grad()
def init_near_identity(model: Any) -> None:
    """Initialize the layer between the pooled state and the classifier to the identity, except for its tanh.

    In a sentence encoder that layer was never trained, or not for the mean, and its output is worth less than its
    input: with 3 labels for each of 77 classes, logistic regression on frozen states has an accuracy of 59.0 % before
    it and 53.9 % after it. benchmarks/README.md has the effect on training.
    """
    if name := BEFORE_TANH.get(model.config.model_type):
        layer = model.get_submodule(name)
        nn.init.eye_(layer.weight).mul_(0.5)
        nn.init.zeros_(layer.bias)


def can_average(config: PreTrainedConfig) -> bool:
    """Return whether an encoder with this config can have an averaging layer."""
    return config.model_type in FAMILIES and config.num_hidden_layers > 0


def has_averaging_layer(config: PreTrainedConfig) -> bool:
    """Return whether a model with this config was saved with an averaging layer."""
    block = getattr(config, "electra_ie", None)
    return can_average(config) and isinstance(block, dict) and block.get(AVERAGES) is True


def choose_pooling(encoder: str, requested: str | None = None) -> str:
    """Return the pooling for an encoder, `mean` or `stock`.

    Args:
        encoder: A folder, or a name on the Hub.
        requested: The pooling that the user asks for. By default it is `mean` if the encoder declares that it was
            trained with it (1_Pooling/config.json of a sentence encoder).

    Raises:
        UserError: `mean` is requested, and the stock classifier of the family cannot use it. If it is not requested,
            this is a warning.
    """
    if requested not in (None, "stock", "mean"):
        raise UserError(f"there is no pooling {requested!r}.", remedy="It must be mean or stock.")
    if requested == "stock":
        return requested
    folder = resolve_encoder(encoder)
    file = pooling_file(folder)
    declared = read_json_object(file) if file else {}
    if not (requested or declared.get("pooling_mode_mean_tokens")):
        return "stock"
    with translate_load_errors(encoder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if can_average(config) or hasattr(config, "classifier_pooling"):
        return "mean"
    message = f"the stock classifier of {config.model_type} cannot use the mean of the states"
    if requested:
        raise UserError(f"{message}.", remedy="Set pooling=stock, or choose an encoder of the BERT family.")
    warn(f"{message}, with which this encoder was trained: it uses the first token.")
    return "stock"


def pooling_file(folder: str) -> Path | None:
    """Return the file in which a sentence encoder declares its pooling, or None."""
    file = Path(folder) / POOLING_FILE
    return file if file.is_file() else None
