"""The files of a run: their names, and writing them whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, escapes_folder, parse, repository_of, write
from electra_ie.common.logs import notice
from electra_ie.common.yaml_source import Source
from electra_ie.data.fields import Field
from electra_ie.data.task import Task

SETTINGS, TASK, SCORES, LOG = "run.yaml", "task.yaml", "scores.json", "log.jsonl"
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
RUN_FILES = (CARD, SETTINGS, TASK, SCORES, LOG, CORPUS, AUDIT)
"""What a run holds beside its models and pictures. A file of another name is not the run's: it may hold texts."""


def check_output(folder: Path, resume: bool) -> None:
    """Raises UserError for a file, a folder with something in it, or one without the run that is to be resumed."""
    if folder.exists() and not folder.is_dir():
        raise UserError("the output is a file.", file=folder, remedy="Give a folder with --output.")
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            "the output folder is not empty.", file=folder, remedy="Add --resume to go on, or give another --output."
        )
    if resume and not (folder / SETTINGS).is_file():
        raise UserError("there is no run to resume.", file=folder, remedy="Leave --resume out to begin one.")
    if resume:
        refuse_links(folder)


def refuse_links(folder: Path) -> None:
    """Raises UserError for a link below `folder` that leads out of it: what is read, written or uploaded there would be
    another file. In the hub's cache the files are links to others of the same repository; what trackers write is never
    read, and some put links there."""
    home = repository_of(folder) or folder.resolve()
    for path in sorted(folder.rglob("*")):
        ours = folder / TRACKING not in path.parents
        if ours and path.is_symlink() and escapes_folder(path, home):
            remedy = "Put the file itself in its place."
            raise UserError("this is a link that leads out of the run's folder, or nowhere.", file=path, remedy=remedy)


def is_finished(folder: Path) -> bool:
    """Is nothing left to do? The card is written last, and then the checkpoint goes."""
    return (folder / CARD).is_file() and not (folder / LAST).is_file()


def read_log(run: Path) -> list[dict[str, Any]]:
    """The rows of log.jsonl; none where there is no log yet."""
    file = run / LOG
    if not file.is_file():
        return []
    return [parse(line, file, number) for number, line in enumerate(file.read_bytes().splitlines(), start=1)]


def write_log(run: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write(run / LOG, "".join(json.dumps(row) + "\n" for row in rows))


def read_scores(run: Path) -> dict[str, Any]:
    """What scores.json says, by split; nothing where there is none."""
    file = run / SCORES
    return parse(file.read_bytes(), file) if file.is_file() else {}


def write_scores(run: Path, split: str, scores: Mapping[str, Any]) -> None:
    """Put a split's scores into scores.json, beside those of other splits."""
    write(run / SCORES, json.dumps({**read_scores(run), split: scores}, indent=2, ensure_ascii=False) + "\n")


def check_models(folder: Path, fields: Sequence[Field]) -> None:
    """Raises UserError where a run lacks a file of a field's model, naming it."""
    for field in fields:
        for file in ("model.safetensors", "config.json", "tokenizer.json"):
            if not (folder / field.name / file).is_file():
                raise UserError(
                    f'the run has no {file} for the field "{field.name}".',
                    file=folder,
                    remedy="Finish it with: electra-ie train ... --resume"
                    if (folder / CHECKPOINT).exists()
                    else "Restore it, or train again.",
                )


def announce_data_folder(run: Path, task: Task) -> None:
    """A run names its data by a path of the machine it was trained on: which one is said before anything there is read,
    and a run that was fetched has no say in it. Raises UserError for one."""
    if repository_of(run):
        remedy = "Give the folder of the data with --data."
        raise UserError("a run from the hub does not decide what is read here.", file=run, remedy=remedy)
    notice(f"data: {task.folder}, as the run's task.yaml says; --data takes another folder")


def load_task(run: str | os.PathLike[str], data: str | None = None) -> Task:
    """The task of a run, as it was when the run began; `data` replaces its folder. Raises UserError for no run."""
    file = Path(run) / TASK
    if not file.is_file():
        raise UserError(
            "this is not the folder of a run (no task.yaml in it).",
            file=run,
            remedy="Give what train wrote to --output.",
        )
    return Task.from_dict(Source.read(file)[0], file, data)
