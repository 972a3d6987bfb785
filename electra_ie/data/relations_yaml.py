"""The declaration of a field of relations in task.yaml: parsing and checking.

effects: {kind: relations, labels: [causes], between: [[DRUG, EFFECT]], symmetric: [], from: relations}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from electra_ie.common.errors import nearest
from electra_ie.common.yaml_source import Source
from electra_ie.data.fields import RELATIONS, Field, RelationField
from electra_ie.data.relation_pairs import NONE

KEYS = ("kind", "labels", "from", "between", "symmetric")


def is_relations(declaration: Any) -> bool:
    """Return whether the declaration of a field is one of relations."""
    return isinstance(declaration, Mapping) and declaration.get("kind") == RELATIONS


def parse_relations(name: str, declaration: Any, fields: Sequence[Field], source: Source) -> RelationField:
    """Return a field of relations.

    Args:
        name: Its name.
        declaration: Its declaration.
        fields: The other fields of the task.
        source: The file and its lines.

    Raises:
        UserError: A key or value is invalid, or no field of kind `spans` has the labels that it relates.
    """
    keys = ("fields", name)
    source.check_keys(keys, declaration, KEYS)
    if not isinstance(declaration.get("labels"), list):
        message = f"labels is {declaration.get('labels')!r}, not a list."
        raise source.error((*keys, "labels"), message, "Write a list: [one, other].")
    labels = source.texts((*keys, "labels"), declaration["labels"])
    if NONE in labels:
        raise source.error((*keys, "labels"), f'"{NONE}" cannot be a label of relations.', "Rename it.")
    column = declaration.get("from", "")
    if not isinstance(column, str):
        raise source.error((*keys, "from"), f"from is {column!r}, not text.", "Put it in quotes.")
    known = [label for field in fields if field.kind == "spans" for label in field.labels]
    if not known:
        remedy = "Add the field of the spans that are related."
        raise source.error(keys, f"the field {name} relates spans, and the task has no field of kind spans.", remedy)
    between = _between((*keys, "between"), declaration.get("between", []), known, source)
    symmetric = declaration.get("symmetric", [])
    if not isinstance(symmetric, list):
        raise source.error((*keys, "symmetric"), f"symmetric is {symmetric!r}, not a list.", "Write a list of labels.")
    for label in symmetric:
        if label not in labels:
            raise source.error((*keys, "symmetric"), f'there is no label "{label}".', nearest(str(label), labels))
    return RelationField(name, labels, between, tuple(symmetric), column)


def _between(keys: tuple[str, ...], value: Any, known: Sequence[str], source: Source) -> tuple[tuple[str, str], ...]:
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


def declaration_of(field: RelationField) -> dict[str, Any]:
    """Return the declaration of a field of relations, without values that are defaults."""
    declared: dict[str, Any] = {"kind": field.kind, "labels": list(field.labels)}
    if field.source:
        declared["from"] = field.source
    if field.between:
        declared["between"] = [list(pair) for pair in field.between]
    if field.symmetric:
        declared["symmetric"] = list(field.symmetric)
    return declared
