"""Embeddings shared by generator and discriminator, in one process and in several.

plain (Clark et al. 2020, section 3.2): one table, trained by both losses. Each model keeps its own copy, since
DistributedDataParallel wraps each model separately and would reduce the gradients of a common tensor twice. Before an
optimizer step the discriminator's gradients are added to the generator's; after it the discriminator's copy is updated.

disentangled (gradient-disentangled embedding sharing; He et al. 2021, DeBERTaV3, section 3.3): the discriminator reads
the generator's table, detached, plus a residual of its own, so that the discriminator's loss does not change the
generator's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from electra_ie.common.errors import UserError


class GradientDisentangledEmbedding(nn.Module):
    """An embedding whose weight is `base`, detached, plus a residual.

    `base` belongs to the generator and is not a parameter of this module.
    """

    def __init__(self, stock: nn.Embedding, base: nn.Parameter) -> None:
        super().__init__()
        self.padding_idx = stock.padding_idx
        self.bases = [base]  # in a list, so that torch does not register it
        self.residual = nn.Parameter(stock.weight.detach() - base.detach())

    @property
    def weight(self) -> torch.Tensor:
        """The sum of base and residual, (V, E)."""
        return self.bases[0].detach() + self.residual

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of ids."""
        # Two look-ups cost less than the sum of two tables.
        return functional.embedding(ids, self.bases[0].detach()) + functional.embedding(ids, self.residual)


class TiedEmbeddings:
    """Pairs of embedding weights that both models share: the generator's (leader), the discriminator's (follower)."""

    def __init__(self, leader: nn.Module, follower: nn.Module) -> None:
        """Pair the embeddings of two encoders. Raises UserError if they differ in name or shape."""
        leading, following = dict(leader.named_parameters()), dict(follower.named_parameters())
        differing = sorted(
            name for name in leading.keys() | following.keys()
            if name not in leading or name not in following or leading[name].shape != following[name].shape
        )  # fmt: skip
        if differing:
            name = differing[0]
            shapes = [tuple(weights[name].shape) if name in weights else "none" for weights in (leading, following)]
            raise UserError(
                f"the generator's embeddings differ from the encoder's ({name}: {shapes[0]} and {shapes[1]}).",
                remedy="Give a generator of the same family and embedding size, or --set embedding_sharing=none.",
            )
        self.pairs = [(leading[name], following[name]) for name in leading]
        with torch.no_grad():
            # The discriminator's weights are kept: it is the encoder that the run is started for.
            for leading_weight, following_weight in self.pairs:
                leading_weight.copy_(following_weight)

    def gather(self) -> None:
        """Add the discriminator's gradients of the shared weights to the generator's, before an optimizer step."""
        for leader, follower in self.pairs:
            if follower.grad is not None:
                leader.grad = follower.grad if leader.grad is None else leader.grad + follower.grad
                follower.grad = None

    @torch.no_grad()
    def follow(self) -> None:
        """Copy the generator's weights to the discriminator, after an optimizer step."""
        for leader, follower in self.pairs:
            follower.copy_(leader)

    @torch.no_grad()
    def lead(self) -> None:
        """Copy the discriminator's weights to the generator, after the discriminator's were changed directly."""
        for leader, follower in self.pairs:
            leader.copy_(follower)


def disentangle(encoder: nn.Module, base: nn.Parameter) -> None:
    """Replace an encoder's word embeddings by `base` plus a residual (`GradientDisentangledEmbedding`).

    Raises UserError if the shapes differ.
    """
    stock = encoder.get_input_embeddings()  # type: ignore[operator]
    if stock.weight.shape != base.shape:
        raise UserError(
            f"the generator's word embeddings are {tuple(base.shape)}, the encoder's {tuple(stock.weight.shape)}.",
            remedy="Give a generator of the same embedding size, or --set embedding_sharing=none.",
        )
    encoder.set_input_embeddings(GradientDisentangledEmbedding(stock, base))  # type: ignore[operator]


@contextmanager
def with_plain_embedding(encoder: nn.Module) -> Iterator[None]:
    """Give the encoder a stock embedding, the sum of base and residual, within the context: the form that is saved."""
    embedding = encoder.get_input_embeddings()  # type: ignore[operator]
    if not isinstance(embedding, GradientDisentangledEmbedding):
        yield
        return
    weight = embedding.weight.detach()
    stock = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=embedding.padding_idx)
    encoder.set_input_embeddings(stock)  # type: ignore[operator]
    try:
        yield
    finally:
        encoder.set_input_embeddings(embedding)  # type: ignore[operator]
