"""`electra-ie init`: relations and attributes of spans become fields, or it says truthfully why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading import write

import electra_ie
from electra_ie.common.errors import UserError, raise_error
from electra_ie.data.document import Attribute, Span
from electra_ie.data.document import Relation as GoldRelation
from electra_ie.data.fields import AttributeField, RelationField
from electra_ie.data.init.field_inference import infer
from electra_ie.data.init.from_annotations import init_task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Event, Relation
from electra_ie.formats.annotations import Attribute as Said

TEXT = "Ann works for Acme, not for Brisk."
ANN, ACME, BRISK = Span(0, 3, "PERSON"), Span(14, 18, "COMPANY"), Span(28, 33, "COMPANY")
SHIPPED = Path(electra_ie.__file__).parent.parent / "tasks"


def span(id: str, of: Span, *said: tuple[str, str | None], layer: str = "") -> AnnotatedSpan:
    attributes = tuple(Said(*each) for each in said)
    return AnnotatedSpan(id, of.label, ((of.start, of.end),), attributes=attributes, layer=layer)


def related(id: str, label: str, head: str, tail: str, symmetric: bool = False) -> Relation:
    return Relation(id, label, (("Arg1", head), ("Arg2", tail)), symmetric=symmetric)


def inferred(*documents: AnnotatedDocument):
    return infer(documents, raise_error)


def line(result, start: str) -> str:
    return next(each for each in result.assumptions if each.startswith(start))


def test_shipped_attributes_and_relations_are_fields(tmp_path):
    assertions = init_task(SHIPPED / "medical_assertions", tmp_path / "assertions")
    [field] = assertions.task.anchored
    assert (field.kind, field.name, field.of) == ("attributes", "assertion", ("CONDITION", "FINDING"))
    own, shipped = (
        electra_ie.Task.load(path).read("train") for path in (tmp_path / "assertions", "medical_assertions")
    )
    assert [each.gold["assertion"] for each in own] == [each.gold["assertion"] for each in shipped]
    # One file, so that the splits are drawn and the data written as JSON lines.
    done = init_task(SHIPPED / "transaction_relations" / "train.jsonl", tmp_path / "relations", dev=0, test=0)
    task = electra_ie.Task.load(tmp_path / "relations")
    assert [(each.kind, each.name, each.labels) for each in task.anchored] == [
        ("relations", "relations", ("held_by", "paid_by", "paid_to"))
    ]
    shipped = electra_ie.Task.load("transaction_relations").read("train")
    assert [each.gold["relations"] for each in task.read("train")] == [each.gold["relations"] for each in shipped]
    assert not any("not read" in each for each in done.assumptions)


@pytest.mark.parametrize("name", ["brat", "label_studio", "bioc", "cas", "jsonl", "parquet"])
def test_relations_and_attributes_of_annotation_formats_are_in_the_task(tmp_path, name):
    format = FORMATS[name]
    if format.package:
        pytest.importorskip(format.package)
    statuses = ("certain", "doubtful")
    documents = [
        AnnotatedDocument(
            f"d{number}", TEXT,
            (span("T1", ANN), span("T2", ACME, ("status", statuses[number % 2])), span("T3", BRISK, ("status", "certain"))),
            (related("R1", "works_for", "T1", "T2"),),
        )
        for number in range(4)
    ]  # fmt: skip
    path = tmp_path / f"data{'.xml' if name == 'bioc' else ''.join(format.endings[:1])}"
    format.save(documents, path)
    init_task(path, tmp_path / "task", name, dev=0, test=0)
    task = electra_ie.Task.load(tmp_path / "task")
    assert task.format == "jsonl"
    [relations] = task.relations
    assert relations.labels == ("works_for",)
    read = {document.id.partition(".")[0]: document for document in task.read("train")}
    assert read["d1"].gold[relations.name] == (GoldRelation(ANN, ACME, "works_for"),)
    [status] = [each for each in task.attributes if each.name == "status"]
    assert status == AttributeField("status", statuses, ("COMPANY",))
    assert read["d1"].gold["status"] == (Attribute(ACME, "doubtful"), Attribute(BRISK, "certain"))


def test_flags_of_brat_stay_where_they_are(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path, f"data/{split}/a.txt", TEXT)
        lines = "T1\tPERSON 0 3\tAnn\nT2\tCOMPANY 14 18\tAcme\nT3\tCOMPANY 28 33\tBrisk\nA1\tNegation T3\n"
        write(tmp_path, f"data/{split}/a.ann", f"{lines}R1\tworks_for Arg1:T1 Arg2:T2\n")
    init_task(tmp_path / "data", tmp_path / "task")
    task = electra_ie.Task.load(tmp_path / "task")
    assert task.format == "brat"
    flag = AttributeField("Negation", ("not_Negation", "Negation"), ("COMPANY",), "not_Negation")
    assert task.anchored == (RelationField("relations", ("works_for",)), flag)
    [document] = task.read("dev")
    assert document.gold["relations"] == (GoldRelation(ANN, ACME, "works_for"),)
    assert document.gold["Negation"] == (Attribute(ACME, "not_Negation"), Attribute(BRISK, "Negation"))


def test_a_flag_has_a_label_for_spans_of_which_it_is_not_said():
    one = AnnotatedDocument("1", TEXT, (span("T1", ANN), span("T2", ACME), span("T3", BRISK, ("negated", None))))
    two = AnnotatedDocument("2", TEXT, (span("T1", ACME, ("negated", "false")),))
    result = inferred(one, two)
    assert result.fields[1] == AttributeField("negated", ("not_negated", "negated"), ("COMPANY",), "not_negated")
    assert [document.gold["negated"] for document in result.documents] == [
        (Attribute(ACME, "not_negated"), Attribute(BRISK, "negated")),
        (Attribute(ACME, "not_negated"),),
    ]
    assert line(result, "negated") == (
        "negated: attributes, of COMPANY, not_negated where it is not said (2 documents; not_negated 2, negated 1)"
    )


def test_relations_without_a_direction_and_those_that_no_field_expresses():
    spans = (span("T1", ANN), span("T2", ACME), span("T3", BRISK))
    document = AnnotatedDocument(
        "1", TEXT, spans,
        (
            related("R1", "rivals", "T3", "T2", symmetric=True),
            related("R2", "works_for", "T1", "T2"),
            related("R3", "owns", "T1", "T2"),
            related("R4", "is", "T1", "T1"),
            related("R5", "no relation", "T1", "T3"),
            related("R6", "causes", "T1", "E1"),
            Relation("R7", "of_three", (("a", "T1"), ("b", "T2"), ("c", "T3"))),
        ),
        (Event("E1", "Work", "T1"),),
    )  # fmt: skip
    result = inferred(document)
    assert result.fields[1] == RelationField("relations", ("owns", "rivals", "works_for"), symmetric=("rivals",))
    assert result.documents[0].gold["relations"] == (
        GoldRelation(ANN, ACME, "owns"),
        GoldRelation(ANN, ACME, "works_for"),
        GoldRelation(ACME, BRISK, "rivals"),
    )
    assert "relations with events: 1 are not read, since no field expresses them" in result.assumptions
    assert "relations of other than two arguments: 1 are not read, since no field expresses them" in result.assumptions
    assert "relations: 1 relate a passage to itself: they are not read" in result.assumptions
    assert line(result, 'relations: 1 have the label "no relation", which a model needs')
    assert line(result, "relations: relations, between spans of entities, without a direction: rivals, 1 further ones")


def test_attributes_that_are_no_classes_say_why():
    def document(number: int) -> AnnotatedDocument:
        said = (("code", f"C{number}"), ("source", "web"), ("sure", None))
        return AnnotatedDocument(str(number), TEXT, (span("T1", ACME, *said), span("T2", ANN)))

    result = inferred(*(document(number) for number in range(12)))
    assert [each.name for each in result.fields] == ["entities"]
    assert [each for each in result.assumptions if "attribute" in each] == [
        'the attribute "code", which 12 spans have, is not a field: 12 different values are no classes',
        'the attribute "source", which 12 spans have, is not a field: all have the same value, "web"',
        'the attribute "sure", which 12 spans have, is not a field: it applies to every span of these labels (12)',
    ]


def test_spans_with_several_values_or_none_are_unlabeled_for_an_attribute():
    one = AnnotatedDocument("1", TEXT, (span("T1", ACME, ("tense", "past"), ("tense", "present")), span("T2", BRISK)))
    two = AnnotatedDocument("2", TEXT, (span("T1", ACME, ("tense", "past")), span("T2", BRISK, ("tense", "present"))))
    result = inferred(one, two)
    assert [document.gold.get("tense") for document in result.documents] == [
        None, (Attribute(ACME, "past"), Attribute(BRISK, "present")),
    ]  # fmt: skip
    assert line(result, "tense") == (
        "tense: attributes, of COMPANY, 1 spans with several values are unlabeled, 1 other spans of these labels are "
        "unlabeled (1 documents; past 1, present 1)"
    )


def test_an_attribute_with_the_key_of_a_span_or_of_a_similar_name_has_a_field_that_reads_it(tmp_path):
    documents = [
        AnnotatedDocument(
            str(number), TEXT, (span("T1", ACME, ("tense", "ab"[number % 2]), ("score", "cd"[number % 2])),
                                span("T2", BRISK, ("tenses", "ab"[number % 2])))
        )
        for number in range(4)
    ]  # fmt: skip
    FORMATS["brat"].save(documents, tmp_path / "data")
    task = init_task(tmp_path / "data", tmp_path / "task", dev=0, test=0).task
    assert [(each.name, each.labels) for each in task.attributes] == [
        ("tense", ("a", "b")), ("score_2", ("c", "d")), ("tenses", ("a", "b")),
    ]  # fmt: skip
    assert all(len(document.gold["score_2"]) == 1 for document in task.read("train"))


def records(*found: dict) -> str:
    return "".join(json.dumps(record) + "\n" for record in found)


def of_record(*places: Span) -> list[dict]:
    return [{"start": each.start, "end": each.end, "label": each.label} for each in places]


def test_relations_of_records_in_full_and_by_place_and_none(tmp_path):
    full = {"head": of_record(ANN)[0], "tail": of_record(ACME)[0], "label": "works_for"}
    path = write(tmp_path, "a.jsonl", records(
        {"text": TEXT, "names": of_record(ANN, ACME), "ties": [{"head": 0, "tail": 1, "label": "works_for"}]},
        {"text": TEXT, "names": of_record(ANN, ACME), "ties": [full, full]},
        {"text": TEXT, "names": of_record(ANN, ACME), "ties": []},
        {"text": TEXT, "names": of_record(ANN, ACME)},
    ))  # fmt: skip
    done = init_task(path, tmp_path / "task", dev=0, test=0)
    task = done.task
    assert task.anchored == (RelationField("ties", ("works_for",)),)
    assert any("between spans of names, 1 repeated ones count once" in line for line in done.assumptions)
    gold = [document.gold.get("ties") for document in task.read("train")]
    assert gold == [(GoldRelation(ANN, ACME, "works_for"),), (GoldRelation(ANN, ACME, "works_for"),), (), None]


def test_invalid_relations_of_records_are_errors(tmp_path):
    tie = {"head": 0, "tail": 7, "label": "works_for"}
    path = write(tmp_path, "a.jsonl", records({"text": TEXT, "names": of_record(ANN, ACME), "ties": [tie]}))
    with pytest.raises(UserError, match=r'a.jsonl:1: "ties" gives the place 7, and the record has 2 spans'):
        init_task(path, tmp_path / "task")
    both = {"text": TEXT, "names": of_record(ANN), "firms": of_record(ACME), "ties": [{**tie, "tail": 0}]}
    with pytest.raises(
        UserError, match=r'b.jsonl:1: "ties" gives the place of a span, and the record has 2 lists of spans'
    ):
        init_task(write(tmp_path, "b.jsonl", records(both, both)), tmp_path / "task")
    alone = {"text": TEXT, "topic": "x", "ties": [tie]}
    with pytest.raises(UserError, match=r'c.jsonl:1: "ties" gives the place 0, and the record has 0 spans'):
        init_task(write(tmp_path, "c.jsonl", records(alone, {**alone, "topic": "y"})), tmp_path / "c")
