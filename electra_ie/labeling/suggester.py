"""What a run suggests for a text, and the order of the texts that follows from it; in one thread beside the server."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from electra_ie.common.errors import UserError, first_line
from electra_ie.data.document import Document, Finding
from electra_ie.data.fields import AnyField

if TYPE_CHECKING:
    from electra_ie.inference.engine.base import TextExtractor
    from electra_ie.inference.engine.results import DocumentResult

T = TypeVar("T")
BATCH = 20
"""Texts that are chosen at once: until they are labeled, the same run is the best judge."""
CONSIDERED = 1000
"""Texts among which they are chosen: a sample, so that the choice takes seconds, not minutes."""


class Suggester:
    """The extractor of a run in a thread of its own, so that the page never waits for a model.

    Attributes:
        run: The run that suggestions come from; None without one.
        failure: Why it cannot suggest; "" if it can.
    """

    def __init__(self, fields: Sequence[AnyField], encoder: str, seed: int) -> None:
        """Start the thread.

        Args:
            fields: The fields of the task.
            encoder: The encoder that tells how similar texts are, for the choice without a run.
            seed: The seed of the choice.
        """
        self.fields, self.encoder, self.seed = fields, encoder, seed
        self.run: Path | None = None
        self.failure = ""
        self._extractor: TextExtractor | None = None
        self._found: dict[str, Future[dict[str, Any]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="suggestions")

    def use(self, run: Path) -> Future[None]:
        """Take another run; what was suggested before is forgotten."""

        def load() -> None:
            from electra_ie.inference.loading import load_extractor

            try:
                self._extractor, self.failure = load_extractor(run), ""
            except (UserError, OSError) as error:
                self._extractor, self.failure = None, first_line(error)

        self.run, self._found = run, {}
        return self._thread.submit(load)

    def suggest(self, key: str, document: Document) -> Future[dict[str, Any]]:
        """Return what the run finds in a text, as an annotation whose values have scores; {} without a run."""

        def read() -> dict[str, Any]:
            if self._extractor is None:
                return {}
            (result,) = self._extractor.read([document.unlabeled()])
            return suggested(result, self.fields)

        if key not in self._found:
            self._found[key] = self._thread.submit(read)
        return self._found[key]

    def choose(
        self, documents: Sequence[Document], labeled: Sequence[Document], seed: int
    ) -> Future[list[tuple[Document, str]]]:
        """Return the texts to label next, each with how it was chosen."""

        def order() -> list[tuple[Document, str]]:
            from electra_ie.selection.choosing import choose

            considered = random.Random(seed).sample(list(documents), min(CONSIDERED, len(documents)))
            chosen = choose(
                considered, BATCH, labeled=labeled, extractor=self._extractor, encoder=self.encoder, seed=seed
            )
            return [(choice.document, choice.chosen) for choice in chosen]

        return self._thread.submit(order)

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Call a function in the thread, after what was asked before."""
        return self._thread.submit(function)

    def close(self) -> None:
        """End the thread; what has not begun is left out."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def suggested(result: DocumentResult, fields: Sequence[AnyField]) -> dict[str, Any]:
    """Return the findings in a text that the task has labels for, as an annotation whose values have scores."""
    labels = {field.name: (field.kind, set(field.labels)) for field in fields}
    found: dict[str, Any] = {}
    for finding in result.findings:
        kind, known = labels.get(finding.field, ("", set()))
        if finding.label not in known:
            continue
        if kind == "classes":
            found[finding.field] = {"label": finding.label, "score": finding.score}
        elif kind == "flags":
            found.setdefault(finding.field, []).append({"label": finding.label, "score": finding.score})
        elif kind == "spans":
            found.setdefault(finding.field, []).append({**_span(finding), "score": finding.score})
    marked = {finding.span for finding in result.findings if finding.window is None}
    for relation in result.relations or ():
        _, known = labels.get(relation.field, ("", set()))
        if relation.label in known and {relation.head.span, relation.tail.span} <= marked:
            ends = {"head": _span(relation.head), "tail": _span(relation.tail)}
            found.setdefault(relation.field, []).append({**ends, "label": relation.label, "score": relation.score})
    return found


def _span(finding: Finding) -> dict[str, Any]:
    return {"start": finding.start, "end": finding.end, "label": finding.label}
