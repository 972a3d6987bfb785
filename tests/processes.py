"""Separate processes for tests: one Python, or two on one machine, as `accelerate launch` starts them.

They are forked from a server that has imported the package and has done nothing else, one server per pytest process:
importing torch and transformers takes longer than most of what these processes do. On Windows, which has no fork, they
are spawned. A test of the import itself, or of an environment without the package, uses `subprocess`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import electra_ie

SECONDS = 180
"""Time limit of a process."""
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if FORKS else "spawn")
if FORKS:
    CONTEXT.set_forkserver_preload(
        ["electra_ie.training.trainer", "electra_ie.pretraining.trainer", "electra_ie.cli.app"]
    )


def start(arguments: Sequence[str], messages: Path, environment: Mapping[str, str] | None = None) -> BaseProcess:
    """Start `python ARGUMENTS`; the arguments begin with `-c CODE`, `-m MODULE` or a file.

    Standard error is written to the file `messages`; standard output is discarded. `environment` is added to that of this process.
    """
    process = CONTEXT.Process(
        target=_execute, args=(list(arguments), str(messages), {**os.environ, **(environment or {})})
    )
    process.start()
    return process


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `python ARGUMENTS`; return the exit code, negative if a signal ended the process, and standard error."""
    with tempfile.TemporaryDirectory() as folder:
        messages = Path(folder) / "messages"
        return _join(start(arguments, messages, environment)), messages.read_text("utf-8")


def run_two(arguments: Callable[[int], Sequence[str]], code: int = 0) -> None:
    """Run `python ARGUMENTS(rank)` for the ranks 0 and 1 and wait for both; fail if an exit code is not `code`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": 1, "HF_HUB_OFFLINE": 1,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        messages = [Path(folder) / str(rank) for rank in range(2)]
        processes = []
        for rank in range(2):
            environment = {name: str(value) for name, value in {**settings, "RANK": rank, "LOCAL_RANK": rank}.items()}
            processes.append(start(arguments(rank), messages[rank], environment))
        try:
            for process, file in zip(processes, messages, strict=True):
                assert _join(process) == code, file.read_text("utf-8")
        finally:
            for process in processes:
                process.kill()


def stop() -> None:
    """End the server and wait for it, so that its CPU time counts as that of a child of this process."""
    if FORKS:
        from multiprocessing import forkserver

        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public function for it


def _join(process: BaseProcess) -> int:
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"a process did not end within {SECONDS} seconds")
    return process.exitcode


def _execute(arguments: list[str], messages: str, environment: dict[str, str]) -> None:
    """Run `python -W ignore ARGUMENTS` in a forked process."""
    sys.stdout.flush()
    for descriptor, path in ((1, os.devnull), (2, messages)):
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [str(Path(__file__).parent), str(Path(electra_ie.__file__).parents[1])]
    warnings.simplefilter("ignore")
    kind, *rest = arguments
    if kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "-c", "exec"), {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = ["-m", *rest[1:]]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")
