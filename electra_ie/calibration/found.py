"""Findings beside the gold: which are right, and what is missed, document by document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra_ie.data.document import Document, Finding
from electra_ie.data.fields import Field, count_labels, has_label


@dataclass(frozen=True)
class Found:
    """The findings of a field in labeled documents.

    Attributes:
        field: The field.
        documents: For each finding, the number of its document among those that are labeled for the field, (N,).
        labels: The label of each finding.
        scores: Their scores, (N,).
        right: Whether each is in the gold: label, first and last character, (N,).
        gold: For each document, the number of times that each label is in its gold.
        evidence: What the scores are made of, (N, E); None if the extractor has not kept it.
    """

    field: Field
    documents: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    right: np.ndarray
    gold: tuple[Mapping[str, int], ...]
    evidence: np.ndarray | None = None

    def of_label(self, label: str) -> np.ndarray:
        """Return which findings have a label, (N,)."""
        return np.array([own == label for own in self.labels], dtype=bool)

    def by_document(self) -> list[list[tuple[str, float]]]:
        """Return label and score of the findings of each document."""
        listed: list[list[tuple[str, float]]] = [[] for _ in self.gold]
        for document, label, score in zip(self.documents.tolist(), self.labels, self.scores.tolist(), strict=True):
            listed[document].append((label, score))
        return listed


def found_in(
    field: Field,
    documents: Sequence[Document],
    findings: Sequence[Sequence[Finding]],
    evidence: Sequence[np.ndarray] | None = None,
) -> Found:
    """Return the findings of a field in the documents that are labeled for it.

    Args:
        field: The field.
        documents: The documents with their gold.
        findings: The findings of all fields in each of them.
        evidence: For each document what the reader keeps of the field (see `DocumentResult.evidence`).
    """
    of, labels, scores, right, rows = [], [], [], [], []
    gold: list[Counter[str]] = []
    for number, (document, found) in enumerate(zip(documents, findings, strict=True)):
        if field.name not in document.gold:
            continue
        own = [finding for finding in found if finding.field == field.name]
        of += [len(gold)] * len(own)
        labels += [finding.label for finding in own]
        scores += [finding.score for finding in own]
        right += list(_right(field, document.gold[field.name], own))
        if evidence is not None and own:
            rows.append(_rows(field, evidence[number], own))
        gold.append(count_labels(field, [document.gold[field.name]]))
    kept = np.concatenate(rows) if rows else None
    return Found(field, np.array(of, int), tuple(labels), np.array(scores), np.array(right, bool), tuple(gold), kept)


def _right(field: Field, gold: Any, findings: Sequence[Finding]) -> Iterator[bool]:
    if field.kind == "spans":
        spans = set(gold)
        return (finding.span in spans for finding in findings)
    return (has_label(gold, finding.label) for finding in findings)


def _rows(field: Field, evidence: np.ndarray, findings: Sequence[Finding]) -> np.ndarray:
    """Return the evidence of each finding of a document: of spans in the order of the text, as the findings are."""
    if field.kind == "spans":
        return evidence
    if field.kind == "classes":
        return evidence[None]
    return evidence[[field.labels.index(finding.label) for finding in findings]][:, None]
