"""Outputs of the generators and of the discriminator.

They are transformers `ModelOutput`s, except for `UnitScores` and `MaskedTokenScores`, the rows that the losses read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from transformers.utils import ModelOutput

from electra_ie.data.batching import Batch
from electra_ie.data.fields import Field


@dataclass
class UnitScores:
    """Scores of the discriminator for the N units of one field. A unit is a text, or a token for fields of spans.

    Attributes:
        field: The field.
        logits: (N, K).
        features: (N, F), the input of the last layer.
        realness: (N,), the logit of "not from the generator".
        labels: (N,) ids, or (N, K) zeros and ones for flags; `IGNORED` if unknown.
        weight: (N,), the weight of each unit in the losses.
        teacher_probabilities: (N, K), the predictions of a teacher; None without a teacher.
    """

    field: Field
    logits: torch.Tensor
    features: torch.Tensor
    realness: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor
    teacher_probabilities: torch.Tensor | None = None


@dataclass
class MaskedTokenScores:
    """Predictions of a masked language model at N masked positions.

    Attributes:
        field: The field of the discriminator, which has one class, "original".
        logits: (N, V).
        labels: (N,), the original tokens.
        sampled: (N,), tokens sampled from the logits; the labels if none are sampled.
        weight: (N,), 0 for a position that does not count.
        positions: (N,), indices into the B * L units of the discriminator.
    """

    field: Field
    logits: torch.Tensor
    labels: torch.Tensor
    sampled: torch.Tensor
    weight: torch.Tensor
    positions: torch.Tensor

    def detach(self) -> MaskedTokenScores:
        """Return the scores without a gradient to the generator."""
        return replace(self, logits=self.logits.detach())


@dataclass
class DiscriminatorOutput(ModelOutput):
    """Output of a discriminator.

    Attributes:
        loss: The weighted sum of the loss terms, with the gradient; None without labels and without generated inputs.
        logits: By field, (B, K), or (B, L, K) for spans. With masked texts, B counts the labeled rows only.
        realness: By field, (B,), or (B, L) for spans: the logit of "not from the generator".
        losses: The unweighted value of each loss term, by `<field>.<term>`.
        units: By field, the units of the batch, which the losses read.
        generated_units: By field, the units of the generated inputs; None without a generator.
    """

    loss: torch.Tensor | None = None
    logits: dict[str, torch.Tensor] | None = None
    realness: dict[str, torch.Tensor] | None = None
    losses: dict[str, float] | None = None
    units: dict[str, UnitScores] | None = None
    generated_units: dict[str, UnitScores] | None = None


@dataclass
class LatentGeneratorOutput(ModelOutput):
    """Generated encoder states, by field: N of them for the N labeled rows of a batch.

    Attributes:
        states: (N, L, H), in place of an encoder's last hidden states; L is 1 unless the field has spans.
        attention_mask: (N, L), 0 at padding.
        token_mask: (N, L) boolean, the positions that are classified.
        labels: The labels for which the states were generated, as in `Batch`.
    """

    states: dict[str, torch.Tensor] | None = None
    attention_mask: dict[str, torch.Tensor] | None = None
    token_mask: dict[str, torch.Tensor] | None = None
    labels: dict[str, torch.Tensor] | None = None

    def detach(self) -> LatentGeneratorOutput:
        """Return the states without a gradient to the generator."""
        assert self.states is not None
        return replace(self, states={name: states.detach() for name, states in self.states.items()})


@dataclass
class MaskingGeneratorOutput(ModelOutput):
    """N unlabeled texts with the tokens that the generator masks.

    Attributes:
        mask: (N, L), 1 where a token is masked, with a straight-through gradient to the generator.
        texts: The complete texts.
        mask_token_id: The id that replaces a masked token.
        teacher_probabilities: By field, the teacher's predictions for the complete texts, (N, K), or (N, L, K) for
            spans.
        detached_mask: The copy of `mask` that the discriminator has used in its own turn. After the backward pass its
            gradient says how much its loss grows with each masked token.
    """

    mask: torch.Tensor | None = None
    texts: Batch | None = None
    mask_token_id: int | None = None
    teacher_probabilities: dict[str, torch.Tensor] | None = None
    detached_mask: torch.Tensor | None = None

    def detach(self) -> MaskingGeneratorOutput:
        """Return the texts for the discriminator's turn, with a mask that collects the gradient of its loss."""
        assert self.mask is not None
        self.detached_mask = self.mask.detach().requires_grad_(self.mask.requires_grad)
        return replace(self, mask=self.detached_mask, detached_mask=None)


GeneratorOutput = LatentGeneratorOutput | MaskingGeneratorOutput
