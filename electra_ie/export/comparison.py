"""The comparison of an exported model with its run on the same texts: logits, findings and decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Finding, RelationFinding
from electra_ie.inference.engine.anchored import read_again
from electra_ie.inference.engine.batches import Group
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.engine.pipeline import Score
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.extractor import Extractor

TOLERANCE = 1e-4
"""Difference of logits, and of scores, at most between torch and onnxruntime in fp32."""
REMEDY = "Run it with torch, and report this with the family of the encoder."
ROUNDING = 1e-6
"""What a difference of two scores of four decimals may be above `TOLERANCE` by."""


@dataclass(frozen=True)
class Comparison:
    """An exported model and its run on the same texts.

    Attributes:
        texts: The number of texts.
        largest: The largest difference of a logit.
        largest_score: The largest difference of the score of a finding, or of its attribute, that both have.
        other_findings: Texts with other findings, attributes or relations; scores are not compared.
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
        if self.other_alone:
            message = f"{self.other_alone} of {self.texts} texts have other findings alone than with others."
            raise UserError(f"the exported model is not used: {message}", remedy=REMEDY)
        scores_differ = self.largest_score > TOLERANCE + ROUNDING
        if exact and (self.largest > TOLERANCE or self.other_findings or scores_differ):
            message = (
                f"the exported model is not equal to the run: logits differ by up to {self.largest:.1e}, scores by up "
                f"to {self.largest_score:.1e}, and {self.other_findings} of {self.texts} texts have other findings."
            )
            raise UserError(message, remedy=REMEDY)


@dataclass
class _Beside:
    """Runs an exported model beside the model that it was exported from.

    Attributes:
        of_run: Runs the model of the run.
        of_export: Runs the exported model.
        largest: The largest difference of a logit so far.
        kept: The logits of the exported model, batch by batch.
    """

    of_run: Score
    of_export: Score
    largest: float = 0.0
    kept: list[Any] = field(default_factory=list)

    def __call__(self, groups: Sequence[Group]) -> Sequence[Mapping[str, np.ndarray]]:
        """Return the logits of the run. Raises UserError if only those of the exported model are not finite."""
        expected, logits = self.of_run(groups), self.of_export(groups)
        for one, other in zip(expected, logits, strict=True):
            for name, values in one.items():
                if np.isfinite(values).all() and not np.isfinite(other[name]).all():
                    message = f'the exported model gives logits of the field "{name}" that are not finite.'
                    raise UserError(message, remedy=REMEDY)
                self.largest = max(self.largest, float(np.abs(values - other[name]).max()))
        self.kept.append(logits)
        return expected


def compare(extractor: Extractor, exported: ExportedExtractor, documents: Sequence[Document]) -> Comparison:
    """Compare the logits, the findings and the decisions of an exported model with those of its run.

    Findings are compared with their attributes and relations. Decisions are those by the thresholds of the run, for
    both.

    Raises:
        UserError: Logits of either are not finite.
    """
    beside = _Beside(extractor.score, exported.score)
    first = replace(extractor.pipeline(overlapped=False), score=beside).read(documents)
    readers, second = [], [beside]
    for one, other in zip(extractor.anchored_readers, exported.anchored_readers, strict=True):
        second.append(_Beside(one.pipeline.score, other.pipeline.score))
        readers.append(replace(one, pipeline=replace(one.pipeline, score=second[-1], overlapped=False)))
    of_run = list(read_again(first, readers))
    again = replace(exported.pipeline(overlapped=False), score=lambda _: beside.kept.pop(0)).read(documents)
    of_export = list(read_again(again, exported.anchored_readers))
    same = [
        (one, other)
        for one, other in zip(of_run, of_export, strict=True)
        if _without_scores(one) == _without_scores(other)
    ]
    scores = [zip(_scores(one), _scores(other), strict=True) for one, other in same]
    alone = [next(exported.read([document])) for document in documents]
    calibration = extractor.calibration or Calibration("")
    return Comparison(
        texts=len(documents),
        largest=max(each.largest for each in second),
        largest_score=max((abs(one - other) for each in scores for one, other in each), default=0.0),
        other_findings=len(documents) - len(same),
        other_scores=sum(_differ(one, other) for one, other in same),
        other_decisions=sum(_decided(calibration, one) != _decided(calibration, other) for one, other in same),
        other_alone=sum(_differ(one, other) for one, other in zip(alone, of_export, strict=True)),
    )


def _differ(one: DocumentResult, other: DocumentResult) -> bool:
    return (one.findings, one.relations) != (other.findings, other.relations)


def _without_scores(result: DocumentResult) -> tuple[list[Finding], list[RelationFinding]]:
    relations = [
        replace(each, score=0.0, head=_unscored(each.head), tail=_unscored(each.tail))
        for each in result.relations or ()
    ]
    return [_unscored(finding) for finding in result.findings], relations


def _unscored(finding: Finding) -> Finding:
    attributes = finding.attributes and tuple(replace(each, score=0.0) for each in finding.attributes)
    return replace(finding, score=0.0, attributes=attributes)


def _scores(result: DocumentResult) -> Iterator[float]:
    """Yield the scores of findings and attributes; that of a relation is a product of rounded ones."""
    for finding in result.findings:
        yield finding.score
        yield from (each.score for each in finding.attributes or ())


def _decided(calibration: Calibration, result: DocumentResult) -> list[str]:
    return [calibration.decide(each.field, each.label, each.score) for each in result.findings]
