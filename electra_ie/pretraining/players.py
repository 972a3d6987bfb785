"""The players of replaced-token detection: a masked language model that fills, an encoder that finds what was replaced.

Both are stock transformers models. The discriminator is the case K = 1 of the one that `train` uses: one class,
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

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field
from electra_ie.models.heads import StateReplay
from electra_ie.models.outputs import DiscriminatorOutput, MaskedLMOutput
from electra_ie.pretraining.masking import TokenBatch

TOKENS = Field("tokens", "spans", ("original",))
"""The one field of this game: is a token the original one?"""


@dataclass
class CorruptedBatch:
    """What the generator made of a batch.

    filled: the chosen places and its answers there. input_ids: (B, L), the text with its samples in these places.
    replaced: (B, L) boolean, true where that changed the token: one restored by chance is original.
    """

    filled: MaskedLMOutput
    input_ids: torch.Tensor
    replaced: torch.Tensor

    def detach(self) -> CorruptedBatch:
        return replace(self, filled=self.filled.detach())


class MaskFiller(nn.Module):
    """A stock masked language model; only the chosen places go through its vocabulary projection.

    Its head stays stock: a stand-in (see `discriminator.StateReplay`) hands it the encoder's states at these places.
    """

    encoder: Any
    head: Any

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.encoder = model.base_model
        _leave_out_pooler(self.encoder)
        setattr(model, model.base_model_prefix, StateReplay(None))
        self.head = model

    def fill(self, batch: TokenBatch) -> MaskedLMOutput:
        """The k chosen places of each of B blocks, as B * k rows."""
        states = _states(self.encoder, batch.masked_ids, batch.mask)
        chosen = states.gather(1, batch.positions[..., None].expand(-1, -1, states.shape[-1]))
        logits = self.head(inputs_embeds=chosen.flatten(0, 1)[None]).logits[0].float()
        rows = torch.arange(len(states), device=states.device)[:, None] * states.shape[1]
        labels = batch.input_ids.gather(1, batch.positions).flatten()
        return MaskedLMOutput(
            TOKENS, logits, labels, labels, batch.weight.flatten(), (rows + batch.positions).flatten()
        )

    @contextmanager
    def stock(self) -> Iterator[PreTrainedModel]:
        """The whole stock model, encoder in its place, as it is saved."""
        prefix = self.head.base_model_prefix
        playback = getattr(self.head, prefix)
        setattr(self.head, prefix, self.encoder)
        try:
            yield self.head
        finally:
            setattr(self.head, prefix, playback)


class TokenGenerator(MaskFiller):
    """Fills the chosen places by sampling from the masked language model's own distribution, never by its argmax."""

    def forward(self, batch: TokenBatch, step: int = 0) -> dict[str, CorruptedBatch]:
        filled = self.fill(batch)
        drawn = sample(filled.logits.detach(), batch.uniform.flatten())
        # A place that does not count keeps its token.
        drawn = torch.where(filled.weight > 0, drawn, filled.labels)
        ids = batch.input_ids.scatter(1, batch.positions, drawn.view_as(batch.positions))
        return {TOKENS.name: CorruptedBatch(replace(filled, drawn=drawn), ids, ids != batch.input_ids)}


def sample(logits: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Logits (N, V), float32, and uniform chances (N,) -> ids (N,), drawn from the softmax by inverting its
    distribution function: the law of the Gumbel trick with one random number in place of V."""
    reached = logits.softmax(-1).cumsum(-1)
    return (
        torch.searchsorted(reached, chance[:, None] * reached[:, -1:], right=True)
        .squeeze(-1)
        .clamp(max=logits.shape[-1] - 1)
    )


class TokenDiscriminator(nn.Module):
    """Tells, for each token, whether it is the original. The head is ELECTRA's; its logit says "replaced", and the
    realness is therefore its negative."""

    encoder: Any

    def __init__(self, model: PreTrainedModel):
        """`ElectraForPreTraining` with the head it has, or the encoder of any other family, which gets a new one."""
        super().__init__()
        self.electra = isinstance(model, ElectraForPreTraining)
        self.whole = [model]  # in a list: its parts are registered below
        self.encoder = model.electra if self.electra else model
        made: Any = model.discriminator_predictions if self.electra else None
        self.predictions: nn.Module = made or ElectraDiscriminatorPredictions(_head(model.config))
        self.poolers = [getattr(self.encoder, "pooler", None)]
        _leave_out_pooler(self.encoder)

    @contextmanager
    def stock(self) -> Iterator[PreTrainedModel]:
        """The stock model as it is saved: with its head for an ELECTRA, else the plain encoder with its pooler."""
        with _pooling(self.encoder, self.poolers[0]):
            yield self.whole[0]

    def forward(
        self, batch: TokenBatch, fakes: Mapping[str, CorruptedBatch]
    ) -> tuple[dict[str, DiscriminatorOutput], dict[str, DiscriminatorOutput]]:
        """The verdict on the tokens of the corrupted text: once weighing the original ones, once the replaced ones.

        Rows are all B * L tokens in both; padding weighs nothing.
        """
        made = fakes[TOKENS.name]
        states = _states(self.encoder, made.input_ids, batch.mask)
        realness = -self.predictions(states).float().flatten()
        replaced = made.replaced.flatten()
        counted = batch.mask.flatten().float()
        labels = torch.where(replaced, -100, 0)
        features = states.flatten(0, 1)

        def verdict(weight: torch.Tensor) -> dict[str, DiscriminatorOutput]:
            return {TOKENS.name: DiscriminatorOutput(TOKENS, realness[:, None], features, realness, labels, weight)}

        return verdict(counted * ~replaced), verdict(counted * replaced)

    def judge(self, fakes: Mapping[str, CorruptedBatch]) -> dict[str, MaskedLMOutput]:
        """The generator's own answers. It learns from these: no gradient passes through a sampled token."""
        return {name: made.filled for name, made in fakes.items()}


class MaskedLanguageModel(MaskFiller):
    """The control: the encoder itself fills the masks, alone."""

    def __init__(self, model: PreTrainedModel, pooler: nn.Module | None):
        """pooler: the encoder's, which masked language models leave out; it is saved again with the encoder."""
        super().__init__(model)
        self.poolers = [pooler]  # in a list: not registered

    @contextmanager
    def stock(self) -> Iterator[PreTrainedModel]:
        with _pooling(self.encoder, self.poolers[0]), super().stock() as model:
            yield model

    def forward(
        self, batch: TokenBatch, fakes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, MaskedLMOutput], dict[str, MaskedLMOutput]]:
        return {TOKENS.name: self.fill(batch)}, {}


def _leave_out_pooler(encoder: Any) -> None:
    """It takes no part in this game, and a weight without a gradient would stop distributed training."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None


@contextmanager
def _pooling(encoder: Any, pooler: nn.Module | None) -> Iterator[None]:
    """Within, the encoder has its pooler again, where the encoder is."""
    if pooler is not None:
        encoder.pooler = pooler.to(encoder.device)
    try:
        yield
    finally:
        _leave_out_pooler(encoder)


def _states(encoder: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return encoder(input_ids=ids, attention_mask=mask).last_hidden_state


def _head(config: Any) -> ElectraConfig:
    """What ELECTRA's head asks of a configuration; a family may call it otherwise."""
    return ElectraConfig(hidden_size=config.hidden_size, hidden_act="gelu")


@torch.no_grad()
def probe(filler: MaskFiller, name: str) -> None:
    """Refuse, by name, a model whose head answers otherwise on the chosen places than on the whole text."""
    device = next(filler.parameters()).device
    ids = torch.arange(5, 13, device=device).view(2, 4) % filler.encoder.config.vocab_size
    places = torch.tensor([[1, 3], [0, 2]], device=device)
    ones = torch.ones_like(ids)
    training = filler.training
    filler.eval()
    try:
        batch = TokenBatch(ids, ids, ones, places, ones[:, :2].float(), ones[:, :2].float())
        found = filler.fill(batch).logits
        with filler.stock() as model:
            whole = model(input_ids=ids, attention_mask=ones).logits.float()
        same = torch.allclose(
            found, whole.gather(1, places[..., None].expand(-1, -1, whole.shape[-1])).flatten(0, 1), atol=1e-4
        )
    except (TypeError, RuntimeError, AttributeError, ValueError):
        same = False
    filler.train(training)
    if not same:
        raise UserError(
            f'"{name}" cannot be used to fill masks: its {type(filler.head).__name__} reads more than the states.',
            remedy="Choose another encoder, such as a BERT, RoBERTa, ELECTRA, DeBERTa or ModernBERT.",
        )
