"""Training beside the page: `electra-ie train` in a process of its own, one at a time, and the runs that it has made.

The process ends with the server that has started it. If that is killed, it goes on; other servers find it, and end it
only when they are asked to.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse, write
from electra_ie.common.logs import warn
from electra_ie.metrics import mean_score
from electra_ie.runs.layout import SETTINGS, is_finished, read_log, read_scores
from electra_ie.runs.training_facts import TrainingFacts

STATE = "training.json"
"""The process that trains, in the folder of the runs."""
NAME = re.compile(r"\d{3,}")
"""Names of runs."""
STEPS = re.compile(r"([\d,]+)/([\d,]+) steps")
ERROR = "error: "
SECONDS_TO_END = 10
"""How long a process may take to end after it was told to."""
IDLE, RUNNING, FINISHED, FAILED, STOPPED = "idle", "running", "finished", "failed", "stopped"


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        state: `idle`, `running`, `finished`, `failed` or `stopped`.
        run: The name of the run.
        step, steps: The steps that are done, and all; 0 if not known yet.
        dev: The last mean score on dev; None before the first one.
        message: The error of a training that has failed.
    """

    state: str
    run: str = ""
    step: int = 0
    steps: int = 0
    dev: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Point:
    """A finished run as a point of the learning curve.

    Attributes:
        run: Its name.
        labels: The labeled documents that it was trained on.
        dev_texts: The documents of dev.
        score: The mean of the main scores of its fields on dev; None without dev.
        fields: The main score of each field.
    """

    run: str
    labels: int
    dev_texts: int
    score: float | None
    fields: dict[str, float | None]


class TrainingProcess:
    """The trainings of a session, in the folder of its runs.

    Attributes:
        folder: The folder of the runs: 001, 002 and so on, each with its messages in 001.log.
    """

    def __init__(self, folder: Path, task: Path, options: Sequence[str]) -> None:
        """Find a training that an earlier server has left running.

        Args:
            folder: The folder of the runs.
            task: The task.yaml.
            options: Options of `electra-ie train`.
        """
        self.folder, self.task, self.options = folder, task, list(options)
        self._process: subprocess.Popen[bytes] | psutil.Process | None = None
        self._run, self._stopped = "", False
        self._mutex = threading.Lock()
        if (folder / STATE).is_file():
            self._find(parse((folder / STATE).read_bytes(), folder / STATE))

    def _find(self, state: Mapping[str, Any]) -> None:
        """Take the run of an earlier server, and its process if it still runs."""
        run = state.get("run")
        if not (isinstance(run, str) and NAME.fullmatch(run)):  # a path may lead anywhere
            warn(f'{self.folder / STATE}: it is ignored: "run" is {json.dumps(run)[:40]}, not the name of a run (001).')
            return
        self._run = run
        try:
            process = psutil.Process(int(state["pid"]))
            if process.create_time() == state["created"] and process.status() != psutil.STATUS_ZOMBIE:
                self._process = process
        except (KeyError, TypeError, ValueError, psutil.Error):
            pass  # it has ended, or it runs on another machine

    def start(self) -> str:
        """Start a training on the labels that there are, and return the name of the run.

        Raises:
            UserError: One is running.
            OSError: The disk is full, or a file cannot be written.
        """
        with self._mutex:
            if self._is_running():
                raise UserError(f"the run {self._run} is being trained.", remedy="Wait for it, or stop it.")
            self.folder.mkdir(parents=True, exist_ok=True)
            names = [int(path.stem) for path in self.folder.iterdir() if NAME.fullmatch(path.stem)]
            name = f"{max(names, default=0) + 1:03d}"
            command = ["train", str(self.task), "--output", str(self.folder / name), *self.options]
            with (self.folder / f"{name}.log").open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "electra_ie", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            created = psutil.Process(self._process.pid).create_time()
            self._run, self._stopped = name, False
            state = {"run": name, "pid": self._process.pid, "created": created}
            write(self.folder / STATE, json.dumps(state) + "\n")
            return name

    def stop(self) -> None:
        """End the training, and remove its unfinished run. Nothing happens if none is running."""
        with self._mutex:
            if not self._is_running() or self._process is None:
                return
            self._process.terminate()
            try:
                self._process.wait(SECONDS_TO_END)
            except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
                self._process.kill()
                self._process.wait(SECONDS_TO_END)
            self._stopped = True
            self._remove_unfinished()

    @property
    def has_seen_it_run(self) -> bool:
        """Whether the last training was running at any time since this server was started."""
        return self._process is not None

    def _is_running(self) -> bool:
        if isinstance(self._process, psutil.Process):
            return bool(self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)
        return self._process is not None and self._process.poll() is None

    def _remove_unfinished(self) -> None:
        """Remove the folder of a run that will never be finished: the next one has more labels."""
        folder = self.folder / self._run
        if self._run and folder.is_dir() and not is_finished(folder):
            shutil.rmtree(folder, ignore_errors=True)

    def progress(self) -> Progress:
        """Return how far the last training is."""
        with self._mutex:
            if not self._run:
                return Progress(IDLE)
            folder, running = self.folder / self._run, self._is_running()
            if not running and is_finished(folder):
                return Progress(FINISHED, self._run)
            if running:
                step, steps, dev = self._steps(folder)
                return Progress(RUNNING, self._run, step, steps, dev)
            if self._process is not None:  # any other may be running, on another machine that shares the folder
                self._remove_unfinished()
            if self._stopped:
                return Progress(STOPPED, self._run)
            return Progress(FAILED, self._run, message=self._error())

    def _lines(self) -> list[str]:
        file = self.folder / f"{self._run}.log"
        return file.read_text("utf-8", errors="replace").splitlines() if file.is_file() else []

    def _steps(self, folder: Path) -> tuple[int, int, float | None]:
        """Return the steps that are done, all steps, and the last score on dev."""
        steps, step = 0, 0
        try:
            if (folder / SETTINGS).is_file():
                steps = int(yaml.safe_load((folder / SETTINGS).read_text("utf-8")).get("max_steps") or 0)
            rows = read_log(folder)
        except (UserError, ValueError, AttributeError, yaml.YAMLError, OSError):
            rows = []  # a file that is being replaced
        dev = next((row["dev"]["mean"] for row in reversed(rows) if isinstance(row.get("dev"), dict)), None)
        if rows:
            step = int(rows[-1].get("step", 0))
        for line in reversed(self._lines()):
            if found := STEPS.search(line):
                done, all_steps = (int(number.replace(",", "")) for number in found.groups())
                return max(step, done), all_steps, dev
        return step, steps, dev

    def _error(self) -> str:
        lines = [line for line in self._lines() if line.strip()]
        errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
        if errors:
            return errors[-1]
        ended = f"The training has ended without a message; see {self.folder / f'{self._run}.log'}."
        return lines[-1] if lines and self._was_started_here() else ended

    def _was_started_here(self) -> bool:
        """Return whether this server has started the process, and knows how it ends."""
        return isinstance(self._process, subprocess.Popen)

    def runs(self) -> Iterator[Path]:
        """Yield the finished runs, the oldest first."""
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir(), key=lambda path: (len(path.name), path.name)):
                if NAME.fullmatch(path.name) and is_finished(path):
                    yield path

    def curve(self) -> list[Point]:
        """Return a point for each finished run."""
        points = []
        for run in self.runs():
            scores = read_scores(run)
            training: TrainingFacts = scores.get("training", {})
            dev = {name: score for name, score in (scores.get("dev") or {}).items() if "main" in score}
            values = {name: score.get(score["main"]) for name, score in dev.items()}
            points.append(
                Point(
                    run.name,
                    training.get("labeled", {}).get("documents", 0),
                    max((score.get("documents", 0) for score in dev.values()), default=0),
                    mean_score(dev),
                    values,
                )
            )
        return points

    def close(self) -> None:
        """End the training if this server has started it."""
        if self._was_started_here():
            self.stop()
