"""audit.json: what a run was made from, by what, where; and whether all of it is still so."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Any

import torch

from electra_ie.common import hashing
from electra_ie.common.errors import UserError
from electra_ie.common.files import ROOT, parse, repository_of, write
from electra_ie.common.logs import notice, silenced, warn
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document, of_documents
from electra_ie.data.leakage import overlaps
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import UNLABELED
from electra_ie.data.training_data import TrainingData
from electra_ie.runs.layout import AUDIT, SETTINGS, TASK, announce_data_folder, load_task, refuse_links
from electra_ie.runs.storage import model_files

CHECKED = ("weights", "recipe", "data", "splits", "code", "environment")
"""The parts of the audit that `verify` makes anew and compares."""
TEST = "test"
LOCK = "constraints.txt"
"""The exact versions that a checkout is installed by. A wheel has none."""
CODE = (".py", ".css", ".js")
"""Suffixes of the files that are code: the modules, and style sheet and script of the HTML report."""
TASKS = "tasks"
"""The folder that a wheel has within the package and a checkout beside it. What is in it is no part of the code."""


def write_audit(run: Path, task: Task, settings: TrainSettings, corpus: TrainingData) -> dict[str, Any]:
    """Write and return the audit of a run whose fields are saved. A line of warning where test stands in train too.

    The test split is read for its hash and its overlap, never scored; one that cannot be read is noted and warned of.
    """
    files = model_files(run, [field.name for field in task.fields])
    splits: dict[str, list[Document]] = {"train": corpus.train, "pool": corpus.pool, "dev": corpus.dev}
    splits |= _read_test(task)
    environment, overlap, checkout = environment_now(), overlaps(splits), ROOT.parent
    audit = {
        "model": hashing.of_sums(files),
        "weights": files,
        "recipe": settings_files(run),
        "seeds": {"seed": settings.seed},
        "data": dict(data_files(task, settings)),
        "splits": {name: split_sum(documents) for name, documents in splits.items()},
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


def read_audit(run: Path) -> dict[str, Any]:
    """The audit of a run. Raises UserError where there is none, or another thing in its place."""
    file = run / AUDIT
    if not file.is_file():
        remedy = "Runs have one once they are finished; one of an older version must be trained again."
        raise UserError("the run has no audit.json.", file=run, remedy=remedy)
    audit = parse(file.read_bytes(), file)
    if not all(isinstance(audit.get(part), dict) for part in CHECKED):
        raise UserError("this is not an audit.json as training writes it.", file=file, remedy="Restore the file.")
    return audit


# What is so now


def settings_files(run: Path) -> dict[str, str]:
    """The sums of run.yaml, and of task.yaml without the folder of its files: a push leaves that out."""
    task = json.dumps(load_task(run).without_folder(), sort_keys=True)
    return {SETTINGS: hashing.of_file(run / SETTINGS), TASK: hashing.of_text(task)}


def data_files(task: Task, settings: TrainSettings) -> Iterator[tuple[str, str]]:
    """The sum of each file, or folder of files, that the run read; those of the task by their names in it."""
    for name in task_files(task, settings):
        yield name, hashing.of_path(task.folder / name)
    for path in texts_added(settings):
        if Path(path).is_file() or Path(path).is_dir():
            yield path, hashing.of_path(Path(path))


def task_files(task: Task, settings: TrainSettings) -> Iterator[str]:
    """The names of the task's files that the run reads and that are here: no device, no pipe, no link out of their
    folder."""
    read = [split for split in task.splits if split != UNLABELED or settings.has_generator]
    for name in dict.fromkeys(name for split in read for name in task.files[split]):
        with suppress(UserError):  # whoever reads the split is told
            task.check_data_files(task.folder / name)
            if (task.folder / name).exists():
                yield name


def texts_added(settings: TrainSettings) -> tuple[str, ...]:
    """The paths of unlabelled text that the run reads beside the task's files."""
    return settings.unlabeled if settings.has_generator else ()


def split_sum(documents: Sequence[Document]) -> str:
    """Sum and size of a split, as it was drawn."""
    return f"{of_documents(documents)} ({len(documents)} documents)"


def code_now() -> dict[str, str]:
    """The version of this package, and the sum of its code files: what a checkout with changes differs by."""
    names = {file: file.relative_to(ROOT) for file in ROOT.rglob("*") if file.suffix in CODE}
    ours = {file: name for file, name in names.items() if name.parts[0] != TASKS}
    code = hashing.of_sums({name.as_posix(): hashing.of_file(file) for file, name in ours.items()})
    return {hashing.PACKAGE: hashing.package_version(), "modules": code}


def environment_now() -> dict[str, str]:
    """Python, the machine, and the installed version of each package that this one asks for."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    found["device"] = device_name()
    for line in requires(hashing.PACKAGE) or ():
        name = re.match(r"[\w.-]+", line)
        if name and "extra ==" not in line:
            found[name.group()] = _version(name.group())
    return found


def packages_sum() -> str:
    """Sum and number of all packages that are installed: of lines `name==version` in their order, names as an index
    spells them."""
    told = {(re.sub(r"[-_.]+", "-", each.name).lower(), each.version) for each in distributions() if each.name}
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(told))
    return f"{hashing.of_text(lines)} ({len(told)} packages)"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def device_name() -> str:
    """The GPU, or else the CPU, by its maker's name."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    told = Path("/proc/cpuinfo")
    name = re.search(r"^model name\s*:\s*(.+)$", told.read_text("utf-8") if told.is_file() else "", re.MULTILINE)
    return name.group(1).strip() if name else platform.processor() or platform.machine()


def git_revision(checkout: Path) -> str | None:
    """The commit that is checked out, read from git's files; None where this is no checkout, or an unknown kind."""
    place = checkout / ".git"
    try:
        if place.is_file():  # a worktree's, which says where the rest lies
            place = checkout / place.read_text("utf-8").removeprefix("gitdir:").strip()
        common = place / "commondir"
        shared = place / common.read_text("utf-8").strip() if common.is_file() else place
        head = (place / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        for folder in (place, shared):
            if (folder / name).is_file():
                return (folder / name).read_text("utf-8").strip()
        packed = (shared / "packed-refs").read_text("utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
    except (OSError, UnicodeDecodeError):
        return None


def _read_test(task: Task) -> dict[str, list[Document]]:
    if TEST not in task.splits:
        return {}
    try:
        with silenced():  # evaluate shows these warnings
            return {TEST: task.read(TEST)}
    except UserError as error:
        warn(f"the audit leaves the split test out, which cannot be read: {error}")
        return {}


def _warn_of_test(overlap: Mapping[str, Any]) -> None:
    for pair in overlap["pairs"]:
        if (pair["of"], pair["in"]) == (TEST, "train") and pair["exact"] + pair["near"]:
            warn(
                f"{pair['exact'] + pair['near']} of {pair['documents']} documents of test stand in train too "
                f"({pair['exact']} word for word, {pair['near']} nearly): scores on test flatter. See {AUDIT}."
            )


# Verifying


@dataclass(frozen=True)
class Difference:
    """Something that is not as the audit says. part: one of `CHECKED`. then, now: None where there was, is none."""

    part: str
    name: str
    then: str | None
    now: str | None

    def __str__(self) -> str:
        if self.now is None or self.then is None:
            return f"{self.part}: {self.name}: {'missing' if self.now is None else 'new'}"
        return f"{self.part}: {self.name}: {_short(self.then)} then, {_short(self.now)} now"


@dataclass(frozen=True)
class Verification:
    """What differs from the audit, and what could not be looked at, and why."""

    differences: list[Difference]
    unchecked: list[str]

    @property
    def same(self) -> bool:
        return not self.differences


def verify(run: Path, data: str | None = None) -> Verification:
    """Make the audit of a run anew, as far as its files and data are here, and compare.

    data: the folder of the task's files, in place of the one it was trained from. Raises UserError for a run without
    an audit, with a link out of its folder, or whose run.yaml or task.yaml cannot be read.
    """
    refuse_links(run)
    task, settings = load_task(run, data), TrainSettings.build(run / SETTINGS)
    then = read_audit(run)
    now: dict[str, Mapping[str, str]] = {
        "weights": model_files(run, [field.name for field in task.fields]),
        "recipe": settings_files(run),
        "code": code_now(),
        "environment": environment_now(),
    }
    unchecked = _not_to_be_read(run, task, settings, data)
    if not unchecked:
        if data is None:
            announce_data_folder(run, task)
        if texts_added(settings):
            notice(f"unlabelled texts: {', '.join(texts_added(settings))}, as the run's run.yaml says")
        now["data"] = dict(data_files(task, settings))
        try:
            now["splits"] = _splits_now(task, settings)
        except UserError as error:
            unchecked.append(f"splits: they cannot be drawn from the data as they are now: {error}")
    return Verification([each for part in CHECKED if part in now for each in _compare(part, then, now)], unchecked)


def _not_to_be_read(run: Path, task: Task, settings: TrainSettings, data: str | None) -> list[str]:
    """Return why data and splits cannot be read, or nothing. A run that was downloaded does not decide which files are
    read here (see `announce_data_folder`)."""
    fetched, what = repository_of(run) is not None, "data and splits: "
    if fetched and data is None:
        return [f"{what}a run from the hub does not decide what is read here. Give their folder with --data."]
    if fetched and texts_added(settings):
        remedy = "Fetch it into a folder of yours (hf download ... --local-dir) if these are your texts."
        return [f"{what}a run from the hub does not decide that {', '.join(texts_added(settings))} is read. {remedy}"]
    if not any(task_files(task, settings)):
        return [f"{what}they are not here. Give their folder with --data."]
    return []


def _splits_now(task: Task, settings: TrainSettings) -> dict[str, str]:
    """The sums of the splits, drawn anew. Raises UserError where the data do not allow it."""
    with silenced():  # train has shown these warnings
        corpus = TrainingData.read(task, settings)
    splits = {"train": corpus.train, "pool": corpus.pool, "dev": corpus.dev, **_read_test(task)}
    return {name: split_sum(documents) for name, documents in splits.items()}


def _compare(part: str, then: Mapping[str, Any], now: Mapping[str, Mapping[str, str]]) -> Iterator[Difference]:
    for name in dict.fromkeys([*then[part], *now[part]]):
        before, after = then[part].get(name), now[part].get(name)
        if before != after:
            yield Difference(part, name, before, after)


def _short(value: str) -> str:
    """A sum by its first digits."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", str(value))
