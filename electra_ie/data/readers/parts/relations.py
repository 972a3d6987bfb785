"""Relations of a record, read as the gold of a field of relations."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from electra_ie.common.text_files import SourceLine
from electra_ie.data.anchored.relation_pairs import normalized
from electra_ie.data.document import Relation, Span
from electra_ie.data.fields import AnyField, Field, RelationField
from electra_ie.data.readers.parts.gold import check_label
from electra_ie.formats.parts.spans import FRAGMENTS

SHAPE = (
    'It must be a list of objects {"head": SPAN, "tail": SPAN, "label": "..."}, where SPAN is {"start": 0, "end": 3, '
    '"label": "..."}, or the place of the span in the list of the field of spans, from 0; or null if it is unknown.'
)
ReadSpan = Callable[[Any, Field], Span | None]
"""Reads a span of a record for a field; None if it is skipped."""


def relations_of(
    record: Mapping[str, Any],
    field: RelationField,
    fields: Sequence[AnyField],
    gold: Mapping[str, Any],
    read_span: ReadSpan,
    source: SourceLine,
) -> tuple[tuple[Relation, ...], int]:
    """Return the relations of a record, and the number of those that are not read, since their spans are skipped.

    Args:
        record: The record, with a value of the field that is not null.
        field: The field.
        fields: All fields of the task.
        gold: The gold of the fields of spans.
        read_span: Reads a span of the record.
        source: The position of the record.

    Raises:
        UserError: The value has another shape, or a relation has a label that the field does not have, or a head or
            tail that is no span of the record.
    """
    value = record[field.column]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise source.error(f'"{field.column}" contains {json.dumps(value)[:60]}.', SHAPE)
    of_spans = [each for each in fields if isinstance(each, Field) and each.kind == "spans"]
    known = {span for each in of_spans for span in gold.get(each.name, ())}
    relations = []
    for item in value:
        if not all(key in item for key in ("head", "tail", "label")) or not isinstance(item["label"], str):
            raise source.error(f'"{field.column}" contains {json.dumps(item)[:60]}.', SHAPE)
        ends = [_end(item[key], record, of_spans, read_span, field, source) for key in ("head", "tail")]
        label = check_label(item["label"], field, source)
        if ends[0] is None or ends[1] is None:
            continue
        check_relation(ends[0], ends[1], known, field, source)
        relations.append(Relation(ends[0], ends[1], label))
    return normalized(field, relations), len(value) - len(relations)


def check_relation(head: Span, tail: Span, known: Collection[Span], field: RelationField, source: SourceLine) -> None:
    """Raise UserError if the head or the tail of a relation is not among the gold spans, or if both are the same."""
    for name, span in (("head", head), ("tail", tail)):
        if span not in known:
            message = (
                f"the {name} of a relation of {field.name} is {span.label} {span.start} to {span.end}, not a span."
            )
            raise source.error(message, _remedy(span, known))
    if head == tail:
        message = f"a relation of {field.name} has {head.label} {head.start} to {head.end} as head and as tail."
        raise source.error(message, "Correct or remove it.")


def _remedy(span: Span, known: Collection[Span]) -> str:
    """Return what to do about a head or tail that is no span: the one at its place may differ by its fragments."""
    place = (span.start, span.end, span.label)
    same = next((each for each in known if (each.start, each.end, each.label) == place), None)
    if same is None:
        return "Annotate it as a span of a field of kind spans, too."
    if not same.fragments:
        return f'The span there is continuous: leave "{FRAGMENTS}" out.'
    return f'The span there has fragments: give it "{FRAGMENTS}": {json.dumps(same.fragments)}, too.'


def _end(
    value: Any,
    record: Mapping[str, Any],
    of_spans: Sequence[Field],
    read_span: ReadSpan,
    field: RelationField,
    source: SourceLine,
) -> Span | None:
    """Return the head or the tail of a relation; None if it is a span that is skipped."""
    if type(value) is int:
        if len(of_spans) != 1:
            message = f'"{field.column}" gives the place of a span, and the task has {len(of_spans)} fields of spans.'
            raise source.error(message, SHAPE)
        listed = record.get(of_spans[0].column)
        if not isinstance(listed, list) or not 0 <= value < len(listed):
            have = len(listed) if isinstance(listed, list) else 0
            message = f'"{field.column}" gives the place {value}, and "{of_spans[0].column}" has {have} spans.'
            raise source.error(message, "Places begin with 0.")
        value = listed[value]
    label = value.get("label") if isinstance(value, dict) else None
    having = [each for each in of_spans if label in each.labels]
    if not having:
        raise source.error(f'"{field.column}" contains {json.dumps(value)[:60]}.', SHAPE)
    dividing = [each for each in having if each.fragments and value.get(FRAGMENTS)]
    return read_span(value, (dividing or having)[0])
