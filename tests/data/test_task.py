"""Tasks: the vocabulary of task.yaml, the splits, and the shipped tasks on the data they describe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import tiny
from command_line import command

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import lost_by_overlap, with_levels
from electra_ie.data.task import Task
from electra_ie.data.task_files import list_tasks

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ELECTRA_IE_DATA", ROOT.parent / "shared" / "data"))

YAML = """\
description: A task for tests.
format: jsonl
files:
  train: [one.jsonl, two.jsonl]
  unlabeled: pool.jsonl
options:
  text: body
fields:
  topic: {kind: classes, labels: [fraud, other], from: kind}
  entities:
    kind: spans
    labels: [PER]
"""


BOMB = "a0: &a0 {x: y}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 40))
"""Aliases of aliases, which expand to 2**40 keys."""


def make(folder: Path, text: str = YAML) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "task.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def records(folder: Path, name: str, *values: dict) -> None:
    (folder / name).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def refusal(path: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        Task.load(make(path, text))
    return str(caught.value)


@pytest.fixture
def task(tmp_path):
    span = {"start": 0, "end": 3, "label": "PER"}
    records(tmp_path, "one.jsonl", {"body": "Ann", "kind": "fraud", "entities": [span]})
    records(tmp_path, "two.jsonl", {"id": "x", "body": "Bo", "kind": None})
    records(tmp_path, "pool.jsonl", {"body": "Rio", "kind": "no class at all"})
    return Task.load(make(tmp_path))


def test_splits_of_a_task_are_read(task):
    assert task.splits == ("train", "unlabeled")
    assert task.name == task.folder.name == task.file.parent.name
    first, second = task.read("train")
    assert (first.id, first.gold) == ("one-1", {"topic": "fraud", "entities": (Span(0, 3, "PER"),)})
    assert (second.id, second.gold) == ("x", {})
    assert [(each.text, each.gold) for each in task.read("unlabeled")] == [("Rio", {})]


def test_a_task_is_loaded_by_its_folder_and_data_can_be_elsewhere(task, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    records(other, "one.jsonl", {"body": "moved", "kind": "other", "entities": []})
    records(other, "two.jsonl")
    assert [each.text for each in Task.load(tmp_path, data=other).read("train")] == ["moved"]


def test_a_run_can_embed_a_task(task, tmp_path):
    again = Task.from_dict(json.loads(json.dumps(task.as_dict())), file=tmp_path / "run.yaml")
    assert again.as_dict() == task.as_dict()
    assert (again.name, again.fields, again.read("train")) == (task.name, task.fields, task.read("train"))
    with pytest.raises(UserError, match="run.yaml: the task has no format"):
        Task.from_dict({"name": "x", "files": {}, "fields": {}}, file=tmp_path / "run.yaml")


def test_the_unlabeled_split_may_be_plain_text_in_any_format(tmp_path):
    text = YAML.replace("jsonl", "conll").replace("  text: body", "  word: 0")
    text = text.replace("pool.conll", "[pool, more.txt, last.jsonl, own.tsv]")
    text = text.replace("  topic: {kind: classes, labels: [fraud, other], from: kind}\n", "")
    task = Task.load(make(tmp_path, text))
    (tmp_path / "pool").mkdir()
    for name in ("pool/a.txt", "more.txt"):
        (tmp_path / name).write_text("two words", encoding="utf-8")
    records(tmp_path, "last.jsonl", {"text": "three"})
    (tmp_path / "own.tsv").write_text("four I-UNHEARD\nfive O\n", encoding="utf-8")
    texts = [each.text for each in task.read("unlabeled")]
    assert texts == ["two words", "two words", "three", "four five"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("format: jsonl", "formt: jsonl", 2, 'unknown key "formt". Did you mean "format"?'),
        ("format: jsonl", "format: json", 2, 'there is no format "json". Did you mean "jsonl"?'),
        ("format: jsonl", "name: x\nformat: jsonl", 2, 'unknown key "name".'),
        ("format: jsonl", "format: jsonl\nformat: csv", 3, 'the key "format" occurs twice. Keep one of them.'),
        ("  train:", "  trian:", 4, 'unknown key "trian" in files. Did you mean "train"?'),
        ("[one.jsonl, two.jsonl]", "[]", 4, "files.train is empty."),
        ("[one.jsonl, two.jsonl]", "[one.jsonl, one.jsonl]", 4, 'files.train contains "one.jsonl" twice.'),
        ("pool.jsonl", "../pool.jsonl", 5, 'the path "../pool.jsonl" may leave the folder'),
        ("pool.jsonl", "/pool.jsonl", 5, 'the path "/pool.jsonl" may leave the folder'),
        ("pool.jsonl", "C:\\pool.jsonl", 5, "may leave the folder"),
        ("text: body", "txt: body", 7, 'has no option "txt". Did you mean "text"?'),
        ("text: body", "text: [body]", 7, "the option text is ['body']. It must be text."),
        ("kind: spans", "kind: span", 11, 'there is no kind "span". Did you mean "spans"?'),
        ("kind: spans", "kinds: spans", 11, 'unknown key "kinds" in fields.entities. Did you mean "kind"?'),
        ("    kind: spans\n", "", 10, "the field entities has no kind."),
        ("labels: [PER]", "labels: [PER, PER]", 12, 'fields.entities.labels contains "PER" twice.'),
        ("labels: [PER]", "labels: []", 12, "fields.entities.labels is empty."),
        ("labels: [PER]", "labels: PER", 12, "Write a list"),
        (
            "labels: [PER]",
            "labels: [PER, no]",
            12,
            "contains False, which YAML does not read as text. Put it in quotes",
        ),
        ("labels: [PER]", "labels: [PER, 1]", 12, "contains 1, which YAML does not read as text. Put it in quotes"),
        ("[fraud, other]", "[fraud]", 9, "the field topic has only one class."),
        ("from: kind", "from: 3", 9, "from is 3, not text."),
        ("  entities:", "  1st entity:", 10, '"1st entity" cannot be the name of a field.'),
        ("  entities:", "  no:", 10, "YAML does not read the key no as text. Put it in quotes"),
        ("format: jsonl", "format: csv", 11, "the format csv cannot express the field entities"),
        ("labels: [PER]", "labels: [PER", 13, "this is not valid YAML"),
        ("labels: [PER]", "labels: !!python/name:os.system", 12, "this is not valid YAML"),
    ],
)
def test_an_error_in_a_task_file_names_its_line(tmp_path, old, new, line, says):
    assert old in YAML
    message = refusal(tmp_path, YAML.replace(old, new))
    assert message.startswith(f"{tmp_path / 'task.yaml'}:{line}: ")
    assert says in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "format: jsonl\nfields: {}\n", "&a {format: *a}", BOMB])
def test_a_file_that_is_not_a_task_is_refused(tmp_path, text):
    assert refusal(tmp_path, text).startswith(f"{tmp_path / 'task.yaml'}:")


def test_an_unknown_task_is_refused_with_a_suggestion():
    with pytest.raises(UserError, match='there is no task "trec_fin". Did you mean "trec_fine"?'):
        Task.load("trec_fin")


def test_a_missing_split_is_refused_with_the_existing_ones(task):
    with pytest.raises(UserError, match='has no split "dev". Valid: train, unlabeled.'):
        task.read("dev")


def test_missing_data_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(UserError) as caught:
        Task.load("bc5cdr", data=tmp_path / "absent").read("train")
    assert str(caught.value) == (
        f"{tmp_path / 'absent'}: the data of the task bc5cdr are not here. Give their folder with --data; "
        "its data card names their source (electra-ie tasks bc5cdr)."
    )


def test_an_empty_split_is_refused(task, tmp_path):
    records(tmp_path, "pool.jsonl")
    with pytest.raises(UserError, match=r'the split "unlabeled" is empty \(pool.jsonl\)'):
        task.read("unlabeled")


def test_a_duplicate_id_is_refused_with_both_positions(task, tmp_path):
    records(tmp_path, "one.jsonl", {"body": "y"}, {"body": "y", "id": "x"})
    with pytest.raises(UserError) as caught:
        task.read("train")
    message = str(caught.value)
    assert message.startswith(f'{tmp_path / "two.jsonl"}:1: the id "x" is also that of {tmp_path / "one.jsonl"}:2.')


def test_a_field_without_any_value_is_named_in_a_warning(task, tmp_path, capsys):
    records(tmp_path, "one.jsonl", {"body": "y", "kind": "fraud", "persons": []})
    task.read("train")
    assert capsys.readouterr().err.endswith('no record of the split "train" has a value for the field entities.\n')


def test_reading_a_task_needs_no_torch():
    code = "import sys, electra_ie.data.task; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_folder_without_a_task_is_refused_with_the_command_that_writes_one(tmp_path):
    with pytest.raises(UserError, match=r"no task\.yaml in this folder\..* electra-ie init DATA writes one"):
        Task.load(tmp_path)


def test_the_list_tells_shipped_data_from_data_found_elsewhere(tmp_path, monkeypatch, capsys):
    for name in ("inside", "outside"):
        tiny.write_task(tmp_path / "tasks" / name)
    file = tmp_path / "tasks" / "outside" / "task.yaml"
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    file.write_text(f"data: ../../data\n{file.read_text('utf-8')}", "utf-8")
    monkeypatch.setattr("electra_ie.data.task_files.ROOT", tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    assert command(monkeypatch, "tasks") == 0
    rows = capsys.readouterr().out.splitlines()
    assert any("inside" in row and " shipped " in row for row in rows)
    assert any("outside" in row and f" found in {elsewhere} " in row for row in rows)


# --- The shipped tasks


@pytest.mark.parametrize("name", list_tasks())
def test_each_shipped_task_loads_and_has_a_card(name):
    task = Task.load(name)
    assert task.name == name
    assert task.description
    assert "train" in task.splits
    assert task.card
    assert task.card.read_text(encoding="utf-8").startswith(f"# {name}\n")


def real(name: str) -> Task:
    task = Task.load(name)
    folder = DATA / task.folder.name
    if not folder.is_dir():
        pytest.skip(f"the files of {name} are not in {folder}: not shipped; set ELECTRA_IE_DATA to their parent")
    return Task.load(name, data=folder)


def labels(documents: list[Document]) -> Counter:
    """Return the labels of classes and spans; relations are left out."""
    counts: Counter = Counter()
    for document in documents:
        for value in document.gold.values():
            spans = [each for each in value if isinstance(each, Span)]
            counts.update([value] if isinstance(value, str) else [span.label for span in spans])
            assert all(0 <= span.start < span.end <= len(document.text) for span in spans)
    return counts


def test_trec_fine_reads_as_its_card_says():
    task = real("trec_fine")
    splits = {split: task.read(split) for split in task.splits}
    train, test = labels(splits["train"]), labels(splits["test"])
    assert (train.total(), len(train), test.total(), len(test)) == (109, 29, 500, 42)
    assert sum(count for label, count in test.items() if label not in train) == 60
    assert len(splits["unlabeled"]) == 5343
    assert len(task.fields[0].labels) == 50
    assert splits["train"][8].text == '"What islands got their name from the Spanish baja mar'


@pytest.mark.slow
def test_bc5cdr_reads_as_its_card_says():
    task = real("bc5cdr")
    splits = {split: task.read(split) for split in task.splits}
    assert [len(documents) for documents in splits.values()] == [4560, 4581, 4797]
    assert labels(splits["train"]) == {"Chemical": 5203, "Disease": 4182}
    assert labels(splits["dev"]) == {"Chemical": 5347, "Disease": 4246}
    assert labels(splits["test"]) == {"Chemical": 5385, "Disease": 4424}


def test_sec_filings_reads_as_its_card_says():
    task = real("sec_filings")
    splits = {split: task.read(split) for split in task.splits}
    assert [len(documents) for documents in splits.values()] == [1164, 303]
    assert labels(splits["train"]) == {"PER": 747, "ORG": 243, "LOC": 171, "MISC": 7}
    assert labels(splits["test"]) == {"PER": 216, "ORG": 56, "LOC": 39, "MISC": 7}


def test_medical_cases_real_reads_as_its_card_says(capsys):
    task = real("medical_cases_real")
    splits = {split: task.read(split) for split in task.splits}
    assert [len(documents) for documents in splits.values()] == [32, 8]
    error = capsys.readouterr().err
    assert "edges of 15 spans, dropped 475 repeated spans" in error
    assert "dropped 129 repeated spans" in error
    assert labels(splits["train"]) == {"finding": 1244, "factor": 170, "modifier": 157, "condition": 135}
    assert labels(splits["test"]) == {"finding": 273, "condition": 51, "factor": 50, "modifier": 32}


def test_medical_cases_relations_reads_as_its_card_says():
    task = real("medical_cases_relations")
    splits = {split: task.read(split) for split in task.splits}
    (field,) = with_levels(task.fields, splits["train"])
    assert field.levels == (3, 2, 2, 1)
    for split, expected in (("train", {"modifies": 219, "causes": 21}), ("test", {"modifies": 51, "causes": 13})):
        relations = [each for document in splits[split] for each in document.gold["relations"]]
        assert Counter(relation.label for relation in relations) == expected
        assert not any(lost_by_overlap(field, document.gold["spans"]) for document in splits[split])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "the task has no fields"),
        ("fields: [a]\n", "fields"),
        ("fields: {a: {kind: spans}}\n", "the field a has no list of labels"),
        ("fields: {a: }\n", "the field a has no list of labels"),
    ],
)
def test_a_task_with_the_key_hub_is_checked_before_it_is_changed(tmp_path, fields, message):
    hub = "hub: {options: {name: acme/data}, files: {train: train}, fields: {a: {labels: [x]}}}\n"
    (tmp_path / "task.yaml").write_text(f"format: jsonl\nfiles: {{train: train.jsonl}}\n{fields}{hub}", "utf-8")
    with pytest.raises(UserError, match=message):
        Task.load(tmp_path / "task.yaml")


@pytest.mark.parametrize("name", ["id", "text"])
def test_a_field_has_no_name_of_a_key_of_every_record(tmp_path, name):
    content = f"format: jsonl\nfiles: {{train: train.jsonl}}\nfields: {{{name}: {{kind: flags, labels: [a]}}}}\n"
    (tmp_path / "task.yaml").write_text(content, "utf-8")
    with pytest.raises(UserError, match=f'"{name}" cannot be the name of a field: every record has a key'):
        Task.load(tmp_path / "task.yaml")
