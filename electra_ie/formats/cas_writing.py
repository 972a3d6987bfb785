"""Writing of UIMA CAS: a type system for some documents, as INCEpTION has those of projects, and the CAS of each.

An event fills a slot feature of its trigger, and relations that make chains are written as chains (see `chained`). What
a generated type has no feature for is JSON in the feature `electra_ie`.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.files import atomic_path
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    Arguments,
    Attribute,
    Event,
    Reference,
    Relation,
)
from electra_ie.formats.cas_files import NAME, TYPE_SYSTEM
from electra_ie.formats.cas_types import (
    ANNOTATION,
    CARRIED,
    CHAIN_ROLES,
    CUSTOM,
    DEPENDENT,
    DOCUMENT,
    DOCUMENT_ANNOTATION,
    FIRST,
    GOVERNOR,
    IDENTIFIER,
    LABEL,
    LINK,
    LINK_LABEL,
    LINK_RELATION,
    METADATA,
    NEXT,
    ROLE,
    SLOTS,
    STRING,
    TAKEN,
    TARGET,
    is_chain_link,
    slots_of,
)
from electra_ie.formats.parts.references import identifier, reference_of
from electra_ie.formats.parts.xml_files import refuse_invalid

RELATION, CHAIN, SLOT_LINK = "Relation", "Chain", "ArgumentsLink"
"""The name of the type of relations, and the ends of the names of types of chains and of the links of slot features."""


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write a folder with a file for each document, numbered in their order, and the type system of all."""
    writer = _Writer(documents, options["label"])
    form, digits = options["form"], len(str(len(documents)))
    with atomic_path(path) as folder:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            for number, document in enumerate(documents, start=1):
                if form == "xmi":
                    refuse_invalid(document, path)
                name = quote(document.id, safe=" ")[:100]
                text = _text(writer.cas(document), form, document, path)
                file = folder / f"{number:0{digits}}{'_' if name else ''}{name}.{form}"
                file.write_text(text, encoding="utf-8", newline="\n")
            if form == "xmi":
                writer.types.to_xml(folder / TYPE_SYSTEM)
        except BaseException:
            shutil.rmtree(folder)
            raise


def _text(cas: Any, form: str, document: AnnotatedDocument, path: Path) -> str:
    try:
        return str(cas.to_xmi() if form == "xmi" else cas.to_json())
    except ValueError as error:
        message = f'the document "{document.id}" cannot be written: {first_line(error)}.'
        raise UserError(message, file=path, remedy="Remove the character, or write form: json.") from None


@dataclass(frozen=True)
class _Links:
    """What links the annotations of a document.

    Attributes:
        chains: The relations that are written as chains, by the id of their first span.
        events: The events, by the id of their trigger.
        places: For spans and events, the id of the span at which they are, and for events their number there.
    """

    chains: Mapping[str, Relation]
    events: Mapping[str, Sequence[Event]]
    places: Mapping[str, tuple[str, int | None]]

    @classmethod
    def of(cls, document: AnnotatedDocument) -> _Links:
        """Return the links of a document."""
        events: dict[str, list[Event]] = {}
        places: dict[str, tuple[str, int | None]] = {span.id: (span.id, None) for span in document.spans}
        for event in document.events:
            at = events.setdefault(event.trigger, [])
            places[event.id] = event.trigger, len(at)
            at.append(event)
        return cls(chained(document), events, places)

    def events_of(self, trigger: str) -> Sequence[Event]:
        """Return the events of a span."""
        return self.events.get(trigger, ())

    def others(self, document: AnnotatedDocument) -> list[Relation]:
        """Return the relations that are in no chain."""
        ids = {relation.id for relation in self.chains.values()}
        return [relation for relation in document.relations if relation.id not in ids]


class _Writer:
    """The type system of some documents, and the CAS of each."""

    def __init__(self, documents: Sequence[AnnotatedDocument], label: str) -> None:
        import cassis

        if label in TAKEN - {LABEL} or label.startswith(SLOTS) or "." in label or not NAME.fullmatch(label):
            raise UserError(f'the option label is "{label}".', remedy="It must be a name that no other feature has.")
        self.label, self.types = label, cassis.TypeSystem()
        self.names: dict[str, str] = {}
        self.features: dict[str, set[str]] = {}
        self._type(DOCUMENT, [CARRIED], "uima.cas.TOP")
        self._type(METADATA, ["documentId", "documentTitle"], DOCUMENT_ANNOTATION)
        linked = [(document, _Links.of(document)) for document in documents]
        self.chained = {span.layer for document, links in linked for span in document.spans if span.id in links.chains}
        layers = {layer for document in documents for layer in document.layers or ()}
        taken = {RELATION}
        for layer in sorted(layers):
            plain = layer if NAME.fullmatch(layer) and "." not in layer else "Span"
            while taken & _type_names(plain) or (plain != layer and plain in layers):
                plain += "_"
            taken |= _type_names(plain)
            self.names[layer] = plain + LINK if layer in self.chained else plain
            self._layer(layer, plain, linked)
        relations = [relation for document, links in linked for relation in links.others(document)]
        if relations:
            type_ = self._type(CUSTOM + RELATION, [label, IDENTIFIER, CARRIED], ANNOTATION, relations)
            for end in (GOVERNOR, DEPENDENT):
                self.types.create_feature(type_, end, ANNOTATION)

    def _layer(self, layer: str, plain: str, linked: Sequence[tuple[AnnotatedDocument, _Links]]) -> None:
        """Define the type of a layer: the links of chains if it has any, with slot features for its events."""
        found = [(span, links) for document, links in linked for span in document.spans if span.layer == layer]
        spans = [span for span, _ in found]
        name = CUSTOM + self.names[layer]
        labels = [LINK_LABEL, LINK_RELATION] if layer in self.chained else [self.label]
        type_ = self._type(name, [*labels, IDENTIFIER, CARRIED], ANNOTATION, spans)
        if layer in self.chained:
            self.types.create_feature(type_, NEXT, type_)
            chain = self.types.create_type(f"{CUSTOM}{plain}{CHAIN}", "uima.cas.AnnotationBase")
            self.types.create_feature(chain, FIRST, type_)
        most = max((len(links.events_of(span.id)) for span, links in found), default=0)
        if most:
            link = self.types.create_type(f"{CUSTOM}{plain}{SLOT_LINK}", "uima.cas.TOP")
            self.types.create_feature(link, ROLE, STRING)
            self.types.create_feature(link, TARGET, ANNOTATION)
            for number in range(most):
                self.types.create_feature(type_, _slot(number), "uima.cas.FSArray", elementType=link)

    def _type(self, name: str, texts: Iterable[str], parent: str, annotations: Iterable[Annotation] = ()) -> Any:
        """Define a type with a feature for each of the texts and the plain attributes, and return it."""
        type_ = self.types.create_type(name, parent)
        attributes = {entry.name for item in annotations for entry in item.attributes if self._is_plain(entry)}
        self.features[name] = attributes
        for feature in (*texts, *sorted(attributes)):
            self.types.create_feature(type_, feature, STRING)
        return type_

    def _is_plain(self, attribute: Attribute) -> bool:
        """Return whether an attribute can be a feature."""
        name = attribute.name
        free = name not in TAKEN and name != self.label and not name.startswith(SLOTS) and "." not in name
        return free and bool(NAME.fullmatch(name)) and attribute.value != "" and "[" not in name

    def cas(self, document: AnnotatedDocument) -> Any:
        """Return the CAS of a document."""
        import cassis

        cas = cassis.Cas(typesystem=self.types, sofa_string=document.text)
        metadata = self.types.get_type(METADATA)
        cas.add(metadata(begin=0, end=len(document.text), documentId=document.id, documentTitle=document.id))
        types = {name: layer for layer, name in self.names.items()}
        own = {
            "id": document.id, "layers": document.layers, "labels": document.labels, "scores": document.label_scores,
            "notes": document.notes, "metadata": document.metadata, "predicted": document.predicted,
            "origins": document.label_origins,
            "relation_layers": document.relation_layers,
            "types": {name: layer for name, layer in types.items() if name != layer},
        }  # fmt: skip
        cas.add(self.types.get_type(DOCUMENT)(**{CARRIED: json.dumps(own, ensure_ascii=False)}))
        links = _Links.of(document)
        written = {}
        for span in document.spans:
            type_ = self.types.get_type(CUSTOM + self.names[span.layer])
            slots = _slot_details(span, links, len(slots_of(type_)))
            values = self._values(type_, span, {"slots": slots} if slots else {})
            written[span.id] = type_(begin=span.start, end=span.end, **values)
        self._fill(links, written)
        for fs in written.values():
            cas.add(fs)
        for chain in self._chains(document, links, written):
            cas.add(chain)
        for relation in links.others(document):
            cas.add(self._relation(relation, written, links))
        return cas

    def _fill(self, links: _Links, written: Mapping[str, Any]) -> None:
        """Fill the slot features of spans, and set the next links of chains."""
        array = self.types.get_type("uima.cas.FSArray")
        for trigger, events in links.events.items():
            fs = written[trigger]
            for number, event in enumerate(events):
                link = fs.type.get_feature(_slot(number)).elementType
                targets = [(role, written[links.places[target][0]]) for role, target in event.arguments]
                fs[_slot(number)] = array(elements=[link(role=role, target=target) for role, target in targets])
        for id, relation in links.chains.items():
            written[id][NEXT] = written[relation.arguments[1][1]]
            written[id][LINK_RELATION] = relation.label

    def _chains(self, document: AnnotatedDocument, links: _Links, written: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the chains of a document, also those of one link."""
        followers = {relation.arguments[1][1] for relation in links.chains.values()}
        for span in document.spans:
            if span.layer in self.chained and span.id not in followers:
                name = CUSTOM + self.names[span.layer].removesuffix(LINK) + CHAIN
                yield self.types.get_type(name)(**{FIRST: written[span.id]})

    def _relation(self, relation: Relation, written: Mapping[str, Any], links: _Links) -> Any:
        governor, dependent = (written[links.places[target][0]] for _, target in relation.arguments)
        type_ = self.types.get_type(CUSTOM + RELATION)
        kind = {"symmetric": relation.symmetric, "layer": relation.layer}
        roles = [role for role, _ in relation.arguments]
        extra = {
            "roles": roles,
            **{key: value for key, value in kind.items() if value},
            **_event_targets(relation.arguments, links),
        }
        values = {GOVERNOR: governor, DEPENDENT: dependent, **self._values(type_, relation, extra)}
        return type_(begin=dependent.begin, end=dependent.end, **values)

    def _values(self, type_: Any, item: Annotation, extra: Mapping[str, Any]) -> dict[str, str]:
        """Return the features of an annotation."""
        names = Counter(entry.name for entry in item.attributes)
        plain = [entry for entry in item.attributes if self._is_plain(entry) and names[entry.name] == 1]
        label = LINK_LABEL if is_chain_link(type_) else self.label
        values = {label: item.label} | {entry.name: entry.value or "" for entry in plain}
        first = [entry for entry in item.references if not entry.name and reference_of(identifier(entry)) == entry][:1]
        if first and identifier(first[0]):
            values[IDENTIFIER] = identifier(first[0])
        else:
            first = []
        attributes = [entry for entry in item.attributes if entry not in plain]
        kept = {**_rest(item, attributes, [entry for entry in item.references if entry not in first]), **extra}
        kept |= {} if item.label else {"label": ""}
        return values | ({CARRIED: json.dumps(kept, ensure_ascii=False)} if kept else {})


def _type_names(plain: str) -> set[str]:
    """Return the names of the types that a layer may need."""
    return {plain, plain + LINK, plain + CHAIN, plain + SLOT_LINK}


def _slot(number: int) -> str:
    return f"{SLOTS}_{number + 1}" if number else SLOTS


def _slot_details(span: AnnotatedSpan, links: _Links, features: int) -> list[dict[str, Any]]:
    """Return what slot features do not say of the events of a span; nothing if they say all."""
    details, events = [], links.events_of(span.id)
    for event in events:
        label = {} if event.label == span.label else {"label": event.label}
        roles = [role for role, _ in event.arguments]
        extra = {**label, **_event_targets(event.arguments, links), **({} if all(roles) else {"roles": roles})}
        details.append({**_rest(event, event.attributes, event.references), **extra})
    is_said = features == 1 and all(event.arguments for event in events)
    return [] if is_said and not any(details) else details


def _event_targets(arguments: Arguments, links: _Links) -> dict[str, Any]:
    """Return which arguments are events, with their numbers, as JSON has it; nothing if all are spans."""
    numbers = {str(index): links.places[target][1] for index, (_, target) in enumerate(arguments)}
    found = {index: number for index, number in numbers.items() if number is not None}
    return {"events": found} if found else {}


def _rest(item: Annotation, attributes: Iterable[Attribute], references: Iterable[Reference]) -> dict[str, Any]:
    """Return the details of an annotation as JSON has them, without those that are empty."""
    rest = {
        "attributes": [[entry.name, entry.value] for entry in attributes],
        "references": [[entry.resource, entry.id, entry.name] for entry in references],
        "notes": list(item.notes),
        "origin": item.origin,
    }
    score = {} if item.score is None else {"score": item.score}
    return {key: value for key, value in rest.items() if value} | score


def chained(document: AnnotatedDocument) -> dict[str, Relation]:
    """Return the relations that are written as chains, by the id of their first span.

    They have the roles of chains and nothing but a label, are between spans of one layer, each of which follows one
    span and is followed by one at most, and make no circle. Others are written as relations.
    """
    layers = {span.id: span.layer for span in document.spans}
    found: dict[str, Relation] = {}
    heads: dict[str, str] = {}
    for relation in document.relations:
        roles, ends = zip(*relation.arguments, strict=True)
        first, second = (ends[0], ends[-1])
        bare = relation == Relation(relation.id, relation.label, relation.arguments) and bool(relation.label)
        if not bare or roles != CHAIN_ROLES or not {first, second} <= set(layers) or layers[first] != layers[second]:
            continue
        head = first
        while head in heads:
            head = heads[head]
        if first not in found and second not in heads and head != second:
            found[first], heads[second] = relation, first
    return found
