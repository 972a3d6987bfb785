"""doccano's JSON lines as its versions export them."""

from __future__ import annotations

import json

import pytest
from tool_files import faults, read, spans, write_lines

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation

TEXT = "\u4e2d\u6587 ACME\r\npaid Brook"


@pytest.mark.parametrize(
    "record",
    [
        {"label": [[3, 7, "ORG"], [14, 19, "ORG"]]},  # version 1.3 and later, without relations
        {"labels": [[3, 7, "ORG"], [14, 19, "ORG"]]},  # before
        {"entities": [[3, 7, "ORG"], [14, 19, "ORG"]], "cats": []},  # intent detection
        {"entities": [
            {"id": 5, "label": "ORG", "start_offset": 3, "end_offset": 7},
            {"id": 6, "label": "ORG", "start_offset": 14, "end_offset": 19},
        ], "relations": []},
    ],
)  # fmt: skip
def test_spans_of_all_versions_are_read(tmp_path, record):
    path = write_lines(
        tmp_path / "x.jsonl", {"id": 1, "text": TEXT, **record, "Comments": ["unsure"], "source": "mail"}
    )
    (document,) = read("doccano", path)
    assert spans(document) == [("", "ORG", "ACME"), ("", "ORG", "Brook")]
    assert document.layers == ("",) and document.notes == ("unsure",) and document.metadata == {"source": "mail"}
    assert document.labels == ({"labels": ()} if "cats" in record else {})
    assert FORMATS["doccano"].detect(path)


def test_annotations_under_both_keys_are_read(tmp_path):
    records = [
        {"id": 1, "text": TEXT, "label": [[3, 7, "ORG"]], "labels": ["pos"]},
        {"id": 2, "text": TEXT, "entities": [[3, 7, "ORG"]], "spans": [[14, 19, "ORG"]]},
        {"id": 3, "text": TEXT, "label": [[3, 7, "ORG"]], "labels": [[3, 7, "ORG"]]},
    ]
    both, apart, twice = read("doccano", write_lines(tmp_path / "x.jsonl", *records))
    assert (spans(both), both.labels) == ([("", "ORG", "ACME")], {"labels": ("pos",)})
    assert spans(apart) == [("", "ORG", "ACME"), ("", "ORG", "Brook")]
    assert spans(twice) == [("", "ORG", "ACME")]


def test_relations_use_the_ids_of_entities_which_relations_may_have_too(tmp_path):
    entities = [{"id": id, "label": "ORG", "start_offset": 3, "end_offset": 7} for id in (5, 6)]
    relations = [{"id": 5, "from_id": 6, "to_id": 5, "type": "pays"}]
    path = write_lines(tmp_path / "x.jsonl", {"id": 1, "text": TEXT, "entities": entities, "relations": relations})
    (document,) = read("doccano", path)
    assert document.relations == (Relation("R5", "pays", (("Arg1", "T6"), ("Arg2", "T5"))),)


def test_categories_are_labels(tmp_path):
    records = [
        {"id": 1, "text": "a", "label": ["x", "y"]},
        {"id": 2, "text": "a", "label": []},
        {"id": 3, "text": "a"},
        {"id": 4, "text": "a", "label": "z"},
    ]
    some, none, unknown, single = read("doccano", write_lines(tmp_path / "x.jsonl", *records))
    assert [document.labels for document in (some, none, unknown, single)] == [
        {"labels": ("x", "y")},
        {"labels": ()},
        {},
        {"labels": ("z",)},
    ]
    assert all(document.layers is None for document in (some, none, unknown, single))


def test_an_empty_list_beside_spans_means_no_span(tmp_path):
    records = [{"id": 1, "text": TEXT, "label": []}, {"id": 2, "text": TEXT, "label": [[3, 7, "ORG"]]}]
    empty, _ = read("doccano", write_lines(tmp_path / "x.jsonl", *records))
    assert empty.layers == ("",) and not empty.labels


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"label": [[3, 70, "ORG"]]}, "the span 3 to 70 is outside the text of 19 characters"),
        ({"label": [[3, "7", "ORG"]]}, 'a span has start 3 and end "7"'),
        ({"label": [[3, 7]]}, 'there is no "label"'),
        ({"label": {"a": 1}}, '"label" is {"a": 1}'),
        ({"entities": [{"id": 1, "label": "ORG", "start_offset": 3}]}, "a span has start 3 and end null"),
        (
            {"entities": [], "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "x"}]},
            'there is no annotation "T1"',
        ),
        (
            {"entities": [{"id": 1, "label": "A", "start_offset": 3, "end_offset": 7}] * 2},
            "two annotations have the same id",
        ),
        ({"Comments": 3}, '"Comments" is 3'),
        ({"text": 3}, '"text" is 3'),
    ],
)
def test_a_fault_names_its_line(tmp_path, broken, message):
    records = [{"id": 1, "text": TEXT, "label": []}, {"id": 2, "text": TEXT, **broken}, {"id": 3, "text": TEXT}]
    documents, errors = faults("doccano", write_lines(tmp_path / "x.jsonl", *records))
    assert [document.id for document in documents] == ["1", "3"]
    (error,) = errors
    assert error.startswith("2: ") and message in error


def test_an_id_twice_is_refused(tmp_path):
    records = [{"id": 1, "text": TEXT, "label": []}, {"id": 1, "text": TEXT, "label": [[3, 7, "ORG"]]}]
    documents, (error,) = faults("doccano", write_lines(tmp_path / "x.jsonl", *records))
    assert len(documents) == 1 and error.startswith('2: the id "1" is also that of line 1.')


def test_utf_16_offsets_are_refused(tmp_path):
    text = "\N{GRINNING FACE} Customer Mara Lind called."
    with pytest.raises(UserError, match="x.jsonl:1: the offsets seem to count UTF-16 code units"):
        read("doccano", write_lines(tmp_path / "x.jsonl", {"id": 0, "text": text, "label": [[12, 21, "PER"]]}))


def test_documents_are_written_as_the_current_version_exports_them(tmp_path):
    pair = (AnnotatedSpan("a", "ORG", ((0, 4),)), AnnotatedSpan("b", "ORG", ((10, 15),)))
    first = AnnotatedDocument(
        "x", "ACME paid Brook", pair, (Relation("r", "pays", (("Arg1", "a"), ("Arg2", "b"))),), notes=("hm",)
    )
    documents = [
        first,
        AnnotatedDocument("2", "ACME paid Brook", pair[:1], labels={"labels": ("y",)}),
        AnnotatedDocument("3", "z", labels={"labels": ("y",)}, layers=None),
    ]
    assert not FORMATS["doccano"].save(documents, tmp_path / "x.jsonl")
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    entity = {"id": 1, "label": "ORG", "start_offset": 0, "end_offset": 4, "text": "ACME"}
    assert records[0] == {
        "id": "x", "text": "ACME paid Brook",
        "entities": [entity, {"id": 2, "label": "ORG", "start_offset": 10, "end_offset": 15, "text": "Brook"}],
        "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "pays"}], "Comments": ["hm"],
    }  # fmt: skip
    assert records[1] == {
        "id": 2,
        "text": "ACME paid Brook",
        "entities": [{**entity, "id": 3}],
        "relations": [],
        "cats": ["y"],
    }
    assert records[2] == {"id": 3, "text": "z", "label": ["y"]}
