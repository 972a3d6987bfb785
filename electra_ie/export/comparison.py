"""The comparison of an exported model with its run on the same texts: logits, findings and decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Finding
from electra_ie.inference.engine.batches import Group
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.extractor import Extractor

TOLERANCE = 1e-4
"""Difference of logits, and of scores, at most between torch and onnxruntime in fp32."""
ROUNDING = 1e-6
"""What a difference of two scores of four decimals may be above `TOLERANCE` by."""


@dataclass(frozen=True)
class Comparison:
    """An exported model and its run on the same texts.

    Attributes:
        texts: The number of texts.
        largest: The largest difference of a logit.
        largest_score: The largest difference of the score of a finding that both have.
        other_findings: Texts with other findings; scores are not compared.
        other_scores: Texts with the same findings, of which a score differs in the fourth decimal.
        other_decisions: Texts with the same findings, of which one is on the other side of a threshold of the run.
        other_alone: Texts whose findings or scores are different if the exported model reads each of them alone.
    """

    texts: int
    largest: float
    largest_score: float
    other_findings: int
    other_scores: int
    other_decisions: int
    other_alone: int

    def check(self, exact: bool) -> None:
        """Check that the exported model does what it should.

        exact: whether it must do what the run does, as in fp32.

        Raises:
            UserError: it does not.
        """
        remedy = "Run it with torch, and report this with the family of the encoder."
        if not np.isfinite(self.largest):
            raise UserError("the exported model gives logits that are not finite.", remedy=remedy)
        if self.other_alone:
            message = f"{self.other_alone} of {self.texts} texts have other findings alone than with others."
            raise UserError(f"the exported model is not used: {message}", remedy=remedy)
        scores_differ = self.largest_score > TOLERANCE + ROUNDING
        if exact and (self.largest > TOLERANCE or self.other_findings or scores_differ):
            message = (
                f"the exported model is not equal to the run: logits differ by up to {self.largest:.1e}, scores by up "
                f"to {self.largest_score:.1e}, and {self.other_findings} of {self.texts} texts have other findings."
            )
            raise UserError(message, remedy=remedy)


def compare(extractor: Extractor, exported: ExportedExtractor, documents: Sequence[Document]) -> Comparison:
    """Compare the logits, the findings and the decisions of an exported model with those of its run.

    Decisions are those by the thresholds of the run, for both.
    """
    scored: list[Any] = []
    largest = 0.0

    def score(groups: Sequence[Group]) -> list[dict[str, np.ndarray]]:
        nonlocal largest
        expected, logits = extractor.score(groups), exported.score(groups)
        for one, other in zip(expected, logits, strict=True):
            largest = max(largest, *(float(np.abs(one[name] - other[name]).max()) for name in one))
        scored.append(logits)
        return expected

    of_run = list(replace(extractor.reader(overlapped=False), score=score).read(documents))
    again = replace(exported.reader(overlapped=False), score=lambda _: scored.pop(0))
    of_export = list(again.read(documents))
    same = [
        (one.findings, other.findings)
        for one, other in zip(of_run, of_export, strict=True)
        if _without_scores(one) == _without_scores(other)
    ]
    differences = [abs(one.score - other.score) for left, right in same for one, other in zip(left, right, strict=True)]
    alone = [next(exported.read([document])) for document in documents]
    calibration = extractor.calibration or Calibration("")
    return Comparison(
        texts=len(documents),
        largest=largest,
        largest_score=max(differences, default=0.0),
        other_findings=len(documents) - len(same),
        other_scores=sum(left != right for left, right in same),
        other_decisions=sum(_decided(calibration, left) != _decided(calibration, right) for left, right in same),
        other_alone=sum(one.findings != other.findings for one, other in zip(alone, of_export, strict=True)),
    )


def _without_scores(result: DocumentResult) -> list[Finding]:
    return [replace(finding, score=0.0) for finding in result.findings]


def _decided(calibration: Calibration, findings: Sequence[Finding]) -> list[str]:
    return [calibration.decide(each.field, each.label, each.score) for each in findings]
