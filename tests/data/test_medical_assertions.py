"""The shipped task medical_assertions: gold assertions, the claims of its card, and a training."""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import tiny

import electra_ie
from electra_ie.data.anchored.marked_spans import Sentences
from electra_ie.data.document import Span
from electra_ie.data.fields import AttributeField
from electra_ie.data.task import Task
from electra_ie.records.grouping import RecordMaker
from electra_ie.runs.layout import is_finished
from tasks.generation import assertion_baseline, assertion_phrases

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "tasks" / "medical_assertions"
CARD = " ".join((ROOT / "data_cards" / "medical_assertions.md").read_text("utf-8").split())
LABELS = ("present", "negated", "historical", "other_person", "hypothetical")
LISTS = {name: content for name, content in vars(assertion_phrases).items() if name.isupper()}


@pytest.fixture(scope="module")
def task():
    return Task.load("medical_assertions")


def test_every_gold_span_has_one_of_the_assertions(task):
    (field,) = task.anchored
    assert isinstance(field, AttributeField)
    assert (field.labels, field.of) == (LABELS, ("FINDING", "CONDITION"))
    for split in ("train", "dev", "test"):
        counts: Counter[str] = Counter()
        for document in task.read(split):
            attributes = document.gold["assertion"]
            assert [each.span for each in attributes] == list(document.gold["entities"])
            counts.update(each.label for each in attributes)
        assert set(counts) == set(LABELS)
        assert min(counts.values()) / counts.total() > 0.05
        assert counts["present"] / counts.total() < 0.5


@pytest.mark.parametrize("name", LISTS)
def test_templates_name_the_assertion_of_each_entity(name):
    """A list of one assertion has no other one, the remarks have no entity, and turns have several assertions."""
    own = {"OPENINGS": "present", "TURNS": "", "REMARKS": ""}.get(name, name.lower())
    found = [set(re.findall(r"\{(?:finding|condition|either|again):(\w+)\}", template)) for template in LISTS[name]]
    assert not any(re.search(r"\{(?:finding|condition|either|again)\}", template) for template in LISTS[name])
    if own:
        assert all(one == {own} for one in found)
    elif name == "REMARKS":
        assert not any(found)
    else:
        assert sum(len(one) > 1 for one in found) / len(found) > 0.85
        assert set().union(*found) == set(LABELS)


def test_names_and_sentences_alone_do_not_decide(task):
    """Most names of train have several assertions, and many notes and sentences of test have several for their spans."""
    said: dict[str, set[str]] = defaultdict(set)
    for document in task.read("train"):
        for each in document.gold["assertion"]:
            said[document.text[each.span.start : each.span.end].lower()].add(each.label)
    frequent = [labels for labels in said.values() if len(labels) > 1]
    assert len(frequent) / len(said) > 0.6
    again, mixed, total = 0, 0, 0
    for document in task.read("test"):
        sentences = Sentences(document.text)
        by_name, by_sentence = defaultdict(set), defaultdict(set)
        for each in document.gold["assertion"]:
            by_name[document.text[each.span.start : each.span.end].lower()].add(each.label)
            by_sentence[sentences.of(each.span)].add(each.label)
        again += any(len(labels) > 1 for labels in by_name.values())
        mixed += sum(len(labels) > 1 for labels in by_sentence.values())
        total += len(by_sentence)
    assert f"{again} notes of test say two things of one name" in CARD
    assert f"{round(100 * mixed / total)} % of the sentences with an entity have several assertions" in CARD


@pytest.mark.slow
def test_the_card_quotes_the_cheap_methods():
    table = assertion_baseline.show()
    assert " ".join(table.split()) in CARD, table
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    majority, rule, *learned = [float(row[1].split(" ")[0]) for row in rows]
    assert majority < rule < min(learned) < 90, "the rule is there to be beaten, and words in any order do not suffice"


def test_the_features_of_the_cheap_method_know_their_side():
    text = "No fever. Denies pain but coughs."
    span = Span(17, 21, "FINDING")
    features = assertion_baseline.context(text, span, Sentences(text))
    assert features == ["<denies", "<| denies", "<denies |", ">but", ">coughs", ">| but", ">but coughs", ">coughs |"]


def test_only_conditions_of_the_patient_have_a_record(task):
    (document,) = (each for each in task.read("test") if each.id == "test-0000")
    said = {each.span: each.label for each in document.gold["assertion"] if each.span.label == "CONDITION"}
    passages = {document.text[span.start : span.end]: label for span, label in said.items()}
    made = [
        tuple(record.entries[name][0].mention.source for name in ("condition", "status"))
        for record in RecordMaker(task).of_gold(document, task)
    ]
    assert dict(made) == {text: label for text, label in passages.items() if label in ("present", "historical")}
    assert 0 < len(made) < len(passages)


@pytest.mark.slow
def test_check_finds_no_mistake():
    report = electra_ie.check("medical_assertions")
    assert report.passed
    assert {(row.split, row.labeled) for row in report.splits} == {
        ("train", 200),
        ("dev", 100),
        ("test", 300),
        ("pool", 0),
    }


def test_the_task_trains_and_is_scored_beside_the_rule(encoder, tmp_path):
    """A few steps of a tiny encoder, which finds nothing: the assertions of gold spans are scored, and the records."""
    folder = tmp_path / "medical_assertions"
    folder.mkdir()
    shutil.copy(SHIPPED / "task.yaml", folder)
    for split, size in (("train", 12), ("dev", 4), ("test", 4), ("unlabeled", 1)):
        lines = (SHIPPED / f"{split}.jsonl").read_text("utf-8").splitlines(keepends=True)
        (folder / f"{split}.jsonl").write_text("".join(lines[:size]), "utf-8", newline="")
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=4, num_evaluations=1)
    run = electra_ie.train(folder, tmp_path / "run", **settings).path
    scores = electra_ie.evaluate(run, "test")
    metrics = scores["assertion"].metrics
    assert set(metrics["given_spans"]["labels"]) == set(LABELS)
    assert metrics["rule_baseline"]["rule"] == "cue words"
    assert metrics["rule_baseline"]["support"] == metrics["given_spans"]["support"] > 20
    assert set(scores.records["fields"]) == {"condition", "status"}
    assert is_finished(run)
    assert (run / "assertion" / "model.safetensors").exists()
