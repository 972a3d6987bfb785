"""Tasks from Python objects: records, pandas DataFrames and Hugging Face Datasets, validated like lines of JSON."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from electra_ie.common.errors import ErrorCollector, UserError, nearest
from electra_ie.common.text_files import SourceRecord
from electra_ie.common.yaml_source import Source
from electra_ie.config.train import TrainSettings
from electra_ie.data.declaration.hints_yaml import parse_descriptions, parse_hints
from electra_ie.data.declaration.record_plan import RECORD, parse_record
from electra_ie.data.declaration.task_yaml import DATA_SETS, parse_task
from electra_ie.data.document import Document
from electra_ie.data.fields import ALL_KINDS, ATTRIBUTES, AnyField
from electra_ie.data.readers import jsonl
from electra_ie.data.readers.parts.table_rows import element, feature_names, is_a, record_of_row, type_name
from electra_ie.data.readers.parts.token_tags import TOKENS, labels_of_tags, with_texts
from electra_ie.data.splits import UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks, locate_task

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame, Series

SplitData: TypeAlias = "Sequence[Mapping[str, Any]] | DataFrame | Dataset"
"""The records of one split: mappings with the keys of a JSON line, or a table with these columns."""
InMemory: TypeAlias = "SplitData | Mapping[str, SplitData]"
"""The records of the training split, or of several splits by name, such as a `datasets.DatasetDict`."""
Data: TypeAlias = "str | os.PathLike[str] | Task | InMemory"
"""A task by its name or path, a loaded task, or objects in memory."""
Unlabeled: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Series | SplitData"
"""Paths of unlabeled text, texts, or records."""

NAME = "in_memory"
"""The name of a task made from objects."""
SPLIT_NAMES = {
    "train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "test": "test", "unlabeled": UNLABELED,
    "unsupervised": UNLABELED,
}  # fmt: skip
"""The names of splits in mappings and the splits of a task that they stand for."""
EXPECTED = (
    "a task name, a path, a Task, a list of records, a pandas.DataFrame, a datasets.Dataset, or a mapping of splits"
)
PATH = re.compile(r"[\w.,~:/\\+@%=-]+", re.ASCII)
"""A string without spaces, which may be a path."""
DEFAULTS = {name: option.default for name, option in jsonl.OPTIONS.items()}


@dataclass(frozen=True)
class _Split:
    """The records of one split as JSON values, with their positions, and the features of a Dataset by column."""

    records: list[tuple[SourceRecord, dict[str, Any]]]
    features: Mapping[str, Any]


def resolve(
    data: Data,
    /,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    *,
    fields: Mapping[str, Any] | None = None,
    descriptions: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    unlabeled: Unlabeled | None = None,
    **kwargs: Any,
) -> tuple[Task, TrainSettings]:
    """Return the task and the settings for the arguments of `train` and `compare`.

    Args:
        data: The data.
        settings: A YAML file of settings.
        overrides: Settings as `key=value`.
        fields: The fields, for data in memory only.
        descriptions: Descriptions of labels as in task.yaml, for data in memory only.
        hints: Hints as in task.yaml, for data in memory only. Their files are relative to the current directory.
        record: The records of findings as in task.yaml, for data in memory only.
        unlabeled: Paths, which become a setting, or texts in memory, which become part of the task.
        kwargs: Settings by name.

    Raises:
        UserError: The data, the fields, the descriptions, the hints, the record or the settings are invalid.
    """
    paths, texts = _paths_or_texts(unlabeled)
    if isinstance(data, str | os.PathLike):
        plan = TrainSettings.build(settings, tuple(overrides), task=os.fspath(data), unlabeled=paths, **kwargs)
        task = Task.load(plan.task, plan.data)
    else:
        if (folder := kwargs.get("data")) is not None:
            is_task = isinstance(data, Task)
            remedy = f'Give it when the task is loaded: Task.load(..., data="{folder}").' if is_task else "Omit it."
            raise UserError(f'data="{folder}" is a folder of files, for a task given by name or path.', remedy=remedy)
        task = data if isinstance(data, Task) else _task(data, fields, descriptions, hints, record)
        name, folder = _reference(task)
        plan = TrainSettings.build(settings, tuple(overrides), task=name, unlabeled=paths, **kwargs)
        plan = plan.replace(data=folder)  # not the folder in a file of settings
    if isinstance(data, str | os.PathLike | Task):
        given = {"fields": fields, "descriptions": descriptions, "hints": hints, RECORD: record}
        for name, value in given.items():
            if value is not None:
                remedy = f"Omit {name}, or pass the records themselves."
                raise UserError(f"{name} is given, but the task {task.name} declares its own {name}.", remedy=remedy)
    return (task if texts is None else _with_unlabeled(task, texts)), plan


def task_name(data: Data, folder: str | None = None) -> str:
    """Return the name of the task of `data`. folder: the folder of its files, instead of the one in task.yaml."""
    if isinstance(data, Task):
        return data.name
    return Task.load(data, folder).name if isinstance(data, str | os.PathLike) else NAME


def with_split(task: Task, split: str, data: InMemory) -> Task:
    """Return the task with the documents of one split from objects in memory, to score a run on them.

    Args:
        task: The task of a run. Its fields and the names of its keys apply to the records.
        split: The name of the split.
        data: The records of the split, or a mapping of splits that contains it.

    Raises:
        UserError: The split is not in the mapping, or a record is invalid.
    """
    if isinstance(data, Mapping):
        splits = _by_split(data)
        if split not in splits:
            raise UserError(f'data has no split "{split}".', remedy=nearest(split, splits))
        name, data = splits[split]
    else:
        name = split
    errors = ErrorCollector()
    keys = {key: task.options.get(key) for key in ("text", "id")}  # a table may have several columns of text
    options = {**DEFAULTS, **{name: key for name, key in keys.items() if isinstance(key, str)}}
    used = (*_option_keys(options), *(field.column for field in task.all_fields))
    tags = [field.column for field in task.fields if field.kind == "spans"]
    records = _read(data, name, used, options["text"], errors, tags=tags)
    documents = _documents(records, name, split, task.all_fields, options, errors)
    errors.raise_any("the data in memory")
    file = f"{split}.jsonl"
    return replace(task, files={split: (file,)}, memory={file: documents})


def _paths_or_texts(unlabeled: Unlabeled | None) -> tuple[tuple[str, ...] | None, Any]:
    """Split the argument `unlabeled` into paths and texts: one of both is None.

    Strings are paths if all of them exist or look like paths; a single string is always one.

    Raises:
        UserError: Paths and texts are mixed.
    """
    if unlabeled is None:
        return None, None
    if isinstance(unlabeled, str | os.PathLike):
        return (os.fspath(unlabeled),), None
    if not isinstance(unlabeled, list | tuple) or not all(isinstance(item, str | os.PathLike) for item in unlabeled):
        return None, unlabeled
    if all(isinstance(item, os.PathLike) or PATH.fullmatch(item) or os.path.exists(item) for item in unlabeled):
        return tuple(map(os.fspath, unlabeled)), None
    for index, item in enumerate(unlabeled, start=1):
        if isinstance(item, os.PathLike) or os.path.exists(item):
            message = f'unlabeled contains texts, and item {index}, "{os.fspath(item)}", is a path.'
            remedy = 'Give paths only, as pathlib.Path, or records only: {"text": "..."}.'
            raise UserError(message, remedy=remedy)
    return None, unlabeled


def _reference(task: Task) -> tuple[str, str | None]:
    """Return the name or path of a loaded task for run.yaml, and its folder of data if it is not the default one."""
    if task.memory and not task.paths:
        return task.name, None
    is_shipped = task.name in list_tasks() and locate_task(task.name) == task.file
    name = task.name if is_shipped else os.fspath(task.file)
    if task.format == DATA_SETS and task.hub:  # read from the hub in place of files
        return name, task.hub
    is_default = task.file.is_file() and Task.load(name).folder == task.folder
    return name, None if is_default else os.fspath(task.folder)


def _task(
    data: InMemory,
    fields: Mapping[str, Any] | None,
    descriptions: Mapping[str, str] | None,
    hints: Mapping[str, Any] | None,
    record: Mapping[str, Any] | None,
) -> Task:
    """Return the task of objects in memory. Raises UserError for the first ten faults in fields and records."""
    if not isinstance(data, Mapping) and not _are_records(data):
        raise _type_error(data, "train")
    tables = _by_split(data) if isinstance(data, Mapping) else {"train": ("train", data)}
    if not fields:
        example = '{"topic": {"kind": "classes", "labels": ["sport", "other"]}, "names": {"kind": "spans"}}'
        raise UserError("data in memory need fields: what to predict.", remedy=f"Give fields={example}, for example.")
    source = Source(Path("fields"), {})
    source.check_mapping((), fields)
    columns = [_column(name, declaration) for name, declaration in fields.items()]
    tags = [
        column for column, declaration in zip(columns, fields.values(), strict=True)
        if isinstance(declaration, Mapping) and declaration.get("kind") == "spans"
    ]  # fmt: skip
    if "train" not in tables:
        remedy = f"Splits in data: {', '.join(name for name, _ in tables.values()) or 'none'}."
        raise UserError('data has no split "train".', remedy=remedy)
    errors = ErrorCollector()
    splits = {}
    for split, (name, table) in tables.items():
        used = _option_keys(DEFAULTS) if split == UNLABELED else (*_option_keys(DEFAULTS), *columns)
        splits[split] = _read(
            table,
            name,
            used,
            DEFAULTS["text"],
            errors,
            tags=tags if split != UNLABELED else (),
            bare_texts=split == UNLABELED,
        )
    errors.raise_any("the data in memory")
    declarations = {name: _declared(name, fields[name], splits["train"], tags) for name in fields}
    files = {split: f"{split}.jsonl" for split in splits}
    parts = parse_task({"format": "jsonl", "files": files, "fields": declarations}, source, None)
    parts = parts._replace(
        descriptions=parse_descriptions(descriptions or {}, parts.fields, Source(Path("descriptions"), {})),
        hints=parse_hints(hints or {}, parts.fields, Source(Path("hints"), {})),
    )
    if record is not None:
        plan = parse_record(record, parts.fields, parts.anchored, Source(Path(RECORD), {}))
        parts = parts._replace(record=plan)
    documents = {
        file: _documents(
            splits[split],
            tables[split][0],
            split,
            () if split == UNLABELED else (*parts.fields, *parts.anchored),
            DEFAULTS,
            errors,
        )
        for split, file in files.items()
    }
    errors.raise_any("the data in memory")
    return Task(name=NAME, file=Path(NAME), memory=documents, **parts._asdict())


def _with_unlabeled(task: Task, texts: Any) -> Task:
    """Return the task with these texts or records as another file of its unlabeled split."""
    names = task.files.get(UNLABELED, ())
    stem, count = UNLABELED, 1
    while f"{stem}.jsonl" in names:
        count += 1
        stem = f"{UNLABELED}-{count}"
    options = {**DEFAULTS, **task.options} if task.format == "jsonl" else DEFAULTS
    errors = ErrorCollector()
    split = _read(texts, UNLABELED, _option_keys(options), options["text"], errors, bare_texts=True)
    documents = _documents(split, UNLABELED, stem, (), options, errors)
    errors.raise_any("the unlabeled data in memory")
    files = {**task.files, UNLABELED: (*names, f"{stem}.jsonl")}
    return replace(task, files=files, memory={**task.memory, f"{stem}.jsonl": documents})


def _by_split(data: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return the name in the mapping and the records of each split, in the order of the mapping."""
    splits: dict[str, tuple[str, Any]] = {}
    for name, table in data.items():
        split = SPLIT_NAMES.get(name)
        if split is None:
            _refuse_columns(data)
            remedy = f"{nearest(name, SPLIT_NAMES)} For one split, give the list of its records."
            raise UserError(f'data has the key "{name}", which is not the name of a split.', remedy=remedy)
        if split in splits:
            remedy = "Keep one of them."
            raise UserError(
                f'data has the splits "{splits[split][0]}" and "{name}", which are the same.', remedy=remedy
            )
        splits[split] = name, table
    return splits


def _refuse_columns(data: Mapping[str, Any]) -> None:
    """Raise UserError for a mapping of columns in place of one of splits."""
    texts = data.get(DEFAULTS["text"], data.get(TOKENS))
    if texts is None or isinstance(texts, str | bytes) or not hasattr(texts, "__len__"):
        return
    shown = ", ".join(f'"{key}"' for key in data)
    remedy = 'Give datasets.Dataset.from_dict(data), pandas.DataFrame(data) or a list of records: [{"text": "..."}].'
    raise UserError(f"data has the keys {shown}, which look like columns, and must be names of splits.", remedy=remedy)


def _option_keys(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a record that are read besides those of the fields."""
    return options["text"], options["id"], jsonl.ANSWER, TOKENS


def _column(name: str, declaration: Any) -> str:
    """Return the key of a field's gold."""
    return str((declaration.get("from") if isinstance(declaration, Mapping) else "") or name)


# Records


def _read(
    table: Any,
    name: str,
    used: Sequence[str],
    text_key: str,
    errors: ErrorCollector,
    *,
    tags: Sequence[str] = (),
    bare_texts: bool = False,
) -> _Split:
    """Return the records of a split as JSON values.

    Args:
        table: The records, a DataFrame or a Dataset.
        name: The name of the split, for messages.
        used: The keys whose values are converted. The values of others are not read.
        text_key: The key of the text.
        errors: Collects the records that are invalid.
        tags: The keys of the gold of spans, which may be the tags of tokens in a table without texts.
        bare_texts: Whether a record may be a string, its text.
    """
    features: Mapping[str, Any] = {}
    if is_a(table, "pandas", "DataFrame"):
        _check_columns([str(column) for column in table.columns], name, text_key, "DataFrame")
        rows = table.to_dict("records")
    elif is_a(table, "datasets", "Dataset"):
        _check_columns(table.column_names, name, text_key, "Dataset")
        features, rows = table.features, table.with_format(None)
    elif bare_texts and is_a(table, "pandas", "Series"):
        rows = table.tolist()
    elif _are_records(table):
        rows = table
    else:
        raise _type_error(table, name)
    records = []
    for number, row in enumerate(rows, start=1):
        source = SourceRecord(name, number)
        try:
            records.append((source, _record(row, used, text_key, features, source, bare_texts)))
        except UserError as error:
            errors.add(error)
    return _Split(with_texts(records, text_key, TOKENS, tags, "auto", errors.add), features)


def _are_records(table: Any) -> bool:
    """Return whether objects may be the records of a split: a list or a table."""
    is_table = is_a(table, "pandas", "DataFrame") or is_a(table, "datasets", "Dataset")
    return is_table or (isinstance(table, Sequence) and not isinstance(table, str | bytes))


def _type_error(table: Any, name: str) -> UserError:
    """Return the error of objects that are no records. name: that of the split."""
    expected = EXPECTED if name == "train" else "a list of records, a pandas.DataFrame or a datasets.Dataset"
    return UserError(f"{name}: the data are of the type {type_name(table)}.", remedy=f"Give {expected}.")


def _check_columns(columns: Sequence[str], name: str, text_key: str, table: str) -> None:
    """Raise UserError for a table without a column of texts: one error in place of one for each record."""
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        message = f"{name}: the {table} has several columns of one name: {', '.join(twice)}."
        raise UserError(message, remedy="Rename them: one would hide the others.")
    if text_key not in columns and TOKENS not in columns:
        method = "rename(columns={...})" if table == "DataFrame" else 'rename_column("...", "text")'
        remedy = f"{nearest(text_key, columns)} Rename the column of the texts: data.{method}."
        raise UserError(f'{name}: the {table} has no column "{text_key}".', remedy=remedy)


def _record(
    row: Any, used: Sequence[str], text_key: str, features: Mapping[str, Any], source: SourceRecord, bare_texts: bool
) -> dict[str, Any]:
    """Return a record as JSON values. Raises UserError if it is not a mapping, or has no text."""
    if isinstance(row, str) and bare_texts:
        return {text_key: row}
    if not isinstance(row, Mapping) and bare_texts:
        message = f"this is of the type {type_name(row)}, neither a string nor a mapping."
        raise source.error(message, 'Give "..." or {"text": "..."}.')
    if not isinstance(row, Mapping):
        raise source.error(f"this is of the type {type_name(row)}, not a mapping.", 'Give {"text": "...", ...}.')
    record = record_of_row(row, used, features, source)
    if text_key not in record and TOKENS not in record:
        remedy = f'{nearest(text_key, record)} Name the key of the text "{text_key}".'
        raise source.error(f'the record has no "{text_key}".', remedy)
    return record


def _documents(
    split: _Split,
    name: str,
    stem: str,
    fields: Sequence[AnyField],
    options: Mapping[str, Any],
    errors: ErrorCollector,
) -> list[Document]:
    """Return the valid documents of a split; collect the errors of the others."""
    records = jsonl.Records(name, fields, options, stem)
    documents = []
    for source, record in split.records:
        try:
            documents.append(records.document(record, source))
        except UserError as error:
            errors.add(error)
    try:
        records.report()
    except UserError as error:
        errors.add(error)
    return documents


# Fields


def _declared(name: str, declaration: Any, train: _Split, spans: Sequence[str]) -> Any:
    """Return the declaration of a field with its labels, which are collected from the training split if omitted.

    spans: the keys of the gold of spans.
    """
    if not isinstance(declaration, Mapping):
        return declaration
    labels = declaration.get("labels")
    if labels is None:
        labels = _collected(name, declaration, train, spans) if declaration.get("kind") in ALL_KINDS else ()
    elif isinstance(labels, Sequence) and not isinstance(labels, str):
        for label in labels:
            if not isinstance(label, str):
                message = f"the label {label!r} of the field {name} is not text."
                raise UserError(message, file="fields", remedy="Give the labels as strings.")
    else:
        return declaration
    return {**declaration, "labels": list(labels)}


def _collected(name: str, declaration: Mapping[str, Any], train: _Split, spans: Sequence[str]) -> list[str]:
    """Return the labels of a field: the names of a ClassLabel feature, else the labels of the records, sorted.

    Those of attributes are in the spans.
    """
    column, kind = _column(name, declaration), declaration["kind"]
    if kind == ATTRIBUTES:  # one of its labels for each span
        listed = [record.get(key) for _, record in train.records for key in spans]
        items = [item for value in listed if isinstance(value, list) for item in value if isinstance(item, dict)]
        values, kind = [item.get(column) for item in items], "classes"
    else:
        feature = train.features.get(column)
        if (names := feature_names(feature)) is not None:
            of_tags = kind == "spans" and is_a(element(feature), "datasets", "ClassLabel")
            return labels_of_tags(names) if of_tags else names
        values = [record.get(column) for _, record in train.records]
    labels = {label for value in values for label in _labels_of(value, kind)}
    if not labels:
        example = f'{{"{name}": {{"kind": "{declaration["kind"]}", "labels": ["...", "..."]}}}}'
        message = f'the field {name} has no labels, and no record of train has a label (a string) under "{column}".'
        raise UserError(message, file="fields", remedy=f"Give them: fields={example}.")
    return sorted(labels)


def _labels_of(value: Any, kind: str) -> Iterator[str]:
    """Yield the labels in the gold of a record, which is not validated yet."""
    if kind == "classes":
        items = [value]
    elif isinstance(value, list):
        items = value if kind == "flags" else [span.get("label") for span in value if isinstance(span, dict)]
    else:
        items = []
    yield from (item for item in items if isinstance(item, str) and item)
