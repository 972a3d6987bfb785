"""The data of the generated tasks: the claims of the data cards, and the bytes that the generator writes."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from electra_ie.cli.demo import score_keyword_rule
from electra_ie.data.task import Task

ROOT = Path(__file__).parents[2]
SIZES = {
    "transaction_risk": {"train": 200, "dev": 120, "test": 400, "unlabeled": 1360},
    "medical_case": {"train": 200, "dev": 100, "test": 300, "unlabeled": 800},
    "medical_assertions": {"train": 200, "dev": 100, "test": 300, "unlabeled": 800},
}
SPLITS = [(task, split) for task, sizes in SIZES.items() for split in sizes]
LIMITS_AND_ROUND_SUMS = {"10000", "15000", "20000", "55000", "100", "1000", "2500", "5000", "12000"}
PRICED = re.compile(r"(pric\w*|gives|pays|(was|is) (about|around))( (was|is))?( (about|around))? $", re.IGNORECASE)
"""Text before a market price."""
MIN_UNSEEN = {
    "transaction_risk": {"COUNTERPARTY": 0.9, "COUNTRY": 0.5, "ACCOUNT": 0.9},
    "medical_case": {"FINDING": 0.45, "CONDITION": 0.45, "MEDICATION": 0.45},
    "medical_assertions": {"FINDING": 0.45, "CONDITION": 0.45},
}
"""Minimum share of a label's test spans whose text, ignoring case, is not a span of that label in train."""


def records(task: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "tasks" / task / f"{split}.jsonl").read_text("utf-8").splitlines()]


def labeled(task: str) -> list[dict[str, Any]]:
    return [record for split in ("train", "dev", "test") for record in records(task, split)]


def fields(task: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "tasks" / task / "task.yaml").read_text("utf-8"))["fields"]


def module(*arguments: str) -> str:
    """Return what a command of the generator prints, run in another process, which has another hash seed."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_generator_writes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    module("tasks.generation", str(tmp_path))
    for name in (f"{task}/{split}.jsonl" for task, split in [*SPLITS, ("transaction_relations", "test")]):
        assert (tmp_path / name).read_bytes() == (ROOT / "tasks" / name).read_bytes(), name


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_splits_have_their_sizes_and_keys(task: str, split: str) -> None:
    split_records = records(task, split)
    assert len(split_records) == SIZES[task][split]
    declared = {name for name, field in fields(task).items() if field["kind"] != "attributes"}
    expected = {"id", "text"} if split == "unlabeled" else {"id", "text", *declared}
    assert all(set(record) == expected for record in split_records)


@pytest.mark.parametrize("task", SIZES)
def test_ids_and_texts_are_unique_over_all_splits(task: str) -> None:
    all_records = [record for split in SIZES[task] for record in records(task, split)]
    for key in ("id", "text"):
        assert [value for value, times in Counter(record[key] for record in all_records).items() if times > 1] == []


@pytest.mark.parametrize("task", SIZES)
def test_spans_match_their_text_and_have_no_outer_white_space(task: str) -> None:
    allowed = fields(task)["entities"]["labels"]
    for record in labeled(task):
        spans = sorted(record["entities"], key=lambda span: span["start"])
        for span in spans:
            assert record["text"][span["start"] : span["end"]] == span["text"] == span["text"].strip() != ""
            assert span["label"] in allowed
        assert all(one["end"] <= other["start"] for one, other in zip(spans, spans[1:], strict=False))


@pytest.mark.parametrize("task", SIZES)
def test_labeled_text_is_labeled_at_all_occurrences(task: str) -> None:
    for record in labeled(task):
        covered = [(span["start"], span["end"]) for span in record["entities"]]
        for span in record["entities"]:
            for match in re.finditer(rf"(?<!\w){re.escape(span['text'])}(?!\w)", record["text"], re.IGNORECASE):
                inside = any(start <= match.start() and match.end() <= end for start, end in covered)
                assert inside, (record["id"], match)


def test_unlabeled_money_is_a_limit_a_price_or_a_round_sum() -> None:
    number = r"\d{1,3}(?:[ .,]\d{3})+(?:[.,]\d\d)?|\d+(?:[.,]\d\d)?"
    currency = r"(?:USD|EUR|GBP|CHF|SGD|CAD|AED)"
    money = re.compile(rf"{currency} (?:{number})|(?:{number}) {currency}\b", re.IGNORECASE)
    unlabeled = 0
    for record in labeled("transaction_risk"):
        text, covered = record["text"], [(span["start"], span["end"]) for span in record["entities"]]
        for match in money.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in covered):
                continue
            unlabeled += 1
            whole = re.sub(r"[.,]\d\d(?!\d)|\D", "", match[0])
            priced = text[match.end() :].lower().startswith(" per ") or bool(PRICED.search(text[: match.start()]))
            assert priced or whole in LIMITS_AND_ROUND_SUMS, (record["id"], match[0])
    assert unlabeled > 50


def test_labels_of_texts_are_those_of_the_task_and_imbalanced() -> None:
    allowed = fields("transaction_risk")["flags"]["labels"]
    for split in ("train", "dev", "test"):
        flags = [record["flags"] for record in records("transaction_risk", split)]
        counts = Counter(flag for of_record in flags for flag in of_record)
        assert set(counts) == set(allowed)
        assert all(len(set(of_record)) == len(of_record) for of_record in flags)
        assert 0.5 < flags.count([]) / len(flags) < 0.6
        assert 0.04 < min(counts.values()) / len(flags) < 0.08
    outcomes = fields("medical_case")["outcome"]["labels"]
    for split in ("train", "dev", "test"):
        counts = Counter(record["outcome"] for record in records("medical_case", split))
        assert set(counts) == set(outcomes)
        assert counts["recovered"] > 3 * counts["died"]


@pytest.mark.parametrize("task", SIZES)
def test_share_of_unseen_names_is_as_the_card_claims(task: str) -> None:
    def names(split: str, label: str) -> list[str]:
        spans = [span for record in records(task, split) for span in record["entities"]]
        return [span["text"].lower() for span in spans if span["label"] == label]

    for label, minimum in MIN_UNSEEN[task].items():
        in_train, in_test = set(names("train", label)), names("test", label)
        assert sum(name not in in_train for name in in_test) / len(in_test) >= minimum, label


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_cards_quote_the_counts_of_each_split(task: str, split: str) -> None:
    """The rows of both tables: words and characters, then counts of flags, outcomes or assertions, and of spans."""
    card = (ROOT / "data_cards" / f"{task}.md").read_text("utf-8")
    of_split = records(task, split)
    words = round(statistics.median(len(record["text"].split()) for record in of_split))
    start = f"| {split} | {len(of_split):,} | {words} | {max(len(record['text']) for record in of_split)} |"
    if split == "unlabeled":
        assert card.count(f"\n{start} ") == 2
        return
    spans = [span for record in of_split for span in record["entities"]]
    for counts in (
        counts_of_texts(task, of_split),
        counts_of_labels(task, "entities", [each["label"] for each in spans]),
    ):
        assert f"\n{start} {' | '.join(map(str, counts))} |\n" in card


def counts_of_texts(task: str, of_split: list[dict[str, Any]]) -> list[int]:
    """The columns of the first table: records without and with two flags, and counts of labels."""
    if task == "medical_case":
        return counts_of_labels(task, "outcome", [record["outcome"] for record in of_split])
    if task == "medical_assertions":
        return counts_of_labels(
            task, "assertion", [span["assertion"] for each in of_split for span in each["entities"]]
        )
    sizes = Counter(len(record["flags"]) for record in of_split)
    flags = [flag for record in of_split for flag in record["flags"]]
    return [sizes[0], sizes[2], *counts_of_labels(task, "flags", flags)]


def counts_of_labels(task: str, field: str, drawn: list[str]) -> list[int]:
    counts = Counter(drawn)
    return [counts[label] for label in fields(task)[field]["labels"]]


@pytest.mark.parametrize("task", SIZES)
def test_cards_quote_the_shares_of_unseen_names(task: str) -> None:
    card = " ".join((ROOT / "data_cards" / f"{task}.md").read_text("utf-8").split())
    spans = {
        split: [(span["label"], span["text"].lower()) for record in records(task, split) for span in record["entities"]]
        for split in ("train", "test")
    }
    for label in fields(task)["entities"]["labels"]:
        unseen = [span not in set(spans["train"]) for span in spans["test"] if span[0] == label]
        assert f"{label} {round(100 * sum(unseen) / len(unseen))} %" in card


def test_lengths_are_as_the_cards_claim() -> None:
    for split in SIZES["transaction_risk"]:
        assert max(len(record["text"]) for record in records("transaction_risk", split)) <= 430
    for split in SIZES["medical_case"]:
        assert all(60 <= len(record["text"].split()) <= 180 for record in records("medical_case", split))


def test_iban_like_account_numbers_fail_the_checksum() -> None:
    seen = 0
    for record in labeled("transaction_risk"):
        for span in record["entities"]:
            if re.fullmatch(r"[A-Z]{2}\d{18}", number := span["text"].upper()):
                seen += 1
                assert int("".join(str(int(char, 36)) for char in number[4:] + number[:4])) % 97 != 1
    assert seen > 20


def test_cards_quote_the_keyword_baseline_and_the_sizes() -> None:
    tables = module("tasks.generation.keyword_baseline").strip().split("\n\n")
    for task, table in zip(SIZES, tables, strict=True):
        card = (ROOT / "data_cards" / f"{task}.md").read_text("utf-8")
        assert table in card, f"{task}: the card does not contain this table:\n{table}"
        for split, size in SIZES[task].items():
            assert re.search(rf"\| {split} \| {size:,} \|", card), split


def test_demo_scores_the_keyword_rule_as_the_card_does() -> None:
    """The demo loads the rule from its file and scores its predictions as those of a model."""
    task = Task.load("transaction_risk")
    scores = score_keyword_rule(task, task.read("test"))
    card = (ROOT / "data_cards" / "transaction_risk.md").read_text("utf-8")
    for column, row in (("flags (macro_f1)", "flags macro F1"), ("entities (f1)", "entities micro F1, strict")):
        assert f"| {row} | {scores[column]:.3f} |" in card


def test_inbox_contains_difficult_files() -> None:
    inbox = ROOT / "tasks/transaction_risk/inbox"
    texts = {file.name: file.read_bytes().decode("utf-8") for file in inbox.glob("*.txt")}
    assert len(texts) == 6
    for task in ("medical_case", "medical_assertions"):
        assert len(list((ROOT / "tasks" / task / "inbox").glob("*.txt"))) == 3
    assert any(len(text) > 2000 for text in texts.values())
    odd = texts["app_transfers_muenchen.txt"]
    assert "\r\n" in odd
    assert "\N{ZERO WIDTH JOINER}" in odd
    assert unicodedata.normalize("NFC", odd) != odd
    known = {record["text"] for split in SIZES["transaction_risk"] for record in records("transaction_risk", split)}
    assert not known & {text.strip() for text in texts.values()}
