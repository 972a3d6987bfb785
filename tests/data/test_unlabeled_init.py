"""`electra-ie init --field`: a task of texts without labels, to be labeled by hand."""

from __future__ import annotations

import json

import pytest
from command_line import command

import electra_ie
from electra_ie.data.task import Task
from electra_ie.labeling.store import NOTHING, LabelStore


@pytest.fixture
def notes(tmp_path, monkeypatch):
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Firm {number} paid 👍 {number},000 EUR\n", "utf-8")
    (folder / "blank.txt").write_text(" \n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_task_is_written_that_can_be_labeled(notes, monkeypatch, capsys):
    fields = [
        "--field",
        "entities=spans:PAYER, AMOUNT",
        "--field",
        "risks=flags:late",
        "--field",
        "pays=relations:pays",
    ]
    assert command(monkeypatch, "init", notes, *fields) == 0
    told = capsys.readouterr()
    assert "3 texts, written to unlabeled.jsonl" in told.out and "electra-ie label notes_task" in told.err
    task = Task.load("notes_task")
    assert [(field.name, field.kind, field.labels) for field in task.all_fields] == [
        ("entities", "spans", ("PAYER", "AMOUNT")), ("risks", "flags", ("late",)), ("pays", "relations", ("pays",)),
    ]  # fmt: skip
    store = LabelStore(task)
    for key in list(store.unlabeled())[:2]:
        span = {"start": 0, "end": 6, "label": "PAYER"}
        store.save(
            "ann",
            key,
            {"entities": [span], "risks": [], "pays": []},
            NOTHING,
            part="dev" if key == list(store.pool)[1] else "train",
        )
    assert {split: len(documents) for split, documents in task.read_splits(task.splits).items()} == {
        "train": 1,
        "dev": 1,
        "unlabeled": 3,
    }


def test_the_same_in_python(notes):
    done = electra_ie.init(notes, "task", fields={"topic": {"kind": "classes", "labels": ["one", "other"]}})
    assert len(done.task.read("unlabeled")) == 3 and len(done.assumptions) == 2


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("entities", "declares no field"),
        ("entities=spans:", "declares no field"),
        ("entities=span:A", 'no kind "span"'),
        ("topic=classes:A", "only one class"),
        ("pays=relations:A", "no field of kind spans"),
        ("1st=spans:A", "cannot be the name of a field"),
    ],
)
def test_fields_that_are_wrong(notes, monkeypatch, capsys, field, message):
    assert command(monkeypatch, "init", notes, "--field", field) == 2
    assert message in capsys.readouterr().err
    assert not (notes.parent / "notes_task").exists()


def test_what_is_there_is_not_overwritten_and_texts_alone_are_explained(notes, monkeypatch, capsys):
    assert command(monkeypatch, "init", notes) == 2
    assert "texts without labels" in capsys.readouterr().err
    field = ("--field", "risks=flags:late")
    assert command(monkeypatch, "init", notes, *field, "--field", "risks=flags:cash") == 2
    assert "declared twice" in capsys.readouterr().err
    assert command(monkeypatch, "init", notes, *field) == 0
    assert command(monkeypatch, "init", notes, *field) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err
    (notes.parent / "empty").mkdir()
    assert command(monkeypatch, "init", notes.parent / "empty", *field) == 2
    lines = notes.parent / "lines.jsonl"
    lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("one", "two")), "utf-8")
    assert command(monkeypatch, "init", lines, *field) == 0
    assert [document.id for document in Task.load("lines_task").read("unlabeled")] == ["lines-1", "lines-2"]
