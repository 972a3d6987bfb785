"""Suggestions: texts with the findings of a run as predictions, for a person to correct in an annotation tool."""

from __future__ import annotations

from collections.abc import Iterable

from electra_ie.data.document import Document
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.preannotations import preannotations
from electra_ie.inference.extractor import Extractor


def suggestions(extractor: Extractor, documents: Iterable[Document]) -> list[AnnotatedDocument]:
    """Return documents with what the extractor finds as predictions with scores, the least certain document first."""
    results = list(extractor.read(documents))
    texts = [AnnotatedDocument(result.document.id, result.document.text) for result in results]
    layers = [field.name for field in extractor.fields if field.kind == "spans"]
    questions = [field.name for field in extractor.fields if field.kind != "spans"]
    return preannotations(texts, [result.record() for result in results], layers, questions)
