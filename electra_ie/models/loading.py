"""Stock models of a field: new heads on an encoder, or those of a saved run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field
from electra_ie.models.encoders import resolve_encoder, translate_load_errors
from electra_ie.models.heads import _last_linear
from electra_ie.models.pooling import AVERAGES, averages, can_average, drop_layer, init_near_identity

STOCK = {
    "classes": AutoModelForSequenceClassification,
    "flags": AutoModelForSequenceClassification,
    "spans": AutoModelForTokenClassification,
}


LOADING: dict[str, Any] = {
    "trust_remote_code": False, "use_safetensors": True, "dtype": torch.float32, "output_loading_info": True,
    "ignore_mismatched_sizes": True,  # refused below, by name
}  # fmt: skip


PROBLEMS = {"classes": "single_label_classification", "flags": "multi_label_classification"}


def _new(encoder: str, field: Field, pooling: str) -> PreTrainedModel:
    """A field's model with a new head on the encoder."""
    names = dict(enumerate(field.names))
    config: dict[str, Any] = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
    if field.kind != "spans":
        config["problem_type"] = PROBLEMS[field.kind]
    with translate_load_errors(encoder):
        before = AutoConfig.from_pretrained(resolve_encoder(encoder), trust_remote_code=False)
        model, found = STOCK[field.kind].from_pretrained(resolve_encoder(encoder), **LOADING, **config)
    _renew_head(model, encoder, found, same=_names(before) == field.names)
    known = averages(model.config)  # the field of a run, which is now an encoder
    if known:
        drop_layer(model)
    model.config.electra_ie = None
    if field.kind != "spans" and pooling == "mean":
        if can_average(model.config):
            model.config.electra_ie = {AVERAGES: True}
            if not known:
                init_near_identity(model)
        else:
            model.config.classifier_pooling = "mean"
    return model


def _names(config: PreTrainedConfig) -> tuple[str, ...]:
    """The names of a model's outputs, by id."""
    by_id = cast(dict[int, str], config.id2label)
    return tuple(by_id[number] for number in sorted(by_id))


def _renew_head(model: PreTrainedModel, name: str, found: Mapping[str, Any], same: bool) -> None:
    """Where a folder holds a classifier, let another begin in its place, unless it has the same labels.

    found: what loading says. Raises UserError for other weights that are not of the model's shape.
    """
    last = _last_linear(model)
    place = next(each for each, module in model.named_modules() if module is last)
    wrong = sorted(key for key, *_ in found["mismatched_keys"] if not key.startswith(f"{place}."))
    if wrong:
        raise UserError(
            f"the weights of {wrong[0]} are not of the shape that config.json says.",
            file=name,
            remedy="Restore the folder.",
        )
    if not same and f"{place}.weight" not in found["missing_keys"]:
        nn.init.normal_(last.weight, std=getattr(model.config, "initializer_range", 0.02))
        if last.bias is not None:
            nn.init.zeros_(last.bias)


def _saved(folder: str, field: Field) -> PreTrainedModel:
    with translate_load_errors(folder):
        model, found = STOCK[field.kind].from_pretrained(folder, **LOADING)
    other_shape = [name for name, *_ in found["mismatched_keys"]]
    wrong = sorted([*found["missing_keys"], *found["unexpected_keys"], *other_shape])
    if wrong:
        raise UserError(
            f"these are not the weights that were saved here: {wrong[0]} is missing, left over or of another shape.",
            file=folder,
            remedy="Restore the folder, or train again.",
        )
    if not all(bool(each.isfinite().all()) for each in model.parameters()):
        raise UserError("these weights contain NaN or infinite values.", file=folder, remedy="Train again.")
    if _names(model.config) != field.names:
        raise UserError(
            f'the labels of this model are not those of the field "{field.name}" in the run\'s task.yaml.',
            file=folder,
            remedy="Restore both, or train again.",
        )
    if averages(model.config):
        drop_layer(model)
    return model
