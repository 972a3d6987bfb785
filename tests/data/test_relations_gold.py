"""Fields of relations in task.yaml, and relations in data files and records."""

from __future__ import annotations

import json

import pytest

from electra_ie.common.errors import UserError
from electra_ie.data.document import Relation, Span
from electra_ie.data.fields import RelationField
from electra_ie.data.in_memory import resolve
from electra_ie.data.readers import READERS
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.task import Task

NAMES = "  names: {kind: spans, labels: [PER, ORG]}\n"
ANN, ACME = Span(0, 3, "PER"), Span(13, 17, "ORG")
RECORD = {
    "text": "Ann works at Acme.",
    "names": [{"start": 0, "end": 3, "label": "PER"}, {"start": 13, "end": 17, "label": "ORG"}],
}


def task(folder, fields, format="jsonl", record=None):
    """A task with these fields and one record of train."""
    text = f"format: {format}\nfiles: {{train: train.jsonl}}\nfields:\n{fields}"
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    (folder / "train.jsonl").write_text(json.dumps(record or RECORD) + "\n", encoding="utf-8")
    return folder / "task.yaml"


def of(folder, relations, **changes):
    fields = NAMES + "  ties: {kind: relations, labels: [works_for, knows], symmetric: [knows]}\n"
    return Task.load(task(folder, fields, record={**RECORD, "ties": relations, **changes}))


def test_a_field_of_relations_is_apart_from_the_others(tmp_path):
    declared = "  ties: {kind: relations, labels: [works_for], between: [[PER, ORG]], from: links}\n"
    loaded = Task.load(task(tmp_path, declared + NAMES))
    assert [field.name for field in loaded.fields] == ["names"]
    assert loaded.relations == (RelationField("ties", ("works_for",), (("PER", "ORG"),), (), "links"),)
    assert Task.from_dict(loaded.as_dict(), "task.yaml").relations == loaded.relations


@pytest.mark.parametrize(
    ("fields", "line", "message"),
    [
        (
            "  ties: {kind: relations, labels: [a]}\n",
            4,
            "the field ties relates spans, and the task has no field of kind spans.",
        ),
        (NAMES + "  ties: {kind: relations, labels: a}\n", 5, "labels is 'a', not a list."),
        (NAMES + "  ties: {kind: relations}\n", 5, "labels is None, not a list."),
        (
            NAMES + "  ties: {kind: relations, labels: [no relation]}\n",
            5,
            '"no relation" cannot be a label of relations.',
        ),
        (
            NAMES + "  ties: {kind: relations, labels: [a], between: [[PER, ORX]]}\n",
            5,
            'no field of spans has the label "ORX". Did you mean "ORG"?',
        ),
        (
            NAMES + "  ties: {kind: relations, labels: [a], between: [PER, ORG]}\n",
            5,
            "between is ['PER', 'ORG'], not a list of pairs.",
        ),
        (NAMES + "  ties: {kind: relations, labels: [a], symmetric: [b]}\n", 5, 'there is no label "b".'),
        (NAMES + "  ties: {kind: relations, labels: [a], symmetric: a}\n", 5, "symmetric is 'a', not a list of"),
        (
            NAMES + "  ties: {kind: relations, labels: [a], overlaps: count}\n",
            5,
            'unknown key "overlaps" in fields.ties.',
        ),
        (NAMES + "  ties: {kind: relations, labels: [a], from: 3}\n", 5, "from is 3, not text."),
        (
            NAMES + "  ties: {kind: relation, labels: [a]}\n",
            5,
            'there is no kind "relation". Did you mean "relations"?',
        ),
    ],
)
def test_errors_in_a_declaration_name_the_line(tmp_path, fields, line, message):
    file = task(tmp_path, fields)
    with pytest.raises(UserError) as error:
        Task.load(file)
    expected = message.removesuffix(" of")
    assert str(error.value).startswith(f"{file}:{line}: {expected}")


def test_relations_are_read_by_place_and_by_span(tmp_path):
    (document,) = of(
        tmp_path, [{"head": 0, "tail": {"start": 13, "end": 17, "label": "ORG"}, "label": "works_for"}]
    ).read("train")
    assert document.gold["ties"] == (Relation(ANN, ACME, "works_for"),)
    (document,) = of(tmp_path, [{"head": 1, "tail": 0, "label": "knows"}] * 2).read("train")
    assert document.gold["ties"] == (Relation(ANN, ACME, "knows"),)
    (document,) = of(tmp_path, None).read("train")
    assert "ties" not in document.gold


def test_a_written_record_is_read_again(tmp_path):
    before = of(tmp_path, [{"head": 0, "tail": 1, "label": "works_for"}])
    (document,) = before.read("train")
    written = record_of(document, before.all_fields)
    assert of(tmp_path, written["ties"], id="train-1").read("train") == [document]


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ([{"head": 0, "tail": 2, "label": "knows"}], '"ties" gives the place 2, and "names" has 2 spans.'),
        ([{"head": 0, "tail": 0, "label": "knows"}], "a relation of ties has PER 0 to 3 as head and as tail."),
        ([{"head": 0, "tail": 1, "label": "hates"}], 'the field ties has no label "hates".'),
        (
            [{"head": 0, "label": "knows"}],
            '"ties" contains {"head": 0, "label": "knows"}. It must be a list of objects',
        ),
        (
            [{"head": 0, "tail": {"start": 4, "end": 9, "label": "PER"}, "label": "knows"}],
            "the tail of a relation of ties is PER 4 to 9, not a span.",
        ),
        ([{"head": "Ann", "tail": 1, "label": "knows"}], '"ties" contains "Ann". It must be a list of objects'),
        ({"head": 0}, '"ties" contains {"head": 0}. It must be a list of objects'),
    ],
)
def test_errors_in_relations_name_the_line(tmp_path, relations, message):
    loaded = of(tmp_path, relations)
    with pytest.raises(UserError) as error:
        loaded.read("train")
    assert f"train.jsonl:1: {message}" in str(error.value)


def test_a_place_is_ambiguous_with_two_fields_of_spans(tmp_path):
    fields = NAMES + "  places: {kind: spans, labels: [CITY]}\n  ties: {kind: relations, labels: [a]}\n"
    loaded = Task.load(task(tmp_path, fields, record={**RECORD, "ties": [{"head": 0, "tail": 1, "label": "a"}]}))
    with pytest.raises(UserError, match='"ties" gives the place of a span, and the task has 2 fields of spans'):
        loaded.read("train")


PARTS = (
    "  p: {kind: spans, labels: [PART]}\n"
    "  q: {kind: spans, labels: [PART, SIDE], scheme: tracks, fragments: true}\n"
    "  ties: {kind: relations, labels: [has]}\n"
)
DIVIDED = {"start": 0, "end": 21, "label": "PART", "fragments": [[0, 4], [15, 21]]}
SIDE = {"start": 0, "end": 4, "label": "SIDE"}


def parts(folder, head):
    """A task in which two fields share a label, and one of them has fragments; the head of a relation is given."""
    tie = {"head": head, "tail": SIDE, "label": "has"}
    record = {"text": "left and right atrium", "p": [], "q": [DIVIDED, SIDE], "ties": [tie]}
    return Task.load(task(folder, PARTS, record=record))


def test_a_head_of_several_fragments_is_one_of_the_field_that_has_them(tmp_path):
    (document,) = parts(tmp_path, DIVIDED).read("train")
    assert document.gold["ties"] == (Relation(Span(0, 21, "PART", ((0, 4), (15, 21))), Span(0, 4, "SIDE"), "has"),)


def test_a_head_without_its_fragments_is_named_with_them(tmp_path):
    loaded = parts(tmp_path, {key: value for key, value in DIVIDED.items() if key != "fragments"})
    message = (
        r'PART 0 to 21, not a span. The span there has fragments: give it "fragments": \[\[0, 4\], \[15, 21\]\], too'
    )
    with pytest.raises(UserError, match=message):
        loaded.read("train")


BRAT = "T1\tPER 0 3\tAnn\nT2\tORG 13 17\tAcme\nR1\tworks_for Arg1:T1 Arg2:T2\n"


@pytest.mark.parametrize("arguments", ["Arg1:T1 Arg2:T2", "Arg2:T2 Arg1:T1"])
def test_brat_relations_are_gold_of_a_field_of_relations(tmp_path, arguments):
    (tmp_path / "a.txt").write_text("Ann works at Acme.", encoding="utf-8")
    (tmp_path / "a.ann").write_text(BRAT.replace("Arg1:T1 Arg2:T2", arguments), encoding="utf-8")
    fields = Task.load(task(tmp_path, NAMES + "  ties: {kind: relations, labels: [works_for]}\n")).all_fields
    (document,) = READERS["brat"].read(tmp_path, fields)
    assert document.gold == {"names": (ANN, ACME), "ties": (Relation(ANN, ACME, "works_for"),)}


def test_unknown_and_unreadable_brat_relations_are_not_silent(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("Ann works at Acme.", encoding="utf-8")
    (tmp_path / "a.ann").write_text(BRAT, encoding="utf-8")
    fields = Task.load(task(tmp_path, NAMES + "  ties: {kind: relations, labels: [works_fo]}\n")).all_fields
    with pytest.raises(UserError, match=r'a\.ann:3: no field has the relation "works_for". Did you mean "works_fo"\?'):
        list(READERS["brat"].read(tmp_path, fields))
    (document,) = READERS["brat"].read(tmp_path, fields, {"ignore": ["works_for"]})
    assert document.gold["ties"] == ()
    # The head is left out, and with it the relation, which is counted.
    only = Task.load(
        task(tmp_path, "  names: {kind: spans, labels: [ORG]}\n  ties: {kind: relations, labels: [works_for]}\n")
    )
    (document,) = READERS["brat"].read(tmp_path, only.all_fields, {"ignore": ["PER"]})
    assert document.gold["ties"] == ()
    assert "1 relations of other than two spans that are read" in capsys.readouterr().err


def test_records_in_memory_have_relations_with_collected_labels():
    records = [{**RECORD, "ties": [{"head": 0, "tail": 1, "label": "works_for"}]}]
    fields = {"names": {"kind": "spans"}, "ties": {"kind": "relations"}}
    loaded, _ = resolve(records, None, (), fields=fields)
    assert loaded.relations[0].labels == ("works_for",)
    assert loaded.read("train")[0].gold["ties"] == (Relation(ANN, ACME, "works_for"),)


def test_a_table_cannot_hold_relations(tmp_path):
    fields = NAMES + "  ties: {kind: relations, labels: [a]}\n"
    with pytest.raises(UserError, match="cannot express the field names of kind spans"):
        Task.load(task(tmp_path, fields, format="csv"))
