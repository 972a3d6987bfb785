"""Label Studio's JSON-MIN as the tool exports it."""

from __future__ import annotations

import json

import pytest
from tool_files import faults, read, spans, write_array

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute

TEXT = "\N{GRINNING FACE} \u4e2d\u6587 ACME paid"


def record(id=1, text=TEXT, **answers):
    by_tool = {
        "annotator": 2,
        "annotation_id": 30 + id,
        "created_at": "2026-03-09",
        "updated_at": "2026-03-09",
        "lead_time": 4.3,
    }
    return {"text": text, "id": id, **answers, **by_tool}


def region(start, end, quoted, *labels):
    return {"start": start, "end": end, "text": quoted, "labels": list(labels)}


def test_everything_of_a_record_is_read(tmp_path):
    path = write_array(
        tmp_path / "x.json",
        record(
            label=[region(2, 4, "\u4e2d\u6587", "LANG"), region(5, 9, "ACME", "PAYER", "ORG")], sentiment="Positive",
            topics={"choices": ["a", "b"]}, stars=4, trust=[{"start": 5, "end": 9, "text": "ACME", "choices": ["high"]}],
        ),
        record(2, verbs=[region(10, 14, "paid", "PAY")], source="mail"),
    )  # fmt: skip
    first, second = read("label_studio_min", path, metadata=["source"])
    assert spans(first) == [("", "LANG", "\u4e2d\u6587"), ("", "PAYER", "ACME"), ("", "ORG", "ACME")]
    assert first.labels == {"sentiment": ("Positive",), "topics": ("a", "b")}
    assert [span.attributes for span in first.spans] == [
        (),
        (Attribute("trust", "high"),),
        (Attribute("trust", "high"),),
    ]
    assert first.metadata["stars"] == 4 and first.metadata["annotator"] == 2 and first.id == "1"
    assert set(first.layers) == set(second.layers) == {"", "verbs"}, "a project has the same layers in all tasks"
    assert second.metadata["source"] == "mail" and not second.labels


def test_a_text_is_an_answer_unless_it_is_named_as_metadata(tmp_path):
    (document,) = read("label_studio_min", write_array(tmp_path / "x.json", record(source="mail")))
    assert document.labels == {"source": ("mail",)}


def test_an_empty_list_of_the_data_is_no_layer(tmp_path):
    spans_there = record(2, label=[region(5, 9, "ACME", "ORG")], keywords=["a"])
    path = write_array(tmp_path / "x.json", record(keywords=[], label=[]), spans_there)
    first, second = read("label_studio_min", path)
    assert first.layers == second.layers == ("",)
    assert first.metadata["keywords"] == [] and "label" not in first.metadata


def test_nested_choices_are_read_as_paths(tmp_path):
    choice = [{"start": 5, "end": 9, "text": "ACME", "choices": [["firm", "bank"]]}]
    nested = record(topics={"choices": [["A", "B"], ["C"]]}, label=[region(5, 9, "ACME", "ORG")], kind=choice)
    (document,) = read("label_studio_min", write_array(tmp_path / "x.json", nested))
    assert document.labels == {"topics": ("A / B", "C")}
    assert document.spans[0].attributes == (Attribute("kind", "firm / bank"),)


def test_people_who_differ_are_an_error_or_a_choice(tmp_path):
    one, other = record(label=[region(5, 9, "ACME", "A")]), record(label=[], risk="x") | {"annotator": 9}
    path = write_array(tmp_path / "x.json", one, record(2), other, record(2))
    documents, (error,) = faults("label_studio_min", path)
    assert [document.id for document in documents] == ["2"]
    assert error.startswith("4: task 1: 2 annotations of one text differ (of 2, 9).")
    assert read("label_studio_min", path, annotation="last")[0].labels == {"risk": ("x",)}


@pytest.mark.parametrize("annotation", ["error", "first", "last"])
def test_an_id_of_two_texts_is_refused_whichever_annotation_is_chosen(tmp_path, annotation):
    """Otherwise the text of the one that is not chosen would be left out without a word."""
    other = record(text="another text") | {"annotator": 9}
    path = write_array(tmp_path / "x.json", record(), record(2), record() | {"annotator": 7}, other)
    documents, (error,) = faults("label_studio_min", path, annotation=annotation)
    assert [document.id for document in documents] == ["2"]
    assert error.startswith('5: task 1: the id "1" is also that of line 2. Give each record its own id')


def test_an_id_twice_without_annotators_is_refused(tmp_path):
    path = write_array(
        tmp_path / "x.json", {"id": 1, "text": "x"}, {"id": 1, "text": "x"}, {"text": "z"}, {"text": "z"}
    )
    documents, (error,) = faults("label_studio_min", path)
    assert [document.text for document in documents] == ["z", "z"]
    assert error.startswith('3: task 1: the id "1" is also that of line 2. Give each record its own id')


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (record(label=[region(5, 8, "ACME", "X")]), "the span 5 to 8 is 'ACM', not 'ACME'"),
        (record(label=[region(5, 99, "ACME paid", "X")]), "the span 5 to 99 is outside the text of 14 characters"),
        (record(label=[{"labels": ["X"]}]), "a span has start null and end null"),
        (record(topics={"choices": [1]}), '"choices" is [1]'),
        (record(text=None), '"text" is null'),
    ],
)
def test_a_fault_names_line_and_task(tmp_path, broken, message):
    documents, errors = faults("label_studio_min", write_array(tmp_path / "x.json", record(8), broken, record(9)))
    assert [document.id for document in documents] == ["8", "9"]
    (error,) = errors
    assert error.startswith("3: task 1: ") or broken["text"] is None
    assert error.startswith("3: ") and message in error


def test_metadata_that_reads_as_labels_is_a_loss(tmp_path):
    document = AnnotatedDocument(
        "1", "ACME", (AnnotatedSpan("a", "ORG", ((0, 4),)),), metadata={"source": "mail", "page": 2}
    )
    losses = FORMATS["label_studio_min"].save([document], tmp_path / "x.json")
    assert losses == {"metadata that reads as labels": 1}
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == [
        {"id": 1, "text": "ACME", "label": [region(0, 4, "ACME", "ORG")], "page": 2}
    ]


def test_a_layer_with_the_name_of_a_question_is_refused(tmp_path):
    document = AnnotatedDocument("1", "ACME", labels={"risk": ("x",)}, layers=("risk",))
    with pytest.raises(UserError, match='the name "risk" of a layer, question or value'):
        FORMATS["label_studio_min"].save([document], tmp_path / "x.json")


def test_a_task_that_nobody_annotated_is_not_annotated(tmp_path):
    """With `download_all_tasks` the tool exports it with nulls in its own keys."""
    bare = record(2, source="mail", keywords=[])
    bare |= {key: None for key in ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")}
    path = write_array(tmp_path / "x.json", record(label=[region(5, 9, "ACME", "ORG")], risk="x"), bare)
    labeled, untouched = read("label_studio_min", path)
    assert (labeled.layers, labeled.labels, labeled.submitted) == (("",), {"risk": ("x",)}, True)
    assert (untouched.layers, untouched.labels, untouched.submitted) == (None, {}, False)
    assert untouched.metadata == {"source": "mail", "keywords": []}
