"""Servers of tiny runs, each loaded once for a module, and a browser."""

from __future__ import annotations

import json
import shutil

import linked
import pytest
import tiny
import web_servers
from served import served

from electra_ie import train
from electra_ie.serving.model import ServedModel

RECORD = """
record:
  fields:
    payers: {from: person}
    sums: {from: amount, type: decimal}
    risks: {from: risks}
"""


@pytest.fixture(scope="module")
def browser():
    with web_servers.chromium() as found:
        yield found


@pytest.fixture(scope="session")
def run_with_records(run, made_once):
    """Return a copy of the run of three fields whose task has records."""

    def make(folder):
        shutil.copytree(run, folder)
        with (folder / "task.yaml").open("a", encoding="utf-8") as task:
            task.write(RECORD)

    return made_once("run_with_records", make)


@pytest.fixture(scope="session")
def linked_run(encoder, made_once):
    """Return a run that finds relations."""
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=40)
    return made_once("linked", lambda folder: train(linked.data(), folder, fields=linked.FIELDS, **settings))


@pytest.fixture(scope="module")
def model(run_with_records):
    return ServedModel.load(run_with_records)


@pytest.fixture(scope="module")
def client(model):
    with served(model) as found:
        yield found


@pytest.fixture
def lines():
    """Return a function that returns the lines of JSON that `extract` writes for documents."""

    def of(extractor, documents):
        return [json.dumps(result.record(), ensure_ascii=False) for result in extractor.read(documents)]

    return of
