"""task.yaml: where task files are, and the parsing and checking of one. It has a closed set of keys and runs no code.

description: Risks of bank transactions.
format: jsonl                       # a key of `READERS`
data: data                          # folder of the files, relative to this one; here by default
files: {train: train.jsonl, unlabeled: [pool.jsonl, notes]}
options: {text: body}               # of the reader
fields:
  topic: {kind: classes, labels: [fraud, other], from: category}
  entities: {kind: spans, labels: [PER], overlaps: count}   # scheme: tracks or levels, and fragments: true, for more
  payments: {kind: relations, labels: [pays]}     # between spans, or attributes of spans: see `anchored_yaml`
descriptions: {fraud: A payment obtained by deception.}   # of labels
hints: {PER: {file: names.txt}}     # lexicons and patterns, see `hints_yaml`
record: {fields: {name: {from: PER}}}   # records made of findings, see `record_plan`
hub:                                # how the same task is read with --data hub:ORG/NAME
  options: {name: ORG/NAME}         # of the reader `datasets`
  files: {train: train, dev: validation}
  fields: {topic: {from: label, labels: [Fraud, Other]}}   # what differs: columns, and the names of the labels in order
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.hub_client import HUB, HubName, parse_data_set
from electra_ie.common.yaml_source import Source
from electra_ie.data.declaration.anchored_yaml import declaration_of, is_anchored, parse_anchored
from electra_ie.data.declaration.hints_yaml import parse_descriptions, parse_hints
from electra_ie.data.declaration.record_plan import RECORD, RecordPlan, parse_record
from electra_ie.data.fields import (
    ALL_KINDS,
    BIO,
    FIELD_NAME,
    KINDS,
    LEVELS,
    MAX_LEVELS,
    TRACKS,
    AnchoredField,
    AnyField,
    Field,
)
from electra_ie.data.hints import Hint
from electra_ie.data.readers import READERS
from electra_ie.data.splits import SPLITS

KEYS = ("description", "format", "data", "files", "options", "fields", "descriptions", "hints", RECORD, "hub")
DATA_SETS = "datasets"
"""The format whose files are the splits of a data set."""
HUB_KEYS, HUB_FIELD_KEYS = ("options", "files", "fields"), ("from", "labels")
MEMORY = "in_memory"
"""A key that only the task.yaml of a run has: the files whose documents were passed as Python objects."""
FIELD_KEYS = ("kind", "labels", "from", "overlaps", "scheme", "levels", "fragments")
OVERLAPS = ("error", "count")
SCHEMES = (BIO, TRACKS, LEVELS)
RESERVED_NAMES = ("checkpoint", "generator", "comparison", "tracking", "records", "mean")
"""Folders that runs and encoders have next to those of the fields, and the keys of scores of records and their mean.
Later packages own them (runs/layout.py, inference/scoring.py)."""
OF_RECORDS = ("id", "text")
"""Keys of every record, which a field of the same name would replace where records are written."""
WINDOWS_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
"""Names that Windows reserves for devices, so that no folder can have them."""


class TaskParts(NamedTuple):
    """The checked content of a task.yaml; see `Task` for the fields."""

    description: str
    format: str
    folder: Path
    files: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    fields: tuple[Field, ...]
    descriptions: Mapping[str, Mapping[str, str]]
    hints: tuple[Hint, ...]
    hub: str
    anchored: tuple[AnchoredField, ...]
    record: RecordPlan | None


def parse_task(mapping: Mapping[str, Any], source: Source, data: str | os.PathLike[str] | None) -> TaskParts:
    """Return the parts of a task.

    Args:
        mapping: the content of the task file, with keys from `KEYS`.
        source: the file and its lines.
        data: the folder of the data files, or `hub:ORG/NAME`, as the key hub of the task names it, with or without
            `@REVISION`; by default the folder in the file.

    Raises:
        UserError: a value is missing or invalid, by file and line.
    """
    for key in ("format", "files", "fields"):
        if key not in mapping:
            raise source.error((), f"the task has no {key}.", f"Add the key {key}.")
    hub = _parse_hub(mapping, source) if "hub" in mapping else None
    if isinstance(data, str) and data.startswith(HUB):
        return _on_hub(hub, parse_data_set(data), source)
    for key in ("format", "description", "data"):
        if not isinstance(mapping.get(key, ""), str):
            raise source.error((key,), f"{key} is {mapping[key]!r}, not text.", "Put it in quotes.")
    if mapping["format"] not in READERS:
        message = f'there is no format "{mapping["format"]}".'
        raise source.error(("format",), message, nearest(mapping["format"], READERS))
    reader = READERS[mapping["format"]]
    options = {} if mapping.get("options") is None else mapping["options"]
    source.check_mapping(("options",), options)
    for key, value in options.items():
        reader.settle({key: value}, source.file, source.line(("options", key)))
    source.check_path(("options", "name"), options.get("name", ""))  # of a data set
    fields, anchored = _fields(mapping["fields"], source)
    every: tuple[AnyField, ...] = (*fields, *anchored)
    for field in every:
        reader.check(field, source.file, source.line(("fields", field.name, "kind")))
    folder = Path(data) if data is not None else Path(os.path.normpath(source.file.parent / mapping.get("data", ".")))
    files = _files(mapping["files"], source)
    descriptions = parse_descriptions(mapping.get("descriptions", {}), fields, source)
    hints = parse_hints(mapping.get("hints", {}), fields, source)
    description = mapping.get("description", "")
    name = f"{HUB}{hub.options['name']}" if hub else ""
    record = parse_record(mapping[RECORD], fields, anchored, source) if RECORD in mapping else None
    return TaskParts(
        description, reader.name, folder, files, dict(options), fields, descriptions, hints, name, anchored, record
    )


def _on_hub(hub: TaskParts | None, name: HubName, source: Source) -> TaskParts:
    """Return the task as it is read from the hub. name: what the user has given.

    Raises:
        UserError: the task names no data set on the hub, or another one.
    """
    if hub is None:
        remedy = f"Give the folder of its files. For a task on this data set: electra-ie init {name.repository}."
        raise UserError("the task names no data set on the hub.", file=source.file, remedy=remedy)
    known = hub.options["name"]
    if name.repository != known:
        remedy = f"Give --data {HUB}{known}. For a task on another data set: electra-ie init {name.repository}."
        raise UserError(f"the task reads {known} from the hub, not {name.repository}.", file=source.file, remedy=remedy)
    revision = {"revision": name.revision} if name.revision else {}
    return hub._replace(options={**hub.options, **revision}, hub=f"{HUB}{name}")


def _parse_hub(mapping: Mapping[str, Any], source: Source) -> TaskParts:
    """Return the parts of the task as the key hub says: options and files of it, the others with the fields' changes.

    Labels of other names are in the order of the field's; descriptions and hints of labels follow them.
    """
    hub, keys = mapping["hub"], ("hub",)
    source.check_keys(keys, hub, HUB_KEYS)
    if mapping.get("format") == DATA_SETS:
        raise source.error(keys, f"the task has the format {DATA_SETS} and the key hub.", "Set options.name instead.")
    options = hub.get("options")
    if not isinstance(options, Mapping) or not isinstance(options.get("name"), str) or "files" not in hub:
        raise source.error(keys, "hub lacks files, or options.name.", "Give options: {name: ORG/NAME}, and files.")
    parse_data_set(options["name"])
    changes = hub.get("fields", {})
    source.check_mapping(("fields",), mapping["fields"])
    source.check_keys((*keys, "fields"), changes, mapping["fields"])
    names: dict[str, str] = {}
    fields = dict(mapping["fields"])
    for field, change in changes.items():
        source.check_keys((*keys, "fields", field), change, HUB_FIELD_KEYS)
        declared = fields[field]
        if not isinstance(declared, Mapping) or not isinstance(declared.get("labels"), list):
            raise source.error(("fields", field), f"the field {field} has no list of labels.", "Add the key labels.")
        fields[field] = {**declared, **change}
        names |= _renamed(field, declared["labels"], fields[field]["labels"], source)
    task = {key: mapping[key] for key in KEYS if key in mapping and key not in ("data", "hub")}
    for key in ("descriptions", "hints"):
        if isinstance(task.get(key), Mapping):
            task[key] = {names.get(label, label): value for label, value in task[key].items()}
    lines = {path[1:]: line for path, line in source.lines.items() if path[:1] == keys and path[1:]}
    task |= {"format": DATA_SETS, "options": options, "files": hub["files"], "fields": fields}
    return parse_task(task, Source(source.file, {**source.lines, **lines}), None)


def _renamed(field: str, labels: Any, names: Any, source: Source) -> dict[str, str]:
    """Return the names of labels on the hub by label, and by field and label."""
    keys = ("hub", "fields", field, "labels")
    if not isinstance(names, list) or len(names) != len(labels):
        raise source.error(keys, f"labels is {names!r}.", f"Give a list of {len(labels)}, in the order of the field's.")
    pairs = [(str(label), str(name)) for label, name in zip(labels, names, strict=True)]
    return dict(pairs) | {f"{field}.{label}": f"{field}.{name}" for label, name in pairs}


def _files(value: Any, source: Source) -> dict[str, tuple[str, ...]]:
    """Return the paths of each split. Raises UserError for one that may leave the folder of the data."""
    source.check_keys(("files",), value, SPLITS)
    if not value:
        raise source.error(("files",), "the task names no files.", f"Splits: {', '.join(SPLITS)}.")
    files = {}
    for split, names in value.items():
        files[split] = source.texts(("files", split), names)
        for name in files[split]:
            source.check_path(("files", split), name)
    return files


def validated_fields(fields: Iterable[Field] | Mapping[str, Any]) -> tuple[Field, ...]:
    """Return fields after the checks that apply to those of a task.yaml.

    Args:
        fields: Fields, or their declarations by name as in task.yaml.

    Raises:
        UserError: a name, kind or label is invalid, there are no fields, one is of relations or attributes, or its
            number of levels is not known.
    """
    if not isinstance(fields, Mapping):
        listed = list(fields)
        for field in listed:
            if not isinstance(field, Field):
                remedy = 'Give Field("NAME", "classes, flags or spans", ("LABEL", ...)) for each.'
                raise UserError(f"a field is of the type {type(field).__name__}, not Field.", remedy=remedy)
        names = [field.name for field in listed]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise UserError(f'two fields are called "{repeated}".', remedy="Rename one of them.")
        fields = {field.name: declaration(field) for field in listed}
    source = Source(Path("fields"), {})
    validated, anchored = _fields(fields, source)
    if anchored:
        kind = anchored[0].kind
        remedy = f"Train a task, which has a model for each field of {kind}."
        raise source.error((anchored[0].name,), f"a single model has no field of kind {kind}.", remedy)
    for field in validated:
        if field.scheme == LEVELS and not field.levels:
            message = f"the number of levels of the field {field.name} is not known."
            raise source.error((field.name,), message, "Give levels: 2, or train a task, whose labels tell it.")
    return validated


def declaration(field: AnyField) -> dict[str, Any]:
    """Return the declaration of a field as in task.yaml, without values that are defaults."""
    if isinstance(field, AnchoredField):
        return declaration_of(field)
    labels = list(field.labels) if isinstance(field.labels, tuple | list) else field.labels
    declared: dict[str, Any] = {"kind": field.kind, "labels": labels}
    if field.source:
        declared["from"] = field.source
    if field.overlaps != OVERLAPS[0]:
        declared["overlaps"] = field.overlaps
    if field.scheme != BIO:
        declared["scheme"] = field.scheme
    if field.levels:
        declared["levels"] = field.levels[0] if len(set(field.levels)) == 1 else list(field.levels)
    if field.fragments:
        declared["fragments"] = True
    return declared


def _fields(value: Any, source: Source) -> tuple[tuple[Field, ...], tuple[AnchoredField, ...]]:
    """Return the fields, those that are anchored to spans apart."""
    source.check_mapping(("fields",), value)
    if not value:
        raise source.error(("fields",), "the task has no fields.", "Add at least one.")
    folders: dict[str, str] = {}
    for name in value:
        other = folders.setdefault(name.lower(), name)
        if other != name:
            message = f'the fields "{other}" and "{name}" differ in case only and would share a folder on some systems.'
            raise source.error(("fields", name), message, "Rename one of them.")
        _check_field_name(name, source)
    anchored = {name: declared for name, declared in value.items() if is_anchored(declared)}
    fields = tuple(_field(name, declared, source) for name, declared in value.items() if name not in anchored)
    return fields, tuple(parse_anchored(name, declared, fields, source) for name, declared in anchored.items())


def _check_field_name(name: str, source: Source) -> None:
    """Raise UserError for a name that a folder of a run cannot have on every system."""
    keys = ("fields", name)
    if not FIELD_NAME.fullmatch(name):
        remedy = "Use letters, digits and _, not starting with a digit, at most 64."
        raise source.error(keys, f'"{name[:80]}" cannot be the name of a field.', remedy)
    if name in OF_RECORDS:
        message = f'"{name}" cannot be the name of a field: every record has a key of this name.'
        raise source.error(keys, message, f"Rename the field, and set from: {name} in it.")
    if WINDOWS_DEVICE.fullmatch(name):
        message = f'"{name}" cannot be the name of a field: Windows reserves it for a device.'
        raise source.error(keys, message, "Rename the field.")
    if name.lower() in RESERVED_NAMES:
        message = f'"{name}" cannot be the name of a field: a run uses that name itself.'
        raise source.error(keys, message, "Rename the field.")


def _field(name: str, declaration: Any, source: Source) -> Field:
    """Return one field. Its labels are a list of strings, for kind `classes` at least two."""
    keys = ("fields", name)
    source.check_mapping(keys, declaration)
    kind = declaration.get("kind")
    if "kind" in declaration and kind not in KINDS:  # before its keys, which may be those of another kind
        raise source.error((*keys, "kind"), f'there is no kind "{kind}".', nearest(kind, ALL_KINDS))
    source.check_keys(keys, declaration, FIELD_KEYS)
    for key in ("kind", "labels"):
        if key not in declaration:
            raise source.error(keys, f"the field {name} has no {key}.", f"Add the key {key}.")
    labels, column = declaration["labels"], declaration.get("from", "")
    if not isinstance(labels, list):
        raise source.error((*keys, "labels"), f"labels is {labels!r}, not a list.", "Write a list: [one, other].")
    if not isinstance(column, str):
        raise source.error((*keys, "from"), f"from is {column!r}, not text.", "Put it in quotes.")
    names = source.texts((*keys, "labels"), labels)
    if kind == "classes" and len(names) <= 1:
        raise source.error((*keys, "labels"), f"the field {name} has only one class.", "Give at least two.")
    of_spans = {"overlaps": OVERLAPS, "scheme": SCHEMES}
    for key, valid in of_spans.items():
        if key in declaration and (declaration[key] not in valid or kind != "spans"):
            remedy = f"It must be {' or '.join(valid)}, and only fields of kind spans have it."
            raise source.error((*keys, key), f"{key} is {declaration[key]!r} in a field of kind {kind}.", remedy)
    for key in ("levels", "fragments"):
        if key in declaration and kind != "spans":
            raise source.error((*keys, key), f"a field of kind {kind} has {key}.", "Only fields of kind spans have it.")
    if "overlaps" in declaration and declaration.get("scheme") == LEVELS:
        message = "overlaps does nothing with the scheme levels: what is beyond the levels counts as missed."
        raise source.error((*keys, "overlaps"), message, "Remove the key.")
    overlaps, scheme = (declaration.get(key, valid[0]) for key, valid in of_spans.items())
    levels, fragments = _levels(keys, declaration, len(names), source), _fragments(keys, declaration, source)
    return Field(name, kind, names, column, overlaps, scheme, levels, fragments)


def _levels(keys: tuple[str, ...], declaration: Mapping[str, Any], labels: int, source: Source) -> tuple[int, ...]:
    """Return the number of levels of each label; nothing if it is to be found from the labels of train."""
    if "levels" not in declaration:
        return ()
    value = declaration["levels"]
    levels = value if isinstance(value, list) else [value] * labels
    if len(levels) != labels or not all(type(number) is int and 0 < number <= MAX_LEVELS for number in levels):
        remedy = f"Give a number from 1 to {MAX_LEVELS}, or a list with one for each label."
        raise source.error((*keys, "levels"), f"levels is {value!r}.", remedy)
    if declaration.get("scheme") != LEVELS:
        raise source.error((*keys, "levels"), "levels is given without the scheme of that name.", "Add scheme: levels.")
    return tuple(levels)


def _fragments(keys: tuple[str, ...], declaration: Mapping[str, Any], source: Source) -> bool:
    """Return whether a field has spans of several fragments, which needs sequences of tags for each label."""
    value = declaration.get("fragments", False)
    if not isinstance(value, bool):
        raise source.error((*keys, "fragments"), f"fragments is {value!r}.", "It must be true or false.")
    if value and declaration.get("scheme", BIO) == BIO:
        remedy = "Add scheme: tracks, or scheme: levels if spans of one label overlap."
        raise source.error((*keys, "fragments"), "one sequence of tags cannot express fragments.", remedy)
    return value
