"""Pairs of spans that may be related, and texts in which a pair is marked, for a model that classifies texts.

The spans of a pair are marked by punctuation and their labels (typed entity markers, Zhou and Chen, AACL 2022, "An
improved baseline for sentence-level relation extraction", arXiv 2102.01373). Markers of the vocabulary need no new
embeddings, which few labels could not train, and the names of the labels say something to a pretrained encoder. The
second stage has an encoder of its own (Zhong and Chen, NAACL 2021, PURE, arXiv 2010.12812).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from electra_ie.data.document import Document, Relation, Span
from electra_ie.data.fields import Field, RelationField
from electra_ie.data.windowing import SENTENCE_END

NONE = "no relation"
"""The class of pairs without a relation."""
HEAD, TAIL = ("@ * {} * ", " @"), ("# ^ {} ^ ", " #")
"""What is before and after the head and the tail in a marked text."""
CONTEXT = 300
"""Characters that a marked text has at most before the first span and after the last one."""
COVERED = 0.95
"""The share of the training relations that are within the distance at which pairs are considered."""
Pair = tuple[Span, Span]
"""Head and tail."""


@dataclass(frozen=True)
class Sentences:
    """The sentences of a text, by the characters at which they end."""

    text: str

    @cached_property
    def ends(self) -> list[int]:
        """The first character after each sentence."""
        return [*(match.end() for match in SENTENCE_END.finditer(self.text)), len(self.text)]

    def of(self, span: Span) -> int:
        """Return the number of the sentence that a span begins in."""
        return bisect_left(self.ends, span.start + 1)

    def distance(self, pair: Pair) -> int:
        """Return the number of sentence ends between the spans of a pair."""
        return abs(self.of(pair[0]) - self.of(pair[1]))

    def around(self, pair: Pair) -> tuple[int, int]:
        """Return the characters of the sentences that a pair is in, at most `CONTEXT` before and after its spans."""
        first, last = min(pair[0].start, pair[1].start), max(pair[0].end, pair[1].end)
        begin, end = bisect_left(self.ends, first + 1), bisect_left(self.ends, last)
        start = self.ends[begin - 1] if begin else 0
        return max(start, first - CONTEXT), min(self.ends[end], last + CONTEXT)


@dataclass(frozen=True)
class PairRules:
    """Which pairs of spans are considered.

    Attributes:
        between: Pairs of span labels, head and tail, wherever the two spans are.
        in_order: Pairs of span labels that only have relations without a direction: the head comes first in the text.
        sentences: The largest number of sentence ends between the spans.
    """

    between: tuple[tuple[str, str], ...]
    in_order: tuple[tuple[str, str], ...]
    sentences: int

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
                if not field.between or labels in field.between:
                    (directed if has_direction else undirected)[labels] = True
                distances.append(sentences.distance((relation.head, relation.tail)))
        distances.sort()
        covered = distances[math.ceil(COVERED * len(distances)) - 1] if distances else 0
        between = [labels for labels, seen in directed.items() if seen or labels not in undirected]
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

    def pairs(self, text: str, spans: Iterable[Span]) -> list[Pair]:
        """Return the pairs of these spans that are considered, in the order of the text."""
        ordered, sentences = sorted(set(spans)), Sentences(text)
        places = [sentences.of(span) for span in ordered]
        between, in_order = set(self.between), set(self.in_order)
        pairs = []
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


OTHER_LABELS, TOO_FAR, SECOND = "between other labels", "too far apart", "a second relation of two spans"
"""Why a relation has no pair of its own."""


def relation_by_pair(
    field: RelationField, rules: PairRules, document: Document, pairs: Sequence[Pair]
) -> tuple[dict[Pair, str], Counter[str]]:
    """Return the labels of the related pairs of a document, and the relations without a pair, counted by reason.

    Of several relations of a pair, the one with the first label of the field is kept.
    """
    order = {label: index for index, label in enumerate(field.labels)}
    considered, allowed = set(pairs), {*rules.between, *rules.in_order}
    labels: dict[Pair, str] = {}
    lost: Counter[str] = Counter()
    for relation in sorted(document.gold[field.name], key=lambda relation: order[relation.label]):
        pair = relation.head, relation.tail
        if pair in considered and pair not in labels:
            labels[pair] = relation.label
        else:
            is_allowed = (pair[0].label, pair[1].label) in allowed
            lost[SECOND if pair in considered else TOO_FAR if is_allowed else OTHER_LABELS] += 1
    return labels, lost


def class_field(field: RelationField) -> Field:
    """Return the field of classes that a model of marked texts predicts for a field of relations."""
    return Field(field.name, "classes", (NONE, *field.labels))


def normalized(field: RelationField, relations: Iterable[Relation]) -> tuple[Relation, ...]:
    """Return relations in order, once each; the head of one without a direction is the span that begins first."""
    return tuple(sorted({_in_order(each) if each.label in field.symmetric else each for each in relations}))


def _in_order(relation: Relation) -> Relation:
    head, tail = sorted((relation.head, relation.tail))
    return Relation(head, tail, relation.label)


def marked(text: str, pair: Pair, sentences: Sentences | None = None) -> str:
    """Return the sentences around a pair of spans with both spans marked.

    sentences: those of the text, if they are known.

    Example: `We saw # ^ effect ^ deafness # after @ * drug * azithromycin @.`
    """
    start, end = (sentences or Sentences(text)).around(pair)
    marks: list[tuple[int, int, int, str]] = []  # at one place: closing marks first, those of the inner span first
    for span, (before, after) in zip(pair, (HEAD, TAIL), strict=True):
        label = span.label.lower().replace("_", " ")
        marks += [(span.start, 1, -span.end, before.format(label)), (span.end, 0, -span.start, after)]
    parts, position = [], start
    for place, _, _, mark in sorted(marks):
        parts += [text[position:place], mark]
        position = place
    return "".join([*parts, text[position:end]]).strip()


def pair_documents(
    document: Document, pairs: Iterable[Pair], labels: Mapping[Pair, str] | None = None, field: str = ""
) -> Iterator[Document]:
    """Yield a document for each pair: its marked text, with its label in `labels`, or `NONE`, as the gold of `field`.

    Without `labels` they have no gold.
    """
    sentences = Sentences(document.text)
    for head, tail in pairs:
        places = ">".join(f"{span.start}-{span.end}-{span.label}" for span in (head, tail))
        gold = {} if labels is None else {field: labels.get((head, tail), NONE)}
        text = marked(document.text, (head, tail), sentences)
        yield Document(f"{document.id}:{places}", text, gold, document.file, document.line)
