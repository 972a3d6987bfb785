"""JSON lines: one record a line, `{"id": ..., "text": ..., "<field>": ...}`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import Fault, UserError, nearest, stop, warn
from electra_ie.common.text_files import Place, lines
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, explain, flags, known
from electra_ie.data.readers.keys import Keys
from electra_ie.data.readers.options import Option

KINDS = ("classes", "flags", "spans")
OPTIONS = {"text": Option("text"), "id": Option("id"), "unlabelled": Option([])}
"""text, id: keys. unlabelled: what stands for "not known" in a field, as null does."""

ANSWER = "answer"
ANSWERS = ("accept", "reject", "ignore")
HASHES = ("_input_hash", "_task_hash")
"""How Prodigy marks its records: what the annotator says of one, and the keys that only its records have."""
LABEL_STUDIO = ('"annotations"', '"annotation_id"', '"annotator"')
"""Keys of the records that Label Studio exports."""
BEGINNING = 2000
"""Lines that are read again to say what a file is that is no JSON lines."""

SHAPES = {
    "classes": "It must be one label, or null where it is not known.",
    "flags": "It must be a list of labels, [] where none holds, or null where it is not known.",
    "spans": 'It must be a list of objects {"start": 0, "end": 3, "label": "..."}, or null where it is not known.',
}


def read(
    path: Path,
    fields: Sequence[Field],
    options: Mapping[str, Any],
    fault: Fault = stop,
    stem: str | None = None,
    with_id: bool = False,
) -> Iterator[Document]:
    """The records of a file. A record without an id is called `<stem>-<line>`; the stem is the file's by default.

    with_id: a record without an id is a fault.
    """
    spans, keys = Spans(str(path)), Keys(str(path), fields, (options["text"], options["id"]))
    answers = Counter[str]()
    begun = False
    for number, line in lines(path, fault):
        if not line.strip():
            continue
        place = Place(str(path), number)
        try:
            record = parse(line, place)
            begun = True
            answer = "" if ANSWER in keys.known else answer_of(record, place)
            keys.check([key for key in record if key != ANSWER or not answer], place)
            text = text_of(record, options["text"], place)
            id = id_of(record, options["id"], place)
            if with_id and not id:
                raise place.error(f'the record has no "{options["id"]}".', "See --id.")
            known = () if answer in ("reject", "ignore") else fields
            gold = golds(record, known, options, text, spans, place)
        except UserError as error:
            if not begun:
                refuse_other_json(path, line, fields)
                begun = True
            fault(error)
            continue
        answers[answer] += 1
        yield Document(id or f"{stem or path.stem}-{number}", text, gold, str(path), number)
    spans.report()
    keys.report()
    if fields and answers["reject"] + answers["ignore"]:
        counted = " and ".join(f"{name} in {answers[name]}" for name in ("reject", "ignore") if answers[name])
        warn(f'{path}: "{ANSWER}" (of Prodigy) is {counted} of {answers.total()} records: these are unlabelled.')


def refuse_other_json(path: Path, line: str, fields: Sequence[Field]) -> None:
    """Raises UserError for a file that is JSON, but not one object a line. `line` is its first line with text."""
    beginning = "".join(each for _, each in islice(lines(path), BEGINNING)).lstrip()
    place = Place(str(path), 0)
    if beginning.startswith("[") and beginning[1:].lstrip().startswith(("{", "]")):
        message = "this is a JSON array, and not one JSON object a line."
        if fields and any(mark in beginning for mark in LABEL_STUDIO):
            message = "this is a JSON array, as Label Studio exports it, and not one JSON object a line."
            raise place.error(message, "Export CONLL2003 from Label Studio, and set format: conll.")
        raise place.error(message, f"Convert it: jq -c '.[]' {path.name} > lines.jsonl.")
    try:
        end = json.JSONDecoder().raw_decode(beginning)[1]
    except (ValueError, RecursionError):
        return
    if end > len(line.strip()):
        message = "this is a JSON object over several lines, and not one JSON object a line."
        raise place.error(message, f"Convert it: jq -c . {path.name} > lines.jsonl.")


def answer_of(record: Mapping[str, Any], place: Place) -> str:
    """What the annotator says of a record in Prodigy, empty where the record says nothing of the kind."""
    answer = record.get(ANSWER)
    if isinstance(answer, str) and answer.lower() in ANSWERS:
        return answer.lower()
    if ANSWER in record and any(key in record for key in HASHES):
        raise place.error(f'"{ANSWER}" is {json.dumps(answer)[:40]}.', "It must be accept, reject or ignore.")
    return ""


def golds(
    record: Mapping[str, Any],
    fields: Sequence[Field],
    options: Mapping[str, Any],
    text: str,
    spans: Spans,
    place: Place,
) -> dict[str, Any]:
    """What a record says of each field that is known of it."""
    gold = {}
    for field in fields:
        value = record.get(field.column)
        if value is not None and not (isinstance(value, str) and value in options["unlabelled"]):
            gold[field.name] = gold_of(value, field, text, spans, place)
    return gold


def parse(line: str, place: Place) -> dict[str, Any]:
    """The object a line holds. Raises UserError for a key given twice and for NaN, which JSON does not have."""
    pairs, constant = partial(distinct, place=place), partial(refuse_constant, place=place)
    try:
        record = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        remedy = "Write one JSON object a line."
        raise place.error(f"this is not JSON: {error.msg} (character {error.pos + 1}).", remedy) from None
    except (ValueError, RecursionError):
        raise place.error("this JSON is nested too deep or holds a number too long.", "Simplify the record.") from None
    if not isinstance(record, dict):
        raise place.error("this line is not a JSON object.", 'Write {"text": "..."} on each line.')
    return record


def distinct(pairs: Sequence[tuple[str, Any]], place: Place) -> dict[str, Any]:
    """The object of these keys and values. Raises UserError for a key given twice: one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, number in Counter(key for key, _ in pairs).items() if number > 1)
        raise place.error(f'the key "{twice}" is given twice in one object.', "Keep one of them.")
    return found


def refuse_constant(name: str, place: Place) -> None:
    """Raises UserError for NaN, Infinity and -Infinity."""
    raise place.error(f"this is not JSON: it holds {name}.", "Write null where a value is not known.")


def text_of(record: Mapping[str, Any], key: str, place: Place) -> str:
    """The text of a record."""
    if key not in record:
        remedy = f"{nearest(key, record)} The option text names the key, for extract --text."
        raise place.error(f'the record has no "{key}".', remedy)
    text = record[key]
    if not isinstance(text, str):
        remedy = "Put the text in quotes." if text is not None else "Give the record a text, or leave it out."
        raise place.error(f'"{key}" is {json.dumps(text)[:40]}, not a text.', remedy)
    refuse_half(text, "text", place)
    return text


def refuse_half(text: str, name: str, place: Place) -> None:
    """Raises UserError for half of a surrogate pair, which JSON can escape and no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        character = f"\\u{ord(text[error.start]):04x}"
        message = f"character {error.start} of the {name} is half of a surrogate pair ({character})."
        raise place.error(message, "Write the character whole, as UTF-8 or as both halves of the pair.") from None


def id_of(record: Mapping[str, Any], key: str, place: Place) -> str:
    """The id of a record, empty where it has none."""
    id = record.get(key)
    if id is None:
        return ""
    if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
        raise place.error(f'"{key}" is {json.dumps(id)[:40]}.', "An id must be a text, not empty, or a whole number.")
    refuse_half(str(id), "id", place)
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
    if isinstance(value, list) and [type(each) for each in value] == [int, int, str]:
        convert = f"jq -c '.[\"{field.column}\"] |= map({{start: .[0], end: .[1], label: .[2]}})'"
        message = f'"{field.column}" holds the span {json.dumps(value)[:60]} as a list, as doccano exports it.'
        wanted = json.dumps(dict(zip(("start", "end", "label"), value, strict=True)))
        raise place.error(message, f"It must be {wanted[:80]}. Convert the file: {convert}.")
    if not isinstance(value, dict):
        raise misshapen(value, field, place)
    check_span(value, field, place)
    start, end, label, quoted = value["start"], value["end"], value["label"], value.get("text")
    known(label, field, place)
    if quoted is not None and text[max(start, 0) : max(end, 0)] != quoted:
        message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, and not {quoted[:40]!r}."
        raise place.error(message, explain(text, start, end, quoted))
    if quoted is None:
        spans.units.see(text, start, end, place)
    return spans.span(text, start, end, label, place)


def check_span(value: Mapping[str, Any], field: Field, place: Place) -> None:
    """Raises UserError for a span without start, end and label, or where one is not of its type."""
    if isinstance(value.get(ANSWER), str) and value[ANSWER].lower() in ("reject", "ignore"):
        message = f'a span of "{field.column}" has "{ANSWER}": {json.dumps(value[ANSWER])}.'
        raise place.error(message, "Leave this span out, or the whole record if its spans are not complete.")
    for key in ("start", "end", "label"):
        if key not in value:
            message = f'a span of "{field.column}" has no "{key}"; its keys are {", ".join(value) or "none"}.'
            raise place.error(message, "Call them start, end and label, which is one text.")
    for key in ("start", "end"):
        offset = value[key]
        if type(offset) is not int:
            whole = isinstance(offset, float | str) and str(offset).strip().removesuffix(".0")
            bare = ", without quotes" if isinstance(offset, str) else ""
            remedy = f"Write {whole}{bare}." if whole and whole.isdecimal() else "Give a number of characters."
            message = f'"{key}" of a span of "{field.column}" is {json.dumps(offset)[:40]}, not a whole number.'
            raise place.error(message, remedy)
    for key in ("label", "text"):
        if not isinstance(value.get(key, ""), str) and (key == "label" or value[key] is not None):
            message = f'"{key}" of a span of "{field.column}" is {json.dumps(value[key])[:40]}, not a text.'
            raise place.error(message, "Write one text in quotes.")


def record_of(document: Document, fields: Sequence[Field]) -> dict[str, Any]:
    """The record of a document, which `read` takes back: each field under its name, null where it is not known."""
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    for field in fields:
        gold = document.gold.get(field.name)
        if gold is not None and field.kind == "spans":
            gold = [{"start": span.start, "end": span.end, "label": span.label} for span in gold]
        record[field.name] = list(gold) if isinstance(gold, tuple) else gold
    return record
