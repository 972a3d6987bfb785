"""Relations between the findings of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from electra_ie.data.anchored.marked_spans import MarkedSpans
from electra_ie.data.anchored.relation_pairs import NONE, normalized
from electra_ie.data.document import Document, RelationFinding, Span
from electra_ie.data.fields import RelationField
from electra_ie.inference.engine.anchored import AnchoredReader
from electra_ie.inference.engine.decoding import rounded
from electra_ie.inference.engine.results import DocumentResult


class RelationReader(AnchoredReader[RelationField]):
    """What finds the relations of one field."""

    def related(
        self, documents: Iterable[tuple[Document, Sequence[Span]]]
    ) -> Iterator[list[tuple[MarkedSpans, str, float]]]:
        """Yield the related pairs of each document, in the order of the text, each with label and probability.

        documents: each with the spans that may be related.
        """
        for found in self.classified(documents):
            yield [each for each in found if each[1] != NONE]

    def add(self, results: Sequence[DocumentResult]) -> None:
        """Add the relations between the findings of each result, in the order of the text."""
        for result, (findings, found) in zip(results, self.of_findings(results), strict=True):
            best: dict[tuple[Span, Span, str, str, str], RelationFinding] = {}
            for pair, label, probability in found:
                if label == NONE:
                    continue
                for head, tail in product(*(findings[span] for span in pair)):
                    score = rounded(head.score * tail.score * probability)
                    finding = RelationFinding(self.field.name, label, head, tail, score)
                    (relation,) = normalized(self.field, [finding.relation])
                    if relation.head != pair[0]:
                        finding = replace(finding, head=tail, tail=head)
                    key = (relation.head, relation.tail, label, finding.head.field, finding.tail.field)
                    if key not in best or best[key].score < score:  # a pair without a direction may be read twice
                        best[key] = finding
            result.relations = [*(result.relations or ()), *(best[key] for key in sorted(best))]
