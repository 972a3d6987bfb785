"""What a process shares is changed by one thread at a time, and restored."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import pytest

from electra_ie.common.hub_client import HubName, translate_hub_errors
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.data.readers import dataset
from electra_ie.export import graph
from electra_ie.inference.jobs import conversion
from electra_ie.models import encoders
from electra_ie.pretraining import model_factory
from electra_ie.runs import plots
from electra_ie.selection import states

pytest.importorskip("datasets")  # imported here, so that the thread enters at once

CHANGES = {
    "hub client": lambda: translate_hub_errors(HubName("org/name", None)),
    "datasets": dataset._quiet,
    "exporter": graph._quiet,
    "pypdf": conversion._quiet_pypdf,
    "matplotlib": plots._style,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_second_thread_waits_until_the_first_has_restored_it(name):
    entered, left = threading.Event(), threading.Event()

    def enter(change: AbstractContextManager[object]) -> None:
        with change:
            entered.set()
        left.set()

    thread = threading.Thread(target=enter, args=(CHANGES[name](),), daemon=True)
    with PROCESS_STATE:
        thread.start()
        assert not entered.wait(0.2)
    assert left.wait(30)


def is_free(lock: threading.RLock) -> bool:
    """Whether another thread could acquire a lock."""
    found = []
    thread = threading.Thread(target=lambda: found.append(lock.acquire(blocking=False) and not lock.release()))
    thread.start()
    thread.join()
    return found[0]


LOADS = {
    "tokenizer": encoders.load_tokenizer,
    "configuration": encoders.encoder_config,
    "model": lambda name: model_factory._load(model_factory.AutoModel, name),
    "states": states.Encoded,
}


@pytest.mark.parametrize("name", LOADS)
def test_a_download_of_an_encoder_does_not_keep_other_threads_from_loading(name, encoder, monkeypatch):
    free = []
    resolve = encoders.resolve_encoder

    def noted(path: str) -> str:
        free.append(is_free(encoders.MODEL_LOCK))
        return resolve(path)

    for module in (encoders, model_factory, states):
        monkeypatch.setattr(module, "resolve_encoder", noted)
    LOADS[name](encoder("bert"))
    assert free
    assert all(free)
