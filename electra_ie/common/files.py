"""Files that are written whole or not at all, locks, links, and what is never overwritten."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, first_process

ROOT = Path(__file__).parents[1]
"""The folder of this package."""
CARD = "README.md"
"""The card of a model, a run or a data set, as the hub names it."""
MODEL_FILES = (
    "config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "*.model",
)  # fmt: skip
"""What the folder of a model holds: weights as safetensors and a tokenizer. `*.model` is SentencePiece's."""


def refuse_overwriting(outputs: Iterable[Path | int], inputs: Iterable[Path | int]) -> None:
    """Raises UserError for an output that is one of the files to be read, by whatever name, link or case it is called.
    Each is a path, or the number of an open file."""
    places = {identity: place for place in outputs if (identity := _identity(place))}
    for file in inputs if places else ():
        if (identity := _identity(file)) in places:
            place = places[identity]
            remedy = "Write to another file, best outside the folder of what is read."
            message = "the output is a file that is read."
            name = next((each for each in (place, file) if isinstance(each, Path)), "<standard input>")
            raise UserError(message, file=name, remedy=remedy)


def number_of(stream: object) -> list[int]:
    """The number of an open file, which `refuse_overwriting` takes; none of a path, or of a stream in memory."""
    try:
        return [stream.fileno()]  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return []


def _identity(place: Path | int) -> tuple[int, int] | None:
    """What is the same for all names of a file; None where there is no such file."""
    try:
        status = os.stat(place)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def refuse_within(output: Path, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raises UserError for an output folder in a folder of texts, among which its own files would be read."""
    above = [place for place in (output.resolve(), *output.resolve().parents) if place.exists()]
    for path in paths:
        if os.path.isdir(path) and any(os.path.samefile(place, path) for place in above):
            remedy = "Give another --output: its own files would be read as texts."
            raise UserError("the output lies within the folder of the texts.", file=output, remedy=remedy)


def escapes_folder(path: Path, home: Path) -> bool:
    """Does a path end outside `home`, a folder without links in its own path, or nowhere, as links in a circle do?"""
    try:
        end = path.resolve()
    except (OSError, RuntimeError):  # how Python before 3.13 tells of a circle; later it stops at one of its links
        return True
    return end.is_symlink() or not end.is_relative_to(home)


def repository_of(folder: Path) -> Path | None:
    """The repository's folder in the hub's cache, for a folder that was fetched; None for any other."""
    for place in (folder.resolve(), *folder.resolve().parents):
        if place.name == "snapshots" and place.parent.name.startswith(("models--", "datasets--")):
            return place.parent
    return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within, no other process may work in the folder, which is made if need be. Of several processes of one training
    the first speaks for all. Raises UserError where another one is at work."""
    from filelock import FileLock, Timeout

    if not first_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        remedy = "Wait for it, or end it."
        raise UserError("another process is at work in this folder.", file=folder, remedy=remedy) from None
    try:
        yield
    finally:
        (folder / ".lock").unlink(missing_ok=True)
        lock.release()


@contextmanager
def atomic_path(path: Path, shared: bool = False) -> Iterator[Path]:
    """A file beside `path`, to be written; it takes that place when it is complete, and is gone when it is not.

    It has one name, so that what a killed process left is written over; with `shared`, where several processes may
    write it at once, a name for each process.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part" if shared else f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def parse(text: str | bytes, file: Path, line: int = 1) -> dict[str, Any]:
    """A JSON object of a run. Raises UserError where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # bytes that are not UTF-8 are a ValueError too
        found = None
    if not isinstance(found, dict):
        remedy = "Restore the file, or delete it."
        raise UserError("this is not the JSON that was written here.", file=file, line=line, remedy=remedy)
    return found
