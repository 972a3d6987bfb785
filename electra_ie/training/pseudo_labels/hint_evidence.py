"""The evidence of hints for classes and flags: how much more often they match in texts with their label.

A hint that matches adds log p(match | label) - log p(match | not label) to the logit of its label, both estimated
on the labeled texts (the weight of evidence of a naive Bayes classifier). So a hint that matches as often without
the label as with it adds nothing. Most hints match in few labeled texts: their estimates are shrunk to that of all
hints of the label together, whose own estimate is shrunk to no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electra_ie.data.fields import Field
from electra_ie.data.hints import Hint

SMOOTHING = 4.0
"""Texts, with the label and without in its shares, that are added to the labeled ones. In both, some hint of the label
matches as often as in all labeled texts."""
SHRINKAGE = 30.0
"""Texts, with the label and without in its shares, that are added to the labeled ones for each hint. In them it matches
as often as in all labeled texts, with the ratio of all hints of its label."""


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
                self.weights[index] = _log_ratios(_matches(of_label, texts), gold[:, index])

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


def _log_ratios(matches: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, float]:
    """Return log p(event | label) - log p(event | not label) of the match of each hint, (H,), and of no match at all.

    matches: (N, H) booleans, whether each hint of the label matches in each labeled text. gold: (N,), whether the texts
    have the label.
    """
    shares = np.array([_rate(gold), 1 - _rate(gold)])
    any_match = np.asarray(matches.any(1))
    of_any = _rates(any_match, gold, SMOOTHING * shares, np.repeat(_rate(any_match), 2))
    relative = of_any / (shares @ of_any)
    prior = np.minimum(_rate(matches) * relative[:, None], 1)
    with_label, without = _rates(matches, gold, SHRINKAGE * shares, prior)
    return np.log(with_label) - np.log(without), float(np.log(1 - of_any[0]) - np.log(1 - of_any[1]))


def _rates(events: np.ndarray, gold: np.ndarray, counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return p(event | label) and p(event | not label), (2, ...), of events (N, ...) in texts with `gold`, (N,).

    counts: (2,), the numbers of texts with the label and without that are added. prior: (2, ...), how often the event
    occurs in these.
    """
    groups = [events[gold == value] for value in (1, 0)]
    return np.stack(
        [
            (group.sum(0) + count * rate) / (len(group) + count)
            for group, count, rate in zip(groups, counts, prior, strict=True)
        ]
    )


def _rate(events: np.ndarray) -> np.ndarray:
    """Return how often an event occurs in the labeled texts (N, ...), neither never nor always."""
    rate: np.ndarray = (events.sum(0) + 0.5) / (len(events) + 1)
    return rate
