"""Decisions: what is done with a finding, by its score and the thresholds of its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ACCEPTED, REVIEW, DROPPED = "accepted", "review", "dropped"
"""Decisions: taken without a person, for a person to look at, left out."""
DECISIONS = (ACCEPTED, REVIEW, DROPPED)


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a label.

    Attributes:
        accept: Findings with at least this score are accepted; None without a goal for the precision.
        keep: Other findings with a score below this are dropped; None without a goal for the recall.
    """

    accept: float | None = None
    keep: float | None = None


Table = Mapping[tuple[str, str], Thresholds]
"""The thresholds by field and label."""
NO_GOAL = Thresholds()


def decision(thresholds: Table, field: str, label: str, score: float) -> str:
    """Return the decision of a finding: `accepted`, `review` or `dropped`.

    A label without a goal is for review: nothing is promised of it. If the threshold of the recall is above that of the
    precision, nothing is left for review, and what both goals allow is accepted.
    """
    own = thresholds.get((field, label), NO_GOAL)
    if own.accept is not None and score >= own.accept:
        return ACCEPTED
    return DROPPED if own.keep is not None and score < own.keep else REVIEW
