"""The static encoder: one vector per token, and window layers over them instead of attention.

It is the form of spaCy's tok2vec (a convolution over a window of tokens, with residual connections): a state depends on
the token and a few neighbors only, and costs a few percent of a transformer's. Importing this module registers the
classes with the Auto classes of transformers, which alone does not know them.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput, TokenClassifierOutput

from electra_ie.models.static_config import StaticConfig


class _StaticModel(PreTrainedModel):
    """What the static encoder and its heads share."""

    config_class = StaticConfig
    base_model_prefix = "static"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
        if isinstance(module, nn.Linear | nn.LayerNorm) and module.bias is not None:
            nn.init.zeros_(module.bias)


class WindowLayer(nn.Module):
    """A layer that adds to each state what it computes from the states of a token and of its neighbors."""

    def __init__(self, config: StaticConfig) -> None:
        super().__init__()
        self.width = config.window_width
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dense = nn.Linear((2 * self.width + 1) * config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return states (B, L, H) from states (B, L, H) and a mask (B, L, 1), which is 0 at padding.

        Beyond the text all neighbors are 0, so that a state does not depend on the padding.
        """
        normed = self.norm(states) * mask
        length, width = states.shape[1], self.width
        padded = functional.pad(normed, (0, 0, width, width))
        window = torch.cat([padded[:, shift : shift + length] for shift in range(2 * width + 1)], dim=-1)
        return cast(torch.Tensor, states + self.dropout(functional.gelu(self.dense(window))))


class StaticEncoder(_StaticModel):
    """Token vectors, a projection, and window layers. It is saved and loaded as every transformers model.

    Attributes:
        embeddings: The token vectors (V, E).
        projection: To the width of the states.
        layers: The window layers.
        norm: The layer norm of the states.
    """

    def __init__(self, config: StaticConfig) -> None:
        """Create the encoder with random weights."""
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size)
        self.projection = nn.Linear(config.embedding_size, config.hidden_size)
        self.layers = nn.ModuleList(WindowLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the token vectors."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the token vectors."""
        self.embeddings = cast(nn.Embedding, value)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutput:
        """Return the states (B, L, H) of the tokens.

        Args:
            input_ids: (B, L).
            attention_mask: (B, L), 0 at padding; by default all ones.
            inputs_embeds: (B, L, E), token vectors in place of ids.
        """
        vectors = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        mask = vectors.new_ones(vectors.shape[:2]) if attention_mask is None else attention_mask
        mask = mask[..., None].to(vectors.dtype)
        states = self.projection(vectors)
        for layer in self.layers:
            states = layer(states, mask)
        return BaseModelOutput(last_hidden_state=self.norm(states))


class StaticForTokenClassification(_StaticModel):
    """A static encoder with a linear layer that classifies each token."""

    def __init__(self, config: StaticConfig) -> None:
        """Create the model with random weights."""
        super().__init__(config)
        self.num_labels: int = config.num_labels  # type: ignore[assignment]
        self.static = StaticEncoder(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **_: Any,
    ) -> TokenClassifierOutput:
        """Return the logits (B, L, K); `labels` (B, L) give the loss. The other arguments: as `StaticEncoder`."""
        states = self.static(
            input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds
        ).last_hidden_state
        logits = self.classifier(self.dropout(states))
        loss = self.loss_function(logits, labels, self.config) if labels is not None else None
        return TokenClassifierOutput(loss=loss, logits=logits)


class StaticForSequenceClassification(_StaticModel):
    """A static encoder with a classifier on the mean and the maximum of the states of a text."""

    def __init__(self, config: StaticConfig) -> None:
        """Create the model with random weights."""
        super().__init__(config)
        self.num_labels: int = config.num_labels  # type: ignore[assignment]
        self.static = StaticEncoder(config)
        self.dense = nn.Linear(2 * config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Return the logits (B, K); `labels` give the loss. The other arguments: as `StaticEncoder`."""
        states = self.static(
            input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds
        ).last_hidden_state
        mask = states.new_ones(states.shape[:2]) if attention_mask is None else attention_mask.to(states.dtype)
        mask = mask[..., None]
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        highest = states.masked_fill(mask == 0, torch.finfo(states.dtype).min).amax(1)
        pooled = functional.gelu(self.dense(torch.cat([mean, highest], dim=-1)))
        logits = self.classifier(self.dropout(pooled))
        loss = self.loss_function(labels, logits, self.config) if labels is not None else None
        return SequenceClassifierOutput(loss=loss, logits=logits)


AutoModel.register(StaticConfig, StaticEncoder, exist_ok=True)
AutoModelForTokenClassification.register(StaticConfig, StaticForTokenClassification, exist_ok=True)
AutoModelForSequenceClassification.register(StaticConfig, StaticForSequenceClassification, exist_ok=True)
