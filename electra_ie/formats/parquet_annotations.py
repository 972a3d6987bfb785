"""Annotations as columns of Parquet: lists of structs, as `datasets` stores them.

A layer of spans is a column of its name, `list<struct<start, end, label, ...>>`, whose label is a text or the number of
a ClassLabel; null means that the text was not annotated with the layer. The struct of lists, which `Sequence` of
`datasets` makes of the same values, is read too. What belongs to other things than a layer has the columns of `OWN`. A
struct has the fields that one of its annotations needs, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    Attribute,
    Event,
    Reference,
    Relation,
)
from electra_ie.formats.parts.spans import SpanReader, fragments_of

ONE_LAYER = "spans"
"""The column of spans without a layer."""
PLACE = {"start", "end", "label"}
OWN = {
    "_relations": {"label", "arguments"},
    "_events": {"label", "trigger"},
    "_relation_layers": set[str](),
    "_answers": {"question"},
    "_notes": set[str](),
    "_predicted": set[str](),
}
"""The columns of what is in no layer, with the fields by which they are known. `_answers` has scores and origins of the
labels of questions."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Layer:
    """A column of spans: its layer, its labels by number if it has ClassLabels, and whether it is a struct of lists."""

    name: str
    labels: Sequence[str] | None
    of_lists: bool

    def items(self, value: Any, source: SourceLine) -> list[Row]:
        """Return the spans of a cell. Raises UserError if the lists of a struct are not of one length."""
        if not self.of_lists:
            return list(value)
        columns = {key: items for key, items in value.items() if items is not None}
        if len(set(map(len, columns.values()))) > 1:
            raise source.error(f'the lists of "{self.name}" have different lengths.', "Each span needs all values.")
        return [dict(zip(columns, items, strict=True)) for items in zip(*columns.values(), strict=True)]

    def label(self, value: Any, source: SourceLine) -> str:
        """Return a label. Raises UserError for a value that is none."""
        if self.labels is None and isinstance(value, str):
            return value
        if self.labels is not None and isinstance(value, int) and 0 <= value < len(self.labels):
            return self.labels[value]
        expected = "a text" if self.labels is None else f"a number from 0 to {len(self.labels) - 1}"
        raise source.error(f'"{self.name or ONE_LAYER}" contains the label {value!r}.', f"It must be {expected}.")


def fields_of(type_: Any) -> set[str]:
    """Return the names of the fields of a list of structs, or of a struct of lists; none for another type."""
    from pyarrow import types

    is_list = types.is_list(type_) or types.is_large_list(type_)
    struct = type_.value_type if is_list else type_
    if not types.is_struct(struct):
        return set()
    fields = list(struct)
    if not is_list and not all(types.is_list(field.type) or types.is_large_list(field.type) for field in fields):
        return set()
    return {field.name for field in fields}


def layer_of(field: Any, features: Mapping[str, Any]) -> Layer | None:
    """Return the layer of a column; None if it has no spans. features: those that `datasets` has stored."""
    from pyarrow import types

    if not fields_of(field.type) >= PLACE:
        return None
    of_lists = types.is_struct(field.type)
    feature = features.get(field.name)
    inner = feature[0] if isinstance(feature, list) else (feature or {}).get("feature", feature)
    label = inner.get("label") if isinstance(inner, dict) else None
    label = label.get("feature", label) if isinstance(label, dict) else None
    names = label.get("names") if isinstance(label, dict) and label.get("_type") == "ClassLabel" else None
    return Layer("" if field.name == ONE_LAYER else field.name, names, of_lists)


def is_own(field: Any) -> bool:
    """Return whether a column is one of `OWN`, by its name and type."""
    from pyarrow import types

    if field.name == "_predicted":
        return bool(types.is_boolean(field.type))
    if field.name in ("_notes", "_relation_layers"):
        return bool(types.is_list(field.type) and types.is_string(field.type.value_type))
    return field.name in OWN and fields_of(field.type) >= OWN[field.name]


# Reading


def annotated(
    row: Row, layers: Mapping[str, Layer], text: str, spans: SpanReader, source: SourceLine
) -> dict[str, Any]:
    """Return the arguments of an `AnnotatedDocument` that the columns of annotations of a row hold.

    Raises:
        UserError: a span has invalid offsets, or a value is not of its kind.
    """
    held = {layer.name: layer.items(row[name], source) for name, layer in layers.items() if row[name] is not None}
    by_name = {layer.name: layer for layer in layers.values()}
    try:
        found = [
            _span(item, by_name[name], number, text, spans, source)
            for name, items in held.items()
            for number, item in enumerate(items, start=1)
        ]
        answers = {item["question"]: item for item in row.get("_answers") or ()}
        return {
            "spans": tuple(found),
            "relations": tuple(
                Relation(**_common(item, f"relation {number}"), arguments=_arguments(item),
                         symmetric=bool(item.get("symmetric")), layer=item.get("layer") or "")
                for number, item in enumerate(row.get("_relations") or (), start=1)
            ),
            "events": tuple(
                Event(**_common(item, f"event {number}"), trigger=item["trigger"], arguments=_arguments(item))
                for number, item in enumerate(row.get("_events") or (), start=1)
            ),
            "label_scores": {name: tuple(item["scores"]) for name, item in answers.items() if item.get("scores")},
            "label_origins": {name: item["origin"] for name, item in answers.items() if item.get("origin")},
            "layers": tuple(held) or None,
            "relation_layers": ("",) if row.get("_relation_layers") is None else tuple(row["_relation_layers"]),
            "notes": tuple(row.get("_notes") or ()),
            "predicted": bool(row.get("_predicted")),
        }  # fmt: skip
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise source.error(f"the annotation is invalid: {error}.", "Correct it.") from None


def _span(item: Any, layer: Layer, number: int, text: str, spans: SpanReader, source: SourceLine) -> AnnotatedSpan:
    name = layer.name or ONE_LAYER
    pairs, quoted = fragments_of(item, name, source), item.get("text")
    if any(type(offset) is not int for pair in pairs for offset in pair):
        raise source.error(f'"{name}" contains the offsets {pairs[0]}.', "start and end must be whole numbers.")
    fragments = spans.located(text, pairs, quoted if isinstance(quoted, str | list) else None, source)
    label = layer.label(item["label"], source)
    common = _common({**item, "label": label}, f"{name} {number}")
    return AnnotatedSpan(**common, fragments=fragments, layer=layer.name)


def _common(item: Row, id: str) -> dict[str, Any]:
    return {
        "id": id if item.get("id") is None else str(item["id"]),
        "label": item["label"],
        "attributes": tuple(Attribute(entry["name"], entry["value"]) for entry in item.get("attributes") or ()),
        "references": tuple(
            Reference(entry["resource"], entry["id"], entry["name"]) for entry in item.get("references") or ()
        ),
        "notes": tuple(item.get("notes") or ()),
        "score": item.get("score"),
        "origin": item.get("origin") or "",
    }


def _arguments(item: Row) -> tuple[tuple[str, str], ...]:
    return tuple((entry["role"], entry["target"]) for entry in item.get("arguments") or ())


# Writing


def columns(documents: Sequence[AnnotatedDocument]) -> Iterator[tuple[str, Any, dict[str, Any] | None]]:
    """Yield name and array of each column of annotations, and its feature of `datasets` if it has a ClassLabel."""
    import pyarrow

    texts, numbers = pyarrow.string(), pyarrow.int64()
    for layer in dict.fromkeys(layer for document in documents for layer in document.layers or ()):
        labels = sorted({span.label for document in documents for span in document.spans if span.layer == layer})
        known = {label: number for number, label in enumerate(labels)}
        cells = [
            [_span_item(span, document, known) for span in document.spans if span.layer == layer]
            if layer in (document.layers or ()) else None
            for document in documents
        ]  # fmt: skip
        place = {"start": numbers, "end": numbers, "label": numbers}
        array, type_ = _structs(cells, place)
        feature = {"names": labels, "_type": "ClassLabel"}
        yield layer or ONE_LAYER, array, _feature(type_, {"label": feature}) if labels else None
    arguments = pyarrow.list_(pyarrow.struct({"role": texts, "target": texts}))
    for name, base, found in (
        ("_relations", {"label": texts, "arguments": arguments}, [document.relations for document in documents]),
        ("_events", {"label": texts, "trigger": texts, "arguments": arguments}, [item.events for item in documents]),
    ):
        if any(found):
            yield name, _structs([[_item(entry) for entry in entries] for entries in found], base)[0], None
    answers = [[*_answers(document)] for document in documents]
    if any(answers):
        yield "_answers", _structs(answers, {"question": texts})[0], None
    if any(document.notes for document in documents):
        yield "_notes", pyarrow.array([document.notes for document in documents], pyarrow.list_(texts)), None
    if any(document.relation_layers != ("",) for document in documents):
        layers = [document.relation_layers for document in documents]
        yield "_relation_layers", pyarrow.array(layers, pyarrow.list_(texts)), None
    if any(document.predicted for document in documents):
        yield "_predicted", pyarrow.array([document.predicted for document in documents], pyarrow.bool_()), None


def _structs(cells: Sequence[Sequence[Row] | None], base: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the array of lists of structs with the fields of `base` and those that an item has, and their type."""
    import pyarrow

    texts, numbers = pyarrow.string(), pyarrow.int64()
    optional = {
        "text": texts, "id": texts, "fragments": pyarrow.list_(pyarrow.struct({"start": numbers, "end": numbers})),
        "attributes": pyarrow.list_(pyarrow.struct({"name": texts, "value": texts})),
        "references": pyarrow.list_(pyarrow.struct({"resource": texts, "id": texts, "name": texts})),
        "notes": pyarrow.list_(texts), "score": pyarrow.float64(), "scores": pyarrow.list_(pyarrow.float64()),
        "origin": texts, "symmetric": pyarrow.bool_(), "layer": texts,
    }  # fmt: skip
    used = {key for cell in cells for item in cell or () for key in item}
    type_ = pyarrow.struct({**base, **{key: value for key, value in optional.items() if key in used}})
    return pyarrow.array(cells, pyarrow.list_(type_)), type_


def _span_item(span: AnnotatedSpan, document: AnnotatedDocument, labels: Mapping[str, int]) -> dict[str, Any]:
    places = [{"start": start, "end": end} for start, end in span.fragments]
    place = {"start": span.start, "end": span.end, "text": document.passage(span)}
    return {**_item(span), **place, "label": labels[span.label], **({"fragments": places} if len(places) > 1 else {})}


def _item(annotation: Annotation) -> dict[str, Any]:
    """Return the fields of an annotation that have a value."""
    rest: dict[str, Any] = {
        "attributes": [{"name": entry.name, "value": entry.value} for entry in annotation.attributes],
        "references": [
            {"resource": entry.resource, "id": entry.id, "name": entry.name} for entry in annotation.references
        ],
        "notes": list(annotation.notes),
        "origin": annotation.origin,
    }
    if isinstance(annotation, Relation | Event):
        rest["arguments"] = [{"role": role, "target": target} for role, target in annotation.arguments]
    if isinstance(annotation, Relation):
        rest |= {"symmetric": annotation.symmetric, "layer": annotation.layer}
    if isinstance(annotation, Event):
        rest["trigger"] = annotation.trigger
    kept = {key: value for key, value in rest.items() if value}
    score = {} if annotation.score is None else {"score": annotation.score}
    return {"id": annotation.id, "label": annotation.label, **kept, **score}


def _answers(document: AnnotatedDocument) -> Iterator[dict[str, Any]]:
    """Yield the scores and the origin of the labels of each question that has one of them."""
    for name in document.labels:
        scores, origin = document.label_scores.get(name, ()), document.label_origins.get(name, "")
        if scores or origin:
            yield {"question": name, **({"scores": scores} if scores else {}), **({"origin": origin} if origin else {})}


def _feature(type_: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the feature of `datasets` for a list of structs of a type. known: the features of some of its fields."""
    from datasets.features.features import generate_from_arrow_type

    inner = {field.name: known.get(field.name) or _of_type(generate_from_arrow_type(field.type)) for field in type_}
    return {"feature": inner, "_type": "List"}


def _of_type(feature: Any) -> Any:
    """Return a feature as `datasets` writes it to JSON."""
    from datasets import Features

    return Features({"value": feature}).to_dict()["value"]


def names_of(documents: Iterable[AnnotatedDocument]) -> list[str]:
    """Return the names of the columns that `columns` may yield for documents."""
    return [*dict.fromkeys(layer or ONE_LAYER for document in documents for layer in document.layers or ()), *OWN]
