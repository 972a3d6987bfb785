"""The generator that hides: of unlabelled texts it covers those tokens without which the discriminator no longer
answers as its teacher did, who read the whole text.

The teacher is a discriminator that was trained on the labels alone. Its answers to texts without labels are what the
discriminator learns beside the labels (self-training; with an altered text and a student that begins anew, as in Noisy
Student, Xie et al. 2020, arXiv 1911.04252). What is altered is decided by the generator: one linear layer on the
teacher's states scores the tokens, and is trained to make the discriminator disagree (adversarial masking, Shi et al.
2022, arXiv 2201.13100, there for images).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from electra_ie.data.batching import Batch
from electra_ie.metrics import ACHIEVED
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.latent_generator import row_generator
from electra_ie.models.losses import divergence
from electra_ie.models.outputs import TEXTS, MaskedBatch

Teacher = Callable[[Batch], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""Unmasked texts -> their states (N, L, H), and the probabilities of the answers by field, both without a gradient."""


class MaskingGenerator(nn.Module):
    """Hides `share` of the tokens of each unlabelled text, drawn by score without putting back.

    teacher: what answers the whole texts; it is set before the first step. token: the id that stands where one is
    hidden, the tokenizer's mask. special: ids that are never hidden.
    """

    special: torch.Tensor

    SCALE = 1.0
    """Scores lie between this and its negative, so that there is always chance in what is hidden. With 3 hardly another
    token than those of names was ever hidden, and names were hardly ever seen."""

    def __init__(self, width: int, token: int, special: Sequence[int], share: float, seed: int):
        super().__init__()
        self.token, self.share, self.seed = token, share, seed
        self.register_buffer("special", torch.tensor(sorted(special), dtype=torch.long), persistent=False)
        self.score = nn.Linear(width, 1)
        # All tokens alike at first: what decides an answer is to be found out, not guessed.
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        self.teacher: Teacher | None = None

    def forward(self, batch: Batch, step: int) -> dict[str, MaskedBatch]:
        """The unlabelled rows of the batch, with tokens hidden, and the teacher's answers to them whole."""
        texts = batch.rows(~batch.known())
        if self.teacher is None:
            raise RuntimeError("the masking generator has no teacher: set `teacher` before the first step")
        states, taught = self.teacher(texts)
        free = self._free(texts)
        with torch.autocast(states.device.type, enabled=False):  # in bf16 scores tie, and a tie falls as it likes
            scores = self.score(functional.layer_norm(states.float(), states.shape[-1:])).squeeze(-1)
            hidden = self.choose(self.SCALE * torch.tanh(scores), free, texts.row_indices, step)
        return {TEXTS: MaskedBatch(texts, hidden, self.token, taught)}

    @torch.no_grad()
    def achieved(self, discriminator: Discriminator, batch: Batch, step: int) -> dict[str, float]:
        """What hiding by score achieves, which the generator's loss does not say: how far the discriminator is from the
        teacher on the unlabelled texts of a batch with the tokens hidden that the generator chooses, and with as many
        hidden by chance; the mean over the fields of `objectives.divergence`. {} for a batch without such texts.

        Both draws have the noise of the step, so that they are the same while the generator knows nothing. No weight
        takes a gradient, and no random state is used.
        """
        made = self(batch, step)[TEXTS]
        if not len(made.texts.input_ids):
            return {}
        alike = self.choose(torch.zeros_like(made.hidden), self._free(made.texts), made.texts.row_indices, step)
        training = discriminator.training
        discriminator.eval()
        found = {}
        for name, hidden in zip(ACHIEVED, (made.hidden, alike), strict=True):
            verdicts = discriminator.read_hidden(replace(made, hidden=hidden))
            found[name] = sum(float(divergence(each, _mean)) for each in verdicts.values()) / len(verdicts)
        discriminator.train(training)
        return found

    def _free(self, texts: Batch) -> torch.Tensor:
        """(N, L): where a token may be hidden."""
        return texts.attention_mask.bool() & ~torch.isin(texts.input_ids, self.special)

    def choose(self, scores: torch.Tensor, free: torch.Tensor, places: torch.Tensor, step: int) -> torch.Tensor:
        """Scores (N, L), free (N, L): where a token may be hidden -> (N, L), 1 where one is.

        The highest scores with Gumbel noise: a draw without putting back (Kool et al. 2019, arXiv 1903.06059). The
        gradient is that of a sigmoid around the lowest score chosen (straight-through, Bengio et al. 2013).
        """
        noisy = (scores + self._noise(places, scores.shape[1], step).to(scores)).masked_fill(~free, -torch.inf)
        count = (free.sum(1, keepdim=True) * self.share).round().long()
        ranks = noisy.argsort(1, descending=True).argsort(1)
        hidden = ((ranks < count) & free).to(scores.dtype)
        lowest = noisy.masked_fill(hidden == 0, torch.inf).amin(1, keepdim=True).detach()
        soft = torch.where(free, torch.sigmoid(scores + (noisy - scores).detach() - lowest), 0.0)
        return hidden + (soft - soft.detach())

    def _noise(self, places: torch.Tensor, length: int, step: int) -> torch.Tensor:
        """(N, L), Gumbel. A row's noise follows from the seed, the step and its place in the global batch alone."""
        rows = []
        for place in places.tolist():
            rows.append(torch.rand(length, generator=row_generator(self.seed, step, place)).clamp(1e-6, 1 - 1e-6))
        chance = torch.stack(rows) if rows else torch.empty(0, length)
        return -torch.log(-torch.log(chance))


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted mean over the rows of this process alone."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-8)
