"""Results: the findings of one document, and their record in the output files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from electra_ie.common.errors import UserError
from electra_ie.common.hashing import package_version
from electra_ie.data.document import Document, Finding, RelationFinding, Span
from electra_ie.data.fields import ATTRIBUTES, RELATIONS
from electra_ie.inference.html_report import frame

if TYPE_CHECKING:
    import numpy as np

KINDS: dict[type, str] = {str: "classes", tuple: "flags", list: "spans"}
"""The kind of a field by the Python type of its answer."""


@dataclass
class DocumentResult:
    """The result of one document.

    Attributes:
        document: The document.
        windows: The number of windows that the document was split into.
        answers: The class, the tuple of flags, or the list of spans of each field.
        findings: The findings of all fields in the order of their offsets.
        model: The first digits of the hash of the saved model (see `Extractor`).
        relations: The relations between findings, for a model that finds relations; None for any other.
        evidence: By field, what scores are made of, if the reader keeps it: (N, 4) for the spans in their order (see
            `engine.evidence`), or the mean logits (K,) of classes and flags.
    """

    document: Document
    windows: int
    answers: dict[str, Any]
    findings: list[Finding]
    model: str | None = None
    relations: list[RelationFinding] | None = None
    evidence: Mapping[str, np.ndarray] | None = field(default=None, repr=False, compare=False)

    def record(self) -> dict[str, Any]:
        """Return the record that `electra-ie extract` writes as a line of JSON."""
        return {
            "id": self.document.id,
            "file": self.document.file,
            "characters": len(self.document.text),
            "windows": self.windows,
            "model": self.model,
            "version": package_version(),
            "findings": [_finding_record(finding) for finding in self.findings],
            **({} if self.relations is None else {"relations": [*map(_relation_record, self.relations)]}),
        }

    def _repr_html_(self) -> str:
        """Return the text with its findings highlighted, for notebooks."""
        kinds = {name: KINDS[type(answer)] for name, answer in self.answers.items()}
        kinds |= {relation.field: RELATIONS for relation in self.relations or ()}
        kinds |= {each.field: ATTRIBUTES for finding in self.findings for each in finding.attributes or ()}
        return frame(self.document.id or "Findings", kinds, self.record(), self.document.text)


class Findings(list[Finding]):
    """The findings of one text: a list that notebooks display as the text with its findings highlighted."""

    def __init__(self, result: DocumentResult) -> None:
        """Wrap the findings of a result."""
        super().__init__(result.findings)
        self.result = result

    def _repr_html_(self) -> str:
        return self.result._repr_html_()


def _finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON: with text and attributes of a span, or the window of one about the whole text."""
    own = "text" if finding.window is None else "window"
    record = {name: getattr(finding, name) for name in ("field", "label", "start", "end", own, "score")}
    record |= fragments_of(finding)
    if finding.attributes is not None:
        record["attributes"] = {each.field: {"label": each.label, "score": each.score} for each in finding.attributes}
    return record


def fragments_of(span: Finding | Span) -> dict[str, Any]:
    """Return the offsets of the fragments of a span as JSON has them; nothing for a continuous one."""
    return {"fragments": [list(pair) for pair in span.fragments]} if span.fragments else {}


def _relation_record(relation: RelationFinding) -> dict[str, Any]:
    """Return a relation as JSON, with both of its spans."""
    spans = {
        name: {key: getattr(span, key) for key in ("field", "label", "start", "end", "text", "score")}
        | fragments_of(span)
        for name, span in (("head", relation.head), ("tail", relation.tail))
    }
    return {"field": relation.field, "label": relation.label, **spans, "score": relation.score}


def documents_of(text: Any) -> list[Document]:
    """Return documents for a text, or for several: a list, a column of a table, or any other iterable of strings.

    Raises:
        UserError: It is of another type, or a text has surrogates, which no tokenizer accepts.
    """
    if isinstance(text, str):
        return [Document("", _checked_text(text))]
    is_table = isinstance(text, Mapping) or hasattr(text, "columns")  # iterating it yields the names of its columns
    if not isinstance(text, Iterable) or isinstance(text, bytes) or is_table:
        remedy = 'Give a string, a list of strings, or the column of the texts: data["text"].'
        raise UserError(f"text is of the type {type(text).__name__}.", remedy=remedy)
    return [Document("", _checked_text(item, f"item {index} ")) for index, item in enumerate(text)]


def _checked_text(text: Any, name: str = "text ") -> str:
    if not isinstance(text, str):
        raise UserError(f"{name}is of the type {type(text).__name__}, not a string.", remedy="Give strings.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"{name}has a lone surrogate at character {error.start}, which is not a character."
        raise UserError(message, remedy='Decode the text as UTF-8, for example with errors="replace".') from error
    return text
