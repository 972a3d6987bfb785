"""Relations: the second reading of a document, in which a model classifies the marked pairs of its findings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from electra_ie.data.document import Document, RelationFinding, Span
from electra_ie.data.fields import RelationField
from electra_ie.data.relation_pairs import NONE, Pair, PairRules, normalized, pair_documents
from electra_ie.inference.engine.decoding import rounded
from electra_ie.inference.engine.reader import Reader
from electra_ie.inference.engine.results import DocumentResult

SPANS_AT_ONCE = 1024
"""Findings that are collected before their pairs are read."""


@dataclass(frozen=True)
class RelationReader:
    """What finds the relations of one field.

    Attributes:
        field: The field.
        rules: The pairs of findings that are considered.
        reader: Reads marked texts; its model has one field of classes (`relation_pairs.class_field`).
    """

    field: RelationField
    rules: PairRules
    reader: Reader

    def related(self, documents: Iterable[tuple[Document, Sequence[Span]]]) -> Iterator[list[tuple[Pair, str, float]]]:
        """Yield the related pairs of each document, in the order of the text, each with label and probability.

        documents: each with the spans that may be related.
        """
        begun: deque[list[Pair]] = deque()  # the pairs of the documents whose texts the reader has taken

        def marked() -> Iterator[Document]:
            for document, spans in documents:
                begun.append(self.rules.pairs(document.text, spans))
                yield from pair_documents(document, begun[-1])

        read, found = 0, list[tuple[Pair, str, float]]()
        for result in self.reader.read(marked()):
            while not begun[0]:
                begun.popleft()
                yield []
            if (label := result.answers[self.field.name]) != NONE:
                found.append((begun[0][read], label, result.findings[0].score))
            read += 1
            if read == len(begun[0]):
                begun.popleft()
                yield found
                read, found = 0, []
        for _ in begun:
            yield []

    def find(self, results: Sequence[DocumentResult]) -> Iterator[list[RelationFinding]]:
        """Yield the relations between the findings of each result, in the order of the text."""
        by_span = [
            {finding.span: finding for finding in result.findings if finding.window is None} for result in results
        ]
        related = self.related((result.document, list(spans)) for result, spans in zip(results, by_span, strict=True))
        for findings, found in zip(by_span, related, strict=True):
            best: dict[tuple[Span, Span, str], RelationFinding] = {}
            for pair, label, probability in found:
                head, tail = (findings[span] for span in pair)
                score = rounded(head.score * tail.score * probability)
                finding = RelationFinding(self.field.name, label, head, tail, score)
                (relation,) = normalized(self.field, [finding.relation])
                if relation.head != pair[0]:
                    finding = replace(finding, head=tail, tail=head)
                key = (relation.head, relation.tail, label)
                if key not in best or best[key].score < score:  # a pair without a direction may be read twice
                    best[key] = finding
            yield [best[key] for key in sorted(best)]


def with_relations(results: Iterable[DocumentResult], readers: Sequence[RelationReader]) -> Iterator[DocumentResult]:
    """Yield the results with the relations of all fields, in the same order."""
    pool: list[DocumentResult] = []
    spans = 0
    for result in results:
        pool.append(result)
        spans += len(result.findings)
        if len(pool) + spans >= SPANS_AT_ONCE:
            yield from _read(pool, readers)
            pool, spans = [], 0
    yield from _read(pool, readers)


def _read(pool: list[DocumentResult], readers: Sequence[RelationReader]) -> list[DocumentResult]:
    for result in pool:
        result.relations = []
    for reader in readers:
        for result, found in zip(pool, reader.find(pool), strict=True):
            assert result.relations is not None
            result.relations += found
    return pool
