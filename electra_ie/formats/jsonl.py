"""JSON lines: one record a line, `{"id": ..., "text": ..., "<field>": ...}`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.document import Document, Span
from electra_ie.errors import UserError, nearest
from electra_ie.formats.files import Place, lines
from electra_ie.formats.gold import Spans, explain, flags, known
from electra_ie.formats.options import Option
from electra_ie.labels import Field

KINDS = ("classes", "flags", "spans")
OPTIONS = {"text": Option("text"), "id": Option("id"), "unlabelled": Option([])}
"""text, id: keys. unlabelled: what stands for "not known" in a field, as null does."""

SHAPES = {
    "classes": "It must be one label, or null where it is not known.",
    "flags": "It must be a list of labels, [] where none holds, or null where it is not known.",
    "spans": 'It must be a list of objects {"start": 0, "end": 3, "label": "..."}, or null where it is not known.',
}


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], stem: str | None = None
) -> Iterator[Document]:
    """The records of a file. A record without an id is called `<stem>-<line>`; the stem is the file's by default."""
    spans = Spans(str(path))
    for number, line in lines(path):
        if not line.strip():
            continue
        place = Place(str(path), number)
        record = parse(line, place)
        text = text_of(record, options["text"], place)
        gold = {}
        for field in fields:
            value = record.get(field.column)
            if value is not None and not (isinstance(value, str) and value in options["unlabelled"]):
                gold[field.name] = gold_of(value, field, text, spans, place)
        id = id_of(record, options["id"], place)
        yield Document(id or f"{stem or path.stem}-{number}", text, gold, str(path), number)
    spans.report()


def parse(line: str, place: Place) -> dict[str, Any]:
    """The object a line holds."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        remedy = "Write one JSON object a line."
        raise place.error(f"this is not JSON: {error.msg} (character {error.pos + 1}).", remedy) from None
    except (ValueError, RecursionError):
        raise place.error("this JSON is nested too deep or holds a number too long.", "Simplify the record.") from None
    if not isinstance(record, dict):
        raise place.error("this line is not a JSON object.", 'Write {"text": "..."} on each line.')
    return record


def text_of(record: Mapping[str, Any], key: str, place: Place) -> str:
    """The text of a record."""
    if key not in record:
        raise place.error(f'the record has no "{key}".', f"{nearest(key, record)} The option text names the key.")
    text = record[key]
    if not isinstance(text, str):
        raise place.error(f'"{key}" is {json.dumps(text)[:40]}, not a text.', "Put the text in quotes.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"character {error.start} of the text is half of a surrogate pair (\\u{ord(text[error.start]):04x})."
        raise place.error(message, "Write the character whole, as UTF-8 or as both halves of the pair.") from None
    return text


def id_of(record: Mapping[str, Any], key: str, place: Place) -> str:
    """The id of a record, empty where it has none."""
    id = record.get(key)
    if id is None:
        return ""
    if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
        raise place.error(f'"{key}" is {json.dumps(id)[:40]}.', "An id must be a text, not empty, or a whole number.")
    return str(id)


def gold_of(value: Any, field: Field, text: str, spans: Spans, place: Place) -> str | tuple[str | Span, ...]:
    """What a record says of one field, as `Document.gold` holds it."""
    if field.kind == "classes" and isinstance(value, str):
        return known(value, field, place)
    if field.kind == "flags" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return flags(value, field, place)
    if field.kind == "spans" and isinstance(value, list):
        return spans.gold(span_of(each, field, text, spans, place) for each in value)
    raise misshapen(value, field, place)


def misshapen(value: Any, field: Field, place: Place) -> UserError:
    """A field's value, or a part of it, that is not of the shape its kind has."""
    return place.error(f'"{field.column}" holds {json.dumps(value)[:60]}.', SHAPES[field.kind])


def span_of(value: Any, field: Field, text: str, spans: Spans, place: Place) -> Span:
    """One span of a record; where it quotes the text, the quotation must agree with the offsets."""
    if not isinstance(value, dict):
        raise misshapen(value, field, place)
    start, end, label, quoted = (value.get(key) for key in ("start", "end", "label", "text"))
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise misshapen(value, field, place)
    if not isinstance(quoted, str | None):
        raise misshapen(value, field, place)
    known(label, field, place)
    if quoted is not None and text[max(start, 0) : max(end, 0)] != quoted:
        message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, and not {quoted[:40]!r}."
        raise place.error(message, explain(text, start, end, quoted))
    if quoted is None:
        spans.units.see(text, start, end, place)
    return spans.span(text, start, end, label, place)


def record_of(document: Document, fields: Sequence[Field]) -> dict[str, Any]:
    """The record of a document, which `read` takes back: each field under its name, null where it is not known."""
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    for field in fields:
        gold = document.gold.get(field.name)
        if gold is not None and field.kind == "spans":
            gold = [{"start": span.start, "end": span.end, "label": span.label} for span in gold]
        record[field.name] = list(gold) if isinstance(gold, tuple) else gold
    return record
