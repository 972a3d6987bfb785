"""Finished runs side by side: score, speed, size and memory, each run alone in a process with one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_MODEL, export_files
from electra_ie.common.files import write
from electra_ie.common.progress import progress
from electra_ie.data.fields import without_levels
from electra_ie.runs.download import run_folder
from electra_ie.runs.export_audit import read_export_audit
from electra_ie.runs.layout import (
    SETTINGS,
    TASK,
    announce_data_folder,
    is_exported,
    is_finished,
    load_task,
    read_scores,
)
from electra_ie.runs.training_facts import TrainingFacts

WARM_UP = 8
"""Documents that are read before the time is taken."""


@dataclass(frozen=True)
class RunMeasurement:
    """What a run reaches on a split, and what it costs on one core.

    Attributes:
        run: The run, as it was given.
        made_by: The preset that trained it, or what it was distilled or exported to.
        score: The mean of the main metrics over the fields, from 0 to 1; None if it is not defined.
        characters_per_second: Characters that are extracted in a CPU second.
        seconds: CPU seconds of the extraction.
        megabytes: The size of the weights on disk, in units of 10^6 bytes.
        memory: The peak memory of the process in MiB, with Python and, for a run, torch; None where it is not known.
    """

    run: str
    made_by: str
    score: float | None
    characters_per_second: float
    seconds: float
    megabytes: float
    memory: int | None


def is_run(name: str | os.PathLike[str]) -> bool:
    """Return whether there is a run or an exported model in a folder of this name."""
    return ((Path(name) / SETTINGS).is_file() or is_exported(Path(name))) and (Path(name) / TASK).is_file()


@check_types
def compare_runs(
    runs: Sequence[str | os.PathLike[str]],
    split: str = "test",
    *,
    data: str | os.PathLike[str] | None = None,
    file: str | os.PathLike[str] | None = None,
) -> list[RunMeasurement]:
    """Measure finished runs on a split of their task, such as a run and the models distilled and exported from it.

    Each run reads the split in a process of its own with one thread, so that memory and time are its own.

    Args:
        runs: Folders of runs or exported models, or `ORG/NAME[@REVISION]` on the Hub.
        split: The name of the split.
        data: The folder of the task's files, instead of the one that each run was trained from. An exported model is
            measured on the files of the first run.
        file: A file to which the measurements are also written, as JSON.

    Returns:
        The measurement of each run, in the order of `runs`.

    Raises:
        UserError: A run is not finished or damaged, their fields differ, the split cannot be read, or only exported
            models are given and no data.
    """
    if not runs:
        raise UserError("no run is given.", remedy="Give the folders of finished runs.")
    names = [os.fspath(run) for run in runs]
    folders = [run_folder(name) for name in names]
    trained = next((folder for folder in folders if not is_exported(folder)), None)
    if trained is None and data is None:
        remedy = "Give the folder with --data, or also the run that it was exported from."
        raise UserError("an exported model does not name the folder of its data.", file=folders[0], remedy=remedy)
    of_exported = load_task(trained).folder if trained and data is None else data
    places = [of_exported if is_exported(folder) else data for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        _check(folder, folders[0], split, place)
    measured = []
    with progress(len(names), "measuring runs", unit="runs") as report:
        for name, folder, place in zip(names, folders, places, strict=True):
            measured.append(RunMeasurement(run=name, made_by=_made_by(folder), **_in_process(folder, split, place)))
            report(len(measured))
    if file:
        content = {"split": split, "runs": [asdict(each) for each in measured]}
        write(Path(file), json.dumps(content, indent=2) + "\n")
    return measured


def _check(folder: Path, first: Path, split: str, data: str | os.PathLike[str] | None) -> None:
    """Raise UserError for what cannot be measured, before anything is."""
    task = load_task(folder, data)
    if not is_exported(folder) and not ((folder / SETTINGS).is_file() and is_finished(folder)):
        raise UserError("there is no finished run here.", file=folder, remedy="Give the folder of a finished run.")
    if without_levels(task.all_fields) != without_levels(load_task(first).all_fields):
        raise UserError("this run has other fields than the first one.", file=folder, remedy="Compare it alone.")
    if data is None:
        announce_data_folder(folder, task)
    if not any(document.gold for document in task.read(split)):
        remedy = "Choose another one with --split."
        raise UserError(f'no document of the split "{split}" has a label.', file=folder, remedy=remedy)


def _made_by(folder: Path) -> str:
    """Return the preset of a run, or what it was distilled or exported to."""
    if is_exported(folder):
        return f"onnx, {read_export_audit(folder)['export']['bits']} bits"
    from electra_ie.config.train import TrainSettings

    facts: TrainingFacts = read_scores(folder).get("training", {})
    distillation = facts.get("distillation")
    return distillation["name"] if distillation else TrainSettings.build(folder / SETTINGS).preset


def _in_process(folder: Path, split: str, data: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return what `measure` finds in a new process. Raises UserError with its error message."""
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
    environment = {**os.environ, **threads, "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "result.json"
        arguments = [os.fspath(folder), split, os.fspath(data) if data is not None else "", str(result)]
        command = [sys.executable, "-m", __name__, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if not result.is_file():
            lines = done.stderr.decode("utf-8", "replace").splitlines()
            message = f"the process that measures it has ended with status {done.returncode}: {lines[-1:]}"
            raise UserError(message, file=folder)
        values = json.loads(result.read_text("utf-8"))
    if "error" in values:
        raise UserError(values["error"])
    measured: dict[str, Any] = values
    return measured


def measure(folder: Path, split: str, data: str | None) -> dict[str, Any]:
    """Return the measurement of a run, taken in this process, which computes with one thread from now on.

    Raises:
        UserError: the run is damaged, or the split cannot be read.
    """
    from electra_ie.inference.loading import load_extractor
    from electra_ie.pretraining.memory import peak_memory

    if not is_exported(folder):
        import torch

        torch.set_num_threads(1)
    extractor = load_extractor(folder)
    documents = load_task(folder, data).read(split)
    texts = [document.unlabeled() for document in documents]
    list(extractor.read(texts[:WARM_UP]))
    began = time.process_time()
    results = list(extractor.read(texts))
    seconds = time.process_time() - began
    memory = peak_memory()
    # They import torch, which is no part of the memory of an exported model.
    from electra_ie.inference.scoring import score_anchored, score_answers
    from electra_ie.metrics import mean_score

    scores = score_answers(extractor.fields, documents, [result.answers for result in results])
    scores |= score_anchored(extractor, documents, results)
    characters = sum(len(document.text) for document in documents)
    weights = [file for field in extractor.all_fields for file in (folder / field.name).glob("*.safetensors")]
    if is_exported(folder):
        weights = [folder / name for name in export_files(folder) if name.endswith(EXPORT_MODEL)]
    return {
        "score": mean_score(scores),
        "characters_per_second": round(characters / max(seconds, 1e-9), 1),
        "seconds": round(seconds, 3),
        "megabytes": round(sum(file.stat().st_size for file in weights) / 1e6, 2),
        "memory": memory,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure a run and write the result, or its error, as JSON. arguments: folder, split, data or "", and the file."""
    folder, split, data, result = arguments
    try:
        values = measure(Path(folder), split, data or None)
    except UserError as error:
        values = {"error": str(error)}
    write(Path(result), json.dumps(values))


if __name__ == "__main__":
    main(sys.argv[1:])
