"""Relations of concepts in BioC: relations whose infons, or whose nodes, name entries of a knowledge base.

BioRED has the infons `entity1` and `entity2`, BC5CDR `relation` and an infon for each role, PubTator 3 `role1` and
`role2`, in JSON with all that it knows of the concept. What none of these forms holds is JSON in the infon `_concepts`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from electra_ie.common.text_files import SourceLine
from electra_ie.formats.concepts import RELATIONS, relation_of, relations_of_concepts

OWN = "_concepts"
ENTITIES = ("entity1", "entity2")
ROLES = ("role1", "role2")
LABEL = "relation"
"""The infon with the label in BC5CDR, and the label of a relation without one."""


def concepts_of(
    relation: Any, label: str, known: Collection[str], of_text: bool, source: SourceLine
) -> dict[str, Any] | None:
    """Return a relation of concepts, None for a relation of annotations or of unknown things.

    relation: of the package bioc. label: the infon with the label. known: the identifiers of the concepts of the
    document. of_text: whether a node is an annotation.

    Raises:
        UserError: the infon that `infons_of` wrote is not a relation of concepts.
    """
    infons = relation.infons
    if OWN in infons:
        return _own(infons[OWN], source)
    if set(ROLES) <= set(infons):  # its nodes have the number 0, which may be that of an annotation
        return _of_roles(relation, label)
    if of_text:
        return None
    if all(isinstance(infons.get(key), str) for key in ENTITIES):
        values = _rest(infons, label, *ENTITIES)
        return relation_of(_label(infons, label), [infons[key] for key in ENTITIES], (), values)
    if relation.nodes and all(str(node.refid) in known for node in relation.nodes) and len(relation.nodes) > 1:
        roles = [str(node.role or "") for node in relation.nodes]
        concepts = [str(node.refid) for node in relation.nodes]
        return relation_of(_label(infons, label), concepts, roles if any(roles) else (), _rest(infons, label))
    by_role = _rest(infons, LABEL)
    if not relation.nodes and isinstance(infons.get(LABEL), str) and label not in infons and len(by_role) > 1:
        return relation_of(infons[LABEL], list(map(str, by_role.values())), list(by_role))
    return None


def _own(value: Any, source: SourceLine) -> dict[str, Any]:
    try:
        found = relations_of_concepts({RELATIONS: [json.loads(value)]})
    except (TypeError, ValueError, RecursionError):
        found = []
    if not found:
        message = f"the infon {OWN} is {str(value)[:40]!r}, which is not a relation of concepts."
        raise source.error(message, "Remove it, or correct it.")
    return found[0]


def _of_roles(relation: Any, label: str) -> dict[str, Any] | None:
    """Return a relation of PubTator 3, with what it says of the concepts; None if one has no identifier."""
    stated = [relation.infons[key] for key in ROLES]
    named = [item.get("identifier") if isinstance(item, dict) else item for item in stated]
    concepts = [item for item in named if isinstance(item, str) and item]
    if len(concepts) < len(ROLES):
        return None
    details = {key: item for key, item in zip(ROLES, stated, strict=True) if isinstance(item, dict)}
    nodes = [{"refid": str(node.refid), "role": str(node.role or "")} for node in relation.nodes]
    values = _rest(relation.infons, label, *ROLES) | details | ({"nodes": nodes} if nodes else {})
    return relation_of(_label(relation.infons, label), concepts, (), values)


def _label(infons: Mapping[str, Any], label: str) -> str:
    return LABEL if infons.get(label) is None else str(infons[label])


def _rest(infons: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    return {key: value for key, value in infons.items() if key not in taken}


def infons_of(relation: Mapping[str, Any], label: str) -> dict[str, str]:
    """Return the infons of a relation of concepts: in the form of BioRED or BC5CDR if it holds it."""
    concepts, roles, values = relation["concepts"], relation.get("roles", []), relation.get("values", {})
    forms = []
    if not roles and len(concepts) == len(ENTITIES):
        forms.append({label: relation["label"], **dict(zip(ENTITIES, concepts, strict=True)), **values})
    if roles and not values:
        forms.append({LABEL: relation["label"], **dict(zip(roles, concepts, strict=True))})
    for form in forms:
        reserved = {label, LABEL, OWN, *ENTITIES, *ROLES} & {*values, *roles}
        if not reserved and len(set(roles)) == len(roles) and all(map(_is_plain, [*form, *form.values()])):
            return form
    return {label: relation["label"], OWN: json.dumps(relation, ensure_ascii=False)}


def _is_plain(value: Any) -> bool:
    """Return whether a value is a text that XML returns as it is."""
    return isinstance(value, str) and value.isprintable() and bool(value.strip())
