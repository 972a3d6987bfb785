"""Reader of JSON lines: one record a line, `{"id": ..., "text": ..., "<field>": ...}`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, SourceRecord, lines
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import AnyField, AttributeField, Field, RelationField
from electra_ie.data.readers.parts.attributes import Said, SpanAttributes
from electra_ie.data.readers.parts.divided_spans import DISCONTINUOUS, DividedSpans
from electra_ie.data.readers.parts.gold import Spans, check_label, flags
from electra_ie.data.readers.parts.keys import Keys, is_misspelling
from electra_ie.data.readers.parts.relations import relations_of
from electra_ie.formats import doccano
from electra_ie.formats.annotations import CHOSEN, ORIGINS, choice_of
from electra_ie.formats.parts.annotation_tools import ONE_SUGGESTION, PRODIGY_VIEW, value_of
from electra_ie.formats.parts.json_values import id_of, parse, text_of
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.spans import FRAGMENTS, explain_offsets, fragments_of, is_quotation

OPTIONS = {"text": Option("text"), "id": Option("id"), "unlabeled": Option([]), "discontinuous": DISCONTINUOUS}
"""text, id: keys. unlabeled: values of a field that mean "unknown", as null does. discontinuous: see
`parts.divided_spans`."""

ANSWER = "answer"
ANSWERS = ("accept", "reject", "ignore")
HASHES = ("_input_hash", "_task_hash")
"""Marks of Prodigy: the key with the decision of the annotator, its values, and keys that only its records have."""
LABEL_STUDIO = ('"annotations"', '"annotation_id"', '"annotator"')
"""Keys of the records that Label Studio exports."""
MAX_LINES = 2000
"""Lines that are read again to find out the format of a file that is not JSON lines."""

SHAPES = {
    "classes": "It must be one label, or null if it is unknown.",
    "flags": "It must be a list of labels, [] if none applies, or null if it is unknown.",
    "spans": 'It must be a list of objects {"start": 0, "end": 3, "label": "..."}, or null if it is unknown.',
}


def read(
    path: Path,
    fields: Sequence[AnyField],
    options: Mapping[str, Any],
    on_error: OnError = raise_error,
    stem: str | None = None,
    require_id: bool = False,
) -> Iterator[Document]:
    """Yield the records of a file.

    Args:
        path: the file.
        fields: the fields whose gold is read.
        options: a value for each of `OPTIONS`.
        on_error: called for each invalid record.
        stem: a record without an id gets the id `<stem>-<line>`; by default the stem of the file's name.
        require_id: a record without an id is an error.
    """
    records = Records(str(path), fields, options, stem or path.stem, require_id)
    is_json_lines = False
    for number, line in lines(path, on_error):
        if not line.strip():
            continue
        source = SourceLine(str(path), number)
        try:
            record = parse(line, source)
            is_json_lines = True
            document = records.document(record, source)
        except UserError as error:
            if not is_json_lines:  # the first record: if the file has another format, one error is enough
                refuse_other_json(path, line, fields)
                is_json_lines = True
            on_error(error)
            continue
        yield document
    records.report()


class Records:
    """Validation of the records of one file or of one split in memory, which become documents."""

    def __init__(
        self, name: str, fields: Sequence[AnyField], options: Mapping[str, Any], stem: str, require_id: bool = False
    ) -> None:
        """Prepare the validation of records.

        Args:
            name: The file or split, for messages.
            fields: The fields whose gold is read.
            options: A value for each of `OPTIONS`.
            stem: A record without an id gets the id `<stem>-<line>`.
            require_id: A record without an id is an error.
        """
        self.name, self.fields, self.options, self.stem, self.require_id = name, fields, options, stem, require_id
        self.keys = Keys(name, fields, (options["text"], options["id"]))
        self.divided = DividedSpans(Spans(name), options["discontinuous"])
        # The heads and tails of relations are spans of the record, too, which are counted once.
        self.ends = DividedSpans(Spans(name), options["discontinuous"])
        self.answers, self.single = Counter[str](), 0
        self.unread_attributes, self.unread_relations = 0, 0

    def document(self, record: Mapping[str, Any], source: SourceLine) -> Document:
        """Return the document of a record of JSON values. Raises UserError if the record is invalid."""
        answer = "" if ANSWER in self.keys.known else answer_of(record, source)
        chosen = "" if CHOSEN in self.keys.known else _choice_of(record)
        if self.fields and not isinstance(source, SourceRecord):  # tables have values as they are where no field is
            _check_own_keys(record, source)
        values = {key: value for key, value in ((ANSWER, answer), (CHOSEN, chosen)) if key not in self.keys.known}
        read = [key for key, value in values.items() if value or record.get(key) is None]
        self.keys.check([key for key in record if key not in read], source)
        text = text_of(record, self.options["text"], source)
        id = id_of(record, self.options["id"], source)
        if self.require_id and not id:
            raise source.error(f'the record has no "{self.options["id"]}".', "Name the key of the id with --id.")
        # Rejected and ignored records keep their text, as unlabeled.
        labeled = () if answer in ("reject", "ignore") else self.fields
        if answer and record.get(PRODIGY_VIEW) == ONE_SUGGESTION:  # other spans of the text are unmarked
            self.single += any(record.get(field.column) for field in self.fields if field.kind == "spans")
            labeled = [field for field in labeled if field.kind in ("classes", "flags")]
        gold = self._gold(record, labeled, text, source)
        self.answers[answer] += 1
        origins = origins_of(record, labeled)
        return Document(id or f"{self.stem}-{source.line}", text, gold, *source.position, origins, chosen)

    def _gold(
        self, record: Mapping[str, Any], fields: Sequence[AnyField], text: str, source: SourceLine
    ) -> dict[str, Any]:
        """Return the gold of each of these fields that the record has a value for."""
        self.divided.begin()
        gold: dict[str, Any] = {}
        unknown = [
            field
            for field in fields
            if (field.column in record or not isinstance(field, AttributeField))
            and _is_unknown(record.get(field.column), self.options["unlabeled"])
        ]
        known = [field for field in fields if field not in unknown]
        attributes = SpanAttributes([field for field in known if isinstance(field, AttributeField)])
        for field in known:
            if isinstance(field, Field):
                gold[field.name] = gold_of(record[field.column], field, text, self.divided, source, attributes)
        gold |= attributes.gold(fields, gold)
        self.unread_attributes += attributes.unread
        for field in known:
            if isinstance(field, RelationField):
                read_span = partial(_span_for, text=text, divided=self.ends, source=source)
                gold[field.name], unread = relations_of(record, field, fields, gold, read_span, source)
                self.unread_relations += unread
        self.divided.count()
        return gold

    def report(self) -> None:
        """Warn of corrected spans, keys and attributes that are not read, and rejected records.

        Raises:
            UserError: The offsets of all records seem to count another unit than code points.
        """
        self.divided.spans.report()
        self.divided.report(self.name)
        if self.divided.skipped:
            relations = f" and {self.unread_relations} relations of these" if self.unread_relations else ""
            skipped = f"{self.divided.skipped} spans of several fragments{relations}"
            warn(f"{self.name}: {skipped} are not read (discontinuous: skip).")
        self.keys.report()
        if self.unread_attributes:
            warn(f"{self.name}: {self.unread_attributes} attributes of spans are not read: no field has them.")
        answers = self.answers
        if self.fields and answers["reject"] + answers["ignore"]:
            counted = " and ".join(f"{name} in {answers[name]}" for name in ("reject", "ignore") if answers[name])
            warn(
                f'{self.name}: "{ANSWER}" (of Prodigy) is {counted} of {answers.total()} records: these are unlabeled.'
            )
        if self.single:
            warn(
                f"{self.name}: the spans of {self.single} records are not read: in ner.teach of Prodigy, where other "
                "entities of the text are unmarked."
            )


def refuse_other_json(path: Path, line: str, fields: Sequence[AnyField]) -> None:
    """Raise UserError for a JSON file with a layout other than one object a line. `line`: its first, not blank.

    Lines that cannot be read are left out here, and so is a pipe, which would lose what is read from it.
    """
    if not path.is_file():
        return
    beginning = "".join(text for _, text in islice(lines(path, lambda error: None), MAX_LINES)).lstrip()
    source = SourceLine(str(path), 0)
    if beginning.startswith("[") and beginning[1:].lstrip().startswith(("{", "]")):
        message = "this is a JSON array, not one JSON object a line."
        if fields and any(mark in beginning for mark in LABEL_STUDIO):
            message = "this is a JSON array, as Label Studio exports it, not one JSON object a line."
            raise source.error(message, "Set format: label_studio, or label_studio_min for a JSON-MIN export.")
        raise source.error(message, f"Convert it: electra-ie convert {path.name} lines.jsonl --from jsonl.")
    try:
        end = json.JSONDecoder().raw_decode(beginning)[1]
    except (ValueError, RecursionError):
        return
    if end > len(line.strip()):
        message = "this is a JSON object over several lines, not one JSON object a line."
        raise source.error(message, f"Convert it: jq -c . {path.name} > lines.jsonl.")


def answer_of(record: Mapping[str, Any], source: SourceLine) -> str:
    """Return the annotator's decision on a record of Prodigy, or "" if the record has none."""
    answer = record.get(ANSWER)
    if isinstance(answer, str) and answer.lower() in ANSWERS:
        return answer.lower()
    if ANSWER in record and any(key in record for key in HASHES):
        raise source.error(f'"{ANSWER}" is {json.dumps(answer)[:40]}.', "It must be accept, reject or ignore.")
    return ""


def _is_unknown(value: Any, unlabeled: Sequence[str]) -> bool:
    return value is None or (isinstance(value, str) and value in unlabeled)


def _span_for(value: Any, field: Field, text: str, divided: DividedSpans, source: SourceLine) -> Span | None:
    return span_of(value, field, text, divided, source)


def gold_of(
    value: Any, field: Field, text: str, divided: DividedSpans, source: SourceLine, attributes: SpanAttributes
) -> str | tuple[str | Span, ...]:
    """Return the gold of one field, as in `Document.gold`. attributes: receive what is said of its spans."""
    if field.kind == "classes" and isinstance(value, str):
        return check_label(value, field, source)
    if field.kind == "flags" and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return flags(value, field, source)
    if field.kind == "spans" and isinstance(value, list):
        read = [(span_of(item, field, text, divided, source), item) for item in value]
        found = [(span, item) for span, item in read if span is not None]
        for span, item in found:
            attributes.add(span, _said(item, field, attributes.labels, source), source)
        return divided.spans.gold(span for span, _ in found)
    raise shape_error(value, field, source)


OF_SPANS = ("start", "end", "label", "text", "fragments", "origin", "id", "attributes")
"""Keys of spans themselves, which no field of attributes is a misspelling of: `status` is like `start`."""


def _said(
    item: Mapping[str, Any], field: Field, attributes: Collection[AttributeField], source: SourceLine
) -> Iterator[Said]:
    """Yield the attributes of a span: under the keys of these fields, and those that `convert` has written.

    Raises:
        UserError: A value is no text, or a key looks like a misspelling of a field's.
    """
    entries = [*value_of(item, "attributes", list, source, [])] if attributes else []
    known = (*OF_SPANS, *(of.column for of in attributes))
    for of in attributes:
        if item.get(of.column) is not None:
            entries.append([of.column, item[of.column]])
        elif similar := [key for key in item if key not in known and is_misspelling(key, of.column)]:
            message = f'a span of "{field.column}" has no "{of.column}", but "{similar[0]}".'
            raise source.error(message, f'Rename it, or set from: "{similar[0]}" in the field {of.name}.')
    for entry in entries:
        match entry:
            case [str(name), bool(value)]:
                yield name, str(value).lower()
            case [str(name), None | str() as value]:
                yield name, value
            case _:
                message = f'a span of "{field.column}" has the attribute {json.dumps(entry)[:60]}.'
                raise source.error(message, "It must be one label in quotes, or null if it is unknown.")


def _check_own_keys(record: Mapping[str, Any], source: SourceLine) -> None:
    """Check the keys that the format jsonl of `convert` writes and that labels need: null is the same as no key."""
    value_of(record, "_metadata", dict, source, {})
    origins = value_of(record, "_origins", dict, source, {})
    for name in origins:
        value_of(origins, name, str, source, "")


def origins_of(record: Mapping[str, Any], fields: Sequence[AnyField]) -> Counter[str]:
    """Return the number of spans and answers of these fields by origin, as the format jsonl of `convert` writes it."""
    spans = [span for field in fields if field.kind == "spans" for span in record.get(field.column) or ()]
    found = [span.get("origin") for span in spans if isinstance(span, dict)]
    answers = record.get("_origins")
    if isinstance(answers, dict):
        found += [answers.get(field.column) for field in fields if field.kind != "spans"]
    return Counter(origin for origin in found if origin in ORIGINS[1:])


def _choice_of(record: Mapping[str, Any]) -> str:
    """Return how the text of a record was chosen to be labeled, "" if it does not say so.

    The format jsonl of `convert` writes it among the metadata.
    """
    metadata = record.get("_metadata")
    return choice_of(record) or choice_of(metadata if isinstance(metadata, dict) else {})


def shape_error(value: Any, field: Field, source: SourceLine) -> UserError:
    """Return the error for a value that does not have the shape of the field's kind."""
    return source.error(f'"{field.column}" contains {json.dumps(value)[:60]}.', SHAPES[field.kind])


def span_of(value: Any, field: Field, text: str, divided: DividedSpans, source: SourceLine) -> Span | None:
    """Return one span of a record; None if it is skipped, having several fragments.

    If it has a "text", this must be the text at its offsets: one text, or a list with that of each fragment.
    """
    if isinstance(value, list) and [type(item) for item in value] == [int, int, str]:
        message = f'"{field.column}" contains the span {json.dumps(value)[:60]} as a list, as doccano exports it.'
        expected = json.dumps(dict(zip(("start", "end", "label"), value, strict=True)))
        keys = ", ".join((*doccano.EITHER, *doccano.SPANS))
        of_tool = f" The format doccano reads such lists, under a key of these: {keys}. Set format: doccano."
        in_file = "" if isinstance(source, SourceRecord) else of_tool
        raise source.error(message, f"It must be {expected[:80]}.{in_file}")
    if not isinstance(value, dict):
        raise shape_error(value, field, source)
    check_span(value, field, source)
    check_label(value["label"], field, source)
    if field.fragments and FRAGMENTS not in value:
        _refuse_misspelled(value, field, source)
    pairs, quoted = fragments_of(value, field.column, source), value.get("text")
    if isinstance(quoted, list):
        for (start, end), part in zip(pairs, quoted, strict=True):
            _check_place(text, start, end, part, divided.spans, source)
    elif quoted is None or not is_quotation(text, pairs, quoted):
        _check_place(text, value["start"], value["end"], quoted, divided.spans, source)
    more = f"Without its key {FRAGMENTS}, it is read from start to end, too."
    return next((span for span, _ in divided.read(text, pairs, value["label"], [field], source, more)), None)


def _refuse_misspelled(value: Mapping[str, Any], field: Field, source: SourceLine) -> None:
    """Raise UserError for fragments under a key that looks like theirs; an attribute of a similar name is no list."""
    for key, held in value.items():
        if isinstance(held, list | dict) and is_misspelling(key, FRAGMENTS):
            message = f'a span of "{field.column}" has no "{FRAGMENTS}", but "{key}".'
            raise source.error(message, f'Rename it, or write "{FRAGMENTS}": null if the span is continuous.')


def _check_place(text: str, start: int, end: int, quoted: str | None, spans: Spans, source: SourceLine) -> None:
    """Compare a passage with its quotation, or without one collect evidence for the unit of its offsets."""
    if quoted is None:
        spans.units.add(text, start, end, source)
    elif text[max(start, 0) : max(end, 0)] != quoted:
        message = f"the span {start} to {end} is {text[max(start, 0) : max(end, 0)][:40]!r}, not {quoted[:40]!r}."
        raise source.error(message, explain_offsets(text, start, end, quoted))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def check_span(value: Mapping[str, Any], field: Field, source: SourceLine) -> None:
    """Raise UserError if start, end or label is missing or of another type."""
    if isinstance(value.get(ANSWER), str) and value[ANSWER].lower() in ("reject", "ignore"):
        message = f'a span of "{field.column}" has "{ANSWER}": {json.dumps(value[ANSWER])}.'
        raise source.error(message, "Remove this span, or the whole record if its spans are not complete.")
    for key in ("start", "end", "label"):
        if key not in value:
            message = f'a span of "{field.column}" has no "{key}"; its keys are {", ".join(value) or "none"}.'
            raise source.error(message, "Name them start, end and label; label is one text.")
    for key in ("start", "end"):
        offset = value[key]
        if type(offset) is not int:
            whole = isinstance(offset, float | str) and str(offset).strip().removesuffix(".0")
            unquoted = ", without quotes" if isinstance(offset, str) else ""
            remedy = f"Write {whole}{unquoted}." if whole and whole.isdecimal() else "Give a number of characters."
            message = f'"{key}" of a span of "{field.column}" is {json.dumps(offset)[:40]}, not a whole number.'
            raise source.error(message, remedy)
    for key in ("label", "text"):
        if key == "text" and value.get("fragments") and _are_texts(value.get(key)):
            continue
        if not isinstance(value.get(key, ""), str) and (key == "label" or value[key] is not None):
            message = f'"{key}" of a span of "{field.column}" is {json.dumps(value[key])[:40]}, not a text.'
            raise source.error(message, "Write one text in quotes.")


def record_of(document: Document, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the record of a document, as `read` reads it: each field under its name, null if it is unknown.

    Attributes are in their spans.
    """
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    if document.chosen:
        record[CHOSEN] = document.chosen
    said: dict[Span, dict[str, str]] = {}
    for field in fields:
        for each in document.gold.get(field.name, ()) if isinstance(field, AttributeField) else ():
            said.setdefault(each.span, {})[field.name] = each.label
    for field in fields:
        gold = document.gold.get(field.name)
        if isinstance(field, AttributeField) and not is_unlabeled(document, field, fields):
            continue
        if gold is not None and field.kind == "spans":
            gold = [_span_record(span) | said.get(span, {}) for span in gold]
        elif gold is not None and isinstance(field, RelationField):
            gold = [
                {"head": _span_record(relation.head), "tail": _span_record(relation.tail), "label": relation.label}
                for relation in gold
            ]
        record[field.name] = list(gold) if isinstance(gold, tuple) else gold
    return record


def is_unlabeled(document: Document, field: AttributeField, fields: Sequence[AnyField]) -> bool:
    """Return whether a record has to say that it is unlabeled for a field, since its spans would have the default."""
    known = (each for each in fields if each.kind == "spans" and each.name in document.gold)
    return (
        bool(field.default)
        and field.name not in document.gold
        and any(set(each.labels) & set(field.of) for each in known)
    )


def _span_record(span: Span) -> dict[str, Any]:
    fragments = {"fragments": [list(pair) for pair in span.fragments]} if span.fragments else {}
    return {"start": span.start, "end": span.end, "label": span.label, **fragments}
