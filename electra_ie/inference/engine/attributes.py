"""Attributes of the findings of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from electra_ie.data.anchored.attribute_spans import AttributeRules
from electra_ie.data.document import AttributeFinding
from electra_ie.data.fields import AttributeField
from electra_ie.inference.engine.anchored import AnchoredReader
from electra_ie.inference.engine.results import DocumentResult


class AttributeReader(AnchoredReader[AttributeField]):
    """What finds the attributes of one field."""

    rules: AttributeRules

    def add(self, results: Sequence[DocumentResult]) -> None:
        """Add its attribute to each finding of a span; one of another label has none of this field."""
        for result, (_, found) in zip(results, self.of_findings(results), strict=True):
            attributes = {span: AttributeFinding(self.field.name, label, score) for (span,), label, score in found}
            result.findings = [
                finding
                if finding.window is not None
                else replace(
                    finding,
                    attributes=(
                        *(finding.attributes or ()),
                        *([attributes[finding.span]] if finding.span in attributes else ()),
                    ),
                )
                for finding in result.findings
            ]
