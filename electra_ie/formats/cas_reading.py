"""What a UIMA CAS says, as an annotated document.

A type is a layer of spans, its feature `value` (or in a type without it, `label`) the label, its other features
attributes; a type with the features Governor and Dependent is one of relations.

A span with links in a slot feature is the trigger of an event: its label is that of the span, and its arguments are the
targets by their roles, or by the name of the feature where a link has no role. A span with several slot features has an
event for each, with the attribute `feature`. The links of a chain are spans, labeled by `referenceType`, and each has a
relation with the next one, labeled by `referenceRelation`, or if there is none by the name of the layer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Attribute,
    Event,
    Reference,
    Relation,
)
from electra_ie.formats.cas_files import Lines
from electra_ie.formats.cas_types import (
    ANNOTATION,
    CARRIED,
    CHAIN_ROLES,
    DEPENDENT,
    DOCUMENT,
    DOCUMENT_ANNOTATION,
    GOVERNOR,
    IDENTIFIER,
    LABEL,
    LINGUISTIC,
    LINK_LABEL,
    LINK_RELATION,
    METADATA,
    NEXT,
    OTHER_LABEL,
    ROLE,
    TARGET,
    event_id,
    features_of,
    is_chain_link,
    is_kind,
    is_layer,
    is_part,
    is_relation,
    layer_name,
    slots_of,
)
from electra_ie.formats.parts.json_values import parse, refuse_surrogates
from electra_ie.formats.parts.references import reference_of
from electra_ie.formats.parts.spans import SpanReader

OTHERS = "other annotations than those of layers"


@dataclass(frozen=True)
class _State:
    """The options of the reader, counts of what is not read, and the features of types without one for the label."""

    options: Mapping[str, Any]
    unread: Counter[str]
    unlabeled: dict[str, list[str]]

    def label_feature(self, type_: Any) -> str:
        """Return the name of the feature with the label, which the type may lack."""
        names = features_of(type_)
        name = str(self.options["label"])
        if name == LABEL and LABEL not in names and OTHER_LABEL in names:
            return OTHER_LABEL
        others = sorted(names - {"begin", "end", "sofa", GOVERNOR, DEPENDENT, CARRIED, IDENTIFIER, *slots_of(type_)})
        if name not in names and others and not is_chain_link(type_):
            self.unlabeled[layer_name(type_)] = others
        return name


@dataclass
class _Parts:
    """The feature structures of a CAS: spans, relations, others, and what belongs to the document as a whole."""

    id: str
    annotator: str = ""
    own: dict[str, Any] = field(default_factory=dict)
    spans: list[Any] = field(default_factory=list)
    relations: list[Any] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)


def document_of(
    cas: Any, lines: Lines, options: Mapping[str, Any], unread: Counter[str], unlabeled: dict[str, list[str]]
) -> tuple[AnnotatedDocument, bool]:
    """Return the document of a CAS, and whether it says its layers itself; count in `unread` what is not read.

    unlabeled: receives the types that lack the feature with the label, with the features that they have.

    Raises:
        UserError: it has no text, or an annotation is invalid.
    """
    state, whole = _State(options, unread, unlabeled), SourceLine(lines.file, 0)
    with_text = [view.sofa for view in cas.views if view.sofa.sofaString is not None]
    if not with_text:
        raise whole.error("this CAS has no text.", "Export it with its sofa string.")
    state.unread.update({"further views of texts": len(with_text) - 1} if len(with_text) > 1 else {})
    view = cas.get_view(with_text[0].sofaID)
    refuse_surrogates(view.sofa_string, "text", whole)
    try:
        parts = _parts(view, whole, state)
        layers = _Layers(cas.typesystem, parts.own, state.options["types"])
        spans = _spans(view, parts.spans, layers, lines, state)
        known = {span.id: span.label for span in spans}
        relations = [item for fs in parts.relations for item in _relation(fs, known, state)]
        relations += [item for fs in parts.spans for item in _chained(fs, known, layers, state)]
        events = [event for fs in parts.spans for event in _events(fs, known, state)]
        fields = parts.own or {
            "id": parts.id,
            "labels": _labels(parts.others, state),
            "layers": layers.custom() or None,
            "metadata": {"annotator": parts.annotator} if parts.annotator else {},
        }
        named = list(dict.fromkeys([*(fields["layers"] or ()), *sorted({span.layer for span in spans})]))
        document = AnnotatedDocument(
            fields["id"], view.sofa_string, tuple(spans), tuple(relations), tuple(events),
            labels={name: tuple(values) for name, values in fields.get("labels", {}).items()},
            label_scores={name: tuple(values) for name, values in fields.get("scores", {}).items()},
            layers=None if fields["layers"] is None and not named else tuple(named),
            notes=tuple(fields.get("notes", ())), metadata=fields.get("metadata", {}),
            predicted=fields.get("predicted", False), file=lines.file, label_origins=fields.get("origins", {}),
            relation_layers=tuple(fields.get("relation_layers", ("",))),
        )  # fmt: skip
        return document, bool(parts.own)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise whole.error(f"this document is invalid: {first_line(error)}.", "Correct it.") from None


def _parts(view: Any, whole: SourceLine, state: _State) -> _Parts:
    """Return the feature structures of a view by what they are; types that are no layers are counted."""
    parts = _Parts(Path(whole.file).stem)
    for fs in view.select_all_fs():
        if fs.type.name == DOCUMENT:
            parts.own = parse(fs[CARRIED] or "", whole)
        elif fs.type.name == METADATA:
            parts.id, parts.annotator = _identified(fs, parts.id)
        elif is_part(fs):  # those to which it belongs refer to it
            continue
        elif not is_kind(fs, DOCUMENT_ANNOTATION) and not is_layer(fs.type, state.options["types"]):
            state.unread[f"annotations of the type {fs.type.short_name} (option types)"] += 1
        elif not is_kind(fs, ANNOTATION):
            parts.others.append(fs)
        elif not is_kind(fs, DOCUMENT_ANNOTATION):
            (parts.relations if is_relation(fs.type) else parts.spans).append(fs)
    return parts


def _identified(metadata: Any, stem: str) -> tuple[str, str]:
    """Return the id of a document, and the annotator if the metadata name one.

    INCEpTION writes the annotator as `documentId`, the name of the file as `documentTitle`, and as `documentUri` the
    `documentBaseUri`, which is the project, with that name.
    """
    names = features_of(metadata.type)
    id, title, uri, base = (
        (metadata[name] if name in names else None) or ""
        for name in ("documentId", "documentTitle", "documentUri", "documentBaseUri")
    )
    if title and base and uri == f"{base}/{title}":
        return title, id if id != title else ""
    return id or title or stem, ""


@dataclass
class _Layers:
    """The names of layers: short names of types, but for those that the document itself names."""

    typesystem: Any
    own: Mapping[str, Any]
    types: Sequence[str]

    def name(self, type_: Any) -> str:
        """Return the layer of a type."""
        return str(self.own.get("types", {}).get(type_.short_name, layer_name(type_)))

    def custom(self) -> list[str]:
        """Return the layers of the project's own types, also of those without an annotation in the document."""
        candidates = (type_ for type_ in self.typesystem.get_types() if is_layer(type_, self.types))
        return sorted(
            self.name(type_)
            for type_ in candidates
            if not type_.name.startswith(LINGUISTIC)
            and self.typesystem.is_instance_of(type_, ANNOTATION)
            and not is_relation(type_)
        )


def _spans(view: Any, found: Iterable[Any], layers: _Layers, where: Lines, state: _State) -> list[AnnotatedSpan]:
    """Return the annotations as spans. Those without a character, which UIMA allows, are counted."""
    text, reader, spans = view.sofa_string, SpanReader(where.file), []
    for fs in found:
        if fs.begin == fs.end:
            state.unread["annotations without a character"] += 1
            continue
        source = SourceLine(where.file, where.by_id.get(fs.xmiID, 0))
        offsets = reader.offsets(text, fs.begin, fs.end, source, text[max(fs.begin, 0) : max(fs.end, 0)])
        spans.append(AnnotatedSpan(**_details(fs, state)[0], fragments=(offsets,), layer=layers.name(fs.type)))
    return spans


def _relation(fs: Any, spans: Container[str], state: _State) -> Iterator[Relation]:
    """Yield a relation, unless it is not between spans that are read."""
    ends = [fs[name] for name in (GOVERNOR, DEPENDENT)]
    if any(end is None or str(end.xmiID) not in spans for end in ends):
        state.unread[f"relations of {OTHERS}"] += 1
        return
    details, own = _details(fs, state)
    roles = own.get("roles", (GOVERNOR, DEPENDENT))
    arguments = tuple(zip(roles, _targets(ends, own), strict=True))
    yield Relation(**details, arguments=arguments, symmetric=own.get("symmetric", False), layer=own.get("layer", ""))


def _targets(ends: Sequence[Any], own: Mapping[str, Any]) -> list[str]:
    """Return the ids of the targets of arguments: spans, or events of them where this package wrote so."""
    numbers = own.get("events", {})
    return [
        event_id(end.xmiID, numbers[str(index)]) if str(index) in numbers else str(end.xmiID)
        for index, end in enumerate(ends)
    ]


def _chained(fs: Any, spans: Container[str], layers: _Layers, state: _State) -> Iterator[Relation]:
    """Yield the relation of the link of a chain with the next one, if there is one."""
    following = fs[NEXT] if is_chain_link(fs.type) else None
    if following is None or str(fs.xmiID) not in spans:
        return
    if str(following.xmiID) not in spans:
        state.unread[f"links of chains to {OTHERS}"] += 1
        return
    label = fs[LINK_RELATION] if LINK_RELATION in features_of(fs.type) else None
    arguments = tuple(zip(CHAIN_ROLES, (str(fs.xmiID), str(following.xmiID)), strict=True))
    yield Relation(f"{fs.xmiID} next", label or layers.name(fs.type), arguments)


def _events(fs: Any, spans: Mapping[str, str], state: _State) -> Iterator[Event]:
    """Yield the events of a span: one for each slot feature with links. spans: the labels of spans by id."""
    if str(fs.xmiID) not in spans:
        return
    slots = slots_of(fs.type)
    carried = json.loads(fs[CARRIED] or "{}").get("slots") if slots and CARRIED in features_of(fs.type) else None
    for number, name in enumerate(slots):
        if carried is not None and number >= len(carried):
            return
        own = carried[number] if carried is not None else {}
        roles, ends = _links(fs, name, spans, state)
        if ends or carried is not None:
            attributes = [["feature", name]] if len(slots) > 1 and carried is None else []
            yield Event(
                **_common(event_id(fs.xmiID, number), {"label": spans[str(fs.xmiID)], "attributes": attributes, **own}),
                trigger=str(fs.xmiID),
                arguments=tuple(zip(own.get("roles", roles), _targets(ends, own), strict=True)),
            )  # fmt: skip


def _links(fs: Any, slot: str, spans: Container[str], state: _State) -> tuple[list[str], list[Any]]:
    """Return the roles and the targets of the links of a slot feature."""
    array = fs[slot]
    roles, ends = [], []
    for link in array.elements or () if array is not None else ():
        target = None if link is None else link[TARGET]
        if target is None or str(target.xmiID) not in spans:
            state.unread[f"links of slots to {OTHERS}"] += 1
            continue
        roles.append((link[ROLE] if ROLE in features_of(link.type) else None) or slot)
        ends.append(target)
    return roles, ends


def _details(fs: Any, state: _State) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a feature structure has as an `Annotation`, and what this package wrote as JSON."""
    values, chained = {}, is_chain_link(fs.type)
    apart = {"begin", "end", "sofa", GOVERNOR, DEPENDENT, *slots_of(fs.type)}
    apart |= {NEXT, *([LINK_RELATION] if fs[NEXT] is not None else [])} if chained else set()
    for feature in fs.type.all_features:
        value = fs[feature.name]
        if value is None or feature.name in apart:
            continue
        if fs.type.typesystem.is_primitive(feature.rangeType):
            name = feature.name[:-1] if feature.name in ("self_", "type_") else feature.name
            values[name] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            state.unread[f"values of the feature {feature.name}, which refers to others,"] += 1
    own = json.loads(values.pop(CARRIED, "{}"))
    label = values.pop(state.label_feature(fs.type), "") or (values.pop(LINK_LABEL, "") if chained else "")
    known = values.pop(IDENTIFIER, "")
    references = [reference_of(known)] if known else []
    attributes = [Attribute(name, value or None) for name, value in values.items()]
    common = _common(str(fs.xmiID), {"label": label or layer_name(fs.type), **own})
    common["attributes"] = (*attributes, *common["attributes"])
    common["references"] = (*references, *common["references"])
    return common, own


def _common(id: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Annotation` needs, from the JSON that this package writes."""
    return {
        "id": id,
        "label": own["label"],
        "attributes": tuple(Attribute(*entry) for entry in own.get("attributes", ())),
        "references": tuple(Reference(*entry) for entry in own.get("references", ())),
        "notes": tuple(own.get("notes", ())),
        "score": own.get("score"),
        "origin": own.get("origin", ""),
    }


def _labels(rest: Iterable[Any], state: _State) -> dict[str, list[str]]:
    """Return the labels of the document: annotations without offsets, by the short name of their type."""
    labels: dict[str, list[str]] = {}
    for fs in rest:
        feature = fs.type.get_feature(state.label_feature(fs.type))
        if feature is not None and isinstance(fs[feature.name], str):
            labels.setdefault(fs.type.short_name, []).append(fs[feature.name])
        else:
            state.unread[f"structures of the type {fs.type.short_name}"] += 1
    return labels
