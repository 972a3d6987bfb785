"""Files: atomic writes, locks, links, and checks that an output does not overwrite an input."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.processes import is_main_process

ROOT = Path(__file__).parents[1]
"""The folder of this package."""
CARD = "README.md"
"""The card of a model, a run or a data set, as the Hub names it."""
LOCK = ".lock"
"""The lock of a folder (see `locked`). A killed process leaves it."""
RUN_SETTINGS = "run.yaml"
"""The settings of a run; a folder that has them is a run."""
MODEL_FILES = (
    "config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "*.model",
)  # fmt: skip
"""The files of a model folder: weights as safetensors, and a tokenizer. `*.model` is SentencePiece's."""
CALIBRATION = "calibration.json"
"""What makes probabilities of the scores of a run or an exported model, and its thresholds."""


def refuse_overwriting(outputs: Iterable[Path | int], inputs: Iterable[Path | int]) -> None:
    """Check that no output is one of the inputs, also by another name, link or spelling.

    Args:
        outputs: paths, or descriptors of open files.
        inputs: likewise.

    Raises:
        UserError: an output is an input.
    """
    by_identity = {identity: output for output in outputs if (identity := _identity(output))}
    for source in inputs if by_identity else ():
        if (identity := _identity(source)) in by_identity:
            output = by_identity[identity]
            name = next((file for file in (output, source) if isinstance(file, Path)), "<standard input>")
            remedy = "Write to another file, best outside the input folder."
            raise UserError("the output file is also an input.", file=name, remedy=remedy)


def descriptors(stream: object) -> list[int]:
    """Return the file descriptor of an open file, as `refuse_overwriting` takes it; [] for a path or a text buffer."""
    try:
        return [stream.fileno()]  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return []


def is_stream(path: Path) -> bool:
    """Return whether a path is a device, a pipe, or an open file by its descriptor (/dev/stdout, /proc/self/fd/1).

    What is written there cannot be replaced as a whole: a file of that name would take the place of the descriptor.
    """
    by_descriptor = any(folder in path.absolute().parents for folder in (Path("/dev"), Path("/proc")))
    return by_descriptor or (path.exists() and not path.is_file())


def _identity(file: Path | int) -> tuple[int, int] | None:
    """Return device and inode, the same for all names of a file; None if it is not a regular file."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def refuse_within(output: Path, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raise UserError if the output folder is inside an input folder: its own files would be read as texts."""
    parents = [folder for folder in (output.resolve(), *output.resolve().parents) if folder.exists()]
    for path in paths:
        if os.path.isdir(path) and any(os.path.samefile(folder, path) for folder in parents):
            remedy = "Give another --output: its own files would be read as texts."
            raise UserError("the output folder is inside a folder of input texts.", file=output, remedy=remedy)


def escapes_folder(path: Path, home: Path) -> bool:
    """Return whether a path ends outside of `home` (a resolved path), or nowhere, as in a cycle of links."""
    try:
        end = path.resolve()
    except (OSError, RuntimeError):  # Python before 3.13 raises at a cycle of links; later it returns one of the links
        return True
    return end.is_symlink() or not end.is_relative_to(home)


def repository_of(folder: Path) -> Path | None:
    """Return the repository's folder in the cache of the Hub client for a downloaded folder, else None."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        if parent.name == "snapshots" and parent.parent.name.startswith(("models--", "datasets--")):
            return parent.parent
    return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder, which is created if needed, against other commands. Only the main process takes the lock.

    Raises:
        UserError: another command has locked the folder.
    """
    from filelock import FileLock, Timeout

    if not is_main_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        remedy = "Wait for it, or stop it."
        raise UserError("another process is writing to this folder.", file=folder, remedy=remedy) from None
    try:
        yield
    finally:
        # Deleted while it is locked, so that no other process has locked it in the meantime. Windows does not delete an
        # open file; there `release` does.
        if sys.platform != "win32":
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()


@contextmanager
def atomic_path(path: Path, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` on success, delete it on an error.

    The temporary name is fixed, so that the next write replaces what a killed process left. With `shared`, if several
    processes may write the file at once, the name contains the process id.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part" if shared else f".{path.name}.part")
    part.unlink(missing_ok=True)  # it may be a link, through which nothing is written
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8 with LF, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def parse(text: str | bytes, file: Path, line: int = 1) -> dict[str, Any]:
    """Return the JSON object in `text`, which is `file` from `line` on. Raises UserError if it is not an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # bytes that are not UTF-8 are a ValueError too
        value = None
    if not isinstance(value, dict):
        remedy = "Restore the file, or delete it."
        raise UserError("this is not the JSON object that was written here.", file=file, line=line, remedy=remedy)
    return value
