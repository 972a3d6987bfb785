"""How the text of a label was chosen: kept by the formats, and never drawn into dev or test."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import tiny

from electra_ie import convert, train
from electra_ie.data.document import Document, as_bytes
from electra_ie.data.init.split_drawing import draw_splits
from electra_ie.data.readers import READERS
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import CHOICES, AnnotatedDocument, AnnotatedSpan

SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


def labeled(count):
    """Return labeled documents of the tiny task, the first of which were chosen in the four ways in turn."""
    return [
        replace(document, id=f"d{number}", chosen=[*CHOICES, "", ""][number % 6])
        for number, document in enumerate(tiny.documents(count))
    ]


def annotated(name):
    span = AnnotatedSpan("T1", "person", ((0, 5),), layer="names")
    return AnnotatedDocument(name, "Arden paid", (span,), layers=("names",), metadata={"chosen": name})


def test_a_record_says_how_its_text_was_chosen(tmp_path, capsys):
    lines = [{"id": name, "text": name, "topic": "trade", "chosen": name} for name in CHOICES]
    lines += [{"id": "nested", "text": "b", "topic": "trade", "_metadata": {"chosen": "random"}, "chosen": None}]
    (tmp_path / "known.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    read = list(READERS["jsonl"].read(tmp_path / "known.jsonl", [tiny.TOPIC]))
    assert [document.chosen for document in read] == [*CHOICES, "random"]
    assert read[0].unlabeled().chosen == ""
    assert not capsys.readouterr().err, "the key is read"
    lines = [{"id": "1", "text": "a", "topic": "trade", "chosen": "typcal"}]
    (tmp_path / "other.jsonl").write_text(json.dumps(lines[0]) + "\n", "utf-8")
    assert [document.chosen for document in READERS["jsonl"].read(tmp_path / "other.jsonl", [tiny.TOPIC])] == [""]
    assert 'the key "chosen" (1 record) is not read' in capsys.readouterr().err


def test_a_field_may_have_that_name(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", "text": "a", "chosen": "random"}) + "\n", "utf-8")
    [read] = READERS["jsonl"].read(tmp_path / "a.jsonl", [replace(tiny.TOPIC, name="chosen", labels=("random", "x"))])
    assert (read.gold, read.chosen) == ({"chosen": "random"}, "")


def test_the_hash_of_a_document_does_not_change():
    document = Document("1", "a", {"topic": "trade"})
    assert as_bytes(replace(document, chosen="random")) == as_bytes(document) == b"('1', 'a', [('topic', 'trade')])"
    assert replace(document, chosen="random") == document


@pytest.mark.parametrize("name", ["jsonl", "label_studio", "label_studio_min", "doccano", "prodigy", "argilla"])
def test_formats_with_metadata_bring_it_back(tmp_path, name):
    path = tmp_path / ("data.jsonl" if name in ("jsonl", "doccano", "prodigy") else "data.json")
    FORMATS[name].save([annotated(each) for each in CHOICES], path)
    reader = READERS[name]
    field = replace(tiny.NAMED, name="names")
    assert [document.chosen for document in reader.read(path, [field])] == list(CHOICES)
    convert(path, tmp_path / "back.jsonl", source_format=name, lossy=True)
    assert [document.chosen for document in READERS["jsonl"].read(tmp_path / "back.jsonl", [])] == list(CHOICES)


def test_converted_records_keep_the_key(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", "text": "a", "chosen": "typical", "risk": "x"}) + "\n")
    [read] = FORMATS["jsonl"].documents(tmp_path / "a.jsonl")
    assert (read.metadata, read.labels) == ({"chosen": "typical"}, {"risk": ("x",)})


def test_chosen_texts_are_never_drawn_into_dev_or_test():
    documents = labeled(80)
    drawn = draw_splits(documents, tiny.FIELDS, SHARES, 0)
    sizes = {name: len(own) for name, own in drawn.items()}
    assert sizes["train"] == 48
    assert min(sizes["dev"], sizes["test"]) >= 15, "their share of all documents, not of those that may be drawn"
    assert {document.chosen for name in ("dev", "test") for document in drawn[name]} == {"random", ""}
    only = [replace(document, chosen="typical") for document in documents]
    assert {name: len(own) for name, own in draw_splits(only, tiny.FIELDS, SHARES, 0).items()}["train"] == 80
    copies = [documents[0], replace(documents[0], id="copy", chosen="")]
    assert draw_splits([*copies, *documents[4:]], tiny.FIELDS, SHARES, 0)["train"][:2] == copies


def test_a_split_of_chosen_texts_is_read_with_one_warning_and_the_run_counts_them(task, tmp_path, encoder, capsys):
    for split in ("train", "dev"):
        file = task.parent / f"{split}.jsonl"
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for number, line in enumerate(lines[:6]):
            line["chosen"] = CHOICES[number % 3]
        tiny.write_records(file, lines)
    Task.load(task).read_splits(["train"])
    assert "biased" not in capsys.readouterr().err
    tiny.without(task, "topic", "names")
    result = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2))
    warned = [line for line in capsys.readouterr().err.splitlines() if "biased" in line]
    assert len(warned) == 1
    assert "4 of 20 documents of dev were chosen to be labeled because they are typical or uncertain" in warned[0]
    audit = json.loads((result.path / "audit.json").read_text("utf-8"))
    counts = {"random": 2, "typical": 2, "uncertain": 2}
    assert audit["chosen"] == {"train": counts, "dev": counts}
    card = (result.path / "README.md").read_text("utf-8")
    assert "Documents of train by how they were chosen to be labeled: 2 drawn at random, 2 as typical of a" in card
