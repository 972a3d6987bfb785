"""Label Studio's JSON-MIN: an array of flat records, with the spans of a layer and the answer to a question by name.

`{"text": "ACME paid", "label": [{"start": 0, "end": 4, "text": "ACME", "labels": ["PAYER"]}], "risk": "fraud"}`:
several labels of one question are `{"choices": [...]}`, and choices with offsets are attributes of the spans there. The
format has no relations, and no mark for a text of the data: a text is the answer to a question, unless the option
`metadata` names its key or the tool itself adds it. Numbers are metadata, as the ratings of the tool, and so are lists
of texts: the tool writes a single nested choice as one, but a list of the data looks the same. The tool writes no empty
list for a layer: in its records one is metadata, unless others have spans under that key. A task that nobody annotated,
whose `annotation_id` is null, is not annotated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import CHOSEN, AnnotatedDocument, AnnotatedSpan, Attribute
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.label_studio_config import ONE_LAYER
from electra_ie.formats.parts.annotation_tools import (
    ANNOTATION,
    SourceTask,
    ToolFile,
    add_values,
    choices_of,
    chosen,
    first_record,
    nameless_layer,
    number_or_text,
    texts_of,
    value_of,
    write_array,
)
from electra_ie.formats.parts.json_values import id_of, text_of
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.record_ids import repeated

OPTIONS = {"text": Option("text"), "id": Option("id"), "annotation": ANNOTATION, "metadata": Option([])}
"""text, id: the keys of text and id. annotation: the one that is read if people differ. metadata: keys of texts that
are no answers."""
SPANS = ("labels", "hypertextlabels")
BOOKKEEPING = (
    "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history", CHOSEN,
)  # fmt: skip
"""Keys that the tool adds, which are metadata, and the one that says how `suggest` chose the text."""
BY_TOOL = "annotation_id"
"""The key of a record that the tool exported: it was annotated with all layers, and lacks those without a span.

It is null in a task that nobody annotated.
"""
HOLDS = frozenset((
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.LAYERS, Feature.UNANNOTATED,
    Feature.LABELS, Feature.QUESTIONS, Feature.METADATA,
))  # fmt: skip


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the records of an export. One of the tool is annotated with all layers that occur in the file."""
    reader = _Reader(path, options)
    by_id: dict[str, list[AnnotatedDocument]] = {}
    for number, document in enumerate(reader.file.read(on_error, reader.document)):
        by_id.setdefault(document.id or f"record {number} without id", []).append(document)
    for documents in by_id.values():
        try:
            yield _chosen([_in_layers(document, reader.layers) for document in documents], options["annotation"])
        except UserError as error:
            on_error(error)


def _in_layers(document: AnnotatedDocument, layers: Iterable[str]) -> AnnotatedDocument:
    """Return a document that is annotated with all layers of its file if the tool exported it.

    Its empty lists under the name of a layer are then no metadata.
    """
    if BY_TOOL not in document.metadata:
        return document
    document = document.with_layers(layers)
    names = [layer or ONE_LAYER for layer in document.layers or ()]
    metadata = {key: value for key, value in document.metadata.items() if value != [] or key not in names}
    return replace(document, metadata=metadata)


def _chosen(documents: Sequence[AnnotatedDocument], which: str) -> AnnotatedDocument:
    """Return one of the records of a task: the tool writes one for each person who annotated it.

    Raises:
        UserError: two records of one id have different texts, or were not written by the tool; or people differ.
    """
    first, *others = documents
    for other in others:
        if other.text != first.text or not (BY_TOOL in first.metadata and BY_TOOL in other.metadata):
            raise repeated(other.id, SourceLine(first.file, first.line), SourceTask(other.file, other.line, other.id))
    source = SourceTask(documents[-1].file, documents[-1].line, documents[-1].id)
    return chosen(documents, which, [document.metadata.get("annotator") for document in documents], source)


class _Reader:
    """Reads the records of one file. `layers` has those of all spans so far, in order."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.file, self.options = ToolFile(path), options
        self.layers: dict[str, None] = {}

    def document(self, record: Mapping[str, Any], line: SourceLine) -> AnnotatedDocument:
        """Return the document of a record."""
        id = id_of(record, self.options["id"], line)
        source = SourceTask(line.file, line.line, id or "without id")
        text = text_of(record, self.options["text"], source)
        if BY_TOOL in record and record[BY_TOOL] is None:
            return self._unannotated(record, id, text, source)
        spans: list[AnnotatedSpan] = []
        attributes: list[tuple[str, Mapping[str, Any]]] = []
        layers, labels, metadata = [], {}, {}
        for key, value in record.items():
            if key in (self.options["text"], self.options["id"]):
                continue
            if key in BOOKKEEPING or key in self.options["metadata"]:
                metadata[key] = value
            elif _is_layer(value) and (value or BY_TOOL not in record):
                layers.append("" if key == ONE_LAYER else key)
                for item in value:
                    self._add_spans(item, layers[-1], text, spans, source)
            elif value and _has_choices(value):
                attributes += [(key, item) for item in value]
            elif isinstance(value, str) or (isinstance(value, dict) and set(value) == {"choices"}):
                labels[key] = (value,) if isinstance(value, str) else choices_of(value, source)
            else:
                metadata[key] = value
        self.layers |= dict.fromkeys(layers)
        for name, item in attributes:
            spans = self._with_attribute(spans, name, item, text, source)
        return AnnotatedDocument(
            id, text, tuple(spans), labels=labels, layers=tuple(layers) or None, metadata=metadata, file=source.file,
            line=source.line, submitted=BY_TOOL in record,
        )  # fmt: skip

    def _unannotated(self, record: Mapping[str, Any], id: str, text: str, source: SourceLine) -> AnnotatedDocument:
        """Return the document of a task that nobody annotated: its values are those of the data."""
        own = (self.options["text"], self.options["id"])
        metadata = {
            key: value for key, value in record.items() if key not in own and not (key in BOOKKEEPING and value is None)
        }
        return AnnotatedDocument(id, text, layers=None, metadata=metadata, file=source.file, line=source.line)

    def _add_spans(
        self, item: Mapping[str, Any], layer: str, text: str, spans: list[AnnotatedSpan], source: SourceLine
    ) -> None:
        labels = [label for key in SPANS for label in texts_of(item, key, source)]
        if not labels:
            self.file.left["regions without a label are"] += 1
        fragments = self._fragments(item, text, source)
        spans += [
            AnnotatedSpan(f"region {len(spans) + number}", label, fragments, layer=layer)
            for number, label in enumerate(labels, start=1)
        ]

    def _fragments(self, item: Mapping[str, Any], text: str, source: SourceLine) -> tuple[tuple[int, int], ...]:
        place = value_of(item, "globalOffsets", dict, source, {}) or item
        return self.file.offsets(text, (place.get("start"), place.get("end")), source, item.get("text"))

    def _with_attribute(
        self, spans: list[AnnotatedSpan], name: str, item: Mapping[str, Any], text: str, source: SourceLine
    ) -> list[AnnotatedSpan]:
        """Return spans with the choices for a region. It has no id in this format: all with its offsets have them."""
        fragments = self._fragments(item, text, source)
        added = tuple(Attribute(name, value) for value in choices_of(item, source))
        if all(span.fragments != fragments for span in spans):
            self.file.left["answers for regions without a label are"] += 1
        return [
            replace(span, attributes=span.attributes + added) if span.fragments == fragments else span
            for span in spans
        ]  # fmt: skip


def _is_layer(value: Any) -> bool:
    """Return whether a value can be the list of the spans of a layer, which may be empty."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and "choices" not in item and any(key in item for key in SPANS) for item in value
    )


def _has_choices(value: Any) -> bool:
    """Return whether a value is a list of choices for regions."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and {"start", "choices"} <= set(item) for item in value
    )


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as flat records."""
    write_array(path, [_record(document, path, options) for document in documents])


def _record(document: AnnotatedDocument, path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {options["id"]: number_or_text(document.id)} if document.id else {}
    record[options["text"]] = document.text
    named: dict[str, Any] = {layer or ONE_LAYER: [] for layer in document.layers or ()}
    for span in document.spans:
        place = {"start": span.start, "end": span.end, "text": document.text[span.start : span.end]}
        named[span.layer or ONE_LAYER].append({**place, "labels": [span.label]})
    answers = {name: _answer(labels) for name, labels in document.labels.items()}
    own = (options["id"], *BOOKKEEPING, *options["metadata"])
    for values, reserved in ((named, own), (answers, own), (document.metadata, own[:1])):
        record = add_values(record, values, document.id, path, reserved)
    return record


def _answer(labels: Sequence[str]) -> Any:
    return labels[0] if len(labels) == 1 else {"choices": labels}


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove metadata that would be read as labels, and the name of a layer `label`."""
    document, losses = nameless_layer(document, ONE_LAYER)
    kept = {
        key: value
        for key, value in document.metadata.items()
        if key in BOOKKEEPING or key in options["metadata"] or not _reads_as_label(value)
    }
    lost = len(document.metadata) - len(kept)
    return replace(document, metadata=kept), losses + Losses({"metadata that reads as labels": lost} if lost else {})


def _reads_as_label(value: Any) -> bool:
    return isinstance(value, str) or _is_layer(value) or _has_choices(value) or (
        isinstance(value, dict) and set(value) == {"choices"}
    )  # fmt: skip


def detect(path: Path) -> bool:
    """Return whether the first record has spans as the tool writes them, or its keys."""
    record = first_record(path)
    return BY_TOOL in record or any(isinstance(value, list) and value and _is_layer(value) for value in record.values())


LABEL_STUDIO_MIN = Format(
    "label_studio_min", "Label Studio JSON-MIN", read, write, HOLDS, OPTIONS, detect, reduce=reduce
)
