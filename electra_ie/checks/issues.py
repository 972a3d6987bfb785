"""Issues that a check finds in a data set, and the places in the documents where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from electra_ie.data.document import Document

SEVERITIES = ("error", "warning", "note")
"""`error`: training is refused. `warning`: the model or its scores suffer. `note`: worth a look."""
MAX_PASSAGE = 80
"""Characters of a document that a report shows at most, and only if the user asks for texts."""


@dataclass(frozen=True, slots=True)
class Place:
    """A document, or a passage of it, where an issue is.

    Attributes:
        split: The split of the document.
        id: The id of the document.
        file: Its file.
        line: Its line, or 0.
        passage: The beginning of the document or of the passage. It is shown only on request (see `as_dict`).
        start: The first character of the passage; None for the whole document.
        end: The character after the passage.
        details: Further facts by name, without text of the document: the given and the suggested label, a score, the
            place of the other document of a pair.
    """

    split: str
    id: str
    file: str
    line: int
    passage: str
    start: int | None = None
    end: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, split: str, document: Document, start: int | None = None, end: int | None = None, **details: Any
    ) -> Place:
        """Return the place of a document, or of the characters `start` to `end` of it."""
        passage = document.text[start:end][:MAX_PASSAGE]
        return cls(split, document.id, document.file, document.line, passage, start, end, details)

    def as_dict(self, show_text: bool) -> dict[str, Any]:
        """Return the place as JSON values. The key `text` is there only with `show_text`."""
        content: dict[str, Any] = {"split": self.split, "id": self.id, "file": self.file, "line": self.line}
        if self.start is not None:
            content |= {"start": self.start, "end": self.end}
        return content | self.details | ({"text": self.passage} if show_text else {})

    def __str__(self) -> str:
        where = "" if self.start is None else f" {self.start}-{self.end}"
        return f"{self.split}:{self.id}{where}"


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding of a check.

    Attributes:
        check: The name of the check, which does not change between versions.
        severity: One of `SEVERITIES`.
        message: One sentence, without text of a document.
        count: How many documents, spans, characters or labels are affected.
        total: Of how many.
        places: Where, the most important first; not always all of them.
        split: The split, or "" if several are affected.
        field: The name of the field, or "".
        label: The label, or "".
    """

    check: str
    severity: str
    message: str
    count: int
    total: int
    places: Sequence[Place] = ()
    split: str = ""
    field: str = ""
    label: str = ""

    def as_dict(self, show_text: bool) -> dict[str, Any]:
        """Return the issue as JSON values. show_text: with passages of the documents."""
        return {
            "check": self.check,
            "severity": self.severity,
            "message": self.message,
            "count": self.count,
            "total": self.total,
            "split": self.split,
            "field": self.field,
            "label": self.label,
            "places": [place.as_dict(show_text) for place in self.places],
        }


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 document`, `1,200 documents`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def have(count: int) -> str:
    """Return the form of the verb for a count: `has` or `have`."""
    return "has" if count == 1 else "have"


def are(count: int) -> str:
    """Return the form of the verb for a count: `is` or `are`."""
    return "is" if count == 1 else "are"
