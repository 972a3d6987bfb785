"""Embeddings that both players share, so that it works under one process and several.

plain (Clark et al. 2020, section 3.2): one table, trained by both losses. Each player keeps its own copy: distributed
training wraps a player's weights, and would count the gradients of a common tensor twice. Before a step the
discriminator's gradients are added to the generator's, after it the discriminator's copy follows.

disentangled (gradient-disentangled embedding sharing; He et al. 2021, DeBERTaV3, section 3.3): the discriminator reads
the generator's table, detached, plus a residual of its own: neither loss pulls at the other's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from electra_ie.common.errors import UserError


class GradientDisentangledEmbedding(nn.Module):
    """An embedding whose weight is `base`, detached, plus a residual. `base` belongs to the generator and is not a
    weight of this module."""

    def __init__(self, stock: nn.Embedding, base: nn.Parameter):
        super().__init__()
        self.padding_idx = stock.padding_idx
        self.bases = [base]  # in a list: not registered
        self.residual = nn.Parameter(stock.weight.detach() - base.detach())

    @property
    def weight(self) -> torch.Tensor:
        return self.bases[0].detach() + self.residual

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        # Two look-ups cost less than the sum of two tables.
        return functional.embedding(ids, self.bases[0].detach()) + functional.embedding(ids, self.residual)


class TiedEmbeddings:
    """The weights that both players share, as pairs of the generator's and the discriminator's copy."""

    def __init__(self, leader: nn.Module, follower: nn.Module):
        """The embeddings of two encoders. Raises UserError where they differ in shape."""
        mine, other = dict(leader.named_parameters()), dict(follower.named_parameters())
        differing = sorted(
            name for name in mine.keys() | other.keys()
            if name not in mine or name not in other or mine[name].shape != other[name].shape
        )  # fmt: skip
        if differing:
            name = differing[0]
            shapes = [tuple(each[name].shape) if name in each else "none" for each in (mine, other)]
            raise UserError(
                f"the generator's embeddings differ from the encoder's ({name}: {shapes[0]} and {shapes[1]}).",
                remedy="Give a generator of the same family and embedding size, or --set embedding_sharing=none.",
            )
        self.pairs = [(mine[name], other[name]) for name in mine]
        with torch.no_grad():
            for lead, follow in self.pairs:  # the encoder that is trained keeps what it knows
                lead.copy_(follow)

    def gather(self) -> None:
        """Before a step: what the discriminator's loss asks of the shared weights is added to the generator's part."""
        for leader, follower in self.pairs:
            if follower.grad is not None:
                leader.grad = follower.grad if leader.grad is None else leader.grad + follower.grad
                follower.grad = None

    @torch.no_grad()
    def follow(self) -> None:
        """After a step: both copies are the same again."""
        for leader, follower in self.pairs:
            follower.copy_(leader)

    @torch.no_grad()
    def lead(self) -> None:
        """Where the discriminator's copy was changed: both copies are the same again."""
        for leader, follower in self.pairs:
            leader.copy_(follower)


def disentangle(encoder: nn.Module, base: nn.Parameter) -> None:
    """Let an encoder's word embeddings read the generator's table."""
    stock = encoder.get_input_embeddings()  # type: ignore[operator]
    if stock.weight.shape != base.shape:
        raise UserError(
            f"the generator's word embeddings are {tuple(base.shape)}, the encoder's {tuple(stock.weight.shape)}.",
            remedy="Give a generator of the same embedding size, or --set embedding_sharing=none.",
        )
    encoder.set_input_embeddings(GradientDisentangledEmbedding(stock, base))  # type: ignore[operator]


@contextmanager
def with_plain_embedding(encoder: nn.Module) -> Iterator[None]:
    """Within, the encoder has a stock embedding again, the sum of both tables: as it is saved."""
    found = encoder.get_input_embeddings()  # type: ignore[operator]
    if not isinstance(found, GradientDisentangledEmbedding):
        yield
        return
    weight = found.weight.detach()
    stock = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=found.padding_idx)
    encoder.set_input_embeddings(stock)  # type: ignore[operator]
    try:
        yield
    finally:
        encoder.set_input_embeddings(found)  # type: ignore[operator]
