"""The latent generator: generates encoder states for the labels of a batch, as in GAN-BERT (Croce et al., ACL 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from electra_ie.common.randomness import row_seed
from electra_ie.data.batching import batch_of_tensors, known_rows
from electra_ie.data.declaration.task_yaml import validated_fields
from electra_ie.data.fields import Field
from electra_ie.models.configs import LatentGeneratorConfig
from electra_ie.models.encoders import encoder_config
from electra_ie.models.generator import Generator
from electra_ie.models.heads import module_key
from electra_ie.models.outputs import LatentGeneratorOutput


def row_generator(seed: int, step: int, index: int) -> torch.Generator:
    """Return the random generator of a row: a function of the seed, the step and its index in the global batch."""
    return torch.Generator().manual_seed(row_seed(seed, step, index))


class FieldGenerator(nn.Module):
    """Class-conditional generator of states with a reparameterized latent: z = mu_c + sigma_c * eps.

    mu and sigma are learned for each class (Kingma and Welling 2014, arXiv 1312.6114, section 2.4, for the
    reparameterization). For fields on whole texts, z passes through a linear layer and a tanh; for spans through a GRU
    over the tokens, so that a generated token is consistent with its neighbors. A linear layer then gives the states.
    """

    def __init__(self, field: Field, hidden_size: int, latent_size: int) -> None:
        super().__init__()
        self.field, self.latent_size = field, latent_size
        conditions = len(field.names) + (field.kind == "flags")  # flags: one more for a text to which none applies
        self.mu = nn.Parameter(torch.randn(conditions, latent_size))
        self.log_sigma = nn.Parameter(torch.zeros(conditions, latent_size))
        self.body: nn.Module = (
            nn.GRU(latent_size, hidden_size, batch_first=True)
            if field.kind == "spans"
            else nn.Sequential(nn.Linear(latent_size, hidden_size), nn.Tanh())
        )
        self.states = nn.Linear(hidden_size, hidden_size)

    def condition(self, labels: torch.Tensor) -> torch.Tensor:
        """Return weights over the conditions, (N, C) or (N, L, C) for spans, from labels as in `Batch`.

        An unknown tag counts as O. Several flags share the weight equally.
        """
        if self.field.kind != "flags":
            return nn.functional.one_hot(labels.clamp(min=0), len(self.mu)).to(self.mu.dtype)
        known = labels.clamp(min=0)
        weights = torch.cat([known, (known.sum(-1, keepdim=True) == 0).to(known.dtype)], dim=-1)
        return weights / weights.sum(-1, keepdim=True)

    def forward(self, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return states (N, L, H) from labels (N, ...) and noise (N, L, Z); L is 1 for fields on whole texts."""
        weights = self.condition(labels)
        if self.field.kind != "spans":
            weights = weights[:, None]
        z = weights @ self.mu + (weights @ self.log_sigma.exp()) * noise
        output = self.body(z)
        states: torch.Tensor = self.states(output[0] if isinstance(output, tuple) else output)
        return states


class LatentGenerator(Generator):
    """One `FieldGenerator` for each field. It generates states for the labels of the labeled rows of a batch."""

    config_class = LatentGeneratorConfig

    def __init__(self, config: LatentGeneratorConfig) -> None:
        """Create the generator with random weights."""
        super().__init__(config)
        self.fields = config.typed_fields
        size, latent_size = config.hidden_size, config.latent_size
        self.field_generators = nn.ModuleDict(
            {module_key(field): FieldGenerator(field, size, latent_size) for field in self.fields}
        )
        self.post_init()

    @classmethod
    def from_encoder(
        cls, encoder: str, fields: Sequence[Field] | Mapping[str, Any], *, latent_size: int = 64, seed: int = 0
    ) -> Self:
        """Return a generator of states of an encoder's width.

        Args:
            encoder: A folder, a name on the Hub, or `all-MiniLM-L6-v2`.
            fields: The fields of the discriminator, or their declarations by name as in task.yaml.
            latent_size: The width of the latent space.
            seed: The seed of the noise.

        Raises:
            UserError: a field is invalid, or the encoder cannot be loaded.
        """
        hidden_size = int(encoder_config(encoder).hidden_size)
        return cls(LatentGeneratorConfig(validated_fields(fields), hidden_size, latent_size, seed))

    def forward(  # noqa: PLR0913, PLR0917 - the tensors of a batch, as in the models of transformers
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: dict[str, torch.Tensor] | None = None,
        token_mask: torch.Tensor | None = None,
        window_weight: torch.Tensor | None = None,
        row_indices: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        teacher_probabilities: dict[str, torch.Tensor] | None = None,
        step: int = 0,
    ) -> LatentGeneratorOutput:
        """Return states for the N labeled rows of a batch, with the arguments of `Discriminator.forward`.

        step: the number of the training step, which decides the noise.
        """
        batch = batch_of_tensors(
            input_ids, attention_mask, labels, token_mask, window_weight, row_indices, fields=self.fields
        )
        output: dict[str, dict[str, Any]] = {"states": {}, "attention_mask": {}, "token_mask": {}, "labels": {}}
        for field in self.fields:
            known = known_rows(batch.labels[field.name])
            row_labels, length = batch.labels[field.name][known], batch.input_ids.shape[1]
            if field.kind == "spans":
                row_mask, row_tokens = batch.attention_mask[known], batch.token_mask[known]
            else:
                row_mask = batch.attention_mask.new_ones(len(row_labels), 1)
                row_tokens, length = row_mask.bool(), 1
            generator: FieldGenerator = self.field_generators[module_key(field)]  # type: ignore[assignment]
            noise = self.noise(batch.row_indices[known], length, step).to(generator.mu)
            output["states"][field.name] = generator(row_labels, noise)
            output["attention_mask"][field.name] = row_mask
            output["token_mask"][field.name] = row_tokens
            output["labels"][field.name] = row_labels
        return LatentGeneratorOutput(**output)

    def noise(self, row_indices: torch.Tensor, length: int, step: int) -> torch.Tensor:
        """Return eps, (N, L, Z), for rows with these indices in the global batch.

        It depends on the seed, the step and the index only: it is the same for any number of processes and any padding.
        """
        rows = []
        # torch draws in blocks of 16: with such a width, the noise of a longer text begins with that of a shorter one.
        width = math.ceil(self.config.latent_size / 16) * 16
        for index in row_indices.tolist():
            random = row_generator(self.config.seed, step, index)
            rows.append(torch.randn(length, width, generator=random)[:, : self.config.latent_size])
        return torch.stack(rows) if rows else torch.empty(0, length, self.config.latent_size)
