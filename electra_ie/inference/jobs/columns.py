"""Documents from columns of Arrow: Parquet files, and folders that `datasets` saved, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from electra_ie.common.errors import OnError, UserError, first_line, nearest
from electra_ie.common.packages import require_package
from electra_ie.common.text_files import SourceLine, reading
from electra_ie.data.document import Document
from electra_ie.formats.parts.json_values import id_of, text_of

EXACT = 2**53
"""From here on a float is not every whole number."""
ROWS = 256
"""Rows that are read at once."""


def rows_of_parquet(
    path: Path, options: Mapping[str, Any], fail: OnError, stem: str, require_id: bool
) -> Iterator[Document]:
    """Yield a document for each row of a Parquet file; the line of a document is the number of its row, from 1."""
    require_package("pyarrow", "Parquet", file=path)
    import pyarrow
    from pyarrow import parquet

    try:
        with _opened(path) as file, parquet.ParquetFile(file, memory_map=False) as table:
            names = _columns(table.schema_arrow.names, options, str(path), require_id)
            batches = table.iter_batches(ROWS, columns=names)
            yield from _documents(batches, options, fail, str(path), stem, require_id)
    except (pyarrow.ArrowException, OSError) as error:  # damaged pages are of either type
        message = f"this is not a Parquet file, or it is damaged ({type(error).__name__})."
        raise UserError(message, file=path, remedy="Write it again.") from None


def _opened(path: Path) -> BinaryIO:
    with reading(path):
        return path.open("rb")


def rows_of_data_set(
    path: Path, options: Mapping[str, Any], fail: OnError, stem: str, require_id: bool
) -> Iterator[Document]:
    """Yield a document for each row of a folder that `save_to_disk` wrote, one split after another."""
    for split, table in _splits(path).items():
        name = f"{path}/{split}" if split else str(path)
        names = _columns(table.column_names, options, name, require_id)
        batches = (
            batch for part in table.select_columns(names).with_format("arrow").iter(ROWS) for batch in part.to_batches()
        )
        own_stem = f"{stem}/{split}" if split else stem
        try:
            yield from _documents(batches, options, fail, name, own_stem, require_id)
        except OSError as error:
            raise UserError(f"this data set is damaged: {first_line(error)}.", file=name) from None


def _columns(names: Sequence[str], options: Mapping[str, Any], file: str, require_id: bool) -> list[str]:
    """Return the columns to read: that of the text, and that of the id if there is one."""
    text, id = options["text"], options["id"]
    if text not in names:
        remedy = f"{nearest(text, names)} Name it with --text."
        raise UserError(f'there is no column "{text}".', file=file, remedy=remedy)
    if require_id and id not in names:
        raise UserError(f'there is no column "{id}".', file=file, remedy=nearest(id, names))
    return [text, id] if id in names and id != text else [text]


def _documents(
    batches: Iterator[Any], options: Mapping[str, Any], fail: OnError, file: str, stem: str, require_id: bool
) -> Iterator[Document]:
    number = 0
    for batch in batches:
        columns = {name: batch.column(name) for name in batch.schema.names}
        for row in range(batch.num_rows):
            number += 1
            source = SourceLine(file, number)
            try:
                record = {
                    name: _value(column[row], name, source, name == options["id"]) for name, column in columns.items()
                }
                text = text_of(record, options["text"], source)
                id = id_of(record, options["id"], source)
                if require_id and not id:
                    raise source.error(f'the row has no "{options["id"]}".', "Name the column of the id with --id.")
            except UserError as error:
                fail(error)
                continue
            yield Document(id or f"{stem}-{number}", text, {}, file, number)


def _value(cell: Any, name: str, source: SourceLine, is_id: bool) -> Any:
    """Return the value of a cell as JSON has it, so that the checks of records apply."""
    try:
        value = cell.as_py()
    except UnicodeDecodeError:
        raise source.error(f'"{name}" is not UTF-8 text.', "Write it as UTF-8.") from None
    if is_id and isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)  # whole numbers with a null, as pandas writes them
    if value is not None and not isinstance(value, str | int):
        raise source.error(f'"{name}" is a {type(value).__name__}, not a text.', "Name a column of texts.")
    return value


def _splits(path: Path) -> dict[str, Any]:
    """Return the splits of a folder that `save_to_disk` wrote; one data set has the name ""."""
    require_package("datasets", "a folder that datasets saved", file=path)
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except Exception as error:  # of many types
        message = f"this data set cannot be read: {first_line(error)}."
        raise UserError(message, file=path, remedy="Save it again.") from None
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}


def number_of_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file or a data set."""
    if path.is_dir():
        return sum(map(len, _splits(path).values()))
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        return int(table.metadata.num_rows)
