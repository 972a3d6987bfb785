"""Documents of annotation formats, read for the fields of a task."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from reading import read, write

from electra_ie.common.errors import UserError
from electra_ie.data.document import Span
from electra_ie.data.fields import Field
from electra_ie.data.readers import READERS, annotated
from electra_ie.formats import FORMATS, base
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation

NAMES = Field("names", "spans", ("PAYER", "AMOUNT"))
AMOUNTS = Field("amounts", "spans", ("AMOUNT",))
RISK = Field("risk", "flags", ("fraud", "limit"))
TOPIC = Field("topic", "classes", ("loan", "card"))
TEXT = "ACME paid EUR 900"
PAYER, AMOUNT = AnnotatedSpan("T1", "PAYER", ((0, 4),)), AnnotatedSpan("T2", "AMOUNT", ((10, 17),))
DOCUMENT = AnnotatedDocument("1", TEXT, (PAYER, AMOUNT), labels={"risk": ("limit", "fraud"), "topic": ("loan",)})
FORMAT = FORMATS["jsonl"]


def gold_of(tmp_path, documents, fields, **options):
    """Return the gold of documents, written and read as annotation."""
    path = tmp_path / "data.jsonl"
    path.unlink(missing_ok=True)
    FORMAT.save(documents, path)
    defaults = {name: option.default for name, option in (FORMAT.options | annotated.OPTIONS).items()}

    def on_error(error):
        raise error

    return [document.gold for document in annotated.read(FORMAT, path, fields, defaults | options, on_error)]


def test_spans_without_layers_belong_to_the_fields_with_their_labels(tmp_path):
    [gold] = gold_of(tmp_path, [DOCUMENT], [NAMES, AMOUNTS])
    assert gold == {"names": (Span(0, 4, "PAYER"), Span(10, 17, "AMOUNT")), "amounts": (Span(10, 17, "AMOUNT"),)}


def test_layer_of_the_name_of_a_field_is_that_field(tmp_path):
    document = replace(
        DOCUMENT, spans=(replace(PAYER, layer="names"), replace(AMOUNT, layer="amounts")), layers=("names", "amounts")
    )
    [gold] = gold_of(tmp_path, [document], [NAMES, AMOUNTS])
    assert gold == {"names": (Span(0, 4, "PAYER"),), "amounts": (Span(10, 17, "AMOUNT"),)}


def test_field_whose_layer_is_not_annotated_in_a_document_is_unknown_there(tmp_path):
    document = replace(DOCUMENT, spans=(replace(PAYER, layer="names"),), layers=("names",))
    assert gold_of(tmp_path, [document], [NAMES, AMOUNTS])[0].keys() == {"names"}


def test_document_without_annotation_is_unlabeled_and_one_without_spans_is_not(tmp_path):
    documents = [
        replace(DOCUMENT, id=name, spans=(), labels={}, layers=layers) for name, layers in (("1", None), ("2", ("",)))
    ]
    assert gold_of(tmp_path, documents, [NAMES]) == [{}, {"names": ()}]


def test_questions_are_fields_of_classes_and_flags(tmp_path):
    [gold] = gold_of(tmp_path, [DOCUMENT], [RISK, TOPIC])
    assert gold == {"risk": ("fraud", "limit"), "topic": "loan"}


def test_question_without_a_name_is_the_only_field(tmp_path):
    document = replace(DOCUMENT, labels={"labels": ("loan",)})
    assert gold_of(tmp_path, [document], [TOPIC, NAMES])[0]["topic"] == "loan"


def test_predictions_are_not_gold(tmp_path, capsys):
    assert gold_of(tmp_path, [replace(DOCUMENT, predicted=True)], [NAMES, RISK]) == [{}]
    assert "1 documents have predictions only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "labels", "message"),
    [
        ([Field("names", "spans", ("PAYER", "AMOUNTS"))], {}, 'no field has the label "AMOUNT". Did you mean "AMOUNTS"?'),
        ([TOPIC], {"topic": ("loan", "card")}, "has 2 answers"),
        ([TOPIC], {"topic": ("lone",)}, 'has no class "lone"'),
        ([Field("topics", "classes", ("loan", "card"))], {"topic": ("loan",)}, 'Did you mean "topic"?'),
    ],
)  # fmt: skip
def test_labels_that_do_not_fit_the_fields_are_errors(tmp_path, fields, labels, message):
    with pytest.raises(UserError) as caught:
        gold_of(tmp_path, [replace(DOCUMENT, labels=labels)], fields)
    assert message in str(caught.value)


def test_labels_to_ignore_are_skipped(tmp_path):
    [gold] = gold_of(tmp_path, [DOCUMENT], [Field("names", "spans", ("PAYER",))], ignore=["AMOUNT"])
    assert gold == {"names": (Span(0, 4, "PAYER"),)}


def test_spans_of_several_fragments_need_a_decision(tmp_path, capsys):
    document = replace(DOCUMENT, spans=(replace(AMOUNT, fragments=((0, 4), (10, 13))),))
    with pytest.raises(UserError, match=r"has 2 fragments.*discontinuous: hull"):
        gold_of(tmp_path, [document], [AMOUNTS])
    assert gold_of(tmp_path, [document], [AMOUNTS], discontinuous="hull") == [{"amounts": (Span(0, 13, "AMOUNT"),)}]
    assert gold_of(tmp_path, [document], [AMOUNTS], discontinuous="skip") == [{"amounts": ()}]
    errors = capsys.readouterr().err
    assert "1 spans of several fragments are read from their first character" in errors
    assert "fields cannot express them: 1 spans of several fragments" in errors


def test_relations_are_counted_since_fields_do_not_have_them(tmp_path, capsys):
    gold_of(tmp_path, [replace(DOCUMENT, relations=(Relation("R1", "pays", (("a", "T1"), ("b", "T2"))),))], [NAMES])
    assert "not read, since fields cannot express them: 1 relations" in capsys.readouterr().err


def test_a_question_may_first_be_answered_after_another_one(tmp_path):
    answers = ({"topic": ("loan",)}, {"topic": ("card",), "risk": ("fraud",)})
    documents = [replace(DOCUMENT, id=str(number), labels=labels) for number, labels in enumerate(answers)]
    assert gold_of(tmp_path, documents, [RISK]) == [{}, {"risk": ("fraud",)}]


def test_json_lines_are_read_by_both_readers_alike(tmp_path):
    path = tmp_path / "data.jsonl"
    layered = replace(
        DOCUMENT, spans=(replace(PAYER, layer="names"), replace(AMOUNT, layer="names")), layers=("names",)
    )
    gold = gold_of(tmp_path, [layered], [NAMES, RISK, TOPIC])
    assert [document.gold for document in READERS["jsonl"].read(path, [NAMES, RISK, TOPIC])] == gold


def test_origins_are_counted_by_both_readers(tmp_path):
    spans = (replace(PAYER, layer="names", origin="model"), replace(AMOUNT, layer="names", origin="corrected"))
    answers = {"label_origins": {"risk": "person", "topic": "model"}}
    FORMAT.save([replace(DOCUMENT, spans=spans, layers=("names",), **answers)], tmp_path / "data.jsonl")
    options = {name: option.default for name, option in (FORMAT.options | annotated.OPTIONS).items()}
    [first] = annotated.read(FORMAT, tmp_path / "data.jsonl", [NAMES, RISK], options, pytest.fail)
    [second] = READERS["jsonl"].read(tmp_path / "data.jsonl", [NAMES, RISK])
    assert first.origins == second.origins == {"model": 1, "corrected": 1, "person": 1}  # no field asks for the topic
    assert first.unlabeled().origins == {}


CHUNKS = "Ann NNP B-NP B-PER\nmet VBD B-VP O\nRio NNP B-NP B-LOC\n"


@pytest.mark.parametrize(
    ("columns", "sources", "options"),
    [
        (["word", "pos", "chunk", "ner"], ("chunk", "ner"), {}),
        (["word", "pos", "chunk", "ner"], ("chunk", ""), {}),
        ([], ("2", "3"), {}),
        ([], ("2", ""), {}),
        ([], ("", ""), {"tag": [2, 3]}),
    ],
)
def test_each_field_is_read_from_its_own_column_of_tags(tmp_path, caplog, columns, sources, options):
    chunks = Field("chunks", "spans", ("NP", "VP"), sources[0])
    entities = Field("entities", "spans", ("PER", "LOC"), sources[1])
    path = write(tmp_path, "a.conll", CHUNKS)
    [document] = read("conll", path, chunks, entities, columns=columns, **options)
    assert document.gold == {
        "chunks": (Span(0, 3, "NP"), Span(4, 7, "VP"), Span(8, 11, "NP")),
        "entities": (Span(0, 3, "PER"), Span(8, 11, "LOC")),
    }
    assert not caplog.text
    [document] = read("conll", path, entities, columns=columns, tag=3)
    assert document.gold == {"entities": (Span(0, 3, "PER"), Span(8, 11, "LOC"))}


def test_every_invalid_span_is_an_error_with_its_own_line(tmp_path):
    write(tmp_path, "in/a.txt", "Ann met Bo")
    ann = write(tmp_path, "in/a.ann", "T1\tPER 0 3\tAnn\nT2\tPAYER 0 3\tAnn\n\nT3\tAMOUND 8 10\tBo\n")
    errors: list[UserError] = []
    assert not list(READERS["brat"].read(tmp_path / "in", [NAMES], {}, errors.append))
    assert [(error.file, error.line) for error in errors] == [(str(ann), 1), (str(ann), 4)]
    assert 'no field has the label "AMOUND". Did you mean "AMOUNT"?' in str(errors[1])


@pytest.mark.parametrize("name", ["xlsx", "parquet"])
def test_columns_of_fields_have_labels_without_the_option(tmp_path, capsys, name):
    rows = [
        AnnotatedDocument("1", "a", metadata={"risk": "x", "topic": "b", "page": "3"}),
        AnnotatedDocument("2", "b", metadata={"risk": "y", "topic": "c", "page": "4"}),
    ]
    path = tmp_path / f"data.{name}"
    FORMATS[name].save(rows, path)
    fields = [Field("kind", "classes", ("b", "c"), "topic"), Field("risk", "flags", ("x", "y"))]
    assert [document.gold for document in READERS[name].read(path, fields)] == [
        {"kind": "b", "risk": ("x",)}, {"kind": "c", "risk": ("y",)},
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert ('the column "page" is not read' in said) == (name == "xlsx")
    if name == "xlsx":
        with pytest.raises(UserError, match='there is no column "risks" for the field risks, but "risk"'):
            list(READERS[name].read(path, [Field("risks", "flags", ("x", "y"))]))


def test_a_package_that_is_missing_is_named_before_the_columns_are_read(tmp_path, monkeypatch):
    path = tmp_path / "data.xlsx"
    FORMATS["xlsx"].save([AnnotatedDocument("1", "a", metadata={"risk": "x"})], path)
    monkeypatch.setattr(base, "find_spec", lambda package: None)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match="the format xlsx needs the package openpyxl"):
        list(READERS["xlsx"].read(path, [Field("risk", "flags", ("x",))]))


def test_every_annotation_format_can_be_that_of_a_task():
    assert FORMATS.keys() <= READERS.keys()
