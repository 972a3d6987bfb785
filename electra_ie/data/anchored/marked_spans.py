"""Texts in which one or two spans are marked, for a model that classifies texts: the second stage of extraction.

A field of relations marks head and tail, a field of attributes one span. The spans are marked by punctuation and their
labels (typed entity markers, Zhou and Chen, AACL 2022, "An improved baseline for sentence-level relation extraction",
arXiv 2102.01373). Markers of the vocabulary need no new embeddings, which few labels could not train, and the names of
the labels say something to a pretrained encoder. The second stage has an encoder of its own (Zhong and Chen, NAACL
2021, PURE, arXiv 2010.12812).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar

from electra_ie.data.document import Document, Span
from electra_ie.data.fields import AnchoredField, Field
from electra_ie.data.windowing import SENTENCE_END

HEAD, TAIL = ("@ * {} * ", " @"), ("# ^ {} ^ ", " #")
"""What is before and after the head, or the only span, and the tail in a marked text."""
CONTEXT = 300
"""Characters that a marked text has at most before the first span and after the last one."""
MarkedSpans = tuple[Span, ...]
"""The spans that are marked in a text: head and tail of a relation, or the span of an attribute."""
FieldT = TypeVar("FieldT", bound=AnchoredField)


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

    def distance(self, first: Span, second: Span) -> int:
        """Return the number of sentence ends between two spans."""
        return abs(self.of(first) - self.of(second))

    def around(self, anchors: MarkedSpans) -> tuple[int, int]:
        """Return the characters of the sentences that the spans are in, at most `CONTEXT` before and after them."""
        first, last = min(span.start for span in anchors), max(span.end for span in anchors)
        begin, end = bisect_left(self.ends, first + 1), bisect_left(self.ends, last)
        start = self.ends[begin - 1] if begin else 0
        return max(start, first - CONTEXT), min(self.ends[end], last + CONTEXT)


class SpanRules(ABC, Generic[FieldT]):
    """Which spans of a text the second stage considers, for one kind of field. Saved with the model."""

    item: ClassVar[str]
    """What the gold of a field has, with its article."""
    unit: ClassVar[str]
    """What one text of the second stage is about, in the plural; also the key of the rules in the model's config."""

    @classmethod
    @abstractmethod
    def learn(cls, field: FieldT, documents: Iterable[Document]) -> Self:
        """Return the rules that fit the gold of these documents."""

    @classmethod
    @abstractmethod
    def from_dict(cls, content: Any) -> Self:
        """Return the rules of `as_dict`. Raises ValueError, KeyError or TypeError for anything else."""

    @property
    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """The rules as JSON has them."""

    @classmethod
    @abstractmethod
    def classes(cls, field: FieldT) -> Field:
        """Return the field of classes that the model of marked texts predicts."""

    @abstractmethod
    def candidates(self, text: str, spans: Iterable[Span]) -> Sequence[MarkedSpans]:
        """Return what of these spans is considered, in the order of the text."""

    @abstractmethod
    def labeled(
        self, field: FieldT, document: Document, spans: Iterable[Span]
    ) -> tuple[dict[MarkedSpans, str], Counter[str]]:
        """Return the labeled candidates of a document, and its gold that has no candidate, counted by reason.

        spans: the gold spans of the document.
        """

    @staticmethod
    def counted(labels: Counter[str]) -> dict[str, Any]:
        """Return what scores.json says of the labels that were trained on."""
        return {"labels": dict(sorted(labels.items()))}


def marked(text: str, anchors: MarkedSpans, sentences: Sentences | None = None) -> str:
    """Return the sentences around one or two spans with these spans marked, each fragment by itself.

    sentences: those of the text, if they are known.

    Example: `We saw # ^ effect ^ deafness # after @ * drug * azithromycin @.`
    """
    start, end = (sentences or Sentences(text)).around(anchors)
    marks: list[tuple[int, int, int, str]] = []  # at one place: closing marks first, those of the inner span first
    for span, (before, after) in zip(anchors, (HEAD, TAIL), strict=False):
        label = span.label.lower().replace("_", " ")
        for first, last in span.ranges:
            marks += [(first, 1, -last, before.format(label)), (last, 0, -first, after)]
    parts, position = [], start
    for place, _, _, mark in sorted(marks):
        parts += [text[position:place], mark]
        position = place
    return "".join([*parts, text[position:end]]).strip()


def marked_documents(
    document: Document,
    candidates: Iterable[MarkedSpans],
    labels: Mapping[MarkedSpans, str] | None = None,
    field: str = "",
) -> Iterator[Document]:
    """Yield a document for each candidate: its marked text, with its label in `labels` as the gold of `field`.

    Without `labels` they have no gold.
    """
    sentences = Sentences(document.text)
    for anchors in candidates:
        places = ">".join(f"{_offsets(span)}-{span.label}" for span in anchors)
        gold = {} if labels is None else {field: labels[anchors]}
        text = marked(document.text, anchors, sentences)
        yield Document(f"{document.id}:{places}", text, gold, document.file, document.line)


def _offsets(span: Span) -> str:
    return ";".join(f"{start}-{end}" for start, end in span.ranges)


def gold_spans(document: Document, fields: Iterable[str]) -> list[Span]:
    """Return the gold spans of a document. fields: the names of the fields of spans."""
    return [span for name in fields for span in document.gold.get(name, ())]
