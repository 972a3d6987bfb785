"""Goals are set by command, findings are accepted, queued or dropped, and people's decisions are read back."""

from __future__ import annotations

import json
import random
import shutil

import jobs
import pytest
import tiny
from typer.testing import CliRunner

from electra_ie import Extractor, UserError, calibrate, extract, verify
from electra_ie.calibration.goals import parse_goals
from electra_ie.calibration.stored import Calibration
from electra_ie.cli.app import app
from electra_ie.common.hashing import of_path
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.formats import FORMATS
from electra_ie.inference.goal_setting import labeled_documents
from electra_ie.inference.jobs import chunks, job
from electra_ie.inference.jobs.counts import Extraction
from electra_ie.inference.jobs.filters import Filters
from electra_ie.inference.review.queue import Queue
from electra_ie.inference.review.reading import read_queue
from electra_ie.runs.layout import load_task
from electra_ie.runs.model_card import model_card


@pytest.fixture
def copy(calibrated, tmp_path):
    return shutil.copytree(calibrated, tmp_path / "copy")


@pytest.fixture
def inbox(tmp_path):
    draw = random.Random(6)
    records = [{"id": f"n{number}", "text": tiny.record(number, draw)["text"]} for number in range(40)]
    tiny.write_records(tmp_path / "new.jsonl", records)
    return tmp_path / "new.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def with_thresholds(run, accept, keep):
    """Set thresholds as `calibrate` would, whatever dev allows."""
    content = json.loads((run / "calibration.json").read_text("utf-8"))
    promise = {
        "level": 0.8, "field": "names", "label": "person", "confidence": 0.9, "documents": 9, "measured": 0.9,
        "data": "dev", "assumptions": ["as they are"],
    }  # fmt: skip
    thresholds = (("precision", accept), ("recall", keep))
    content["promises"] = [{**promise, "measure": name, "threshold": value} for name, value in thresholds]
    (run / "calibration.json").write_text(json.dumps(content), "utf-8")


def test_command_sets_what_dev_allows_and_prices_the_rest(copy):
    result = invoke("calibrate", copy, "--goal", "recall=0.3:person", "--goal", "precision=0.99:amount")
    assert result.exit_code == 1, result.output
    assert "recall 0.3" in result.output and "names.person" in result.output
    assert "precision=0.99:names.amount: not promised: " in result.output
    assert "New documents are like the 150 documents of dev" in result.output
    (promise,) = Extractor.from_pretrained(copy).calibration.promises
    assert (promise.measure, promise.level, promise.label, promise.data) == ("recall", 0.3, "person", "dev")
    card = (copy / "README.md").read_text("utf-8")
    assert f"| names | person | recall 0.3 | in the mean | {promise.threshold:.4f} | 150 documents (dev) |" in card
    assert all(f"- {text}" in card for text in promise.assumptions)
    assert not [each for each in verify(copy).differences if each.part == "settings"], "the audit knows the thresholds"
    result = invoke("calibrate", copy, "--goal", "recall=0.2:person")
    assert result.exit_code == 0 and len(Extractor.from_pretrained(copy).calibration.promises) == 1, "replaced"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--goal", "precision=0.9:persn"], 'Did you mean "person"?'),
        (["--goal", "precision=0.9:person", "--confidence", "90"], "the confidence is 90"),
        ([], "there is no goal"),
        (["--goal", "recall=0.9:person", "--reviewed", "none.jsonl"], "none.jsonl"),
        (["--goal", "recall=0.9:person", "--data", "a", "--reviewed", "b"], "Give --data or --reviewed"),
    ],
)
def test_errors_write_nothing(copy, words, message):
    before = jobs.files_of(copy)
    result = invoke("calibrate", copy, *words)
    assert isinstance(result.exception, UserError) and message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert jobs.files_of(copy) == before


def test_the_card_of_a_run_without_calibrated_scores_has_its_promises(copy):
    scores = json.loads((copy / "scores.json").read_text("utf-8"))
    del scores["training"]["calibration"]
    (copy / "scores.json").write_text(json.dumps(scores), "utf-8")
    with_thresholds(copy, 0.7, 0.5)
    assert "| names | person | precision 0.8 | 0.9 | 0.7000 |" in model_card(copy)


def test_thresholds_change_nothing_for_findings_without_a_queue(copy, inbox, tmp_path, capsys):
    extract(copy, inbox, tmp_path / "out.jsonl")
    with_thresholds(copy, 0.7, 0.5)
    extract(copy, inbox, tmp_path / "out.jsonl")
    assert "written already" in capsys.readouterr().err


def test_relations_of_spans_for_review_are_to_review(tmp_path):
    spans = [{"field": "names", "label": "person", "start": at, "end": at + 1, "score": 0.9} for at in (0, 2)]
    record = {"id": "a", "file": "x", "windows": 1, "characters": 3, "findings": spans}
    record["relations"] = [{"field": "r", "label": "pays", "head": spans[0], "tail": spans[1], "score": 0.9}]
    counts, chunk = Extraction(), chunks.Chunk([Document("a", "A B", {})], [], 3, 1.0)
    counts.add(chunk, [record], Filters())
    counts.decide(chunk, [record], Queue(tmp_path / "queue.jsonl"), None)
    assert (counts["findings"], counts.to_review, counts.dropped) == (0, 3, 0)


def test_an_edited_card_is_kept(copy, capsys):
    (copy / "README.md").write_text("mine", "utf-8")
    calibrate(copy, ["recall=0.3:person"])
    assert (copy / "README.md").read_text("utf-8") == "mine"
    assert "kept, because it has been edited" in capsys.readouterr().err


def test_findings_are_accepted_queued_worst_first_or_dropped(copy, inbox, tmp_path):
    extractor = Extractor.from_pretrained(copy)
    scores = sorted(each.score for line in lines(inbox) for each in extractor(line["text"]) if each.label == "person")
    keep, accept = scores[len(scores) // 4], scores[len(scores) // 2]
    with_thresholds(copy, accept, keep)
    counts = extract(copy, inbox, tmp_path / "out.jsonl", review=tmp_path / "queue.jsonl")
    taken, queue = lines(tmp_path / "out.jsonl"), lines(tmp_path / "queue.jsonl")
    findings = [finding for record in taken for finding in record["findings"]]
    assert findings and all(each["decision"] == "accepted" and each["score"] >= accept for each in findings)
    assert {each["label"] for each in findings} == {"person"}, "without a goal nothing is accepted"
    waiting = [[each["score"] for each in record["findings"] if each["decision"] == "review"] for record in queue]
    assert all(waiting) and [min(each) for each in waiting] == sorted(min(each) for each in waiting)
    dropped = {
        (record["id"], each["start"])
        for record in queue
        for each in record["findings"]
        if each["decision"] == "dropped"
    }
    assert dropped and counts.dropped >= len(dropped)
    assert (counts["findings"], counts.to_review) == (len(findings), sum(map(len, waiting)))
    texts = {line["id"]: line["text"] for line in lines(inbox)}
    assert all(record["text"] == texts[record["id"]] and record["drawn"] == "to_review" for record in queue)
    with pytest.raises(UserError, match=r"queue\.jsonl:1: thresholds have chosen the texts of this queue"):
        read_queue(tmp_path / "queue.jsonl", tiny.FIELDS)


def test_without_goals_everything_is_for_review_and_decisions_are_read_back(copy, inbox, tmp_path, capsys):
    extract(copy, inbox, tmp_path / "out.jsonl", review=tmp_path / "queue.jsonl")
    assert "no goal is set for this run" in capsys.readouterr().err
    assert not any(record["findings"] for record in lines(tmp_path / "out.jsonl"))
    queue = lines(tmp_path / "queue.jsonl")
    assert {record["drawn"] for record in queue} == {"all"} and len(queue) == 40
    with pytest.raises(UserError, match="no text of this queue is reviewed"):
        read_queue(tmp_path / "queue.jsonl", tiny.FIELDS)
    for record in queue[:-1]:
        for finding in record["findings"]:
            finding["correct"] = finding["label"] != "amount"
    text = queue[0]["text"]
    added = {
        "field": "names",
        "label": "amount",
        "start": text.index("paid"),
        "end": text.index("paid") + 4,
        "correct": True,
    }
    queue[0]["findings"].append(added)
    tiny.write_records(tmp_path / "queue.jsonl", queue)
    with pytest.raises(UserError, match="1 of the 40 texts of this queue are not reviewed. It begins with the lowest"):
        read_queue(tmp_path / "queue.jsonl", tiny.FIELDS)
    for finding in queue[-1]["findings"]:
        finding["correct"] = finding["label"] != "amount"
    tiny.write_records(tmp_path / "queue.jsonl", queue)
    documents = read_queue(tmp_path / "queue.jsonl", tiny.FIELDS)
    amounts = [[span for span in each.gold["names"] if span.label == "amount"] for each in documents]
    assert [len(each) for each in amounts] == [1] + [0] * 39
    result = invoke("calibrate", copy, "--goal", "precision=0.9:person", "--reviewed", tmp_path / "queue.jsonl")
    assert result.exit_code == 0, result.output
    (promise,) = Extractor.from_pretrained(copy).calibration.promises
    assert (promise.data, promise.measured) == ("reviewed", 1.0)
    with pytest.raises(UserError, match="a review queue has no texts without findings"):
        calibrate(copy, ["recall=0.5:person"], reviewed=tmp_path / "queue.jsonl")
    tiny.write_records(tmp_path / "other.jsonl", [queue[0], {**queue[1], "model": "0123"}])
    with pytest.raises(UserError, match=r"other\.jsonl:2: these are findings of the model 0123, and the run has"):
        calibrate(copy, ["precision=0.5:person"], reviewed=tmp_path / "other.jsonl")
    before = (tmp_path / "queue.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"queue\.jsonl:1: this queue has decisions of people, which are kept"):
        extract(copy, inbox, tmp_path / "out.jsonl", review=tmp_path / "queue.jsonl", overwrite=True)
    assert (tmp_path / "queue.jsonl").read_bytes() == before


RECORD = {
    "id": "a", "file": "x", "text": "Arden paid", "drawn": "all",
    "findings": [{"field": "names", "label": "person", "start": 0, "end": 5, "text": "Arden", "score": 0.9, "correct": True}],
}  # fmt: skip
FINDING, FIRST = RECORD["findings"][0], {**RECORD, "id": "z"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "this is no object"),
        (
            json.dumps(RECORD).replace('"correct": true', '"correct": true, "correct": false'),
            'the key "correct" occurs twice',
        ),
        ({**RECORD, "findings": 3}, '"findings" a list'),
        ({key: value for key, value in RECORD.items() if key != "text"}, 'the record has no "text"'),
        ({**RECORD, "findings": [{**FINDING, "correct": "yes"}]}, '"correct" of a finding is "yes". It must be true'),
        ({**RECORD, "findings": [{**FINDING, "correct": 1}]}, '"correct" of a finding is 1'),
        ({**RECORD, "findings": [{**FINDING, "end": 6}]}, "the finding person 0-6 is not what the text has there"),
        (
            {**RECORD, "findings": [{**FINDING, "label": "persn"}]},
            'a finding names "persn", which the task has not. Did you',
        ),
        ({**RECORD, "findings": [{**FINDING, "decision": "ok"}]}, '"decision" of a finding is "ok"'),
        ({**RECORD, "drawn": "mine"}, '"drawn" is "mine"'),
        (FIRST, 'the id "z" is there twice'),
        ({**RECORD, "id": ["a"]}, '"id" and "text" must be texts'),
        ({**RECORD, "findings": [{**FINDING, "label": ["person"]}]}, "Its field and label must be texts"),
        ({**RECORD, "findings": [{**FINDING, "field": {}}]}, "Its field and label must be texts"),
        ({**RECORD, "findings": [{**FINDING, "decision": 3}]}, '"decision" of a finding is 3'),
        ({**RECORD, "model": 3}, '"model" is 3. It must be the hash of the model, or null.'),
    ],
)
def test_a_queue_edited_by_hand_is_refused_by_line(tmp_path, line, message):
    file = tmp_path / "queue.jsonl"
    file.write_text("\n".join([json.dumps(FIRST), line if isinstance(line, str) else json.dumps(line)]) + "\n", "utf-8")
    with pytest.raises(UserError) as raised:
        read_queue(file, tiny.FIELDS)
    assert f"{file}:2: " in str(raised.value) and message in str(raised.value)


def test_a_queue_that_does_not_name_its_model_is_read_for_any(tmp_path):
    tiny.write_records(tmp_path / "queue.jsonl", [RECORD, {**FIRST, "model": None}])
    assert [document.id for document in read_queue(tmp_path / "queue.jsonl", tiny.FIELDS, "0123")] == ["a", "z"]


LEVELED = Field("names", "spans", ("person",), scheme="levels", levels=(2,), fragments=True)


def read_fragments(tmp_path, fragments, field=LEVELED, **more):
    """Return the gold of a queue with one finding, from 0 to 10, with these fragments."""
    finding = {**FINDING, "end": 10, "text": "Arden paid", "fragments": fragments, **more}
    tiny.write_records(tmp_path / "queue.jsonl", [{**RECORD, "findings": [finding]}])
    (document,) = read_queue(tmp_path / "queue.jsonl", [field])
    return document.gold["names"]


def test_fragments_of_a_queue_are_read_and_null_is_none(tmp_path):
    assert read_fragments(tmp_path, [[0, 3], [6, 10]]) == (Span(0, 10, "person", ((0, 3), (6, 10))),)
    for none in (None, []):
        assert (
            read_fragments(tmp_path, none) == read_fragments(tmp_path, none, tiny.FIELDS[2]) == (Span(0, 10, "person"),)
        )


@pytest.mark.parametrize(
    "fragments",
    [
        [[0, 10]],
        [[6, 10], [0, 3]],
        [[0, 3], [6.0, 10]],
        [[0, 3], [True, 10]],
        [[0, 3], [6, 9]],
        [[0, 3, 4], [6, 10]],
        "0 3;6 10",
        [3],
    ],
)
def test_fragments_of_a_queue_edited_by_hand_are_refused(tmp_path, fragments):
    with pytest.raises(UserError) as raised:
        read_fragments(tmp_path, fragments)
    message = (
        f'queue.jsonl:1: the finding person 0-10 has "fragments": {json.dumps(fragments)}. They are pairs of whole'
    )
    assert message in str(raised.value)


def test_a_queue_has_no_fragments_of_a_field_without_them(tmp_path):
    with pytest.raises(UserError, match="has 2 fragments; the field names has continuous spans"):
        read_fragments(tmp_path, [[0, 3], [6, 10]], tiny.FIELDS[2])


@pytest.mark.parametrize("name", ["label_studio", "doccano"])
def test_a_queue_for_an_annotation_tool_is_in_its_form_worst_first(copy, inbox, tmp_path, name):
    file = tmp_path / ("queue.json" if name == "label_studio" else "tool.jsonl")
    extract(copy, inbox, tmp_path / "out.jsonl", review=file, review_format=name)
    read = list(FORMATS[name].documents(file))
    extract(copy, inbox, tmp_path / "out2.jsonl", review=tmp_path / "queue.jsonl")
    queue = lines(tmp_path / "queue.jsonl")
    assert [document.text for document in read] == [record["text"] for record in queue]
    assert len(read[0].spans) == sum(each["field"] == "names" for each in queue[0]["findings"])


def test_documents_that_were_chosen_or_trained_on_measure_no_goal(copy, tmp_path, capsys):
    task, draw = load_task(copy), random.Random(4)
    fresh = [tiny.record(1000 + number, draw) for number in range(5)]
    trained = json.loads((task.folder / "train.jsonl").read_text("utf-8").splitlines()[0])
    file = tmp_path / "labeled.jsonl"
    chosen = [{**each, "chosen": "uncertain"} for each in fresh[:3]]
    tiny.write_records(file, [*chosen, *fresh[3:], {**trained, "id": "again"}])
    goals = parse_goals(["recall=0.5:person"], task.all_fields)
    labeled = labeled_documents(copy, task, goals, file)
    assert [document.id for document in labeled.documents] == [each["id"] for each in fresh[3:]]
    warned = capsys.readouterr().err
    assert "3 documents are left out, since they were chosen" in warned
    assert "1 documents are left out, since the model was trained" in warned
    tiny.write_records(file, chosen)
    with pytest.raises(UserError, match="no document is left"):
        labeled_documents(copy, task, goals, file)


@pytest.mark.parametrize("name", ["label_studio", "doccano"])
def test_a_queue_that_thresholds_have_chosen_is_marked_for_annotation_tools(copy, inbox, tmp_path, name):
    with_thresholds(copy, 1.0, 0.0)
    extract(copy, inbox, tmp_path / "out.jsonl", review=tmp_path / "queue.data", review_format=name)
    read = list(FORMATS[name].documents(tmp_path / "queue.data"))
    assert read and {document.metadata.get("chosen") for document in read} == {"uncertain"}


@pytest.mark.parametrize(("name", "file"), [("doccano", "queue.jsonl"), ("label_studio", "queue.json")])
def test_a_queue_of_an_annotation_tool_promises_a_precision_and_no_recall(copy, inbox, tmp_path, name, file):
    queue = tmp_path / file
    extract(copy, inbox, tmp_path / "out.jsonl", review=queue, review_format=name)
    assert {document.metadata.get("chosen") for document in FORMATS[name].documents(queue)} == {"found"}
    task = load_task(copy)
    precision, recall = (parse_goals([f"{each}=0.5:person"], task.all_fields) for each in ("precision", "recall"))
    if name == "label_studio":
        with pytest.raises(UserError, match="40 of the 40 texts of this queue are not reviewed"):
            labeled_documents(copy, task, precision, queue)
        tasks = json.loads(queue.read_text("utf-8"))
        for each in tasks:
            each["annotations"] = [{"result": each["predictions"][0]["result"]}]
        queue.write_text(json.dumps(tasks), "utf-8")
    with pytest.raises(UserError, match="a review queue has no texts without findings"):
        labeled_documents(copy, task, recall, queue)
    assert len(labeled_documents(copy, task, precision, queue).documents) == 40


def test_options_of_the_format_of_reviewed_documents_are_given(copy, tmp_path):
    file, task = tmp_path / "labeled.jsonl", load_task(copy)
    record = {"id": 1, "text": "\N{GRINNING FACE} Arden paid", "label": [[3, 8, "person"]], "Comments": []}
    tiny.write_records(file, [record])  # as marked on the page of doccano, which counts an emoji twice
    goals = parse_goals(["precision=0.5:person"], task.all_fields)
    with pytest.raises(UserError, match="Set the option offsets to utf16"):
        labeled_documents(copy, task, goals, file)
    (document,) = labeled_documents(copy, task, goals, file, ["offsets=utf16"]).documents
    assert [document.text[span.start : span.end] for span in document.gold["names"]] == ["Arden"]
    with pytest.raises(UserError, match=r"options of a format \(offsets=utf16\) are for labeled documents"):
        labeled_documents(copy, task, goals, None, ["offsets=utf16"])


def exported(tasks, kind, rejected, unreviewed=()):
    """Return tasks of Label Studio as the tool exports them when people have rejected some fields of all but ten texts.

    It exports no result for a question without a choice, and of predictions that nobody submitted only the ids.
    """
    tasks = [{**each, "id": number} for number, each in enumerate(tasks)]
    for each in tasks:
        results = each["predictions"][0]["result"]
        kept = [item for item in results if each["id"] < 10 or item["from_name"] not in rejected]
        kept = [item for item in kept if item["value"].get("choices") != []]
        each["annotations"] = [] if each["id"] in unreviewed else [{"completed_by": 1, "result": kept}]
        each["predictions"] = [each["id"]]
    if kind == "label_studio":
        return tasks
    flat = []
    for each in tasks:
        record = {**each["data"], "id": each["id"], "annotator": 1, "annotation_id": each["id"]}
        for item in each["annotations"][0]["result"] if each["annotations"] else ():
            if item["type"] == "labels":
                place = {key: value for key, value in item["value"].items() if key != "choices"}
                record.setdefault(item["from_name"], []).append(place)
            else:
                several = len(item["value"]["choices"]) > 1
                record[item["from_name"]] = (
                    {"choices": item["value"]["choices"]} if several else item["value"]["choices"][0]
                )
        flat.append(record)
    return flat


@pytest.mark.parametrize("kind", ["label_studio", "label_studio_min"])
def test_what_people_have_rejected_in_label_studio_is_reviewed(copy, inbox, tmp_path, kind):
    queue, task = tmp_path / "queue.json", load_task(copy)
    extract(copy, inbox, tmp_path / "out.jsonl", review=queue, review_format="label_studio")
    tasks = json.loads(queue.read_text("utf-8"))
    goals = {name: parse_goals([f"precision=0.5:{name}"], task.all_fields) for name in ("late", "person", "trade")}

    def read_gold(name, *parts):
        queue.write_text(json.dumps(exported(tasks, kind, *parts)), "utf-8")
        return [document.gold for document in labeled_documents(copy, task, goals[name], queue).documents]

    gold = read_gold("late", ())
    assert len(gold) == 40 and {each["risks"] for each in gold} == {(), ("late",), ("cash",), ("late", "cash")}
    assert {each["risks"] for each in read_gold("late", ("topic", "names", "risks"))[10:]} == {()}
    assert {each["names"] for each in read_gold("person", ("topic", "names", "risks"))[10:]} == {()}
    assert all(each["names"] for each in read_gold("person", ("risks",)))
    with pytest.raises(UserError, match="30 of the 40 texts of this queue are not reviewed"):
        read_gold("trade", ("topic", "risks"))
    if kind == "label_studio":
        for name in goals:
            with pytest.raises(UserError, match="1 of the 40 texts of this queue are not reviewed"):
                read_gold(name, (), [7])


@pytest.mark.parametrize("name", ["doccano", "brat"])
def test_a_queue_in_the_folder_of_the_inputs_is_no_input_and_the_same_command_does_nothing(
    copy, tmp_path, capsys, name
):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Arden paid 5.975,74 to Brisk.", "utf-8")
    queue = folder / ("queue.jsonl" if name == "doccano" else "queue")
    words = {"review": queue, "review_format": name}
    extract(copy, folder, folder / "out.jsonl", **words)
    written = jobs.files_of(folder)
    assert any(path.startswith("queue") for path in written)
    counts = extract(copy, folder, folder / "out.jsonl", **words)
    assert counts["documents"] == 1 and "written already" in capsys.readouterr().err
    assert jobs.files_of(folder) == written
    extract(copy, folder, folder / "out.jsonl", **words, overwrite=True)
    assert jobs.files_of(folder).keys() == written.keys()
    if name == "brat":
        (queue / "work.ann").write_text("T1", "utf-8")
        with pytest.raises(UserError, match="may have annotations of people"):
            extract(copy, folder, folder / "out.jsonl", **words, overwrite=True)
        with pytest.raises(UserError, match="queue: the output is a folder"):
            extract(copy, folder, folder / "out.jsonl", review=queue)


def test_a_queue_that_people_have_worked_on_is_kept(copy, inbox, tmp_path):
    queue, tool = tmp_path / "queue.jsonl", tmp_path / "queue.json"
    extract(copy, inbox, tmp_path / "out.jsonl", review=queue)
    records = lines(queue)
    records[1]["findings"][0]["correct"] = False
    queue.write_text("".join(json.dumps(each, separators=(",", ":")) + "\n" for each in records), "utf-8")
    with pytest.raises(UserError, match=r"queue\.jsonl:2: this queue has decisions"):
        extract(copy, inbox, tmp_path / "out.jsonl", review=queue, overwrite=True)
    words = {"review": tool, "review_format": "label_studio"}
    extract(copy, inbox, tmp_path / "tool.jsonl", **words)
    extract(copy, inbox, tmp_path / "tool.jsonl", **words, overwrite=True)
    tool.write_bytes(before := tool.read_bytes() + b" ")
    for output in ("tool.jsonl", "other.jsonl"):
        with pytest.raises(UserError, match="may have annotations of people"):
            extract(copy, inbox, tmp_path / output, **words, overwrite=True)
    assert tool.read_bytes() == before


def brat_folder(copy, tmp_path):
    """Return a folder with a text, the words of a command with a queue for brat, and what it has written."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "a.txt").write_text("Arden paid 5.975,74 to Brisk.", "utf-8")
    words = {"review": home / "q", "review_format": "brat"}
    extract(copy, home / "a.txt", home / "out.jsonl", **words)
    return home, words, jobs.files_of(home)


def annotate(queue):
    """Work on a queue as a person does, and return the file and its content."""
    file = next(queue.rglob("*.ann"))
    file.write_bytes(work := file.read_bytes() + b"#1\tAnnotatorNotes T1\tchecked\n")
    return file, work


def test_a_queue_that_people_work_on_while_a_job_overwrites_it_is_kept(copy, tmp_path, monkeypatch, capsys):
    home, words, written = brat_folder(copy, tmp_path)
    finish, work = job._finish, []
    monkeypatch.setattr(job, "_finish", lambda *parts: (work.append(annotate(home / "q")), finish(*parts)))
    arguments = ["extract", copy, home / "a.txt", "-o", home / "out.jsonl", "--review", home / "q"]
    result = invoke(*arguments, "--review-format", "brat", "--overwrite")
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (
        f"{home / 'q'}: this exists and may have annotations of people, which are kept. Move it, and give the same "
        "command without --overwrite: the new queue is written then."
    )
    assert "The same command without --overwrite goes on from there" in capsys.readouterr().err + result.output
    ((file, content),) = work
    assert file.read_bytes() == content
    monkeypatch.setattr(job, "_finish", finish)
    with pytest.raises(UserError, match="may have annotations of people"):
        extract(copy, home / "a.txt", home / "out.jsonl", **words)
    assert file.read_bytes() == content
    (home / "q").rename(tmp_path / "moved")
    extract(copy, home / "a.txt", home / "out.jsonl", **words)
    assert jobs.files_of(home) == written


@pytest.mark.parametrize("work", [False, True])
def test_a_job_that_was_killed_replaces_its_own_queue_and_no_other(copy, tmp_path, monkeypatch, work):
    home, words, written = brat_folder(copy, tmp_path)
    (home / "q" / "annotation.conf").write_text("of another version", "utf-8")
    manifest = home / "out.jsonl.manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    content["outputs"]["q"]["sha256"] = of_path(home / "q")
    manifest.write_text(json.dumps(content), "utf-8")

    def kill(*parts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "_size", kill)  # the queue is written, and no manifest says so
        with pytest.raises(KeyboardInterrupt):
            extract(copy, home / "a.txt", home / "out.jsonl", **words, overwrite=True)
    queue = {name: written[name] for name in written if name.startswith("q/")}
    assert {name: each for name, each in jobs.files_of(home).items() if name.startswith("q/")} == queue
    if work:
        file, content = annotate(home / "q")
        with pytest.raises(UserError, match="may have annotations of people"):
            extract(copy, home / "a.txt", home / "out.jsonl", **words)
        assert file.read_bytes() == content
    else:
        extract(copy, home / "a.txt", home / "out.jsonl", **words)
        assert jobs.files_of(home) == written


def test_decisions_in_a_queue_of_lines_during_a_job_are_kept(copy, inbox, tmp_path, monkeypatch):
    queue, finish = tmp_path / "queue.jsonl", job._finish
    extract(copy, inbox, tmp_path / "out.jsonl", review=queue)

    def decide(*parts):
        records = lines(queue)
        records[0]["findings"][0]["correct"] = True
        tiny.write_records(queue, records)
        finish(*parts)

    monkeypatch.setattr(job, "_finish", decide)
    with pytest.raises(UserError, match=r"queue\.jsonl:1: this queue has decisions of people, which are kept. Move it"):
        extract(copy, inbox, tmp_path / "out.jsonl", review=queue, overwrite=True)
    assert lines(queue)[0]["findings"][0]["correct"]
    assert sorted(file.name for file in tmp_path.glob("*queue*")) == ["queue.jsonl"]


def test_a_queue_needs_a_file_of_findings_and_a_format_that_is_written(copy, inbox, tmp_path):
    result = invoke("extract", copy, inbox, "--review", tmp_path / "queue.jsonl")
    assert "a queue for review goes with findings in a file" in str(result.exception)
    for words, message in (
        ({"review_format": "doccano"}, "the format of a queue is given without one"),
        ({"review": tmp_path / "q.x", "review_format": "labelstudio"}, "label_studio"),
        ({"review": inbox}, "is no review queue"),
        ({"review": tmp_path / "q.jsonl", "labels": ["person"]}, "without --label and --min-score"),
        ({"review": tmp_path / "q.jsonl", "min_score": 0.5}, "without --label and --min-score"),
    ):
        with pytest.raises(UserError, match=message):
            extract(copy, inbox, tmp_path / "out.jsonl", **words)


def test_an_interrupted_job_ends_with_the_same_queue(copy, inbox, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHARACTERS", 600)
    monkeypatch.setattr(job, "COMMIT_SECONDS", 0.0)
    with_thresholds(copy, 0.7, 0.5)
    extract(copy, inbox, tmp_path / "whole.jsonl", review=tmp_path / "queue.jsonl")
    written = job._append

    def fail(*parts, calls=[]):  # noqa: B006 - counts its calls
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        written(*parts)

    monkeypatch.setattr(job, "_append", fail)
    with pytest.raises(KeyboardInterrupt):
        extract(copy, inbox, tmp_path / "part.jsonl", review=tmp_path / "again.jsonl")
    assert not (tmp_path / "again.jsonl").exists()
    with_thresholds(copy, 0.6, 0.5)
    with pytest.raises(UserError, match="with calibration"):
        extract(copy, inbox, tmp_path / "part.jsonl", review=tmp_path / "again.jsonl")
    with_thresholds(copy, 0.7, 0.5)
    counts = extract(copy, inbox, tmp_path / "part.jsonl", review=tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "queue.jsonl").read_bytes()
    assert (tmp_path / "part.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert counts.to_review == sum(
        each["decision"] == "review" for r in lines(tmp_path / "queue.jsonl") for each in r["findings"]
    )


def test_drift_is_reported_for_other_texts_and_not_for_like_ones(copy, inbox, tmp_path):
    result = invoke("drift", copy, inbox)
    assert result.exit_code == 0, result.output
    other = [{"id": str(n), "text": f"ZXQ 7 JJW {n} KKV PPL UUM QQ"} for n in range(60)]
    tiny.write_records(tmp_path / "other.jsonl", other)
    with_thresholds(copy, 0.7, 0.5)
    result = invoke("drift", copy, tmp_path / "other.jsonl")
    assert result.exit_code == 1
    assert "The promise no longer holds: the texts are not like those of dev. " in result.output
    calibrate(copy, ["precision=0.99:amount"])
    result = invoke("drift", copy, tmp_path / "other.jsonl")
    assert result.exit_code == 1 and "promise" not in result.output, "the run has no goal"
    assert "The texts are not like those of dev. " in result.output
    (copy / "calibration.json").unlink()
    result = invoke("drift", copy, inbox)
    assert "the run has no scores of dev to compare with" in str(result.exception)


def test_a_promise_goes_with_the_weights_that_it_is_of(copy, tmp_path):
    with_thresholds(copy, 0.7, 0.5)
    extractor = Extractor.from_pretrained(copy)
    extractor.save_pretrained(tmp_path / "saved")
    again = Extractor.from_pretrained(tmp_path / "saved").calibration
    assert isinstance(again, Calibration) and again.thresholds == extractor.calibration.thresholds
