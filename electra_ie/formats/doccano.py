"""doccano's JSON lines, as its versions export them.

Spans are lists `[start, end, label]` under `label` or `labels`, or objects with `start_offset` and `end_offset` under
`entities`, with `relations` of their ids. Categories are texts under `label` or `labels`, or under `cats` beside spans.
`Comments` (or `comments`) are notes, and other keys are metadata. The writer writes the form of the current version:
`entities` and `relations`, categories as `label`, and beside spans as `cats`.

The writer counts offsets as doccano's page does (see `parts.page_offsets`), and quotes the text of an entity, which
proves the unit here and which doccano ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation
from electra_ie.formats.base import Format
from electra_ie.formats.concepts import LOST, RELATIONS, relations_of_concepts
from electra_ie.formats.features import ONE_QUESTION, Feature, Losses
from electra_ie.formats.parts.annotation_tools import (
    ROLES,
    ToolFile,
    add_values,
    first_record,
    number_or_text,
    texts_of,
    value_of,
    without_roles,
    write_lines,
)
from electra_ie.formats.parts.json_values import id_of, text_of
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.page_offsets import CODE_POINTS, PAGE, as_on_page, from_page, may_be_of_page
from electra_ie.formats.parts.units import UTF_16, convert
from electra_ie.formats.parts.unseen import Unseen

OPTIONS = {"text": Option("text"), "id": Option("id"), "offsets": Option("error", choices=("error", CODE_POINTS, PAGE))}
"""text, id: the keys of text and id. In old versions and with a column that was named so at the import: `data`.
offsets: what offsets count, where characters beyond U+FFFF make a difference and the spans do not show it."""
SPANS, EITHER, CATEGORIES = ("entities", "spans"), ("label", "labels"), "cats"
NOTES = ("Comments", "comments")
RESERVED = (*SPANS, *EITHER, CATEGORIES, *NOTES, RELATIONS)
HOLDS = frozenset((
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.UNANNOTATED, Feature.RELATIONS,
    Feature.DOCUMENT_NOTES, Feature.LABELS, Feature.METADATA,
))  # fmt: skip


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the records of an export.

    An empty list under `label` means no span if other records of the file have spans there, otherwise no category.
    """
    reader = _Reader(path, options)
    documents = list(reader.file.read(on_error, reader.document))
    unseen = Unseen()
    for document, empty in zip(documents, reader.empty, strict=True):
        known = document
        if empty and reader.spans_in_labels:
            known = replace(document, layers=("",))
        elif empty:
            known = replace(document, labels={ONE_QUESTION: ()})
        unseen.add(known)
        yield known
    unseen.report(path, "remove them, or move them to a file that task.yaml lists as unlabeled")


class _Reader:
    """Reads the records of one file.

    Attributes:
        spans_in_labels: Whether a record has spans under `label` or `labels`.
        empty: For each document, whether its only annotation is an empty list under `label` or `labels`.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.file, self.options = ToolFile(path), options
        self.file.spans.units.known.add(UTF_16)
        self.spans_in_labels = False
        self.empty: list[bool] = []

    def document(self, record: Mapping[str, Any], source: SourceLine) -> AnnotatedDocument:
        """Return the document of a record."""
        own_keys = self.options["text"], self.options["id"]
        text, id = text_of(record, own_keys[0], source), id_of(record, own_keys[1], source)
        self.file.check_id(id, source)
        keys = [key for key in EITHER if record.get(key) is not None]
        either = [
            item
            for key in keys
            for item in ([record[key]] if isinstance(record[key], str) else value_of(record, key, list, source))
        ]
        as_spans: list[Any] = []  # the same span may be under both keys
        for item in either:
            if not isinstance(item, str | int) and item not in as_spans:
                as_spans.append(item)
        self.spans_in_labels |= bool(as_spans)
        named = [name for name in SPANS if record.get(name) is not None]
        items = [*(item for name in named for item in value_of(record, name, list, source)), *as_spans]
        spans = tuple(self._span(item, number, text, source) for number, item in enumerate(items, start=1))
        labels = [str(item) for item in either if isinstance(item, str | int)]
        labels += texts_of(record, CATEGORIES, source)
        has_labels = bool(labels) or record.get(CATEGORIES) is not None
        relations = tuple(
            _relation(item, number, source)
            for number, item in enumerate(value_of(record, "relations", list, source, []), start=1)
        )
        with_ids = [isinstance(item, dict) and item.get("id") is not None for item in items]
        if relations and not (with_ids and all(with_ids)):
            # A project without relations passes on those of the file that was imported, with the ids of its spans.
            ids = {span.id for span, has_id in zip(spans, with_ids, strict=True) if has_id}
            kept = tuple(relation for relation in relations if {id for _, id in relation.arguments} <= ids)
            self.file.left["relations of spans without ids are"] += len(relations) - len(kept)
            relations = kept
        document = AnnotatedDocument(
            id, text, spans, relations,
            labels={ONE_QUESTION: tuple(dict.fromkeys(labels))} if has_labels else {},
            layers=("",) if spans or named else None,
            notes=tuple(note for name in NOTES for note in _notes(record, name, source)),
            metadata={name: value for name, value in record.items() if name not in (*own_keys, *RESERVED)},
            file=source.file, line=source.line,
        )  # fmt: skip
        self.empty.append(bool(keys) and not either and not named and not has_labels)
        return document

    def _span(self, item: Any, number: int, text: str, source: SourceLine) -> AnnotatedSpan:
        if isinstance(item, list):
            item = dict(zip(("start_offset", "end_offset", "label"), item, strict=False))
        label = str(value_of(item, "label", str, source))
        pair = (item.get("start_offset", item.get("start")), item.get("end_offset", item.get("end")))
        id = f"T{id_of(item, 'id', source) or number}"
        quoted = item.get("text")
        if [type(offset) for offset in pair] == [int, int]:
            pair = self._in_code_points(text, *pair, quoted, source)
        return AnnotatedSpan(id, label, self.file.offsets(text, pair, source, quoted))

    def _in_code_points(self, text: str, start: int, end: int, quoted: Any, source: SourceLine) -> tuple[int, int]:
        """Return offsets as code points, unless their quoted text will show the unit.

        Raises:
            UserError: They may be those of the page or not, or they are not in the text.
        """
        unit = self.options["offsets"]
        if quoted is not None:
            if unit == CODE_POINTS and text[start:end] == quoted:
                return start, end
            converted = convert(text, UTF_16, start, end)
            return converted if converted and text[slice(*converted)] == quoted else (start, end)  # `write` quotes
        if unit == PAGE:
            return from_page(text, start, end, source)
        if unit == CODE_POINTS or not may_be_of_page(text, start, end):
            return start, end
        message = (
            f"the text has characters beyond U+FFFF, such as emoji, before the end of the span {start} to {end}, "
            "which the page of doccano counts twice."
        )
        remedy = f"Set the option offsets to {PAGE} if people marked spans there, or to {CODE_POINTS} if nobody did."
        raise source.error(message, remedy)


def _relation(item: Any, number: int, source: SourceLine) -> Relation:
    ends = [value_of(item, key, int, source) for key in ("from_id", "to_id")]
    arguments = tuple((role, f"T{end}") for role, end in zip(ROLES, ends, strict=True))
    return Relation(f"R{id_of(item, 'id', source) or number}", value_of(item, "type", str, source), arguments)


def _notes(record: Mapping[str, Any], key: str, source: SourceLine) -> Sequence[str]:
    """Return comments, which are objects with a text where spans are."""
    comments = record.get(key)
    if isinstance(comments, list) and all(isinstance(item, dict) for item in comments):
        return [value_of(item, "comment" if "comment" in item else "text", str, source) for item in comments]
    return texts_of(record, key, source)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as the current version exports them. Spans and relations are numbered over the whole file."""
    write_lines(path, _records(documents, path, options))


def _records(
    documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    spans, relations = 0, 0
    for document in documents:
        record: dict[str, Any] = {options["id"]: number_or_text(document.id)} if document.id else {}
        record[options["text"]] = document.text
        labels = document.labels.get(ONE_QUESTION)
        if document.layers is not None:
            numbers = {span.id: spans + index for index, span in enumerate(document.spans, start=1)}
            record["entities"] = [
                {"id": numbers[span.id], "label": span.label, "start_offset": start, "end_offset": end,
                 "text": document.passage(span)}
                for span in document.spans
                for start, end in [as_on_page(document.text, span.start, span.end)]
            ]  # fmt: skip
            record["relations"] = [
                {"id": relations + index, "from_id": numbers[item.arguments[0][1]],
                 "to_id": numbers[item.arguments[1][1]], "type": item.label}
                for index, item in enumerate(document.relations, start=1)
            ]  # fmt: skip
            spans, relations = spans + len(document.spans), relations + len(document.relations)
        if labels is not None:
            record["label" if document.layers is None else CATEGORIES] = list(labels)
        if document.notes:
            record["Comments"] = list(document.notes)
        yield add_values(record, document.metadata, document.id, path, (options["id"], *RESERVED))


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove the roles of relations, and relations of concepts: the key `relations` is that of the spans."""
    document, losses = without_roles(document)
    if concepts := relations_of_concepts(document.metadata):
        losses[LOST] += len(concepts)
        others = {name: value for name, value in document.metadata.items() if name != RELATIONS}
        document = replace(document, metadata=others)
    return document, losses


def detect(path: Path) -> bool:
    """Return whether the first record has spans, categories or comments in a form of doccano."""
    record = first_record(path)
    entities = record.get("entities")
    objects = entities if isinstance(entities, list) else [None]
    if all(isinstance(item, dict) and "start_offset" in item for item in objects):
        return True
    lists = [record[key] for key in EITHER if isinstance(record.get(key), list) and record[key]]
    triples = any(isinstance(items[0], list) and len(items[0]) == len(("start", "end", "label")) for items in lists)
    return triples or "Comments" in record


DOCCANO = Format("doccano", "doccano", read, write, HOLDS, OPTIONS, detect, reduce=reduce)
