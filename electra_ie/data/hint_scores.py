"""Precision and coverage of hints on labeled documents, and their matches in unlabeled ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field, has_label
from electra_ie.data.hints import Hint


@dataclass(frozen=True)
class HintScore:
    """The counts of a hint: of spans for a field of kind `spans`, of documents with a match for the other kinds.

    Attributes:
        hint: The hint.
        unit: `spans` or `documents`.
        matches: The matches in documents with gold for the field.
        right: Those that equal a gold span of the label, or the documents with a match that have the label.
        partial: The matches that overlap a gold span of the label and equal none; 0 for other kinds.
        gold: The gold spans of the label, or the documents that have it.
        documents: The documents with gold for the field.
        unlabeled: The matches in documents without gold for the field.
    """

    hint: Hint
    unit: str
    matches: int
    right: int
    partial: int
    gold: int
    documents: int
    unlabeled: int

    @property
    def precision(self) -> float | None:
        """The share of the matches that are right; None without matches."""
        return self.right / self.matches if self.matches else None

    @property
    def coverage(self) -> float | None:
        """The share of the gold that is matched; None without gold."""
        return self.right / self.gold if self.gold else None

    @property
    def warning(self) -> str:
        """The problem of the hint in one sentence, or an empty text."""
        name, share = self.hint.name, self.gold / self.documents if self.documents else 0.0
        if not self.matches + self.unlabeled:
            return f'the hint "{name}" matches nothing.'
        if not self.matches:
            return ""
        if self.unit == "spans" and not self.right:
            return f'none of the {self.matches:,} matches of the hint "{name}" in labeled texts is right.'
        if self.unit == "documents" and self.right / self.matches < share:
            return (
                f'the hint "{name}" is worse than chance: {self.right / self.matches:.1%} of the labeled texts that it '
                f"matches have the label, and {share:.1%} of all labeled texts."
            )
        return ""


def score_hints(hints: Iterable[Hint], fields: Sequence[Field], documents: Sequence[Document]) -> list[HintScore]:
    """Return the scores of hints, which have their terms.

    Args:
        hints: The hints, as `Task.read_hints` returns them.
        fields: The fields of the task.
        documents: The labeled and unlabeled documents.
    """
    by_name = {field.name: field for field in fields}
    return [_score(hint, by_name[hint.field].kind, documents) for hint in hints]


def _score(hint: Hint, kind: str, documents: Sequence[Document]) -> HintScore:
    labeled = [document for document in documents if hint.field in document.gold]
    unlabeled = [document for document in documents if hint.field not in document.gold]
    if kind != "spans":
        matching = [document for document in labeled if hint.find(document.text)]
        right = sum(has_label(document.gold[hint.field], hint.label) for document in matching)
        gold = sum(has_label(document.gold[hint.field], hint.label) for document in labeled)
        found_unlabeled = sum(bool(hint.find(document.text)) for document in unlabeled)
        return HintScore(hint, "documents", len(matching), right, 0, gold, len(labeled), found_unlabeled)
    matches = right = partial = gold = 0
    for document in labeled:
        found = hint.find(document.text)
        spans = [span for span in document.gold[hint.field] if span.label == hint.label]
        offsets = {(span.start, span.end) for span in spans if not span.fragments}
        matches += len(found)
        right += sum(match in offsets for match in found)
        partial += sum(match not in offsets and _overlaps(match, spans) for match in found)
        gold += len(spans)
    found_unlabeled = sum(len(hint.find(document.text)) for document in unlabeled)
    return HintScore(hint, "spans", matches, right, partial, gold, len(labeled), found_unlabeled)


def _overlaps(match: tuple[int, int], spans: Iterable[Span]) -> bool:
    start, end = match
    return any(span.start < end and start < span.end for span in spans)
