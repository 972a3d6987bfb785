"""Separate processes for tests: one Python, or two on one machine, as `accelerate launch` starts them.

They are forked from a server that has imported the package and has done nothing else, one server per pytest process:
importing torch and transformers takes longer than most of what these processes do. Their runs are light
(tests/lighter.py), unless a test asks for the whole. Under pytest-xdist the server itself is forked from the worker
before its first test (`fork_server`). On Windows, which has no fork, the processes are spawned. A test of the import itself, or of an environment without the package, uses `subprocess`.
"""

from __future__ import annotations

import gc
import importlib
import logging
import multiprocessing
import multiprocessing.util
import os
import runpy
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import AnyStr, BinaryIO, Generic

import lighter
import pytest

import electra_ie

if sys.platform != "win32":
    from multiprocessing import forkserver

SECONDS = 300
"""Time limit of a process."""
READ_THE_ENVIRONMENT = ("electra_ie", "datasets", "huggingface_hub")
"""Packages that read the environment when they are imported: address, token and cache of the hub."""
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if FORKS else "spawn")
LOCK = threading.Lock()
"""Held while an exit code is read: a second thread that reads it as well finds nothing left and gets 255.

Starting a process reads the codes of all others that have ended.
"""
CAPTURED: list[object] = []
"""The streams and handlers of pytest, kept in the server: once deleted, they would close descriptors of others."""
PRELOADED = ["electra_ie.training.trainer", "electra_ie.pretraining.trainer", "electra_ie.cli.app"]
if FORKS:
    CONTEXT.set_forkserver_preload(PRELOADED)


def fork_server() -> None:
    """Fork the server from this process instead of starting it, so that the package is imported once.

    It must be called before a test is run: what this process has changed, the server has too.
    """
    if not FORKS:
        return
    for name in PRELOADED:
        importlib.import_module(name)
    lighter.packages()
    resource_tracker.ensure_running()  # otherwise the call below would fork it as well
    spawn = multiprocessing.util.spawnv_passfds
    multiprocessing.util.spawnv_passfds = _fork
    try:
        forkserver.ensure_running()
    finally:
        multiprocessing.util.spawnv_passfds = spawn


def _fork(path: bytes, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """Fork a process that executes the code of `python -c CODE` and inherits only these descriptors; return its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of the other thread of a pytest-xdist worker
        process = os.fork()
    if process:
        return process
    try:
        # Coverage does not measure the processes. In their threads it would remove the modules that another thread is
        # importing, since it restores sys.modules whenever sys.path has changed.
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type] # as for sys
        kept = sorted({0, 1, 2, *descriptors})
        for low, high in pairwise([*kept, os.sysconf("SC_OPEN_MAX")]):
            os.closerange(low + 1, high)
        empty = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):  # those of pytest-xdist are its connection
            os.dup2(empty, standard)
        CAPTURED.extend([sys.stdin, sys.stdout, sys.stderr, *logging.root.handlers])
        logging.root.handlers.clear()  # pytest's would write to what has its closed descriptor by then, such as a pipe
        names = {"stdin": "r", "stdout": "w", "stderr": "w"}
        for standard, (name, mode) in enumerate(names.items()):
            setattr(sys, name, open(standard, mode, 1, "utf-8", closefd=False))  # noqa: SIM115 (open until the end)
        exec(arguments[-1], {})
    finally:
        os._exit(0)


def start(
    arguments: Sequence[str],
    messages: Path,
    environment: Mapping[str, str] | None = None,
    output: Path | str = os.devnull,
    again: Sequence[str] = (),
    whole: bool = False,
) -> BaseProcess:
    """Start `python ARGUMENTS`; the arguments begin with `-c CODE`, `-m MODULE` or a file.

    Standard error is written to the file `messages`, standard output to `output`. `environment` is added to that of
    this process. The packages `again` are forgotten after the fork, so that the process imports them itself. whole:
    draw pictures, and leave all else as it is for a user.
    """
    environment = {**os.environ, **(environment or {})}
    process = CONTEXT.Process(
        target=_execute, args=(list(arguments), str(messages), str(output), environment, tuple(again), whole)
    )
    with LOCK:
        process.start()
    return process


@dataclass(frozen=True)
class Ended:
    """A process that has ended. code: negative if a signal ended it."""

    code: int
    messages: str
    output: str


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    again: Sequence[str] = (),
    whole: bool = False,
) -> Ended:
    """Run `python ARGUMENTS` as `start` does, and wait for its end."""
    with tempfile.TemporaryDirectory() as folder:
        messages, output = Path(folder) / "messages", Path(folder) / "output"
        code = _join(start(arguments, messages, environment, output, again, whole))
        return Ended(code, messages.read_text("utf-8"), output.read_text("utf-8"))


class Popen(Generic[AnyStr]):
    """What `subprocess.Popen` is to the package: a new Python whose output and messages go to one file."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], stdout: BinaryIO, stderr: BinaryIO) -> None:
        assert command[0] == sys.executable and stdout is stderr
        self.process = start(command[1:], Path(stderr.name), env, stdout.name)
        self.terminate = self.process.terminate

    def poll(self) -> int | None:
        return _exit_code(self.process)

    def wait(self) -> int:
        return _join(self.process)

    returncode = property(poll)


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
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public function for it


def _join(process: BaseProcess) -> int:
    if not wait([process.sentinel], SECONDS):
        process.kill()
        raise TimeoutError(f"a process did not end within {SECONDS} seconds")
    code = _exit_code(process)
    assert code is not None
    return code


def _exit_code(process: BaseProcess) -> int | None:
    """Exit code of a process, or None while it runs."""
    with LOCK:
        return process.exitcode


def _execute(
    arguments: list[str],
    messages: str,
    output: str,
    environment: dict[str, str],
    again: tuple[str, ...],
    whole: bool,
) -> None:
    """Run `python -W ignore ARGUMENTS` in a forked process."""
    gc.freeze()  # the server has done nothing yet that leaves garbage
    gc.enable()  # conftest.py has disabled it in the process that the server was forked from
    sys.stdout.flush()
    for descriptor, path in ((1, output), (2, messages)):
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    for name in [name for name in sys.modules if name.partition(".")[0] in again]:
        del sys.modules[name]
    if again:  # of what electra_ie changes outside itself
        sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("electra_ie")]
    sys.path[:0] = [str(Path(__file__).parent), str(Path(electra_ie.__file__).parents[1])]
    warnings.simplefilter("ignore")
    if not whole and "electra_ie" not in again:
        lighter.lighten(pytest.MonkeyPatch())
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
