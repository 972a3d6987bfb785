"""The files of a run: their names, checks of the folder, and reading and writing of the small ones."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_SETTINGS
from electra_ie.common.files import (
    CALIBRATION,
    CARD,
    LOCK,
    MODEL_FILES,
    RUN_SETTINGS,
    escapes_folder,
    parse,
    repository_of,
    write,
)
from electra_ie.common.logs import notice
from electra_ie.common.yaml_source import Source
from electra_ie.config.base import BaseSettings, check_same_settings
from electra_ie.data.fields import AnyField
from electra_ie.data.splits import SPLITS
from electra_ie.data.task import Task
from electra_ie.models.untrusted import CONFIG

SETTINGS, TASK, SCORES, LOG = RUN_SETTINGS, "task.yaml", "scores.json", "log.jsonl"
CORPUS, PRETRAINING, COMPARED, AUDIT = "corpus.json", "pretraining.json", "compare.json", "audit.json"
TRACKING = "tracking"
"""The folder that experiment trackers write to."""
COMPARISON, WINNER = "comparison", "winner"
"""In a run, the folder of the comparison that chose its preset; in a comparison, the folder of the best run."""
CHECKPOINT = "checkpoint"
"""The folder of checkpoints. A finished run has none."""
LAST, BEST = f"{CHECKPOINT}/last.safetensors", f"{CHECKPOINT}/best.safetensors"
TEACHER, TEACHER_WEIGHTS = f"{CHECKPOINT}/teacher", f"{CHECKPOINT}/teacher.safetensors"
"""The run of the teacher, and its final weights."""
TEACHER_STEP = 0
"""The `best_step` of a run that keeps the weights of its teacher."""
CURVES = "curves.png"
RUN_FILES = (CARD, CONFIG, SETTINGS, TASK, SCORES, CALIBRATION, LOG, CORPUS, AUDIT)
"""The files of a run besides its models and plots. A file with another name may hold texts and is never published."""
RELIABILITY = "reliability"
PLOT = re.compile(rf"(?:{'|'.join((*SPLITS, RELIABILITY))})_(?P<field>\w+)\.png")
"""The plots of a field: its scores on a split, and how reliable the scores of its findings are."""


def check_output(folder: Path, resume: bool) -> None:
    """Raise UserError unless `folder` can take a new run, or with `resume` contains a run to resume."""
    if folder.exists() and not folder.is_dir():
        raise UserError("the output path is a file.", file=folder, remedy="Give a folder with --output.")
    if not resume and folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        remedy = "Add --resume to continue the run in it, or give another folder with --output."
        raise UserError("the output folder is not empty.", file=folder, remedy=remedy)
    if resume and not (folder / SETTINGS).is_file():
        raise UserError("there is no run to resume.", file=folder, remedy="Omit --resume to start one.")
    if resume:
        refuse_links(folder)


def refuse_links(folder: Path) -> None:
    """Raise UserError for a symbolic link in a run that leads out of its folder.

    Reading, writing or uploading it would touch another file. Two cases are allowed: in the Hub's cache files are
    links within their repository, and the files of trackers, some of which are links, are never read.
    """
    home = repository_of(folder) or folder.resolve()
    for path in sorted(folder.rglob("*")):
        is_run_file = folder / TRACKING not in path.parents
        if is_run_file and path.is_symlink() and escapes_folder(path, home):
            message = "this is a link that leads out of the run's folder, or nowhere."
            raise UserError(message, file=path, remedy="Replace the link by the file itself.")


def run_path_field(path: str) -> str | None:
    """Return the field that a file of a run belongs to, "" for a file of the whole run, None for any other file."""
    parent, _, name = path.rpartition("/")
    if parent:
        is_model_file = "/" not in parent and any(fnmatchcase(name, pattern) for pattern in MODEL_FILES)
        return parent if is_model_file else None
    plot = PLOT.fullmatch(name)
    if plot:
        return plot["field"]
    return "" if name in (*RUN_FILES, CURVES) else None


def reliability_plot(field: str) -> str:
    """Return the name of the plot of how reliable the scores of a field are."""
    return f"{RELIABILITY}_{field}.png"


# The state of a run follows from three files:
#
#     LAST (a checkpoint)  AUDIT  CARD    state
#     -                    -      -       no step is saved yet
#     yes                  any    any     it trains, or it was killed while it was completed
#     -                    yes    -       the fields are trained, those anchored to spans are missing
#     -                    yes    yes     finished


def is_finished(folder: Path) -> bool:
    """Return whether a run is complete. The card is written last, after which the checkpoint is deleted."""
    return (folder / CARD).is_file() and not (folder / LAST).is_file()


def check_same_as_finished(folder: Path, settings: BaseSettings, ignored: Sequence[str] = ()) -> None:
    """Raise UserError if what is finished in a folder, and is to be resumed, was trained with other settings.

    ignored: the names of settings that may differ.
    """
    if is_finished(folder) and (folder / SETTINGS).is_file():
        trained_with = type(settings).build(folder / SETTINGS)
        same = {name: getattr(trained_with, name) for name in ignored}
        check_same_settings(trained_with, settings.replace(**same), folder)


def is_exported(folder: Path) -> bool:
    """Return whether a folder holds an exported model."""
    return (folder / EXPORT_SETTINGS).is_file()


def is_first_stage_finished(folder: Path) -> bool:
    """Return whether all fields of a run are trained but those anchored to spans, which come last, before the card."""
    return (folder / AUDIT).is_file() and not (folder / LAST).is_file()


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the rows of log.jsonl; an empty list without a log."""
    file = run / LOG
    if not file.is_file():
        return []
    return [parse(line, file, line_number) for line_number, line in enumerate(file.read_bytes().splitlines(), start=1)]


def write_log(run: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write log.jsonl, one row per line."""
    write(run / LOG, "".join(json.dumps(row) + "\n" for row in rows))


def read_scores(run: Path) -> dict[str, Any]:
    """Return the content of scores.json, keyed by split; an empty dict without the file."""
    file = run / SCORES
    return parse(file.read_bytes(), file) if file.is_file() else {}


def write_scores(run: Path, split: str, scores: Mapping[str, Any]) -> None:
    """Add the scores of a split to scores.json, keeping those of other splits."""
    write(run / SCORES, json.dumps({**read_scores(run), split: scores}, indent=2, ensure_ascii=False) + "\n")


def model_names(task: Task) -> list[str]:
    """Return the folders of the models of a run: one for each field."""
    return [field.name for field in task.all_fields]


def check_models(folder: Path, fields: Sequence[AnyField]) -> None:
    """Raise UserError for a folder that is a task, and for the first model file of a field that a run lacks."""
    if not any((folder / name).is_file() for name in (SETTINGS, CONFIG)) and not is_exported(folder):
        remedy = f"Train it: electra-ie train {folder} --output runs/NAME."
        raise UserError("this is a task, not a run.", file=folder, remedy=remedy)
    for field in fields:
        for file in ("model.safetensors", "config.json", "tokenizer.json"):
            if not (folder / field.name / file).is_file():
                is_interrupted = (folder / CHECKPOINT).exists()
                remedy = (
                    "Finish the run with: electra-ie train ... --resume"
                    if is_interrupted
                    else ("Restore the file, or train the run again.")
                )
                raise UserError(f'the run has no {file} for the field "{field.name}".', file=folder, remedy=remedy)


def announce_data_folder(run: Path, task: Task) -> None:
    """Print the data folder that a run names, before anything in it is read; nothing for data that were in memory.

    The folder is a path on the machine that trained the run. Raises UserError for a run downloaded from the Hub: it
    could otherwise choose which local files are read.
    """
    if repository_of(run):
        remedy = "Give the data folder with --data."
        raise UserError("a run from the Hub may not choose local files to read.", file=run, remedy=remedy)
    if not task.paths:
        return
    notice(f"data: {task.folder}, as the run's task.yaml says; --data takes another folder")


def refuse_foreign_codes(run: Path, task: Task) -> None:
    """Raise UserError if a run from the Hub names a folder outside of its own for the lists of codes of its records."""
    inside = task.folder.resolve().is_relative_to(run.resolve())
    if task.record and task.record.code_files and repository_of(run) and not inside:
        remedy = "Give the folder of the lists of codes with --data."
        raise UserError("a run from the Hub may not choose local files to read.", file=run, remedy=remedy)


def load_task(run: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> Task:
    """Return the task of a run as it was when training started; `data` replaces its data folder.

    Raises UserError if the folder is not a run.
    """
    file = Path(run) / TASK
    if not file.is_file():
        message = f"this is not the folder of a run (no {TASK} in it)."
        raise UserError(message, file=run, remedy="Give the folder that electra-ie train has written.")
    return Task.from_dict(Source.read(file)[0], file, data)
