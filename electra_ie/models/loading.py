"""Stock models of the fields: with new heads on an encoder, with random weights, or as saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
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
from electra_ie.models.encoders import MODEL_LOCK, resolve_encoder, translate_load_errors
from electra_ie.models.heads import last_linear
from electra_ie.models.pooling import (
    AVERAGES,
    can_average,
    drop_averaging_layer,
    has_averaging_layer,
    init_near_identity,
)
from electra_ie.models.saved import check_loaded_weights

STOCK_CLASSES = {
    "classes": AutoModelForSequenceClassification,
    "flags": AutoModelForSequenceClassification,
    "spans": AutoModelForTokenClassification,
}
"""The stock class of a field by its kind."""
PROBLEM_TYPES = {"classes": "single_label_classification", "flags": "multi_label_classification"}
LOAD_OPTIONS: dict[str, Any] = {
    "trust_remote_code": False, "use_safetensors": True, "dtype": torch.float32, "output_loading_info": True,
    "ignore_mismatched_sizes": True,  # refused below, with the name of the weight
}  # fmt: skip


def model_on_encoder(encoder: str, field: Field, pooling: str) -> PreTrainedModel:
    """Return the stock model of a field: a new head on the encoder of this name or folder.

    If the folder holds a classifier with the labels of the field, its head is kept.

    Raises:
        UserError: the encoder cannot be loaded.
    """
    folder = resolve_encoder(encoder)  # before the lock, since it may download
    with MODEL_LOCK:
        with translate_load_errors(encoder):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model, loading_info = STOCK_CLASSES[field.kind].from_pretrained(folder, **LOAD_OPTIONS, **_labels(field))
        _reset_head(model, encoder, loading_info, same_labels=_names(config) == field.names)
        return _with_pooling(model, field, pooling)


def model_from_config(encoder: Mapping[str, Any], field: Field, pooling: str) -> PreTrainedModel:
    """Return the stock model of a field with random weights, from the configuration of its encoder."""
    config = AutoConfig.for_model(**{**encoder, **_labels(field)})
    with MODEL_LOCK:
        return _with_pooling(STOCK_CLASSES[field.kind].from_config(config), field, pooling)


def saved_model(folder: Path, field: Field) -> PreTrainedModel:
    """Return the stock model of a field as it was saved, without its averaging layer.

    Raises:
        UserError: weights are missing, left over, of another shape or not finite, or the labels are not the field's.
    """
    with translate_load_errors(str(folder)):
        loaded = STOCK_CLASSES[field.kind].from_pretrained(folder, **LOAD_OPTIONS)
    model, loading_info = cast(tuple[PreTrainedModel, Mapping[str, Any]], loaded)
    check_loaded_weights(loading_info, folder, "Restore the folder, or train again.")
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise UserError("these weights contain NaN or infinite values.", file=folder, remedy="Train again.")
    if _names(model.config) != field.names:
        raise labels_differ(folder, field)
    if has_averaging_layer(model.config):
        drop_averaging_layer(model)
    return model


def labels_differ(folder: Path, field: Field) -> UserError:
    """Return the error for a saved model whose labels are not those of its field."""
    message = f'the labels of this model are not those of the field "{field.name}" in the run\'s task.yaml.'
    return UserError(message, file=folder, remedy="Restore both, or train again.")


def check_saved(folder: Path, field: Field, saved: Field) -> None:
    """Raise UserError if a saved model is not that of a field: for its kind, its labels, or how its spans are tagged.

    folder: that of the model. field: as the task of the run has it. saved: as the model has it.
    """
    if (field.kind, field.labels) != (saved.kind, saved.labels):
        raise labels_differ(folder, field)
    for key in ("scheme", "levels", "fragments"):
        of_model, of_task = (json.dumps(getattr(each, key)) for each in (saved, field))
        if of_model != of_task:
            message = (
                f'this model has {key}: {of_model}, and the field "{field.name}" in the run\'s task.yaml {of_task}.'
            )
            raise UserError(message, file=folder, remedy="Restore both, or train again.")


def _labels(field: Field) -> dict[str, Any]:
    """Return the entries of a stock config about the labels of a field."""
    by_id = dict(enumerate(field.names))
    entries: dict[str, Any] = {"id2label": by_id, "label2id": {name: index for index, name in by_id.items()}}
    return entries if field.kind == "spans" else {**entries, "problem_type": PROBLEM_TYPES[field.kind]}


def _with_pooling(model: PreTrainedModel, field: Field, pooling: str) -> PreTrainedModel:
    """Mark a model for mean pooling if asked for, and remove an averaging layer that it was saved with."""
    was_averaging = has_averaging_layer(model.config)  # the folder of a field of a run, used as an encoder
    if was_averaging:
        drop_averaging_layer(model)
    model.config.electra_ie = None
    if field.kind != "spans" and pooling == "mean":
        if can_average(model.config):
            model.config.electra_ie = {AVERAGES: True}
            if not was_averaging:
                init_near_identity(model)
        else:
            model.config.classifier_pooling = "mean"
    return model


def _names(config: PreTrainedConfig) -> tuple[str, ...]:
    """Return the names of a model's outputs in the order of their ids."""
    by_id = cast(dict[int, str], config.id2label)
    return tuple(by_id[index] for index in sorted(by_id))


def _reset_head(model: PreTrainedModel, name: str, loading_info: Mapping[str, Any], same_labels: bool) -> None:
    """Initialize the output layer of a loaded classifier unless it has the same labels.

    Raises:
        UserError: other weights do not have the shapes of the model.
    """
    output_layer = last_linear(model)
    prefix = next(prefix for prefix, module in model.named_modules() if module is output_layer)
    wrong = sorted(key for key, *_ in loading_info["mismatched_keys"] if not key.startswith(f"{prefix}."))
    if wrong:
        message = f"the weights of {wrong[0]} do not have the shape that config.json gives."
        raise UserError(message, file=name, remedy="Restore the folder.")
    if not same_labels and f"{prefix}.weight" not in loading_info["missing_keys"]:
        nn.init.normal_(output_layer.weight, std=getattr(model.config, "initializer_range", 0.02))
        if output_layer.bias is not None:
            nn.init.zeros_(output_layer.bias)
