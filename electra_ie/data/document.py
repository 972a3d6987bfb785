"""Documents: raw text with its gold annotation, and findings, by character offset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

from electra_ie.formats.annotations import FOUND

BIASED = ("typical", "uncertain", FOUND)
"""The ways of choosing a text to be labeled that make scores on it biased."""

Offsets = tuple[int, int]
"""First character and the one after the last, in Unicode code points."""


def passage_of(span: Mapping[str, Any]) -> str:
    """Return the text of a span in a record of `extract`, that of fragments joined by blanks."""
    text, first = span["text"], span["start"]
    if not span.get("fragments"):
        return str(text)
    return " ".join(text[start - first : end - first] for start, end in span["fragments"])


def in_a_cell(fragments: Iterable[Sequence[int]]) -> str:
    """Return the offsets of fragments as a cell of a table has them, and as brat writes them: `0 4;15 21`."""
    return ";".join(f"{start} {end}" for start, end in fragments)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labeled passage of a text: characters `start` to `end` (exclusive, in Unicode code points).

    A discontinuous one has two or more `fragments`, in the order of the text and with text between them: `start` is the
    first character of the first and `end` the one after the last. A continuous one has none.
    """

    start: int
    end: int
    label: str
    fragments: tuple[Offsets, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"start is {self.start} and end is {self.end}; a span needs 0 <= start < end")
        if self.fragments:
            edges = [self.start, *(offset for pair in self.fragments for offset in pair), self.end]
            ordered = all(start < end for start, end in pairwise(edges[1:-1]))
            if len(self.fragments) == 1 or not ordered or edges[:1] + edges[-1:] != [edges[1], edges[-2]]:
                message = "a span has none, or several in order, apart, and from its start to its end"
                raise ValueError(f"the fragments of {self.start} to {self.end} are {self.fragments}; {message}")

    def __repr__(self) -> str:
        """Return the constructor; that of a continuous span names no fragments (hashes of data contain it)."""
        fragments = f", fragments={self.fragments!r}" if self.fragments else ""
        return f"Span(start={self.start!r}, end={self.end!r}, label={self.label!r}{fragments})"

    @classmethod
    def of(cls, ranges: Sequence[Offsets], label: str) -> Self:
        """Return the span of one or several ranges of characters, in the order of the text."""
        return cls(ranges[0][0], ranges[-1][1], label, tuple(ranges) if len(ranges) > 1 else ())

    @property
    def ranges(self) -> tuple[Offsets, ...]:
        """The offsets of its fragments; those of a continuous span."""
        return self.fragments or ((self.start, self.end),)

    def passage(self, text: str) -> str:
        """Return its text, that of fragments joined by blanks."""
        return " ".join(text[start:end] for start, end in self.ranges)


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A labeled relation between two spans of a text, from `head` to `tail`."""

    head: Span
    tail: Span
    label: str


@dataclass(frozen=True, slots=True, order=True)
class Attribute:
    """The class of one span of a text, such as `negated`."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it was read, without any normalization, with its gold annotation.

    `gold` maps a field's name to a class name (kind `classes`), a tuple of names (`flags`; `()` means that no flag
    applies), a tuple of `Span` (`spans`), of `Relation` (`relations`) or of `Attribute` (`attributes`). The document is
    unlabeled for a field that is not in `gold`, which is different from empty gold: it takes no part in the supervised
    loss of that field.
    """

    id: str
    text: str
    gold: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    line: int = 0
    """The position of the record, for messages: its file and first line (from 1)."""
    origins: Mapping[str, int] = field(default_factory=dict, compare=False)
    """The number of its labels by who made them, where the format says it: `person`, `model`, `corrected`."""
    chosen: str = field(default="", compare=False)
    """How it was chosen to be labeled, one of `formats.annotations.CHOICES`, or "" if that is not known."""
    submitted: bool = field(default=False, compare=False)
    """Whether a person has submitted it in an annotation tool, which may leave out a question without a choice."""

    def unlabeled(self) -> Document:
        """Return the document without gold."""
        return replace(self, gold={}, origins={}, chosen="", submitted=False)


@dataclass(frozen=True, slots=True)
class AttributeFinding:
    """A predicted attribute of a finding. `score` is the probability of the label, given that the span is right."""

    field: str
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A prediction of a model for a document.

    For a span, `text` is the passage `document.text[start:end]`; that of a span with `fragments` includes what is
    between them. A class or a flag applies to the whole text: `text` is None, and `window` is the number (from 1) of
    the window with the highest score for it, at the characters `start` to `end`. `score` is the model's probability,
    from 0 to 1. `attributes` are those of a span, of a model that finds attributes; None for any other.
    """

    field: str
    label: str
    start: int
    end: int
    text: str | None
    score: float
    window: int | None = None
    attributes: tuple[AttributeFinding, ...] | None = None
    fragments: tuple[Offsets, ...] = ()

    @property
    def span(self) -> Span:
        """The labeled passage without a score, as gold has it."""
        return Span(self.start, self.end, self.label, self.fragments)


@dataclass(frozen=True, slots=True)
class RelationFinding:
    """A predicted relation between two findings of spans.

    `score` is the product of three probabilities: those of both spans, and that of the relation given the spans.
    """

    field: str
    label: str
    head: Finding
    tail: Finding
    score: float

    @property
    def relation(self) -> Relation:
        """The relation without scores, as gold has it."""
        return Relation(self.head.span, self.tail.span, self.label)


def is_biased(document: Document) -> bool:
    """Return whether a text was chosen because of what it says, so that scores on it are not those of other texts."""
    return document.chosen in BIASED


def of_documents(documents: Iterable[Document]) -> str:
    """Return the SHA-256 hash of the ids, texts and gold of documents, in their order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(as_bytes(document))
    return digest.hexdigest()


def as_bytes(document: Document) -> bytes:
    """Return id, text and gold of a document as bytes, to be hashed; not its file and line."""
    return repr((document.id, document.text, sorted(document.gold.items()))).encode("utf-8")
