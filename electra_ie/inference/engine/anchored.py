"""The second reading of a document, in which a model classifies texts with one or two findings marked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from electra_ie.data.anchored.marked_spans import FieldT, MarkedSpans, SpanRules, marked_documents
from electra_ie.data.document import Document, Finding, Span
from electra_ie.data.fields import documents_by_field
from electra_ie.inference.engine.pipeline import ExtractionPipeline
from electra_ie.inference.engine.results import DocumentResult

SPANS_AT_ONCE = 1024
"""Findings that are collected before they are read again."""


@dataclass(frozen=True)
class AnchoredReader(ABC, Generic[FieldT]):
    """What finds the relations or attributes of one field.

    Attributes:
        field: The field.
        rules: The findings that are considered.
        pipeline: Reads marked texts; its model has one field of classes (`SpanRules.classes`).
    """

    field: FieldT
    rules: SpanRules[FieldT]
    pipeline: ExtractionPipeline

    def classified(
        self, documents: Iterable[tuple[Document, Sequence[Span]]]
    ) -> Iterator[list[tuple[MarkedSpans, str, float]]]:
        """Yield what is considered of each document, in the order of the text, each with label and probability.

        documents: each with its spans.
        """
        begun: deque[Sequence[MarkedSpans]] = deque()  # of the documents whose texts the reader has taken

        def marked() -> Iterator[Document]:
            for document, spans in documents:
                begun.append(self.rules.candidates(document.text, spans))
                yield from marked_documents(document, begun[-1])

        found = list[tuple[MarkedSpans, str, float]]()
        for result in self.pipeline.read(marked()):
            while not begun[0]:
                begun.popleft()
                yield []
            found.append((begun[0][len(found)], result.answers[self.field.name], result.findings[0].score))
            if len(found) == len(begun[0]):
                begun.popleft()
                yield found
                found = []
        for _ in begun:
            yield []

    def of_findings(
        self, results: Sequence[DocumentResult]
    ) -> Iterator[tuple[dict[Span, list[Finding]], list[tuple[MarkedSpans, str, float]]]]:
        """Yield the findings of each span of each result, and `classified` for the spans.

        A span has several findings if several fields have found it with the same label.
        """
        by_span: list[dict[Span, list[Finding]]] = [{} for _ in results]
        for spans, result in zip(by_span, results, strict=True):
            for finding in result.findings:
                if finding.window is None:
                    spans.setdefault(finding.span, []).append(finding)
        found = self.classified((result.document, list(spans)) for result, spans in zip(results, by_span, strict=True))
        yield from zip(by_span, found, strict=True)

    @abstractmethod
    def add(self, results: Sequence[DocumentResult]) -> None:
        """Add what is found to the results."""


ReaderT = TypeVar("ReaderT", bound=AnchoredReader[Any])


def labeled_for(
    readers: Iterable[ReaderT], documents: Sequence[Document], results: Sequence[DocumentResult]
) -> Iterator[tuple[ReaderT, list[Document], list[DocumentResult]]]:
    """Yield each reader with the documents that are labeled for its field, if there are any, and their results."""
    by_field = {reader.field: reader for reader in readers}
    for field, indices in documents_by_field(documents, list(by_field)):
        yield by_field[field], [documents[index] for index in indices], [results[index] for index in indices]


def read_again(results: Iterable[DocumentResult], readers: Sequence[AnchoredReader[Any]]) -> Iterator[DocumentResult]:
    """Yield the results with what all readers find, in the same order."""
    held: list[DocumentResult] = []
    spans = 0
    for result in results:
        held.append(result)
        spans += len(result.findings)
        if len(held) + spans >= SPANS_AT_ONCE:
            yield from _read(held, readers)
            held, spans = [], 0
    yield from _read(held, readers)


def _read(held: list[DocumentResult], readers: Sequence[AnchoredReader[Any]]) -> list[DocumentResult]:
    for reader in readers:
        reader.add(held)
    return held
