"""Annotations as the page has them, and the records of the task that they become.

An annotation maps the names of fields to values of JSON: a class or None, a list of flags, a list of spans
`{"start": 0, "end": 3, "label": "..."}`, or a list of relations `{"head": SPAN, "tail": SPAN, "label": "..."}`. A field
that is missing, or a class that is None, is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField, Field, lost_by_overlap
from electra_ie.data.gold_checks import better_scheme
from electra_ie.data.readers.jsonl import ANSWER, record_of
from electra_ie.data.readers.parts.gold import without_edges
from electra_ie.labeling.record_files import Record

Annotation = Mapping[str, Any]


def annotation_of(document: Document, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the annotation of a document: the fields with gold."""
    record = record_of(document, fields)
    return {field.name: record[field.name] for field in fields if field.name in document.gold}


def with_annotation(base: Record, text: str, annotation: Annotation, fields: Sequence[AnyField]) -> Record:
    """Return a record with other values of the fields that an annotation has; all other keys are kept.

    A span or relation that the record already has keeps its own keys. New spans quote their text.

    Raises:
        UserError: The annotation has a value of another shape, or a field that the task does not have.
    """
    known = {field.name: field for field in fields}
    for name in annotation:
        if name not in known:
            raise UserError(f'the task has no field "{name}".', remedy="Reload the page.")
    record = dict(base)
    if record.get(ANSWER) in ("reject", "ignore") and ANSWER not in (field.column for field in fields):
        record[ANSWER] = "accept"  # otherwise its annotation would not be read
    for name, value in annotation.items():
        field = known[name]
        if field.kind in ("classes", "flags") or value is None:
            record[field.column] = value
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            record[field.column] = _items(field, value, base.get(field.column), text)
        else:
            raise UserError(f"the value of the field {name} is not a list of objects.", remedy="Reload the page.")
    return record


def _items(field: AnyField, values: list[dict[str, Any]], before: Any, text: str) -> list[dict[str, Any]]:
    """Return spans or relations: those of the record before as they were, the others with the text of a span."""
    known = [item for item in before if isinstance(item, dict)] if isinstance(before, list) else []
    kept = {_identity(item, text): item for item in known}
    return [kept.get(_identity(value, text)) or _new(field, value, text) for value in values]


def _identity(item: Mapping[str, Any], text: str) -> str:
    """Return what makes two spans or relations the same. A value of another shape is refused when it is read."""
    ends = [item[name] for name in ("head", "tail") if name in item]
    return json.dumps([_plain(end, text) if isinstance(end, dict) else end for end in (*ends, item)])


def _plain(span: Mapping[str, Any], text: str) -> list[Any]:
    """Return the offsets and the label of a span without white space at its edges, as the page has it."""
    start, end = span.get("start"), span.get("end")
    if type(start) is int and type(end) is int and 0 <= start < end <= len(text):
        start, end = without_edges(text, start, end)
    return [start, end, span.get("label")]


def _new(field: AnyField, value: Mapping[str, Any], text: str) -> dict[str, Any]:
    if isinstance(field, Field):
        span = {key: value[key] for key in ("start", "end", "label") if key in value}
        start, end = span.get("start"), span.get("end")
        return {**span, "text": text[start:end]} if type(start) is int and type(end) is int and start >= 0 else span
    return {key: value[key] for key in ("head", "tail", "label") if key in value}


def check_overlaps(document: Document, fields: Sequence[AnyField]) -> None:
    """Raise UserError for spans of a field that overlap although the task refuses them."""
    for field in fields:
        if isinstance(field, Field) and field.kind == "spans" and not field.counts_lost:
            for span in lost_by_overlap(field, document.gold.get(field.name, ())):
                message = (
                    f"the span {document.text[span.start : span.end][:40]!r} of {field.name} overlaps another one."
                )
                scheme = better_scheme(field, [document])
                raise UserError(message, remedy=f"Remove one, or set {scheme} for the field in task.yaml.")
