"""Records of spans with attributes: an attribute as a field, and filters by attributes."""

from __future__ import annotations

import json

import asserted
import pytest
import tiny
from command_line import command
from recorded import values

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.document import Attribute, Document, Span
from electra_ie.data.task import Task
from electra_ie.records.grouping import RecordMaker
from electra_ie.records.scoring import score_records
from electra_ie.records.writing import as_dict, row

HEAD = """\
format: jsonl
files: {train: train.jsonl}
fields:
  topic: {kind: flags, labels: [acute]}
  entities: {kind: spans, labels: [CONDITION, DRUG]}
  assertion: {kind: attributes, labels: [present, negated, historical], of: [CONDITION], default: present}
record:
"""
FILTERED = """\
  fields:
    condition: {from: CONDITION, only: {assertion: present}}
    earlier: {from: CONDITION, only: {assertion: [historical, negated]}}
    drugs: {from: DRUG}
"""
ANCHORED = """\
  anchor: CONDITION
  only: {assertion: [present, historical]}
  fields:
    condition: {from: CONDITION}
    status: {from: CONDITION, attribute: assertion}
    drugs: {from: DRUG}
    topic: {from: topic}
"""
TEXT = "No fever, asthma as a child on Ardenol, rash."
FEVER, ASTHMA, DRUG, RASH = (
    Span(3, 8, "CONDITION"), Span(10, 16, "CONDITION"), Span(31, 38, "DRUG"), Span(40, 44, "CONDITION"),
)  # fmt: skip
SAID = {FEVER: "negated", ASTHMA: "historical", RASH: "present"}


def task(folder, record):
    (folder / "task.yaml").write_text(HEAD + record, encoding="utf-8")
    return Task.load(folder / "task.yaml")


def line(said=SAID):
    """A line of `extract` in which the conditions have these attributes."""
    findings = [
        {
            "field": "entities", "label": span.label, "start": span.start, "end": span.end,
            "text": TEXT[span.start : span.end], "score": 0.9,
            "attributes": {"assertion": {"label": said[span], "score": 0.8}} if span in said else {},
        }
        for span in (FEVER, ASTHMA, DRUG, RASH)
    ]  # fmt: skip
    flag = {"field": "topic", "label": "acute", "start": 0, "end": len(TEXT), "window": 1, "score": 0.7}
    of_text = {"id": "a", "file": "", "characters": len(TEXT), "windows": 1, "model": "m", "version": "0"}
    return {**of_text, "findings": [*findings, flag]}


def test_a_field_takes_only_the_spans_with_these_attributes(tmp_path):
    maker = RecordMaker(task(tmp_path, FILTERED))
    (record,) = maker.of_findings(line())
    assert values(record) == {"condition": ["rash"], "earlier": ["fever", "asthma"], "drugs": ["Ardenol"]}
    assert maker.count_outside(line(), [record]) == 0
    (record,) = maker.of_findings(line({}))
    assert values(record) == {"condition": [], "earlier": [], "drugs": ["Ardenol"]}
    assert maker.count_outside(line({}), [record]) == 0


def test_anchors_that_are_left_out_have_no_record_and_keep_what_is_theirs(tmp_path):
    maker = RecordMaker(task(tmp_path, ANCHORED))
    records = maker.of_findings(line())
    assert [values(record) for record in records] == [
        {"condition": ["asthma"], "status": ["historical"], "drugs": [], "topic": ["acute"]},
        {"condition": ["rash"], "status": ["present"], "drugs": ["Ardenol"], "topic": ["acute"]},
    ]
    assert maker.count_outside(line(), records) == 0
    negated = {**SAID, RASH: "negated"}
    (record,) = maker.of_findings(line(negated))
    assert (values(record)["condition"], values(record)["drugs"]) == (["asthma"], [])
    assert maker.count_outside(line(negated), [record]) == 1, "the drug is the nearest to a condition without a record"


def test_the_label_of_an_attribute_has_the_place_of_its_span(tmp_path):
    record = RecordMaker(task(tmp_path, ANCHORED)).of_findings(line())[0]
    (status,) = as_dict(record)["fields"]["status"]
    assert (status["value"], status["text"], status["start"], status["end"]) == ("historical", "asthma", 10, 16)
    assert (status["label"], status["score"]) == ("CONDITION", 0.72)
    assert row(record)["status"] == "historical"


def test_gold_records_are_made_by_the_same_rules(tmp_path):
    loaded = task(tmp_path, ANCHORED)
    maker = RecordMaker(loaded)
    gold = {
        "entities": (FEVER, ASTHMA, DRUG, RASH), "topic": ("acute",),
        "assertion": tuple(Attribute(span, label) for span, label in SAID.items()),
    }  # fmt: skip
    documents = [Document("a", TEXT, gold), Document("b", TEXT, {**gold, "assertion": ()})]
    del documents[1].gold["assertion"]
    records = [maker.of_gold(document, loaded) for document in documents]
    assert [values(record) for record in records[0]] == [values(record) for record in maker.of_findings(line())]
    assert records[1] == []
    found = [maker.of_findings(line())] * 2
    scores = score_records(maker.plan, [document.gold.keys() for document in documents], records, found)
    assert (scores["whole"]["f1"], scores["whole"]["documents"]) == (1, 1)
    assert {each["documents"] for each in scores["fields"].values()} == {1}, "each depends on the attribute"


@pytest.mark.parametrize(
    ("record", "line", "message"),
    [
        (FILTERED.replace("only: {assertion: present}", "only: {asertion: present}"), 9,
         'spans CONDITION have no field of attributes "asertion". Did you mean "assertion"?'),
        (FILTERED.replace("assertion: present}", "assertion: presnt}"), 9, 'assertion has no label "presnt".'),
        (FILTERED.replace("only: {assertion: present}", "only: present"), 9, "record.fields.condition.only must be a mapping."),
        (FILTERED.replace("{from: DRUG}", "{from: DRUG, only: {assertion: present}}"), 11,
         'spans DRUG have no field of attributes "assertion". Use it with spans that have attributes.'),
        (ANCHORED.replace("attribute: assertion", "attribute: assertions"), 12,
         'spans CONDITION have no field of attributes "assertions". Did you mean "assertion"?'),
        (ANCHORED.replace("attribute: assertion", "attribute: assertion, type: date"), 12,
         "the field status is filled by labels of spans, which are no date."),
        (ANCHORED.replace("{from: topic}", "{from: topic, attribute: assertion}"), 14,
         'labels of whole texts have no field of attributes "assertion".'),
        (ANCHORED.replace("  anchor: CONDITION\n", ""), 8, "only needs an anchor."),
    ],
)  # fmt: skip
def test_errors_in_a_plan_name_the_line(tmp_path, record, line, message):
    with pytest.raises(UserError) as error:
        task(tmp_path, record)
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}:{line}: {message}")


@pytest.mark.slow
def test_a_run_writes_and_scores_records_by_attributes(encoder, tmp_path, monkeypatch):
    splits = asserted.data()
    for split, records in splits.items():
        content = "".join(json.dumps(each) + "\n" for each in records)
        (tmp_path / f"{split}.jsonl").write_text(content, encoding="utf-8")
    record = {"fields": {"present": {"from": "person", "only": {"assertion": "present"}}}}
    mapping = {
        "format": "jsonl", "files": {split: f"{split}.jsonl" for split in splits}, "fields": asserted.FIELDS,
        "record": record,
    }  # fmt: skip
    (tmp_path / "task.yaml").write_text(json.dumps(mapping), encoding="utf-8")
    settings = {**tiny.settings(encoder("bert"), "supervised"), "head_learning_rate": 2e-2, "max_steps": 60}
    run = electra_ie.train(tmp_path / "task.yaml", tmp_path / "run", **{**settings, "num_evaluations": 1}).path
    assert electra_ie.evaluate(run, "dev").records["whole"]["documents"] == 10
    (tmp_path / "inbox.txt").write_text(asserted.records(3, 7)[2]["text"], encoding="utf-8")
    arguments = ("--output", tmp_path / "out.jsonl", "--records", tmp_path / "records.jsonl")
    assert command(monkeypatch, "extract", run, tmp_path / "inbox.txt", *arguments) == 0
    found = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["findings"]
    present = [each["text"] for each in found if each["attributes"].get("assertion", {}).get("label") == "present"]
    (made,) = json.loads((tmp_path / "records.jsonl").read_text("utf-8"))["records"]
    assert [each["text"] for each in made["fields"]["present"]] == present
