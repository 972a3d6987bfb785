"""A data set of the library `datasets` for `electra-ie init`: what its columns are, and its annotated documents.

It is on the hub, or in a folder that `save_to_disk` wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.common.hub_client import HubName
from electra_ie.common.logs import notice
from electra_ie.data.fields import RELATIONS
from electra_ie.data.readers.dataset import (
    CONVERTED,
    OPTIONS,
    SPAN_KEYS,
    TEXT,
    load_from_hub,
    records_of,
    splits_of_folder,
    text_key,
)
from electra_ie.data.readers.parts.table_rows import element, feature_names, is_a
from electra_ie.data.readers.parts.token_tags import TOKENS
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.json_lines import OF_SPAN, document_of
from electra_ie.formats.parts.json_relations import HEAD, TAIL
from electra_ie.formats.parts.options import settle
from electra_ie.formats.parts.span_keys import NAMES_OF_KEYS
from electra_ie.formats.parts.spans import FRAGMENTS, SpanReader
from electra_ie.formats.parts.tagged_words import OUTSIDE

ID, JOINED = "id", "joined"
TOKEN_NAMES = (TOKENS, "words")
PAIRS = (("premise", "hypothesis"), ("1", "2"), ("A", "B"), ("a", "b"))
"""The names of two columns that belong together, or the ends of their names."""
MIN_WORDS = 2
"""The mean number of words from which a column of texts counts as text, and not as names or labels."""
LOOKED_AT = 1000
"""Rows of a split from which it is found out which columns are texts."""


@dataclass(frozen=True)
class HubDocuments:
    """The documents of each split of a data set, the options with which a task reads it, and what was assumed."""

    documents: dict[str, list[AnnotatedDocument]]
    options: dict[str, Any]
    assumed: list[str]


@dataclass(frozen=True)
class _Columns:
    """The columns of spans or tags, of relations, of labels, of other values and those that are not read; with options.

    text: in words, what the text is. attributes: the keys of spans that have texts or labels.
    """

    spans: tuple[str, ...]
    relations: tuple[str, ...]
    labels: tuple[str, ...]
    others: tuple[str, ...]
    unread: tuple[str, ...]
    options: Mapping[str, Any]
    text: str
    attributes: tuple[str, ...] = ()


def documents_of_hub(name: HubName, configuration: str) -> HubDocuments:
    """Return the documents of a data set on the hub.

    Args:
        name: The data set, and its revision.
        configuration: One of its configurations; "" if it has only one.

    Raises:
        UserError: as `load_from_hub`; no column is a text, or a row is invalid.
    """
    notice(f"reading the data set {name} from the hub, or from the cache")
    found = load_from_hub(name, configuration)
    columns = _columns(found.splits, str(name))
    revision = name.revision if name.revision == CONVERTED and configuration else found.commit
    where = {"name": name.repository, "configuration": configuration, "revision": revision}
    options = {**{key: value for key, value in where.items() if value}, **columns.options}
    part = f", configuration {configuration}" if configuration else ""
    assumed = [f"the data set is {name.repository} of the hub{part}, at the commit {found.commit}"]
    return _read(found.splits, columns, str(name), options, assumed)


def documents_of_folder(folder: Path) -> HubDocuments:
    """Return the documents of a data set that `save_to_disk` wrote. Raises UserError as `documents_of_hub`."""
    splits = splits_of_folder(folder)
    columns = _columns(splits, str(folder))
    return _read(
        splits, columns, str(folder), dict(columns.options), ["the folder is a data set of the library datasets"]
    )


def _read(
    splits: Mapping[str, Any], columns: _Columns, name: str, options: dict[str, Any], assumed: list[str]
) -> HubDocuments:
    """Return the documents of all splits, and what was assumed: first `assumed`, then what is said of the columns."""
    settled = settle(options, OPTIONS, "datasets")
    errors, documents = ErrorCollector(), {}
    for split, table in splits.items():
        documents[split] = _documents(table, columns, settled, f"{name}, {split}", errors)
    errors.raise_any(f"the data set {name}")
    more = [columns.text]
    if columns.unread:
        more.append(f"these columns are neither text nor labels, and not read: {', '.join(columns.unread)}")
    return HubDocuments(documents, options, [*assumed, *more])


def _documents(
    table: Any, columns: _Columns, options: Mapping[str, Any], name: str, errors: ErrorCollector
) -> list[AnnotatedDocument]:
    """Return the documents of a split."""
    used = [*columns.spans, *columns.relations, *columns.labels, *columns.others]
    records = records_of(table, table.features, used, columns.spans, options, name, errors.add)
    spans, documents = SpanReader(name), []
    keys = {"text": text_key(options), "id": options["id"]}
    for source, record in records:
        labels = {column: record.get(column) for column in columns.labels}
        layers = [column for column in columns.spans if record.get(column) is not None]
        related = [column for column in columns.relations if record.get(column) is not None]
        kept = {
            **{key: record[key] for key in keys.values() if key in record},
            **labels,
            **{column: [_span(item, columns.attributes) for item in record[column]] for column in layers},
            **{column: record[column] for column in related},
            "_layers": layers,
            **({"_relation_layers": related} if columns.relations else {}),
            "_metadata": {key: record[key] for key in columns.others if record.get(key) is not None},
        }
        try:
            documents.append(document_of(kept, keys, spans, source))
        except UserError as error:
            errors.add(error)
    spans.report()
    return documents


def _span(item: Any, attributes: Sequence[str]) -> Any:
    """Return a span with the keys that are read, and its attributes. Others, such as an id that repeats, are left out.

    A column of spans has `fragments` in all of them if one has several, null in the others.
    """
    if not isinstance(item, Mapping):
        return item
    kept = {key: item[key] for key in (*SPAN_KEYS, TEXT, *attributes) if key in item}
    return kept if item.get(FRAGMENTS) is None else {**kept, FRAGMENTS: item[FRAGMENTS]}


# What the columns are


def _columns(splits: Mapping[str, Any], name: str) -> _Columns:
    """Find out what the columns are, by the features of the first split and its first rows."""
    table = next(iter(splits.values()))
    features = table.features or {}
    rows = [row for row, _ in zip(table, range(LOOKED_AT), strict=False)]
    kinds = {column: _kind(feature) for column, feature in features.items() if column != ID}
    texts = _texts([column for column, kind in kinds.items() if kind == TEXT], rows)
    tokens = next((column for column in TOKEN_NAMES if kinds.get(column) == "texts"), "")
    tags = [column for column in kinds if tokens and _are_tags(column, tokens, kinds, features, rows)]
    if tags or (tokens and not texts):
        # Another name than that of a column lets the reader make the text of the tokens.
        options: dict[str, Any] = {"tokens": tokens} if tokens != TOKENS else {}
        options |= {TEXT: JOINED} if TEXT in features else {}
        spans, texts = tags, []
    elif texts:
        tokens, options = "", {} if texts == [TEXT] else {TEXT: texts[0] if len(texts) == 1 else texts}
        keys = {column: _keys(features[column]) for column, kind in kinds.items() if kind == "spans"}
        spans = [column for column in keys if keys[column] == next(iter(keys.values()))]
        options |= {key: value for column in spans[:1] for key, value in keys[column].items() if key != value}
    else:
        listed = ", ".join(features) or "none"
        remedy = "Write a task.yaml with the options text or tokens, and the columns of its fields as from."
        raise UserError(f"no column looks like a text: {listed}.", file=name, remedy=remedy)
    labels = [
        column
        for column, kind in kinds.items()
        if kind == "label" or (not tokens and kind in ("labels", "texts") and column not in TOKEN_NAMES)
    ]
    relations = [column for column, kind in kinds.items() if kind == RELATIONS]
    read = {*spans, *relations, *labels, *texts, tokens}
    others = [column for column, kind in kinds.items() if kind in (TEXT, "number") and column not in read]
    unread = [column for column in kinds if column not in read and column not in others]
    further = {} if tokens else {column: _further_keys(features[column]) for column in spans}
    unread += [f"{column}.{key}" for column, keys in further.items() for key, is_text in keys.items() if not is_text]
    attributes = dict.fromkeys(key for keys in further.values() for key, is_text in keys.items() if is_text)
    columns = " and ".join(texts)
    text = f"the text is the column {columns}" if texts else f"the text is the column {tokens}, joined"
    text = text if len(texts) <= 1 else f"the text is composed of the columns {columns}, a line for each"
    return _Columns(
        tuple(spans), tuple(relations), tuple(labels), tuple(others), tuple(unread), options, text, tuple(attributes)
    )


def _kind(feature: Any) -> str:
    """Return what a column may be: text, number, label, texts, labels, spans, relations, or "" for anything else."""
    if is_a(feature, "datasets", "ClassLabel"):
        return "label"
    if is_a(feature, "datasets", "Value"):
        return TEXT if "string" in feature.dtype else "number"
    if _keys(feature):
        return "spans"
    if isinstance(element(feature), Mapping) and {HEAD, TAIL} <= set(element(feature)):
        return RELATIONS
    inner = _kind(element(feature)) if element(feature) is not None else ""
    return {TEXT: "texts", "label": "labels"}.get(inner, "")


def _keys(feature: Any) -> dict[str, str]:
    """Return the keys of start, end and label of a feature of spans; {} for any other feature."""
    inner = element(feature)
    keys = inner if isinstance(inner, Mapping) else feature if isinstance(feature, Mapping) else {}
    found = {key: next((name for name in names if name in keys), "") for key, names in NAMES_OF_KEYS.items()}
    return found if all(found.values()) else {}


def _further_keys(feature: Any) -> dict[str, bool]:
    """Return the other keys of a feature of spans, each with whether it has texts or labels, as attributes have."""
    inner = element(feature)
    keys = inner if isinstance(inner, Mapping) else {key: element(each) for key, each in feature.items()}
    known = (*_keys(feature).values(), TEXT, FRAGMENTS)
    return {
        key: key not in OF_SPAN and _kind(each) in (TEXT, "label") for key, each in keys.items() if key not in known
    }


def _are_tags(
    column: str, tokens: str, kinds: Mapping[str, str], features: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> bool:
    """Return whether a column has a tag for each token: as many as tokens, and `O` among their names."""
    if column == tokens or kinds[column] not in ("labels", "texts"):
        return False
    names = feature_names(features[column]) or {tag for row in rows for tag in row[column] or ()}
    return any(name in OUTSIDE for name in names) and all(
        row[column] is None or len(row[column]) == len(row[tokens] or ()) for row in rows
    )


def _texts(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of the text: the one called text, else two that belong together, else all that look like it.

    A column of repeated values or of single words looks like names or labels, unless there is no other.
    """
    if TEXT in columns:
        return [TEXT]
    for first, second in PAIRS:
        for column in columns:
            other = column.removesuffix(first) + second
            if column.endswith(first) and other in columns:
                return [column, other]
    alike = [column for column in columns if _is_text([row[column] for row in rows if row[column]])]
    return alike or list(columns if len(columns) == 1 else ())


def _is_text(values: Sequence[str]) -> bool:
    words = sum(len(value.split()) for value in values)
    is_long = words >= MIN_WORDS * len(values) or not all(map(str.isascii, values))
    return bool(values) and is_long and 2 * len(set(values)) > len(values)
