"""The models of pretraining: a masked language model that replaces tokens, and an encoder that detects replaced ones.

All are stock transformers models inside. The discriminator is the case K = 1 of the one that `train` uses: one class,
"original", whose logit is the realness of a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import ElectraConfig, PreTrainedModel
from transformers.models.electra.modeling_electra import ElectraDiscriminatorPredictions, ElectraForPreTraining
from transformers.utils import ModelOutput

from electra_ie.common.errors import UserError
from electra_ie.data.fields import IGNORED, Field
from electra_ie.models.heads import StateReplay
from electra_ie.models.losses import Mean, local_mean, weighted_loss
from electra_ie.models.outputs import DiscriminatorOutput, MaskedTokenScores, UnitScores
from electra_ie.models.parity_checks import difference
from electra_ie.pretraining.masking import TokenBatch

TOKENS = Field("tokens", "spans", ("original",))
"""The only field of pretraining: whether a token is the original one."""


@dataclass
class TokenGeneratorOutput(ModelOutput):
    """A batch with replaced tokens.

    Attributes:
        input_ids: (B, L), the text with sampled tokens at the masked positions.
        replaced: (B, L) boolean, true where the sampled token differs from the original one.
        predictions: The generator's predictions at the masked positions.
    """

    input_ids: torch.Tensor | None = None
    replaced: torch.Tensor | None = None
    predictions: MaskedTokenScores | None = None

    def detach(self) -> TokenGeneratorOutput:
        """Return the output without a gradient to the generator."""
        assert self.predictions is not None
        return replace(self, predictions=self.predictions.detach())


class MaskedTokenModel(nn.Module):
    """A stock masked language model that projects only the masked positions onto the vocabulary.

    Its head stays stock: `StateReplay` gives it the encoder's states at these positions.
    """

    encoder: Any
    head: Any

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = model.base_model
        _remove_pooler(self.encoder)
        setattr(model, model.base_model_prefix, StateReplay(None))
        self.head = model

    def predict_masked(self, batch: TokenBatch) -> MaskedTokenScores:
        """Return the predictions at the k masked positions of each of B blocks, as B * k rows."""
        states = _encode(self.encoder, batch.masked_ids, batch.mask)
        masked_states = states.gather(1, batch.positions[..., None].expand(-1, -1, states.shape[-1]))
        logits = self.head(inputs_embeds=masked_states.flatten(0, 1)[None]).logits[0].float()
        row_offsets = torch.arange(len(states), device=states.device)[:, None] * states.shape[1]
        labels = batch.input_ids.gather(1, batch.positions).flatten()
        positions = (row_offsets + batch.positions).flatten()
        return MaskedTokenScores(TOKENS, logits, labels, labels, batch.weight.flatten(), positions)

    @contextmanager
    def stock_model(self) -> Iterator[PreTrainedModel]:
        """Yield the complete stock model, with its encoder, as it is saved."""
        prefix = self.head.base_model_prefix
        replay = getattr(self.head, prefix)
        setattr(self.head, prefix, self.encoder)
        try:
            yield self.head
        finally:
            setattr(self.head, prefix, replay)


class TokenGenerator(MaskedTokenModel):
    """Replaces the masked tokens by samples from the distribution of a masked language model."""

    def forward(self, step: int = 0, **batch: torch.Tensor) -> TokenGeneratorOutput:
        """Return the tensors of a `TokenBatch` with sampled tokens. `step` is not used."""
        token_batch = TokenBatch(**batch)
        predictions = self.predict_masked(token_batch)
        sampled = sample(predictions.logits.detach(), token_batch.uniform.flatten())
        # A position that does not count keeps its token.
        sampled = torch.where(predictions.weight > 0, sampled, predictions.labels)
        input_ids = token_batch.input_ids.scatter(1, token_batch.positions, sampled.view_as(token_batch.positions))
        return TokenGeneratorOutput(
            input_ids, input_ids != token_batch.input_ids, replace(predictions, sampled=sampled)
        )


def sample(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sample ids (N,) from the softmax of logits (N, V), float32, by inversion of its cumulative distribution function.

    uniform: (N,), random numbers in [0, 1): one for each sample, where the Gumbel trick needs V.
    """
    cumulative = logits.softmax(-1).cumsum(-1)
    return (
        torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
        .squeeze(-1)
        .clamp(max=logits.shape[-1] - 1)
    )


class TokenDiscriminator(nn.Module):
    """Detects replaced tokens with ELECTRA's head. Its logit is that of "replaced"; realness is its negative."""

    encoder: Any

    def __init__(self, model: PreTrainedModel) -> None:
        """Take an `ElectraForPreTraining` with its head, or an encoder of any other family, which gets a new head."""
        super().__init__()
        self.is_electra = isinstance(model, ElectraForPreTraining)
        self.unregistered_model = [model]  # in a list: its modules are registered below
        self.encoder = model.electra if self.is_electra else model
        own_head: Any = model.discriminator_predictions if self.is_electra else None
        self.predictions: nn.Module = own_head or ElectraDiscriminatorPredictions(_head_config(model.config))
        self.unregistered_pooler = [getattr(self.encoder, "pooler", None)]
        _remove_pooler(self.encoder)

    @contextmanager
    def stock_model(self) -> Iterator[PreTrainedModel]:
        """Yield the stock model as it is saved: an ELECTRA with its head, any other encoder with its pooler."""
        with _with_pooler(self.encoder, self.unregistered_pooler[0]):
            yield self.unregistered_model[0]

    def forward(
        self,
        generated: TokenGeneratorOutput,
        loss_weights: Mapping[str, float] | None = None,
        mean: Mean = local_mean,
        **batch: torch.Tensor,
    ) -> DiscriminatorOutput:
        """Score all B * L tokens of a text with replaced tokens.

        Of the output, `units` has the weights of the original tokens and `generated_units` those of the replaced ones;
        both have all tokens, and padding has the weight 0. The arguments are those of `Discriminator.forward`, with the
        tensors of a `TokenBatch`.
        """
        token_batch = TokenBatch(**batch)
        assert generated.input_ids is not None
        assert generated.replaced is not None
        states = _encode(self.encoder, generated.input_ids, token_batch.mask)
        realness = -self.predictions(states).float().flatten()
        replaced = generated.replaced.flatten()
        is_token = token_batch.mask.flatten().float()
        labels = torch.where(replaced, IGNORED, 0)
        features = states.flatten(0, 1)

        def units(weight: torch.Tensor) -> dict[str, UnitScores]:
            return {TOKENS.name: UnitScores(TOKENS, realness[:, None], features, realness, labels, weight)}

        original_units, replaced_units = units(is_token * ~replaced), units(is_token * replaced)
        loss_weights = {"replaced_token_detection": 1.0} if loss_weights is None else loss_weights
        loss, losses = weighted_loss("discriminator", loss_weights, original_units, replaced_units, mean)
        return DiscriminatorOutput(loss=loss, losses=losses, units=original_units, generated_units=replaced_units)

    def generator_loss(
        self,
        generated: TokenGeneratorOutput,
        output: DiscriminatorOutput,
        loss_weights: Mapping[str, float] | None = None,
        mean: Mean = local_mean,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the loss of the generator on its own predictions: no gradient passes through a sampled token."""
        assert output.units is not None
        loss_weights = {"mlm": 1.0} if loss_weights is None else loss_weights
        return weighted_loss("generator", loss_weights, output.units, {TOKENS.name: generated.predictions}, mean)


class MaskedLanguageModel(MaskedTokenModel):
    """The encoder with a masked language modeling head, trained without a generator: the objective `mlm`."""

    def __init__(self, model: PreTrainedModel, pooler: nn.Module | None) -> None:
        """pooler: that of the encoder, which masked language models lack; it is saved with the encoder."""
        super().__init__(model)
        self.unregistered_pooler = [pooler]  # in a list: not trained

    @contextmanager
    def stock_model(self) -> Iterator[PreTrainedModel]:
        """Yield the complete stock model with the encoder's pooler."""
        with _with_pooler(self.encoder, self.unregistered_pooler[0]), super().stock_model() as model:
            yield model

    def forward(
        self,
        generated: None = None,
        loss_weights: Mapping[str, float] | None = None,
        mean: Mean = local_mean,
        **batch: torch.Tensor,
    ) -> DiscriminatorOutput:
        """Predict the masked tokens of a `TokenBatch`, with the arguments of `Discriminator.forward`."""
        units: dict[str, Any] = {TOKENS.name: self.predict_masked(TokenBatch(**batch))}
        loss_weights = {"mlm": 1.0} if loss_weights is None else loss_weights
        loss, losses = weighted_loss("discriminator", loss_weights, units, {}, mean)
        return DiscriminatorOutput(loss=loss, losses=losses, units=units)


def _remove_pooler(encoder: Any) -> None:
    """Remove the pooler, which gets no gradient in pretraining: DistributedDataParallel would fail on its weights."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None


@contextmanager
def _with_pooler(encoder: Any, pooler: nn.Module | None) -> Iterator[None]:
    """Give the encoder its pooler back within the context, on the encoder's device."""
    if pooler is not None:
        encoder.pooler = pooler.to(encoder.device)
    try:
        yield
    finally:
        _remove_pooler(encoder)


def _encode(encoder: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    states: torch.Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return states


def _head_config(config: Any) -> ElectraConfig:
    """Return the configuration that ELECTRA's head reads; other families name its entries otherwise."""
    return ElectraConfig(hidden_size=config.hidden_size, hidden_act="gelu")


@torch.no_grad()
def check_mlm_parity(model: MaskedTokenModel, name: str) -> None:
    """Check that the head returns for the masked positions what the stock model returns for the whole text.

    Raises:
        UserError: the stock head of the encoder `name` reads more than its states.
    """
    device = next(model.parameters()).device
    ids = torch.arange(5, 13, device=device).view(2, 4) % model.encoder.config.vocab_size
    positions = torch.tensor([[1, 3], [0, 2]], device=device)
    ones = torch.ones_like(ids)
    training = model.training
    model.eval()

    def logits() -> tuple[torch.Tensor, torch.Tensor]:
        batch = TokenBatch(ids, ids, ones, positions, ones[:, :2].float(), ones[:, :2].float())
        with model.stock_model() as stock:
            whole = stock(input_ids=ids, attention_mask=ones).logits.float()
        expected = whole.gather(1, positions[..., None].expand(-1, -1, whole.shape[-1])).flatten(0, 1)
        return model.predict_masked(batch).logits, expected

    fault = difference(logits, atol=1e-4)
    model.train(training)
    if fault is not None:
        raise UserError(
            f'"{name}" cannot predict masked tokens: its {type(model.head).__name__} reads more than the states '
            f"({fault}).",
            remedy="Choose another encoder, such as a BERT, RoBERTa, ELECTRA, DeBERTa or ModernBERT.",
        )
