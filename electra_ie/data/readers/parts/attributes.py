"""Attributes of the spans of a document, read as the gold of fields of attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Attribute, Span
from electra_ie.data.fields import AnyField, AttributeField, Field
from electra_ie.data.readers.parts.gold import check_label

FLAGS = {None: True, "": True, "true": True, "false": False}
"""Values of an attribute that is only there or not, such as `Negated` of brat, or a feature of UIMA."""
Said = tuple[str, str | None]
"""Name and value of an attribute of a span, as the formats have them."""


class SpanAttributes:
    """The attributes of the spans of one document, by field.

    An attribute with the name (or `from`) of a field has a label as its value. One with the name of a label and without
    a value, or with the value true, says that the label applies.
    """

    def __init__(self, fields: Sequence[AttributeField]) -> None:
        """Begin a document. fields: those that it is labeled for."""
        self.labels: dict[AttributeField, dict[Span, str]] = {field: {} for field in fields}
        self.unread = 0

    def add(self, span: Span, said: Iterable[Said], source: SourceLine) -> None:
        """Add what is said of a span, and count what no field of its label reads.

        Raises:
            UserError: a value is no label of its field, or two labels of a field apply to the span.
        """
        for name, value in said:
            is_read = False
            for field in self.labels:
                label = _label(field, name, value) if span.label in field.of else None
                is_read |= label is not None
                if label:
                    self._set(field, span, label, source)
            self.unread += not is_read

    def _set(self, field: AttributeField, span: Span, label: str, source: SourceLine) -> None:
        other = self.labels[field].setdefault(span, check_label(label, field, source))
        if other != label:
            message = f"{span.label} {span.start} to {span.end} has two labels of {field.name}: {other} and {label}."
            raise source.error(message, "Keep one, or make a field of attributes for each of them.")

    def gold(self, fields: Iterable[AnyField], gold: Mapping[str, Any]) -> dict[str, tuple[Attribute, ...]]:
        """Return the gold of the fields for which the document is labeled.

        With a `default`, these are all fields of which the spans are known; otherwise those with at least one label.

        Args:
            fields: All fields of the task.
            gold: The gold of the fields of spans.
        """
        of_spans = [each for each in fields if isinstance(each, Field) and each.kind == "spans" and each.name in gold]
        result = {}
        for field, said in self.labels.items():
            having = [each for each in of_spans if set(each.labels) & set(field.of)]
            if field.default and having:
                spans = (span for each in having for span in gold[each.name] if span.label in field.of)
                labels = {span: said.get(span, field.default) for span in spans}
            elif said:
                labels = said
            else:
                continue
            result[field.name] = tuple(sorted(Attribute(span, label) for span, label in labels.items()))
        return result


def _label(field: AttributeField, name: str, value: str | None) -> str | None:
    """Return the label that an attribute of a span gives, "" for a flag that does not apply, None if it is another."""
    if name == field.column and value in field.labels:
        return value
    if name in field.labels and value in FLAGS:
        return name if FLAGS[value] else ""
    return value if name == field.column else None  # no label of the field, which is an error
