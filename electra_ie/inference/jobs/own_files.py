"""The files that `extract` writes, and how an input folder tells them from texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import open_bytes
from electra_ie.data.declaration.record_plan import OF_TEXT, RECORD, TO_REVIEW
from electra_ie.inference.html_report import GENERATOR

FINDINGS = {"id", "file", "characters", "windows", "findings"}
"""Keys of a record of findings."""
FAULT = {"file", "line", "reason"}
"""Keys of a record of an input that could not be read."""
QUEUED = {"id", "file", "text", "drawn", "model", "findings"}
"""Keys of a record of a review queue."""
CONVERTED_TEXT = {"id", "file", "sha256", "text"}
"""Keys of a record of a text that was made from a file."""
ROW = (
    "id", "file", "characters", "windows", "field", "label", "start", "end", "text", "window", "score", "model",
    "version",
)  # fmt: skip
"""The columns of findings as csv."""
RECORDS = {*OF_TEXT, "records"}
"""Keys of a text with its records."""
OF_RECORD = [*OF_TEXT, RECORD]
"""The first columns of records in a table."""
ROW_OF_RECORD = ",".join(f'"{name}"' for name in OF_RECORD)
"""The beginning of records as csv."""
OF_MANIFEST = {"version", "model", "options", "inputs", "outputs", "layout"}
"""Keys of a manifest."""
MANIFEST = ".manifest.json"
"""The end of the name of a manifest."""
BEGINNING = 2**20
"""The bytes of a first line that are looked at."""


def errors_file(output: Path) -> Path:
    """Return the file of the inputs that could not be read."""
    return output.with_name(f"{output.name}.errors.jsonl")


def texts_file(output: Path) -> Path:
    """Return the file of the texts that were made from HTML and PDF files."""
    return output.with_name(f"{output.name}.texts.jsonl")


def manifest_file(output: Path) -> Path:
    """Return the file that says what was read, by which model, and what was written."""
    return output.with_name(f"{output.name}{MANIFEST}")


def job_folder(output: Path) -> Path:
    """Return the folder of an unfinished job. It is hidden, so that no reader of folders takes its files for texts."""
    return output.with_name(f".{output.name}.job")


def is_own(file: Path) -> bool:
    """Return whether a file is one that `extract` has written, as its content says; not of findings as Parquet."""
    name = file.name.lower().removesuffix(".gz")
    try:
        if name.endswith((".html", ".htm")):
            with open_bytes(file) as stream:
                return GENERATOR.encode() in stream.read(BEGINNING)
        if name.endswith(".parquet"):
            return _columns_of(file)[: len(OF_RECORD)] == OF_RECORD
        if not name.endswith((".jsonl", ".csv")):
            return False
        with open_bytes(file) as stream:
            line = stream.readline(BEGINNING)
        if name.endswith(".csv"):
            return line.decode().startswith((",".join(ROW), ROW_OF_RECORD))  # behind it are columns of the task
        record = json.loads(line)
    except (OSError, EOFError, ValueError, RecursionError):
        return False
    if not isinstance(record, Mapping):
        return False
    keys = record.keys()
    others = (FAULT, CONVERTED_TEXT, RECORDS, RECORDS | {TO_REVIEW})
    if keys >= QUEUED - {"model"} and keys <= QUEUED | {"relations", "seal"}:
        return True
    return (keys >= FINDINGS and "text" not in record) or keys in others


def refuse_foreign(file: Path) -> None:
    """Raise UserError for an output that exists, has content, and was not written by `extract`."""
    if not file.is_file() or not file.stat().st_size or is_own(file):
        return
    remedy = "Give another name, or --overwrite to replace it."
    raise UserError("this file exists, and extract did not write it.", file=file, remedy=remedy)


def _columns_of(file: Path) -> list[str]:
    """Return the columns of a Parquet file; none without the package that reads it, or if it is damaged."""
    try:
        from pyarrow import parquet

        return list(parquet.read_schema(file).names)
    except Exception:  # of many types
        return []


def without_own(files: Sequence[Path]) -> list[Path]:
    """Return the files of an input folder that `extract` has not written, as their content or a manifest says."""
    written = {output for folder in {file.parent for file in files} for output in _outputs_in(folder)}
    others = [file for file in files if not is_own(file)]
    if not written:
        return others
    return [file for file in others if not _is_in(Path(os.path.normpath(file)), written)]


def _is_in(file: Path, outputs: set[Path]) -> bool:
    """Return whether a file is one of the outputs, or in one that is a folder, as the queue of brat is."""
    return not outputs.isdisjoint((file, *file.parents))


def _outputs_in(folder: Path) -> Iterator[Path]:
    """Yield the outputs that the manifests in a folder name."""
    for manifest in folder.glob(f"*{MANIFEST}"):
        try:
            content = json.loads(manifest.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and content.keys() >= OF_MANIFEST and isinstance(content["outputs"], dict):
            yield from (Path(os.path.normpath(folder / name)) for name in content["outputs"])
