"""The files that `extract` writes beside its output, and how an input folder tells them from texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from electra_ie.common.text_files import open_bytes

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
    return output.with_name(f"{output.name}.manifest.json")


def job_folder(output: Path) -> Path:
    """Return the folder of an unfinished job. It is hidden, so that no reader of folders takes its files for texts."""
    return output.with_name(f".{output.name}.job")


def is_own(file: Path) -> bool:
    """Return whether a file of an input folder is one that `extract` has written."""
    name = file.name.lower().removesuffix(".gz")
    if not name.endswith((".jsonl", ".csv")):
        return False
    try:
        with open_bytes(file) as stream:
            line = stream.readline(BEGINNING)
        if name.endswith(".csv"):
            return line.decode().startswith(",".join(ROW))  # behind it are the columns of attributes
        record = json.loads(line)
    except (OSError, EOFError, ValueError, RecursionError):
        return False
    if not isinstance(record, Mapping):
        return False
    keys = record.keys()
    return (keys >= FINDINGS and "text" not in record) or keys in (FAULT, CONVERTED_TEXT, QUEUED, QUEUED - {"model"})
