"""Run several trainings at once, each in its own process, with its own GPU if there are several."""

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
"""Environment variables of a distributed launch, which a training of its own must not inherit."""


def run_processes(
    waves: Sequence[Sequence[str]], command: Callable[[str], Sequence[str]], logs: Path, at_once: int
) -> None:
    """Run `electra-ie` with the arguments `command(name)` for every name, `at_once` at a time.

    A wave begins when the one before has ended. `command` is called when a process starts, because its teacher may be
    a run of the wave before. The output of a process goes to `logs`/name.log; its warnings are repeated here, the same
    text once.

    Raises:
        UserError: A process failed, with its error message. The others are terminated and can be resumed.
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
    """Yield the name and the exit status of each process as it ends; terminate the rest when closed."""
    waiting, running = list(names), dict[int, tuple[str, subprocess.Popen[bytes]]]()
    try:
        while waiting or running:
            for slot in range(at_once):
                if waiting and slot not in running:
                    name = waiting.pop(0)
                    running[slot] = name, _start(command(name), logs / f"{name}.log", slot, at_once)
            time.sleep(0.2)
            for slot, (name, process) in list(running.items()):
                if process.poll() is not None:
                    del running[slot]
                    yield name, process.returncode
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def _start(command: Sequence[str], log: Path, slot: int, at_once: int) -> subprocess.Popen[bytes]:
    """Start a process with its share of the CPU cores and the GPU of its slot."""
    environment = {name: value for name, value in os.environ.items() if name not in LAUNCHED}
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // at_once)))
    gpus = visible_gpus()
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "electra_ie", *command], env=environment, stdout=stream, stderr=stream
        )


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible is not None else [str(index) for index in range(torch.cuda.device_count())]
    return [name.strip() for name in names if name.strip()]


def _report(name: str, status: int, log: Path, warned: set[str]) -> None:
    """Repeat the new warnings of a process; raise UserError if it failed."""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    for line in lines:
        if line.startswith("warning: ") and line not in warned:
            warned.add(line)
            warn(line.removeprefix("warning: "))
    if status:
        last = lines[-1] if lines else ""
        failed = last.startswith("error: ")
        message = last.removeprefix("error: ") if failed else f"it ended with status {status}; see {log}."
        raise UserError(f"{name}: {message}", remedy="Fix the cause, then continue with --resume.")
