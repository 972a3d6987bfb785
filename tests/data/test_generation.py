"""The generator of the synthetic tasks: templates for test alone, and flags that single words do not show."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.generation import __main__ as generator
from tasks.generation import assertion_phrases, bag_of_words, medical_phrases, structure_rule, template_memory
from tasks.generation.grammar import LATE, TEST_ONLY, closing, mark, unmarked
from tasks.generation.splits import TASKS, generate
from tasks.generation.transaction_payment import LIMITS, Payment
from tasks.generation.transaction_phrases import STORIES, shared

ROOT = Path(__file__).parents[2]


def phrase_lists() -> Iterator[tuple[str, list[str]]]:
    """Yield name and templates of each list of all tasks."""
    for flag, story in STORIES.items():
        yield from ((f"{flag}.{kind}", templates) for kind, templates in vars(story).items() if kind != "opening")
    yield from ((f"openings.{kind}", templates) for kind, templates in shared.OPENINGS.items())
    yield from (("verdicts", shared.VERDICTS), ("fillers", shared.FILLERS))
    for name, content in vars(medical_phrases).items():
        if name.isupper() and name != "VITALS":
            yield from content.items() if isinstance(content, dict) else [(name, content)]
    yield from ((f"assertions.{name}", content) for name, content in vars(assertion_phrases).items() if name.isupper())


@pytest.mark.parametrize(("name", "templates"), list(phrase_lists()))
def test_a_third_of_each_list_is_for_test_alone(name, templates):
    assert len(set(map(unmarked, templates))) == len(templates), "a template occurs twice"
    share = sum(mark(template) == TEST_ONLY for template in templates) / len(templates)
    assert share == pytest.approx(1 / 3, abs=0.06), name
    assert any(mark(template) == LATE for template in templates), "the unlabeled file has no wording that train lacks"
    assert any(not mark(template) for template in templates)
    assert not any(re.search(r"[\[|]!", template) for template in templates), "the mark is one of whole templates"


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_no_split_but_test_has_templates_of_test_alone(task):
    marks = {
        split: [{mark(template) for template in sentence} for record in records for sentence in record.templates]
        for split, records in generate(task).items()
    }
    for split in ("train", "dev", "unlabeled"):
        assert not any(TEST_ONLY in of_sentence for of_sentence in marks[split]), split
    assert not any(LATE in of_sentence for of_sentence in marks["train"])
    for split in ("dev", "unlabeled"):
        assert any(LATE in of_sentence for of_sentence in marks[split]), split
    share = sum(TEST_ONLY in of_sentence for of_sentence in marks["test"]) / len(marks["test"])
    assert 0.25 <= share <= 0.45


def test_generator_writes_the_shipped_bytes(tmp_path):
    """Another process, which has another hash seed, writes them in `test_shipped_data.py`."""
    generator.write(tmp_path)
    written = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.jsonl"))
    of_relations = [f"transaction_relations/{split}.jsonl" for split in ("train", "dev", "test")]
    assert written == sorted([*(f"{task}/{split}.jsonl" for task in TASKS for split in generate(task)), *of_relations])
    for name in written:
        assert (tmp_path / name).read_bytes() == (ROOT / "tasks" / name).read_bytes(), name


def test_templates_of_test_alone_are_recognized_in_the_text_of_test_only():
    """The counts above come from the generator; this one from the texts, by the templates' patterns."""
    reserved = [
        structure_rule.compiled(template)
        for story in STORIES.values() for kind in ("facts", "yes", "no", "whole_yes", "whole_no")
        for template in getattr(story, kind) if mark(template) == TEST_ONLY
    ]  # fmt: skip
    for split, expected in (("train", False), ("dev", False), ("test", True)):
        texts = [structure_rule.corrected(record.text.lower()) for record in generate("transaction_risk")[split]]
        starts = [(text, match.end()) for text in texts for match in structure_rule.SENTENCE_START.finditer(text)]
        assert any(pattern.match(text, start) for text, start in starts for pattern in reserved) == expected, split


def test_a_bag_of_words_cannot_see_the_flags():
    splits = generate("transaction_risk")
    predicted = bag_of_words.predict(splits["train"], splits["unlabeled"], splits["test"])
    assert template_memory.macro_f1(splits["test"], predicted) < 60


@pytest.mark.slow
def test_the_text_alone_decides_the_flags():
    test = generate("transaction_risk")["test"][::3]  # the numbers of the cards, below, are those of all
    predicted = [structure_rule.predict(record.text) for record in test]
    assert template_memory.macro_f1(test, predicted) >= 90


@pytest.mark.parametrize("flag", [
    pytest.param(flag, marks=pytest.mark.slow if number else []) for number, flag in enumerate(STORIES)
])  # fmt: skip
def test_facts_are_distinguished_by_reading_and_not_by_their_words(flag):
    """Each fact, in both readings: the rule distinguishes them; most have the same fixed words in both."""
    rng = random.Random(0)
    same_words = 0
    for template in STORIES[flag].facts:
        words: dict[bool, set[str]] = {True: set(), False: set()}
        for has_flag in [True, False] * 8:
            payment = Payment(rng, "test", STORIES[flag].opening)
            payment.named.add(payment.main)
            sentence = payment.fact([template], has_flag)
            text = "".join(piece.text for piece in sentence.pieces).lower()
            body = f"{payment.main.lower()}. {text}"
            read = [one for one in structure_rule.recognize(body) if one.template.kind == "facts"]
            assert [structure_rule.is_evidence(one, body) for one in read] == [has_flag], text
            names = {*payment.main.lower().split(), *payment.other.lower().split()}
            words[has_flag] |= set(re.findall(r"[a-z]+", fixed_text(template, text))) - names
        same_words += words[True] == words[False]
    assert same_words / len(STORIES[flag].facts) > 0.8


def fixed_text(template: str, text: str) -> str:
    """Return a text without the words that no part of its template contains."""
    start, slots = 0, template
    while (start := slots.find("{", start)) >= 0:
        end = closing(slots, start)
        inner = slots[start + 1 : end - 1]
        slots = slots[:start] + (inner.partition(":")[2] if ":" in inner else " ") + slots[end:]
    known = set(re.findall(r"[a-z]+", slots.lower()))
    return " ".join(word for word in re.findall(r"[a-z]+", text) if word in known)


def test_parts_and_their_total_are_on_the_stated_side_of_the_limit():
    for has_flag in (True, False):
        payment = Payment(random.Random(3), "train", "cash")
        for _ in range(50):
            payment.has_flag = has_flag
            pieces = [piece.text for piece in payment.slot_parts() if piece.label == "AMOUNT"]
            parts, limit = [structure_rule.number(text.lower()) for text in pieces], LIMITS[payment.currency]
            assert (max(parts) < limit <= sum(parts)) == has_flag


@pytest.mark.parametrize(("written", "value"), [
    ("9,400", 9400), ("9 400,00", 9400), ("9.400", 9400), ("eur 47.62 per kg", 47.62), ("9.8k", 9800), ("the limit of 10k", 10000),
    ("ten thousand usd", 10000), ("forty-five thousand two hundred", 45200), ("eight hundred", 800), ("1.234,50", 1234.5), ("600 t", 600),
])  # fmt: skip
def test_numbers_are_read_as_they_are_written(written, value):
    assert structure_rule.number(written) == value


@pytest.mark.slow
def test_cards_quote_the_shares_of_templates_and_the_cheap_methods():
    for task, table in zip(TASKS, template_memory.show().split("\n\n"), strict=True):
        card = (ROOT / "data_cards" / f"{task}.md").read_text("utf-8")
        assert table in card, f"{task}: the card does not contain this table:\n{table}"
