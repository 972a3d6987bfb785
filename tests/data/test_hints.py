"""Descriptions and hints of labels: parsing, matching, hashes, what leaves the machine, and the report."""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
from hypothesis import example, given
from hypothesis import strategies as st
from unicode_texts import TEXT

from electra_ie import Callback, UserError, evaluate, train, verify
from electra_ie.api import plan_push, plan_push_data
from electra_ie.cli.app import main
from electra_ie.common.scripts import continues_word
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Document, Span, as_bytes
from electra_ie.data.hint_scores import HintScore, score_hints
from electra_ie.data.hints import Hint
from electra_ie.data.in_memory import resolve
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData

HEAD = """\
format: jsonl
files: {train: train.jsonl, unlabeled: pool.jsonl}
fields:
  topic: {kind: classes, labels: [trade, other]}
  risks: {kind: flags, labels: [late, other, a.b]}
  names: {kind: spans, labels: [person, amount]}
"""
"""Six lines, so that the first key of what follows is in line 7."""


def write(folder: Path, yaml: str, **files: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "task.yaml").write_text(HEAD + yaml, encoding="utf-8")
    return folder


def lexicon(*terms: str) -> Hint:
    return Hint("names", "person", "person: terms", terms)


def found(hint: Hint, text: str) -> list[str]:
    return [text[start:end] for start, end in hint.find(text)]


# Matching


@pytest.mark.parametrize(
    ("terms", "text", "matches"),
    [
        (["united kingdom"], "The UNITED \n\t Kingdom and United, Kingdom", ["UNITED \n\t Kingdom"]),
        (["united   kingdom"], "united kingdom", ["united kingdom"]),
        (["us"], "us bus use us_a U.S. us's", ["us", "us", "us"]),
        (["new", "new york", "york city hall"], "new york city hall, new", ["new york", "new"]),
        (["york city", "new york"], "new york city", ["new york"]),
        (["a b c", "b"], "a b d", ["b"]),
        (["9,800"], "9,800 9, 800 19,800 9,8005", ["9,800"]),
        (["straße"], "STRASSE Straße", ["STRASSE", "Straße"]),
        (["東京"], "在東京都", ["東京"]),
        (["ete"], "ete e\u0301te\u0301 ete\u0301", ["ete"]),
        (["co-op"], "co-op coop co - op co-ops", ["co-op"]),
        (["-"], "a-b", ["-"]),
        (["x"], "", []),
    ],
)
def test_terms_match_whole_words_ignoring_case_and_runs_of_white_space(terms, text, matches):
    assert found(lexicon(*terms), text) == matches


def naive(terms: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Return the matches of terms by comparing each of them with each passage."""

    def key(passage: str) -> str:
        return re.sub(r"\s+", " ", passage).casefold()

    keys = {key(term.strip()) for term in terms}
    matches, start = [], 0
    while start < len(text):
        ends = [
            end
            for end in range(start + 1, len(text) + 1)
            if key(text[start:end]) in keys
            and not text[start].isspace()
            and not text[end - 1].isspace()
            and not continues_word(text, start)
            and not continues_word(text, end)
        ]
        if ends:
            matches.append((start, max(ends)))
        start = max(ends, default=start + 1)
    return matches


@given(data=st.data(), text=TEXT.map(lambda text: text[:60]))
@example(data=None, text="a a b a a a b")
def test_matches_are_those_of_a_naive_search(data, text):
    if data is None:
        terms = ["a a b", "a", "a a a b"]
    else:
        slices = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda at: text[at[0] : at[0] + at[1]])
        terms = data.draw(st.lists(st.one_of(slices, slices.map(str.upper), st.text(max_size=3)), min_size=1))
        terms = [term for term in terms if term.strip()] or ["bank"]
    matches = lexicon(*terms).find(text)
    assert matches == naive(terms, text)
    assert all(0 <= start < end <= len(text) for start, end in matches)
    assert all(first[1] <= second[0] for first, second in zip(matches, matches[1:], strict=False))


def test_a_pattern_matches_as_it_is_written_and_never_the_empty_string():
    hint = Hint("names", "amount", "amount: pattern", pattern=r"[A-Z]{2}\d+|(?=z)")
    assert found(hint, "AB12, ab12 z CD345") == ["AB12", "CD345"]


SLOW = r"(?:a|aa)+c"
"""A pattern whose time is exponential in the length of a run of a."""


def test_the_time_of_a_pattern_is_limited(monkeypatch):
    hint = Hint("names", "amount", "amount: pattern", pattern=SLOW, task_file="my_task/task.yaml")
    assert found(hint, "aac ac") == ["aac", "ac"]
    monkeypatch.setattr("electra_ie.data.hints.MAX_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        hint.find("a" * 60)
    assert time.monotonic() - began < 10
    assert str(caught.value) == (
        'my_task/task.yaml: the hint "amount: pattern" takes more than 0.2 s on a text of 60 characters. Remove nested '
        "repetitions such as (a+)+ from its pattern, or remove the hint."
    )


@pytest.mark.parametrize("command", ["hints", "train"])
def test_a_pattern_that_is_too_slow_ends_a_command_with_one_error(task, tmp_path, command, monkeypatch, capsys):
    monkeypatch.setattr("electra_ie.data.hints.MAX_SECONDS", 0.2)
    task.write_text(f"{task.read_text('utf-8')}hints: {{amount: {{pattern: '{SLOW}'}}}}\n", "utf-8")
    with (task.parent / "pool.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "slow", "text": "a" * 60}) + "\n")
    options = ["--preset", "self_training", "--output", str(tmp_path / "run")] if command == "train" else []
    monkeypatch.setattr(sys, "argv", ["electra-ie", command, str(task), *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        f'error: {task}: the hint "amount: pattern" takes more than 0.2 s on a text of 60 characters.'
    )
    assert not (tmp_path / "run").exists(), "something was trained before"


def test_a_search_in_a_large_lexicon_takes_no_longer_than_in_a_small_one():
    draw = random.Random(0)
    vocabulary = ["".join(draw.choices("abcdefghij", k=draw.randint(3, 8))) for _ in range(20_000)]
    hint = lexicon(*(" ".join(draw.choices(vocabulary, k=draw.randint(1, 4))) for _ in range(50_000)))
    text = " ".join(draw.choices(vocabulary, k=30_000))
    began = time.process_time()
    assert hint.find(text)
    assert time.process_time() - began < 15, "an alternation of the terms takes about a minute"


# task.yaml


GOOD = r"""
descriptions: {late: " Paid after the date. ", topic.other: Neither., risks.a.b: A label with a dot.}
hints:
  person: {file: people.txt}
  amount: {pattern: '\d+,\d\d'}
  late: [{terms: [too  late, overdue]}, {pattern: due}, {pattern: Monday}, {terms: "after"}]
  risks.other: {terms: [rest]}
"""


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "task", GOOD, people="\ufeffAnn\n# a comment\n#x\r\n  Bo Y. \nAnn\n")


def test_descriptions_and_hints_are_read(folder):
    task = Task.load(folder)
    assert task.descriptions == {
        "risks": {"late": "Paid after the date.", "a.b": "A label with a dot."},
        "topic": {"other": "Neither."},
    }
    person, amount, late, *others = task.read_hints()
    assert person == Hint("names", "person", "person: people.txt", ("Ann", "#x", "Bo Y."), file="people.txt")
    assert amount == Hint("names", "amount", "amount: pattern", pattern=r"\d+,\d\d")
    assert (late.field, late.terms) == ("risks", ("too  late", "overdue"))
    assert [hint.name for hint in others] == [
        "late: pattern", "late: pattern 2", "late: terms 2", "risks.other: terms"
    ]  # fmt: skip
    assert found(person, "ANN, bo y. and # a comment") == ["ANN", "bo y."]


def test_terms_of_a_file_are_read_when_they_are_needed(folder):
    (folder / "people.txt").unlink()
    hint = Task.load(folder).hints[0]
    with pytest.raises(ValueError, match=r"the terms of the hint 'person: people.txt' have not been read"):
        hint.find("Ann")


def test_a_run_can_embed_descriptions_and_hints(folder):
    task = Task.load(folder)
    again = Task.from_dict(json.loads(json.dumps(task.as_dict())), folder / "run.yaml")
    assert (again.hints, again.descriptions) == (task.hints, task.descriptions)
    assert again.as_dict() == task.as_dict()
    assert again.read_hints() == task.read_hints()
    assert "Ann" not in json.dumps(task.as_dict())


def test_a_task_without_descriptions_and_hints_is_as_before(tmp_path):
    task = Task.load(write(tmp_path / "task", ""))
    assert (task.hints, task.descriptions, task.read_hints()) == ((), {}, ())
    assert not {"hints", "descriptions"} & set(task.shareable())


SEVERAL = '"other" belongs to several fields: topic, risks. Write the field before it: "topic.other".'


@pytest.mark.parametrize(
    ("yaml", "line", "says"),
    [
        ("descriptions: x", 7, "descriptions must be a mapping."),
        ("descriptions:\n  late: x\n  lat: y", 9, 'no field has the label "lat". Did you mean "late"?'),
        ("descriptions:\n  other: x", 8, SEVERAL),
        ("descriptions:\n  risks.persn: x", 8, 'the field risks has no label "persn". Valid: late, other, a.b.'),
        ("descriptions:\n  risk.late: x", 8, 'no field has the label "risk.late".'),
        ("descriptions:\n  late: x\n  risks.late: y", 9, '"late" and "risks.late" are the same label. Keep one'),
        ("descriptions:\n  late: 3", 8, "the description of late is 3. Write one sentence or phrase on one line"),
        ("descriptions:\n  late: ' '", 8, "the description of late is ' '."),
        ("descriptions:\n  late: |\n    x\n    y", 8, "Write one sentence or phrase on one line"),
        ("hints: [x]", 7, "hints must be a mapping."),
        ("hints:\n  late: {terms: [x]}\n  persn: {terms: [x]}", 9, 'no field has the label "persn". Did you mean'),
        ("hints:\n  other: {terms: [x]}", 8, SEVERAL),
        (
            "hints:\n  late: {terms: x}\n  risks.late: {terms: y}",
            9,
            '"late" and "risks.late" are the same label. Write one list of hints.',
        ),
        ("hints:\n  late: []", 8, "the label late has an empty list of hints."),
        ("hints:\n  late: x", 8, "hints.late must be a mapping."),
        ("hints:\n  late: {term: x}", 8, 'unknown key "term" in hints.late. Did you mean "terms"?'),
        ("hints:\n  late: {}", 8, "a hint has one key of terms, pattern, file, and this has none."),
        ("hints:\n  late:\n  - {terms: x, file: y}", 9, "and this has terms and file. Write several hints as a list"),
        ("hints:\n  late:\n  - terms: x\n  - pattern: '('", 10, "the pattern ( is not a regular expression of Python"),
        ("hints:\n  late: {pattern: '\\p{L}'}", 8, "the pattern \\p{L} is not a regular expression of Python"),
        ("hints:\n  late: {pattern: 'x*'}", 8, "the pattern x* matches the empty string."),
        ("hints:\n  late: {pattern: '\\b'}", 8, "the pattern \\b matches the empty string."),
        ("hints:\n  late: {pattern: 3}", 8, "hints.late.pattern is 3, not a text. Put it in quotes."),
        ("hints:\n  late: {terms: []}", 8, "hints.late.terms is empty."),
        ("hints:\n  late: {terms: [x, ' ']}", 8, "hints.late.terms contains a blank term. Remove it."),
        ("hints:\n  late: {terms: [x, x]}", 8, 'hints.late.terms contains "x" twice.'),
        ("hints:\n  late: {terms: [x, no]}", 8, "contains False, which YAML does not read as text."),
        ("hints:\n  late: [{file: ../x.txt}]", 8, 'the path "../x.txt" may leave the folder of the data. Give a path'),
        ("hints:\n  late: {file: 'C:\\x.txt'}", 8, "may leave the folder of the data."),
        ("hints:\n  late: {file: ''}", 8, "hints.late.file is '', not a text."),
        ("hints:\n  late:\n  - terms: x\n    terms: y", 10, 'the key "terms" occurs twice.'),
    ],
)
def test_an_error_in_descriptions_or_hints_names_its_line(tmp_path, yaml, line, says):
    with pytest.raises(UserError) as caught:
        Task.load(write(tmp_path / "task", yaml))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'task' / 'task.yaml'}:{line}: "), message
    assert says in message


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"Ann\n\nBo\n", 2, "this line is blank. Remove it, or write a term."),
        (b"Ann\n \t\n", 2, "this line is blank."),
        (b"Ann\n\xff\n", 2, "the byte 0xff is not UTF-8 text. Save the file as UTF-8."),
        (b"\xff\xfeA\x00", 1, "this is UTF-16 text. Save it as UTF-8."),
        (b"# Ann\n", 1, "the file contains no term. Write one term a line."),
        (b"", None, "the file contains no term."),
    ],
)
def test_an_error_in_a_lexicon_names_its_line(folder, content, line, says):
    (folder / "people.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        Task.load(folder).read_hints()
    message = str(caught.value)
    assert message.startswith(f"{folder / 'people.txt'}:{f'{line}:' if line else ''} "), message
    assert says in message


def test_several_errors_in_lexicons_are_raised_as_one(folder):
    (folder / "people.txt").write_bytes(b"Ann\n\n\n")
    with pytest.raises(UserError, match="2 errors in the hints of the task task") as caught:
        Task.load(folder).read_hints()
    assert [error.line for error in caught.value.errors] == [2, 3]


def test_a_lexicon_that_is_missing_or_elsewhere_is_refused(folder, tmp_path):
    path = folder / "people.txt"
    path.unlink()
    with pytest.raises(UserError, match=r'the file of the hint "person: people.txt" does not exist. Give its path'):
        Task.load(folder).read_hints()
    path.mkdir()
    with pytest.raises(UserError, match="this is not a file. Give a file here"):
        Task.load(folder).read_hints()


@pytest.mark.unix("links without a privilege")
def test_a_lexicon_that_is_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("Ann\n")
    (folder / "people.txt").unlink()
    (folder / "people.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UserError, match="this link leads out of the folder of the data"):
        Task.load(folder).read_hints()


# Hash


def test_hash_of_training_data_changes_with_descriptions_and_hints_only(folder):
    documents = [Document("1", "Ann", {"topic": "trade"})]
    plain = TrainingData(documents, [], [])
    expected = hashlib.sha256(as_bytes(documents[0]) + b"\n\n\n").hexdigest()
    assert plain.hash == expected == TrainingData(documents, [], [], (), {}).hash
    hints, descriptions = Task.load(folder).read_hints(), Task.load(folder).descriptions
    data = replace(plain, hints=hints, descriptions=descriptions)
    changed = [
        plain,
        replace(data, hints=()),
        replace(data, descriptions={}),
        replace(data, descriptions={**descriptions, "topic": {"other": "Something else."}}),
        replace(data, hints=(replace(hints[0], terms=(*hints[0].terms, "Cy")), *hints[1:])),
        replace(data, hints=(hints[0], replace(hints[1], pattern="x"), *hints[2:])),
        replace(data, hints=(replace(hints[0], label="amount"), *hints[1:])),
        replace(data, hints=(replace(hints[0], field="risks"), *hints[1:])),
    ]
    assert len({data.hash, *(other.hash for other in changed)}) == len(changed) + 1
    renamed = replace(hints[0], name="x", file="")
    assert replace(data, hints=(renamed, *hints[1:])).hash == data.hash, "content, not names"


def test_training_data_have_the_hints_with_their_terms(task):
    with task.open("a", encoding="utf-8") as stream:
        stream.write("hints: {person: {file: people.txt}}\ndescriptions: {late: After the date.}\n")
    (task.parent / "people.txt").write_text("Arden\n")
    data = TrainingData.read(Task.load(task), TrainSettings.build(None, (), preset="self_training"))
    assert data.hints == (Hint("names", "person", "person: people.txt", ("Arden",), file="people.txt"),)
    assert data.descriptions == {"risks": {"late": "After the date."}}
    assert not TrainingData.read(Task.load(task), TrainSettings.build(None, (), preset="supervised")).hints
    (task.parent / "people.txt").write_text("\n")
    with pytest.raises(UserError, match="people.txt:1: this line is blank"):
        TrainingData.read(Task.load(task), TrainSettings.build(None, (), preset="self_training"))


def test_data_in_memory_take_descriptions_and_hints():
    records = [{"text": "Ann paid late", "risks": ["late"]}, {"text": "Bo", "risks": []}]
    arguments = {"fields": {"risks": {"kind": "flags"}}, "hints": {"late": {"terms": ["late"]}}}
    task, _ = resolve(records, descriptions={"risks.late": "After the date."}, **arguments)
    assert task.descriptions == {"risks": {"late": "After the date."}}
    assert task.hints == (Hint("risks", "late", "late: terms", ("late",)),)
    with pytest.raises(UserError, match=r'hints: no field has the label "lat". Did you mean "late"\?'):
        resolve(records, fields=arguments["fields"], hints={"lat": {"terms": ["late"]}})
    with pytest.raises(UserError, match="hints is given, but the task trec_fine declares its own hints. Omit hints"):
        resolve("trec_fine", hints={})


def test_the_example_of_the_documentation_is_valid(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
    (task,) = re.findall(r"<<'YAML'\n(.*?)^YAML$", page, re.M | re.S)
    (example,) = re.findall(r"^```yaml\n(descriptions:.*?)^```$", page, re.M | re.S)
    (tmp_path / "task.yaml").write_text(task + example, "utf-8")
    (tmp_path / "companies.txt").write_text("ACME Ltd\n", "utf-8")
    payer, amount, *risk = Task.load(tmp_path).read_hints()
    text = "ACME Ltd paid EUR 9,800 in two parts"
    assert (found(payer, text), found(amount, text)) == (["ACME Ltd"], ["EUR 9,800"])
    assert [found(hint, text) for hint in risk] == [[], ["in two parts"]]


@pytest.mark.parametrize("name", ["medical_assertions", "medical_case", "transaction_risk", "trec_fine"])
def test_every_label_of_a_shipped_task_with_descriptions_has_one(name):
    task = Task.load(name)
    described = {(field, label) for field, texts in task.descriptions.items() for label in texts}
    assert described == {(field.name, label) for field in task.fields for label in field.labels}


# What a run keeps, and what leaves the machine


TERMS = """\
descriptions: {late: Paid after the | date.}
hints:
  late: [{terms: [Quaggamarsh, later than monday]}, {pattern: later}]
  person: {file: people.txt}
"""


@pytest.mark.slow
def test_a_run_needs_no_lexicon_and_no_term_leaves_the_machine(task, tmp_path, encoder):
    with tiny.without(task, "topic").open("a", encoding="utf-8") as stream:
        stream.write(TERMS)
    lexicon = task.parent / "people.txt"
    lexicon.write_text("Arden\nZebrafold\n")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "self_training", max_steps=2)).path
    audit = json.loads((run / "audit.json").read_text("utf-8"))
    hints = Task.load(task).read_hints()
    assert audit["hints"] == {
        "late: terms": f"{hints[0].hash} (2 terms)",
        "late: pattern": f"{hints[1].hash} (1 pattern)",
        "person: people.txt": f"{hints[2].hash} (2 terms)",
    }
    card = (run / "README.md").read_text("utf-8")
    assert "| risks | late | Paid after the \\| date. |" in card
    assert f"- person: people.txt (2 terms): `{hints[2].hash[:16]}`" in card
    for file in run.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert b"Zebrafold" not in content, file
        assert b"Quaggamarsh" not in content or file.name == "task.yaml", file
    pushed, pushed_data = plan_push(run, "acme/payments").files, plan_push_data(str(task), "acme/data").files
    for name, content in (*pushed.items(), *pushed_data.items()):
        value = content.read_bytes() if isinstance(content, Path) else content
        assert b"Quaggamarsh" not in value, name
        assert b"Zebrafold" not in value, name
    assert "person: people.txt" not in (run / "task.yaml").read_text("utf-8")
    assert b"file: people.txt" in pushed["task.yaml"]
    assert b"people.txt" not in pushed_data["task.yaml"], "the file is not pushed"
    assert b"Paid after the | date." in pushed_data["task.yaml"]
    assert verify(run).same
    assert not verify(run).unchecked
    lexicon.write_text("Arden\nZebrafold\nCorvo\n")
    assert [(each.part, each.name) for each in verify(run).differences] == [("data", "people.txt")]
    lexicon.unlink()
    assert evaluate(run)
    assert [(each.part, each.name) for each in verify(run).differences] == [("data", "people.txt")]


class Stopped(Exception):
    pass


class StopAfterCheckpoint(Callback):
    def on_save(self, state: Any, path: Path) -> None:
        raise Stopped


@pytest.mark.slow
def test_a_supervised_run_says_that_it_uses_no_hints(task, tmp_path, encoder, capsys):
    task.write_text(task.read_text("utf-8") + "hints: {person: {terms: [Arden]}}\n", "utf-8")
    tiny.without(task, "topic", "risks")
    for preset, is_reported in (("supervised", True), ("self_training", False)):
        train(str(task), tmp_path / preset, **tiny.settings(encoder("bert"), preset, max_steps=2))
        assert (f"the preset {preset} uses no hints" in capsys.readouterr().err) == is_reported


@pytest.mark.slow
def test_a_run_is_resumed_with_the_same_hints_only(task, tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "self_training", max_steps=4)
    original, people = tiny.without(task, "topic").read_text("utf-8"), task.parent / "people.txt"
    task.write_text(original + TERMS, "utf-8")
    people.write_text("Arden\n")
    with pytest.raises(Stopped):
        train(str(task), tmp_path / "run", callbacks=[StopAfterCheckpoint()], **settings)
    people.write_text("Arden\nCorvo\n")
    with pytest.raises(UserError, match="the hints are not those that the run began with. Give the same hints"):
        train(str(task), tmp_path / "run", resume=True, **settings)
    people.write_text("Arden\n")
    task.write_text(original + TERMS.replace("monday", "sunday"), "utf-8")
    with pytest.raises(UserError, match=r"the run began with another task \(hints differs\)"):
        train(str(task), tmp_path / "run", resume=True, **settings)
    task.write_text(original + TERMS, "utf-8")
    assert train(str(task), tmp_path / "run", resume=True, **settings).scores["dev"]


# Report


def test_hints_are_scored_on_gold_and_counted_without_it():
    texts = ["Ann Lee paid", "Bo paid Ann", "nobody paid"]
    gold = [(Span(0, 7, "person"),), (Span(0, 2, "person"), Span(8, 11, "person")), ()]
    topics = ["trade", "other", "other"]
    documents = [
        Document(str(index), text, {"names": spans, "topic": topic, "risks": ("late",) if index else ()})
        for index, (text, spans, topic) in enumerate(zip(texts, gold, topics, strict=True))
    ]
    documents += [Document("3", "Ann, Ann", {"topic": "trade"}), Document("4", "Bo, Ann", {"topic": "trade_only"})]
    documents += [Document("5", "Ann", {})]
    hints = (
        lexicon("ann", "paid"),
        Hint("topic", "trade", "trade: terms", ("ann",)),
        Hint("risks", "late", "late: pattern", pattern="nobody"),
    )
    person, trade, late = score_hints(hints, tiny.FIELDS, documents)
    assert person == HintScore(hints[0], "spans", 5, 1, 1, 3, 3, 4)
    assert (person.precision, person.coverage) == (0.2, 1 / 3)
    assert trade == HintScore(hints[1], "documents", 4, 2, 0, 2, 5, 1)
    assert late == HintScore(hints[2], "documents", 1, 1, 0, 2, 3, 0)
    nothing = score_hints([Hint("risks", "late", "late: terms", ("zzz",))], tiny.FIELDS, documents)[0]
    assert (nothing.precision, nothing.coverage) == (None, 0.0)


def test_a_useless_hint_is_warned_of():
    hint = Hint("risks", "late", "late: terms", ("x",))
    assert HintScore(hint, "documents", 0, 0, 0, 5, 10, 0).warning == 'the hint "late: terms" matches nothing.'
    assert HintScore(hint, "documents", 0, 0, 0, 5, 10, 3).warning == ""
    assert HintScore(hint, "documents", 4, 2, 0, 5, 10, 0).warning == ""
    assert HintScore(hint, "documents", 5, 2, 0, 5, 10, 0).warning == (
        'the hint "late: terms" is worse than chance: 40.0% of the labeled texts that it matches have the label, and '
        "50.0% of all labeled texts."
    )
    assert HintScore(hint, "spans", 5, 1, 0, 5, 10, 0).warning == ""
    assert HintScore(hint, "spans", 5, 0, 3, 5, 10, 0).warning == (
        'none of the 5 matches of the hint "late: terms" in labeled texts is right.'
    )


def run_command(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["electra-ie", "hints", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_command_prints_counts_and_no_text(task, monkeypatch, capsys):
    with task.open("a", encoding="utf-8") as stream:
        stream.write("hints:\n  late: [{pattern: later than}, {terms: zzz}]\n  person: {file: people.txt}\n")
    (task.parent / "people.txt").write_text("\n".join(tiny.NAMES))
    assert run_command(monkeypatch, str(task)) == 0
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    late = sum("late" in record["risks"] for record in records)
    rows = [line.split() for line in out.splitlines() if ": " in line]
    assert rows[0][:8] == ["late:", "pattern", "documents", str(late), "1.000", str(late), "1.000", rows[0][-1]]
    people = next(row for row in rows if row[0] == "person:")
    assert people[2:] == ["spans", "50", "0", "0.800", "40", "1.000", people[-1]]
    assert err == 'warning: the hint "late: terms" matches nothing.\n'
    assert not any(name.lower() in (out + err).lower() for name in (*tiny.NAMES, "monday"))
    assert run_command(monkeypatch, str(task), "--label-budget", "10", "--seed", "1") == 0
    drawn = next(line.split() for line in capsys.readouterr().out.splitlines() if "person: " in line)
    assert drawn[6] == "10"
    assert int(drawn[-1]) == int(people[-1]) + 50 - int(drawn[3]), "the others count as unlabeled"


def test_command_refuses_bad_input_with_exit_code_2(task, monkeypatch, capsys):
    assert run_command(monkeypatch, str(task)) == 2
    assert "task.yaml: the task has no hints. Add them to task.yaml: hints: {LABEL:" in capsys.readouterr().err
    with task.open("a", encoding="utf-8") as stream:
        stream.write("hints: {person: {file: people.txt}}\n")
    assert run_command(monkeypatch, str(task)) == 2
    assert 'the file of the hint "person: people.txt" does not exist' in capsys.readouterr().err
    (task.parent / "people.txt").write_text("Arden\n")
    assert run_command(monkeypatch, str(task), "--label-budget", "41") == 2
    assert "--label-budget 41: train has 40 labeled documents" in capsys.readouterr().err
