"""Records made of findings: their declaration, grouping, values, files and scores."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil

import pytest
import yaml
from command_line import command
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from recorded import values

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.declaration.record_plan import columns
from electra_ie.data.document import Document, Relation, Span
from electra_ie.data.task import Task
from electra_ie.inference.jobs.own_files import is_own
from electra_ie.records import writing
from electra_ie.records.grouping import RecordMaker
from electra_ie.records.scoring import score_records
from electra_ie.records.writing import Written, as_dict, row, write_records
from electra_ie.runs.model_card import model_card

HEAD = """\
format: jsonl
files: {train: train.jsonl}
fields:
  risk: {kind: flags, labels: [fraud, error]}
  entities: {kind: spans, labels: [PAYER, AMOUNT, DAY]}
  ties: {kind: relations, labels: [pays]}
record:
"""
PLAIN = """\
  locale: en_GB
  date_order: DMY
  fields:
    payer: {from: PAYER}
    amount: {from: AMOUNT, type: money}
    day: {from: entities.DAY, type: date}
    risks: {from: risk}
"""
TEXT = "Ann paid £10 on 03/04/2021. Bo paid £1.2 million."
SPANS = {
    "Ann": Span(0, 3, "PAYER"), "£10": Span(9, 12, "AMOUNT"), "day": Span(16, 26, "DAY"), "Bo": Span(28, 30, "PAYER"),
    "£1.2m": Span(36, 48, "AMOUNT"),
}  # fmt: skip
LINKS = (Relation(SPANS["Ann"], SPANS["£1.2m"], "pays"), Relation(SPANS["Bo"], SPANS["£10"], "pays"))


def task(folder, record=PLAIN, head=HEAD):
    (folder / "task.yaml").write_text(head + record, encoding="utf-8")
    return Task.load(folder / "task.yaml")


def finding(span, score=0.9):
    text = TEXT[span.start : span.end]
    return {
        "field": "entities",
        "label": span.label,
        "start": span.start,
        "end": span.end,
        "text": text,
        "score": score,
    }


def line(*names, flags=("fraud",), links=()):
    """A line of `extract` with these spans, flags and relations."""
    about = [
        {"field": "risk", "label": flag, "start": 0, "end": len(TEXT), "window": 1, "score": 0.8} for flag in flags
    ]
    ties = [
        {"field": "ties", "label": each.label, "head": finding(each.head), "tail": finding(each.tail), "score": 0.5}
        for each in links
    ]
    return {
        "id": "a",
        "file": "a.txt",
        "characters": len(TEXT),
        "windows": 1,
        "model": "m",
        "version": "0",
        "findings": [finding(SPANS[name]) for name in names] + about,
        "relations": ties,
    }


def test_a_text_has_one_record_and_conflicts_are_kept(tmp_path):
    (record,) = RecordMaker(task(tmp_path)).of_findings(line(*SPANS))
    assert values(record) == {
        "payer": ["Ann", "Bo"],
        "amount": ["10 GBP", "1200000 GBP"],
        "day": ["2021-04-03"],
        "risks": ["fraud"],
    }
    assert record.conflicts == ["payer", "amount"]
    risk = as_dict(record)["fields"]["risks"][0]
    assert (risk["value"], risk["label"], risk["text"], risk["start"], risk["end"]) == ("fraud",) * 2 + (
        None,
        0,
        len(TEXT),
    )
    amount = as_dict(record)["fields"]["amount"][1]
    assert (amount["value"], amount["currency"], amount["text"], amount["start"]) == (
        "1200000",
        "GBP",
        "£1.2 million",
        36,
    )


def test_a_date_without_an_order_is_ambiguous_and_has_no_value(tmp_path):
    (record,) = RecordMaker(task(tmp_path, PLAIN.replace("  date_order: DMY\n", ""))).of_findings(line("day"))
    (entry,) = record.entries["day"]
    assert (entry.value.status, entry.value.value) == ("ambiguous", None)
    assert as_dict(record)["fields"]["day"][0]["candidates"]
    assert row(record)["day"] == ""
    assert (row(record)["day_status"], row(record)["day_text"]) == ("ambiguous", "03/04/2021")
    assert row(record)["day_reason"] == "day and month may change places: set the date order"


def test_several_flags_and_a_field_with_many_values_are_no_conflict(tmp_path):
    plan = PLAIN.replace("{from: PAYER}", "{from: PAYER, many: true}").replace(
        "{from: risk}", "{from: risk, many: false}"
    )
    both = line(*SPANS, flags=("fraud", "error"))
    (record,) = RecordMaker(task(tmp_path)).of_findings(both)
    assert (values(record)["risks"], record.conflicts) == (["fraud", "error"], ["payer", "amount"])
    (record,) = RecordMaker(task(tmp_path, plan)).of_findings(both)
    assert record.conflicts == ["amount", "risks"]


def test_settings_of_a_field_come_before_those_of_the_record(tmp_path):
    plan = PLAIN.replace("type: date", "type: date, date_order: MDY")
    (record,) = RecordMaker(task(tmp_path, plan)).of_findings(line("day"))
    assert values(record)["day"] == ["2021-03-04"]


def test_spans_join_the_record_of_the_nearest_anchor(tmp_path):
    records = RecordMaker(task(tmp_path, "  anchor: AMOUNT\n" + PLAIN)).of_findings(line(*SPANS))
    assert [values(record) for record in records] == [
        {"payer": ["Ann"], "amount": ["10 GBP"], "day": ["2021-04-03"], "risks": ["fraud"]},
        {"payer": ["Bo"], "amount": ["1200000 GBP"], "day": [], "risks": ["fraud"]},
    ]
    assert not any(record.conflicts for record in records)


def test_spans_join_a_record_by_their_relation_only(tmp_path):
    maker = RecordMaker(task(tmp_path, "  anchor: AMOUNT\n  relation: ties\n" + PLAIN))
    records = maker.of_findings(line(*SPANS, links=LINKS))
    assert [values(record) for record in records] == [
        {"payer": ["Bo"], "amount": ["10 GBP"], "day": [], "risks": ["fraud"]},
        {"payer": ["Ann"], "amount": ["1200000 GBP"], "day": [], "risks": ["fraud"]},
    ]


def test_gold_makes_the_same_records_as_findings(tmp_path):
    for plan in (PLAIN, "  anchor: AMOUNT\n" + PLAIN, "  anchor: AMOUNT\n  relation: ties\n" + PLAIN):
        loaded = task(tmp_path, plan)
        maker = RecordMaker(loaded)
        document = Document("a", TEXT, {"entities": tuple(SPANS.values()), "risk": ("fraud",), "ties": LINKS})
        gold = maker.of_gold(document, loaded)
        found = maker.of_findings(line(*SPANS, links=LINKS))
        assert [values(record) for record in gold] == [values(record) for record in found]
        scores = score_records(maker.plan, [document.gold], [gold], [found])
        assert scores["whole"]["f1"] == 1
        assert all(of_field["f1"] in (1, None) for of_field in scores["fields"].values())


def test_the_value_of_a_span_with_fragments_is_read_from_these(tmp_path):
    text = "Ann paid EUR 3 or 5 million."
    one, two = Span(9, 14, "AMOUNT"), Span(9, 27, "AMOUNT", ((9, 12), (18, 27)))
    loaded = task(tmp_path)
    maker = RecordMaker(loaded)
    (of_gold,) = maker.of_gold(Document("a", text, {"entities": (one, two)}), loaded)
    found = [
        {"field": "entities", "label": each.label, "start": each.start, "end": each.end, "score": 0.9,
         "text": text[each.start : each.end], **({"fragments": [list(pair) for pair in each.fragments]} if each.fragments else {})}
        for each in (one, two)
    ]  # fmt: skip
    (of_findings,) = maker.of_findings({**line(flags=()), "findings": found})
    assert values(of_gold)["amount"] == values(of_findings)["amount"] == ["3 EUR", "5000000 EUR"]
    entry = as_dict(of_findings)["fields"]["amount"][1]
    assert (entry["text"], entry["fragments"]) == ("EUR 5 million", [[9, 12], [18, 27]])


def test_two_relations_of_a_pair_put_a_passage_once_into_a_record(tmp_path):
    loaded = task(tmp_path, "  anchor: AMOUNT\n  relation: ties\n" + PLAIN, HEAD.replace("[pays]", "[pays, sends]"))
    maker = RecordMaker(loaded)
    ties = (Relation(SPANS["Ann"], SPANS["£10"], "pays"), Relation(SPANS["Ann"], SPANS["£10"], "sends"))
    gold = maker.of_gold(Document("a", TEXT, {"entities": (SPANS["Ann"], SPANS["£10"]), "ties": ties}), loaded)
    for records in (gold, maker.of_findings(line("Ann", "£10", flags=(), links=ties))):
        assert [values(record)["payer"] for record in records] == [["Ann"]]


def test_the_label_of_the_relation_decides_which_field_a_span_fills(tmp_path):
    plan = (
        "  anchor: AMOUNT\n  relation: ties\n  fields:\n    payer: {from: PAYER, only: {ties: pays}}\n"
        "    payee: {from: PAYER, only: {ties: [gets, keeps]}}\n    any: {from: PAYER}\n"
    )
    loaded = task(tmp_path, plan, HEAD.replace("[pays]", "[pays, gets, keeps]"))
    maker = RecordMaker(loaded)
    # The direction means nothing, and a span may have another role in the record of another anchor.
    ties = (
        Relation(SPANS["Ann"], SPANS["£10"], "pays"), Relation(SPANS["£10"], SPANS["Bo"], "gets"),
        Relation(SPANS["Bo"], SPANS["£1.2m"], "pays"), Relation(SPANS["Ann"], SPANS["£1.2m"], "keeps"),
    )  # fmt: skip
    spans = ("Ann", "£10", "Bo", "£1.2m")
    gold = maker.of_gold(Document("a", TEXT, {"entities": tuple(map(SPANS.get, spans)), "ties": ties}), loaded)
    for records in (gold, maker.of_findings(line(*spans, flags=(), links=ties))):
        assert [values(record) for record in records] == [
            {"payer": ["Ann"], "payee": ["Bo"], "any": ["Ann", "Bo"]},
            {"payer": ["Bo"], "payee": ["Ann"], "any": ["Ann", "Bo"]},
        ]
    again = Task.from_dict(yaml.safe_load(yaml.safe_dump(loaded.as_dict(), sort_keys=False)), tmp_path / "run.yaml")
    assert again.record == loaded.record
    assert loaded.record.sources(loaded.record.fields[:1]) == {"entities", "ties"}


@pytest.mark.parametrize(("record", "line_number", "message"), [
    ("  fields:\n    payer: {from: PAYER, only: {ties: pays}}\n", 9, "PAYER is not joined to an anchor by the relations ties. Set anchor, and"),
    ("  anchor: AMOUNT\n  fields:\n    payer: {from: PAYER, only: {ties: pays}}\n", 10, "PAYER is not joined to an anchor"),
    ("  anchor: AMOUNT\n  relation: ties\n  fields:\n    sum: {from: AMOUNT, only: {ties: pays}}\n", 11, "AMOUNT is not joined to an anchor"),
    ("  anchor: AMOUNT\n  relation: ties\n  fields:\n    risks: {from: risk, only: {ties: pays}}\n", 11, "risk is not joined to an anchor"),
    ("  anchor: AMOUNT\n  relation: ties\n  fields:\n    payer: {from: PAYER, only: {ties: pay}}\n", 11,
     'ties has no label "pay". Did you mean "pays"?'),
    ("  anchor: AMOUNT\n  relation: ties\n  fields:\n    payer: {from: PAYER, only: {tie: pays}}\n", 11,
     'spans PAYER have no field of attributes "tie".'),
    ("  anchor: AMOUNT\n  relation: ties\n  fields:\n    payer: {from: PAYER, only: [ties]}\n", 11, "only"),
])  # fmt: skip
def test_labels_of_relations_are_those_to_an_anchor(tmp_path, record, line_number, message):
    with pytest.raises(UserError) as error:
        task(tmp_path, record)
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}:{line_number}: ")
    assert message in str(error.value)


def test_a_relation_links_the_spans_of_all_fields_with_the_label(tmp_path):
    head = HEAD.replace("  ties", "  others: {kind: spans, labels: [PAYER]}\n  ties")
    plan = "  anchor: AMOUNT\n  relation: ties\n  fields:\n    one: {from: entities.PAYER}\n    two: {from: others.PAYER}\n"
    loaded = task(tmp_path, plan, head)
    spans = {"entities": (SPANS["Ann"], SPANS["£10"]), "others": (SPANS["Ann"],)}
    ties = (Relation(SPANS["Ann"], SPANS["£10"], "pays"),)
    (record,) = RecordMaker(loaded).of_gold(Document("a", TEXT, {**spans, "ties": ties}), loaded)
    assert values(record) == {"one": ["Ann"], "two": ["Ann"]}


def test_a_value_is_right_with_its_unit_and_wherever_it_stands(tmp_path):
    loaded = task(tmp_path)
    maker = RecordMaker(loaded)
    gold = maker.of_gold(Document("a", TEXT, {"entities": (SPANS["Ann"], SPANS["£10"]), "risk": ()}), loaded)
    found = maker.of_findings(
        {**line(flags=()), "findings": [finding(SPANS["Ann"]), {**finding(SPANS["£1.2m"]), "text": "GBP 10"}]}
    )
    scores = score_records(maker.plan, [("entities", "risk")], [gold], [found])
    assert scores["fields"]["amount"]["f1"] == scores["whole"]["f1"] == 1
    wrong = maker.of_findings(
        {**line(flags=()), "findings": [finding(SPANS["Ann"]), {**finding(SPANS["£10"]), "text": "EUR 10"}]}
    )
    scores = score_records(maker.plan, [("entities", "risk")], [gold], [wrong])
    assert (scores["fields"]["payer"]["f1"], scores["fields"]["amount"]["f1"], scores["whole"]["f1"]) == (1, 0, 0)


def scores_of(folder, record, documents):
    """The scores of records of which the findings are all of `line`, in each document."""
    loaded = task(folder, record)
    maker = RecordMaker(loaded)
    gold = [maker.of_gold(document, loaded) for document in documents]
    found = [maker.of_findings(line(*SPANS, links=LINKS))] * len(documents)
    return score_records(maker.plan, [document.gold for document in documents], gold, found)


def test_a_field_is_scored_on_the_texts_with_gold_for_it(tmp_path):
    spans, risk = {"entities": tuple(SPANS.values())}, {"risk": ("fraud",)}
    documents = [Document(str(number), TEXT, gold) for number, gold in enumerate([{}, spans, risk, spans | risk])]
    scores = scores_of(tmp_path, PLAIN, documents)
    assert {name: each["documents"] for name, each in scores["fields"].items()} == {
        "payer": 2,
        "amount": 2,
        "day": 2,
        "risks": 2,
    }
    assert all(each["precision"] == each["recall"] == 1 for each in scores["fields"].values())
    assert (scores["whole"]["documents"], scores["whole"]["found"], scores["whole"]["f1"]) == (1, 1, 1)


def test_a_field_is_scored_on_the_texts_with_gold_for_the_anchor_and_the_relations(tmp_path):
    spans, risk, ties = {"entities": tuple(SPANS.values())}, {"risk": ("fraud",)}, {"ties": LINKS}
    golds = [risk, spans | risk, spans | risk | ties]
    documents = [Document(str(number), TEXT, gold) for number, gold in enumerate(golds)]
    scores = scores_of(tmp_path, "  anchor: AMOUNT\n  relation: ties\n" + PLAIN, documents)
    counts = {name: each["documents"] for name, each in scores["fields"].items()}
    assert counts == {"payer": 1, "amount": 2, "day": 1, "risks": 2}
    assert all(each["precision"] in (1, None) for each in (*scores["fields"].values(), scores["whole"]))
    assert (scores["whole"]["documents"], scores["whole"]["support"]) == (1, 2)


def test_a_record_without_values_is_not_a_right_one(tmp_path):
    loaded = task(tmp_path)
    maker = RecordMaker(loaded)
    empty = maker.of_gold(Document("a", TEXT, {"entities": (), "risk": ()}), loaded)
    found = maker.of_findings(line("Ann"))
    labeled = [("entities", "risk")] * 3
    whole = score_records(maker.plan, labeled, [empty, empty, found], [empty, found, empty])["whole"]
    assert (whole["documents"], whole["support"], whole["found"], whole["false"]) == (3, 1, 1, 1)
    assert whole["f1"] == 0


def test_values_that_are_ambiguous_are_counted_beside_the_scores(tmp_path):
    loaded = task(tmp_path, PLAIN.replace("  date_order: DMY\n", ""))
    maker = RecordMaker(loaded)
    found = maker.of_findings(line(*SPANS))
    fields = score_records(maker.plan, [("entities", "risk")], [found], [found])["fields"]
    assert (fields["day"]["f1"], fields["day"]["without_value"]) == (1, {"support": 1, "found": 1})
    assert fields["amount"]["without_value"] == {"support": 0, "found": 0}


def test_records_are_written_in_each_format(tmp_path):
    import pyarrow.parquet

    findings = tmp_path / "findings.jsonl"
    findings.write_text("".join(json.dumps(each) + "\n" for each in (line(*SPANS), line(flags=()))), encoding="utf-8")
    maker = RecordMaker(task(tmp_path))
    names = [field.name for field in maker.plan.fields]
    for ending in ("jsonl", "csv", "parquet"):
        assert write_records(maker, findings, tmp_path / f"r.{ending}") == Written(records=2)
    first, second = map(json.loads, (tmp_path / "r.jsonl").read_text("utf-8").splitlines())
    assert first["records"][0]["conflicts"] == ["payer", "amount"]
    assert second["records"][0]["fields"] == {name: [] for name in names}
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == columns(maker.plan.fields)
    assert not any(name.endswith("_fragments") for name in rows[0])
    assert (rows[0]["amount"], rows[0]["amount_status"], rows[0]["day"]) == (
        "10 | 1200000",
        "normalized | normalized",
        "2021-04-03",
    )
    assert (rows[0]["conflicts"], rows[0]["amount_unit"], rows[0]["risks_text"]) == ("payer | amount", "GBP | GBP", "")
    written = first["records"][0]["fields"]["amount"]
    for cell in ("rule", "version", "text", "status"):
        assert rows[0][f"amount_{cell}"].split(" | ") == [entry[cell] for entry in written]
    table = pyarrow.parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert table[0] == {name: 1 if name == "record" else cell for name, cell in rows[0].items()}
    assert table[0]["record"] == 1


def test_parquet_is_written_in_groups_of_rows(tmp_path, monkeypatch):
    import pyarrow.parquet

    monkeypatch.setattr(writing, "ROWS", 2)
    findings = tmp_path / "findings.jsonl"
    findings.write_text((json.dumps(line(*SPANS)) + "\n") * 5, encoding="utf-8")
    write_records(RecordMaker(task(tmp_path)), findings, tmp_path / "r.parquet")
    file = pyarrow.parquet.ParquetFile(tmp_path / "r.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [2, 2, 1]
    assert file.read().column("amount").to_pylist() == ["10 | 1200000"] * 5


def test_tables_have_the_fragments_of_fields_that_may_have_them(tmp_path):
    import pyarrow.parquet

    text = "Ann paid EUR 3 or 5 million."
    head = HEAD.replace("DAY]}", "DAY], scheme: levels, fragments: true}")
    one, two = Span(9, 14, "AMOUNT"), Span(9, 27, "AMOUNT", ((9, 12), (18, 27)))
    found = [{**finding(each), "text": text[each.start : each.end]} for each in (Span(0, 3, "PAYER"), one, two)]
    found[-1]["fragments"] = [[9, 12], [18, 27]]
    findings = tmp_path / "findings.jsonl"
    findings.write_text(json.dumps({**line(flags=()), "findings": found}) + "\n", encoding="utf-8")
    for ending in ("csv", "parquet"):
        write_records(RecordMaker(task(tmp_path, head=head)), findings, tmp_path / f"r.{ending}")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["amount_text"], row["amount_fragments"]) == ("EUR 3 | EUR 5 million", " | 9 12;18 27")
    assert (row["payer_fragments"], row["day_fragments"]) == ("", "")
    assert "risks_fragments" not in row
    (of_parquet,) = pyarrow.parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert of_parquet["amount_fragments"] == " | 9 12;18 27"
    assert list(of_parquet) == list(row)


def test_the_column_of_fragments_cannot_be_that_of_another_field(tmp_path):
    fields = "  fields:\n    who: {from: PAYER}\n    who_fragments: {from: AMOUNT}\n"
    assert len(task(tmp_path, fields).record.fields) == 2
    head = HEAD.replace("DAY]}", "DAY], scheme: levels, fragments: true}")
    with pytest.raises(UserError, match='tables of records would have two columns "who_fragments"'):
        task(tmp_path, fields, head)


@pytest.mark.parametrize(
    ("plan", "names", "written"),
    [
        (PLAIN, SPANS, Written(1, 0)),
        ("  anchor: AMOUNT\n" + PLAIN, SPANS, Written(2, 0)),
        # Two payers and a day without an anchor, and a label of the whole text.
        ("  anchor: AMOUNT\n" + PLAIN, ("Ann", "day", "Bo"), Written(0, 4)),
        # Only the payers are related to an amount.
        ("  anchor: AMOUNT\n  relation: ties\n" + PLAIN, SPANS, Written(2, 1)),
        # A day fills no field of the record.
        ("  anchor: AMOUNT\n  fields:\n    payer: {from: PAYER}\n", ("day", "Bo"), Written(0, 1)),
    ],
)
def test_findings_in_no_record_are_counted(tmp_path, plan, names, written):
    findings = tmp_path / "findings.jsonl"
    findings.write_text(json.dumps(line(*names, links=LINKS)) + "\n", encoding="utf-8")
    for ending in ("jsonl", "csv", "parquet"):
        assert write_records(RecordMaker(task(tmp_path, plan)), findings, tmp_path / f"r.{ending}") == written


def test_no_cell_is_a_formula(tmp_path):
    loaded = task(tmp_path)
    dangerous = {**line(flags=()), "findings": [{**finding(SPANS["Ann"]), "text": "=HYPERLINK()"}]}
    (tmp_path / "findings.jsonl").write_text(json.dumps(dangerous) + "\n", encoding="utf-8")
    write_records(RecordMaker(loaded), tmp_path / "findings.jsonl", tmp_path / "r.csv")
    assert "'=HYPERLINK()" in (tmp_path / "r.csv").read_text("utf-8")


def test_a_negative_amount_is_no_formula(tmp_path):
    plan = (
        "  locale: en_GB\n  fields:\n    amount: {from: AMOUNT, type: money, currency: EUR}\n    payer: {from: PAYER}\n"
    )
    formulas = [
        "-1+cmd|' /C calc'!A0",
        "-5*A1",
        "+A1",
        "-5 EUR\n=1",
        "-5 mg;=1+1",
        "-1e5/2",
        "-5 =A1",
        "-5 (A1)",
        "-",
        "@x",
    ]
    cells = ["+3 mg", "-5", "-1,234.50", "-5%", "-5 mg/dL", "+4.5 m2", *formulas]
    found = [{**finding(SPANS["£10"]), "text": "-5.20"}]
    lines = [{**line(flags=()), "findings": [*found, {**finding(SPANS["Ann"]), "text": cell}]} for cell in cells]
    (tmp_path / "findings.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    write_records(RecordMaker(task(tmp_path, plan)), tmp_path / "findings.jsonl", tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["amount"], row["amount_unit"]) for row in rows} == {("-5.20", "EUR")}
    assert [row["payer_text"] for row in rows] == [f"'{cell}" if cell in formulas else cell for cell in cells]


@pytest.mark.parametrize(
    ("record", "line_number", "message"),
    [
        ("  fields: {}\n", 8, "the record has no fields."),
        ("  fields:\n    payer: {}\n", 9, "the field payer of the record has no from."),
        (
            "  fields:\n    payer: {from: PAYR}\n",
            9,
            'no field has the label "PAYR", and no field of classes or flags has this name. Did you mean "PAYER"?',
        ),
        (
            "  fields:\n    payer: {from: PAYER, type: mony}\n",
            9,
            'there is no type of values "mony". Did you mean "money"?',
        ),
        (
            "  fields:\n    risks: {from: risk, type: money}\n",
            9,
            "the field risks is filled by labels of whole texts, which are no money.",
        ),
        ("  fields:\n    payer: {from: PAYER, type: code}\n", 9, "the field payer has the type code, and no codes."),
        ("  fields:\n    payer: {from: PAYER, codes: a.csv}\n", 9, "the field payer has the type text, and codes."),
        (
            "  fields:\n    payer: {from: PAYER, type: code, codes: ../a.csv}\n",
            9,
            'the path "../a.csv" may leave the folder of the data.',
        ),
        ("  fields:\n    a-b: {from: PAYER}\n", 9, '"a-b" cannot be the name of a field.'),
        ("  fields:\n    day: {from: DAY, type: date, date_order: XYZ}\n", 9, 'there is no date order "XYZ".'),
        (
            "  fields:\n    day: {from: DAY, type: date, reference_date: soon}\n",
            9,
            "reference_date is soon. Write a day as YYYY-MM-DD.",
        ),
        ("  locale: xx_XX\n  fields:\n    day: {from: DAY, type: date}\n", 10, 'there is no locale "xx_XX".'),
        (
            "  anchor: risk\n  fields:\n    payer: {from: PAYER}\n",
            8,
            '"risk" labels whole texts. Give the label of spans.',
        ),
        ("  relation: ties\n  fields:\n    payer: {from: PAYER}\n", 8, "relation needs an anchor."),
        (
            "  anchor: PAYER\n  relation: tie\n  fields:\n    payer: {from: PAYER}\n",
            9,
            'the task has no field of relations "tie". Did you mean "ties"?',
        ),
        *(
            (
                f"  fields:\n    who: {{from: PAYER}}\n    {name}: {{from: AMOUNT}}\n",
                10,
                f'with the field {name}, tables of records would have two columns "{column}". Give the field another',
            )
            for name, column in [
                *((name, name) for name in ("id", "file", "model", "version", "record", "conflicts")),
                ("who_status", "who_status"),
            ]
        ),
        (
            "  fields:\n    who_end: {from: PAYER}\n    who: {from: AMOUNT}\n",
            10,
            'with the field who, tables of records would have two columns "who_end".',
        ),
        ("  fields:\n    payer: {from: PAYER, many: yes please}\n", 9, 'many is "yes please". Write true or false.'),
        (
            "  fields:\n    x: {from: AMOUNT, type: money, scheme: iban}\n",
            9,
            "the field x has the type money, and scheme is a setting of the type identifier. Remove it, or set type",
        ),
        ("  ancor: PAYER\n  fields:\n    payer: {from: PAYER}\n", 8, 'unknown key "ancor" in record.'),
    ],
)
def test_errors_in_the_declaration_name_the_line(tmp_path, record, line_number, message):
    with pytest.raises(UserError) as error:
        task(tmp_path, record)
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}:{line_number}: {message}")


@pytest.mark.parametrize("value", ["[money]", "{a: 1}", "5", "true", "''"])
@pytest.mark.parametrize(
    "key",
    ["from", "type", "codes", "scheme", "locale", "date_order", "currency", "reference_date", "anchor", "relation"],
)
def test_what_is_not_text_is_an_error_by_line(tmp_path, key, value):
    of_record = key in ("anchor", "relation")
    if of_record:
        record = f"  {'anchor: PAYER' if key == 'relation' else 'locale: en_GB'}\n  {key}: {value}\n  fields:\n    payer: {{from: PAYER}}\n"
    else:
        start = "" if key == "from" else "from: PAYER, "
        record = f"  fields:\n    payer:\n      {{{start}{key}: {value}}}\n"
    with pytest.raises(UserError) as error:
        task(tmp_path, record)
    place = f"record.{key}" if of_record else f"record.fields.payer.{key}"
    line_number = 9 if of_record else 10
    read = {"''": "an empty text. Remove it.", "true": "True", "[money]": "['money']", "{a: 1}": "{'a': 1}"}.get(
        value, value
    )
    said = read if value == "''" else f"{read}, which YAML does not read as text. Put it in quotes"
    if value[0] in "[{":
        said = f"{read}, and each of its values has to be a text. Write texts without [ ] and {{ }} around each."
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}:{line_number}: {place} contains {said}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("setting", ["locale", "date_order", "currency", "reference_date"])
def test_a_setting_of_all_fields_is_text(tmp_path, setting):
    with pytest.raises(
        UserError, match=rf"task\.yaml:8: record\.{setting} contains \[1\], and each of its values has to be a text"
    ):
        task(tmp_path, f"  {setting}: [1]\n  fields:\n    payer: {{from: PAYER}}\n")


def test_a_reference_date_may_be_a_date_of_yaml(tmp_path):
    for day in ("2024-05-03", '"2024-05-03"'):
        loaded = task(tmp_path, f"  fields:\n    day: {{from: DAY, type: date, reference_date: {day}}}\n")
        assert RecordMaker(loaded).settings["day"].reference_date.isoformat() == "2024-05-03"


def test_a_label_of_two_fields_needs_the_name_of_one(tmp_path):
    head = HEAD.replace("  ties", "  others: {kind: spans, labels: [PAYER]}\n  ties")
    with pytest.raises(UserError, match='several fields have the label "PAYER". Write entities.PAYER, for example'):
        task(tmp_path, "  fields:\n    payer: {from: PAYER}\n", head)
    (field,) = task(tmp_path, "  fields:\n    payer: {from: others.PAYER}\n", head).record.fields
    assert (field.place.field, field.place.label) == ("others", "PAYER")


def test_a_list_of_codes_with_a_code_twice_is_an_error_by_line(tmp_path):
    (tmp_path / "codes.csv").write_text("code,name\nA,Ann\nA,Bo\n", encoding="utf-8")
    loaded = task(tmp_path, "  fields:\n    payer: {from: PAYER, type: code, codes: codes.csv}\n")
    with pytest.raises(UserError, match=r"codes\.csv:3: "):
        RecordMaker(loaded)
    (tmp_path / "codes.csv").write_text("code,name\nA,Ann\nB,Bo\n", encoding="utf-8")
    (record,) = RecordMaker(loaded).of_findings(line("Bo"))
    assert values(record) == {"payer": ["B"]}


def test_lists_of_codes_are_read_before_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("code,name\nA,Ann\nA,Bo\n", encoding="utf-8")
    fields = "    who: {from: PAYER, type: code, codes: a.csv}\n    sum: {from: AMOUNT, type: code, codes: b.csv}\n"
    loaded = task(tmp_path, f"  fields:\n{fields}")
    for arguments in (("check", loaded.file), ("train", loaded.file, "--output", tmp_path / "run")):
        assert command(monkeypatch, *arguments) == 2
        said = capsys.readouterr().err
        assert 'a.csv:3: "a" is already in line 2' in said and "b.csv: this list of codes does not exist." in said
    assert not (tmp_path / "run").exists()


def test_the_plan_is_saved_with_the_task(tmp_path):
    loaded = task(tmp_path)
    again = Task.from_dict(yaml.safe_load(yaml.safe_dump(loaded.as_dict(), sort_keys=False)), tmp_path / "run.yaml")
    assert again.record == loaded.record
    assert loaded.shareable()["record"]["fields"]["payer"] == {"from": "PAYER"}


@given(
    st.lists(
        st.builds(
            lambda start, size, label: Span(start, start + size, label),
            st.integers(0, 40),
            st.integers(1, 9),
            st.sampled_from(["PAYER", "AMOUNT", "DAY"]),
        ),
        max_size=8,
        unique=True,
    )
)
def test_no_mention_is_lost_or_in_two_records(tmp_path_factory, spans):
    loaded = task(tmp_path_factory.getbasetemp(), "  anchor: AMOUNT\n" + PLAIN)
    records = RecordMaker(loaded).of_findings({**line(flags=()), "findings": [finding(span) for span in spans]})
    anchors = [span for span in spans if span.label == "AMOUNT"]
    assert len(records) == len(anchors)
    shown_spans = [
        (entry.mention.start, entry.mention.end, entry.mention.place.label)
        for record in records for entries in record.entries.values() for entry in entries
    ]  # fmt: skip
    expected = [(span.start, span.end, span.label) for span in spans] if anchors else []
    assert sorted(shown_spans) == sorted(expected)


@pytest.fixture(scope="module")
def run_with_records(run, tmp_path_factory):
    copy = shutil.copytree(run, tmp_path_factory.mktemp("records") / "run")
    content = yaml.safe_load((copy / "task.yaml").read_text("utf-8"))
    content["record"] = {
        "fields": {"who": {"from": "person"}, "sum": {"from": "amount", "type": "decimal"}, "topic": {"from": "topic"}}
    }
    (copy / "task.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return copy


def test_extract_writes_records_beside_the_findings(run_with_records, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    arguments = ("extract", run_with_records, tmp_path / "a.txt", "--output", tmp_path / "out.jsonl", "--records")
    assert command(monkeypatch, *arguments, tmp_path / "records.csv") == 0
    (tmp_path / "records.csv").read_text("utf-8").index('"id","file","model","version","record","conflicts","who"')
    assert "1 records -> " in capsys.readouterr().err
    assert command(monkeypatch, *arguments, tmp_path / "records.xlsx") == 2
    assert 'there is no format "xlsx" of records.' in capsys.readouterr().err
    arguments = ("extract", run_with_records, tmp_path / "a.txt", "--records", tmp_path / "records.csv")
    assert command(monkeypatch, *arguments) == 2
    assert "records are made of findings in JSON lines. Give a file for the findings, too" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["records.jsonl", "records.csv"])
def test_records_in_the_folder_of_the_inputs_are_no_inputs(run_with_records, tmp_path, monkeypatch, capsys, name):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    extract = ("extract", run_with_records, inbox, "--output", inbox / "f.jsonl", "--records", inbox / name)
    assert command(monkeypatch, *extract) == 0
    before = (inbox / name).read_bytes()
    assert command(monkeypatch, *extract) == 0
    assert "written already" in capsys.readouterr().err and (inbox / name).read_bytes() == before
    assert is_own(inbox / name), "tables are read of a task of tables"


def test_extract_says_how_many_findings_are_in_no_record(run_with_records, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(run_with_records, tmp_path / "run")
    content = yaml.safe_load((run / "task.yaml").read_text("utf-8"))
    content["record"]["anchor"] = "amount"
    (run / "task.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    arguments = ("extract", run, tmp_path / "a.txt", "--output", tmp_path / "out.jsonl")
    records = tmp_path / "records.jsonl"
    assert command(monkeypatch, *arguments, "--records", records, "--label", "person") == 0
    persons = sum(
        each["label"] == "person" for each in json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["findings"]
    )
    assert persons
    assert f"0 records; {persons} findings of their fields are in no record -> {records}" in capsys.readouterr().err


def test_without_a_goal_a_queue_leaves_nothing_for_records(run_with_records, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    arguments = ("extract", run_with_records, tmp_path / "a.txt", "--output", tmp_path / "out.jsonl")
    queue = ("--review", tmp_path / "queue.jsonl", "--records", tmp_path / "records.jsonl")
    assert command(monkeypatch, *arguments, *queue) == 0
    said = capsys.readouterr().err
    assert "so that all findings are for review, and records have none." in said
    (queued,) = map(json.loads, (tmp_path / "queue.jsonl").read_text("utf-8").splitlines())
    number = len(queued["findings"])
    assert number and f"; {number} findings wait for review and are in no record -> " in said
    for name in ("out.jsonl", "records.jsonl"):
        (text,) = map(json.loads, (tmp_path / name).read_text("utf-8").splitlines())
        assert text["to_review"] == number
    for name in ("records.csv", "records.parquet"):
        assert command(monkeypatch, *arguments, *queue[:3], tmp_path / name, "--overwrite") == 0
    (cells,) = csv.DictReader(io.StringIO((tmp_path / "records.csv").read_text("utf-8")))
    assert cells["to_review"] == str(number)
    assert parquet.read_table(tmp_path / "records.parquet")["to_review"].to_pylist() == [number]
    (tmp_path / "inbox").mkdir()
    for name in ("records.jsonl", "records.csv"):
        shutil.copy(tmp_path / name, tmp_path / "inbox")
        assert is_own(tmp_path / "inbox" / name)


def test_records_need_a_file_of_findings_and_a_name_of_their_own(run_with_records, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.jsonl")
    before = sorted(tmp_path.iterdir())
    extract = ("extract", run_with_records, tmp_path / "a.txt")
    out, pipe = tmp_path / "out.jsonl", tmp_path / "pipe.jsonl"
    for output, records in ((pipe, tmp_path / "r.jsonl"), (out, pipe), ("/dev/null", tmp_path / "r.jsonl")):
        assert command(monkeypatch, *extract, "--output", output, "--records", records, "--format", "jsonl") == 2
        assert "records are not made from or written to a device or a pipe. Give a file." in capsys.readouterr().err
    for option in ("--records", "--html"):
        for own in ("errors.jsonl", "texts.jsonl"):
            file = tmp_path / f"out.jsonl.{own}"
            assert command(monkeypatch, *extract, "--output", out, option, file) == 2
            assert f"{file}: extract writes another file by this name. Give another name." in capsys.readouterr().err
    manifest = tmp_path / "out.jsonl.manifest.json"
    assert command(monkeypatch, *extract, "--output", out, "--html", manifest) == 2
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.parquet"])
def test_records_replace_records_and_no_other_file(run_with_records, tmp_path, monkeypatch, capsys, name):
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    (tmp_path / name).write_text("mine\n", encoding="utf-8")
    arguments = ("extract", run_with_records, tmp_path / "a.txt", "--output", tmp_path / "o.jsonl", "--records")
    assert command(monkeypatch, *arguments, tmp_path / name) == 2
    assert f"{name}: this file exists, and extract did not write it." in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()
    (tmp_path / name).unlink()
    assert command(monkeypatch, *arguments, tmp_path / name) == 0
    assert command(monkeypatch, *arguments, tmp_path / name) == 0


def test_a_run_from_the_hub_may_not_choose_the_lists_of_codes(run_with_records, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(run_with_records, tmp_path / "models--org--name" / "snapshots" / ("a" * 40))
    private, given, inbox = (tmp_path / name for name in ("private", "given", "inbox"))
    inbox.mkdir()
    (inbox / "a.txt").write_text("Arden paid 3.456,78.", encoding="utf-8")
    found = io.StringIO()
    electra_ie.extract(run, inbox, found, labels=["person"])
    name = json.loads(found.getvalue())["findings"][0]["text"]
    for folder, code in ((private, "SECRET"), (given, "KNOWN")):
        folder.mkdir()
        (folder / "codes.csv").write_text(f'code,name\n{code},"{name}"\n', encoding="utf-8")
    content = yaml.safe_load((run / "task.yaml").read_text("utf-8"))
    content["record"]["fields"]["who"].update(type="code", codes="codes.csv")

    def extract(data, *options):
        (run / "task.yaml").write_text(
            yaml.safe_dump({**content, "data": str(data)}, sort_keys=False), encoding="utf-8"
        )
        arguments = ("extract", run, inbox, "--output", tmp_path / "o.jsonl")
        return command(monkeypatch, *arguments, *options), capsys.readouterr().err

    records = ("--records", tmp_path / "r.csv")
    code, said = extract(private, *records)
    assert (code, "a run from the Hub may not choose local files to read." in said) == (2, True)
    code, said = extract(".", *records)
    assert (
        code,
        "codes.csv: this list of codes does not exist. Give its path relative to the folder of the data, and" in said,
    ) == (2, True)
    code, said = extract(private, "--data", given)
    assert (code, "the folder of data is only read for records." in said) == (2, True)
    assert not (tmp_path / "o.jsonl").exists()
    assert extract(private, *records, "--data", given)[0] == 0
    written = (tmp_path / "r.csv").read_text("utf-8")
    assert "KNOWN" in written
    assert "SECRET" not in written


def test_a_task_without_records_says_how_to_declare_them(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("Arden paid.", encoding="utf-8")
    arguments = (
        "extract",
        run,
        tmp_path / "a.txt",
        "--output",
        tmp_path / "out.jsonl",
        "--records",
        tmp_path / "r.csv",
    )
    assert command(monkeypatch, *arguments) == 2
    assert "has no records. Add the key record to task.yaml" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_evaluate_scores_records(run_with_records, monkeypatch, capsys):
    scores = electra_ie.evaluate(run_with_records, "dev")
    assert set(scores.records["fields"]) == {"who", "sum", "topic"}
    assert scores.records["whole"]["documents"] == scores.records["whole"]["support"]
    assert scores.records["fields"]["topic"]["documents"] == scores["topic"].metrics["documents"]
    assert "records" not in scores.fields
    of_sum = scores.records["fields"]["sum"]
    card = model_card(run_with_records, json.loads((run_with_records / "scores.json").read_text("utf-8")))
    assert "| sum | `amount` of `names` | decimal |  |" in card
    shown = f"{of_sum['without_value']['support']:,} of gold, {of_sum['without_value']['found']:,} found |"
    assert f"| sum | {of_sum['documents']:,} | {of_sum['support']:,} | " in card and shown in card
    assert command(monkeypatch, "evaluate", run_with_records, "--split", "dev") == 0
    assert "(whole record)" in capsys.readouterr().out


def test_the_page_shows_records_beside_the_text(run_with_records, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("Arden paid 3.456,78 <b>.", encoding="utf-8")
    page = tmp_path / "page.html"
    arguments = ("extract", run_with_records, tmp_path / "a.txt", "--output", tmp_path / "out.jsonl", "--html", page)
    assert command(monkeypatch, *arguments, "--records", tmp_path / "records.jsonl") == 0
    html = page.read_text("utf-8")
    assert '<table class="record"><caption>record</caption>' in html
    for name in ("who", "sum", "topic"):
        assert f'<th scope="row">{name}' in html
    assert html.count("<td><small>the whole text</small></td>") == 1
    assert "&lt;b&gt;" in html
    # With another plan, too: its values would be those of the earlier one.
    run = shutil.copytree(run_with_records, tmp_path / "run")
    content = yaml.safe_load((run / "task.yaml").read_text("utf-8"))
    content["record"]["locale"] = "de_DE"
    (run / "task.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    changed = [run if each == run_with_records else each for each in arguments]
    assert command(monkeypatch, *arguments, "--records", tmp_path / "records.jsonl") == 0
    assert command(monkeypatch, *changed, "--records", tmp_path / "records.jsonl") == 2
    # Without records the page is another one, so that the finished job does not stand for it.
    assert command(monkeypatch, *arguments) == 2
    assert command(monkeypatch, *arguments, "--overwrite") == 0
    assert 'class="record"' not in page.read_text("utf-8")
