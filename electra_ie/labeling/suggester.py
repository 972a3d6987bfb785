"""What a run suggests for a text, and which texts come next: in two threads beside those that answer the page."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.common.errors import first_line
from electra_ie.data.document import Document, Finding
from electra_ie.data.fields import AnyField
from electra_ie.inference.loading import IMPORTING, load_extractor
from electra_ie.labeling.worker import Worker

if TYPE_CHECKING:
    from electra_ie.inference.engine.base import TextExtractor
    from electra_ie.inference.engine.results import DocumentResult

BATCH = 20
"""Texts that are chosen at once: until they are labeled, the same run is the best judge."""
CONSIDERED = 1000
"""Texts among which they are chosen: a sample, so that the choice takes seconds, not minutes."""


class Suggester:
    """The extractor of a run in a thread of its own, and another one in the thread that chooses texts.

    The choice takes long, and the suggestions for the text on the page do not wait for it.

    Attributes:
        run: The run that suggestions come from; None without one.
        failure: Why it cannot suggest; "" if it can.
    """

    def __init__(self, fields: Sequence[AnyField], encoder: str) -> None:
        """Start the threads.

        Args:
            fields: The fields of the task.
            encoder: The encoder that tells how similar texts are, for the choice.
        """
        self._fields, self.encoder = fields, encoder
        self.run: Path | None = None
        self.failure = ""
        self._may_load_later = False
        self._extractor: TextExtractor | None = None
        self._found: dict[str, Future[dict[str, Any]]] = {}
        self._reading, self._choosing = Worker("suggestions"), Worker("choice")

    def take_fields(self, fields: Sequence[AnyField]) -> None:
        """Take the fields of the task after a change of its task.yaml; what was suggested before is forgotten."""
        self._fields, self._found = fields, {}

    def use(self, run: Path) -> Future[None]:
        """Take another run; what was suggested before is forgotten."""
        self.run, self._found = run, {}
        return self._reading.submit(lambda: self._load(run))

    def _load(self, run: Path) -> None:
        """Load a run, in the thread of suggestions."""
        self._extractor = None  # first, so that its memory is free for the new one
        try:
            self._extractor, self.failure = load_extractor(run), ""
        except Exception as error:  # noqa: BLE001 - the page shows it; nobody reads this future
            self.failure, self._may_load_later = first_line(error), may_pass(error)

    def suggest(self, key: str, document: Document) -> Future[dict[str, Any]]:
        """Return what the run finds in a text, as an annotation whose values have scores; {} without a run."""
        fields, run = self._fields, self.run

        def read() -> dict[str, Any]:
            if run and self._extractor is None and self._may_load_later:
                self._load(run)
                self._found = {}  # the texts before have no suggestions
            if self._extractor is None:
                return {}
            (result,) = self._extractor.read([document.unlabeled()])
            return suggested(result, fields)

        future = self._found.get(key)
        if future is None or (future.done() and future.exception() is not None):
            future = self._found[key] = self._reading.submit(read) if run else _done()
        return future

    def choose(
        self, documents: Sequence[Document], labeled: Sequence[Document], seed: int
    ) -> Future[list[tuple[Document, str]]]:
        """Return the texts to label next, each with how it was chosen, drawn by the seed."""
        run = self.run

        def order() -> list[tuple[Document, str]]:
            with IMPORTING:
                from electra_ie.selection.choosing import choose
            extractor = load_extractor(run) if run else None
            considered = random.Random(seed).sample(list(documents), min(CONSIDERED, len(documents)))
            chosen = choose(considered, BATCH, labeled=labeled, extractor=extractor, encoder=self.encoder, seed=seed)
            return [(choice.document, choice.chosen) for choice in chosen]

        return self._choosing.submit(order)

    def close(self) -> None:
        """End the threads; what has not begun is left out."""
        for worker in (self._reading, self._choosing):
            worker.close()


def may_pass(error: BaseException) -> bool:
    """Return whether what has failed is tried again: imports may fail while another thread imports the same."""
    return isinstance(error, ImportError)


def _done() -> Future[dict[str, Any]]:
    """Return the suggestions without a run."""
    future: Future[dict[str, Any]] = Future()
    future.set_result({})
    return future


def suggested(result: DocumentResult, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the findings in a text that the task has labels for, as an annotation whose values have scores.

    Spans of several fragments are left out, with their relations, since the page cannot mark them (see `check_task`).
    """
    labels = {field.name: (field.kind, set(field.labels)) for field in fields}
    found: dict[str, Any] = {}
    for finding in result.findings:
        kind, known = labels.get(finding.field, ("", set()))
        if finding.label not in known or finding.fragments:
            continue
        if kind == "classes":
            found[finding.field] = {"label": finding.label, "score": finding.score}
        elif kind == "flags":
            found.setdefault(finding.field, []).append({"label": finding.label, "score": finding.score})
        elif kind == "spans":
            found.setdefault(finding.field, []).append({**_span(finding), "score": finding.score})
    marked = {finding.span for finding in result.findings if finding.window is None and not finding.fragments}
    for relation in result.relations or ():
        _, known = labels.get(relation.field, ("", set()))
        if relation.label in known and {relation.head.span, relation.tail.span} <= marked:
            ends = {"head": _span(relation.head), "tail": _span(relation.tail)}
            found.setdefault(relation.field, []).append({**ends, "label": relation.label, "score": relation.score})
    return found


def _span(finding: Finding) -> dict[str, Any]:
    return {"start": finding.start, "end": finding.end, "label": finding.label}
