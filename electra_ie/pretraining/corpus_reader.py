"""The text of a corpus, line by line: files, folders, .gz files, JSON lines, data sets on the hub; memory stays flat.
Of a task, the texts that a run learns from.

What a line is does not matter to the model; what a document is does: the end of one is marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.logs import notice
from electra_ie.common.text_files import SourceLine, lines, reading
from electra_ie.data.readers import jsonl
from electra_ie.data.readers.folders import files_of
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import TASK_FILE, UNLABELED, list_tasks

HUB = "hub:"
HUB_KEYS = ("config", "split", "column", "revision")
TEXTS, RECORDS = (".txt", ".txt.gz"), (".jsonl", ".jsonl.gz")

END = ""
"""What stands between two documents; a line has at least its line end."""


@dataclass
class Counts:
    """What a corpus was made of, counted while it is read."""

    files: int = 0
    empty: int = 0
    """Files without text."""
    documents: int = 0
    lines: int = 0
    characters: int = 0
    repeated: int = 0
    textless: int = 0
    """Rows of a data set on the hub whose text is null."""


def read(paths: Sequence[str], boundary: str, unique: bool, counts: Counts) -> Iterator[str]:
    """The lines of a corpus, not one of them empty, `END` after each document; `counts` grows as they are read.

    boundary: what ends a document within a text file (`blank`, `line` or `file`); a record of a `.jsonl` or a row of a
    data set is a document. unique: leave out lines that occurred before (32 bytes of memory for each, and what Python
    needs around them). Raises UserError for what is missing or is not text, and where there is no text at all.
    """
    seen: set[bytes] = set()
    within = False  # has the document at hand a line?
    for path in paths:
        for line in _lines(path, boundary, counts):
            if not line.strip():
                if not line and within:
                    within = False
                    counts.documents += 1
                    yield END
                continue
            counts.lines += 1
            if unique:
                mark = hashlib.blake2b(line.strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()
                if mark in seen:
                    counts.repeated += 1
                    continue
                seen.add(mark)
            within = True
            counts.characters += len(line)
            yield line
    if not counts.lines:
        more = f" (nor in {len(paths) - 1} more)" if len(paths) > 1 else ""
        raise UserError(f"there is no text in it{more}.", file=paths[0], remedy="Give files with text in them.")


def content_hash(paths: Sequence[str]) -> str:
    """SHA-256 over the bytes of all files in order; of a task, over its texts; of a data set on the hub, over its name
    and revision. Warns of what is left out of a folder."""
    digest = hashlib.sha256()
    for path in paths:
        if task := _task(path):
            for text in _learnt(task):
                digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
            continue
        if path.startswith(HUB):
            digest.update(f"{path} {_revision(path)}\n".encode())
            continue
        for file in files(path, report=True):
            with reading(file), file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
            digest.update("".join(file.suffixes[-2:]).encode())  # decides how it is read
    return digest.hexdigest()


def files(path: str, report: bool = False) -> list[Path]:
    """The files of a path: itself, or the texts below a folder, by name. Raises UserError where there are none."""
    found = Path(path)
    if not found.is_dir():
        if not found.exists():
            remedy = f"Check the path, or give {HUB}NAME or a task."
            raise UserError("there is no such file or folder.", file=path, remedy=remedy)
        return [found]
    return files_of(found, TEXTS + RECORDS, report)


def _lines(path: str, boundary: str, counts: Counts) -> Iterator[str]:
    if path.startswith(HUB):
        yield from _documents(_hub_texts(path, counts))
        return
    if task := _task(path):
        notice(f"{path}: of this task the texts of {' and '.join(_learnt_splits(task))} are read, no others.")
        yield from _documents(_learnt(task))
        return
    for file in files(path):
        counts.files += 1
        before = counts.lines
        if file.name.lower().endswith(RECORDS):
            yield from _documents(_records(file))
        else:
            yield from _plain(file, boundary)
        counts.empty += counts.lines == before


def _plain(file: Path, boundary: str) -> Iterator[str]:
    for _, line in lines(file):
        yield line
        if boundary == "line" or boundary == "blank" and not line.strip():
            yield END
    yield END


def _records(file: Path) -> Iterator[str]:
    """The texts of a .jsonl file; whatever else a record holds does not matter here."""
    for number, line in lines(file):
        if line.strip():
            place = SourceLine(str(file), number)
            yield jsonl.text_of(jsonl.parse(line, place), "text", place)


def _documents(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from text.splitlines(keepends=True)
        yield END


# Tasks


def _task(path: str) -> Task | None:
    """The task of a task.yaml, of a folder that holds one, or of a shipped name; None for a path of texts."""
    place = Path(path)
    if place.name == TASK_FILE or (place / TASK_FILE).is_file() or not place.exists() and path in list_tasks():
        return Task.load(path)
    return None


def _learnt(task: Task) -> Iterator[str]:
    """The texts of the splits that a run learns from: never those that it is scored on."""
    if not task.folder.is_dir():
        remedy = f"Let the data: of a {TASK_FILE} lead to them, or give files of text."
        raise UserError(f"the data of the task {task.name} are not here.", file=task.folder, remedy=remedy)
    for split in _learnt_splits(task):
        yield from (document.text for document in task.read(split))


def _learnt_splits(task: Task) -> list[str]:
    return [split for split in ("train", UNLABELED) if split in task.splits]


# Data sets on the hub


def _hub_name(path: str) -> tuple[str, dict[str, str]]:
    """`hub:ORG/NAME?config=C&split=train&column=text&revision=R` -> the name, and what is asked of it."""
    name, _, query = path.removeprefix(HUB).partition("?")
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    for key in asked:
        if key not in HUB_KEYS:
            raise UserError(f'unknown key "{key}".', file=path, remedy=nearest(key, HUB_KEYS))
    return name, asked


def _hub_texts(path: str, counts: Counts) -> Iterator[str]:
    import datasets

    name, asked = _hub_name(path)
    column = asked.get("column", "text")
    try:
        rows: Iterable[dict[str, Any]] = datasets.load_dataset(
            name, asked.get("config"), split=asked.get("split", "train"), revision=asked.get("revision"), streaming=True
        )
        for row in rows:
            if column in row and row[column] is None:
                counts.textless += 1
            elif isinstance(row.get(column), str):
                yield row[column]
            else:
                known = ", ".join(row)
                raise UserError(
                    f'there is no text in the column "{column}".', file=path, remedy=f"Add ?column= one of: {known}."
                )
    except UserError:
        raise
    except Exception as error:  # the client has errors of many kinds for a network that fails
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        remedy = "Check the name, the network, and ?config= and ?split=."
        raise UserError(f"the data set cannot be read: {first}", file=path, remedy=remedy) from error


def _revision(path: str) -> str:
    from huggingface_hub import HfApi

    name, asked = _hub_name(path)
    try:
        return HfApi().dataset_info(name, revision=asked.get("revision")).sha or ""
    except Exception as error:  # as above
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(
            f"the data set cannot be found: {first}", file=path, remedy="Check the name and the network."
        ) from error
