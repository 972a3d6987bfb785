"""Types of UIMA CAS: which of them are layers of spans, relations, chains and slots, by their features.

INCEpTION's slot feature is an array of links, structures with a role and a target. Its chains are links of spans, each
with the next one, and structures with the first.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import Any

ANNOTATION, STRING = "uima.tcas.Annotation", "uima.cas.String"
DOCUMENT_ANNOTATION = "uima.tcas.DocumentAnnotation"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
LAYERS = ("de.tudarmstadt.ukp.dkpro.core.api.ner.type.", "de.tudarmstadt.ukp.dkpro.core.api.coref.type.")
"""The packages of DKPro whose types are layers by default: named entities and coreference."""
LINGUISTIC = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro.")
"""The types that are not layers by default: tokens, sentences, tags, dependencies and others of their systems."""
CARRIED, IDENTIFIER = "electra_ie", "identifier"
GOVERNOR, DEPENDENT = "Governor", "Dependent"
DOCUMENT = "electra_ie.Document"
"""The type of what belongs to a document as a whole, in its feature `electra_ie`."""
CUSTOM = "webanno.custom."
"""The package of the types that are written, as INCEpTION names those of a project."""
ROLE, TARGET = "role", "target"
"""The features of the links of a slot feature."""
FIRST, NEXT = "first", "next"
"""The features of a chain and of its links."""
LABEL, OTHER_LABEL = "value", "label"
"""The feature with the label by default, and that of types without it, as in a basic project of INCEpTION."""
LINK_LABEL, LINK_RELATION = "referenceType", "referenceRelation"
"""The features of a link of a chain: the label of its span, and that of the relation with the next one."""
LINK = "Link"
"""The end of the names of types of links."""
CHAIN_ROLES = ("Link", "Next")
"""The roles of the relation of a link of a chain with the next one."""
SLOTS = "arguments"
"""The beginning of the names of the slot features that are written."""
TAKEN = {
    "begin", "end", "sofa", "type", "self", "get", "set", "value", "xmiID", "get_covered_text", GOVERNOR, DEPENDENT,
    IDENTIFIER, CARRIED, FIRST, NEXT, LINK_LABEL, LINK_RELATION, *map(str, keyword.kwlist),
}  # fmt: skip
"""Names that the feature of an attribute cannot have."""


def event_id(trigger: object, number: int) -> str:
    """Return the id of an event by that of its span, and the number of its slot feature (from 0)."""
    return f"{trigger} event {number + 1}"


def features_of(type_: Any) -> set[str]:
    """Return the names of the features of a type."""
    return {feature.name for feature in type_.all_features}


def is_kind(fs: Any, name: str) -> bool:
    """Return whether a feature structure has a type or one derived from it."""
    return bool(fs.type.name == name or fs.type.typesystem.is_instance_of(fs.type, name))


def is_relation(type_: Any) -> bool:
    """Return whether a type is one of relations."""
    return features_of(type_) >= {GOVERNOR, DEPENDENT}


def is_chain_link(type_: Any) -> bool:
    """Return whether a type is one of the links of chains, which are spans."""
    following = type_.get_feature(NEXT)
    return following is not None and following.rangeType.name == type_.name


def is_part(fs: Any) -> bool:
    """Return whether a structure only belongs to others: the link of a slot feature, or a chain."""
    if is_kind(fs, ANNOTATION):
        return False
    names = features_of(fs.type)
    first = fs.type.get_feature(FIRST)
    return names >= {ROLE, TARGET} or first is not None and is_chain_link(_defined(fs.type, first.rangeType.name))


def _defined(type_: Any, name: str) -> Any:
    """Return a type by name: those to which the features of a type refer may lack their features in cassis."""
    return type_.typesystem.get_type(name)


def slots_of(type_: Any) -> list[str]:
    """Return the slot features of a type, in their order."""
    arrays = [feature for feature in type_.all_features if feature.elementType is not None]
    links = {feature.name: _defined(type_, feature.elementType.name) for feature in arrays}
    return [name for name, link in links.items() if TARGET in features_of(link)]


def layer_name(type_: Any) -> str:
    """Return the name of a type as a layer: its short name, for links of chains without its end."""
    return str(type_.short_name.removesuffix(LINK) if is_chain_link(type_) else type_.short_name)


def is_layer(type_: Any, types: Sequence[str]) -> bool:
    """Return whether a type is a layer or a relation. types: the option."""
    if types and not is_relation(type_):
        return type_.name in types or type_.short_name in types or layer_name(type_) in types
    return type_.name.startswith(LAYERS) or not type_.name.startswith(LINGUISTIC)
