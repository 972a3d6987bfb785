"""Provenance record of a run, audit.json: hashes of weights, settings, data, code and environment; verification."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any

import torch

from electra_ie.common import hashing
from electra_ie.common.errors import UserError
from electra_ie.common.files import CALIBRATION, ROOT, repository_of, write
from electra_ie.common.logs import notice, silenced, warn
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document, of_documents
from electra_ie.data.hints import Hint
from electra_ie.data.leakage import overlaps
from electra_ie.data.splits import TEST, UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData
from electra_ie.runs.code import code_now, interpreter_now, versions
from electra_ie.runs.layout import AUDIT, SETTINGS, TASK, announce_data_folder, load_task, model_names, refuse_links
from electra_ie.runs.storage import model_files
from electra_ie.runs.verification import CHECKED, Verification, compare, read_audit

LOCK = "constraints.txt"
"""The file of exact versions in a checkout. A wheel has none."""


def write_audit(
    run: Path,
    task: Task,
    settings: TrainSettings,
    corpus: TrainingData,
    adaptation: Mapping[str, Any] | None,
    distillation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write and return the audit of a run whose models are saved. Warns if documents of test are also in train.

    adaptation: hash, texts, tokens and steps of the adaptation of the encoder; None without one. distillation: the run
    that taught the model, by its hash, and what was kept of it; None for a run that was not distilled.

    The test split is read for its hash and its overlap, never scored. If it cannot be read, it is left out with a
    warning.
    """
    files = model_files(run, model_names(task))
    splits: dict[str, list[Document]] = {"train": corpus.train, "pool": corpus.pool, "dev": corpus.dev}
    splits |= _read_test(task)
    environment, overlap, checkout = environment_now(), overlaps(splits), ROOT.parent
    audit = {
        "model": hashing.of_sums(files),
        "weights": files,
        "settings": settings_files(run),
        "seeds": {"seed": settings.seed},
        "data": dict(data_files(task, settings)),
        "splits": {name: split_sum(documents) for name, documents in splits.items()},
        **({"label_origins": origins} if (origins := _label_origins(splits)) else {}),
        **({"chosen": chosen} if (chosen := _chosen(splits)) else {}),
        **({"hints": {hint.name: hint_sum(hint) for hint in corpus.hints}} if corpus.hints else {}),
        "adaptation": adaptation,
        **({"distillation": distillation} if distillation else {}),
        "code": code_now(),
        "revision": git_revision(checkout),
        "packages": packages_sum(),
        "lock": hashing.of_file(checkout / LOCK) if (checkout / LOCK).is_file() else None,
        "environment": environment,
        "environment_hash": hashing.of_sums(environment),
        "overlap": overlap,
    }
    write(run / AUDIT, json.dumps(audit, indent=2, ensure_ascii=False) + "\n")
    _warn_of_test(overlap)
    return audit


def rewrite_weights(run: Path, task: Task) -> None:
    """Write the hashes of the models of a run again, after those of relations and attributes were added."""
    files = model_files(run, model_names(task))
    audit = {**read_audit(run), "model": hashing.of_sums(files), "weights": files}
    write(run / AUDIT, json.dumps(audit, indent=2, ensure_ascii=False) + "\n")


def rewrite_settings(run: Path) -> None:
    """Write the hashes of the settings of a run again, after its thresholds were set."""
    audit = {**read_audit(run), "settings": settings_files(run)}
    write(run / AUDIT, json.dumps(audit, indent=2, ensure_ascii=False) + "\n")


def _label_origins(splits: Mapping[str, Sequence[Document]]) -> dict[str, dict[str, int]]:
    """Return the number of labels of each split, of spans and of texts, by who made them, where the files say it."""
    counts = {name: sum((Counter(document.origins) for document in docs), Counter()) for name, docs in splits.items()}
    return {name: dict(sorted(counted.items())) for name, counted in counts.items() if counted}


def _chosen(splits: Mapping[str, Sequence[Document]]) -> dict[str, dict[str, int]]:
    """Return the number of documents of each split by how they were chosen to be labeled, where the files say it."""
    counts = {name: Counter(document.chosen for document in docs if document.chosen) for name, docs in splits.items()}
    return {name: dict(sorted(counted.items())) for name, counted in counts.items() if counted}


# Current state


def settings_files(run: Path) -> dict[str, str]:
    """Return the hashes of run.yaml, calibration.json if there is one, and task.yaml.

    That of task.yaml is without its data folder, which a push removes.
    """
    task = json.dumps(load_task(run).shareable(), sort_keys=True)
    files = [name for name in (SETTINGS, CALIBRATION) if (run / name).is_file()]
    return {**{name: hashing.of_file(run / name) for name in files}, TASK: hashing.of_text(task)}


def data_files(task: Task, settings: TrainSettings) -> Iterator[tuple[str, str]]:
    """Yield name and hash of each data file or folder that the run reads. Files of the task have their name in it."""
    hints = {hint.file: task.folder / hint.file for hint in task.hints if hint.file}
    for name, path in {**dict(task_files(task, settings)), **dict(_existing(task, hints))}.items():
        yield name, hashing.of_path(path)
    for added in texts_added(task, settings):
        if Path(added).is_file() or Path(added).is_dir():
            yield added, hashing.of_path(Path(added))


def task_files(task: Task, settings: TrainSettings) -> Iterator[tuple[str, Path]]:
    """Yield name and path of the task's existing files that the run reads; for splits of a data set, those of all."""
    splits = [split for split in task.splits if split != UNLABELED or _uses_unlabeled(task, settings)]
    names = dict.fromkeys(name for split in splits for name in task.files[split] if name not in task.memory)
    yield from _existing(task, {name: task.path_of(name) for name in names})


def _existing(task: Task, paths: Mapping[str, Path | None]) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of existing files of the task; no devices, pipes or links out of the folder."""
    for name, path in paths.items():
        with suppress(UserError):  # reading the split raises the same error
            if path is not None:
                task.check_data_files(path)
                if path.exists():
                    yield name, path


def texts_added(task: Task, settings: TrainSettings) -> tuple[str, ...]:
    """Return the paths of unlabeled text that the run reads in addition to the task's files."""
    return settings.unlabeled if _uses_unlabeled(task, settings) else ()


def _uses_unlabeled(task: Task, settings: TrainSettings) -> bool:
    return settings.uses_unlabeled(field.kind for field in task.fields)


def split_sum(documents: Sequence[Document]) -> str:
    """Return hash and size of a split as it was drawn."""
    return f"{of_documents(documents)} ({len(documents)} documents)"


def hint_sum(hint: Hint) -> str:
    """Return hash and size of a hint, which does not reveal its terms."""
    return f"{hint.hash} ({'1 pattern' if hint.pattern else f'{len(hint.terms)} terms'})"


def environment_now() -> dict[str, str]:
    """Return Python version, platform, device, and the installed version of each dependency of this package."""
    names = [re.match(r"[\w.-]+", each) for each in requires(hashing.PACKAGE) or () if "extra ==" not in each]
    return {**interpreter_now(), "device": device_name(), **versions(name.group() for name in names if name)}


def packages_sum() -> str:
    """Return hash and number of all installed packages: of sorted lines `name==version`, names normalized (PEP 503)."""
    packages = {
        (re.sub(r"[-_.]+", "-", package.name).lower(), package.version) for package in distributions() if package.name
    }
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(packages))
    return f"{hashing.of_text(lines)} ({len(packages)} packages)"


def device_name() -> str:
    """Return the model name of the GPU, or of the CPU on a machine without one."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")  # Linux only
    text = cpuinfo.read_text("utf-8") if cpuinfo.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return name.group(1).strip() if name else platform.processor() or platform.machine()


def git_revision(checkout: Path) -> str | None:
    """Return the commit checked out at the root of a git working tree; None without git, or for any other folder."""
    # Inside a git hook, GIT_DIR and similar variables would point git to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(checkout), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        result = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=10)
        root, revision = result.stdout.decode("utf-8").splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    # A package installed within someone else's repository must not report the commit of that repository.
    return revision if Path(root).resolve() == checkout.resolve() else None


def _read_test(task: Task) -> dict[str, list[Document]]:
    if TEST not in task.splits:
        return {}
    try:
        with silenced():  # its warnings are printed when it is scored
            return {TEST: task.read(TEST)}
    except UserError as error:
        warn(f"the audit omits the split test, which cannot be read: {error}")
        return {}


def _warn_of_test(overlap: Mapping[str, Any]) -> None:
    for pair in overlap["pairs"]:
        if (pair["of"], pair["in"]) == (TEST, "train") and pair["exact"] + pair["near"]:
            warn(
                f"{pair['exact'] + pair['near']} of {pair['documents']} documents of test are also in train "
                f"({pair['exact']} exactly, {pair['near']} nearly): scores on test are too high. See {AUDIT}."
            )


# Verification


def verify(run: Path, data: str | os.PathLike[str] | None = None) -> Verification:
    """Recompute the audit of a run, as far as its files and data are available, and compare.

    data: the folder of the task's files, in place of the one named in task.yaml.

    Raises:
        UserError: the run has no audit, contains a link out of its folder, or has an unreadable run.yaml or task.yaml.
    """
    refuse_links(run)
    task, settings = load_task(run, data), TrainSettings.build(run / SETTINGS)
    then = read_audit(run)
    now: dict[str, Mapping[str, str]] = {
        "weights": model_files(run, model_names(task)),
        "settings": settings_files(run),
        "code": code_now(),
        "environment": environment_now(),
    }
    unchecked = _reasons_not_to_read(run, task, settings, data)
    if not unchecked:
        if data is None:
            announce_data_folder(run, task)
        if texts_added(task, settings):
            notice(f"unlabeled texts: {', '.join(texts_added(task, settings))}, as the run's run.yaml says")
        # Files that the documents in memory were saved to later have no hash in the audit; their splits have one.
        in_memory = load_task(run).memory
        now["data"] = {name: value for name, value in data_files(task, settings) if name not in in_memory}
        try:
            now["splits"] = _splits_now(task, settings)
        except UserError as error:
            unchecked.append(f"splits: they cannot be drawn from the current data: {error}")
    differences = [difference for part in CHECKED if part in now for difference in compare(part, then, now)]
    return Verification(differences, unchecked)


def _reasons_not_to_read(
    run: Path, task: Task, settings: TrainSettings, data: str | os.PathLike[str] | None
) -> list[str]:
    """Return why data and splits cannot be read, or an empty list.

    A downloaded run may not choose local files to read (see `announce_data_folder`).
    """
    is_downloaded, prefix = repository_of(run) is not None, "data and splits: "
    if is_downloaded and data is None:
        return [f"{prefix}a run from the Hub may not choose local files to read. Give the data folder with --data."]
    if is_downloaded and texts_added(task, settings):
        paths = ", ".join(texts_added(task, settings))
        remedy = "If they are yours, download the run into a folder first (hf download ... --local-dir)."
        return [f"{prefix}a run from the Hub may not choose to read {paths}. {remedy}"]
    if not_saved := [name for name, documents in task.memory.items() if documents is None]:
        message = f"{', '.join(not_saved)}: the run was trained from objects in memory and has no copy of them."
        return [f"{prefix}{message} Save the records as JSON lines and give their folder with --data."]
    if task.paths and not any(task_files(task, settings)):
        return [f"{prefix}the files are missing. Give the data folder with --data."]
    return []


def _splits_now(task: Task, settings: TrainSettings) -> dict[str, str]:
    """Draw the splits again and return their hashes. Raises UserError if the data do not allow it."""
    with silenced():  # training has printed these warnings before
        corpus = TrainingData.read(task, settings)
    splits = {"train": corpus.train, "pool": corpus.pool, "dev": corpus.dev, **_read_test(task)}
    return {name: split_sum(documents) for name, documents in splits.items()}
