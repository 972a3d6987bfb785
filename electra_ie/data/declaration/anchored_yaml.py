"""The declaration in task.yaml of fields that are anchored to spans, relations and attributes: parsing and checking.

effects: {kind: relations, labels: [causes], between: [[DRUG, EFFECT]], symmetric: [], from: relations}
assertion: {kind: attributes, labels: [present, negated], of: [CONDITION], default: present, from: assertion}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from electra_ie.common.errors import nearest
from electra_ie.common.yaml_source import Keys, Source
from electra_ie.data.anchored.relation_pairs import NONE
from electra_ie.data.fields import (
    ANCHORED_KINDS,
    ATTRIBUTES,
    RELATIONS,
    AnchoredField,
    AttributeField,
    Field,
    RelationField,
)

KEYS = {
    RELATIONS: ("kind", "labels", "from", "between", "symmetric"),
    ATTRIBUTES: ("kind", "labels", "from", "of", "default"),
}
"""By the kind of the field."""
NEEDS = {
    RELATIONS: ("relates spans", "Add the field of the spans that are related."),
    ATTRIBUTES: ("says something of spans", "Add the field of these spans."),
}
"""What a field needs spans for, and the remedy if the task has none."""


def is_anchored(declaration: Any) -> bool:
    """Return whether the declaration of a field is one of relations or attributes."""
    return isinstance(declaration, Mapping) and declaration.get("kind") in ANCHORED_KINDS


def parse_anchored(name: str, declaration: Any, fields: Sequence[Field], source: Source) -> AnchoredField:
    """Return a field of relations or attributes.

    Args:
        name: Its name.
        declaration: Its declaration.
        fields: The other fields of the task.
        source: The file and its lines.

    Raises:
        UserError: A key or value is invalid, or no field of kind `spans` has the labels that it names.
    """
    keys, kind = ("fields", name), declaration["kind"]
    source.check_keys(keys, declaration, KEYS[kind])
    labels = _labels((*keys, "labels"), declaration.get("labels"), source)
    column = declaration.get("from", "")
    if not isinstance(column, str):
        raise source.error((*keys, "from"), f"from is {column!r}, not text.", "Put it in quotes.")
    known = [label for field in fields if field.kind == "spans" for label in field.labels]
    if not known:
        needs, remedy = NEEDS[kind]
        raise source.error(keys, f"the field {name} {needs}, and the task has no field of kind spans.", remedy)
    if kind == ATTRIBUTES:
        return _attributes(name, declaration, labels, known, source)
    if NONE in labels:
        raise source.error((*keys, "labels"), f'"{NONE}" cannot be a label of relations.', "Rename it.")
    between = _between((*keys, "between"), declaration.get("between", []), known, source)
    symmetric = _subset((*keys, "symmetric"), declaration.get("symmetric", []), labels, source)
    return RelationField(name, labels, between, symmetric, column)


def _labels(keys: Keys, value: Any, source: Source) -> tuple[str, ...]:
    """Return labels. Raises UserError if they are not a list."""
    if not isinstance(value, list):
        raise source.error(keys, f"{keys[-1]} is {value!r}, not a list.", "Write a list of labels: [one, other].")
    return source.texts(keys, value)


def _subset(keys: Keys, value: Any, labels: Sequence[str], source: Source) -> tuple[str, ...]:
    """Return a list of labels that may be empty. Raises UserError for one that is not among `labels`."""
    if value == []:
        return ()
    chosen = _labels(keys, value, source)
    for label in chosen:
        if label not in labels:
            raise source.error(keys, f'there is no label "{label}".', nearest(label, labels))
    return chosen


def _attributes(
    name: str, declaration: Mapping[str, Any], labels: tuple[str, ...], known: Sequence[str], source: Source
) -> AttributeField:
    keys = ("fields", name)
    if len(labels) <= 1:
        raise source.error((*keys, "labels"), f"the field {name} has only one label.", "Give at least two.")
    of = _subset((*keys, "of"), declaration.get("of", []), known, source) or tuple(dict.fromkeys(known))
    default = declaration.get("default", "")
    if "default" in declaration and default not in labels:
        message = f'default is "{default}", which is no label of the field {name}.'
        raise source.error((*keys, "default"), message, nearest(str(default), labels))
    return AttributeField(name, labels, of, default, declaration.get("from", ""))


def _between(keys: Keys, value: Any, known: Sequence[str], source: Source) -> tuple[tuple[str, str], ...]:
    """Return the pairs of span labels that may be related."""
    is_pairs = isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)  # noqa: PLR2004
    if not is_pairs:
        message = f"between is {str(value)[:60]}, not a list of pairs."
        raise source.error(keys, message, "Write [[HEAD, TAIL], [HEAD, TAIL]], each the label of a span.")
    for label in (label for pair in value for label in pair):
        if label not in known:
            message = f'no field of spans has the label "{label}".'
            raise source.error(keys, message, nearest(str(label), known))
    return tuple((head, tail) for head, tail in value)


def declaration_of(field: AnchoredField) -> dict[str, Any]:
    """Return the declaration of a field of relations or attributes, without values that are defaults."""
    declared: dict[str, Any] = {"kind": field.kind, "labels": list(field.labels)}
    if isinstance(field, RelationField):
        own = {"between": [list(pair) for pair in field.between], "symmetric": list(field.symmetric)}
    else:
        own = {"of": list(field.of), "default": field.default}
    given = {"from": field.source, **own}
    return declared | {key: value for key, value in given.items() if value}
