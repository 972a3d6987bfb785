"""JSON records with spans under keys that options name: an array of objects, or an object a line, also compressed."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.json_lines import LOOKED_AT, beginning
from electra_ie.formats.parts.json_values import id_of, records, refuse_surrogates
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.record_ids import RecordIds, refuse_repeated
from electra_ie.formats.parts.span_keys import SpanKeys, lists_of_spans
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.parts.text_output import text_output

OPTIONS = {
    "text": Option("text"),
    "id": Option("id"),
    "spans": Option("spans"),
    "start": Option("start"),
    "end": Option("end"),
    "label": Option("label"),
    "quoted": Option("text"),
    "inclusive": Option(False),
    "layout": Option("array", choices=("array", "lines")),
}
"""text, id, spans: the keys of a record. start, end, label, quoted: those of a span; quoted is that of its text, which
proves the offsets and may be missing. A dot leads into an object: `meta.id`. inclusive: the end is the last character
of a span, not the one after it. layout: what is written, one array or an object a line; both are read."""
OF_RECORD, OF_SPAN = ("text", "id", "spans"), ("start", "end", "label", "quoted")
HOLDS = frozenset(
    {
        Feature.IDS,
        Feature.SPANS,
        Feature.NESTED,
        Feature.CROSSING,
        Feature.EQUAL,
        Feature.UNANNOTATED,
        Feature.SPAN_ATTRIBUTES,
        Feature.METADATA,
    }
)
ATTRIBUTES = "attributes of spans with the name of another or of a key"
VALUES = "other values with the name of a key"
"""What the keys leave no place for."""


# Paths of keys


def _path(keys: str, record: Mapping[str, Any]) -> list[str]:
    """Return the keys that lead to a value: a key that contains dots, if the record has it, or one for each part."""
    return [keys] if keys in record else keys.split(".")


def _take(record: MutableMapping[str, Any], keys: str) -> Any:
    """Remove a value from a record, and objects that are empty without it, and return it; None if there is none."""
    first, *rest = _path(keys, record)
    if not rest:
        return record.pop(first, None)
    inner = record.get(first)
    if not isinstance(inner, dict):
        return None
    value = _take(inner, ".".join(rest))
    if not inner:
        del record[first]
    return value


def _put(record: MutableMapping[str, Any], keys: str, value: Any) -> None:
    """Add a value to a record."""
    *outer, last = keys.split(".")
    for key in outer:
        record = record.setdefault(key, {})
    record[last] = value


def _is_free(record: Mapping[str, Any], keys: str) -> bool:
    """Return whether a value can be added to a record at a path that `_take` then finds."""
    if keys in record:
        return False
    first, *rest = keys.split(".")
    inner = record.get(first, {})
    return not rest or (
        isinstance(inner, dict) and bool(inner or first not in record) and _is_free(inner, ".".join(rest))
    )


# Reading


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file."""
    _check_options(options, path)
    reader = _Reader(path, options)
    for record, source in records(path, on_error):
        try:
            document = reader.document(record, source)
        except UserError as error:
            on_error(error)
            continue
        yield document
    reader.report()


def _check_options(options: Mapping[str, Any], path: Path) -> None:
    """Raise UserError for a key that is empty, or that two options name."""
    for names in (OF_RECORD, OF_SPAN):
        keys = [options[name] for name in names]
        for name in names:
            key = options[name]
            inside = [other for other in keys if other != key and other.startswith(f"{key}.")]
            if key and keys.count(key) == 1 and not inside and all(key.split(".")):
                continue
            if name == "quoted" and not key:
                continue
            message = f"the option {name} is {key!r}, and the options {', '.join(names)} are {', '.join(keys)}."
            raise UserError(message, file=path, remedy="Each must be the path of a key, and all must differ.")


class _Reader:
    """Makes documents of the records of one file."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.path, self.options = path, options
        self.spans, self.ids = SpanReader(str(path)), RecordIds()
        self.keys, self.annotated, self.converted = Counter[str](), 0, 0

    def document(self, record: dict[str, Any], source: SourceLine) -> AnnotatedDocument:
        """Return the document of a record, of which its metadata is left."""
        keys = list(record)
        text = self._text(record, keys, source)
        id = id_of({"id": _take(record, self.options["id"])}, "id", source)
        self.ids.add(id, source)
        items = _take(record, self.options["spans"])
        if items is not None and not isinstance(items, list):
            message = f'"{self.options["spans"]}" is {json.dumps(items)[:60]}, not a list of spans.'
            raise source.error(message, "Name the key of the spans in the option spans.")
        spans = [self._span(item, f"T{number}", text, source) for number, item in enumerate(items or (), start=1)]
        self.annotated += items is not None
        self.keys.update(keys)
        layers = None if items is None else ("",)
        file, line = source.position
        return AnnotatedDocument(id, text, tuple(spans), layers=layers, metadata=record, file=file, line=line)

    def _text(self, record: dict[str, Any], keys: Sequence[str], source: SourceLine) -> str:
        text = _take(record, self.options["text"])
        if not isinstance(text, str):
            found = "no" if text is None else f"{json.dumps(text)[:40]} as"
            remedy = f"{nearest(self.options['text'], keys)} Name the key of the text in the option text."
            raise source.error(f'the record has {found} "{self.options["text"]}".', remedy)
        refuse_surrogates(text, "text", source)
        return text

    def _span(self, item: Any, id: str, text: str, source: SourceLine) -> AnnotatedSpan:
        shown = json.dumps(item, ensure_ascii=False)[:80]
        if not isinstance(item, dict):
            raise source.error(f"a span is {shown}, not an object.", "Give an object with the keys of the options.")
        keys, rest = list(item), copy.deepcopy(item)
        start, end, label = (_take(rest, self.options[name]) for name in ("start", "end", "label"))
        quoted = _take(rest, self.options["quoted"]) if self.options["quoted"] else None
        for name, value, type_ in (("start", start, int), ("end", end, int), ("label", label, str)):
            if type(value) is not type_:
                expected = "a text" if type_ is str else "a whole number"
                message = f'"{self.options[name]}" of the span {shown} is {json.dumps(value)[:40]}, not {expected}.'
                raise source.error(message, f"{nearest(self.options[name], keys)} See the option {name}.")
        if not label or not isinstance(quoted, str | None):
            empty = "an empty label" if not label else f'"{self.options["quoted"]}" that is not a text'
            raise source.error(f"the span {shown} has {empty}.", "Correct it, or set the options label and quoted.")
        end += self.options["inclusive"]
        if quoted is not None and text[max(start, 0) : max(end, 0)] != quoted == text[max(start, 0) : end + 1]:
            message = f"the end {end} of the span {shown} is its last character, by its text."
            raise source.error(message, "Set the option inclusive: true.")
        offsets = self.spans.offsets(text, start, end, source, quoted)
        return AnnotatedSpan(id, label, (offsets,), attributes=tuple(self._attributes(rest)))

    def _attributes(self, rest: Mapping[str, Any]) -> Iterator[Attribute]:
        """Yield the other values of a span, as texts."""
        for name, value in rest.items():
            is_text = isinstance(value, str | None)
            self.converted += not is_text
            yield Attribute(name, value if is_text else json.dumps(value, ensure_ascii=False))

    def report(self) -> None:
        """Warn of what is read in another way, or not at all."""
        self.spans.report()
        if self.keys and not self.annotated:
            remedy = f"{nearest(self.options['spans'], self.keys)} Name the key in the option spans."
            warn(f'{self.path}: no record has "{self.options["spans"]}", so that none has spans. {remedy}')
        if self.converted:
            warn(f"{self.path}: {self.converted} values of spans that are not texts are read as attributes in JSON.")


# Writing


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Return a document without values and attributes that have the keys of others."""
    losses: Losses = Counter()
    metadata = {
        name: value for name, value in document.metadata.items()
        if all(_is_free({name: value}, options[key]) for key in OF_RECORD)
    }  # fmt: skip
    losses[VALUES] += len(document.metadata) - len(metadata)
    spans = []
    for span in document.spans:
        attributes = {
            attribute.name: attribute
            for attribute in reversed(span.attributes)
            if all(_is_free({attribute.name: attribute.value}, options[key]) for key in OF_SPAN if options[key])
        }
        losses[ATTRIBUTES] += len(span.attributes) - len(attributes)
        spans.append(replace(span, attributes=tuple(reversed(attributes.values()))))
    return replace(document, metadata=metadata, spans=tuple(spans)), losses


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as one array, or as an object a line."""
    _check_options(options, path)
    refuse_repeated(documents, path)
    lines = [json.dumps(_record(document, options), ensure_ascii=False) for document in documents]
    with text_output(path) as file:
        if options["layout"] == "lines":
            file.writelines(line + "\n" for line in lines)
        else:
            file.write("[\n" + ",\n".join(lines) + "\n]\n")


def _record(document: AnnotatedDocument, options: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if document.id:
        _put(record, options["id"], document.id)
    _put(record, options["text"], document.text)
    if document.layers is not None:
        _put(record, options["spans"], [_item(span, document, options) for span in document.spans])
    for name, value in document.metadata.items():
        _merge(record, name, value)
    return record


def _item(span: AnnotatedSpan, document: AnnotatedDocument, options: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    _put(item, options["start"], span.start)
    _put(item, options["end"], span.end - options["inclusive"])
    _put(item, options["label"], span.label)
    if options["quoted"]:
        _put(item, options["quoted"], document.passage(span))
    return item | {attribute.name: attribute.value for attribute in span.attributes}


def _merge(record: MutableMapping[str, Any], name: str, value: Any) -> None:
    """Add a value to a record, within the object that it shares with other values."""
    if name in record:
        for key, item in value.items():
            _merge(record[name], key, item)
    else:
        record[name] = value


# Detection


def detect(path: Path) -> bool:
    """Return whether the first records have one list of spans, with other keys than those of JSON lines."""
    found = lists(path)
    return len(found) == 1 and not found[0].is_own


def guess(path: Path) -> dict[str, Any]:
    """Return the options for the only list of spans of a file; none if there are several or none."""
    found = lists(path)
    return _options(found[0]) if len(found) == 1 else {}


def explain(path: Path) -> str:
    """Return which lists of a file look like spans, and with which options they are read; "" if none does."""
    lines = []
    for keys in lists(path):
        given = " ".join(
            f"--read {name}={str(value).lower() if value is True else value}" for name, value in _options(keys).items()
        )
        lines.append(f'the lists under "{keys.spans}" look like spans, which the format json_spans reads with {given}')
    return "; ".join(lines)


def lists(path: Path) -> list[SpanKeys]:
    """Return the keys of each list of spans in the first records of a file. It never raises."""
    return lists_of_spans(list(islice(beginning(path), LOOKED_AT)))


def _options(keys: SpanKeys) -> dict[str, Any]:
    """Return the options that are not the default."""
    return {
        name: value
        for name, option in OPTIONS.items()
        if (value := getattr(keys, name, option.default)) != option.default
    }


JSON_SPANS = Format("json_spans", "JSON with spans", read, write, HOLDS, OPTIONS, detect, reduce=reduce, guess=guess)
