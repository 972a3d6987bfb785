"""What the formats of annotation tools share: checked values, several annotators of one text, and writing of JSON.

Names of roles and a nameless layer, which the tools do not have, are removed here, so that the loss is counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, Offsets, canonical
from electra_ie.formats.features import Feature, Losses, reduced
from electra_ie.formats.parts.json_values import records
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.record_ids import RecordIds
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.parts.text_output import text_output

ROLES = ("Arg1", "Arg2")
"""The roles of a relation in tools that name none: from and to."""
ANNOTATION = Option("error", choices=("error", "first", "last"))
"""Which annotation of a text is read if several people annotated it differently."""
PRODIGY_VIEW, ONE_SUGGESTION = "_view_id", "ner"
"""The key of Prodigy's interface, and that of `ner.teach`: a person decides about one span and cannot mark others."""
BEGINNING = 1 << 18
"""The bytes of a file that show its format."""
_WHITE = re.compile(r"\s+")
_TYPES: dict[type | UnionType, str] = {
    dict: "an object", list: "a list", str: "a text", int: "a whole number", bool: "true or false",
    str | int: "a text or a whole number",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceTask(SourceLine):
    """A record with an id, for error messages: tools export all records in one line, so that the line says little."""

    task: str

    def error(self, message: str, remedy: str = "") -> UserError:
        """Return a UserError at this record, to be raised."""
        return SourceLine.error(self, f"task {self.task}: {message}", remedy)


class ToolFile:
    """A file of a tool while it is read: checks its spans, and counts what is not read.

    Attributes:
        spans: The checks of the offsets.
        spaces: The number of spans whose quoted text has other white space.
        ids: The ids of the records so far.
        left: The number of things that are not read, by what they are.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.spans, self.left = path, SpanReader(str(path)), Counter[str]()
        self.spaces = 0
        self.ids = RecordIds()

    def read(
        self, on_error: OnError, document: Callable[[Mapping[str, Any], SourceLine], AnnotatedDocument]
    ) -> Iterator[AnnotatedDocument]:
        """Yield what `document` returns for each record; its UserErrors go to `on_error`. Then report."""
        for record, source in records(self.path, on_error):
            try:
                yield document(record, source)
            except UserError as error:
                on_error(error)
            except ValueError as error:
                on_error(source.error(f"this record is invalid: {error}.", "Correct it."))
        self.spans.report()
        if self.spaces:
            warn(
                f"{self.path}: the quoted texts of {self.spaces} spans have other white space than the text; accepted."
            )
        for name, number in (+self.left).items():
            warn(f"{self.path}: {number} {name} not read.")

    def check_id(self, id: str, source: SourceLine) -> None:
        """Raise UserError if a record before had the same id."""
        self.ids.add(id, source)

    def offsets(self, text: str, pair: tuple[Any, Any], source: SourceLine, quoted: Any = None) -> tuple[Offsets, ...]:
        """Return the only fragment of a span from its start and end, as the file has them.

        quoted: the text of the span, if the file states it. It may differ from the text in runs of white space, which
        Label Studio shortens; such spans are counted.
        """
        if [type(offset) for offset in pair] != [int, int]:
            message = f"a span has start {json.dumps(pair[0])[:40]} and end {json.dumps(pair[1])[:40]}."
            raise source.error(message, "They must be whole numbers.")
        own = text[max(pair[0], 0) : max(pair[1], 0)]
        quoted = quoted if isinstance(quoted, str) else None
        if quoted is not None and own != quoted and _WHITE.sub(" ", own) == _WHITE.sub(" ", quoted):
            self.spaces, quoted = self.spaces + 1, own
        return (self.spans.offsets(text, *pair, source, quoted),)

    def score(self, value: Any) -> float | None:
        """Return a score if it is a probability; others are counted."""
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        if value is not None:
            self.left["scores that are no probabilities are"] += 1
        return None


def value_of(record: Any, key: str, kind: type | UnionType, source: SourceLine, default: Any = None) -> Any:
    """Return a value of a record, or `default` if it is missing or null. Raises UserError if it is no `kind`."""
    if not isinstance(record, dict):
        raise source.error(f"{json.dumps(record)[:60]} is not an object.", "Correct it, or export the file again.")
    value = record.get(key)
    if value is None:
        if default is None:
            message = f'there is no "{key}" in {json.dumps(record)[:60]}.'
            raise source.error(message, "Add it, or export the file again.")
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise source.error(
            f'"{key}" is {json.dumps(value)[:60]}.', f"It must be {_TYPES.get(kind, 'an object or a list')}."
        )
    return value


def texts_of(record: Any, key: str, source: SourceLine) -> tuple[str, ...]:
    """Return a list of texts; one text counts as a list, and a missing one as empty."""
    value = record.get(key)
    value = [value] if isinstance(value, str) else value or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise source.error(f'"{key}" is {json.dumps(value)[:60]}.', "It must be a list of texts.")
    return tuple(value)


def choices_of(value: Mapping[str, Any], source: SourceLine) -> tuple[str, ...]:
    """Return the choices of an answer in Label Studio, a path of nested ones joined by slashes."""
    stated = value.get("choices")
    choices = [stated] if isinstance(stated, str) else stated or []
    if not isinstance(choices, list):
        return texts_of(value, "choices", source)  # raises
    paths = [" / ".join(item) if _is_path(item) else item for item in choices]
    return texts_of({"choices": paths}, "choices", source)


def _is_path(choice: Any) -> bool:
    return isinstance(choice, list) and bool(choice) and all(isinstance(step, str) for step in choice)


def chosen(
    candidates: Sequence[AnnotatedDocument], which: str, names: Iterable[object], source: SourceLine
) -> AnnotatedDocument:
    """Return the annotation of one text that the option `annotation` says, by default any if all are equal.

    Raises:
        UserError: they differ, and the option is `error`.
    """
    held = set(Feature) - {Feature.METADATA, Feature.SCORES, Feature.ORIGINS}
    first, *others = (canonical(reduced(document, held)[0]) for document in candidates)
    if which == "error" and any(other != first for other in others):
        shown = ", ".join(str(name) for name in names)
        remedy = "Decide in the tool, or set the option annotation to first or last."
        raise source.error(f"{len(candidates)} annotations of one text differ (of {shown}).", remedy)
    return candidates[-1 if which == "last" else 0]


def without_roles(document: AnnotatedDocument) -> tuple[AnnotatedDocument, Losses]:
    """Return a document whose relations have the roles `ROLES`, and the number of those that had others."""
    relations = tuple(
        replace(item, arguments=tuple(zip(ROLES, (target for _, target in item.arguments), strict=True)))
        for item in document.relations
    )
    changed = sum(old != new for old, new in zip(document.relations, relations, strict=True))
    return replace(document, relations=relations), _losses("roles of relations", changed)


def nameless_layer(document: AnnotatedDocument, name: str) -> tuple[AnnotatedDocument, Losses]:
    """Return a document whose layer `name` has no name: the tool has no nameless layer, and calls it so."""
    if name not in (document.layers or ()):
        return document, Losses()
    layers = tuple(dict.fromkeys("" if layer == name else layer for layer in document.layers or ()))
    spans = tuple(replace(span, layer="") if span.layer == name else span for span in document.spans)
    return replace(document, layers=layers, spans=spans), _losses(Feature.LAYERS.value, 1)


def _losses(name: str, number: int) -> Losses:
    return Losses({name: number} if number else {})


def lowest_score(document: AnnotatedDocument) -> float | None:
    """Return the lowest score of the annotations and labels of a document, or None without any."""
    scores = [item.score for item in document.annotations if item.score is not None]
    return min([*scores, *(score for values in document.label_scores.values() for score in values)], default=None)


def add_values(
    record: Mapping[str, Any], values: Mapping[str, Any], id: str, path: Path, reserved: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a record of the document `id` with further values.

    Raises:
        UserError: a value has a key of the record, or one that is reserved: it would be read as something else.
    """
    if taken := sorted({*record, *reserved} & set(values)):
        message = f'the name "{taken[0]}" of a layer, question or value of "{id}" has another meaning in this format.'
        raise UserError(message, file=path, remedy="Rename it before.")
    return {**record, **values}


def number_or_text(id: str) -> int | str:
    """Return an id as the whole number that it is, or as it is."""
    return int(id) if id.isdecimal() and str(int(id)) == id else id


def write_array(path: Path, items: Iterable[Mapping[str, Any]]) -> None:
    """Write objects as a JSON array, each in its own line, so that errors name lines."""
    _write(path, "[\n", items, ",\n", "\n]\n")


def write_lines(path: Path, items: Iterable[Mapping[str, Any]]) -> None:
    """Write objects as JSON lines."""
    _write(path, "", items, "\n", "\n")


def _write(path: Path, opening: str, items: Iterable[Mapping[str, Any]], separator: str, closing: str) -> None:
    with text_output(path) as file:
        file.write(opening)
        for number, item in enumerate(items):
            file.write((separator if number else "") + json.dumps(item, ensure_ascii=False))
        file.write(closing)


def first_record(path: Path) -> dict[str, Any]:
    """Return the first object of a file of JSON lines or of a JSON array, {} if it is none. Never raises."""
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        value, _ = json.JSONDecoder().raw_decode(beginning.removeprefix("[").lstrip())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
