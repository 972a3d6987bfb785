"""Argilla's records: as its client exports them, and as its server has them."""

from __future__ import annotations

import json

import pytest
from tool_files import faults, read, spans, write_array

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan

TEXT = "\N{GRINNING FACE} \u4e2d\u6587 ACME paid\r\nBrook"
ACME, BROOK = {"start": 5, "end": 9, "label": "ORG"}, {"start": 16, "end": 21, "label": "ORG"}


@pytest.fixture(autouse=True)
def _logs(caplog, monkeypatch):
    """Let the records of the package reach caplog."""
    monkeypatch.setattr("electra_ie.common.logs.logger.propagate", True)


def record(id="a", suggestions=None, fields=None, vectors=None, **answers):
    responses = {name: [{"value": value, "user_id": "u1"}] for name, value in answers.items()}
    return {
        "id": id, "fields": {"text": TEXT, **(fields or {})}, "metadata": {"page": 2}, "suggestions": suggestions or {},
        "responses": responses, "vectors": vectors or {}, "_server_id": None,
    }  # fmt: skip


def suggestion(value, score=None):
    return {"value": value, "score": score, "agent": "m1"}


def test_all_kinds_of_questions_are_read(tmp_path, caplog):
    path = write_array(
        tmp_path / "x.json",
        record(
            spans=[ACME], names=[BROOK], risk="fraud", topics=["a", "b"], stars=4, comment="fine", fields={"title": "T"},
            order=[{"value": "x", "rank": 1}], vectors={"v": [0.5]},
        ),
        record("b", spans=[], topics=[]),
        record("c"),
    )  # fmt: skip
    document, empty, untouched = read("argilla", path, metadata=["comment"])
    assert spans(document) == [("", "ORG", "ACME"), ("names", "ORG", "Brook")]
    assert document.labels == {"risk": ("fraud",), "topics": ("a", "b")}
    assert document.metadata == {
        "title": "T", "page": 2, "stars": 4, "comment": "fine", "order": [{"value": "x", "rank": 1}],
    }  # fmt: skip
    assert (empty.layers, empty.labels) == (("",), {"topics": ()})
    assert (untouched.layers, untouched.labels, untouched.predicted) == (None, {}, False)
    assert "1 vectors are not read" in caplog.text
    assert FORMATS["argilla"].detect(path)


def test_marks_of_the_page_behind_emoji_are_read_by_an_option(tmp_path, caplog):
    """The page counts UTF-16 (argilla#5729), in which an emoji is two; suggestions are what a script has sent."""
    text = "\U00020bb7\u91ce\u5bb6\u4ed8\u6b3e1"
    marked, sent = {"start": 4, "end": 6, "label": "V"}, {"start": 3, "end": 5, "label": "V"}
    path = write_array(
        tmp_path / "x.json",
        record("a", fields={"text": text}, spans=[marked]),
        record("b", fields={"text": text}, suggestions={"spans": suggestion([sent])}),
    )
    (shifted, _) = read("argilla", path)
    assert spans(shifted) == [("", "V", "\u6b3e1")] and "1 spans are behind characters beyond U+FFFF" in caplog.text
    read_right = read("argilla", path, offsets="utf16")
    assert [spans(document) for document in read_right] == [[("", "V", "\u4ed8\u6b3e")]] * 2


def test_marks_of_the_page_and_accepted_suggestions_are_kept_apart(tmp_path):
    text = "\N{GRINNING FACE} Customer Mara Lind called."
    sent = {"start": 11, "end": 20, "label": "PER"}  # in code points, and accepted as it is
    marked = {"start": 22, "end": 28, "label": "VERB"}
    path = write_array(
        tmp_path / "x.json",
        record("a", fields={"text": text}, suggestions={"spans": suggestion([sent])}, spans=[sent, marked]),
    )
    with pytest.raises(UserError, match="the span 22 to 28 is behind an emoji, .* Set the option offsets to utf16"):
        read("argilla", path)
    (document,) = read("argilla", path, offsets="utf16")
    assert spans(document) == [("", "PER", "Mara Lind"), ("", "VERB", "called")]
    assert [span.origin for span in document.spans] == ["model", "person"]


def test_suggestions_are_no_labels(tmp_path):
    suggested = {"spans": suggestion([ACME, BROOK], [0.5, 0.75]), "risk": suggestion("fraud", 0.25)}
    changed = [ACME, {**BROOK, "label": "PER"}, {"start": 10, "end": 14, "label": "VERB"}]
    path = write_array(
        tmp_path / "x.json", record(suggestions=suggested), record("b", suggestions=suggested, spans=changed)
    )
    predicted, corrected = read("argilla", path)
    assert predicted.predicted and [span.score for span in predicted.spans] == [0.5, 0.75]
    assert predicted.label_scores == {"risk": (0.25,)}
    assert not corrected.predicted and not corrected.labels
    assert [span.origin for span in corrected.spans] == ["model", "corrected", "person"]


def test_labels_of_texts_have_the_origin_that_their_suggestion_shows(tmp_path):
    suggested = {"risk": suggestion("fraud", 0.25), "topics": suggestion(["b", "a"])}
    path = write_array(
        tmp_path / "x.json",
        record(suggestions=suggested, risk="fraud", topics=["a", "b"], other="x"),
        record("b", suggestions=suggested, risk="none"),
    )
    accepted, changed = read("argilla", path)
    assert accepted.label_origins == {"risk": "model", "topics": "model"}
    assert changed.label_origins == {"risk": "corrected"}


def test_responses_of_the_server_count_if_they_are_submitted(tmp_path, caplog):
    responses = [
        {"values": {"risk": {"value": "fraud"}, "spans": {"value": [ACME]}}, "user_id": "u1", "status": "submitted"},
        {"values": {"risk": {"value": "none"}}, "user_id": "u2", "status": "draft"},
        {"values": None, "user_id": "u3", "status": "discarded"},
    ]
    suggestions = [{"question_name": "risk", "value": "none", "score": 0.5, "agent": None}]
    path = write_array(tmp_path / "x.json", record() | {"responses": responses, "suggestions": suggestions})
    (document,) = read("argilla", path)
    assert document.labels == {"risk": ("fraud",)} and spans(document) == [("", "ORG", "ACME")]
    assert document.submitted
    assert "1 answers that were not submitted are not read" in caplog.text


def test_responses_without_a_status_in_a_pending_record_are_no_labels(tmp_path, caplog):
    """`records.to_json` of the client 2.8.0 writes a draft without its status, in a record that is pending."""
    suggested = {"risk": suggestion("none")}
    stated = record("d", risk="fraud") | {"status": "pending"}
    stated["responses"]["risk"][0]["status"] = "submitted"
    path = write_array(
        tmp_path / "x.json", record(risk="fraud", spans=[ACME]) | {"status": "pending"},
        record("b", suggestions=suggested, risk="fraud") | {"status": "pending"},
        record("c", risk="fraud") | {"status": "completed"}, stated,
    )  # fmt: skip
    draft, predicted, completed, submitted = read("argilla", path)
    assert (draft.layers, draft.labels, draft.predicted) == (None, {}, False)
    assert predicted.predicted and predicted.labels == {"risk": ("none",)}
    assert completed.labels == submitted.labels == {"risk": ("fraud",)}
    assert "3 answers of pending records, which may be drafts, are not read" in caplog.text


def test_people_who_differ_are_an_error_or_a_choice(tmp_path):
    answers = [{"value": value, "user_id": user} for user, value in (("u1", "fraud"), ("u2", "none"))]
    path = write_array(tmp_path / "x.json", record(risk="x") | {"responses": {"risk": answers}})
    documents, (error,) = faults("argilla", path)
    assert not documents and error.startswith("2: task a: 2 annotations of one text differ (of u1, u2).")
    assert read("argilla", path, annotation="first")[0].labels == {"risk": ("fraud",)}
    assert read("argilla", path, annotation="last")[0].labels == {"risk": ("none",)}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (record(spans=[{**ACME, "end": 90}]), "the span 5 to 90 is outside the text of 21 characters"),
        (record(spans=[{**ACME, "end": None}]), "a span has start 5 and end null"),
        (record(spans=[{"start": 5, "end": 9}]), 'there is no "label"'),
        (record(spans=[{**ACME, "text": "ACNE"}]), "the span 5 to 9 is 'ACME', not 'ACNE'"),
        (record(fields={"text": 3}), '"text" is 3'),
        ({"id": "a", "text": "x"}, 'there is no "fields"'),
        (record() | {"responses": {"risk": "x"}}, '"risk" is "x"'),
        (record() | {"responses": 3}, '"responses" is 3'),
        (record() | {"suggestions": [3]}, "3 is not an object"),
        (record() | {"suggestions": "x"}, '"suggestions" is "x"'),
    ],
)
def test_a_fault_names_line_and_record(tmp_path, broken, message):
    documents, errors = faults("argilla", write_array(tmp_path / "x.json", record("8"), broken, record("9")))
    assert [document.id for document in documents] == ["8", "9"]
    (error,) = errors
    assert error.startswith("3: task a: ") and message in error


def test_predictions_are_written_as_suggestions(tmp_path):
    spans_ = (AnnotatedSpan("s", "ORG", ((0, 4),), score=0.5),)
    predicted = AnnotatedDocument(
        "a",
        "ACME",
        spans_,
        labels={"risk": ("x",)},
        label_scores={"risk": (0.75,)},
        predicted=True,
        metadata={"model": "m1"},
    )
    labeled = AnnotatedDocument("b", "ACME", spans_, labels={"risk": ("x",), "none": ()})
    losses = FORMATS["argilla"].save([predicted, labeled], tmp_path / "x.json", {"user": "u7"})
    assert losses == {"scores": 1, "questions without a label": 1}
    first, second = json.loads((tmp_path / "x.json").read_text("utf-8"))
    item = {"start": 0, "end": 4, "label": "ORG", "text": "ACME"}
    assert first == {
        "id": "a", "fields": {"text": "ACME"}, "metadata": {"model": "m1"},
        "suggestions": {
            "spans": {"value": [item], "score": [0.5], "agent": "m1"}, "risk": {"value": "x", "score": 0.75, "agent": "m1"},
        },
    }  # fmt: skip
    assert second["responses"] == {
        "spans": [{"value": [item], "user_id": "u7"}],
        "risk": [{"value": "x", "user_id": "u7"}],
    }
