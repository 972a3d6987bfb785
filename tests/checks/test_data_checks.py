"""The checks find what is wrong in small data sets, and nothing in one without faults."""

from __future__ import annotations

import random

import pytest
import tiny

from electra_ie.checks import duplicates as duplicates_module
from electra_ie.checks import languages
from electra_ie.checks.counts import count_by_label, empty_texts, rare_labels
from electra_ie.checks.duplicates import MAX_ALIKE, conflicts, duplicate_issues, find_duplicates
from electra_ie.checks.languages import count_languages
from electra_ie.checks.scripts import count_scripts, main_script
from electra_ie.checks.spans import count_seen, misaligned_spans, overlapping_spans, seen_entities
from electra_ie.checks.suspects import MIN_EXAMPLES, NO_SPAN, suspect_labels
from electra_ie.checks.tokens import count_lengths, count_tokens, long_texts, unread_characters
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.encoders import load_tokenizer

TOPIC = Field("topic", "classes", ("trade", "travel", "other"))
RISKS = Field("risks", "flags", ("late", "cash"))
NAMED = Field("names", "spans", ("person", "amount"))


def documents(*texts, **gold):
    return [Document(f"d{index}", text, dict(gold)) for index, text in enumerate(texts)]


def topics(**pairs):
    return [Document(name, f"{name} text", {"topic": topic}) for name, topic in pairs.items()]


def named(id, text, *spans):
    return Document(id, text, {"names": tuple(Span(*span) for span in spans)})


def words(draw, size):
    return ["".join(draw.choices("abcdefghijklmnop", k=6)) for _ in range(size)]


def test_labels_are_counted_by_split_and_rare_ones_are_named():
    splits = {"train": topics(a="trade", b="trade", c="travel"), "dev": topics(d="other"), "pool": topics(e="trade")}
    counts = {row.label: row.counts for row in count_by_label(splits, [TOPIC])}
    assert counts == {
        "trade": {"train": 2, "dev": 0}, "travel": {"train": 1, "dev": 0}, "other": {"train": 0, "dev": 1},
    }  # fmt: skip
    none, one = rare_labels(splits, [TOPIC])
    assert (one.check, one.count, [(place.id, place.details["given"]) for place in one.places]) == (
        "labels_with_one_example", 1, [("c", "travel")],
    )  # fmt: skip
    assert (none.check, none.severity, none.total) == ("labels_without_example", "warning", 3)
    assert none.message.endswith("1 of 3 labels has no labeled document in train: other; 1 of them is in dev or test.")
    spans = {"train": [named("a", "Arden and Brisk", (0, 5, "person"), (10, 15, "person"))]}
    assert ["amount" in issue.message for issue in rare_labels(spans, [NAMED])] == [True, False]


def test_empty_texts_are_found():
    (issue,) = empty_texts({"train": documents("a", " \n", ""), "dev": documents("b")})
    assert (issue.split, issue.count, issue.total, [place.id for place in issue.places]) == (
        "train",
        2,
        3,
        ["d1", "d2"],
    )


def test_duplicates_within_and_between_splits():
    draw = random.Random(2)
    first, second, third = words(draw, 60), words(draw, 60), words(draw, 60)
    near = " ".join([*first[:30], "changed", *first[31:]])
    splits = {
        "train": documents(" ".join(first), " ".join(second), " ".join(second) + "\n", " ".join(words(draw, 60))),
        "test": documents(" ".join(second), near, "", " ".join(third), " ".join([*third[:-1], "changed"])),
        "pool": documents(" ".join(words(draw, 60)), " ".join(third).upper(), ""),
    }
    found = find_duplicates(splits)
    assert {pair: pairs for pair, pairs in found.exact.items() if pairs} == {
        ("test", "train"): {0: 1}, ("train", "train"): {2: 1},
    }  # fmt: skip
    assert {pair: pairs for pair, pairs in found.near.items() if pairs} == {
        ("test", "train"): {1: 0}, ("test", "test"): {4: 3}, ("test", "pool"): {3: 1, 4: 1},
    }  # fmt: skip
    issues = {
        (issue.check, issue.message.split(" of ")[-1]): issue.severity for issue in duplicate_issues(splits, found)
    }
    assert sorted(issues.values()) == ["note", "note", "note", "warning", "warning"]
    leak = next(issue for issue in duplicate_issues(splits, found) if "also in train" in issue.message)
    assert leak.message == "1 of 5 documents of test is also in train: scores on test are too high."
    assert leak.places[0].details == {"other": "d1", "other_split": "train"}


def test_many_form_letters_are_all_found_but_not_compared_with_each_other(monkeypatch):
    draw = random.Random(3)
    letter = words(draw, 80)

    def form(number):
        return " ".join([*letter[:40], f"number{number}", *letter[41:]])

    splits = {"train": documents(*map(form, range(100))), "test": documents(*map(form, range(100, 200)))}
    compared, exactly = 0, duplicates_module.jaccard

    def count(first, second):
        nonlocal compared
        compared += 1
        return exactly(first, second)

    monkeypatch.setattr(duplicates_module, "jaccard", count)
    added, add = [], duplicates_module.SketchIndex.add
    monkeypatch.setattr(duplicates_module.SketchIndex, "add", lambda *given: added.append(given) or add(*given))
    found = find_duplicates(splits)
    assert (len(found.near["test", "train"]), len(found.near["test", "test"]), len(found.near["train", "train"])) == (
        100,
        99,
        99,
    )
    assert compared < 200 * 4 * MAX_ALIKE and len(added) < 40


def test_large_splits_are_compared_in_part(monkeypatch):
    monkeypatch.setattr("electra_ie.data.leakage.MAX_CHARACTERS", 400)
    texts = [" ".join(words(random.Random(number), 20)) for number in range(10)]
    found = find_duplicates({"train": documents(*texts)})
    assert found.compared < len(found.groups) == 10


def test_equal_texts_with_different_labels_conflict():
    splits = {
        "train": [*documents("same  text", "other", topic="trade"), Document("x", "one", {"topic": "trade"})],
        "test": [
            *documents("same text", topic="travel"),
            Document("y", "one", {"topic": "trade"}),
            Document("z", "other"),
        ],
    }
    groups = find_duplicates(splits).groups
    (issue,) = conflicts(splits, groups, [TOPIC, RISKS])
    assert (issue.field, issue.count, issue.total, issue.severity) == ("topic", 1, 2, "warning")
    assert sorted((place.split, place.id, place.details["given"]) for place in issue.places) == [
        ("test", "d0", "travel"), ("train", "d0", "trade"),
    ]  # fmt: skip


def test_white_space_does_not_make_spans_conflict_but_offsets_do():
    same = [named("a", "Arden paid", (0, 5, "person")), named("b", "\n Arden  paid", (2, 7, "person"))]
    assert not list(conflicts({"train": same}, find_duplicates({"train": same}).groups, [NAMED]))
    other = [*same, named("c", "Arden paid", (0, 10, "person"))]
    (issue,) = conflicts({"train": other}, find_duplicates({"train": other}).groups, [NAMED])
    assert issue.places[-1].details["given"] == "person 0-10"


def test_texts_that_differ_in_fragments_only_are_listed_with_them():
    field = Field("parts", "spans", ("PART",), scheme="levels", levels=(1,), fragments=True)
    text = "left and right atrium"
    spans = Span(0, 21, "PART"), Span(0, 21, "PART", ((0, 4), (15, 21)))
    splits = {"train": [Document(str(number), text, {"parts": (span,)}) for number, span in enumerate(spans)]}
    (issue,) = conflicts(splits, find_duplicates(splits).groups, [field])
    assert [place.details["given"] for place in issue.places] == ["PART 0-21", "PART 0-4;15-21"]


@pytest.mark.parametrize(("overlaps", "severity"), [("error", "error"), ("count", "note")])
def test_overlapping_spans_are_an_error_unless_the_task_counts_them(overlaps, severity):
    field = Field("names", "spans", NAMED.labels, overlaps=overlaps)
    splits = {"train": [named("a", "Arden and Brisk", (0, 15, "person"), (0, 5, "person"))], "dev": [named("b", "x")]}
    (issue,) = overlapping_spans(splits, [TOPIC, field])
    assert (issue.severity, issue.split, issue.count, issue.total) == (severity, "train", 1, 2)
    assert (issue.places[0].start, issue.places[0].end) == (0, 5)


def test_spans_inside_words_are_found(encoder):
    windower = WindowTokenizer(load_tokenizer(encoder("bert")), 64, 4, whole_words=True)
    splits = {
        "train": [named("a", "Arden paid", (0, 3, "person"))],
        "test": [named("b", "Arden paid", (0, 5, "person"))],
    }
    (issue,) = misaligned_spans(splits, [NAMED], windower)
    assert (issue.split, issue.count, issue.severity) == ("train", 1, "warning")
    assert "inside a word" in issue.message and "Ard" not in issue.message


def test_entities_that_train_has_are_counted_by_label():
    splits = {
        "train": [named("a", "Arden paid 5", (0, 5, "person"), (11, 12, "amount"))],
        "test": [named("b", "ARDEN, Corvo, 5", (0, 5, "person"), (7, 12, "person"), (14, 15, "person"))],
    }
    person, amount = count_seen(splits, [TOPIC, NAMED])
    assert (person.label, person.spans, person.seen, person.other_label) == ("person", 3, 1, 1)
    assert (amount.spans, amount.seen) == (0, 0)
    assert not list(seen_entities([person, amount]))
    splits["test"] = [named("b", "ARDEN", (0, 5, "person"))]
    (issue,) = seen_entities(count_seen(splits, [NAMED]))
    assert issue.severity == "note" and "100% of the spans of test" in issue.message


def test_lengths_are_those_of_the_windows(encoder):
    windower = WindowTokenizer(load_tokenizer(encoder("bert")), 12, 2)
    texts = ["the bank " * count for count in (1, 2, 5, 6, 20)]
    splits = {"train": documents(*texts), "pool": []}
    (row,) = count_lengths(count_tokens(splits, windower.tokenizer), windower)
    assert (row.median, row.longest, row.window) == (10, 40, 12)
    assert row.cut == sum(len(windower(text)) > 1 for text in texts) == 2
    (issue,) = long_texts([row])
    assert (issue.severity, issue.count) == ("note", 2)


def test_characters_that_the_tokenizer_cannot_read_are_named(encoder):
    tokenizer = load_tokenizer(encoder("bert"))
    texts = ["Arden paid \u20ac5 and \u20ac6", "caf\u00e9 cafe\u0301 a\u200bb the \u4e2d bank"]
    counts = count_tokens({"train": documents(*texts)}, tokenizer)
    unknown, dropped = unread_characters(counts)
    assert {place.details["character"]: place.details["count"] for place in unknown.places} == {
        "U+20AC": 2,
        "U+4E2D": 1,
    }
    assert unknown.severity == "warning" and "U+20AC euro sign (2)" in unknown.message
    assert (unknown.places[0].id, unknown.places[0].start) == ("d0", texts[0].index("\u20ac"))
    assert [place.details["character"] for place in dropped.places] == ["U+200B"], "an accent was counted"
    assert not list(unread_characters(count_tokens({"train": documents(texts[0])}, load_tokenizer(encoder("roberta")))))


def test_scripts_of_texts():
    assert main_script("Привет ACME")[0] == "Cyrillic" and main_script("12 %") == ("", {})
    assert {main_script(text)[0] for text in ("支付", "ｱｲｳ", "ภาษา", "한국", "עברית")} == {
        "Han",
        "Katakana",
        "Thai",
        "Hangul",
        "Hebrew",
    }
    rows, issues = count_scripts({"train": documents("paid by", "and 12"), "test": documents("Оплата", "paid", "12")})
    assert [(row.split, row.script, row.documents) for row in rows] == [
        ("train", "Latin", 2), ("test", "Cyrillic", 1), ("test", "Latin", 1),
    ]  # fmt: skip
    assert [(issue.split, issue.count, issue.places[0].id) for issue in issues] == [("test", 1, "d0")]


def test_languages_that_train_does_not_have_are_named():
    pytest.importorskip("py3langid", reason="needs the extra languages")
    english = documents(*(f"The patient has had severe pain in the chest since {day}." for day in ("Monday", "May")))
    german = documents(
        *(f"Der Patient hat seit {day} starke Schmerzen in der Brust." for day in ("Montag", "Mai", "Juni"))
    )
    rows, issues, skipped = count_languages({"train": english, "dev": [*english, *german], "pool": german[:2]})
    assert [(row.split, row.language, row.documents, row.share) for row in rows] == [
        ("train", "en", 2, 1.0), ("dev", "de", 3, 0.6), ("dev", "en", 2, 0.4), ("pool", "de", 2, 1.0),
    ]  # fmt: skip
    (issue,) = issues  # two texts of the pool may be wrong
    assert (issue.check, issue.severity, issue.split, issue.count, issue.total) == (
        "new_languages",
        "warning",
        "dev",
        3,
        5,
    )
    assert "in the language de; no document of train is." in issue.message and not skipped
    many = documents(*[german[0].text] * 1_001)
    rows, _, skipped = count_languages({"train": documents("x", "EUR 9,800", ""), "test": many})
    assert [(row.split, row.documents) for row in rows] == [("test", 334)], (
        "a text of names and numbers has no language"
    )
    assert skipped == ["languages were identified in 334 of 1,001 documents of test."]


def test_without_the_package_languages_are_not_checked(monkeypatch):
    monkeypatch.setattr(languages, "find_spec", lambda name: None)
    rows, issues, (sentence,) = count_languages({"train": documents("x")})
    assert not rows and not issues and 'pip install "electra_ie[languages]"' in sentence


@pytest.fixture(scope="module")
def learned(encoder):
    """Return the issues and what was skipped of documents that can be learned, in which some labels are wrong."""
    found = tiny.documents(120)
    wrong = {"span": found[30], "missing": found[44]}
    for document in found[5:77:9]:
        document.gold["topic"] = next(name for name in tiny.TOPIC.labels if name != document.gold["topic"])
    for document in found[3:75:9]:
        document.gold["risks"] = tuple(
            flag for flag in tiny.RISKS.labels if (flag in document.gold["risks"]) != (flag == "cash")
        )
    spans = wrong["span"].gold["names"]
    wrong["span"].gold["names"] = tuple(Span(span.start, span.end, "person") for span in spans)
    wrong["missing"].gold["names"] = tuple(span for span in wrong["missing"].gold["names"] if span.label == "person")
    windower = tiny.windower_of(encoder("bert"))
    splits = {"train": found[:90], "test": found[90:], "pool": [document.unlabeled() for document in found]}
    issues, skipped = suspect_labels(splits, tiny.FIELDS, windower)
    wrong["cash"] = {document.id for document in found[3:75:9]}
    wrong["classes"] = {document.id for document in found[5:77:9]}
    return {(issue.field, issue.label): issue for issue in issues}, skipped, wrong


def test_wrong_labels_are_suspect(learned):
    issues, skipped, wrong = learned
    assert not skipped and all(issue.severity == "note" for issue in issues.values())
    classes = {place.id for place in issues["topic", ""].places}
    assert len(classes) > 4 and classes <= wrong["classes"]
    cash = {place.id for place in issues["risks", "cash"].places}
    assert len(cash) > 4 and cash <= wrong["cash"]


def test_wrong_and_missing_spans_are_suspect_as_a_whole(learned):
    places = learned[0]["names", ""].places
    document = learned[2]["span"]
    amount = max(document.gold["names"])
    assert (document.id, amount.start, amount.end, "person", "amount") in [
        (place.id, place.start, place.end, place.details["given"], place.details["suggested"]) for place in places
    ]
    missing = [place for place in places if place.id == learned[2]["missing"].id and place.details["given"] == NO_SPAN]
    assert [place.details["suggested"] for place in missing] == ["amount"]
    assert learned[2]["missing"].text[missing[0].start : missing[0].end].strip("0123456789.,") == ""


def test_rare_labels_are_not_judged(encoder):
    found = tiny.documents(MIN_EXAMPLES - 1)
    issues, skipped = suspect_labels({"train": found}, tiny.FIELDS, tiny.windower_of(encoder("bert")))
    assert not issues and len(skipped) == 3
    assert f'field "risks": suspect labels were not searched for 2 labels with fewer than {MIN_EXAMPLES}' in skipped[1]


def test_equal_texts_are_in_the_same_fold(encoder):
    """A text that occurs many times with a wrong label is suspect: its copies do not vouch for it."""
    found = [document for document in tiny.documents(120) if document.gold["topic"] != "other"]
    wrong = [Document(f"w{number}", "invoice goods the bank", {"topic": "travel"}) for number in range(4)]
    issues, _ = suspect_labels({"train": [*found, *wrong]}, [tiny.TOPIC], tiny.windower_of(encoder("bert")))
    assert {"w0", "w1", "w2", "w3"} <= {place.id for place in issues[0].places}
