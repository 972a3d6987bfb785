"""The stock models of a pretraining run: loaded from an encoder, or new ones in the sizes of the paper."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from electra_ie.common.errors import UserError
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.models.encoders import MODEL_LOCK, load_tokenizer, max_length, resolve_encoder, translate_load_errors
from electra_ie.models.pooling import has_averaging_layer

GENERATOR = "generator"
"""The folder, within that of an encoder, of the generator that it was trained with."""
SHAPES: dict[str, tuple[int, int, int, int, int]] = {
    "tiny": (64, 128, 4, 4, 4),
    "small": (128, 256, 12, 4, 4),
    "base": (768, 768, 12, 12, 3),
}
"""Embedding size, hidden size, layers, heads, and the divisor of hidden size and heads for the generator. small and
base as in Clark et al. 2020, table 6; tiny is ours, for small corpora and tests."""


def shape(settings: PretrainSettings, tokenizer: PreTrainedTokenizerBase, generator: bool) -> ElectraConfig:
    """Return the configuration of a new model. The feed-forward layers are four times as wide as the hidden states."""
    embedding, width, layers, heads, divisor = SHAPES[settings.from_scratch or ""]
    if generator:
        width, heads = width // divisor, max(1, heads // divisor)
    return ElectraConfig(
        embedding_size=embedding,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        vocab_size=len(tokenizer),
        max_position_embeddings=max(512, settings.block_length),
        pad_token_id=tokenizer.pad_token_id,
    )


def encoder_config(settings: PretrainSettings, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """Return the configuration of the encoder to train. Raises UserError for one that ends in an averaging layer."""
    if settings.from_scratch:
        return shape(settings, tokenizer, generator=False)
    folder = resolve_encoder(settings.start)
    with translate_load_errors(settings.start):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if has_averaging_layer(config):
        remedy = "Give the encoder that the run was trained from (run.yaml names it)."
        raise UserError(
            "this is the model of a field of a run, whose last layer only averages.",
            file=settings.start,
            remedy=remedy,
        )
    return cast(PreTrainedConfig, config)


def load_encoder(settings: PretrainSettings, config: PreTrainedConfig) -> PreTrainedModel:
    """Return the discriminator's stock model: `ElectraForPreTraining` for an ELECTRA, else the plain encoder."""
    model_class: Any = ElectraForPreTraining if config.model_type == "electra" else AutoModel
    if settings.from_scratch:
        return _new(model_class, config)
    return _load(model_class, settings.start, config)


def load_masked_lm(settings: PretrainSettings, config: PreTrainedConfig) -> PreTrainedModel:
    """Return the encoder as a masked language model, for the objective mlm."""
    if isinstance(config, ElectraConfig) and settings.from_scratch:
        return _new(ElectraForMaskedLM, config)
    return _load(AutoModelForMaskedLM, settings.start, config)


def load_start(settings: PretrainSettings) -> PreTrainedModel:
    """Return the encoder that pretraining continues from, without any head."""
    return _load(AutoModel, settings.start)


def load_pooler(settings: PretrainSettings) -> torch.nn.Module | None:
    """Return the pooler that encoders of some families contain; None for others and for a new encoder."""
    return None if settings.from_scratch else getattr(load_start(settings), "pooler", None)


def load_generator(
    settings: PretrainSettings, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedModel:
    """Return the generator.

    It is `generator_encoder` if set, else the one in the encoder's folder, else a model of the encoder's lower layers.
    Raises UserError for a generator with another vocabulary.
    """
    if settings.from_scratch:
        return _new(ElectraForMaskedLM, shape(settings, tokenizer, generator=True))
    name = settings.generator_encoder
    saved_generator = Path(resolve_encoder(settings.start)) / GENERATOR
    if name is None and (saved_generator / "config.json").is_file() and settings.generator_layers is None:
        name = str(saved_generator)
    if name is not None:
        if load_tokenizer(name).get_vocab() != tokenizer.get_vocab():
            raise UserError(
                f'the generator "{name}" has another vocabulary than the encoder "{settings.start}".',
                remedy="Give the generator that was trained with this encoder, or none.",
            )
        model = _load(AutoModelForMaskedLM, name)
        _check_generator(model, name, config, settings.block_length)
        return model
    layers = settings.generator_layers or max(1, round(config.num_hidden_layers / 3))
    if layers > config.num_hidden_layers:
        raise UserError(
            f"generator_layers is {layers}; the encoder has {config.num_hidden_layers}.",
            remedy=f"Set generator_layers to {config.num_hidden_layers} or less.",
        )
    shallow = copy.deepcopy(config)
    shallow.num_hidden_layers = layers
    if getattr(shallow, "layer_types", None):  # families with layers of several types list them
        shallow.layer_types = shallow.layer_types[:layers]
    return _load(AutoModelForMaskedLM, settings.start, shallow)


def _check_generator(model: PreTrainedModel, name: str, config: PreTrainedConfig, block_length: int) -> None:
    """Raise UserError if a generator has another number of embeddings than the encoder, or takes shorter inputs."""
    if model.config.vocab_size != config.vocab_size:
        raise UserError(
            f'the generator "{name}" has {model.config.vocab_size} embeddings, the encoder {config.vocab_size}.',
            remedy="Give the generator that was trained with this encoder, or none.",
        )
    longest = max_length(load_tokenizer(name), model.config)
    if block_length > longest:
        raise UserError(
            f'block_length is {block_length}; the generator "{name}" takes {longest} tokens.',
            remedy=f"Set it to {longest} or less.",
        )


def _new(model_class: Any, config: PreTrainedConfig) -> PreTrainedModel:
    with MODEL_LOCK:
        return cast(PreTrainedModel, model_class(config))


def _load(model_class: Any, name: str, config: PreTrainedConfig | None = None) -> PreTrainedModel:
    folder, kwargs = resolve_encoder(name), {} if config is None else {"config": config}
    with translate_load_errors(name):
        model = model_class.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, **kwargs
        )
    return cast(PreTrainedModel, model)
