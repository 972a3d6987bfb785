"""The goals of a run for its exported model of 8 bits, which are measured again: it has other scores and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from electra_ie.calibration.found import Found, found_in
from electra_ie.calibration.goals import Goal
from electra_ie.calibration.promises import promises
from electra_ie.calibration.stored import Calibration, Promise
from electra_ie.common.logs import notice
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.splits import DEV
from electra_ie.inference.engine.results import DocumentResult

UNUSED_CONFIDENCE = 0.9
"""The confidence of a goal for the recall, which does not use it."""


def measured_again(
    calibration: Calibration, fields: Sequence[Field], documents: Sequence[Document], results: Sequence[DocumentResult]
) -> Calibration:
    """Return a calibration with the scores and the thresholds of another model of the same scales.

    A goal that was measured on reviewed documents, or that dev does not allow for this model, is left out, with a
    notice.

    Args:
        calibration: That of the run.
        fields: Its fields.
        documents: The documents of dev; none if they are not available.
        results: What the model finds in them, with the scales of the run.
    """
    findings = [result.findings for result in results]
    found = {field.name: found_in(field, documents, findings) for field in fields}
    of_dev = {name: each.by_document() for name, each in found.items() if each.gold}
    kept = tuple(new for old in calibration.promises if (new := _again(old, found[old.field])))
    return replace(calibration, promises=kept, reference={**calibration.reference, **of_dev})


def _again(promise: Promise, found: Found) -> Promise | None:
    """Return a promise as it is for other findings, or None, with a notice."""
    goal = Goal(promise.measure, promise.level, promise.field, promise.label)
    if promise.data != DEV or not found.gold:
        here = "which are not in the run" if promise.data != DEV else "which are not available"
        notice(f"{goal}: left out, since it was measured with 32 bits, on {promise.data} documents, {here}.")
        return None
    (outcome,) = promises([goal], {goal.field: found}, promise.confidence or UNUSED_CONFIDENCE, DEV)
    if outcome.promise is None:
        notice(f"{goal}: not promised with 8 bits: {outcome.price}.")
    return outcome.promise
