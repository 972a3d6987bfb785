"""Prodigy's JSON lines as the tool exports them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_files import faults, read, spans, write_lines
from unicode_texts import TEXT as ANY_TEXT

from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation
from electra_ie.formats.prodigy import tokens_of

TEXT = "\N{GRINNING FACE} ACME paid\r\nBrook"
TOKENS = [
    {"text": text, "start": start, "end": start + len(text), "id": id, "ws": True}
    for id, (text, start) in enumerate(
        [("\N{GRINNING FACE}", 0), ("ACME", 2), ("paid", 7), ("\r\n", 11), ("Brook", 13)]
    )
]
ACME = {"start": 2, "end": 6, "token_start": 1, "token_end": 1, "label": "ORG"}
BROOK = {"start": 13, "end": 18, "token_start": 4, "token_end": 4, "label": "ORG"}


@pytest.fixture(autouse=True)
def _logs(caplog, monkeypatch):
    """Let the records of the package reach caplog."""
    monkeypatch.setattr("electra_ie.common.logs.logger.propagate", True)


def record(text=TEXT, answer="accept", **further):
    return {
        "text": text,
        "_input_hash": 976389336,
        "_task_hash": 1,
        "_timestamp": 1700000000,
        "answer": answer,
        **further,
    }


def test_spans_and_metadata_are_read(tmp_path):
    path = write_lines(
        tmp_path / "x.jsonl", record(tokens=TOKENS, spans=[ACME, BROOK], meta={"source": "mail"}), record(spans=[])
    )
    document, empty = read("prodigy", path)
    assert spans(document) == [("", "ORG", "ACME"), ("", "ORG", "Brook")]
    assert document.metadata == {"source": "mail", "_input_hash": 976389336, "_task_hash": 1, "_timestamp": 1700000000}
    assert not document.predicted and document.layers == empty.layers == ("",)
    assert FORMATS["prodigy"].detect(path)


def test_answers_decide_whether_a_record_is_annotated(tmp_path, caplog):
    path = write_lines(
        tmp_path / "x.jsonl", record(spans=[ACME], answer="reject"), record(spans=[ACME], answer="ignore"),
        {"text": TEXT, "spans": [ACME]}, {"text": TEXT},
    )  # fmt: skip
    rejected, ignored, open_, text = read("prodigy", path)
    assert [document.layers for document in (rejected, ignored, text)] == [None, None, None]
    assert not rejected.spans and not ignored.spans and not text.predicted
    assert open_.predicted and open_.spans
    assert 'records with the answer "reject" are unannotated' in caplog.text


def test_an_accepted_suggestion_of_a_span_does_not_annotate_the_text(tmp_path, caplog):
    """Records as `db-out` returns them after `ner.teach`: the other entities of the text are unmarked."""
    shown = {"spans": [{**ACME, "score": 0.5}], "tokens": TOKENS, "meta": {"score": 0.5}}
    path = write_lines(tmp_path / "x.jsonl", record(_view_id="ner", **shown), record(_view_id="ner_manual", **shown))
    taught, manual = read("prodigy", path)
    assert (taught.layers, taught.spans, taught.predicted) == (None, (), False)
    assert manual.layers == ("",) and manual.spans
    assert "1 spans of ner.teach, where other entities of the text are unmarked, are not read" in caplog.text


def test_an_accepted_or_rejected_prediction_of_a_label_has_its_origin(tmp_path):
    """Records as `db-out` returns them after `textcat.teach`."""
    shown = {"label": "POS", "score": 0.25, "priority": 0.25, "spans": [], "meta": {"score": 0.25}}
    path = write_lines(
        tmp_path / "x.jsonl", record(**shown), record(answer="reject", **shown), record(label="POS"), {"text": "a", **shown}
    )  # fmt: skip
    accepted, rejected, own, open_ = read("prodigy", path)
    assert (accepted.labels, accepted.label_origins) == ({"labels": ("POS",)}, {"labels": "model"})
    assert (rejected.labels, rejected.label_origins) == ({"labels": ()}, {"labels": "corrected"})
    assert own.label_origins == open_.label_origins == {} and open_.predicted
    assert accepted.layers is None and accepted.metadata["score"] == 0.25
    path = write_lines(tmp_path / "y.jsonl", record(**{**shown, "score": 0.5}))
    assert '"score" is in the record and in its "meta"' in faults("prodigy", path)[1][0]


def test_a_rejected_label_does_not_hold_if_it_is_the_only_one(tmp_path):
    one = write_lines(
        tmp_path / "1.jsonl",
        record(label="POS"),
        record(label="POS", answer="reject"),
        record(label="POS", answer="ignore"),
    )
    assert [document.labels for document in read("prodigy", one)] == [{"labels": ("POS",)}, {"labels": ()}, {}]
    two = write_lines(tmp_path / "2.jsonl", record(label="POS"), record(label="NEG", answer="reject"))
    assert [document.labels for document in read("prodigy", two)] == [{"labels": ("POS",)}, {}]


def test_choices_are_labels(tmp_path):
    options = [{"id": "a", "text": "A", "score": 0.75}, {"id": 2, "text": "B"}]
    path = write_lines(
        tmp_path / "x.jsonl", *(record(options=options, accept=accept) for accept in (["a"], ["a", 2], []))
    )
    one, both, none = read("prodigy", path)
    assert (one.labels, one.label_scores) == ({"labels": ("a",)}, {"labels": (0.75,)})
    assert (both.labels, both.label_scores) == ({"labels": ("a", "2")}, {})
    assert none.labels == {"labels": ()} and none.layers is None


def test_relations_are_read_by_offsets_or_tokens(tmp_path, caplog):
    relations = [
        {"head": 1, "child": 4, "head_span": ACME, "child_span": BROOK, "label": "pays"},
        {"head": 4, "child": 1, "label": "is paid by"},
        {"head": 2, "child": 1, "label": "subject"},
    ]
    (document,) = read(
        "prodigy", write_lines(tmp_path / "x.jsonl", record(tokens=TOKENS, spans=[ACME, BROOK], relations=relations))
    )
    assert document.relations == (
        Relation("relation 1", "pays", (("Arg1", "T1"), ("Arg2", "T2"))),
        Relation("relation 2", "is paid by", (("Arg1", "T2"), ("Arg2", "T1"))),
    )
    assert "1 relations of words that are no spans are not read" in caplog.text


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (record(answer="yes"), '"answer" is "yes"'),
        (record(spans=[{**ACME, "end": 60}]), "the span 2 to 60 is outside the text of 18 characters"),
        (record(spans=[{"start": 2, "end": 6}]), 'there is no "label"'),
        (record(spans=[3]), "3 is not an object"),
        (record(spans=[{**ACME, "id": "a"}, {**BROOK, "id": "a"}]), 'two spans have the id "a"'),
        (
            record(relations=[{"head": 9, "child": 1, "label": "x"}], tokens=TOKENS),
            '"head" of a relation is 9, but there are 5 tokens',
        ),
        (record(meta={"_task_hash": 2}), '"_task_hash" is in the record and in its "meta"'),
        (record(accept=[None]), '"accept" is [null]'),
        ({"html": "x"}, 'the record has no "text"'),
    ],
)
def test_a_fault_names_its_line(tmp_path, broken, message):
    documents, errors = faults("prodigy", write_lines(tmp_path / "x.jsonl", record(id=1), broken, record(id=3)))
    assert [document.id for document in documents] == ["1", "3"]
    (error,) = errors
    assert error.startswith("2: ") and message in error


def test_predictions_wait_for_an_answer(tmp_path):
    pair = (AnnotatedSpan("a", "ORG", ((0, 4),), score=0.5), AnnotatedSpan("b", "ORG", ((10, 15),)))
    relation = Relation("r", "pays", (("Arg1", "a"), ("Arg2", "b")))
    document = AnnotatedDocument("7", "ACME paid Brook", pair, (relation,), metadata={"page": 2, "_task_hash": 5})
    predicted = AnnotatedDocument("8", "x", labels={"labels": ("y",)}, layers=None, predicted=True)
    assert not FORMATS["prodigy"].save([document, predicted], tmp_path / "x.jsonl")
    first, second = (json.loads(line) for line in (tmp_path / "x.jsonl").read_text("utf-8").splitlines())
    assert first["answer"] == "accept" and first["meta"] == {"page": 2} and first["_task_hash"] == 5
    assert first["tokens"][0] == {"text": "ACME", "start": 0, "end": 4, "id": 0, "ws": True}
    head = {"text": "ACME", "start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "ORG", "id": "a"}
    assert first["spans"][0] == {**head, "score": 0.5}
    assert (first["relations"][0]["head"], first["relations"][0]["child"]) == (0, 2)
    assert first["relations"][0]["head_span"] == head
    assert second == {"id": 8, "text": "x", "options": [{"id": "y", "text": "y"}], "accept": ["y"]}


@given(ANY_TEXT.filter(bool), st.data())
def test_tokens_cover_the_text_and_spans_have_whole_tokens(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    span = AnnotatedSpan("a", "X", ((start, data.draw(st.integers(start + 1, len(text)))),))
    tokens = tokens_of(AnnotatedDocument("", text, (span,)))
    assert {span.start} <= {token["start"] for token in tokens} and {span.end} <= {token["end"] for token in tokens}
    assert all(token["text"] == text[token["start"] : token["end"]] for token in tokens)
    assert "".join(token["text"] + " " * token["ws"] for token in tokens) == text
    assert [token["id"] for token in tokens] == list(range(len(tokens)))


def test_words_and_numbers_are_tokens():
    tokens = tokens_of(AnnotatedDocument("", "ACME's EUR 9,800  \u4e2d\u6587."))
    assert [token["text"] for token in tokens] == [
        "ACME",
        "'",
        "s",
        "EUR",
        "9",
        ",",
        "800",
        "  ",
        "\u4e2d",
        "\u6587",
        ".",
    ]


def test_answers_to_single_spans_do_not_annotate_the_text(tmp_path, caplog):
    """Spans that a person accepted and rejected one by one, merged into a record: other entities are unmarked."""
    answers = [{**ACME, "answer": "accept"}, {**BROOK, "answer": "reject"}, {**BROOK, "answer": "ignore"}]
    relation = {"head": 1, "child": 4, "head_span": ACME, "child_span": BROOK, "label": "pays"}
    path = write_lines(
        tmp_path / "x.jsonl", record(spans=answers, relations=[relation], tokens=TOKENS), record(spans=[ACME]),
        {"text": TEXT, "spans": answers},
    )  # fmt: skip
    answered, marked, open_ = read("prodigy", path)
    assert (answered.layers, answered.spans, answered.relations) == (None, (), ())
    assert marked.layers == ("",) and marked.spans
    assert open_.predicted and spans(open_) == [("", "ORG", "ACME")]
    for answer in ("reject", "ignore"):
        assert f'2 spans with the answer "{answer}" are not read' in caplog.text
    assert (
        "1 spans with answers of their own, where other entities of the text are unmarked, are not read" in caplog.text
    )


def test_highlights_of_patterns_are_no_spans(tmp_path, caplog):
    """Records as `db-out` returns them after `textcat.teach` with patterns."""
    shown = {"label": "POS", "spans": [{**ACME, "label": "POS", "pattern": 3}], "_view_id": "classification"}
    path = write_lines(
        tmp_path / "x.jsonl", record(**shown), record(answer="reject", text="ACME none", **{**shown, "spans": []}),
        record(answer="reject", text="a ACME", **shown), record("b ACME", answer="", **shown),
    )  # fmt: skip
    documents = read("prodigy", path)
    assert all((document.layers, document.spans) == (None, ()) for document in documents)
    assert [document.labels["labels"] for document in documents] == [("POS",), (), (), ("POS",)]
    assert [document.predicted for document in documents] == [False, False, False, True]
    assert "3 highlighted passages of texts to be classified are not read" in caplog.text


def by(person, **further):
    return record(_session_id=f"mails-{person}", _annotator_id=person, _view_id="ner_manual", **further)


def test_annotators_who_differ_are_an_error_or_a_choice(tmp_path):
    path = write_lines(
        tmp_path / "x.jsonl", by("a", spans=[ACME]), record(text="other", spans=[]), by("b", spans=[BROOK]),
        by("c", spans=[BROOK], answer="reject"),
    )  # fmt: skip
    documents, (error,) = faults("prodigy", path)
    assert [document.text for document in documents] == ["other"]
    assert error.startswith("3: 2 annotations of one text differ (of mails-a, mails-b).")
    for which, passage in (("first", "ACME"), ("last", "Brook")):
        document, _ = read("prodigy", path, annotation=which)
        assert spans(document) == [("", "ORG", passage)]


def test_annotators_who_agree_give_one_document(tmp_path):
    same = write_lines(tmp_path / "x.jsonl", by("a", spans=[ACME]), by("b", spans=[ACME]), by("c", answer="ignore"))
    (document,) = read("prodigy", same)
    assert spans(document) == [("", "ORG", "ACME")]
    apart = write_lines(
        tmp_path / "y.jsonl", by("a", spans=[ACME], id=1), by("b", spans=[BROOK], id=2),
        by("b", text=TEXT + " later", spans=[]), {**by("b", spans=[]), "_view_id": "spans_manual"},
        {**by("b", spans=[]), "_input_hash": 5}, {"text": TEXT, "spans": [BROOK], "_input_hash": 976389336},
    )  # fmt: skip
    assert len(read("prodigy", apart)) == 6, "other ids, texts, views, inputs and predictions are other documents"


def test_accepted_labels_of_one_text_are_one_document(tmp_path):
    """Records as `db-out` returns them after `textcat.teach` with several labels."""

    def shown(label, answer, task, score=0.5, **further):
        return record(answer=answer, label=label, score=score, _view_id="classification", **further) | {
            "_task_hash": task
        }

    path = write_lines(
        tmp_path / "x.jsonl", shown("A", "accept", 1), shown("C", "reject", 2), shown("B", "accept", 3, score=0.25),
        shown("A", "reject", 4, text="x"), shown("B", "reject", 5, text="x"),
    )  # fmt: skip
    document, *rejected = read("prodigy", path)
    assert document.labels == {"labels": ("A", "B")} and document.label_origins == {"labels": "model"}
    assert document.metadata["_input_hash"] == 976389336 and not {"_task_hash", "score"} & set(document.metadata)
    assert [document.labels for document in rejected] == [{}]
    people = write_lines(
        tmp_path / "y.jsonl", shown("A", "accept", 1, _session_id="a"), shown("B", "accept", 2, _session_id="a"),
        shown("B", "accept", 2, _session_id="b"), shown("A", "reject", 1, _session_id="b"),
    )  # fmt: skip
    documents, (error,) = faults("prodigy", people)
    assert not documents and error.startswith("4: 2 annotations of one text differ (of a, b).")
    labels = [read("prodigy", people, annotation=which)[0].labels["labels"] for which in ("first", "last")]
    assert labels == [("A", "B"), ("B",)]
    one = write_lines(tmp_path / "z.jsonl", *(shown("A", "reject", 1, _session_id=person) for person in "ab"))
    assert [document.labels for document in read("prodigy", one)] == [{"labels": ()}]
