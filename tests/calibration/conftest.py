"""A run with enough documents of dev that its scores are calibrated."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny

from electra_ie import train


@pytest.fixture(scope="session")
def calibrated(made_once: Callable[..., Path], encoder: Callable[[str], str]) -> Path:
    """Return the folder of a run with 150 documents of dev. It must not be changed, nor its task, which is beside it."""

    def make(folder: Path) -> None:
        task, draw = tiny.write_task(folder / "task"), random.Random(9)
        tiny.write_records(folder / "task" / "dev.jsonl", [tiny.record(number, draw) for number in range(150)])
        train(str(task), folder / "run", **tiny.settings(encoder("bert"), max_steps=120))

    return made_once("calibrated", make) / "run"
