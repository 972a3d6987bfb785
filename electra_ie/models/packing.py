"""Packing: windows of different lengths in one forward pass without padding.

All tokens of a batch are one row for the embeddings and linear layers, which are most of the work. Attention is
computed for the windows of one length at a time. So a batch is always full, and what is computed for a window is the
same, bit for bit, whatever other windows are in it: on a CPU, a matrix product computes each row in the same way if it
has at least `MIN_ROWS` of them. This is measured (benchmarks/extraction.py) and tested.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from electra_ie.models.encoders import PADDED_POSITIONS

MIN_ROWS = 16
"""A matrix product of fewer rows takes another path, whose last bits differ: 4 rows are enough on processors with AVX2,
16 on those with AMX."""
PACKABLE = ("bert", "electra", "roberta", "xlm-roberta", "camembert")
"""Families that take the positions of tokens as an input and attend to all tokens of a window."""
NAME = "electra_ie_packed"
"""The name of the attention function in transformers. Its models make no mask for a function that is not their own."""
_ATTENTION = threading.Lock()
"""Held while an encoder has this function, since the threads that use an extractor share its encoder."""


def can_pack(encoder: Any) -> bool:
    """Return whether an encoder computes packed windows as it does padded ones."""
    config = encoder.config
    absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
    return (
        config.model_type in PACKABLE
        and absolute
        and not getattr(config, "is_decoder", False)
        and config._attn_implementation in ("sdpa", NAME)  # NAME: another thread is in `packed_states`
    )


def enough_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return rows (B, ...), repeated if there are fewer than `MIN_ROWS`."""
    return rows if len(rows) >= MIN_ROWS else rows[torch.arange(MIN_ROWS, device=rows.device) % len(rows)]


def packed_states(encoder: Any, groups: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the last hidden states of all tokens, (1, tokens, H).

    Args:
        encoder: An encoder for which `can_pack` is true, in evaluation mode.
        groups: Token ids without padding, (B, L) each; at least `MIN_ROWS` tokens.
    """
    config = encoder.config
    first = (config.pad_token_id or 0) + 1 if config.model_type in PADDED_POSITIONS else 0
    ids = torch.cat([group.flatten() for group in groups])
    positions = torch.cat([torch.arange(group.shape[1], device=ids.device).repeat(len(group)) for group in groups])
    with _ATTENTION:
        config._attn_implementation = NAME
        try:
            states: torch.Tensor = encoder(
                input_ids=ids[None],
                position_ids=positions[None] + first,
                token_type_ids=torch.zeros_like(ids)[None],
                packed_shapes=[tuple(group.shape) for group in groups],
            ).last_hidden_state
        finally:
            config._attn_implementation = "sdpa"
    return states


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _: None,
    *,
    packed_shapes: Sequence[tuple[int, int]],
    scaling: float | None = None,
    **__: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention within each window, (1, tokens, heads, D), from (1, heads, tokens, D)."""
    parts = []
    start = 0
    for rows, length in packed_shapes:
        end = start + rows * length
        queries, keys, values = (
            tensor[0, :, start:end].unflatten(1, (rows, length)).transpose(0, 1) for tensor in (query, key, value)
        )
        attended = scaled_dot_product_attention(queries, keys, values, scale=scaling)
        parts.append(attended.transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(parts)[None], None


AttentionInterface.register(NAME, _attend)
