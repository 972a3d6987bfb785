"""Promises: the goals that labeled documents allow, with their assumptions, and the price of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from electra_ie.calibration.found import Found
from electra_ie.calibration.goals import Goal
from electra_ie.calibration.stored import PRECISION, Promise
from electra_ie.calibration.thresholds import Price, Threshold, precision_threshold, recall_threshold
from electra_ie.common.errors import UserError
from electra_ie.data.splits import DEV

REVIEWED = "reviewed"
"""The name of documents that were labeled after the training, beside the split dev."""
EXCHANGEABLE = "New documents are like the {number} that it was measured on: of the same source, form and period."
OF_PRECISION = (
    "Precision: a finding drawn at random from the accepted ones of a document drawn at random from those with any "
    "is right with at least the probability of the goal. Each document counts once, however many findings it has.",
    "Confidence: of a hundred draws of such documents, about as many as it says give a threshold that keeps the goal; "
    "each goal by itself, not all of them together.",
    "Findings with a lower score are not right more often than those with a higher one.",
)
OF_RECALL = (
    "Recall: the share of the gold of a document that is accepted or left for review, in the mean over documents with "
    "any gold of the label, and over draws of the documents that the threshold was measured on; a single draw may be "
    "below it.",
)
OF_DEV = (
    "The documents of dev also fitted the scores, and chose the weights of a run that keeps its best step, so that the "
    "promise is somewhat optimistic. Documents that were reviewed afterwards did neither (--reviewed)."
)
OF_REVIEWED = "The reviewed documents were drawn at random, not by their scores, and took no part in the training."


@dataclass(frozen=True)
class Outcome:
    """What became of a goal: a promise, or else its price in a sentence."""

    goal: Goal
    promise: Promise | None
    price: str = ""


def promises(goals: Sequence[Goal], found: Mapping[str, Found], confidence: float, data: str) -> list[Outcome]:
    """Return what becomes of each goal.

    Args:
        goals: The goals.
        found: The findings of each field with a goal, beside the gold.
        confidence: The confidence of goals for the precision.
        data: `dev` or `reviewed`.

    Raises:
        UserError: The confidence is not between 0 and 1, or no document is labeled for a field.
    """
    if not 0 < confidence < 1:
        raise UserError(f"the confidence is {confidence:g}.", remedy="It must be above 0 and below 1, such as 0.9.")
    for goal in goals:
        if not found[goal.field].gold:
            message = f"no {data} document is labeled for the field {goal.field} of the goal {goal}."
            raise UserError(message, remedy="Label some, or give others with --reviewed.")
    return [_outcome(goal, found[goal.field], confidence, data) for goal in goals]


def _outcome(goal: Goal, found: Found, confidence: float, data: str) -> Outcome:
    own = found.of_label(goal.label)
    findings = found.documents[own], found.scores[own], found.right[own]
    if goal.measure == PRECISION:
        result = precision_threshold(*findings, goal.level, confidence)
    else:
        gold = np.array([labels.get(goal.label, 0) for labels in found.gold])
        result = recall_threshold(*findings, gold, goal.level)
    if isinstance(result, Price):
        return Outcome(goal, None, _price(goal, result))
    sure = confidence if goal.measure == PRECISION else None
    place = goal.measure, goal.level, goal.field, goal.label
    measured = result.documents, round(result.measured, 4), data
    return Outcome(goal, Promise(*place, result.value, sure, *measured, _assumptions(goal, result, data)))


def _assumptions(goal: Goal, threshold: Threshold, data: str) -> tuple[str, ...]:
    exchangeable = EXCHANGEABLE.format(number=f"{threshold.documents:,} documents of {data}")
    own = OF_PRECISION if goal.measure == PRECISION else OF_RECALL
    return (exchangeable, *own, OF_DEV if data == DEV else OF_REVIEWED)


def _price(goal: Goal, price: Price) -> str:
    """Return what the goal would take."""
    if goal.measure == PRECISION:
        there = f"{price.documents:,} documents have such a finding"
        if price.more is None:
            share = f"of the findings with the highest scores {price.measured:.1%} are right"
            return f"no number of reviewed findings would allow it, since {share} ({there})"
        what = f"{price.more:,} more reviewed {goal.label} findings, each of another document, would allow it"
    else:
        there = f"{price.documents:,} documents have gold of it, of which {price.measured:.1%} is found"
        if price.more is None:
            return f"no number of reviewed documents would allow it ({there})"
        what = f"{price.more:,} more reviewed documents with {goal.label} would allow it"
    return f"{what}, if they are like those there are ({there})"
