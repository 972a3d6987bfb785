"""Relations between concepts: entries of a knowledge base, not passages of the text, as PubTator and BioC state them.

`CID D003000 D001943` says that a text relates two concepts, not which of their mentions it relates. So such a relation
is none of spans: it is a value of the metadata, the list `relations`, and every format with other values keeps it.

    {"label": "CID", "concepts": ["D003000", "D001943"], "roles": ["Chemical", "Disease"], "values": {"novel": "No"}}

`roles` and `values` are only there where the file states them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RELATIONS = "relations"
"""The value of the metadata with the relations of concepts."""
LOST = "relations of concepts"
"""A kind of loss."""
NOVEL = "novel"
"""The value by which BioRED says whether a relation is new knowledge: `Novel` or `No`."""
LEAST = 2
"""The fewest concepts of a relation."""


def relation_of(
    label: str, concepts: Sequence[str], roles: Sequence[str] = (), values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a relation of concepts as the metadata has it. roles: one for each concept, or none."""
    stated = {"roles": list(roles), "values": dict(values or {})}
    return {"label": label, "concepts": list(concepts), **{key: value for key, value in stated.items() if value}}


def relations_of_concepts(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the relations of concepts in metadata; none if the value of this name is something else."""
    value = metadata.get(RELATIONS)
    return value if isinstance(value, list) and all(map(_is_relation, value)) else []


def _is_relation(item: Any) -> bool:
    if not isinstance(item, dict) or not {"label", "concepts"} <= set(item) <= {"label", "concepts", "roles", "values"}:
        return False
    concepts, roles, values = item["concepts"], item.get("roles"), item.get("values", {NOVEL: "No"})
    return (
        isinstance(item["label"], str)
        and _are_texts(concepts)
        and len(concepts) >= LEAST
        and (roles is None or (_are_texts(roles) and len(roles) == len(concepts)))
        and isinstance(values, dict)
        and bool(values)
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
