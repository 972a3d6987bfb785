"""JSON lines, the format of this package: one object a line, each layer of spans and each question under its own name.

`{"id": "1", "text": "ACME paid", "risk": ["fraud"], "names": [{"start": 0, "end": 4, "label": "PAYER"}]}` has a
question `risk` and a layer `names`: it is what `data.readers.jsonl` reads for the fields of a task. Keys with a
leading `_` hold everything else, so that nothing is lost; `_layers` names the layers, since an empty list could be a
question too. A layer of relations is a list of objects with head, tail and label (see `parts.json_relations`);
`_relation_layers` names them. In a record without `_layers` an empty list is a layer if another record of the file has
spans, or relations, under that key.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import (
    CHOSEN,
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    Attribute,
    Event,
    Reference,
    Relation,
    choice_of,
    single_questions,
)
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature
from electra_ie.formats.parts.annotation_tools import value_of
from electra_ie.formats.parts.json_relations import OF_RELATION, Ends, ends_of, is_between_spans, related_keys
from electra_ie.formats.parts.json_values import id_of, records, text_of
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.spans import FRAGMENTS, SpanReader, fragments_of
from electra_ie.formats.parts.text_output import text_output

OPTIONS = {"text": Option("text"), "id": Option("id")}
"""text, id: the keys of text and id."""
ONE_LAYER = "spans"
"""The key of spans without a layer."""
ONE_RELATION_LAYER = "relations"
"""The key of relations without a layer."""
OF_SPAN = (
    "start", "end", "text", "label", "id", "fragments", "attributes", "references", "notes", "score", "origin",
)  # fmt: skip
"""The keys of a span. Another one with a text is an attribute, as a task has them."""
RESERVED = (
    "_layers", "_relation_layers", "_relations", "_events", "_notes", "_metadata", "_scores", "_origins",
    "_predicted",
)  # fmt: skip
FOREIGN = ("answer", "annotation_id", "annotations", "annotator", "_input_hash", "_task_hash")
"""Keys of records of Prodigy and Label Studio. Those of doccano have spans as lists, or with a `start_offset`."""
OF_DOCCANO = {"id", "text", "label", "labels", "Comments"}
"""The keys of a text of doccano that is classified, whose `Comments` are a list."""
LOOKED_AT, HEAD = 50, 2**20
"""Records, and bytes, from which the format of a file is detected."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file of JSON lines, or of a JSON array of the same objects.

    Where no `_layers` says it, an empty list is a layer without a span if another record has spans under that key, and
    without a relation if it has relations there. Without that list, the relations of the document are unknown.
    """
    spans = SpanReader(str(path))
    read_documents: list[tuple[AnnotatedDocument, bool]] = []
    related: dict[str, None] = {}
    for record, source in records(path, on_error):
        try:
            document = document_of(record, options, spans, source)
            read_documents.append((document, record.get("_layers") is None))
            related |= dict.fromkeys(record.get("_relation_layers") or _related(record, options))
        except UserError as error:
            on_error(error)
    spans.report()
    layers = {"": None} | {layer: None for document, _ in read_documents for layer in document.layers or ()}
    for document, is_open in read_documents:
        yield _with_empty_layers(document, layers, related) if is_open else document


def _related(record: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Return the keys of the relations of a record that does not name them."""
    return related_keys(record, (options["text"], options["id"], *RESERVED))


def _relation_layer(key: str) -> str:
    return "" if key == ONE_RELATION_LAYER else key


def _with_empty_layers(document: AnnotatedDocument, layers: Iterable[str], related: Iterable[str]) -> AnnotatedDocument:
    """Return a document whose empty lists under the key of a layer are layers, and no questions without labels.

    layers: those of spans in the file. related: the keys of those of relations.
    """
    empty = {layer or ONE_LAYER: layer for layer in layers if document.labels.get(layer or ONE_LAYER) == ()}
    own = {relation.layer for relation in document.relations}
    none = [key for key in related if document.labels.get(key) == ()]
    if related and (none or own or document.layers or empty):
        known = [_relation_layer(key) for key in related if key in none]
        document = replace(document, relation_layers=tuple(dict.fromkeys((*own, *known))))
    if not empty and not none:
        return document
    empty_keys = {*empty, *none}
    return replace(
        document,
        labels={name: labels for name, labels in document.labels.items() if name not in empty_keys},
        label_scores={name: scores for name, scores in document.label_scores.items() if name not in empty_keys},
        label_origins={name: origin for name, origin in document.label_origins.items() if name not in empty_keys},
        layers=(*(document.layers or ()), *empty.values()) or None,
    )


def document_of(
    record: Mapping[str, Any], options: Mapping[str, Any], spans: SpanReader, source: SourceLine
) -> AnnotatedDocument:
    """Return the document of a record, where null is the same as no key. Raises UserError if the record is invalid."""
    try:
        return _document(record, options, spans, source)
    except UserError:
        raise
    except ValueError as error:  # of the parts of a document, which check their values
        raise source.error(f"this record is invalid: {error}.", "Correct it.") from None


def _document(
    record: Mapping[str, Any], options: Mapping[str, Any], spans: SpanReader, source: SourceLine
) -> AnnotatedDocument:
    text = text_of(record, options["text"], source)
    named = [key for key in record if key not in (options["text"], options["id"], *RESERVED)]
    stated = None if record.get("_layers") is None else _texts(record, "_layers", source)
    layers = tuple(key for key in named if _is_layer(record[key])) if stated is None else stated
    items = {key: value_of(record, key, list, source, []) for key in layers}
    read_spans = [
        _span(item, key, number, text, spans, source)
        for key in layers
        for number, item in enumerate(items[key], start=1)
    ]
    named_relations = record.get("_relation_layers") is not None
    related = _texts(record, "_relation_layers", source) if named_relations else _related(record, options)
    ends = Ends(items, read_spans, source)
    relations = [
        _relation(item, key, number, ends, spans, source)
        for key in related
        for number, item in enumerate(value_of(record, key, list, source, []), start=1)
    ]
    relations += [
        Relation(**_common(item, f"relation {number}", source), arguments=_arguments(item, source),
                 symmetric=value_of(item, "symmetric", bool, source, False),
                 layer=value_of(item, "layer", str, source, ""))
        for number, item in enumerate(value_of(record, "_relations", list, source, []), start=1)
    ]  # fmt: skip
    labels, metadata = {}, {**value_of(record, "_metadata", dict, source, {})}
    for key in named:
        value = record[key]
        if key in layers or key in related or value is None:
            continue
        if key == CHOSEN and choice_of(record):
            metadata[key] = value
        elif isinstance(value, str):
            labels[key] = (value,)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            labels[key] = tuple(value)
        else:
            metadata[key] = value
    related_layers = map(_relation_layer, related) if named_relations else (item.layer for item in relations)
    scores, origins = (value_of(record, key, dict, source, {}) for key in ("_scores", "_origins"))
    return AnnotatedDocument(
        id_of(record, options["id"], source), text, tuple(read_spans),
        tuple(relations),
        tuple(Event(**_common(item, f"event {number}", source), arguments=_arguments(item, source),
                    trigger=str(value_of(item, "trigger", str | int, source)))
              for number, item in enumerate(value_of(record, "_events", list, source, []), start=1)),
        labels, {name: tuple(value_of(scores, name, list, source)) for name in scores if scores[name] is not None},
        tuple("" if key == ONE_LAYER else key for key in layers) or None,
        _texts(record, "_notes", source), metadata, value_of(record, "_predicted", bool, source, False),
        *source.position, label_origins={name: value_of(origins, name, str, source) for name in origins
                                         if origins[name] is not None},
        relation_layers=tuple(dict.fromkeys(related_layers)) or (() if named_relations else ("",)),
    )  # fmt: skip


def _is_layer(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "start" in item for item in value)


def _span(item: Any, layer: str, number: int, text: str, spans: SpanReader, source: SourceLine) -> AnnotatedSpan:
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        remedy = 'It must be an object {"start": 0, "end": 3, "label": "..."}.'
        raise source.error(f'"{layer}" contains {json.dumps(item)[:60]}.', remedy)
    pairs, quoted = fragments_of(item, layer, source), item.get("text")
    if not all(type(offset) is int for pair in pairs for offset in pair):
        raise source.error(f'"{layer}" contains {json.dumps(item)[:60]}.', "start and end must be whole numbers.")
    if not isinstance(quoted, str | None) and not (isinstance(quoted, list) and item.get(FRAGMENTS)):
        message = f'"text" of a span of "{layer}" is {json.dumps(quoted)[:40]}, not a text.'
        raise source.error(message, "Write one text in quotes.")
    common = _with_values(item, f"{layer} {number}", OF_SPAN, spans, source)
    fragments = spans.located(text, pairs, quoted, source)
    return AnnotatedSpan(**common, fragments=fragments, layer="" if layer == ONE_LAYER else layer)


def _relation(item: Any, key: str, number: int, ends: Ends, spans: SpanReader, source: SourceLine) -> Relation:
    common = _with_values(item, f"{key} {number}", OF_RELATION, spans, source)
    symmetric = value_of(item, "symmetric", bool, source, False)
    return Relation(**common, arguments=ends.arguments(item, key), symmetric=symmetric, layer=_relation_layer(key))


def _with_values(item: Any, id: str, known: Sequence[str], spans: SpanReader, source: SourceLine) -> dict[str, Any]:
    """Return what `_common` returns; texts under other keys than the known ones are attributes, as a task has them."""
    common = _common(item, id, source)
    others = {key: value for key, value in item.items() if key not in known and value is not None}
    said = [Attribute(key, value) for key, value in others.items() if isinstance(value, str)]
    common["attributes"] = (*common["attributes"], *said)
    spans.unread.update(key for key, value in others.items() if not isinstance(value, str))
    return common


def _common(item: Any, id: str, source: SourceLine) -> dict[str, Any]:
    """Return what spans, relations and events have in common. id: that of one without an id."""
    return {
        "label": value_of(item, "label", str, source),
        "id": id_of(item, "id", source) or id,
        "attributes": tuple(
            Attribute(name, str(value).lower() if isinstance(value, bool) else value)
            for name, value in _lists(item, "attributes", "[name, value]", (2,), source)
        ),
        "references": tuple(
            Reference(*entry) for entry in _lists(item, "references", "[resource, id, name]", (2, 3), source)
        ),
        "notes": _texts(item, "notes", source),
        "score": item.get("score"),
        "origin": value_of(item, "origin", str, source, ""),
    }


def _arguments(item: Mapping[str, Any], source: SourceLine) -> tuple[tuple[str, str], ...]:
    value_of(item, "arguments", list, source)  # required
    pairs = _lists(item, "arguments", "[role, id]", (2,), source)
    return tuple((role, str(target) if type(target) is int else target) for role, target in pairs)


def _lists(
    item: Mapping[str, Any], key: str, expected: str, lengths: Sequence[int], source: SourceLine
) -> list[list[Any]]:
    """Return a list of lists, each with one of these lengths. expected: such a list, for the message."""
    value: list[Any] = value_of(item, key, list, source, [])
    for entry in value:
        if not isinstance(entry, list) or len(entry) not in lengths:
            raise source.error(f'"{key}" contains {json.dumps(entry)[:60]}.', f"It must be a list {expected}.")
    return value


def _texts(item: Mapping[str, Any], key: str, source: SourceLine) -> tuple[str, ...]:
    value: list[Any] = value_of(item, key, list, source, [])
    for entry in value:
        if not isinstance(entry, str):
            raise source.error(f'"{key}" contains {json.dumps(entry)[:60]}.', "It must be a text in quotes.")
    return tuple(value)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as JSON lines. A question with one label in every document that has it is written as a text."""
    single = single_questions(documents)
    related = any(not item.layer for document in documents for item in _between_spans(document))
    with text_output(path) as file:
        for document in documents:
            file.write(json.dumps(_record(document, single, related, options, path), ensure_ascii=False) + "\n")


def _between_spans(document: AnnotatedDocument) -> list[Relation]:
    """Return the relations that have a head and a tail."""
    spans = {span.id for span in document.spans}
    return [item for item in document.relations if is_between_spans(item, spans)]


def _record(
    document: AnnotatedDocument, single: Mapping[str, bool], related: bool, options: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    """Return the record of a document. related: whether one of the file has relations without a layer."""
    by_id = {span.id: span for span in document.spans}
    record: dict[str, Any] = {options["id"]: document.id} if document.id else {}
    record[options["text"]] = document.text
    layers = [layer or ONE_LAYER for layer in document.layers or ()]
    relation_keys = _relation_keys(document, related, {*record, *document.labels, *layers})
    listed = {
        key: [item for item in _between_spans(document) if item.layer == _relation_layer(key)] for key in relation_keys
    }
    in_lists = {item.id for items in listed.values() for item in items}
    for name in (*document.labels, *layers, *listed):
        if name in record or name.startswith("_"):
            raise UserError(
                f'the name "{name}" is needed twice in the record of "{document.id}".', file=path,
                remedy="Name layers and questions differently from each other, from text and id, without leading _.",
            )  # fmt: skip
        if name in document.labels:
            labels = document.labels[name]
            record[name] = labels[0] if single[name] else list(labels)
        elif name in listed:
            record[name] = [{**ends_of(item, by_id), **_relation_details(item)} for item in listed[name]]
        else:
            record[name] = [
                _span_record(span, document.text) for span in document.spans if (span.layer or ONE_LAYER) == name
            ]
    extra = {
        "_layers": layers,
        "_relation_layers": [*listed],
        "_relations": [
            {**_relation_details(item), "arguments": item.arguments, **({"layer": item.layer} if item.layer else {})}
            for item in document.relations
            if item.id not in in_lists
        ],
        "_events": [
            {**_annotation(event), "trigger": event.trigger, "arguments": event.arguments} for event in document.events
        ],
        "_notes": document.notes,
        "_metadata": document.metadata,
        "_scores": document.label_scores,
        "_origins": document.label_origins,
        "_predicted": document.predicted,
    }
    stated = {"_layers"} | ({"_relation_layers"} if document.relation_layers != ("",) else set())
    return record | {key: value for key, value in extra.items() if value or key in stated}


def _relation_keys(document: AnnotatedDocument, related: bool, taken: Collection[str]) -> list[str]:
    """Return the keys of the layers of relations of a document.

    The layer without a name has none if its key is taken or nothing is in it, but if another document has relations
    there: then an empty list says that this one has none, as a task reads it.
    """
    layers = document.relation_layers
    if layers == ("",) and (ONE_RELATION_LAYER in taken or not related or document.layers is None):
        return []
    return [layer or ONE_RELATION_LAYER for layer in layers]


def _relation_details(relation: Relation) -> dict[str, Any]:
    return {**_annotation(relation), **({"symmetric": True} if relation.symmetric else {})}


def _span_record(span: AnnotatedSpan, text: str) -> dict[str, Any]:
    """Return a span with its text, which proves the unit of its offsets: a list if it has several fragments."""
    parts = [text[start:end] for start, end in span.fragments]
    several = {"fragments": span.fragments} if len(parts) > 1 else {}
    quoted = parts if several else parts[0]
    return {"start": span.start, "end": span.end, "text": quoted, **_annotation(span), **several}


def _annotation(annotation: Annotation) -> dict[str, Any]:
    details = {
        "attributes": [[attribute.name, attribute.value] for attribute in annotation.attributes],
        "references": [[entry.resource, entry.id, entry.name] for entry in annotation.references],
        "notes": annotation.notes,
        "origin": annotation.origin,
    }
    score = {} if annotation.score is None else {"score": annotation.score}
    return {
        "label": annotation.label,
        "id": annotation.id,
        **{key: value for key, value in details.items() if value},
        **score,
    }


def detect(path: Path) -> bool:
    """Return whether the first records have a text, and no value that only the records of other tools have."""
    first = list(islice(beginning(path), LOOKED_AT))
    return bool(first) and all(isinstance(record, dict) and _is_own(record) for record in first)


def beginning(path: Path) -> Iterator[Any]:
    """Yield the JSON values at the beginning of a file, one after another or in an array."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return
    text = head.decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()
    between, decoder = re.compile(r"[\s,]*"), json.JSONDecoder()
    position = int(text.startswith("["))
    while True:
        position = between.match(text, position).end()  # type: ignore[union-attr]
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):  # the end, or a record that is cut there
            return
        yield value


def _is_own(record: Mapping[str, Any]) -> bool:
    """Return whether a record has a text under the default key, and its spans as `write` has them."""
    lists = [value for key, value in record.items() if isinstance(value, list) and not key.startswith("_")]
    items = [item for value in lists for item in value]
    return (
        isinstance(record.get(OPTIONS["text"].default), str)
        and not any(key in record for key in FOREIGN)
        and not (isinstance(record.get("Comments"), list) and record.keys() <= OF_DOCCANO)
        and not any(isinstance(item, list) or (isinstance(item, dict) and "start_offset" in item) for item in items)
    )


JSON_LINES = Format("jsonl", "JSON lines", read, write, frozenset(Feature), OPTIONS, detect, endings=(".jsonl",))
