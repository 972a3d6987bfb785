"""Filters of findings by label and score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from electra_ie.common.errors import UserError, nearest
from electra_ie.data.fields import ATTRIBUTES, AnyField


@dataclass(frozen=True)
class Filters:
    """Which findings are written.

    Attributes:
        labels: Only findings with one of these labels; all if it is empty.
        min_score: Only findings with at least this score.
    """

    labels: tuple[str, ...] = ()
    min_score: float = 0.0

    def check(self, fields: Iterable[AnyField]) -> None:
        """Raise UserError for a label that no field has, or a score that is no probability."""
        known = [label for field in fields if field.kind != ATTRIBUTES for label in field.labels]
        for label in self.labels:
            if label not in known:
                raise UserError(f'no field has the label "{label}".', remedy=nearest(label, known))
        if not 0 <= self.min_score <= 1:
            raise UserError(f"the lowest score is {self.min_score}.", remedy="It must be from 0 to 1.")

    def kept(self, findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the findings that pass."""
        return [
            finding
            for finding in findings
            if finding["score"] >= self.min_score and (not self.labels or finding["label"] in self.labels)
        ]
