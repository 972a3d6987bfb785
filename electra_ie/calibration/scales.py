"""Scales: from what a model says of a finding to the probability that the finding is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SPAN_EVIDENCE = ("mean_log_probability", "least_log_probability", "log_tokens", "margin")
"""The numbers of a span: mean and least log probability of its tags, log of its length in tokens, and its margin (see
`inference.engine.evidence`)."""
LEAST = 1e-4
"""The least probability, and the distance of the largest from 1: a finite sample shows no certainty."""


@dataclass(frozen=True)
class Scale:
    """The probability of a finding as a function of its evidence.

    Spans: logistic regression on the numbers of `SPAN_EVIDENCE`. Flags: on the logit. Classes: the softmax of the
    logits times the only weight, which is one over the temperature; the probability is that of the largest logit.

    Attributes:
        kind: The kind of the field.
        weights: The weight of each number.
        intercept: What is added, for spans and flags.
        steps: The points of the isotonic function that follows, each a score and its probability; empty for none.
    """

    kind: str
    weights: tuple[float, ...]
    intercept: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()

    def __call__(self, evidence: np.ndarray) -> np.ndarray:
        """Return the probabilities (N,) of findings, at least `LEAST` from 0 and 1.

        evidence: (N, 4) for spans, the logits (N, 1) of flags, or all logits (N, K) of classes.
        """
        scores = self.exact(evidence)
        if self.steps:
            places, values = np.array(self.steps).T
            scores = np.interp(scores, places, values)
        clipped: np.ndarray = np.clip(scores, LEAST, 1 - LEAST)
        return clipped

    def exact(self, evidence: np.ndarray) -> np.ndarray:
        """Return the probabilities without the isotonic function, also those next to 0 and 1, (N,).

        evidence: (N, 4) for spans, the logits (N, 1) of flags, or all logits (N, K) of classes.
        """
        values = evidence.astype(np.float64)
        if self.kind == "classes":
            scaled = values * self.weights[0]
            largest: np.ndarray = 1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)
            return largest
        # Not a matrix product, whose last bits may depend on the number of findings.
        return sigmoid((values * np.array(self.weights)).sum(axis=1) + self.intercept)

    def as_dict(self) -> dict[str, Any]:
        """Return the scale as JSON."""
        content: dict[str, Any] = {"kind": self.kind, "weights": list(self.weights), "intercept": self.intercept}
        return {**content, "steps": [list(step) for step in self.steps]} if self.steps else content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Scale:
        """Return the scale that `as_dict` describes. Raises ValueError, TypeError or KeyError if it is none."""
        weights = tuple(map(float, content["weights"]))
        sizes = {"spans": len(SPAN_EVIDENCE), "flags": 1, "classes": 1}
        steps = tuple((float(score), float(value)) for score, value in content.get("steps", ()))
        if len(weights) != sizes[content["kind"]] or not np.isfinite([*weights, float(content["intercept"])]).all():
            raise ValueError("weights")
        return cls(content["kind"], weights, float(content["intercept"]), steps)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits; the exponent is never positive, so that it does not overflow."""
    small = np.exp(-np.abs(logits))
    probabilities: np.ndarray = np.where(logits >= 0, 1 / (1 + small), small / (1 + small))
    return probabilities
