"""doccano's JSON lines as its versions export them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_files import faults, read, spans, write_lines

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation

EXPORTS = Path(__file__).parent / "exports"
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
            {
                "entities": [{"id": 2, "label": "ORG", "start_offset": 3, "end_offset": 7}],
                "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "x"}],
            },
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


EMOJI, HANZI = "\N{GRINNING FACE} Customer Mara Lind called.", "\U00020bb7\u91ce\u5bb6\u4ed8\u6b3e"


@pytest.mark.parametrize(
    ("text", "span", "marked"),
    [(EMOJI, [12, 21], "Mara Lind"), (EMOJI, [11, 20], " Mara Lin"), (HANZI, [4, 6], "\u4ed8\u6b3e")],
)
def test_marks_of_the_page_behind_emoji_need_an_option(tmp_path, text, span, marked):
    """The page counts UTF-16. Only the first is sure to; the second is in code points, and the third may be either."""
    path = write_lines(tmp_path / "x.jsonl", {"id": 0, "text": text, "label": [[*span, "PER"]]})
    if span != [11, 20]:
        with pytest.raises(UserError, match="x.jsonl:1: the text has characters .* Set the option offsets to utf16 if"):
            read("doccano", path)
    (document,) = read("doccano", path, offsets="utf16")
    assert spans(document) == [("", "PER", marked)]


def test_offsets_in_code_points_behind_emoji_are_read_if_they_are_sure_or_the_option_says_so(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", {"id": 0, "text": EMOJI, "label": [[11, 20, "PER"], [0, 1, "X"]]})
    (document,) = read("doccano", path)
    assert spans(document) == [("", "PER", "Mara Lind"), ("", "X", EMOJI[0])]
    path = write_lines(tmp_path / "y.jsonl", {"id": 0, "text": HANZI, "label": [[3, 5, "V"]]})
    (document,) = read("doccano", path, offsets="code_points")
    assert spans(document) == [("", "V", "\u4ed8\u6b3e")]


def test_the_option_is_obeyed_whatever_the_words_are(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", {"id": 0, "text": "\N{GRINNING FACE} Acme Ltd", "label": [[4, 8, "X"]]})
    assert spans(*read("doccano", path, offsets="utf16")) == [("", "X", "cme ")]
    path = write_lines(tmp_path / "y.jsonl", {"id": 0, "text": EMOJI, "label": [[12, 21, "X"]]})
    assert spans(*read("doccano", path, offsets="code_points")) == [("", "X", "ara Lind ")]
    entity = {"id": 1, "label": "X", "start_offset": 5, "end_offset": 6, "text": "5"}
    text = "\N{GRINNING FACE}\N{GRINNING FACE} 5 5 x"
    path = write_lines(tmp_path / "z.jsonl", {"id": 0, "text": text, "entities": [entity]})
    starts = [read("doccano", path, offsets=unit)[0].spans[0].start for unit in ("error", "utf16", "code_points")]
    assert starts == [3, 3, 5]  # both are quoted right: the writer counts as the page


def test_relations_between_spans_with_ids_are_kept_beside_spans_without(tmp_path, caplog):
    pair = [{"id": id, "label": "X", "start_offset": 3, "end_offset": id} for id in (7, 8)]
    related = [{"id": 1, "from_id": 7, "to_id": 8, "type": "r"}, {"id": 2, "from_id": 7, "to_id": 9, "type": "r"}]
    mixed = {"id": 0, "text": TEXT, "entities": pair, "label": [[0, 2, "Y"]], "relations": related}
    stale = {"id": 1, "text": TEXT, "entities": [], "relations": related}
    first, second = read("doccano", write_lines(tmp_path / "x.jsonl", mixed, stale))
    assert len(first.relations) == 1 and not second.relations
    assert "3 relations of spans without ids are not read" in caplog.text


def test_an_offset_of_utf_16_in_a_character_is_an_error(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", {"id": 0, "text": EMOJI, "label": [[1, 10, "PER"]]})
    with pytest.raises(UserError, match="x.jsonl:1: the span 1 to 10 is outside the text, or cuts a character"):
        read("doccano", path, offsets="utf16")


def test_spans_are_written_as_the_page_counts(tmp_path):
    document = AnnotatedDocument("x", EMOJI, (AnnotatedSpan("a", "PER", ((11, 20),)),))
    assert not FORMATS["doccano"].save([document], tmp_path / "x.jsonl")
    (entity,) = json.loads((tmp_path / "x.jsonl").read_text("utf-8"))["entities"]
    assert (entity["start_offset"], entity["end_offset"], entity["text"]) == (12, 21, "Mara Lind")
    (again,) = read("doccano", tmp_path / "x.jsonl")
    assert spans(again) == [("", "PER", "Mara Lind")]


@pytest.mark.parametrize("export", ["relations", "spans"])
def test_an_export_of_the_tool_is_read_as_it_was_written(export, caplog):
    """Version 1.8.4: texts of this package's writer, the spans of label L in the first five marked by mouse in its page."""
    documents = {each.id: each for each in read("doccano", EXPORTS / f"doccano_{export}.jsonl", offsets="utf16")}
    marked = {"emoji": "Brisk", "crlf": "paid", "zh": "\u4ed8\u6b3e", "ar": "500", "nfd": "paid"}
    for id, word in marked.items():
        assert ("", "L", word) in spans(documents[id])
    assert ("", "P", "ACME") in spans(documents["emoji"]) and ("", "P", "\U00020bb7\u91ce\u5bb6") in spans(
        documents["zh"]
    )
    assert len(spans(documents["nested"])) == 3 and documents["empty-spans"].layers == ("",)
    assert "\r\n" in documents["crlf"].text and documents["lead"].text.endswith(" \n")
    assert all(document.metadata == {"source": "x", "n": 3} for document in documents.values())
    related = [len(document.relations) for document in documents.values()]
    assert sum(related) == (2 if export == "relations" else 0)
    stale = "2 relations of spans without ids are not read" in caplog.text
    assert stale == (export == "spans")


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


@pytest.mark.parametrize("key", ["label", "entities"])
def test_texts_that_may_not_have_been_seen_are_counted(tmp_path, capsys, key):
    """Texts that nobody has opened are exported as those in which a person found nothing."""
    path = write_lines(tmp_path / "x.jsonl", *({"id": id, "text": "x", key: []} for id in (1, 2)))
    read("doccano", path)
    assert "without an annotation" not in capsys.readouterr().err, "then nobody annotates here, or all was seen"
    span = {"start_offset": 0, "end_offset": 1, "label": "A"}
    marked = [{"id": 3, "text": "x", key: [span]}, {"id": 4, "text": "y"}]
    path = write_lines(tmp_path / "y.jsonl", *({"id": id, "text": "x", key: []} for id in (1, 2)), *marked)
    assert [document.layers for document in read("doccano", path)] == [("",), ("",), ("",), None]
    warned = capsys.readouterr().err
    assert "y.jsonl: 2 texts without an annotation are read as seen by a person, who found nothing." in warned
    assert "remove them, or move them to a file that task.yaml lists as unlabeled" in warned
