"""Reader of data sets of the library `datasets`: folders that it saved, folders of Parquet or other files, and the hub.

A "file" of a split is the name of a split in the data set: `files: {train: train, dev: validation}`. Nothing of a local
data set is copied into the cache of the library. A data set that needs code of its own to be read is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from electra_ie.common.errors import OnError, UserError, first_line, nearest
from electra_ie.common.folders import SAVED, SAVED_SPLIT
from electra_ie.common.hub_client import (
    COMMIT,
    HubName,
    data_set_commit,
    data_set_folders,
    download,
    parse_hub_name,
)
from electra_ie.common.logs import notice
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.common.text_files import SourceRecord
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField, AttributeField
from electra_ie.data.readers import jsonl
from electra_ie.data.readers.parts.table_rows import record_of_row
from electra_ie.data.readers.parts.token_tags import TOKENS, with_texts
from electra_ie.formats.parts.columns import COLUMNS
from electra_ie.formats.parts.delimited import compose, text_columns
from electra_ie.formats.parts.options import Option

TEXT = "text"
SPAN_KEYS = ("start", "end", "label")
OPTIONS = {
    "name": Option(""),
    "configuration": Option(""),
    "revision": Option(""),
    **jsonl.OPTIONS,
    TEXT: Option(TEXT, (str, list)),
    "tokens": Option(TOKENS),
    "join": COLUMNS["join"],
    **{key: Option(key) for key in SPAN_KEYS},
}
"""name: a folder below that of the data, or ORG/NAME on the hub; by default the folder of the data itself.
configuration: one of several parts of a data set. revision: a branch, tag or commit on the hub. text: the column of the
text, or several, composed as lines "name: value". id, unlabeled: as in JSON lines. tokens: the column of tokens, of
which a text is made if there is none; the columns of fields of spans then have tags. join: what is put between tokens,
as in the format conll. start, end, label: the keys of spans."""
CONVERTED = "refs/convert/parquet"
"""The branch on which the hub has data sets as Parquet, with a folder for each configuration."""
ONE_SPLIT = "train"
"""The name of the split of a data set that was saved as one."""
SWITCH = f"set the option revision: {CONVERTED}, or name it as ORG/NAME@{CONVERTED}"
CHOOSE = "Name one of them: the option configuration, or --configuration."
UNKNOWN_CONFIGURATION = re.compile(r"BuilderConfig '(.*?)' not found. Available: \[(.*?)\]")
NO_CONFIGURATION = re.compile(r"Config name is missing.*?available configs: \[(.*?)\]")
"""Messages of the library."""
Records = list[tuple[SourceRecord, dict[str, Any]]]


def read(path: Path, fields: Sequence[AnyField], options: Mapping[str, Any], on_error: OnError) -> Iterator[Document]:
    """Yield the records of a split. path: the folder of the data, and in it the name of the split.

    Raises:
        UserError: there is no such data set or split, it lacks a column, or the hub cannot be reached.
    """
    name = f"{options['name'] or path.parent}, {path.name}"
    table, features = _split(path.parent, path.name, options)
    _check_columns(features, fields, options, name)
    columns = [field.column for field in fields]
    spans = [field.column for field in fields if field.kind == "spans"]
    with _translated(str(options["name"] or path.parent)):
        found = records_of(table, features, columns, spans, options, name, on_error)
    settled = {**options, TEXT: text_key(options)}
    records = jsonl.Records(name, fields, settled, path.name)
    for source, record in found:
        try:
            document = records.document(record, source)
        except UserError as error:
            on_error(error)
            continue
        yield document
    records.report()


def records_of(
    table: Any,
    features: Mapping[str, Any],
    columns: Sequence[str],
    spans: Sequence[str],
    options: Mapping[str, Any],
    name: str,
    on_error: OnError,
) -> Records:
    """Return the rows of a split as records of JSON lines, with a text under the key `text_key(options)`.

    Args:
        table: The rows.
        features: The features of the columns.
        columns: The columns whose values are converted, besides those of text, tokens and id.
        spans: Those that have spans, or tags.
        options: A value for each of `OPTIONS`.
        name: The data set and the split, for messages.
        on_error: Called for each invalid row.
    """
    used = [*text_columns(options), options["id"], options["tokens"], *columns]
    found: Records = []
    for number, row in enumerate(table, start=1):
        source = SourceRecord(name, number)
        try:
            record = _with_span_keys(record_of_row(row, used, features, source), spans, options)
            found.append((source, _composed(record, options, source)))
        except UserError as error:
            on_error(error)
    return with_texts(found, text_key(options), options["tokens"], spans, options["join"], on_error)


def text_key(options: Mapping[str, Any]) -> str:
    """Return the key of the text in the records of `records_of`."""
    return options[TEXT] if isinstance(options[TEXT], str) else TEXT


def _composed(record: dict[str, Any], options: Mapping[str, Any], source: SourceRecord) -> dict[str, Any]:
    """Return a record in which several columns of text are one."""
    if isinstance(options[TEXT], str):
        return record
    columns = text_columns(options)
    for column in columns:
        if not isinstance(record.get(column) or "", str):
            raise source.error(f'"{column}" is {record[column]!r}, not a text.', "Correct or remove it.")
    others = {key: value for key, value in record.items() if key not in columns}
    return {**others, TEXT: compose({column: record.get(column) or "" for column in columns}, columns)}


def _with_span_keys(record: dict[str, Any], spans: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose spans have the keys start, end and label."""
    names = {options[key]: key for key in SPAN_KEYS if options[key] != key}
    for column in spans if names else ():
        if isinstance(record.get(column), list):
            record[column] = [
                {names.get(key, key): value for key, value in item.items()} if isinstance(item, dict) else item
                for item in record[column]
            ]
    return record


def local_path(folder: Path, options: Mapping[str, Any]) -> Path | None:
    """Return the local folder or file of a data set; None for one on the hub."""
    name = options.get("name", "")
    return folder / name if not name or (folder / name).exists() else None


def _split(folder: Path, split: str, options: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Return the rows and the features of a split."""
    local = local_path(folder, options)
    if local is None:
        splits = _of_hub(folder, options)
    else:
        _check_local(local, options)
        splits = splits_of_folder(local, options["configuration"])
    if split not in splits:
        remedy = f"{nearest(split, splits)} The key files names splits of the data set."
        raise UserError(f'the data set has no split "{split}".', file=options["name"] or folder, remedy=remedy)
    table = splits[split]
    with _translated(options["name"] or str(folder)):
        features = table.features or table._resolve_features().features  # of a file without types, which are guessed
    return table, features or {}


def _check_local(path: Path, options: Mapping[str, Any]) -> None:
    """Raise UserError for a local data set with a revision, or a path that is no folder, or an empty one.

    The library takes a path that is no folder for a name on the hub.
    """
    if not path.is_dir():
        message = "the data set is a file, not a folder." if path.exists() else "there is no such folder of a data set."
        raise UserError(message, file=path, remedy="Name the folder of the files, or read a file with its own format.")
    if options["revision"]:
        message = f"the option revision is {options['revision']!r}, and the data set is local."
        raise UserError(message, file=path, remedy="Omit it, or give the name of a data set on the hub.")
    if path.is_dir() and not any(path.iterdir()):
        raise UserError("the folder of the data set is empty.", file=path, remedy="Copy the data set here.")


def splits_of_folder(path: Path, configuration: str = "") -> Mapping[str, Any]:
    """Return the splits of a local data set. Files are read as a stream, so that no copy is left in a cache."""
    import datasets

    with _translated(str(path)):
        if (path / SAVED).is_file():
            return dict(datasets.load_from_disk(str(path)))
        if (path / SAVED_SPLIT).is_file():
            table = datasets.load_from_disk(str(path))
            return {str(table.split or ONE_SPLIT): table}
        builder = datasets.load_dataset_builder(str(path), configuration or None)
        if hasattr(builder.config, "keep_default_na"):
            # Of CSV files the library reads words such as None, NA and nan as null, which would lose texts and labels.
            builder.config.keep_default_na, builder.config.na_values = False, [""]
        return dict(builder.as_streaming_dataset())


def _of_hub(folder: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the splits of a data set on the hub."""
    name = options["name"]
    parent = folder / name.partition("/")[0]
    hub_name = None if parent.is_dir() else parse_hub_name(name, bare=True)
    if hub_name is None:
        remedy = "Give a folder in the folder of the data, or ORG/NAME for a data set on the hub."
        raise UserError("there is no such data set.", file=folder / name, remedy=remedy)
    revision = options["revision"] or hub_name.revision
    return load_from_hub(HubName(hub_name.repository, revision), options["configuration"]).splits


class HubDataSet(NamedTuple):
    """A data set of the hub: its splits by name, and its commit."""

    splits: Mapping[str, Any]
    commit: str


@lru_cache(maxsize=2)
def load_from_hub(name: HubName, configuration: str = "") -> HubDataSet:
    """Return a data set of the hub, which is kept in the cache of the libraries, and from then on in this process.

    All splits that a process reads are therefore of one commit.

    Raises:
        UserError: there is no such data set, revision or configuration, it needs code of its own, or the hub cannot be
            reached and the data set is not in the cache.
    """
    commit = data_set_commit(name)
    if not commit:
        notice(f"{name}: the hub cannot be reached, or HF_HUB_OFFLINE is set: the copy in the cache is used, if any.")
    with _translated(str(name)), _quiet():
        if name.revision == CONVERTED and configuration:
            return _converted(name, configuration, commit)
        return _built(name, configuration, commit)


def _built(name: HubName, configuration: str, commit: str) -> HubDataSet:
    """Return a data set as the library builds it. commit: "" to use its cache only."""
    import datasets

    with nullcontext() if commit else _offline():
        builder = datasets.load_dataset_builder(name.repository, configuration or None, revision=commit or None)
        if not commit and COMMIT.fullmatch(name.revision or "") and builder.hash != name.revision:
            remedy = "Load it once with network access, or name the commit of the cache as revision."
            raise UserError(f"the cache has another commit, {builder.hash}.", file=str(name), remedy=remedy)
        if name.revision == CONVERTED:
            # Without a card, the library takes the folders of all configurations for one.
            files = [str(file) for found in (builder.config.data_files or {}).values() for file in found]
            _check_one({file.partition(f"@{builder.hash}/")[2].partition("/")[0] for file in files}, name)
        builder.download_and_prepare()
        return HubDataSet(dict(builder.as_dataset()), str(builder.hash))


def _check_one(folders: set[str], name: HubName) -> None:
    if len(folders) > 1:
        message = f"the data set has several configurations: {', '.join(sorted(folders))}."
        raise UserError(message, file=str(name), remedy=CHOOSE)


def _converted(name: HubName, configuration: str, commit: str) -> HubDataSet:
    """Return one configuration of a converted data set: a folder of Parquet files, of which no further copy is made.

    The library does not find it in its own cache without a network.
    """
    if commit and configuration not in (folders := data_set_folders(name)):
        message = f'the data set has no configuration "{configuration}".'
        raise UserError(message, file=str(name), remedy=nearest(configuration, sorted(folders)))
    folder = download(name, [f"{configuration}/*"], kind="dataset", local_files_only=not commit)
    if not (folder / configuration).is_dir():
        message = f'the configuration "{configuration}" is not in the cache.'
        raise UserError(message, file=str(name), remedy="Load it once with network access.")
    return HubDataSet(splits_of_folder(folder / configuration), folder.name)


@contextmanager
def _offline() -> Iterator[None]:
    """Let the library use its cache at once: it would try for half a minute to reach the hub."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Translate the errors of the library, which are of many types, into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise _explained(error, name) from None


def _explained(error: Exception, name: str) -> UserError:
    """Return the error in one line."""
    text = " ".join(str(error).split())
    if "scripts are no longer supported" in text or "trust_remote_code" in text:
        message = "the data set needs code of its own to be read, which is not run."
        return UserError(message, file=name, remedy=f"If the hub has converted it: {SWITCH}.")
    if isinstance(error, ConnectionError) or "offline" in text.casefold():
        message = f"the hub cannot be reached, and the data set is not in the cache ({first_line(text)})."
        return UserError(message, file=name, remedy="Load it once with network access, or give a local folder.")
    if match := UNKNOWN_CONFIGURATION.search(text):
        listed = match[2].replace("'", "")
        return UserError(f'the data set has no configuration "{match[1]}", only: {listed}.', file=name, remedy=CHOOSE)
    if match := NO_CONFIGURATION.search(text):
        listed = match[1].replace("'", "")
        return UserError(f"the data set has several configurations: {listed}.", file=name, remedy=CHOOSE)
    if "contain any data files" in text or "data files found" in text:
        message = "the data set has no files that can be read without code of its own."
        return UserError(message, file=name, remedy=f"If the hub has converted it: {SWITCH}.")
    remedy = "Check the options name, configuration and revision, and the files of the data set."
    return UserError(f"the data set cannot be read: {first_line(text or error)}.", file=name, remedy=remedy)


@contextmanager
def _quiet() -> Iterator[None]:
    """Show no progress bars and no warnings of the library: they would be mixed with the messages of a log."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    with PROCESS_STATE:
        shown, level = not are_progress_bars_disabled(), logging.get_verbosity()
        disable_progress_bars()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if shown:
                enable_progress_bars()


def _check_columns(
    features: Mapping[str, Any], fields: Sequence[AnyField], options: Mapping[str, Any], name: str
) -> None:
    """Raise UserError for a data set without a column of texts or tokens, or without the column of a field."""
    texts = text_columns(options)
    missing = [column for column in texts if column not in features]
    if (missing or not texts) and options["tokens"] not in features:
        message = f'there is neither a column "{"".join(missing[:1])}" nor "{options["tokens"]}".'
        remedy = f"{nearest(missing[0] if missing else '', features)} See the options text and tokens."
        raise UserError(message, file=name, remedy=remedy)
    for field in fields:
        if field.column not in features and not isinstance(field, AttributeField):  # whose key is one of the spans
            message = f'there is no column "{field.column}" for the field {field.name}.'
            raise UserError(message, file=name, remedy=f"{nearest(field.column, features)} Set from: in the field.")
