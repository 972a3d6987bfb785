"""Pairs of spans that may be related: the candidates of a field of relations (see `marked_spans`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from electra_ie.data.anchored.marked_spans import MarkedSpans, Sentences, SpanRules
from electra_ie.data.document import Document, Relation, Span
from electra_ie.data.fields import Field, RelationField

NONE = "no relation"
"""The class of pairs without a relation."""
COVERED = 0.95
"""The share of the training relations that are within the distance at which pairs are considered."""
OTHER_LABELS, TOO_FAR, SECOND = "between other labels", "too far apart", "a second relation of two spans"
"""Why a relation has no pair of its own."""


@dataclass(frozen=True)
class PairRules(SpanRules[RelationField]):
    """Which pairs of spans are considered.

    Attributes:
        between: Pairs of span labels, head and tail, wherever the two spans are.
        in_order: Pairs of span labels that only have relations without a direction, in any order: the head comes first
            in the text.
        sentences: The largest number of sentence ends between the spans.
    """

    between: tuple[tuple[str, str], ...]
    in_order: tuple[tuple[str, str], ...]
    sentences: int
    item: ClassVar[str] = "a relation"
    unit: ClassVar[str] = "pairs"

    @classmethod
    def learn(cls, field: RelationField, documents: Iterable[Document]) -> Self:
        """Return the rules that fit the gold of these documents: the labels of its pairs, and their distances."""
        directed, undirected = dict.fromkeys(field.between, False), dict[tuple[str, str], bool]()
        distances = []
        for document in documents:
            sentences = Sentences(document.text)
            for relation in document.gold.get(field.name, ()):
                has_direction = relation.label not in field.symmetric
                labels = relation.head.label, relation.tail.label
                orders = {labels} if has_direction else {labels, labels[::-1]}
                if not field.between or not orders.isdisjoint(field.between):
                    (directed if has_direction else undirected)[labels] = True
                distances.append(sentences.distance(relation.head, relation.tail))
        distances.sort()
        covered = distances[math.ceil(COVERED * len(distances)) - 1] if distances else 0
        between = [
            labels
            for labels, seen in directed.items()
            if seen or (labels not in undirected and labels[::-1] not in undirected)
        ]
        return cls(tuple(sorted(between)), tuple(sorted(set(undirected) - set(between))), covered)

    @property
    def as_dict(self) -> dict[str, Any]:
        """The rules as JSON has them."""
        pairs = {name: [list(pair) for pair in getattr(self, name)] for name in ("between", "in_order")}
        return {**pairs, "sentences": self.sentences}

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Return the rules of `as_dict`. Raises ValueError, KeyError or TypeError for anything else."""
        between, in_order = (
            tuple((str(head), str(tail)) for head, tail in content[name]) for name in ("between", "in_order")
        )
        sentences = content["sentences"]
        if type(sentences) is not int or sentences < 0:
            raise ValueError(f"sentences is {sentences!r}")
        return cls(between, in_order, sentences)

    @classmethod
    def classes(cls, field: RelationField) -> Field:
        """Return the classes of marked pairs: `NONE` and the labels of relations."""
        return Field(field.name, "classes", (NONE, *field.labels))

    def candidates(self, text: str, spans: Iterable[Span]) -> list[MarkedSpans]:
        """Return the pairs of these spans that are considered, head and tail, in the order of the text."""
        ordered, sentences = sorted(set(spans)), Sentences(text)
        places = [sentences.of(span) for span in ordered]
        between, in_order = set(self.between), self._in_any_order()
        pairs: list[MarkedSpans] = []
        for index, first in enumerate(ordered):
            for other in range(index + 1, len(ordered)):
                if places[other] - places[index] > self.sentences:  # all further ones are too far, too
                    break
                second = ordered[other]
                if (first.label, second.label) in between or (first.label, second.label) in in_order:
                    pairs.append((first, second))
                if (second.label, first.label) in between:
                    pairs.append((second, first))
        return sorted(pairs)

    def _in_any_order(self) -> set[tuple[str, str]]:
        return {*self.in_order, *((tail, head) for head, tail in self.in_order)}

    def labeled(
        self, field: RelationField, document: Document, spans: Iterable[Span]
    ) -> tuple[dict[MarkedSpans, str], Counter[str]]:
        """Return the label of each pair, `NONE` if it is not related, and the relations without a pair, by reason.

        Of several relations of a pair, the one with the first label of the field is kept.
        """
        order = {label: index for index, label in enumerate(field.labels)}
        labels = dict.fromkeys(self.candidates(document.text, spans), NONE)
        allowed = {*self.between, *self._in_any_order()}
        lost: Counter[str] = Counter()
        for relation in sorted(document.gold[field.name], key=lambda relation: order[relation.label]):
            pair = relation.head, relation.tail
            if labels.get(pair) == NONE:
                labels[pair] = relation.label
            else:
                is_allowed = (pair[0].label, pair[1].label) in allowed
                lost[SECOND if pair in labels else TOO_FAR if is_allowed else OTHER_LABELS] += 1
        return labels, lost

    @staticmethod
    def counted(labels: Counter[str]) -> dict[str, Any]:
        """Return the number of pairs that are related."""
        return {"related": labels.total() - labels[NONE]}


def normalized(field: RelationField, relations: Iterable[Relation]) -> tuple[Relation, ...]:
    """Return relations in order, once each; the head of one without a direction is the span that begins first."""
    return tuple(sorted({_in_order(each) if each.label in field.symmetric else each for each in relations}))


def _in_order(relation: Relation) -> Relation:
    head, tail = sorted((relation.head, relation.tail))
    return Relation(head, tail, relation.label)
