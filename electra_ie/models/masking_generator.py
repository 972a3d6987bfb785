"""The masking generator: masks the tokens of unlabeled texts on which the predictions depend most.

The teacher is a discriminator that is trained on the labels alone. The discriminator learns its predictions for
unlabeled texts in addition to the labels (self-training, with a modified input and a student that starts from the
pretrained weights, as Noisy Student, Xie et al. 2020, arXiv 1911.04252). The generator decides on the modification: a
linear layer on the teacher's states scores the tokens, and is trained to make the discriminator disagree with the
teacher (adversarial masking, Shi et al. 2022, arXiv 2201.13100, who mask images).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Self, cast

import torch
from torch import nn
from torch.nn import functional

from electra_ie.data.batching import Batch, batch_of_tensors
from electra_ie.metrics import MASKING_EFFECT
from electra_ie.models.configs import MaskingGeneratorConfig
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import encoder_config, load_tokenizer, mask_token
from electra_ie.models.generator import Generator
from electra_ie.models.latent_generator import row_generator
from electra_ie.models.losses import divergence, local_mean
from electra_ie.models.outputs import MaskingGeneratorOutput

Teacher = Callable[[Batch], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""Complete texts -> their states (N, L, H), and their probabilities by field, both without a gradient. The method
`Discriminator.predict` is one."""


class MaskingGenerator(Generator):
    """Masks a share of the tokens of each unlabeled text, sampled by score without replacement, or at random.

    Attributes:
        teacher: Predicts the complete texts. Set it before the first step; it is not saved. Random masking does not
            need it if the batches have `teacher_probabilities`.
        score: The linear layer that scores a token from the teacher's state; None for random masking.
    """

    config_class = MaskingGeneratorConfig

    SCALE = 1.0
    """The bound of the scores, so that the choice stays random. With 3, hardly any tokens but those of names were
    masked, and names were hardly ever visible."""

    def __init__(self, config: MaskingGeneratorConfig) -> None:
        """Create the generator with equal scores for all tokens."""
        super().__init__(config)
        self.score: nn.Linear | None = None
        if config.learned:
            self.score = nn.Linear(config.hidden_size, 1)
            nn.init.zeros_(self.score.weight)  # which tokens matter is learned
            nn.init.zeros_(self.score.bias)
        self.teacher: Teacher | None = None
        self.post_init()

    @classmethod
    def from_encoder(cls, encoder: str, *, mask_ratio: float = 0.3, seed: int = 0) -> Self:
        """Return a generator for teacher states of this encoder, with the mask token of its tokenizer.

        Args:
            encoder: A folder, a name on the Hub, or `all-MiniLM-L6-v2`.
            mask_ratio: The share of the tokens of a text that is masked.
            seed: The seed of the Gumbel noise.

        Raises:
            UserError: the encoder cannot be loaded, or its tokenizer has no mask token.
        """
        tokenizer = load_tokenizer(encoder)
        hidden_size, special = int(encoder_config(encoder).hidden_size), tokenizer.all_special_ids
        return cls(MaskingGeneratorConfig(hidden_size, mask_token(tokenizer, encoder), special, mask_ratio, seed))

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
    ) -> MaskingGeneratorOutput:
        """Return the unlabeled rows of a batch with a mask, and the teacher's predictions for the complete texts.

        The arguments are those of `Discriminator.forward`. A row is unlabeled if no field has a label for it. step: the
        number of the training step, which decides the noise.
        """
        batch = batch_of_tensors(
            input_ids, attention_mask, labels, token_mask, window_weight, row_indices, teacher_probabilities
        )
        texts = batch.rows(~batch.known())
        probabilities = texts.teacher_probabilities
        scores = torch.zeros(texts.input_ids.shape, device=texts.input_ids.device)
        if self.score is not None or probabilities is None:
            if self.teacher is None:
                raise RuntimeError("the masking generator has no teacher: set `teacher` before the first step")
            states, predicted = self.teacher(texts)
            probabilities = predicted if probabilities is None else probabilities
            if self.score is not None:
                scores = self._scores(states)
        mask = self.sample_mask(scores, self._maskable(texts), texts.row_indices, step)
        return MaskingGeneratorOutput(mask, texts, self.config.mask_token_id, probabilities)

    def _scores(self, states: torch.Tensor) -> torch.Tensor:
        """Return the scores (N, L) of tokens from the teacher's states (N, L, H)."""
        assert self.score is not None
        with torch.autocast(states.device.type, enabled=False):  # in bf16 scores tie, and ties are broken arbitrarily
            scores = self.score(functional.layer_norm(states.float(), states.shape[-1:])).squeeze(-1)
            return self.SCALE * torch.tanh(scores)

    @torch.no_grad()
    def masking_effect(self, discriminator: Discriminator, batch: Batch, step: int) -> dict[str, float]:
        """Measure how far masking moves the discriminator from the teacher, which the generator's loss does not show.

        Returns the mean over the fields of `losses.divergence` on the unlabeled texts of a batch, with the tokens that
        the generator masks and with as many random tokens; an empty dict if the batch has no such texts.

        Both samples have the noise of the step, so that they are equal for an untrained generator. No weight gets a
        gradient, and no global random state changes.
        """
        generated: MaskingGeneratorOutput = self(**batch, step=step)
        texts, mask = generated.texts, generated.mask
        assert texts is not None
        assert mask is not None
        if not len(texts.input_ids):
            return {}
        random_mask = self.sample_mask(torch.zeros_like(mask), self._maskable(texts), texts.row_indices, step)
        training = discriminator.training
        discriminator.eval()
        effect = {}
        for name, sampled in zip(MASKING_EFFECT, (mask, random_mask), strict=True):
            units = discriminator.score_generated(replace(generated, mask=sampled))
            effect[name] = sum(float(divergence(scores, local_mean)) for scores in units.values()) / len(units)
        discriminator.train(training)
        return effect

    def _maskable(self, texts: Batch) -> torch.Tensor:
        """Return (N, L) booleans: true for tokens that may be masked."""
        special = torch.tensor(self.config.special_token_ids, dtype=torch.long, device=texts.input_ids.device)
        return texts.attention_mask.bool() & ~torch.isin(texts.input_ids, special)

    def sample_mask(
        self, scores: torch.Tensor, maskable: torch.Tensor, row_indices: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Return (N, L), 1 for a masked token, from scores (N, L) and booleans (N, L) of the tokens that may be masked.

        The tokens with the highest scores plus Gumbel noise are a sample without replacement (Kool et al. 2019, arXiv
        1903.06059). The gradient is that of a sigmoid around the lowest chosen score (straight-through estimator,
        Bengio et al. 2013, arXiv 1308.3432).
        """
        noise = self._noise(row_indices, scores.shape[1], step).to(scores)
        noisy = (scores + noise).masked_fill(~maskable, -torch.inf)
        count = (maskable.sum(1, keepdim=True) * self.config.mask_ratio).round().long()
        ranks = noisy.argsort(1, descending=True).argsort(1)
        mask = ((ranks < count) & maskable).to(scores.dtype)
        lowest = noisy.masked_fill(mask == 0, torch.inf).amin(1, keepdim=True).detach()
        soft = torch.where(maskable, torch.sigmoid(scores + (noisy - scores).detach() - lowest), 0.0)
        return cast(torch.Tensor, mask + (soft - soft.detach()))

    def _noise(self, row_indices: torch.Tensor, length: int, step: int) -> torch.Tensor:
        """Return (N, L) Gumbel noise, which depends on the seed, the step and the index of a row only."""
        rows = []
        for index in row_indices.tolist():
            random = row_generator(self.config.seed, step, index)
            rows.append(torch.rand(length, generator=random).clamp(1e-6, 1 - 1e-6))
        uniform = torch.stack(rows) if rows else torch.empty(0, length)
        return -torch.log(-torch.log(uniform))
