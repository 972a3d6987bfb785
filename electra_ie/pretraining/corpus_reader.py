"""Reading of a corpus line by line, so that memory use does not grow with the corpus.

A corpus is files, folders, .gz files, JSON lines, data sets on the Hub, or the training texts of a task.

The model sees a stream of tokens, so line breaks carry no meaning; ends of documents do, and are marked by `END`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.folders import files_of
from electra_ie.common.hub_client import HUB
from electra_ie.common.logs import notice
from electra_ie.common.text_files import SourceLine, lines, reading
from electra_ie.data.splits import UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.task_files import TASK_FILE, list_tasks
from electra_ie.formats.parts.json_values import parse, text_of

HUB_KEYS = ("config", "split", "column", "revision")
TEXTS, RECORDS = (".txt", ".txt.gz"), (".jsonl", ".jsonl.gz")

END = ""
"""Marks the end of a document among the lines. A line of text is never empty: it has at least its line break."""


@dataclass
class Counts:
    """Counts of what a corpus contains, updated while it is read.

    empty: files without text. repeated: lines dropped as duplicates. textless: rows of a data set on the hub whose
    text is null.
    """

    files: int = 0
    empty: int = 0
    documents: int = 0
    lines: int = 0
    characters: int = 0
    repeated: int = 0
    textless: int = 0


@dataclass(frozen=True)
class Corpus:
    """A corpus: `hash` of its content and of how it is read, and `lines`, which yields its lines and updates counts."""

    hash: str
    lines: Callable[[Counts], Iterator[str]]


def corpus_of_paths(paths: Sequence[str], boundary: str, deduplicate: bool) -> Corpus:
    """Return the corpus in files, folders, tasks or data sets; the arguments are those of `read`."""
    content = json.dumps([content_hash(paths), boundary, deduplicate])
    return Corpus(content, lambda counts: read(paths, boundary, deduplicate, counts))


def corpus_of_texts(texts: Sequence[str]) -> Corpus:
    """Return the corpus of texts in memory, each of which is a document."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(_text_digest(text))
    return Corpus(digest.hexdigest(), lambda counts: _counted(_documents(texts), False, counts))


def read(paths: Sequence[str], boundary: str, deduplicate: bool, counts: Counts) -> Iterator[str]:
    """Yield the non-empty lines of a corpus, and `END` after each document; `counts` is updated on the way.

    boundary: what ends a document within a text file (`blank`, `line` or `file`); a record of a `.jsonl` file or a row
    of a data set is one document. deduplicate: drop lines that occurred before, at the cost of a 16-byte hash for each
    distinct line and Python's overhead for it.

    Raises UserError for a path that is missing or is not text, and for a corpus without any text.
    """
    yield from _counted((line for path in paths for line in _lines(path, boundary, counts)), deduplicate, counts)
    if not counts.lines:
        others = f" (nor in {len(paths) - 1} more)" if len(paths) > 1 else ""
        raise UserError(f"there is no text in it{others}.", file=paths[0], remedy="Give files with text in them.")


def _counted(lines: Iterable[str], deduplicate: bool, counts: Counts) -> Iterator[str]:
    """Yield the non-empty lines, and `END` after each document that has one, and count them."""
    seen: set[bytes] = set()
    has_lines = False  # whether the current document has a line yet
    for line in lines:
        if not line.strip():
            if not line and has_lines:
                has_lines = False
                counts.documents += 1
                yield END
            continue
        counts.lines += 1
        if deduplicate:
            digest = hashlib.blake2b(line.strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest in seen:
                counts.repeated += 1
                continue
            seen.add(digest)
        has_lines = True
        counts.characters += len(line)
        yield line


def content_hash(paths: Sequence[str]) -> str:
    """Return the SHA-256 of a corpus.

    It covers the bytes of all files in order, the texts of a task, or the name and revision of a data set on the Hub.
    Warns about files of a folder that are not read.
    """
    digest = hashlib.sha256()
    for path in paths:
        if task := _task(path):
            for text in _training_texts(task):
                digest.update(_text_digest(text))
            continue
        if path.startswith(HUB):
            digest.update(f"{path} {_revision(path)}\n".encode())
            continue
        for file in files(path, report=True):
            with reading(file), file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
            digest.update("".join(file.suffixes[-2:]).encode())  # the suffix decides how the file is read
    return digest.hexdigest()


def _text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def files(path: str, report: bool = False) -> list[Path]:
    """Return the file at `path`, or the text files below the folder at `path`, sorted by name.

    Raises UserError if there is none.
    """
    root = Path(path)
    if not root.is_dir():
        if not root.exists():
            remedy = f"Check the path, or give {HUB}NAME or a task."
            raise UserError("there is no such file or folder.", file=path, remedy=remedy)
        return [root]
    return files_of(root, TEXTS + RECORDS, report)


def _lines(path: str, boundary: str, counts: Counts) -> Iterator[str]:
    if path.startswith(HUB):
        yield from _documents(_hub_texts(path, counts))
        return
    if task := _task(path):
        notice(f"{path}: reading the splits {' and '.join(_training_splits(task))} of this task; others are not read.")
        yield from _documents(_training_texts(task))
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
    """Yield the texts of a .jsonl file; other keys of a record are ignored."""
    for number, line in lines(file):
        if line.strip():
            source = SourceLine(str(file), number)
            yield text_of(parse(line, source), "text", source)


def _documents(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from text.splitlines(keepends=True)
        yield END


# Tasks


def _task(path: str) -> Task | None:
    """Return the task of a task.yaml, of a folder that contains one, or of a shipped name; None for any other path."""
    file = Path(path)
    if file.name == TASK_FILE or (file / TASK_FILE).is_file() or not file.exists() and path in list_tasks():
        return Task.load(path)
    return None


def _training_texts(task: Task) -> Iterator[str]:
    """Yield the texts of the splits that a run trains on, never of those that it is scored on."""
    if not task.folder.is_dir():
        remedy = f"Set data: in {TASK_FILE} to the folder that contains them, or give text files instead."
        raise UserError(f"the data folder of the task {task.name} does not exist.", file=task.folder, remedy=remedy)
    for split in _training_splits(task):
        yield from (document.text for document in task.read(split))


def _training_splits(task: Task) -> list[str]:
    return [split for split in ("train", UNLABELED) if split in task.splits]


# Data sets on the hub


def _hub_name(path: str) -> tuple[str, dict[str, str]]:
    """Split `hub:ORG/NAME?config=C&split=train&column=text&revision=R` into the name and the options."""
    name, _, query = path.removeprefix(HUB).partition("?")
    options = {key: values[-1] for key, values in parse_qs(query).items()}
    for key in options:
        if key not in HUB_KEYS:
            raise UserError(f'unknown key "{key}".', file=path, remedy=nearest(key, HUB_KEYS))
    return name, options


def _hub_texts(path: str, counts: Counts) -> Iterator[str]:
    import datasets

    name, options = _hub_name(path)
    column = options.get("column", "text")
    try:
        rows: Iterable[dict[str, Any]] = datasets.load_dataset(
            name,
            options.get("config"),
            split=options.get("split", "train"),
            revision=options.get("revision"),
            streaming=True,
        )
        for row in rows:
            if column in row and row[column] is None:
                counts.textless += 1
            elif isinstance(row.get(column), str):
                yield row[column]
            else:
                columns = ", ".join(row)
                raise UserError(
                    f'there is no text in the column "{column}".', file=path, remedy=f"Add ?column= one of: {columns}."
                )
    except UserError:
        raise
    except Exception as error:  # the client raises errors of many types when the network fails
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        remedy = "Check the name, the network, and ?config= and ?split=."
        raise UserError(f"the data set cannot be read: {reason}", file=path, remedy=remedy) from error


def _revision(path: str) -> str:
    from huggingface_hub import HfApi

    name, options = _hub_name(path)
    try:
        return HfApi().dataset_info(name, revision=options.get("revision")).sha or ""
    except Exception as error:  # as above
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(
            f"the data set cannot be found: {reason}", file=path, remedy="Check the name and the network."
        ) from error
