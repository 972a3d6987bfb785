"""Servers of tiny runs for tests."""

from __future__ import annotations

import contextlib
import copy
import threading
from dataclasses import replace

import httpx
import web_servers

from electra_ie.calibration.stored import PRECISION, RECALL, Calibration, Promise
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.serving.application import ServerSettings, serving_app
from electra_ie.web.access import Access


@contextlib.contextmanager
def served(model, token=None, **settings):
    """Run a server of a model, and yield a client of it."""
    app = serving_app(model, Access(token), ServerSettings(**settings))
    with web_servers.serving(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


class Held(TextExtractor):
    """An extractor that reads only when `let` is set, counts its calls, and fails for texts with a word."""

    def __init__(self, extractor, fails=None):
        self.extractor, self.fails = extractor, fails
        self.fields, self.model = extractor.fields, extractor.model
        self.let, self.begun, self.calls = threading.Event(), threading.Event(), []

    def pipeline(self, overlapped=None):
        return self.extractor.pipeline(overlapped)

    def read(self, documents):
        self.calls.append([document.text for document in documents])
        self.begun.set()
        assert self.let.wait(30)
        for text in self.calls[-1]:
            if self.fails is not None and self.fails in text:
                raise MemoryError(text)
        return super().read(documents)


def with_goals(model):
    """Return the model with a goal of each kind for the amounts: the highest scores are accepted, the lowest dropped."""
    extractor = copy.copy(model.extractor)
    promise = Promise(PRECISION, 0.9, "names", "amount", 0.99, 0.9, 50, 0.95, "dev")
    kept = replace(promise, measure=RECALL, threshold=0.5, confidence=None)
    extractor.calibration = Calibration("", promises=(promise, kept))
    return replace(model, extractor=extractor)


def held(model, **options):
    """Return the model with a `Held` extractor."""
    return replace(model, extractor=Held(model.extractor, **options))
