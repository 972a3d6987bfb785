"""Parquet: a document a row, of typed columns. Labels are the names of `datasets.ClassLabel` or lists of texts.

Spans, relations and other annotations are lists of structs (see `parquet_annotations`).
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.files import atomic_path
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, SourceRecord, reading
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parquet_annotations import ONE_LAYER, annotated, columns, is_own, layer_of, names_of
from electra_ie.formats.parts.annotation_tools import nameless_layer
from electra_ie.formats.parts.delimited import check_columns, compose, text_columns
from electra_ie.formats.parts.record_ids import RecordIds
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.tables import (
    COLUMNS,
    NOT_NAMED,
    check_label_columns,
    check_options,
    columns_of,
    id_column,
)

HUGGING_FACE = b"huggingface"
"""The key of a file's metadata in which `datasets` stores features as JSON."""
MARK = b"PAR1"
SCALARS = (bool, int, float, str)
ARGILLA = (".responses", ".status"), (".suggestion", ".agent")
"""The ends of the names of columns that Argilla's `to_datasets` writes, `X.responses` beside `X.responses.status`."""
UNKNOWN = -1
"""The number of a ClassLabel that is unknown."""


@dataclass(frozen=True)
class _Labels:
    """A column of labels: the names of its numbers, if it has any, and whether a cell is a list."""

    names: Sequence[str] | None
    several: bool

    def answer(self, value: Any, name: str, source: SourceLine) -> tuple[str, ...] | None:
        """Return the labels of a cell, None if they are unknown. Raises UserError for a value that is no label."""
        if value is None or value == UNKNOWN:
            return None
        return tuple(dict.fromkeys(self._label(item, name, source) for item in (value if self.several else [value])))

    def _label(self, item: Any, name: str, source: SourceLine) -> str:
        if self.names is None and isinstance(item, str) and item:
            return item
        if self.names is not None and isinstance(item, int) and 0 <= item < len(self.names):
            return self.names[item]
        expected = "a text that is not empty" if self.names is None else f"a number from 0 to {len(self.names) - 1}"
        raise source.error(f'"{name}" contains the label {item!r}.', f"It must be {expected}.")


def column_names(path: Path, options: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns."""
    from pyarrow import parquet

    with reading(path), _translated(path), path.open("rb") as file:
        return list(parquet.read_schema(file).names)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Translate the errors of the library into one line."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, not of the library
            raise
        message = f"this is not a Parquet file, or it is damaged ({type(error).__name__})."
        raise SourceLine(str(path), 0).error(message, "Write it again.") from None


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file, some rows at a time."""
    from pyarrow import parquet

    source = SourceLine(str(path), 0)
    with reading(path), _translated(path), path.open("rb") as file, parquet.ParquetFile(file) as table:
        schema = table.schema_arrow
        records = _Records(schema, options, source)
        number = 0
        for batch in table.iter_batches():
            for row in batch.to_pylist():
                number += 1
                try:
                    document = records.document(row, SourceRecord(str(path), number))
                except UserError as error:
                    on_error(error)
                    continue
                yield document
        records.spans.report()


class _Records:
    """Makes documents of the rows of one file."""

    def __init__(self, schema: Any, options: Mapping[str, Any], source: SourceLine) -> None:
        _refuse_argilla(schema.names, source)
        check_options(options, source)
        check_columns(schema.names, options, source)
        check_label_columns(schema.names, options, source)
        self.options, self.ids, self.spans = options, RecordIds(), SpanReader(source.file)
        self.texts = text_columns(options)
        read = {*self.texts, id_column(options)}
        features = _features(schema)
        class_labels = _class_labels(features)
        candidates = [field for field in schema if field.name not in {*read, *options["labels"]}]
        self.layers = {field.name: layer for field in candidates if (layer := layer_of(field, features))}
        self.own = [field.name for field in candidates if is_own(field)]
        read |= {*self.layers, *self.own}
        found = {field.name: _labels(field, class_labels) for field in schema if field.name not in read}
        for name in options["labels"]:
            if found[name] is None:
                message = f'the column "{name}" is of the type {schema.field(name).type}, which has no names of labels.'
                raise source.error(message, "Labels are texts, lists of texts, or numbers of a ClassLabel feature.")
        self.labels = {
            name: kind
            for name, kind in found.items()
            if kind and (name in options["labels"] if options["labels"] else kind.several or kind.names is not None)
        }
        others = [field for field in schema if field.name not in read | set(self.labels)]
        unread = [field.name for field in others if "binary" in str(field.type)]
        if unread:
            warn(f"{source}: the columns of bytes {', '.join(unread)} are not read.")
        self.json = {field.name for field in others if "arrow.json" in str(field.type)}
        self.others = {
            field.name: _Labels(class_labels.get(field.name), several=False) for field in others
            if field.name not in unread
        }  # fmt: skip

    def document(self, row: Mapping[str, Any], source: SourceLine) -> AnnotatedDocument:
        """Return the document of a row."""
        for name in self.texts:
            if not isinstance(row[name], str):
                raise source.error(f'"{name}" is {row[name]!r}, not a text.', "Give the record a text, or remove it.")
        text = row[self.texts[0]] if isinstance(self.options["text"], str) else compose(row, self.texts)
        id = _id(row.get(id_column(self.options)), source)
        answers = {name: labels.answer(row[name], name, source) for name, labels in self.labels.items()}
        self.ids.add(id, source)
        file, line = source.position
        held = {name: value for name, value in row.items() if name in self.layers or name in self.own}
        annotation = annotated(held, self.layers, text, self.spans, source)
        try:
            return AnnotatedDocument(
                id, text, labels={name: answer for name, answer in answers.items() if answer is not None},
                metadata=dict(self._others(row)), file=file, line=line, **annotation,
            )  # fmt: skip
        except ValueError as error:
            raise source.error(f"the annotation is invalid: {error}.", "Correct it.") from None

    def _others(self, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the other values that are not null."""
        for name in self.others:
            value = row[name]
            if value is not None:
                yield name, json.loads(value) if name in self.json else _json_value(value)


def _refuse_argilla(names: Sequence[str], source: SourceLine) -> None:
    """Raise UserError if Argilla's `to_datasets` has written these columns.

    Suggestions would be read as labels, and answers without their status as other values.
    """
    found = [f'"{name}"' for name in names for end, more in ARGILLA if name.endswith(end) and name + more in names]
    if found:
        raise source.error(
            f"the columns {', '.join(found)} are answers and suggestions of Argilla, which are no labels here.",
            "Export the records with records.to_json, and read that file as argilla.",
        )


def _id(value: Any, source: SourceLine) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise source.error(f"the id is {value!r}.", "An id must be a text or a whole number.")
    return str(value)


def _features(schema: Any) -> dict[str, Any]:
    """Return the features of columns as `datasets` stores them."""
    stored = (schema.metadata or {}).get(HUGGING_FACE)
    try:
        features = json.loads(stored)["info"]["features"] if stored else {}
    except (ValueError, KeyError, TypeError):
        return {}  # not features of `datasets`
    return features if isinstance(features, dict) else {}


def _class_labels(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the ClassLabel features of columns, also of those in lists."""
    try:
        found = {}
        for name, feature in features.items():
            inner = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
            if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
                found[name] = list(inner["names"])
        return found
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}  # not features of `datasets`


def _labels(field: Any, class_labels: Mapping[str, list[str]]) -> _Labels | None:
    """Return how a column holds labels; None if it cannot."""
    from pyarrow import types

    several = types.is_list(field.type) or types.is_large_list(field.type)
    inner = field.type.value_type if several else field.type
    if types.is_dictionary(inner):
        inner = inner.value_type
    if types.is_string(inner) or types.is_large_string(inner):
        return _Labels(None, several)
    if types.is_integer(inner) and field.name in class_labels:
        return _Labels(class_labels[field.name], several)
    return None


def _json_value(value: Any) -> Any:
    """Return a value with the types of JSON: dates in ISO 8601, decimal numbers and infinite ones as texts."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, decimal.Decimal | datetime.timedelta) else value


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Return a document in which labels of other columns than those of the option labels, if it is set, are values."""
    document, losses = nameless_layer(document, ONE_LAYER)
    if not options["labels"]:
        return document, losses
    labels, metadata = {}, dict(document.metadata)
    for name, answer in document.labels.items():
        if name in options["labels"]:
            labels[name] = answer
        else:
            metadata.setdefault(name, list(answer))
    scores = {name: value for name, value in document.label_scores.items() if name in labels}
    origins = {name: value for name, value in document.label_origins.items() if name in labels}
    counts = {
        NOT_NAMED: len(document.labels) - len(labels),
        Feature.SCORES.value: sum(map(len, document.label_scores.values())) - sum(map(len, scores.values())),
        Feature.ORIGINS.value: len(document.label_origins) - len(origins),
    }
    document = replace(document, labels=labels, metadata=metadata, label_scores=scores, label_origins=origins)
    return document, losses + Losses(counts)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as a file. A question with one label in every document that has it has a ClassLabel feature."""
    import pyarrow
    from pyarrow import parquet

    questions = list(options["labels"] or dict.fromkeys(name for document in documents for name in document.labels))
    taken = columns_of(documents, {**options, "labels": questions}, path)
    if clash := next((name for name in names_of(documents) if name in taken), None):
        message = f'two columns would have the name "{clash}", one of them for annotations.'
        raise UserError(message, file=path, remedy="Rename the layer, question or value.")
    texts = pyarrow.string()
    arrays = {
        id_column(options): pyarrow.array([document.id or None for document in documents], texts),
        options["text"]: pyarrow.array([document.text for document in documents], texts),
    }
    features: dict[str, Any] = {}
    for name in questions:
        answers = [document.labels.get(name) for document in documents]
        if all(answer is None or len(answer) == 1 for answer in answers) and any(answers):
            names = sorted({answer[0] for answer in answers if answer})
            features[name] = {"names": names, "_type": "ClassLabel"}
            numbers = [names.index(answer[0]) if answer else None for answer in answers]
            arrays[name] = pyarrow.array(numbers, pyarrow.int64())
        else:
            arrays[name] = pyarrow.array(answers, pyarrow.list_(texts))
    for name in dict.fromkeys(name for document in documents for name in document.metadata):
        arrays[name] = _values([document.metadata.get(name, ...) for document in documents])
    for name, array, feature in columns(documents):
        arrays[name] = array
        features |= {name: feature} if feature else {}
    stored = {HUGGING_FACE: json.dumps({"info": {"features": features}})} if features else None
    with atomic_path(path) as partial:
        parquet.write_table(pyarrow.table(arrays).replace_schema_metadata(stored), partial)


def _values(values: Sequence[Any]) -> Any:
    """Return the column of other values: of their type if it is one for all, else of JSON. `...` is no value."""
    import pyarrow

    types = {type(value) for value in values if value is not ...}
    if len(types) == 1 and types <= set(SCALARS) and _fit(values):
        return pyarrow.array([None if value is ... else value for value in values])
    texts = [None if value is ... else json.dumps(value, ensure_ascii=False) for value in values]
    return pyarrow.ExtensionArray.from_storage(pyarrow.json_(), pyarrow.array(texts, pyarrow.string()))


def _fit(values: Iterable[Any]) -> bool:
    """Return whether the whole numbers among values have 64 bits."""
    return all(-(2**63) <= value < 2**63 for value in values if type(value) is int)


def detect(path: Path) -> bool:
    """Return whether a file begins as Parquet."""
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


PARQUET = Format(
    "parquet",
    "Parquet",
    read,
    write,
    frozenset(Feature),
    COLUMNS,
    detect,
    reduce=reduce,
    endings=(".parquet",),
    columns=column_names,
)
