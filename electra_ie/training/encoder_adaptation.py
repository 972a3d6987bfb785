"""What a run knows of the adaptation of its encoder, which `pretraining.adaptation` plans and trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from electra_ie.runs.training_facts import AdaptationFacts


@dataclass(frozen=True)
class EncoderAdaptation:
    """The adaptation of an encoder to the text of a task.

    Attributes:
        hash: The hash of everything that decides the weights of the adapted encoder.
        documents: The number of texts.
        tokens: The number of tokens in them.
        steps: The number of optimizer steps; 0 if there is too little text, and the encoder is used as it is.
        train: Trains the encoder, unless it is in the cache, and returns its folder.
        folder: The folder of the adapted encoder; None until it is trained.
    """

    hash: str
    documents: int
    tokens: int
    steps: int
    train: Callable[[], str]
    folder: str | None = None

    def trained(self) -> EncoderAdaptation:
        """Return the adaptation with its encoder trained."""
        return replace(self, folder=self.train())

    @property
    def summary(self) -> AdaptationFacts:
        """The facts for scores.json and audit.json."""
        return {"hash": self.hash, "documents": self.documents, "tokens": self.tokens, "steps": self.steps}
