"""Drift: whether new texts are still like those of dev, on which scales and thresholds were measured.

The unit is the document: findings of one document depend on each other, and tests that count them one by one reject far
too often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from electra_ie.calibration.decisions import ACCEPTED, Table, decision
from electra_ie.calibration.stored import Reference

LEVEL = 0.05
"""The probability, over all tests together, that texts like those of dev are reported."""
FEW = 50
"""Documents below which a test sees large differences only."""
Documents = Sequence[Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class Comparison:
    """One property of the findings of a field in two sets of documents.

    Attributes:
        field: The field.
        what: The property.
        dev: Its mean over the documents of dev.
        new: Its mean over the new ones.
        p: The probability of such a difference between texts of the same kind, corrected for the number of tests.
    """

    field: str
    what: str
    dev: float
    new: float
    p: float

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance."""
        return self.p < LEVEL

    def __str__(self) -> str:
        return f"{self.field}: {self.what} {self.dev:.3f} on dev, {self.new:.3f} now (p = {self.p:.2g})"


def compare(reference: Reference, new: Reference, thresholds: Table) -> list[Comparison]:
    """Return the comparisons of all fields, with p-values by Holm's method.

    For each field: the distribution of the mean score of a document (Kolmogorov and Smirnov), the share of documents
    without a finding (Fisher's exact test) if there are any, and with a goal for the precision the share of accepted
    findings of a document (Mann and Whitney).

    Args:
        reference: The findings in the documents of dev, by field.
        new: Those in the new documents.
        thresholds: The thresholds by field and label.
    """
    compared = [
        comparison
        for field, documents in reference.items()
        for comparison in (
            _scores(field, documents, new[field]),
            _without(field, documents, new[field]),
            _accepted(field, documents, new[field], thresholds),
        )
        if comparison
    ]
    ordered = sorted(range(len(compared)), key=lambda index: compared[index].p)
    largest = 0.0
    for rank, index in enumerate(ordered):
        largest = max(largest, min(1.0, compared[index].p * (len(ordered) - rank)))
        compared[index] = replace(compared[index], p=largest)
    return compared


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _scores(field: str, dev: Documents, new: Documents) -> Comparison | None:
    from scipy.stats import ks_2samp

    before, now = ([_mean([score for _, score in found]) for found in each if found] for each in (dev, new))
    if not before or not now:
        return None
    return Comparison(field, "mean score of a text", _mean(before), _mean(now), float(ks_2samp(before, now).pvalue))


def _without(field: str, dev: Documents, new: Documents) -> Comparison | None:
    from scipy.stats import fisher_exact

    if not dev or not new or all(found for each in (dev, new) for found in each):
        return None  # a class is found in every text: such a test would only make the others weaker
    table = [[sum(not found for found in each), sum(bool(found) for found in each)] for each in (dev, new)]
    before, now = (none / (none + some) for none, some in table)
    return Comparison(field, "share of texts without a finding", before, now, float(fisher_exact(table)[1]))


def _accepted(field: str, dev: Documents, new: Documents, thresholds: Table) -> Comparison | None:
    from scipy.stats import mannwhitneyu

    with_goal = {label for (name, label), own in thresholds.items() if name == field and own.accept is not None}
    before, now = (
        [
            _mean([decision(thresholds, field, label, score) == ACCEPTED for label, score in kept])
            for found in each
            if (kept := [(label, score) for label, score in found if label in with_goal])
        ]
        for each in (dev, new)
    )
    if not before or not now:
        return None
    p = float(mannwhitneyu(before, now).pvalue) if len({*before, *now}) > 1 else 1.0
    return Comparison(field, "share of accepted findings of a text", _mean(before), _mean(now), p)
