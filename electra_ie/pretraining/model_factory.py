"""The stock models of a pretraining run: loaded from an encoder, or made new in the shapes of the paper."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

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
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_encoder, translate_load_errors
from electra_ie.models.pooling import has_averaging_layer

GENERATOR = "generator"
"""The folder, beside an encoder's files, of the generator that it was trained with."""
SHAPES: dict[str, tuple[int, int, int, int, int]] = {
    "tiny": (64, 128, 4, 4, 4),
    "small": (128, 256, 12, 4, 4),
    "base": (768, 768, 12, 12, 3),
}
"""Embedding size, width, layers, heads, and by what the generator is narrower: small and base as in Clark et al. 2020,
table 6; tiny is ours, for small corpora and tests."""


def shape(settings: PretrainSettings, tokenizer: PreTrainedTokenizerBase, generator: bool) -> ElectraConfig:
    """The configuration of a new model. The feed-forward layer is four times as wide as the states."""
    embedding, width, layers, heads, narrower = SHAPES[settings.from_scratch or ""]
    if generator:
        width, heads = width // narrower, max(1, heads // narrower)
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
    """The configuration of the encoder that is trained. Raises UserError for one that ends in an averaging layer."""
    if settings.from_scratch:
        return shape(settings, tokenizer, generator=False)
    with translate_load_errors(settings.start):
        config = AutoConfig.from_pretrained(resolve_encoder(settings.start), trust_remote_code=False)
    if has_averaging_layer(config):
        remedy = "Give the encoder that the run was trained from (run.yaml names it)."
        raise UserError(
            "this is the field of a run, whose last layer only averages.", file=settings.start, remedy=remedy
        )
    return config


def load_encoder(settings: PretrainSettings, config: PreTrainedConfig) -> PreTrainedModel:
    """The discriminator's stock model: `ElectraForPreTraining` for an ELECTRA, else the plain encoder."""
    kind: Any = ElectraForPreTraining if config.model_type == "electra" else AutoModel
    if settings.from_scratch:
        return kind(config)
    return _load(kind, settings.start, config)


def load_filler(settings: PretrainSettings, config: PreTrainedConfig) -> PreTrainedModel:
    """The encoder itself as a masked language model, for the objective mlm."""
    if isinstance(config, ElectraConfig) and settings.from_scratch:
        return ElectraForMaskedLM(config)
    return _load(AutoModelForMaskedLM, settings.start, config)


def load_start(settings: PretrainSettings) -> PreTrainedModel:
    """The encoder that is gone on from, without any head."""
    return _load(AutoModel, settings.start)


def load_pooler(settings: PretrainSettings) -> torch.nn.Module | None:
    """The pooler that some families keep in their encoder."""
    return None if settings.from_scratch else getattr(load_start(settings), "pooler", None)


def load_generator(
    settings: PretrainSettings, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedModel:
    """The generator: the one asked for, else the one kept beside the encoder, else one made of its lower layers.

    Raises UserError for a generator with another vocabulary.
    """
    if settings.from_scratch:
        return ElectraForMaskedLM(shape(settings, tokenizer, generator=True))
    name = settings.generator_encoder
    beside = Path(resolve_encoder(settings.start)) / GENERATOR
    if name is None and (beside / "config.json").is_file() and settings.generator_layers is None:
        name = str(beside)
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
            f"generator_layers is {layers}; the encoder has {config.num_hidden_layers}.", remedy="Give fewer."
        )
    shallow = copy.deepcopy(config)
    shallow.num_hidden_layers = layers
    if getattr(shallow, "layer_types", None):  # families whose layers differ list them
        shallow.layer_types = shallow.layer_types[:layers]
    return _load(AutoModelForMaskedLM, settings.start, shallow)


def _check_generator(model: PreTrainedModel, name: str, config: PreTrainedConfig, length: int) -> None:
    if model.config.vocab_size != config.vocab_size:
        raise UserError(
            f'the generator "{name}" has {model.config.vocab_size} embeddings, the encoder {config.vocab_size}.',
            remedy="Give the generator that was trained with this encoder, or none.",
        )
    most = max_length(load_tokenizer(name), model.config)
    if length > most:
        raise UserError(f'length is {length}; the generator "{name}" takes {most} tokens.', remedy="Set it to less.")


def _load(kind: Any, name: str, config: PreTrainedConfig | None = None) -> PreTrainedModel:
    given = {} if config is None else {"config": config}
    with translate_load_errors(name):
        return kind.from_pretrained(
            resolve_encoder(name), trust_remote_code=False, use_safetensors=True, dtype=torch.float32, **given
        )
