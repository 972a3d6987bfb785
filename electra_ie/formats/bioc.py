"""BioC, XML and JSON, by the package bioc: passages of a text, annotations with infons, relations with nodes.

The passages, or their sentences, are joined to one text, each at its offset. What BioC has no place for is written as
infons whose key begins with `_` and whose value is JSON. Annotations without an id are numbered, and ids that repeat in
other passages have the number of their passage before them, also where its relations name them. An event is a relation
with the infon `trigger_id`, as bioc converts those of brat. Relations that name concepts and not annotations, as those
of BioRED, BC5CDR and PubTator 3, are relations of concepts (see `concepts`, `bioc_concepts`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.files import atomic_path
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    Attribute,
    Event,
    Offsets,
    Reference,
    Relation,
)
from electra_ie.formats.base import Format
from electra_ie.formats.bioc_concepts import concepts_of, infons_of
from electra_ie.formats.concepts import RELATIONS, relations_of_concepts
from electra_ie.formats.features import Feature
from electra_ie.formats.parts.json_values import id_of, records, refuse_surrogates
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.references import identifier, is_exact, references_of
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.parts.units import UTF_8, UTF_16, convert
from electra_ie.formats.parts.xml_files import beginning, read_xml, refuse_invalid

RESOURCES = ["MESH", "MeSH", "OMIM", "UMLS", "CUI", "NCBI GENE", "NCBI Gene", "NCBI Taxonomy", "SNOMEDCT"]
OPTIONS = {"label": Option("type"), "references": Option(RESOURCES)}
"""label: the infon with the label. references: the infons that are ids, with the resource as key (`MESH`)."""
IDENTIFIER, TRIGGER = "identifier", "trigger_id"
DETAILS = ("_attributes", "_references", "_notes", "_score", "_origin", "_layer", "_symmetric")
"""The infons of annotations and relations that this module writes."""
OF_DOCUMENT = ("_labels", "_scores", "_layers", "_notes", "_metadata", "_predicted", "_origins", "_relation_layers")
"""The infons of documents that this module writes."""
PASSAGES = "passages"
"""The value of the metadata with the infons of passages."""
MAX_GAP = 100_000
"""The most characters between two passages; a gap is filled by a line end and blanks."""


@dataclass
class _Segment:
    """A passage or sentence: its offset in the file, its text, and where this begins in the joined text."""

    offset: int
    text: str
    annotations: list[Any]
    infons: dict[str, Any]
    start: int = 0


@dataclass
class _File:
    """What is collected while a file is read."""

    options: Mapping[str, Any]
    spans: SpanReader
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass
class _Record:
    """A document of bioc, with its position in the file and those of its annotations."""

    document: Any
    source: SourceLine
    lines: Mapping[str, int]

    def of(self, id: str) -> SourceLine:
        """Return the position of an annotation."""
        return SourceLine(self.source.file, self.lines.get(id, self.source.line))


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file: JSON if it begins with a bracket, else XML.

    JSON may be a collection, an array or lines of collections or documents, or an answer of PubTator 3.
    """
    file = _File(options, SpanReader(str(path)))
    for record in _json_records(path, on_error) if _is_json(path) else _xml_records(path, on_error):
        try:
            yield _document(record, file)
        except UserError as error:
            on_error(error)
    file.spans.report()
    for what, number in file.skipped.items():
        warn(f"{path}: {number} {what} are not read.")


def _is_json(path: Path) -> bool:
    return beginning(path).startswith((b"{", b"["))


def detect(path: Path) -> bool:
    """Return whether a file begins as BioC: the XML of a collection, or JSON with passages or documents of BioC."""
    xml, keys = (b"<collection>", b"<collection ", b"BioC.dtd"), (b'"bioctype"', b'"passages"', b'"PubTator3"')
    return any(part in beginning(path) for part in (keys if _is_json(path) else xml))


def _json_records(path: Path, on_error: OnError) -> Iterator[_Record]:
    from bioc import biocjson

    for record, source in records(path, on_error, whole=("documents", "PubTator3")):
        inner = record.get("documents", [record])
        for item in inner if isinstance(inner, list) else [inner]:
            try:
                yield _Record(biocjson.fromJSON(_completed(item), "BioCDocument"), source, {})
            except KeyError as error:
                remedy = "Documents, passages and annotations need the keys of BioC JSON."
                on_error(source.error(f"an object of this BioC document has no key {error}.", remedy))
            except (TypeError, ValueError, AttributeError) as error:
                on_error(source.error(f"this is not a document of BioC: {error}.", "Correct it."))


def _completed(document: Any) -> Any:
    """Return a document of JSON whose annotations have ids, and whose relations have nodes, which BioRED lacks."""
    passages = document.get("passages", ())
    parts = [document, *passages, *(sentence for passage in passages for sentence in passage.get("sentences", ()))]
    for relation in (relation for part in parts for relation in part.get("relations", ())):
        relation.setdefault("nodes", [])
        relation.setdefault("id", "")
    _number(item for part in parts for item in part.get("annotations", ()))
    return document


def _number(annotations: Iterable[Any]) -> None:
    """Give the annotations of a document that have no id, which BioC allows, their number: objects or attributes."""
    for number, item in enumerate(annotations, start=1):
        if item.get("id") in (None, ""):
            item["id"] = f"annotation {number}"


def _xml_records(path: Path, on_error: OnError) -> Iterator[_Record]:
    from bioc import biocxml
    from lxml import etree

    root = read_xml(path)
    if root.tag != "collection":
        remedy = "BioC begins with <collection>."
        raise UserError(f"this XML is a {str(root.tag)[:60]!r}, not BioC.", file=path, line=1, remedy=remedy)
    for element in root.iter("document"):
        source = SourceLine(str(path), element.sourceline)
        mixed = next((text for text in element.iter("text") if len(text)), None)
        if mixed is not None:  # the package would read the text before them only
            at = SourceLine(str(path), mixed.sourceline)
            on_error(at.error("this <text> has elements or entities in it.", "Replace them by text."))
            continue
        _number(item.attrib for item in element.iter("annotation"))
        lines = {item.get("id"): item.sourceline for item in element.iter("annotation", "relation")}
        xml = etree.tostring(element, encoding="unicode", with_tail=False)
        try:
            yield _Record(biocxml.loads(f"<collection>{xml}</collection>").documents[0], source, lines)
        except KeyError as error:
            on_error(source.error(f"an element of this BioC document has no attribute {error}.", "Correct it."))
        except (TypeError, ValueError, etree.XMLSyntaxError) as error:
            on_error(source.error(f"this is not a document of BioC: {error}.", "Offsets are whole numbers."))


def _document(record: _Record, file: _File) -> AnnotatedDocument:
    document, source = record.document, record.source
    try:
        _distinguish(document)
        infons = dict(document.infons)
        own = (_of_json(infons, key, source) for key in OF_DOCUMENT)
        labels, scores, layers, notes, metadata, predicted, origins, relation_layers = own
        segments = [segment for passage in document.passages for segment in _segments(passage)]
        text = _joined(segments, source)
        infons |= _passages(segments)
        spans = list(_spans(document, segments, record, file))
        left, concepts = _by_kind(document, spans, record, file)
        infons |= _concepts(infons, concepts, source)
        relations, events = _relations(left, {span.id for span in spans}, record, file)
        named = {span.layer for span in spans} or {""}
        return AnnotatedDocument(
            id_of({"id": document.id or None}, "id", source), text, tuple(spans), tuple(relations), tuple(events),
            {name: tuple(values) for name, values in (labels or {}).items()},
            {name: tuple(values) for name, values in (scores or {}).items()},
            (None if layers is None else tuple(layers)) if "_layers" in document.infons else tuple(sorted(named)),
            tuple(notes or ()), {**infons, **(metadata or {})}, bool(predicted), *source.position,
            label_origins=origins or {},
            relation_layers=("",) if relation_layers is None else tuple(relation_layers),
        )  # fmt: skip
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise source.error(f"this document is invalid: {error}.", "Correct it.") from None


def _distinguish(document: Any) -> None:
    """Put the number of the passage before ids that other passages have, too, also in the relations of the passage."""
    scopes = [[document], *([passage, *passage.sentences] for passage in document.passages)]
    named = [
        {str(item.id) for part in scope for item in part.annotations}
        | {str(item.id) for part in scope for item in part.relations if TRIGGER in item.infons}
        for scope in scopes
    ]
    counts = Counter(id for ids in named for id in ids)
    for number, (scope, ids) in enumerate(zip(scopes[1:], named[1:], strict=True), start=1):
        renamed = {id: f"passage {number} {id}" for id in ids if counts[id] > 1}
        relations = [relation for part in scope for relation in part.relations]
        for item in (*relations, *(annotation for part in scope for annotation in part.annotations)):
            item.id = renamed.get(str(item.id), item.id)
        for relation in relations:
            if TRIGGER in relation.infons:
                trigger = str(relation.infons[TRIGGER])
                relation.infons[TRIGGER] = renamed.get(trigger, trigger)
            for node in relation.nodes:
                node.refid = renamed.get(str(node.refid), node.refid)


def _of_json(infons: dict[str, Any], key: str, source: SourceLine) -> Any:
    """Take an infon that this module wrote out of the others, and return its value; None if there is none."""
    value = infons.pop(key, None)
    if value is None:
        return None
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        message = f"the infon {key} is {str(value)[:40]!r}, which is not JSON."
        raise source.error(message, "Remove it, or correct it.") from None


def _segments(passage: Any) -> Iterator[_Segment]:
    """Yield a passage, or its sentences if these have the text, with all annotations."""
    if not passage.text and passage.sentences:
        for sentence in passage.sentences:
            yield _Segment(sentence.offset, sentence.text or "", sentence.annotations, passage.infons | sentence.infons)
        return
    inner = [annotation for sentence in passage.sentences for annotation in sentence.annotations]
    yield _Segment(passage.offset, passage.text or "", [*passage.annotations, *inner], passage.infons)


def _joined(segments: Sequence[_Segment], source: SourceLine) -> str:
    """Return the joined text, and set where each segment begins in it."""
    text = ""
    for segment in segments:
        gap = segment.offset - len(text)
        if not 0 <= gap <= MAX_GAP:
            message = f"the passage at {segment.offset} follows {len(text)} characters of text."
            remedy = f"Passages must not overlap, nor be more than {MAX_GAP} characters apart."
            raise source.error(message, remedy)
        text += "\n"[:gap] + " " * (gap - 1)
        segment.start = len(text)
        text += segment.text
    refuse_surrogates(text, "text", source)
    return text


def _passages(segments: Sequence[_Segment]) -> dict[str, Any]:
    """Return the infons of passages, such as the kind of section, with their place in the text, as metadata."""
    found = [
        {"start": segment.start, "end": segment.start + len(segment.text), "infons": segment.infons}
        for segment in segments
        if segment.infons
    ]
    return {PASSAGES: found} if found else {}


def _spans(document: Any, segments: Sequence[_Segment], record: _Record, file: _File) -> Iterator[AnnotatedSpan]:
    owned = [(item, [segment]) for segment in segments for item in segment.annotations]
    loose = [*document.annotations]
    for passage in document.passages:
        loose += passage.annotations if not passage.text and passage.sentences else []
    seen: set[str] = set()
    for item, own in [*owned, *((item, segments) for item in loose)]:
        source = record.of(item.id)
        if not item.locations:
            file.skipped["annotations without a location"] += 1
            continue
        if str(item.id) in seen:
            raise source.error(f'the annotation id "{item.id}" occurs twice in the document.', "Ids must be unique.")
        seen.add(str(item.id))
        if item.infons.get(file.options["label"]) is None:
            remedy = "The option label names the infon with the label."
            message = f'the annotation "{item.id}" has no infon "{file.options["label"]}"'
            raise source.error(f"{message}, but {', '.join(item.infons) or 'none'}.", remedy)
        fragments = _fragments(item, own, file.spans, source)
        details, infons = _details(item, file.options, source)
        yield AnnotatedSpan(**details, fragments=fragments, layer=infons["_layer"] or "")


def _fragments(item: Any, segments: Sequence[_Segment], spans: SpanReader, source: SourceLine) -> tuple[Offsets, ...]:
    """Return the fragments of an annotation in the joined text; its text proves the unit of its offsets."""
    placed = []
    for location in item.locations:
        before = [segment for segment in segments if segment.offset <= location.offset] or segments
        if not before:
            raise source.error(f'the annotation "{item.id}" is in a document without text.', "Add its passages.")
        start = location.offset - before[-1].offset
        placed.append((before[-1], (start, start + location.length)))
    if len(placed) == 1:
        segment, pair = placed[0]
        found = [spans.offsets(segment.text, *pair, source, item.text or None, folds=True)]
    elif item.text:
        found = _of_several(item, placed, spans, source)
    else:
        found = [spans.offsets(segment.text, *pair, source) for segment, pair in placed]
    shifts = [segment.start for segment, _ in placed]
    moved = [(start + shift, end + shift) for (start, end), shift in zip(found, shifts, strict=True)]
    return spans.fragments(moved, source)


def _of_several(
    item: Any, placed: Sequence[tuple[_Segment, Offsets]], spans: SpanReader, source: SourceLine
) -> list[Offsets]:
    """Return several fragments by the text of the annotation: theirs, or all from the first to the last."""
    for unit in ("", UTF_16, UTF_8):
        found = [convert(segment.text, unit, *pair) if unit else pair for segment, pair in placed]
        pairs = [pair for pair in found if pair]
        if len(pairs) < len(placed):
            continue
        parts = [segment.text[start:end] for (segment, _), (start, end) in zip(placed, pairs, strict=True)]
        whole = placed[0][0].text[min(pairs)[0] : max(pairs)[1]]
        if "".join(item.text.split()) in ("".join("".join(parts).split()), "".join(whole.split())):
            spans.converted.update([unit] if unit else [])
            return [
                spans.offsets(segment.text, *pair, source, segment.text[max(pair[0], 0) : max(pair[1], 0)])
                for (segment, _), pair in zip(placed, pairs, strict=True)
            ]
    shown = " ".join(segment.text[max(start, 0) : max(end, 0)] for segment, (start, end) in placed)
    message = f'the locations of "{item.id}" are {shown[:40]!r}, not {item.text[:40]!r}.'
    raise source.error(message, "Offsets count from the beginning of the document, in Unicode code points.")


def _by_kind(
    document: Any, spans: Sequence[AnnotatedSpan], record: _Record, file: _File
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the relations of annotations, and those of concepts as the metadata has them."""
    parts = [*document.passages, *(sentence for passage in document.passages for sentence in passage.sentences)]
    known = {identifier(entry) for span in spans for entry in span.references}
    known |= {entry.id for span in spans for entry in span.references}
    left, concepts = [], []
    relations = [relation for part in [document, *parts] for relation in part.relations]
    annotations = {span.id for span in spans} | {str(item.id) for item in relations if TRIGGER in item.infons}
    for relation in relations:
        of_text = bool(relation.nodes) and any(str(node.refid) in annotations for node in relation.nodes)
        found = concepts_of(relation, file.options["label"], known, of_text, record.of(relation.id))
        if found is None:
            left.append(relation)
        else:
            concepts.append(found)
    return left, concepts


def _concepts(infons: Mapping[str, Any], concepts: list[dict[str, Any]], source: SourceLine) -> dict[str, Any]:
    """Return relations of concepts as a value of the metadata."""
    if concepts and RELATIONS in infons:
        message = f'the document has relations of concepts, and an infon "{RELATIONS}", which is their name here.'
        raise source.error(message, "Rename the infon.")
    return {RELATIONS: concepts} if concepts else {}


def _relations(
    left: list[Any], spans: set[str], record: _Record, file: _File
) -> tuple[Iterable[Relation], Iterable[Event]]:
    """Return relations and events; those with nodes that are neither spans nor events are left out and counted."""
    while True:
        known = spans | {str(item.id) for item in left if TRIGGER in item.infons}
        kept = [item for item in left if item.nodes and all(str(node.refid) in known for node in item.nodes)]
        file.skipped["relations of other things than annotations of the text"] += len(left) - len(kept)
        if len(kept) == len(left):
            break
        left = kept
    file.skipped += Counter()  # without those of zero
    used = set(known)
    relations, events = [], []
    for number, item in enumerate(left, start=1):
        source = record.of(item.id)
        trigger = item.infons.get(TRIGGER)
        details, infons = _details(item, file.options, source)
        arguments = [(str(node.role or ""), str(node.refid)) for node in item.nodes]
        if trigger is not None:
            own = (details["label"], str(trigger))
            events.append(Event(**details, trigger=str(trigger), arguments=tuple(_less(arguments, own))))
            continue
        while not details["id"] or details["id"] in used:
            details["id"] = f"relation {number} {details['id']}"
        used.add(details["id"])
        symmetric, layer = bool(infons["_symmetric"]), infons["_layer"] or ""
        relations.append(Relation(**details, arguments=tuple(arguments), symmetric=symmetric, layer=layer))
    return relations, events


def _less(arguments: list[tuple[str, str]], own: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the arguments of an event without the first node that is its trigger."""
    if own in arguments:
        arguments.remove(own)
    return arguments


def _details(item: Any, options: Mapping[str, Any], source: SourceLine) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an annotation or a relation has as an `Annotation`, and the infons that this module wrote."""
    infons = dict(item.infons)
    own = {key: _of_json(infons, key, source) for key in DETAILS}
    label = infons.pop(options["label"], None)
    infons.pop(TRIGGER, None)
    references = references_of(str(infons.pop(IDENTIFIER, None) or ""))
    for resource in options["references"]:
        found = references_of(str(infons.pop(resource, None) or ""))
        references += [Reference(resource, identifier(reference)) for reference in found]
    attributes = [Attribute(key, _text(value)) for key, value in infons.items()]
    return {
        "id": str(item.id or ""),
        "label": "relation" if label is None else str(label),
        "attributes": (*attributes, *(Attribute(*entry) for entry in own["_attributes"] or ())),
        "references": (*references, *(Reference(*entry) for entry in own["_references"] or ())),
        "notes": tuple(own["_notes"] or ()),
        "score": own["_score"],
        "origin": own["_origin"] or "",
    }, own


def _text(value: Any) -> str | None:
    """Return the value of an infon; values that are not texts, in JSON, as JSON."""
    return (
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        if value not in (None, "")
        else None
    )


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents of one passage each: JSON to a path that ends with `.json`, else XML."""
    import bioc
    from bioc import biocjson, biocxml

    collection = bioc.BioCCollection()
    collection.source = collection.date = collection.key = ""
    is_json = path.suffix.lower() == ".json"
    for document in documents:
        if not is_json:
            refuse_invalid(document, path)
        collection.add_document(_written(document, options))
    try:
        text = biocjson.dumps(collection, ensure_ascii=False, indent=1) if is_json else biocxml.dumps(collection)
    except ValueError as error:
        raise UserError(f"XML cannot hold these documents: {error}.", file=path, remedy="Write .json.") from None
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _written(document: AnnotatedDocument, options: Mapping[str, Any]) -> Any:
    import bioc

    written, passage = bioc.BioCDocument(), bioc.BioCPassage()
    written.id = document.id
    concepts = relations_of_concepts(document.metadata)
    metadata = {key: value for key, value in document.metadata.items() if key != RELATIONS or not concepts}
    plain = {key: value for key, value in metadata.items() if _is_plain(key, value)}
    own = {
        "_labels": document.labels,
        "_scores": document.label_scores,
        "_notes": document.notes,
        "_metadata": {key: value for key, value in metadata.items() if key not in plain},
        "_predicted": document.predicted,
        "_origins": document.label_origins,
    }
    layers = {} if document.layers == ("",) else {"_layers": json.dumps(document.layers)}
    if document.relation_layers != ("",):
        layers["_relation_layers"] = json.dumps(document.relation_layers)
    written.infons = plain | _as_json(own) | layers
    passage.offset, passage.text = 0, document.text
    for span in document.spans:
        annotation = bioc.BioCAnnotation()
        annotation.id, annotation.text = span.id, document.passage(span)
        annotation.infons = _infons(span, options, {"_layer": span.layer})
        for start, end in span.fragments:
            annotation.add_location(bioc.BioCLocation(start, end - start))
        passage.add_annotation(annotation)
    written.add_passage(passage)
    for relation in document.relations:
        own = {"_symmetric": relation.symmetric, "_layer": relation.layer}
        written.add_relation(_node_list(relation, relation.arguments, options, own))
    for event in document.events:
        arguments = ((event.label, event.trigger), *event.arguments)
        written.add_relation(_node_list(event, arguments, options, {}))
        written.relations[-1].infons[TRIGGER] = event.trigger
    for number, item in enumerate(concepts, start=1):
        relation = bioc.BioCRelation()
        relation.id, relation.infons = f"concepts {number}", infons_of(item, options["label"])
        written.add_relation(relation)
    return written


def _is_plain(key: str, value: Any) -> bool:
    """Return whether a value of the metadata can be an infon as it is."""
    return isinstance(value, str) and bool(value) and key not in OF_DOCUMENT


def _node_list(
    item: Annotation, arguments: Iterable[tuple[str, str]], options: Mapping[str, Any], own: Mapping[str, Any]
) -> Any:
    import bioc

    relation = bioc.BioCRelation()
    relation.id, relation.infons = item.id, _infons(item, options, own)
    for role, target in arguments:
        relation.add_node(bioc.BioCNode(target, role))
    return relation


def _infons(item: Annotation, options: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Return the infons of an annotation: its label, attributes and identifiers, and the rest as JSON."""
    taken = {options["label"], IDENTIFIER, TRIGGER, *options["references"], *DETAILS}
    names = Counter(attribute.name for attribute in item.attributes)
    plain = [
        entry for entry in item.attributes if entry.name not in taken and names[entry.name] == 1 and entry.value != ""
    ]
    infons = {options["label"]: item.label} | {attribute.name: attribute.value or "" for attribute in plain}
    simple = len(item.references) == 1 and not item.references[0].name and is_exact(item.references[0])
    if simple:
        infons[IDENTIFIER] = identifier(item.references[0])
    rest = {
        "_attributes": [[entry.name, entry.value] for entry in item.attributes if entry not in plain],
        "_references": [] if simple else [[entry.resource, entry.id, entry.name] for entry in item.references],
        "_notes": item.notes,
        "_origin": item.origin,
        **own,
    }
    score = {} if item.score is None else {"_score": json.dumps(item.score)}
    return infons | _as_json(rest) | score


def _as_json(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items() if value}


BIOC = Format(
    "bioc", "BioC", read, write, frozenset(Feature), OPTIONS, detect, package="bioc", extra="formats"
)  # fmt: skip
