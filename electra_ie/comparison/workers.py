"""Trainings at once, each a process of its own, with a GPU of its own where there are several."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import torch

from electra_ie.common.errors import UserError
from electra_ie.common.logs import notice, warn

LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What tells a process that it is one of several of the same training."""


def run_processes(
    waves: Sequence[Sequence[str]], command: Callable[[str], Sequence[str]], logs: Path, at_once: int
) -> None:
    """Run `electra-ie COMMAND` for every name, `at_once` at a time; what it prints goes to `logs`/name.log. A wave
    begins when the one before has ended, and COMMAND is asked for when it starts, since a run of the wave before may
    teach it.

    Their warnings are passed on, each once. Raises UserError for the first that fails, with what it says is wrong, and
    ends the others: they can be resumed.
    """
    logs.mkdir(parents=True, exist_ok=True)
    warned, done, total = set[str](), 0, sum(map(len, waves))
    for wave in waves:
        with closing(_run(wave, command, logs, at_once)) as ended:
            for name, status in ended:
                _report(name, status, logs / f"{name}.log", warned)
                done += 1
                notice(f"run {done} of {total} done: {name}")


def _run(
    names: Sequence[str], command: Callable[[str], Sequence[str]], logs: Path, at_once: int
) -> Generator[tuple[str, int], None, None]:
    """Yields the name and the status of each process as it ends; when closed, ends those that run."""
    waiting, running = list(names), dict[int, tuple[str, subprocess.Popen[bytes]]]()
    try:
        while waiting or running:
            for place in range(at_once):
                if waiting and place not in running:
                    name = waiting.pop(0)
                    running[place] = name, _start(command(name), logs / f"{name}.log", place, at_once)
            time.sleep(0.2)
            for place, (name, process) in list(running.items()):
                if process.poll() is not None:
                    del running[place]
                    yield name, process.returncode
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def _start(command: Sequence[str], log: Path, place: int, at_once: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in LAUNCHED}
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // at_once)))
    gpus = visible_gpus()
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "electra_ie", *command], env=environment, stdout=stream, stderr=stream
        )


def visible_gpus() -> list[str]:
    """The GPUs of this process, by the names that CUDA_VISIBLE_DEVICES takes."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = told.split(",") if told is not None else [str(number) for number in range(torch.cuda.device_count())]
    return [name.strip() for name in names if name.strip()]


def _report(name: str, status: int, log: Path, warned: set[str]) -> None:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    for line in lines:
        if line.startswith("warning: ") and line not in warned:
            warned.add(line)
            warn(line.removeprefix("warning: "))
    if status:
        last = lines[-1] if lines else ""
        told = (
            last.removeprefix("error: ") if last.startswith("error: ") else f"it ended with status {status}; see {log}."
        )
        raise UserError(f"{name}: {told}", remedy="Go on with --resume when it is mended.")
