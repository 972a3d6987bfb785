"""The decisions of people are put into the findings: nothing is lost, invented, or of another text."""

from __future__ import annotations

import json
import random

import jobs
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from electra_ie import Extractor, Task, UserError, extract, resolve
from electra_ie.cli.app import app
from electra_ie.data.document import Attribute, Document, Relation, Span
from electra_ie.inference.review.queue import Queue, seal_of
from electra_ie.inference.review.reading import records_of_queue, refuse_unsealed
from electra_ie.inference.review.resolving import (
    Resolution,
    decisions_of_documents,
    decisions_of_queue,
    resolve_findings,
)

TEXT = "Arden paid 90 to Bo"
FIELDS = {
    "names": {"kind": "spans", "labels": ["person", "amount"]},
    "risks": {"kind": "flags", "labels": ["fraud", "late"]},
    "pays": {"kind": "relations", "labels": ["paid", "got"]},
    "sure": {"kind": "attributes", "labels": ["yes", "no"], "of": ["person"]},
}
PLACES = {"Arden": (0, 5, "person"), "90": (11, 13, "amount"), "Bo": (17, 19, "person")}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    tiny.write_records(folder / "train.jsonl", [{"text": TEXT, "names": [], "risks": []}])
    mapping = {"name": "t", "format": "jsonl", "files": {"train": "train.jsonl"}, "fields": FIELDS}
    return Task.from_dict(mapping, folder / "task.yaml")


def span(name, score=0.6):
    start, end, label = PLACES[name]
    return {"field": "names", "label": label, "start": start, "end": end, "text": name, "score": score}


def relation(head, tail, label="paid"):
    return {"field": "pays", "label": label, "head": span(head), "tail": span(tail), "score": 0.5}


def flag(label, score=0.7):
    return {"field": "risks", "label": label, "start": 0, "end": len(TEXT), "window": 1, "score": score}


def line(*findings, relations=(), **more):
    found = {"id": "a", "file": "x", "characters": len(TEXT), "windows": 1, "model": "m", "findings": list(findings)}
    return {**found, "relations": list(relations), **more}


def split(folder, record, thresholds=None):
    """Write the output and the queue of a record as extract does; thresholds: what is accepted and dropped."""

    class Calibration:
        promises = ()

        def decide(self, field, label, score):
            keep, accept = thresholds or (0, 2)
            return "accepted" if score >= accept else "review" if score >= keep else "dropped"

    queued = Queue(folder / "queue.jsonl").split(record, TEXT, Calibration())
    tiny.write_records(folder / "out.jsonl", [record])
    return queued


def run(folder, queued, task):
    tiny.write_records(folder / "queue.jsonl", [queued])
    decisions = decisions_of_queue(
        records_of_queue(folder / "queue.jsonl", task.fields, "m", refuse_unsealed), task, folder / "queue.jsonl"
    )
    counts = resolve_findings(folder / "out.jsonl", decisions, "m", folder / "final.jsonl")
    return counts, json.loads((folder / "final.jsonl").read_text("utf-8"))


def test_findings_are_confirmed_rejected_added_or_still_wait(tmp_path, task):
    found = [span("Arden", 0.95), span("90", 0.3), span("Bo", 0.1), flag("fraud", 0.5)]
    queued = split(tmp_path, line(*found), thresholds=(0.2, 0.9))
    by_label = {each.get("text", each["label"]): each for each in queued["findings"]}
    by_label["90"]["correct"], by_label["fraud"]["correct"] = True, False
    late = {"field": "risks", "label": "late", "start": 0, "end": len(TEXT), "correct": True}
    queued["findings"] += [late, {**span("Bo"), "label": "amount", "score": None, "correct": None}]
    counts, final = run(tmp_path, queued, task)
    said = [(each.get("text", each["label"]), each["score"], each["decision"]) for each in final["findings"]]
    assert said == [("Arden", 0.95, "accepted"), ("late", None, "reviewed"), ("90", 0.3, "reviewed")]
    assert final["findings"][1]["window"] is None and "correct" not in json.dumps(final)
    assert counts == Resolution(1, accepted=1, confirmed=1, added=1, rejected=1, to_review=1)
    assert final["to_review"] == 1, "the added finding without a decision; the dropped one is not for review"


def test_a_relation_is_kept_with_both_of_its_spans_unless_a_person_rejects_it(tmp_path, task):
    links = [relation("Arden", "90"), relation("Arden", "Bo"), relation("90", "Bo"), relation("Arden", "90", "got")]
    queued = split(tmp_path, line(*map(span, PLACES), relations=links))
    assert len(queued["relations"]) == 4 and all(each["correct"] is None for each in queued["relations"])
    for each in queued["findings"]:
        each["correct"] = each["text"] != "Bo"
    queued["relations"][3]["correct"] = False
    counts, final = run(tmp_path, queued, task)
    assert final["relations"] == links[:1]
    assert (counts.accepted, counts.confirmed, counts.rejected) == (1, 2, 1 + 3)


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=4, max_size=4), st.tuples(st.floats(0, 1), st.floats(0, 1))
)
def test_each_finding_is_written_rejected_dropped_or_waits(tmp_path_factory, task, decided, thresholds):
    folder = tmp_path_factory.mktemp("each")
    found = [span("Arden", 0.9), span("90", 0.5), span("Bo", 0.2), flag("fraud", 0.6)]
    queued = split(folder, line(*found), (min(thresholds), max(thresholds)))
    if queued is None:
        return
    for finding, correct in zip(queued["findings"], decided, strict=True):
        finding["correct"] = correct
    dropped = sum(each["decision"] == "dropped" and each["correct"] is None for each in queued["findings"])
    counts, final = run(folder, queued, task)
    assert counts.findings + counts.rejected + counts.to_review + dropped == 4
    assert (counts.findings, counts.added) == (len(final["findings"]), 0)
    same = ("field", "label", "start", "end", "score")
    before = [[each[key] for key in same] for each in found]
    assert all([each[key] for key in same] in before for each in final["findings"]), "as the model has found it"


def test_texts_of_another_tool_replace_the_findings_of_the_fields_that_they_are_labeled_for(tmp_path, task):
    record = line(span("Arden", 0.95), flag("fraud"), relations=[], to_review=2)
    bo, arden = Span(17, 19, "person"), Span(0, 5, "person")
    gold = {"names": (arden, bo), "pays": (Relation(arden, bo, "paid"),), "sure": (Attribute(bo, "no"),)}
    tiny.write_records(tmp_path / "out.jsonl", [record, {**record, "id": "b"}, {**record, "id": "c"}])
    texts = [Document("a", TEXT, gold), Document("b", TEXT, {}), Document("c", TEXT, {}, submitted=True)]
    counts = resolve_findings(
        tmp_path / "out.jsonl", decisions_of_documents(texts, task), "m", tmp_path / "final.jsonl"
    )
    a, b, c = map(json.loads, (tmp_path / "final.jsonl").read_text("utf-8").splitlines())
    assert [(each["label"], each["score"]) for each in a["findings"]] == [
        ("person", 0.95),
        ("fraud", 0.7),
        ("person", None),
    ]
    assert a["findings"][2]["attributes"] == {"sure": {"label": "no", "score": None}}
    (drawn,) = a["relations"]
    assert (drawn["head"]["text"], drawn["tail"]["text"], drawn["label"], drawn["score"]) == (
        "Arden",
        "Bo",
        "paid",
        None,
    )
    assert a["to_review"] == 2, "nobody has said anything about the flags"
    assert (len(b["findings"]), b["to_review"]) == (2, 2), "not annotated yet"
    assert (c["findings"], c["to_review"]) == ([], 0), "a person has submitted it with nothing in it"
    assert counts == Resolution(3, accepted=3, confirmed=1, added=2, rejected=2, to_review=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relations": 3}, '"relations" is no list'),
        ({"relations": [{"field": "pays", "label": "paid", "head": {}}]}, "a relation is"),
        ({"relations": [{**relation("Arden", "90"), "correct": "no"}]}, '"correct" of a relation is "no"'),
    ],
)
def test_relations_edited_by_hand_are_refused_by_line(tmp_path, task, change, message):
    queued = split(tmp_path, line(span("Arden"), relations=[]))
    with pytest.raises(UserError, match=r"queue\.jsonl:1: ") as raised:
        run(tmp_path, queued | change, task)
    assert message in str(raised.value)


def edited(change):
    """Return a function that changes the first finding of a record of a queue."""
    return lambda record: record["findings"][0].update(change)


NOT_AS_WRITTEN = 'the text or the findings are not those that extract wrote. Only "correct" is changed.'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["findings"].pop(0), NOT_AS_WRITTEN),
        (lambda record: record["findings"].pop(1), NOT_AS_WRITTEN),
        (lambda record: record.update(text=TEXT.replace("90", "80")), NOT_AS_WRITTEN),
        (lambda record: record.update(drawn="all"), NOT_AS_WRITTEN),
        (lambda record: record.pop("model"), NOT_AS_WRITTEN),
        (lambda record: record.pop("seal"), 'the record has no "seal". Give the queue of extract --review with its'),
        (lambda record: record["relations"].pop(), NOT_AS_WRITTEN),
        (edited({"decision": "accepted"}), NOT_AS_WRITTEN),
        (edited({"label": "amount", "correct": True}), NOT_AS_WRITTEN),
        (edited({"score": 0.99}), NOT_AS_WRITTEN),
        (edited({"score": "high"}), '"score" of a finding is "high". It is a number from 0 to 1, or null for'),
        (edited({"score": 7}), '"score" of a finding is 7. It is a number from 0 to 1'),
        *(
            (
                lambda record, each=each: record["findings"].append({**flag("late"), "correct": True, **each}),
                "the finding late ",
            )
            for each in ({"start": None}, {"start": "0"}, {"start": [1]}, {"start": -5}, {"end": 99}, {"end": 2.0})
        ),
        (
            lambda record: record["findings"].append({**span("90"), "correct": False, "score": None}),
            "the finding amount 11-13 is there twice. Keep one of them, with one decision.",
        ),
    ],
)
def test_a_queue_in_which_more_than_decisions_is_changed_is_refused(tmp_path, task, change, message):
    queued = split(tmp_path, line(*map(span, PLACES), relations=[relation("Arden", "90")]), thresholds=(0.2, 0.9))
    queued["drawn"] = "to_review"
    queued["seal"] = seal_of(queued)
    change(queued)
    with pytest.raises(UserError) as error:
        run(tmp_path, queued, task)
    assert str(error.value).startswith(f"{tmp_path / 'queue.jsonl'}:1: {message}")
    assert not (tmp_path / "final.jsonl").exists()


def test_findings_of_other_thresholds_are_not_those_of_the_queue(tmp_path, task):
    found = [span("Arden", 0.95), span("90", 0.3)]
    queued = split(tmp_path, line(*map(dict, found)), thresholds=(0.2, 0.9))
    run(tmp_path, json.loads(json.dumps(queued)), task)
    for thresholds in ((0.2, 0.2), (0.4, 0.9), (0.2, 0.99)):
        split(tmp_path, line(*map(dict, found)), thresholds=thresholds)
        with pytest.raises(UserError, match='what is accepted in "a" or waits is not the same here as in the findings'):
            run(tmp_path, json.loads(json.dumps(queued)), task)


@pytest.mark.parametrize("first", ["not json", "[" * 100_000])
def test_a_queue_whose_first_line_is_damaged_is_one_line(calibrated, extracted, tmp_path, first):
    lines = (extracted / "queue.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "queue.jsonl").write_text("".join([f"{first}\n", *lines[1:]]), "utf-8")
    with pytest.raises(UserError) as error:
        resolve(calibrated, extracted / "out.jsonl", tmp_path / "queue.jsonl", tmp_path / "final.jsonl")
    assert str(error.value).startswith(f"{tmp_path / 'queue.jsonl'}:1: this is not valid JSON. Restore the line")
    with pytest.raises(UserError, match="resolve writes findings as JSON lines. Give an output with the ending .jsonl"):
        resolve(calibrated, extracted / "out.jsonl", extracted / "queue.jsonl", tmp_path / "final.csv")


def test_a_decision_on_a_relation_keeps_its_queue(tmp_path):
    record = line(span("Arden"), span("90"), relations=[relation("Arden", "90")])
    queued = split(tmp_path, record)
    queued["relations"][0]["correct"] = False
    tiny.write_records(tmp_path / "queue.jsonl", [queued])
    with pytest.raises(UserError, match="this queue has decisions of people"):
        Queue(tmp_path / "queue.jsonl")


@pytest.fixture(scope="module")
def extracted(calibrated, tmp_path_factory):
    """Return a folder with the findings and the queue of four texts, without goals."""
    folder, draw = tmp_path_factory.mktemp("extracted"), random.Random(6)
    texts = [{"id": f"n{number}", "text": tiny.record(number, draw)["text"]} for number in range(4)]
    tiny.write_records(folder / "new.jsonl", texts)
    extract(calibrated, folder / "new.jsonl", folder / "out.jsonl", review=folder / "queue.jsonl")
    return folder


def queue_of(folder):
    return [json.loads(each) for each in (folder / "queue.jsonl").read_text("utf-8").splitlines()]


def test_what_is_all_confirmed_is_what_extract_finds_without_a_review(calibrated, extracted, tmp_path):
    queue = queue_of(extracted)
    for record in queue:
        for finding in record["findings"]:
            finding["correct"] = True
    tiny.write_records(tmp_path / "decided.jsonl", queue)
    words = ["resolve", calibrated, extracted / "out.jsonl", tmp_path / "decided.jsonl", "-o", tmp_path / "final.jsonl"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    extract(calibrated, extracted / "new.jsonl", tmp_path / "all.jsonl")
    whole = [json.loads(each) for each in (tmp_path / "all.jsonl").read_text("utf-8").splitlines()]
    final = [json.loads(each) for each in (tmp_path / "final.jsonl").read_text("utf-8").splitlines()]
    for record in final:
        assert record.pop("to_review") == 0
        assert {finding.pop("decision") for finding in record["findings"]} <= {"reviewed"}
    assert final == whole and any(record["findings"] for record in whole)


def test_what_waits_is_said_and_is_exit_code_1(calibrated, extracted, tmp_path, capsys):
    words = ["resolve", calibrated, extracted / "out.jsonl", extracted / "queue.jsonl", "-o", tmp_path / "final.jsonl"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 1
    waiting = sum(len(record["findings"]) for record in queue_of(extracted))
    assert f"{waiting} findings still wait for review, and are not written" in capsys.readouterr().err + result.output


@pytest.mark.parametrize(
    ("findings", "reviewed", "more", "message"),
    [
        ("new.jsonl", "queue.jsonl", {}, "new.jsonl:1: this is no line of findings beside a queue for review"),
        ("none.jsonl", "queue.jsonl", {}, "none.jsonl: this file does not exist"),
        ("out.jsonl", "none.jsonl", {}, "none.jsonl: this file does not exist"),
        ("short.jsonl", "queue.jsonl", {}, "3 of the 4 reviewed texts are not in these findings: n"),
        ("other.jsonl", "queue.jsonl", {}, "other.jsonl:1: these are findings of the model 0123, and the run has"),
        ("long.jsonl", "queue.jsonl", {}, "characters here and 9,999 in the findings"),
        ("out.jsonl", "queue.jsonl", {"options": ["text=t"]}, "options of a format (text=t) are for texts in a format"),
        ("out.jsonl", "queue.jsonl", {"data": "."}, "the folder of data is only read for records"),
        ("out.jsonl", "queue.jsonl", {"records": "r.csv"}, "has no records"),
        ("out.jsonl", "new.jsonl", {}, "new.jsonl: no text of this file is annotated"),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    calibrated, extracted, tmp_path, monkeypatch, findings, reviewed, more, message
):
    monkeypatch.chdir(tmp_path)
    whole = [json.loads(each) for each in (extracted / "out.jsonl").read_text("utf-8").splitlines()]
    for name in ("out.jsonl", "queue.jsonl", "new.jsonl"):
        (tmp_path / name).write_bytes((extracted / name).read_bytes())
    tiny.write_records(tmp_path / "short.jsonl", whole[:1])
    tiny.write_records(tmp_path / "other.jsonl", [{**whole[0], "model": "0123"}])
    tiny.write_records(tmp_path / "long.jsonl", [{**each, "characters": 9999} for each in whole])
    before = jobs.files_of(tmp_path)
    with pytest.raises(UserError) as raised:
        resolve(calibrated, findings, reviewed, "final.jsonl", **more)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert jobs.files_of(tmp_path) == before


def test_the_text_of_a_tool_is_resolved_by_its_id(calibrated, extracted, tmp_path):
    extract(
        calibrated,
        extracted / "new.jsonl",
        tmp_path / "out.jsonl",
        review=tmp_path / "q.json",
        review_format="label_studio",
    )
    tasks = json.loads((tmp_path / "q.json").read_text("utf-8"))
    for each in tasks:
        each["annotations"] = [
            {"id": 1, "completed_by": 1, "result": each["predictions"][0]["result"], "was_cancelled": False}
        ]
    (tmp_path / "decided.json").write_text(json.dumps(tasks), "utf-8")
    made = resolve(calibrated, tmp_path / "out.jsonl", tmp_path / "decided.json", tmp_path / "final.jsonl")
    queue = queue_of(extracted)
    assert (made.findings, made.to_review) == (sum(len(record["findings"]) for record in queue), 0)
    final = {each["id"]: each for each in map(json.loads, (tmp_path / "final.jsonl").read_text("utf-8").splitlines())}
    for record in queue:
        assert [(each["label"], each["start"]) for each in final[record["id"]]["findings"]] == [
            (each["label"], each["start"]) for each in record["findings"]
        ]
    assert Extractor.from_pretrained(calibrated).model == final["n0"]["model"]
