"""Configuration of the static encoder; importing this module registers it with `AutoConfig`."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from electra_ie.config.distill import STATIC_MODEL


class StaticConfig(PreTrainedConfig):
    """Configuration of a `StaticEncoder`.

    Args:
        vocab_size: The number V of tokens.
        embedding_size: The width E of a token vector.
        hidden_size: The width H of a state.
        num_hidden_layers: The number of window layers.
        window_width: The number of neighbors on each side that a window layer reads.
        hidden_dropout_prob: The dropout of the window layers and the heads.
        max_position_embeddings: The number of tokens that a text may have. The model has no positions: a longer text
            has the same states, and the limit is that of the encoder it was distilled from.
        initializer_range: The standard deviation of new weights.
        pad_token_id: The id of the padding token.
        kwargs: As for every `PreTrainedConfig`.
    """

    model_type = STATIC_MODEL

    def __init__(  # noqa: PLR0913 - the values of a configuration, as in transformers
        self,
        *,
        vocab_size: int = 30522,
        embedding_size: int = 256,
        hidden_size: int = 128,
        num_hidden_layers: int = 4,
        window_width: int = 1,
        hidden_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512,
        initializer_range: float = 0.02,
        pad_token_id: int | None = 0,
        **kwargs: Any,
    ) -> None:
        """See the class for the arguments."""
        self.vocab_size, self.embedding_size, self.hidden_size = vocab_size, embedding_size, hidden_size
        self.num_hidden_layers, self.window_width = num_hidden_layers, window_width
        self.hidden_dropout_prob, self.initializer_range = hidden_dropout_prob, initializer_range
        self.max_position_embeddings, self.pad_token_id = max_position_embeddings, pad_token_id
        super().__init__(**kwargs)


AutoConfig.register(StaticConfig.model_type, StaticConfig, exist_ok=True)
