"""Suggestions: texts for a person to label in an annotation tool, with the findings of a run as predictions."""

from __future__ import annotations

from collections.abc import Sequence

from electra_ie.data.document import Document
from electra_ie.formats.annotations import CHOSEN, AnnotatedDocument
from electra_ie.formats.preannotations import preannotations
from electra_ie.inference.engine.base import TextExtractor


def suggestions(
    documents: Sequence[Document], chosen: Sequence[str], extractor: TextExtractor | None = None
) -> list[AnnotatedDocument]:
    """Return documents for an annotation tool, in their order, with how they were chosen among their metadata.

    Args:
        documents: The texts, with different ids.
        chosen: How each was chosen, one of `formats.annotations.CHOICES`.
        extractor: What makes the predictions; without one, the texts are not annotated.
    """
    texts = [
        AnnotatedDocument(document.id, document.text, layers=None, metadata={CHOSEN: how})
        for document, how in zip(documents, chosen, strict=True)
    ]
    if extractor is None:
        return texts
    records = [result.record() for result in extractor.read(documents)]
    layers = [field.name for field in extractor.fields if field.kind == "spans"]
    questions = [field.name for field in extractor.fields if field.kind != "spans"]
    by_id = {each.id: each for each in preannotations(texts, records, layers, questions)}
    return [by_id[document.id] for document in documents]
