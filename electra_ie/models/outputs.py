"""What passes between the two players: fakes from the generator, verdicts from the discriminator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from electra_ie.data.batching import Batch
from electra_ie.data.fields import Field

TEXTS = "texts"
"""The one name under which whole texts are altered, for all fields at once."""


@dataclass
class GeneratedStates:
    """States that no text produced, for one field.

    states: (N, L, H) as an encoder would return; L is 1 where whole texts are judged. mask: (N, L), 0 at padding.
    judged: (N, L) boolean, the positions that count. labels: the gold under which each was made, as in `Batch`.
    """

    states: torch.Tensor
    mask: torch.Tensor
    judged: torch.Tensor
    labels: torch.Tensor

    def detach(self) -> GeneratedStates:
        return replace(self, states=self.states.detach())


@dataclass
class DiscriminatorOutput:
    """The discriminator's view of N rows of one field. A row is one judged unit: a text, or a token.

    logits: (N, K). features: (N, F), what the last layer reads. realness: (N,), the logit of "not from the generator".
    labels: (N,) ids, or (N, K) zeros and ones for flags; `IGNORED` where unknown. weight: (N,). taught: (N, K), the
    probabilities that a teacher gives; None where there is none.
    """

    field: Field
    logits: torch.Tensor
    features: torch.Tensor
    realness: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor
    taught: torch.Tensor | None = None


@dataclass
class MaskedBatch:
    """N texts of which some tokens are hidden.

    texts: as they are, whole. hidden: (N, L), 1 where a token is hidden. token: the id that stands there. taught: by
    field, the probabilities that a teacher gives to the whole texts, (N, K), or (N, L, K) for spans.
    """

    texts: Batch
    hidden: torch.Tensor
    token: int
    taught: dict[str, torch.Tensor]
    shown: torch.Tensor | None = None
    """What the discriminator sees of `hidden`: its gradient tells, after the discriminator's turn, how much more it
    would have been wrong for each token hidden."""

    def detach(self) -> MaskedBatch:
        self.shown = self.hidden.detach().requires_grad_()
        return replace(self, hidden=self.shown)


@dataclass
class MaskedLMOutput:
    """Places of a text, as a masked language model fills them: N rows of one field.

    logits: (N, V). labels: (N,), the tokens that stand there in the text. drawn: (N,), tokens sampled from the logits
    (the labels where none are). weight: (N,), 0 for a row that does not count. places: (N,), indices into the B * L
    rows of the discriminator's verdict.
    """

    field: Field
    logits: torch.Tensor
    labels: torch.Tensor
    drawn: torch.Tensor
    weight: torch.Tensor
    places: torch.Tensor

    def detach(self) -> MaskedLMOutput:
        return replace(self, logits=self.logits.detach())
