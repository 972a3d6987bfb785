"""The task transaction_relations: relations that the templates of transaction_risk state, and its unchanged data."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

import electra_ie
from electra_ie.data.anchored.relation_pairs import PairRules
from electra_ie.data.task import Task
from electra_ie.records.grouping import RecordMaker
from tasks.generation import relation_rule
from tasks.generation.grammar import closing, is_statement
from tasks.generation.transaction_payment import Payment
from tasks.generation.transaction_phrases import STORIES, shared
from tasks.generation.transaction_relations import CUSTOMER, ENDS, OF_CUSTOMER, relations

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "tasks"
CARD = (ROOT / "data_cards" / "transaction_relations.md").read_text("utf-8")
LABELED = ("train", "dev", "test")
HASHES = {
    "train": "f385675eaad8c9f8532c9f2717c0154d167746ad793479e5ac33987e3bdeabc3",
    "dev": "c89a93e4f300a95a9759b04a6870099a17f491c19556a1a2de6c5b00c23440ce",
    "test": "605a12367051d776a3f637635834db3030d7de02f97e013eb9d0834381953129",
    "unlabeled": "252918d5c278177215ed7fc8123dd06f5d7d844ae2292f768df3592338833ecc",
}
"""SHA-256 of the files of transaction_risk on which benchmarks/results were measured."""
LABEL_OF_SLOT = {
    **dict.fromkeys(("amount", "small", "low", "big", "parts", "credit", "passed"), ("AMOUNT",)),
    **dict.fromkeys(("party", "again", "holder", "person"), ("COUNTERPARTY",)),
    "account": ("ACCOUNT",),
    CUSTOMER: ("COUNTERPARTY", "ACCOUNT"),
}
UNRELATED = (
    "{n} [pieces|parts|tranches] of", "as {n} transfers", "standing orders", "school fees", "{n} batches", "{big} [passed|ran]",
    "{big} went through", "sends the whole {amount} on", "documentary collection", "trade in {goods}",
)  # fmt: skip
"""Parts of the templates with amounts of which it is not said who pays them, or who is paid."""


def records(task: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TASKS / task / f"{split}.jsonl").read_text("utf-8").splitlines()]


def templates() -> list[str]:
    of_stories = [
        each for story in STORIES.values() for kind in vars(story).values() if isinstance(kind, list) for each in kind
    ]
    return [*of_stories, *(each for opening in shared.OPENINGS.values() for each in opening)]


def slots(template: str) -> set[str]:
    """The names of the slots and the statements of a template, at any depth."""
    braces = [match.start() for match in re.finditer(r"\{", template)]
    return {template[start + 1 : closing(template, start) - 1].partition(":")[0] for start in braces}


@pytest.mark.parametrize("split", HASHES)
def test_the_data_that_was_measured_is_unchanged(split):
    assert hashlib.sha256((TASKS / "transaction_risk" / f"{split}.jsonl").read_bytes()).hexdigest() == HASHES[split]


@pytest.mark.parametrize("split", LABELED)
def test_texts_and_spans_are_those_of_transaction_risk(split):
    for record, other in zip(records("transaction_relations", split), records("transaction_risk", split), strict=True):
        assert list(record) == ["id", "text", "entities", "relations"]
        assert [record[key] for key in ("id", "text", "entities")] == [other[key] for key in ("id", "text", "entities")]


def test_the_unlabeled_texts_are_those_of_transaction_risk():
    unlabeled = Task.load("transaction_relations").read("unlabeled")
    assert [document.text for document in unlabeled] == [
        each["text"] for each in records("transaction_risk", "unlabeled")
    ]
    assert not any(document.gold for document in unlabeled)


@pytest.mark.parametrize("split", LABELED)
def test_relations_are_between_spans_of_the_record_and_once_each(split):
    for record in records("transaction_relations", split):
        spans = [{key: span[key] for key in ("start", "end", "label")} for span in record["entities"]]
        pairs = [(spans.index(relation["head"]), spans.index(relation["tail"])) for relation in record["relations"]]
        assert pairs == sorted(set(pairs))
        for relation in record["relations"]:
            assert (relation["head"]["label"], relation["tail"]["label"]) in ENDS[relation["label"]]


def test_the_task_declares_the_labels_and_pairs_of_the_generator():
    (field,) = Task.load("transaction_relations").relations
    assert field.labels == tuple(ENDS)
    assert set(field.between) == {pair for pairs in ENDS.values() for pair in pairs}


@pytest.mark.parametrize("template", [each for each in templates() if any(map(is_statement, slots(each)))])
def test_statements_are_of_slots_of_their_template(template):
    for head, label, tail in (each.split() for each in slots(template) if is_statement(each)):
        # An opening may state of the amount what holds for its column only.
        assert {head, tail} <= slots(template) | {CUSTOMER} | (
            {"amount"} if template in sum(shared.OPENINGS.values(), []) else set()
        )
        assert head != CUSTOMER
        assert {(one, other) for one in LABEL_OF_SLOT[head] for other in LABEL_OF_SLOT[tail]} <= set(ENDS[label])


def test_each_template_with_an_amount_says_who_pays_or_is_paid_unless_it_leaves_this_open():
    unstated = set()
    for template in templates():
        names = slots(template)
        if {"AMOUNT"} & {LABEL_OF_SLOT.get(name, ("",))[0] for name in names} and not any(map(is_statement, names)):
            unstated.add(template)
    assert {part for part in UNRELATED if any(part in template for template in unstated)} == set(UNRELATED)
    assert all(any(part in template for part in UNRELATED) for template in unstated), unstated


def related(*chosen: str, columns: tuple[str, ...] = (), seed: int = 0) -> tuple[str, set[tuple[str, str, str]]]:
    """The text of the sentences of these templates, and their relations by the texts of head and tail."""
    payment = Payment(random.Random(seed), "test", "personal")
    sentences = [payment.sentence([each]) for each in chosen]
    found = [piece for sentence in sentences for piece in sentence.pieces if piece.label]
    names = [name for sentence in sentences for name in sentence.mentions]
    assert len(found) == len(names), "each span has its slot"
    texts = [*(f"column {name}" for name in columns), *(piece.text for piece in found)]
    labels = [*(LABEL_OF_SLOT[name][0] for name in columns), *(piece.label for piece in found)]
    spans = [{"start": place, "end": place, "label": label} for place, label in enumerate(labels)]
    return "".join(piece.text for sentence in sentences for piece in sentence.pieces), {
        (texts[each["head"]["start"]], each["label"], texts[each["tail"]["start"]])
        for each in relations(spans, columns, sentences)
    }


@pytest.mark.parametrize(("verb", "label"), [("bought from", "paid_to"), ("sold to", "paid_by")])
def test_the_chosen_words_decide_who_pays(verb, label):
    (template,) = (each for each in shared.OPENINGS["trade"] if "sold to" in each)
    for seed in range(40):
        text, found = related(template, columns=("amount",), seed=seed)
        if verb in text:
            assert {of for _, of, _ in found} == {label}
            assert len(found) == 2, "the amount of the column and that of the sentence"
            return
    pytest.fail(f"no text with {verb}")


def test_amounts_belong_to_the_person_of_their_turn_and_to_the_customer_of_the_first_sentence():
    _, found = related(
        "current account {account} of {holder}{account held_by holder}",
        "{credit} from {person} and {credit} from {person}; {passed} to {party}{credit paid_by person}{passed paid_to party}"
        "{credit paid_to customer}{passed paid_by customer}",
    )
    persons = [(head, tail) for head, label, tail in sorted(found) if label == "paid_by"]
    held = {label: {tail for _, of, tail in found if of == label} for label in ENDS}
    assert Counter(label for _, label, _ in found) == {"paid_to": 5, "paid_by": 4, "held_by": 1}
    assert len({head for head, _ in persons}) == 3
    assert set(OF_CUSTOMER) == {"holder", "account"}
    assert held["held_by"] < held["paid_by"]


def test_an_account_of_somebody_else_is_not_that_of_the_sender():
    template = "credit {small} from {person} to {account}{small paid_by person}{small paid_to account}"
    assert template.replace(" to {account}", "[ to {account}|]") in shared.OPENINGS["personal"]
    assert {label for _, label, _ in related(template)[1]} == {"paid_by", "paid_to"}


def test_the_text_decides_the_relations():
    test = records("transaction_relations", "test")
    found = [relation_rule.words(record["text"], relation_rule.gold_spans(record)) for record in test]
    assert relation_rule.f1(map(relation_rule.gold_relations, test), found) > 0.95
    nearest = relation_rule.nearest(records("transaction_relations", "train"))
    found = [nearest(record["text"], relation_rule.gold_spans(record)) for record in test]
    assert relation_rule.f1(map(relation_rule.gold_relations, test), found) < 0.8


def test_the_card_quotes_the_scores_of_the_rules():
    assert relation_rule.show(TASKS) in CARD


@pytest.mark.parametrize("split", LABELED)
def test_the_card_quotes_the_counts_of_each_split(split):
    of_split = records("transaction_relations", split)
    counts = Counter(
        (each["label"], each["head"]["label"], each["tail"]["label"])
        for record in of_split
        for each in record["relations"]
    )
    amounts = {
        is_related: sum(
            any(each["head"]["start"] == span["start"] for each in record["relations"]) == is_related
            for record in of_split for span in record["entities"] if span["label"] == "AMOUNT"
        )
        for is_related in (True, False)
    }  # fmt: skip
    of_types = [counts[label, *pair] for label, pairs in ENDS.items() for pair in pairs]
    row = [len(of_split), sum(not record["relations"] for record in of_split), *of_types, *amounts.values()]
    assert f"\n| {split} | {' | '.join(map(str, row))} |\n" in CARD


def test_the_card_quotes_the_pairs_and_the_relations_that_are_too_far_apart():
    task = Task.load("transaction_relations")
    (field,) = task.relations
    splits = {split: task.read(split) for split in LABELED}
    rules = PairRules.learn(field, splits["train"])
    lost, pairs = {}, {}
    for split, documents in splits.items():
        labeled = [rules.labeled(field, document, document.gold["entities"]) for document in documents]
        pairs[split] = sum(len(labels) for labels, _ in labeled)
        lost[split] = sum(of_document.total() for _, of_document in labeled)
    text = " ".join(CARD.split())
    assert f"{pairs['train']} pairs of train and {pairs['test']:,} of test" in text
    assert f"{lost['train']} relations of train and {lost['test']} of test" in text


def test_each_amount_has_a_record_with_payer_payee_and_accounts():
    pytest.importorskip("babel", reason="the extra values is not installed")
    task = Task.load("transaction_relations")
    maker = RecordMaker(task)
    roles = {("paid_by", "COUNTERPARTY"): "payer", ("paid_to", "COUNTERPARTY"): "payee",
             ("paid_by", "ACCOUNT"): "from_account", ("paid_to", "ACCOUNT"): "to_account"}  # fmt: skip
    for document in task.read("dev"):
        amounts = [span for span in document.gold["entities"] if span.label == "AMOUNT"]
        for amount, made in zip(amounts, maker.of_gold(document, task), strict=True):
            said = [
                (roles[each.label, each.tail.label], each.tail.start)
                for each in document.gold["relations"] if each.head == amount
            ]  # fmt: skip
            filled = {(name, entry.mention.start) for name, entries in made.entries.items() for entry in entries}
            assert filled == {*said, ("amount", amount.start)}


@pytest.mark.slow
def test_a_run_learns_and_scores_relations_and_records(encoder, tmp_path):
    """Two steps on the tiny encoder: the shipped files are read, trained on, scored and made records of."""
    pytest.importorskip("babel", reason="the extra values is not installed")
    settings = tiny.settings(
        encoder("bert"), "supervised", max_steps=2, window=64, num_evaluations=1, max_dev_documents=5
    )
    result = electra_ie.train("transaction_relations", tmp_path / "run", label_budget=8, **settings)
    saved = yaml.safe_load((result.path / "task.yaml").read_text("utf-8"))
    assert saved["record"]["relation"] == "relations"
    dev = records("transaction_relations", "dev")[:10]
    scores = electra_ie.evaluate(result.path, "dev", data=dev)
    assert scores["relations"].metrics["support"] == sum(len(record["relations"]) for record in dev)
    assert scores.records["fields"]["amount"]["support"] > 0
