"""Raw text and what is known of it, by character offset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end` (exclusive, in Unicode code points) of a text, called `label`."""

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, not {self.start} and {self.end}")


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it was read, never normalised, with the gold of each field that is known of it.

    `gold` maps a field's name to a class name (kind `classes`), a tuple of names (`flags`, `()` is a
    known "none") or a tuple of `Span` (`spans`). A field that is not in `gold` is unknown: the document is
    unlabelled for it, which is never the same as empty.
    """

    id: str
    text: str
    gold: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    line: int = 0
    """Where it was read, for messages: the line (from 1) at which the record begins."""

    def unlabeled(self) -> Document:
        """The same text with nothing known of it."""
        return replace(self, gold={})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a model found in a document.

    A finding of spans has its passage as `text`, which is `document.text[start:end]`. A class or a flag is a finding
    about the whole text: it has no `text`, and `window` is the number (from 1) of the window that speaks for it most,
    whose characters are `start` to `end`. `score` is the model's probability, from 0 to 1.
    """

    field: str
    label: str
    start: int
    end: int
    text: str | None
    score: float
    window: int | None = None


def of_documents(documents: Iterable[Document]) -> str:
    """Of ids, texts and gold, in order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(as_bytes(document))
    return digest.hexdigest()


def as_bytes(document: Document) -> bytes:
    """All that is known of a document, but for where it was read."""
    return repr((document.id, document.text, sorted(document.gold.items()))).encode("utf-8")
