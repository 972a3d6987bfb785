"""The evidence of hints for classes and flags: how much more often they match in texts with their label.

A hint that matches adds log p(match | label) - log p(match | not label) to the logit of its label, both estimated
on the labeled texts (the weight of evidence of a naive Bayes classifier). So a hint that matches as often without
the label as with it adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electra_ie.data.fields import Field
from electra_ie.data.hints import Hint

SMOOTHING = 1.0
"""Texts with and without the label that are added to the labeled ones, in which a hint matches at its usual rate."""


class HintEvidence:
    """The weights of the hints of a field of kind `classes` or `flags`."""

    def __init__(self, field: Field, hints: Sequence[Hint], texts: Sequence[str], gold: np.ndarray) -> None:
        """Estimate the weights.

        Args:
            field: The field.
            hints: The hints of all fields.
            texts: The labeled texts.
            gold: (N, K) booleans, whether each of them has each label.
        """
        self.hints = {
            index: [hint for hint in hints if (hint.field, hint.label) == (field.name, label)]
            for index, label in enumerate(field.labels)
        }
        self.labels = len(field.labels)
        self.weights: dict[int, tuple[np.ndarray, float]] = {}
        for index, of_label in self.hints.items():
            if of_label:
                matches = _matches(of_label, texts)
                any_match = np.asarray(matches.any(1, keepdims=True))
                ratios = _log_ratios(matches, gold[:, index])
                self.weights[index] = ratios, float(_log_ratios(~any_match, gold[:, index])[0])

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Return what to add to the logits of the labels, (T, K).

        Of several hints that match, the strongest counts, since those of one label are hardly independent. If none
        matches, that is evidence too.
        """
        result = np.zeros((len(texts), self.labels))
        for index, (ratios, without_match) in self.weights.items():
            matches = _matches(self.hints[index], texts)
            strongest = np.where(matches, ratios, -np.inf).max(1)
            result[:, index] = np.where(matches.any(1), strongest, without_match)
        return result


def _matches(hints: Sequence[Hint], texts: Sequence[str]) -> np.ndarray:
    """Return whether each hint matches in each text, (T, H)."""
    return np.array([[bool(hint.find(text)) for hint in hints] for text in texts], dtype=bool).reshape(-1, len(hints))


def _log_ratios(events: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return log p(event | label) - log p(event | not label) of events (N, E) in texts with `gold` (N,), (E,)."""
    usual = (events.sum(0) + 0.5) / (len(events) + 1)
    with_label, without = (
        (events[gold == value].sum(0) + SMOOTHING * usual) / ((gold == value).sum() + SMOOTHING) for value in (1, 0)
    )
    ratios: np.ndarray = np.log(with_label) - np.log(without)
    return ratios
