"""Checks that an encoder can be used: its stock heads read only its states, and it accepts word embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel

from electra_ie.common.errors import UserError
from electra_ie.data.fields import Field
from electra_ie.models.heads import FieldHead

FAILURES = (TypeError, RuntimeError, AttributeError, ValueError)
"""What the forward pass of an unsupported encoder raises."""


class HeadsOnEncoder(Protocol):
    """What the checks use of a `Discriminator`, which itself calls them."""

    encoder: Any
    fields: tuple[Field, ...]
    training: bool

    def head(self, field: Field) -> FieldHead:
        """Return the head of a field."""
        ...

    def stock_model(self, field: Field) -> AbstractContextManager[PreTrainedModel]:
        """Yield the complete stock model of a field."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Set training mode."""
        ...

    def eval(self) -> Any:
        """Set evaluation mode."""
        ...


def difference(compute: Callable[[], tuple[torch.Tensor, torch.Tensor]], atol: float) -> str | None:
    """Return what differs between two tensors that should agree up to `atol`, or why they cannot be computed.

    None if they agree.
    """
    try:
        values, expected = compute()
    except FAILURES as error:
        return str(error)
    if values.shape != expected.shape:
        return f"shape {tuple(values.shape)} instead of {tuple(expected.shape)}"
    if torch.allclose(values, expected, atol=atol):
        return None
    return f"values differ by up to {(values - expected).abs().max().item():.2g}"


@torch.no_grad()
def check_stock_parity(discriminator: HeadsOnEncoder, name: str) -> None:
    """Check that each head returns for the encoder's states what the stock model returns for the text.

    Raises:
        UserError: a stock head reads more than the states of the encoder `name`.
    """
    ids = _sample_ids(discriminator)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]], device=ids.device)
    with _evaluating(discriminator):
        for field in discriminator.fields:
            if (fault := difference(partial(_logits, discriminator, field, ids, mask), atol=1e-5)) is not None:
                family = type(discriminator.head(field).model).__name__
                raise UserError(
                    f'the encoder "{name}" cannot be used for the field "{field.name}" ({field.kind}): '
                    f"{family} reads more than the encoder's states ({fault}).",
                    remedy="Choose another encoder, such as a BERT, RoBERTa, ELECTRA, DeBERTa or ModernBERT.",
                )


@torch.no_grad()
def check_maskable(discriminator: HeadsOnEncoder, name: str, mask_token_id: int) -> None:
    """Check that tokens of the encoder `name` can be masked by their word embeddings.

    Raises:
        UserError: the encoder has no embedding for the mask token, or returns other states for word embeddings than for
            the token ids.
    """
    if mask_token_id >= discriminator.encoder.get_input_embeddings().num_embeddings:
        raise UserError(
            f'the encoder "{name}" has no embedding for the mask token of its tokenizer: no token can be masked.',
            remedy="Choose another encoder, or --preset supervised.",
        )
    ids = _sample_ids(discriminator)
    mask = torch.ones_like(ids)
    with _evaluating(discriminator):
        fault = difference(partial(_states, discriminator.encoder, ids, mask), atol=1e-5)
    if fault is not None:
        raise UserError(
            f'no token can be masked for the encoder "{name}": it does not accept word embeddings ({fault}).',
            remedy="Choose another encoder, or --preset supervised.",
        )


def _logits(
    discriminator: HeadsOnEncoder, field: Field, ids: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of a field by its head on the encoder's states, and by its complete stock model."""
    states = discriminator.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    logits = discriminator.head(field)(states, mask)[0]
    with discriminator.stock_model(field) as model:
        return logits, model(input_ids=ids, attention_mask=mask).logits


def _states(encoder: Any, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the states of an encoder for word embeddings, and for token ids."""
    embeddings = encoder.get_input_embeddings()(ids)
    states = encoder(inputs_embeds=embeddings, attention_mask=mask).last_hidden_state
    return states, encoder(input_ids=ids, attention_mask=mask).last_hidden_state


def _sample_ids(discriminator: HeadsOnEncoder) -> torch.Tensor:
    encoder = discriminator.encoder
    vocab_size: int = encoder.config.vocab_size
    return torch.arange(5, 13, device=encoder.device).view(2, 4) % vocab_size


@contextmanager
def _evaluating(module: HeadsOnEncoder) -> Iterator[None]:
    """Put a module into evaluation mode within the context."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
