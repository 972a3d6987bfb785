"""Relations of records in JSON lines: objects with head, tail and label, as a task with a field of relations has them.

Head and tail are spans of the record: in full, or by their place in its list of spans.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedSpan, Offsets, Relation
from electra_ie.formats.parts.annotation_tools import ROLES
from electra_ie.formats.parts.spans import FRAGMENTS, fragments_of, hull

HEAD, TAIL = "head", "tail"
OF_RELATION = (HEAD, TAIL, "roles", "symmetric", "label", "id", "attributes", "references", "notes", "score", "origin")
"""The keys of a relation. Another one with a text is an attribute."""
SHAPE = 'It must be a span of the record, {"start": 0, "end": 3, "label": "..."}, or its place in their list, from 0.'
Place = tuple[tuple[Offsets, ...], str]


def is_relations(value: Any) -> bool:
    """Return whether a value is a list of relations."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and HEAD in item and TAIL in item
                                                           for item in value)  # fmt: skip


def related_keys(record: Mapping[str, Any], reserved: Collection[str]) -> list[str]:
    """Return the keys of a record with relations. reserved: those that have another meaning."""
    return [key for key, value in record.items() if key not in reserved and is_relations(value)]


class Ends:
    """The spans of a record, found by what its relations say of their heads and tails."""

    def __init__(self, items: Mapping[str, Sequence[Any]], spans: Sequence[AnnotatedSpan], source: SourceLine) -> None:
        """Prepare the search.

        Args:
            items: The spans by layer, as the record has them.
            spans: The same spans in one sequence, as they were read.
            source: The position of the record.
        """
        self.items, self.spans, self.source = items, spans, source

    @cached_property
    def places(self) -> dict[Place, list[AnnotatedSpan]]:
        """The spans by their offsets, as the record has them, and their label. A head may leave out the fragments."""
        found: dict[Place, list[AnnotatedSpan]] = {}
        listed = [(item, key) for key, items in self.items.items() for item in items]
        for (item, key), span in zip(listed, self.spans, strict=True):
            pairs = fragments_of(item, key, self.source)
            for place in dict.fromkeys((tuple(sorted(pairs)), (hull(pairs),))):
                found.setdefault((place, item["label"]), []).append(span)
        return found

    def arguments(self, item: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
        """Return the arguments of a relation. Raises UserError for an end that is no span, or roles that are no texts.

        key: that of its list, for errors.
        """
        roles = ROLES if item.get("roles") is None else item["roles"]
        if not (isinstance(roles, list | tuple) and [type(role) for role in roles] == [str, str]):
            message = f'a relation of "{key}" has "roles": {json.dumps(roles)[:60]}.'
            raise self.source.error(message, "They must be two texts, or leave them out.")
        return tuple((role, self._span(item[end], end, key).id) for role, end in zip(roles, (HEAD, TAIL), strict=True))

    def _span(self, value: Any, end: str, key: str) -> AnnotatedSpan:
        if type(value) is int:
            return self._at(value, key)
        found = self._found(value, key) if isinstance(value, dict) else []
        if not found:
            message = f'the {end} of a relation of "{key}" is {json.dumps(value)[:60]}, not a span of the record.'
            raise self.source.error(message, SHAPE)
        return next((span for span in found if span.id == value.get("id")), found[0])

    def _at(self, place: int, key: str) -> AnnotatedSpan:
        """Return the span at a place in the only list of spans."""
        if len(self.items) > 1:
            message = f'"{key}" gives the place of a span, and the record has {len(self.items)} lists of spans.'
            raise self.source.error(message, SHAPE)
        if not 0 <= place < len(self.spans):
            message = f'"{key}" gives the place {place}, and the record has {len(self.spans)} spans.'
            raise self.source.error(message, "Places begin with 0.")
        return self.spans[place]

    def _found(self, value: Mapping[str, Any], key: str) -> Sequence[AnnotatedSpan]:
        """Return the spans with the label and the offsets of a head or tail."""
        label, pairs = value.get("label"), fragments_of(value, key, self.source)
        if not isinstance(label, str) or not all(type(offset) is int for pair in pairs for offset in pair):
            return []
        return self.places.get((tuple(sorted(pairs)), label), [])


def is_between_spans(relation: Relation, spans: Collection[str]) -> bool:
    """Return whether a relation has a head and a tail. spans: the ids of the spans of the document."""
    return len(relation.arguments) == len(ROLES) and all(target in spans for _, target in relation.arguments)


def ends_of(relation: Relation, spans: Mapping[str, AnnotatedSpan]) -> dict[str, Any]:
    """Return head and tail of a relation between spans in full, so that the record needs no order, and its roles."""
    head, tail = (_end(spans[target]) for _, target in relation.arguments)
    roles = [role for role, _ in relation.arguments]
    return {HEAD: head, TAIL: tail, **({} if roles == [*ROLES] else {"roles": roles})}


def _end(span: AnnotatedSpan) -> dict[str, Any]:
    """Return a span as a head or tail; its id distinguishes it from others at the same place."""
    fragments = {FRAGMENTS: span.fragments} if len(span.fragments) > 1 else {}
    return {"start": span.start, "end": span.end, "label": span.label, "id": span.id, **fragments}
