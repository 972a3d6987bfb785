"""Reader of data sets of the library `datasets`: folders that it saved, folders of Parquet or other files, and the hub.

A "file" of a split is the name of a split in the data set: `files: {train: train, dev: validation}`. Nothing of a local
data set is copied into the cache of the library. A data set that needs code of its own to be read is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, first_line, nearest
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.text_files import SourceRecord
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers import jsonl
from electra_ie.data.readers.parts.table_rows import record_of_row
from electra_ie.data.readers.parts.token_tags import TOKENS, with_texts
from electra_ie.formats.parts.columns import COLUMNS
from electra_ie.formats.parts.options import Option

KINDS = jsonl.KINDS
OPTIONS = {
    "name": Option(""),
    "configuration": Option(""),
    "revision": Option(""),
    **jsonl.OPTIONS,
    "tokens": Option(TOKENS),
    "join": COLUMNS["join"],
}
"""name: a folder below that of the data, or ORG/NAME on the hub; by default the folder of the data itself.
configuration: one of several parts of a data set. revision: a branch, tag or commit on the hub. text, id, unlabeled: as
in JSON lines. tokens: the column of tokens, of which a text is made if there is none; the columns of fields of spans
then have tags. join: what is put between tokens, as in the format conll."""
CONVERTED = "refs/convert/parquet"
"""The branch on which the hub has data sets as Parquet."""
SAVED, SAVED_SPLIT = "dataset_dict.json", "state.json"
"""Files of the folders that `save_to_disk` writes: of a data set, and of one split."""
ONE_SPLIT = "train"
"""The name of the split of a data set that was saved as one."""


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any], on_error: OnError) -> Iterator[Document]:
    """Yield the records of a split. path: the folder of the data, and in it the name of the split.

    Raises:
        UserError: there is no such data set or split, it lacks a column, or the hub cannot be reached.
    """
    name = options["name"] or str(path.parent)
    table, features = _split(path.parent, path.name, options)
    _check_columns(features, fields, options, f"{name}, {path.name}")
    used = [options["text"], options["id"], options["tokens"], *(field.column for field in fields)]
    found = []
    with _translated(name):
        for number, row in enumerate(table, start=1):
            source = SourceRecord(f"{name}, {path.name}", number)
            try:
                found.append((source, record_of_row(row, used, features, source)))
            except UserError as error:
                on_error(error)
    tags = [field.column for field in fields if field.kind == "spans"]
    records = jsonl.Records(f"{name}, {path.name}", fields, options, path.name)
    for source, record in with_texts(found, options["text"], options["tokens"], tags, options["join"], on_error):
        try:
            document = records.document(record, source)
        except UserError as error:
            on_error(error)
            continue
        yield document
    records.report()


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
        splits = _of_folder(local, options)
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


def _of_folder(path: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the splits of a local data set. Files are read as a stream, so that no copy is left in a cache."""
    import datasets

    with _translated(str(path)):
        if (path / SAVED).is_file():
            return dict(datasets.load_from_disk(str(path)))
        if (path / SAVED_SPLIT).is_file():
            table = datasets.load_from_disk(str(path))
            return {str(table.split or ONE_SPLIT): table}
        return dict(datasets.load_dataset(str(path), options["configuration"] or None, streaming=True))


def _of_hub(folder: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the splits of a data set on the hub, which is kept in the cache of the library."""
    import datasets

    name = options["name"]
    parent = folder / name.partition("/")[0]
    hub_name = None if parent.is_dir() else parse_hub_name(name, bare=True)
    if hub_name is None:
        remedy = "Give a folder in the folder of the data, or ORG/NAME for a data set on the hub."
        raise UserError("there is no such data set.", file=folder / name, remedy=remedy)
    with _translated(name), _without_bars():
        return dict(
            datasets.load_dataset(
                hub_name.repository,
                options["configuration"] or None,
                revision=options["revision"] or hub_name.revision,
            )
        )


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
    text = " ".join(str(error).split())
    if "scripts are no longer supported" in text or "trust_remote_code" in text:
        message = "the data set needs code of its own to be read, which is not run."
        return UserError(
            message, file=name, remedy=f"Set the option revision: {CONVERTED}, if the hub has converted it."
        )
    if isinstance(error, ConnectionError) or "offline" in text.casefold():
        message = f"the hub cannot be reached, and the data set is not in the cache ({first_line(text)})."
        return UserError(message, file=name, remedy="Load it once with network access, or give a local folder.")
    remedy = "Check the options name, configuration and revision, and the files of the data set."
    return UserError(f"the data set cannot be read: {first_line(text or error)}.", file=name, remedy=remedy)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Show no progress bars of the library: they would be mixed with the messages of a log."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def _check_columns(features: Mapping[str, Any], fields: Sequence[Field], options: Mapping[str, Any], name: str) -> None:
    """Raise UserError for a data set without a column of texts or tokens, or without the column of a field."""
    if options["text"] not in features and options["tokens"] not in features:
        message = f'there is neither a column "{options["text"]}" nor "{options["tokens"]}".'
        remedy = f"{nearest(options['text'], features)} See the options text and tokens."
        raise UserError(message, file=name, remedy=remedy)
    for field in fields:
        if field.column not in features:
            message = f'there is no column "{field.column}" for the field {field.name}.'
            raise UserError(message, file=name, remedy=f"{nearest(field.column, features)} Set from: in the field.")
