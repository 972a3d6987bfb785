"""Spans that have an attribute: the candidates of a field of attributes (see `marked_spans`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from electra_ie.data.anchored.marked_spans import MarkedSpans, SpanRules
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import AttributeField, Field


@dataclass(frozen=True)
class AttributeRules(SpanRules[AttributeField]):
    """Which spans have an attribute.

    Attributes:
        of: The labels of these spans.
        common: The label that most labeled spans have: the answer of a baseline that reads nothing.
    """

    of: tuple[str, ...]
    common: str
    item: ClassVar[str] = "an attribute"
    unit: ClassVar[str] = "spans"

    @classmethod
    def learn(cls, field: AttributeField, documents: Iterable[Document]) -> Self:
        """Return the rules of a field, with the label that is most frequent in these documents."""
        counts = Counter(each.label for document in documents for each in document.gold.get(field.name, ()))
        return cls(field.of, max(field.labels, key=lambda label: counts[label]))

    @property
    def as_dict(self) -> dict[str, Any]:
        """The rules as JSON has them."""
        return {"of": list(self.of), "common": self.common}

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Return the rules of `as_dict`. Raises ValueError, KeyError or TypeError for anything else."""
        return cls(tuple(map(str, content["of"])), str(content["common"]))

    @classmethod
    def classes(cls, field: AttributeField) -> Field:
        """Return the classes of marked spans: the labels of the field."""
        return Field(field.name, "classes", field.labels)

    def candidates(self, text: str, spans: Iterable[Span]) -> list[MarkedSpans]:  # noqa: ARG002 - as for pairs
        """Return the spans of the labels of the field, in the order of the text."""
        return [(span,) for span in sorted(set(spans)) if span.label in self.of]

    def labeled(
        self, field: AttributeField, document: Document, spans: Iterable[Span]
    ) -> tuple[dict[MarkedSpans, str], Counter[str]]:
        """Return the spans with a gold attribute; each has a candidate."""
        labels = {each.span: each.label for each in document.gold[field.name]}
        return {(span,): labels[span] for (span,) in self.candidates(document.text, spans) if span in labels}, Counter()
