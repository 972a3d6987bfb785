"""The files of a run: their names, and writing them whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from electra_ie.errors import UserError, first_process

RECIPE, TASK, SCORES, LOG, CARD = "run.yaml", "task.yaml", "scores.json", "log.jsonl", "README.md"
CORPUS, PRETRAINING, COMPARED, AUDIT = "corpus.json", "pretraining.json", "compare.json", "audit.json"
TRACKING = "tracking"
COMPARISON, WINNER = "comparison", "winner"
"""Folders: of the comparison that chose a run's preset, within that run; of the best run, within a comparison."""
CHECKPOINT = "checkpoint"
"""A folder that a finished run has no more."""
LAST, BEST = f"{CHECKPOINT}/last.safetensors", f"{CHECKPOINT}/best.safetensors"
TEACHER, TAUGHT = f"{CHECKPOINT}/teacher", f"{CHECKPOINT}/teacher.safetensors"
"""The run of a teacher, and the weights that it ended with."""
CURVES = "curves.png"
ACHIEVED = ("disagreement_hidden_by_generator", "disagreement_hidden_by_chance")
"""What log.jsonl calls how far the discriminator is from its teacher on texts of which the generator hides tokens, and
on those of which as many are hidden by chance."""
RUN_FILES = (CARD, RECIPE, TASK, SCORES, LOG, CORPUS, AUDIT)
"""What a run holds beside its models and pictures. A file of another name is not the run's: it may hold texts."""
MODEL_FILES = (
    "config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "*.model",
)  # fmt: skip
"""What the folder of a model holds: weights as safetensors and a tokenizer. `*.model` is SentencePiece's."""


def check_output(folder: Path, resume: bool) -> None:
    """Raises UserError for a file, a folder with something in it, or one without the run that is to be resumed."""
    if folder.exists() and not folder.is_dir():
        raise UserError("the output is a file.", file=folder, remedy="Give a folder with --output.")
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            "the output folder is not empty.", file=folder, remedy="Add --resume to go on, or give another --output."
        )
    if resume and not (folder / RECIPE).is_file():
        raise UserError("there is no run to resume.", file=folder, remedy="Leave --resume out to begin one.")
    if resume:
        refuse_links(folder)


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


def refuse_links(folder: Path) -> None:
    """Raises UserError for a link below `folder` that leads out of it: what is read, written or uploaded there would be
    another file. In the hub's cache the files are links to others of the same repository; what trackers write is never
    read, and some put links there."""
    home = repository_of(folder) or folder.resolve()
    for path in sorted(folder.rglob("*")):
        ours = folder / TRACKING not in path.parents
        if ours and path.is_symlink() and leads_out(path, home):
            remedy = "Put the file itself in its place."
            raise UserError("this is a link that leads out of the run's folder, or nowhere.", file=path, remedy=remedy)


def leads_out(path: Path, home: Path) -> bool:
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


def is_finished(folder: Path) -> bool:
    """Is nothing left to do? The card is written last, and then the checkpoint goes."""
    return (folder / CARD).is_file() and not (folder / LAST).is_file()


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
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
def whole(path: Path, shared: bool = False) -> Iterator[Path]:
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
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def read_log(run: Path) -> list[dict[str, Any]]:
    """The rows of log.jsonl; none where there is no log yet."""
    file = run / LOG
    if not file.is_file():
        return []
    return [parse(line, file, number) for number, line in enumerate(file.read_bytes().splitlines(), start=1)]


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


def write_log(run: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write(run / LOG, "".join(json.dumps(row) + "\n" for row in rows))


def read_scores(run: Path) -> dict[str, Any]:
    """What scores.json says, by split; nothing where there is none."""
    file = run / SCORES
    return parse(file.read_bytes(), file) if file.is_file() else {}


def write_scores(run: Path, split: str, scores: Mapping[str, Any]) -> None:
    """Put a split's scores into scores.json, beside those of other splits."""
    write(run / SCORES, json.dumps({**read_scores(run), split: scores}, indent=2, ensure_ascii=False) + "\n")
