"""The generator: makes states that the discriminator should take for an encoder's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from electra_ie.common.randomness import row_seed
from electra_ie.data.batching import Batch, known_rows
from electra_ie.data.fields import Field
from electra_ie.models.heads import module_key
from electra_ie.models.outputs import GeneratedStates


def row_generator(seed: int, step: int, place: int) -> torch.Generator:
    """What the noise of a row is drawn from: it follows from the seed, the step and its place in the global batch."""
    return torch.Generator().manual_seed(row_seed(seed, step, place))


class FieldGenerator(nn.Module):
    """Class-conditional, reparameterised: z = mu_c + sigma_c * eps, a body, then a linear layer to the states.

    mu and sigma are learnt for each class (Kingma and Welling 2014, section 2.4, for the reparameterisation). The
    body is `mlp`, tanh(Wz + b), where whole texts are judged; or `rnn`, a recurrent layer over the tokens (GRU, itself
    ending in a tanh), where tokens are, so that a fake token has neighbours that go with it.
    """

    def __init__(self, field: Field, hidden: int, latent: int):
        super().__init__()
        self.field, self.latent = field, latent
        conditions = len(field.names) + (field.kind == "flags")  # flags: one more for a text that bears none
        self.mu = nn.Parameter(torch.randn(conditions, latent))
        self.log_sigma = nn.Parameter(torch.zeros(conditions, latent))
        self.body: nn.Module = (
            nn.GRU(latent, hidden, batch_first=True)
            if field.kind == "spans"
            else nn.Sequential(nn.Linear(latent, hidden), nn.Tanh())
        )
        self.states = nn.Linear(hidden, hidden)

    def condition(self, labels: torch.Tensor) -> torch.Tensor:
        """Gold as in `Batch` -> weights over the conditions: (N, C), or (N, L, C) for spans. Unknown counts as O."""
        if self.field.kind != "flags":
            return nn.functional.one_hot(labels.clamp(min=0), len(self.mu)).to(self.mu.dtype)
        known = labels.clamp(min=0)
        weights = torch.cat([known, (known.sum(-1, keepdim=True) == 0).to(known.dtype)], dim=-1)
        return weights / weights.sum(-1, keepdim=True)

    def forward(self, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Labels (N, ...) and noise (N, L, Z) -> states (N, L, H); L is 1 where whole texts are judged."""
        weights = self.condition(labels)
        if self.field.kind != "spans":
            weights = weights[:, None]
        z = weights @ self.mu + (weights @ self.log_sigma.exp()) * noise
        read = self.body(z)
        return self.states(read[0] if isinstance(read, tuple) else read)


class LatentGenerator(nn.Module):
    """One `FieldGenerator` a field: fakes for the labelled rows of a batch, under the labels that those bear."""

    def __init__(self, fields: Sequence[Field], hidden: int, latent: int, seed: int):
        super().__init__()
        self.latent, self.seed = latent, seed
        self.players = nn.ModuleDict({module_key(field): FieldGenerator(field, hidden, latent) for field in fields})

    def forward(self, batch: Batch, step: int) -> dict[str, GeneratedStates]:
        """Fakes by field, N of them for N labelled rows of the batch."""
        return {player.field.name: self._fakes(player, batch, step) for player in self.players.values()}  # type: ignore

    def _fakes(self, player: FieldGenerator, batch: Batch, step: int) -> GeneratedStates:
        labels = batch.labels[player.field.name]
        known = known_rows(labels)
        labels, length = labels[known], batch.input_ids.shape[1]
        if player.field.kind == "spans":
            mask, judged = batch.attention_mask[known], batch.owned[known]
        else:
            mask = batch.attention_mask.new_ones(len(labels), 1)
            judged, length = mask.bool(), 1
        noise = self.noise(batch.row_indices[known], length, step).to(player.mu)
        return GeneratedStates(player(labels, noise), mask, judged, labels)

    def noise(self, places: torch.Tensor, length: int, step: int) -> torch.Tensor:
        """eps: (N, L, Z). A row's noise follows from the seed, the step and its place in the global batch alone, so
        that it is the same whether one process plays or several, and whatever the padding."""
        rows = []
        width = math.ceil(self.latent / 16) * 16  # torch draws 16 at a time: so long noise begins as short does
        for place in places.tolist():
            draw = row_generator(self.seed, step, place)
            rows.append(torch.randn(length, width, generator=draw)[:, : self.latent])
        return torch.stack(rows) if rows else torch.empty(0, length, self.latent)
