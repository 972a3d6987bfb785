"""A run for the tests of extraction whose answers need not be right: its model has new heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jobs
import pytest
import tiny

from electra_ie import Extractor
from electra_ie.inference.jobs import chunks, job


def save_extractor(folder: Path, encoder: str, sharp: float = 20.0) -> Path:
    """Save an extractor of the task of three fields, which finds something in most texts."""
    made = Extractor(tiny.discriminator_of(encoder, sharp=sharp), tiny.windower_of(encoder), tiny.FIELDS)
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def untrained(encoder: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an extractor. It must not be changed."""
    return save_extractor(tmp_path_factory.mktemp("untrained") / "run", encoder("bert"))


@pytest.fixture(scope="session")
def other_model(encoder: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an extractor with other weights."""
    return save_extractor(tmp_path_factory.mktemp("other") / "run", encoder("bert"), sharp=5.0)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit a few documents at a time."""
    monkeypatch.setattr(chunks, "CHARACTERS", 600)
    monkeypatch.setattr(job, "COMMIT_SECONDS", 0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_chunks: None) -> Path:
    """Return the current folder, which has an inbox."""
    jobs.put_inbox(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
