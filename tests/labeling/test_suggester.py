"""Suggestions of a run in threads beside the server: a run that fails, a task that changes, and the end."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from electra_ie.data.document import Document, Finding
from electra_ie.data.fields import Field
from electra_ie.labeling import suggester, worker
from electra_ie.labeling.suggester import Suggester
from electra_ie.labeling.worker import Worker

TEXT = Document("1", "Ann paid.")


class Extractor:
    """An extractor that finds the topic "money" in every text."""

    def read(self, documents):
        finding = Finding(field="topic", label="money", score=0.9, start=0, end=9, text="Ann paid.")
        return [SimpleNamespace(findings=[finding], relations=()) for _ in documents]


@pytest.fixture
def suggesting(monkeypatch):
    def load(run):
        if run.name == "002":
            raise RuntimeError("CUDA out of memory")
        return Extractor()

    monkeypatch.setattr(suggester, "load_extractor", load)
    found = Suggester((Field("topic", "classes", ("money", "other")),), "some-encoder")
    yield found
    found.close()


def test_a_run_that_cannot_be_loaded_says_why_and_suggests_nothing(suggesting):
    suggesting.use(Path("001")).result(30)
    assert suggesting.suggest("key", TEXT).result(30) == {"topic": {"label": "money", "score": 0.9}}
    suggesting.use(Path("002")).result(30)
    assert suggesting.failure == "CUDA out of memory"
    assert suggesting.suggest("key", TEXT).result(30) == {}


def test_a_label_that_the_task_no_longer_has_is_not_suggested(suggesting):
    suggesting.use(Path("001")).result(30)
    suggesting.suggest("key", TEXT).result(30)
    suggesting.take_fields((Field("topic", "classes", ("payment", "other")),))
    assert suggesting.suggest("key", TEXT).result(30) == {}


def test_an_error_in_one_text_is_not_kept(suggesting, monkeypatch):
    suggesting.use(Path("001")).result(30)
    with monkeypatch.context() as patch:
        patch.setattr(Extractor, "read", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            suggesting.suggest("key", TEXT).result(30)
    assert suggesting.suggest("key", TEXT).result(30)


def test_the_end_does_not_wait_for_long_work_and_drops_what_has_not_begun(monkeypatch):
    monkeypatch.setattr(worker, "SECONDS_TO_END", 0.1)
    begun, ended = threading.Event(), threading.Event()
    thread = Worker("long")
    running = thread.submit(lambda: (begun.set(), ended.wait(30)))
    waiting = thread.submit(lambda: None)
    assert begun.wait(30)
    thread.close()
    assert not running.done()
    ended.set()
    running.result(30)
    thread.close()
    assert waiting.cancelled()


IMPORTS = """
import sys, threading, time
from pathlib import Path

class Slow:
    '''Makes the import of transformers take long enough for every thread to begin with it.'''
    def find_spec(self, name, path=None, target=None):
        if name == "transformers.utils":
            time.sleep(1)

sys.meta_path.insert(0, Slow())
from electra_ie.data.document import Document
from electra_ie.labeling.retraining import TrainingProcess
from electra_ie.labeling.suggester import Suggester

run, encoder = sys.argv[1:]
suggester = Suggester((), encoder)
loading = suggester.use(Path(run))
choice = suggester.choose([Document(str(number), f"text {number}") for number in range(3)], [], 0)
curve = TrainingProcess(Path(run).parent / "none", Path("task.yaml"), []).curve()  # as a request to /api/status
loading.result(60)
print(suggester.failure or "loaded", curve, len(choice.result(60)))
"""


@pytest.mark.slow
def test_threads_that_need_transformers_at_the_same_time_import_it_one_after_another(run, encoder):
    command = [sys.executable, "-c", IMPORTS, run, encoder("bert")]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert (ended.stdout, ended.returncode) == ("loaded [] 3\n", 0), ended.stderr


def test_a_load_that_an_import_has_failed_is_tried_again_with_the_next_text(suggesting, monkeypatch):
    load = suggester.load_extractor
    monkeypatch.setattr(suggester, "load_extractor", lambda run: importlib.import_module("electra_ie.no_such_module"))
    suggesting.use(Path("001")).result(30)
    assert suggesting.suggest("key", TEXT).result(30) == {} and "no_such_module" in suggesting.failure
    monkeypatch.setattr(suggester, "load_extractor", load)
    found = {"topic": {"label": "money", "score": 0.9}}
    assert suggesting.suggest("other", TEXT).result(30) == found and suggesting.failure == ""
    assert suggesting.suggest("key", TEXT).result(30) == found
