"""Two processes on one machine, as `accelerate launch` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import electra_ie


def run_two(arguments: Callable[[int], Sequence[str]], code: int = 0) -> None:
    """Run `python ARGUMENTS(rank)` for the ranks 0 and 1, and wait for both; another exit code of one is an error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for rank in range(2):
        settings = {
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": 1, "HF_HUB_OFFLINE": 1,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(electra_ie.__file__).parents[1])]),
        }  # fmt: skip
        environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
        command = [sys.executable, "-W", "ignore", *arguments(rank)]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    try:
        for process in started:
            _, messages = process.communicate(timeout=180)
            assert process.returncode == code, messages
    finally:
        for process in started:
            process.kill()
