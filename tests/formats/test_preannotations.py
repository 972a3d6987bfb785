"""Findings of a model become predicted documents, the least certain first."""

from __future__ import annotations

import pytest
from tool_files import read

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Relation
from electra_ie.formats.preannotations import preannotations

TEXT = "ACME paid Brook"


def span(start, end, score, label="ORG", field="names"):
    return {"field": field, "label": label, "start": start, "end": end, "text": TEXT[start:end], "score": score}


def flag(label, score, field="risk"):
    return {"field": field, "label": label, "start": 0, "end": len(TEXT), "window": 1, "score": score}


def record(id, *findings):
    return {
        "id": id, "file": "x.jsonl", "characters": len(TEXT), "windows": 1, "model": "m1", "version": "1.0",
        "findings": list(findings),
    }  # fmt: skip


RECORDS = [
    record("sure", span(0, 4, 0.99), flag("fraud", 0.98)),
    record("empty"),
    record("unsure flag", span(0, 4, 0.99), flag("fraud", 0.55)),
    record("unsure span", span(0, 4, 0.6), span(10, 15, 0.9)),
    record("less unsure", span(0, 4, 0.6), span(10, 15, 0.95)),
    record("not asked for", span(0, 4, 0.1)),
]
OLD = (AnnotatedSpan("a", "OLD", ((0, 4),)), AnnotatedSpan("b", "OLD", ((5, 9),)))
DOCUMENTS = [
    AnnotatedDocument(
        item["id"], TEXT, OLD, (Relation("r", "x", (("Arg1", "a"), ("Arg2", "b"))),), metadata={"page": 2}
    )
    for item in RECORDS[:-1]
]


def test_the_least_certain_document_comes_first():
    result = preannotations(DOCUMENTS, RECORDS, layers=["amounts"], questions=["topic"])
    assert [document.id for document in result] == ["unsure flag", "unsure span", "less unsure", "sure", "empty"]
    flagged, *_, empty = result
    assert all(document.predicted and document.layers == ("amounts", "names") for document in result)
    assert (flagged.labels, flagged.label_scores) == ({"topic": (), "risk": ("fraud",)}, {"risk": (0.55,)})
    assert [(item.label, item.layer, item.score) for item in flagged.spans] == [("ORG", "names", 0.99)]
    assert flagged.metadata == {"page": 2, "model": "m1", "version": "1.0"} and not flagged.relations
    assert not empty.spans and empty.labels == {"topic": (), "risk": ()}


@pytest.mark.parametrize("name", ["label_studio", "prodigy", "argilla", "jsonl"])
def test_tools_return_what_the_model_found_as_predictions(tmp_path, name):
    documents = preannotations(DOCUMENTS, RECORDS)
    FORMATS[name].save(documents, tmp_path / "x")
    result = read(name, tmp_path / "x")
    assert [document.id for document in result] == [document.id for document in documents]
    assert all(document.predicted for document in result)
    assert [span.score for span in result[1].spans] == [0.6, 0.9]


def test_attributes_of_findings_are_predicted_where_the_format_has_them(tmp_path):
    found = {**span(0, 4, 0.9), "attributes": {"assertion": {"label": "negated", "score": 0.8}}}
    (document,) = preannotations([AnnotatedDocument("sure", TEXT)], [record("sure", found)])
    assert document.spans[0].attributes == (Attribute("assertion", "negated"),)
    for name in ("label_studio", "jsonl"):
        assert not FORMATS[name].save([document], tmp_path / name)
        (again,) = read(name, tmp_path / name)
        assert again.spans[0].attributes == document.spans[0].attributes
    assert FORMATS["prodigy"].save([document], tmp_path / "prodigy")["attributes of spans"] == 1


def test_findings_of_another_text_are_refused():
    (document,) = (AnnotatedDocument("sure", "ACME paid", file="x.jsonl", line=3),)
    with pytest.raises(
        UserError, match='x.jsonl:3: the findings of "sure" are those of another text, of 15 characters'
    ):
        preannotations([document], RECORDS)
    with pytest.raises(UserError, match='the findings of "sure" are those of another text'):
        preannotations([AnnotatedDocument("sure", "BROK paid Brook")], RECORDS)


def test_a_document_without_a_record_is_refused():
    with pytest.raises(UserError, match='there are no findings for the document "sur". Did you mean "sure"?'):
        preannotations([AnnotatedDocument("sur", TEXT)], RECORDS)
