"""Texts for annotation tools, with the findings of a run as predictions and how they were chosen."""

from __future__ import annotations

import tiny

from electra_ie import Extractor
from electra_ie.inference.suggestions import suggestions

WAYS = ("uncertain", "random", "uncertain")


def test_suggestions_have_the_findings_of_the_run_in_the_order_of_the_texts(run):
    documents = [document.unlabeled() for document in tiny.documents(3)][::-1]
    extractor = Extractor.from_pretrained(run)
    suggested = suggestions(documents, WAYS, extractor)
    assert [document.id for document in suggested] == [document.id for document in documents]
    assert all(document.predicted and document.metadata["model"] for document in suggested)
    assert [document.metadata["chosen"] for document in suggested] == list(WAYS)
    for document in suggested:
        spans = {(span.start, span.end, span.label, span.score) for span in document.spans}
        findings = extractor(document.text)
        assert spans == {(item.start, item.end, item.label, item.score) for item in findings if item.text is not None}


def test_without_a_run_the_texts_are_not_annotated():
    documents = [document.unlabeled() for document in tiny.documents(3)]
    suggested = suggestions(documents, WAYS)
    assert all(document.layers is None and not document.labels and not document.predicted for document in suggested)
    assert [document.metadata for document in suggested] == [{"chosen": way} for way in WAYS]
