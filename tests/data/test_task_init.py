"""`electra-ie init`: what is found in annotated data, what is assumed, and that the task trains."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from reading import write
from typer.testing import CliRunner

import electra_ie
from electra_ie.cli.app import app
from electra_ie.common.errors import UserError, raise_error
from electra_ie.common.files import locked
from electra_ie.data.declaration.task_yaml import validated_fields
from electra_ie.data.document import Document, Span
from electra_ie.data.document import Relation as GoldRelation
from electra_ie.data.fields import Field, RelationField
from electra_ie.data.init.field_inference import infer, valid_name
from electra_ie.data.init.from_annotations import init_task
from electra_ie.data.init.sources import split_of
from electra_ie.data.init.split_drawing import draw_splits
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Attribute,
    Event,
    Relation,
)
from electra_ie.formats.base import Format
from electra_ie.formats.detection import detect

TEXT = "ACME Ltd paid EUR 9,800 to Brisk"


def lines(*records: dict) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def refused(*arguments: object, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        init_task(*arguments, **options)
    return str(caught.value)


def text_files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir())}


# Detection


@pytest.mark.parametrize(
    "content",
    [
        lines({"text": "a"}, {"text": "b", "names": [{"start": 0, "end": 1, "label": "X"}]}),
        "\ufeff\n" + lines({"id": 3, "text": "a", "topic": ["x", "y"], "_metadata": {"k": [[1]]}}),
        json.dumps([{"text": "a"}, {"text": "b"}], indent=1),
        lines({"text": "a", "relations": [{"head": 0, "tail": 1}]}),
        lines({"text": "a"}) + '{"text": "cut',
    ],
)
def test_json_lines_are_detected(tmp_path, content):
    assert detect(write(tmp_path, "data.json", content)).name == "jsonl"
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    assert FORMATS["jsonl"].detect(tmp_path / "data.jsonl.gz")


@pytest.mark.parametrize(
    "content",
    [
        lines({"text": "a", "answer": "accept", "spans": []}),
        lines({"text": "a", "label": []}, {"text": "a", "label": [[0, 1, "X"]]}),
        lines(
            {"text": "a", "entities": [{"id": 1, "start_offset": 0, "end_offset": 1, "label": "X"}], "relations": []}
        ),
        json.dumps([{"id": 1, "data": {"text": "a"}, "annotations": []}]),
        json.dumps([{"id": 1, "text": "a", "topic": "x", "annotator": 1, "annotation_id": 2}]),
        lines({"body": "a"}),
        lines({"text": None}),
        '{"text": "cut',
        "[1, 2]",
        "word\tO\n",
        b"\x89PNG\r\n\x1a\n\x00",
    ],
)
def test_files_of_other_formats_are_not_json_lines(tmp_path, content):
    assert not FORMATS["jsonl"].detect(write(tmp_path, "data.json", content))


def test_detection_reads_the_beginning_only_and_never_raises(tmp_path):
    large = write(tmp_path, "large.jsonl", lines({"text": "a"}) + "x" * 2**21)
    assert FORMATS["jsonl"].detect(large)
    assert not FORMATS["jsonl"].detect(tmp_path)
    assert not FORMATS["jsonl"].detect(tmp_path / "absent")
    assert not FORMATS["jsonl"].detect(write(tmp_path, "damaged.gz", b"\x1f\x8b\x08\x00"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("word\tO\n", "the format is not known by what is in it. Formats: "),
        ("", "this file is empty."),
        ('{"text": "a"}'.encode("utf-16"), "this is UTF-16 text."),
        (b"a\0b", "this is binary data"),
    ],
)
def test_a_file_of_no_known_format_is_refused_with_the_reason(tmp_path, content, says, monkeypatch):
    monkeypatch.setattr("electra_ie.formats.detection.FORMATS", {"jsonl": FORMATS["jsonl"]})
    with pytest.raises(UserError) as caught:
        detect(write(tmp_path, "data", content))
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "data"))


def test_a_file_of_several_formats_is_refused_with_their_names(tmp_path, monkeypatch):
    other = Format("other", "Other", FORMATS["jsonl"].read, detect=lambda path: True)
    monkeypatch.setattr("electra_ie.formats.detection.FORMATS", {"jsonl": FORMATS["jsonl"], "other": other})
    with pytest.raises(UserError, match="this may have several formats: jsonl, other. Name the format: --format NAME"):
        detect(write(tmp_path, "data.jsonl", lines({"text": "a"})))
    with pytest.raises(UserError, match="absent: there is no such file."):
        detect(tmp_path / "absent")


# Fields


def inferred(*documents: AnnotatedDocument):
    return infer(documents, raise_error)


def spans(*found: tuple[int, int, str], layer: str = "") -> tuple[AnnotatedSpan, ...]:
    return tuple(
        AnnotatedSpan(f"{layer}{number}", label, ((start, end),), layer=layer)
        for number, (start, end, label) in enumerate(found)
    )


def test_layers_and_questions_become_fields():
    one = AnnotatedDocument("1", TEXT, spans((0, 8, "PAYER")), labels={"topic": ("trade",), "risk": ("late", "cash")})
    two = AnnotatedDocument("2", TEXT, labels={"topic": ("other",), "risk": ()})
    three = AnnotatedDocument("3", TEXT, layers=None)
    result = inferred(one, two, three)
    assert result.fields == (
        Field("entities", "spans", ("PAYER",), source="spans"),
        Field("topic", "classes", ("other", "trade")),
        Field("risk", "flags", ("cash", "late")),
    )
    assert [document.gold for document in result.documents] == [
        {"entities": (Span(0, 8, "PAYER"),), "topic": "trade", "risk": ("cash", "late")},
        {"entities": (), "topic": "other", "risk": ()},
        {},
    ]
    assert result.assumptions == [
        "entities: spans, 1 documents count as without any (2 documents; PAYER 1)",
        "topic: classes, exactly one label in each of its documents (2 documents; trade 1, other 1)",
        "risk: flags, none or several labels in some of its documents (2 documents; cash 1, late 1, (none) 1)",
    ]


def test_an_empty_list_of_json_lines_is_an_empty_layer_if_others_have_spans(tmp_path):
    span = {"start": 0, "end": 4, "label": "PAYER"}
    path = write(
        tmp_path, "a.jsonl", lines({"text": TEXT, "spans": [span]}, {"text": TEXT, "spans": []}, {"text": TEXT})
    )
    result = infer(list(FORMATS["jsonl"].documents(path)), raise_error)
    assert [document.gold.get("entities") for document in result.documents] == [(Span(0, 4, "PAYER"),), (), None]
    assert [field.kind for field in result.fields] == ["spans"]


def test_few_overlaps_are_counted_and_many_give_each_label_its_own_field():
    nested = AnnotatedDocument("1", TEXT, spans((0, 8, "PAYER"), (0, 4, "NAME"), (5, 8, "NAME"), (0, 6, "NAME")))
    result = inferred(nested)
    assert result.fields == (
        Field("NAME", "spans", ("NAME",), "spans", "count"),
        Field("PAYER", "spans", ("PAYER",), "spans"),
    )
    assert (
        "entities: 3 of 4 spans overlap a longer one, so each label has its own field (one field with scheme: levels "
        "loses none)"
    ) in result.assumptions
    missed = "NAME: spans, 2 that overlap a longer one count as missed (overlaps: count; scheme: levels loses none)"
    assert any(line.startswith(missed) for line in result.assumptions)
    some = [AnnotatedDocument(str(number), TEXT, spans((0, 8, "PAYER"), (14, 23, "NAME"))) for number in range(15)]
    assert [field.name for field in inferred(nested, *some).fields] == ["NAME", "PAYER"]
    flat = [AnnotatedDocument(str(number), TEXT, spans((0, 8, "PAYER"), (14, 23, "NAME"))) for number in range(40)]
    assert inferred(nested, *flat).fields == (Field("entities", "spans", ("NAME", "PAYER"), "spans", "count"),)


def test_what_tasks_cannot_express_is_counted():
    found = (
        AnnotatedSpan("T1", "PAYER", ((0, 4), (9, 13)), attributes=(Attribute("sure"),)),
        AnnotatedSpan("T2", "AMOUNT", ((14, 23),)),
    )
    document = AnnotatedDocument(
        "1", TEXT, found, (Relation("R1", "pays", (("a", "T1"), ("b", "T2"))),), (Event("E1", "Payment", "T2"),),
        metadata={"page": 3},
    )  # fmt: skip
    predicted = AnnotatedDocument("2", TEXT, spans((0, 8, "PAYER")), predicted=True)
    result = inferred(document, predicted)
    payer, amount = Span(0, 13, "PAYER", ((0, 4), (9, 13))), Span(14, 23, "AMOUNT")
    assert [document.gold for document in result.documents] == [
        {"entities": (payer, amount), "relations": (GoldRelation(payer, amount, "pays"),)},
        {},
    ]
    assert result.fields == (
        Field("entities", "spans", ("AMOUNT", "PAYER"), "spans", scheme="tracks", fragments=True),
        RelationField("relations", ("pays",)),
    )
    assert result.assumptions == [
        "1 documents are labeled by a model only: they count as unlabeled",
        "events: 1 are not read, since no field expresses them",
        "entities: spans, 1 of several fragments (fragments: true, scheme: tracks) (1 documents; PAYER 1, AMOUNT 1)",
        "relations: relations, between spans of entities (1 documents; pays 1)",
        'the attribute "sure", which 1 span has, is not a field: it applies to every span of these labels (1)',
        "these values are neither texts of labels nor spans, and not read: page 1",
    ]


def test_the_task_of_a_brat_folder_with_fragments_reads_them(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path, f"data/{split}/a.txt", "left and right atrium")
        lines = "T1\tPART 0 4;15 21\tleft atrium\nT2\tPART 9 21\tright atrium\n"
        write(tmp_path, f"data/{split}/a.ann", lines)
    init_task(tmp_path / "data", tmp_path / "task", None, 0, 0.2, 0.2)
    task = Task.load(tmp_path / "task")
    assert (task.format, task.options) == ("brat", {})
    assert (task.fields[0].scheme, task.fields[0].fragments) == ("levels", True)
    (document,) = task.read("train")
    assert document.gold["entities"] == (Span(0, 21, "PART", ((0, 4), (15, 21))), Span(9, 21, "PART"))


def test_values_that_are_no_labels_are_not_fields():
    documents = [
        AnnotatedDocument(
            str(number), TEXT, layers=(), labels={"title": (f"title {number}",), "source": ("bank",), "topic": ("ab"[number % 2],), "x": ()},
        )
        for number in range(12)
    ]  # fmt: skip
    result = inferred(*documents)
    assert [field.name for field in result.fields] == ["topic"]
    assert result.assumptions[0] == '"title" is not a field: 12 different values in 12 answers are not labels'
    assert result.assumptions[1] == '"source" is not a field: all 12 documents have the same label, "bank"'
    assert result.assumptions[3] == '"x" is not a field: no document has a label'


def test_columns_of_a_table_are_labels_if_nothing_else_is():
    def row(number: int) -> dict:
        return {"topic": "ab"[number % 2], "memo": f"memo {number}", "page": number}

    documents = [AnnotatedDocument(str(number), TEXT, layers=None, metadata=row(number)) for number in range(12)]
    result = inferred(*documents)
    assert result.fields == (Field("topic", "classes", ("a", "b")),)
    assert [document.gold["topic"] for document in result.documents] == list("ab" * 6)
    assert result.assumptions == [
        "nothing is marked as a label, so columns and other values count as labels: topic 12, memo 12",
        "topic: classes, exactly one label in each of its documents (12 documents; a 6, b 6)",
        '"memo" is not a field: 12 different values in 12 answers are not labels',
        "these values are neither texts of labels nor spans, and not read: page 12",
    ]
    marked = AnnotatedDocument("x", TEXT, spans((0, 8, "PAYER")))
    assert [field.name for field in inferred(marked, *documents).fields] == ["entities"]


def test_cells_of_several_labels_are_flags_and_dates_are_no_labels():
    cells = ["late; cash", "cash", "cash ;late", "late", "", "cash"]
    days = ["2024-05-03", "2024-05-04", "2024-05-03", "2024-05-03", "2024-05-04T10:00", "2024-05-03"]
    documents = [
        AnnotatedDocument(str(number), TEXT, layers=None, metadata={"flags": cell, "day": day, "who": "Smith, Ann"})
        for number, (cell, day) in enumerate(zip(cells, days, strict=True))
    ]
    result = inferred(*documents)
    assert result.fields == (Field("flags", "flags", ("cash", "late")),) and result.separators == (";",)
    gold = [document.gold.get("flags") for document in result.documents]
    assert gold == [("cash", "late"), ("cash",), ("cash", "late"), ("late",), None, ("cash",)]
    assert "dates are no labels: day" in result.assumptions
    assert (
        'the labels in a cell of "flags" are separated by ";"; 1 empty ones are unknown '
        "(the option blank: none says that no label applies)"
    ) in result.assumptions


def test_a_table_with_other_columns_and_separators_becomes_a_task(tmp_path):
    rows = [f"M{number},sent {number},{'late;cash' if number % 3 else 'late'},-" for number in range(12)]
    for split in ("train", "dev"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{split}.csv").write_text("\n".join(["Ref,Message,Flags,Rest", *rows]), encoding="utf-8")
    with pytest.raises(UserError, match='no column "text".* with --read of init'):
        electra_ie.init(tmp_path / "in", tmp_path / "task")
    done = electra_ie.init(tmp_path / "in", tmp_path / "task", options={"text": "Message", "id": "Ref"}, test=0)
    assert done.task.options == {"text": "Message", "id": "Ref", "separator": ";"}
    assert done.task.read("dev")[1].gold == {"Flags": ("cash", "late")}
    with pytest.raises(UserError, match="are given, and ORG/NAME is on the hub"):
        electra_ie.init("ORG/NAME", tmp_path / "b", options={"text": "x"})
    fields = {"a": {"kind": "spans"}}
    with pytest.raises(UserError, match="texts without labels are read; --read is for annotated data.*or omit --field"):
        electra_ie.init(tmp_path / "in", tmp_path / "b", options={"text": "x"}, fields=fields)
    with pytest.raises(UserError, match="--format, --seed, --dev is for annotated data"):
        electra_ie.init(tmp_path / "in", tmp_path / "b", format="csv", seed=1, dev=0.1, fields=fields)


def test_white_space_at_edges_is_no_part_of_a_span_and_a_span_of_it_is_an_error():
    assert inferred(AnnotatedDocument("1", TEXT, spans((8, 13, "X")))).documents[0].gold == {
        "entities": (Span(9, 13, "X"),)
    }
    with pytest.raises(UserError, match="a.json:3: the span 8 to 9 contains white space only"):
        inferred(AnnotatedDocument("1", TEXT, spans((8, 9, "X")), file="a.json", line=3))


@given(st.lists(st.text("aB_1- \u4e2d\u00e9", max_size=70), max_size=4))
def test_names_of_fields_are_valid_and_distinct(names):
    found: list[str] = []
    for name in [*names, "con", "text", "checkpoint", "2nd-name", "\u4e2d\u6587", "caf\u00e9", "Names", "names"]:
        found.append(valid_name(name, found))
    assert len(validated_fields([Field(name, "spans", ("X",)) for name in found])) == len(found)


@pytest.mark.parametrize(
    ("name", "valid"),
    [("risk", "risk"), ("2nd-name", "_2nd_name"), ("caf\u00e9", "cafe"), ("\u4e2d\u6587", "field"), ("con", "con_field"),
     ("Text", "Text_field"), ("tracking", "tracking_field"), ("x" * 80, "x" * 60), ("a.b c", "a_b_c")],
)  # fmt: skip
def test_a_name_is_changed_as_little_as_needed(name, valid):
    assert valid_name(name) == valid
    assert valid_name(name, [valid.upper()]) == f"{valid}_2"


# Splits

TOPIC = Field("topic", "classes", ("a", "b", "c"))
NAMES = Field("names", "spans", ("x", "y"))
SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


def labeled(number: int, topic: str, *names: str, text: str = "") -> Document:
    gold = {"topic": topic, "names": tuple(Span(place, place + 1, name) for place, name in enumerate(names))}
    return Document(str(number), text or f"text {number}", gold)


def test_splits_have_labels_in_proportion():
    documents = [labeled(number, "aaab"[number % 4], *(["x"] if number % 5 == 0 else [])) for number in range(100)]
    documents += [labeled(number, "c", "y") for number in range(100, 105)]
    drawn = draw_splits(documents, [TOPIC, NAMES], SHARES, 0)
    topics = {split: Counter(document.gold["topic"] for document in own) for split, own in drawn.items()}
    assert topics == {
        "train": {"a": 45, "b": 15, "c": 3},
        "dev": {"a": 15, "b": 5, "c": 1},
        "test": {"a": 15, "b": 5, "c": 1},
    }
    assert {split: sum(any(span.label == "x" for span in document.gold["names"]) for document in own) for split, own in drawn.items()} == {
        "train": 12, "dev": 4, "test": 4,
    }  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "xy"]), st.sampled_from(["", "one", " one  "])), max_size=30),
    st.integers(0, 5),
)  # fmt: skip
def test_each_document_is_in_one_split_with_those_of_the_same_text(made, seed):
    documents = [labeled(number, topic, *names, text=text) for number, (topic, names, text) in enumerate(made)]
    drawn = draw_splits(documents, [TOPIC, NAMES], SHARES, seed)
    assert sorted((document for own in drawn.values() for document in own), key=lambda d: int(d.id)) == documents
    assert all(own == sorted(own, key=lambda document: int(document.id)) for own in drawn.values())
    assert sum(any(document.text.strip() == "one" for document in own) for own in drawn.values()) <= 1
    assert drawn == draw_splits(documents, [TOPIC, NAMES], SHARES, seed)


def test_another_seed_draws_other_splits():
    documents = [labeled(number, "ab"[number % 2]) for number in range(20)]
    assert len({str(draw_splits(documents, [TOPIC], SHARES, seed)["dev"]) for seed in range(5)}) > 1


def test_a_rare_label_is_in_train_first():
    drawn = draw_splits(
        [labeled(0, "a"), labeled(1, "a"), *(labeled(n, "b") for n in range(2, 12))], [TOPIC], SHARES, 0
    )
    assert any(document.gold["topic"] == "a" for document in drawn["train"])


@pytest.mark.parametrize(
    ("name", "split"),
    [("train.jsonl", "train"), ("my_valid.json.gz", "dev"), ("Test-2", "test"), ("validation", "dev"),
     ("unlabeled.txt", "unlabeled"), ("labeled.tsv", "train"), ("devel.tsv", "dev"), ("trained.jsonl", ""), ("a.train", ""), ("train_test.jsonl", ""), ("memos", "")],
)  # fmt: skip
def test_the_first_or_last_word_of_a_name_says_the_split(name, split):
    assert split_of(Path(name)) == split


# The whole task


def test_data_with_splits_stay_where_they_are(tmp_path, monkeypatch):
    data = tiny.write_task(tmp_path / "data").parent
    (data / "task.yaml").unlink()
    (data / "pool.jsonl").rename(data / "unlabeled.jsonl")
    write(data, "README.md", "notes")
    before = text_files(data)
    monkeypatch.chdir(tmp_path)
    done = init_task("data")
    assert text_files(data) == before
    assert [path.name for path in (tmp_path / "data_task").iterdir()] == ["task.yaml"]
    task = Task.load("data_task")
    assert (done.task, task.folder) == (task, Path("data"))
    assert {field.name: (field.kind, set(field.labels)) for field in task.fields} == {
        "names": ("spans", {"person", "amount"}),
        "topic": ("classes", {"trade", "travel", "other"}),
        "risks": ("flags", {"late", "cash"}),
    }
    assert {split: len(task.read(split)) for split in task.splits} == {
        "train": 40,
        "dev": 20,
        "test": 20,
        "unlabeled": 30,
    }
    text = (tmp_path / "data_task" / "task.yaml").read_text("utf-8")
    assert "data: ../data\n" in text
    for line in done.assumptions:
        assert f"# {line}\n" in text
    assert "left out, since they do not have this format: README.md" in done.assumptions
    assert "the split dev is dev.jsonl, by name" in done.assumptions


def test_a_file_without_splits_is_written_with_splits(tmp_path):
    made = [tiny.record(number, tiny.random.Random(number)) for number in range(50)]
    for record in made[40:]:
        del record["topic"], record["risks"], record["names"]
    path = write(tmp_path, "export.json", json.dumps(made, indent=1))
    done = init_task(path, tmp_path / "out")
    assert sorted(text_files(tmp_path / "out")) == [
        "dev.jsonl",
        "task.yaml",
        "test.jsonl",
        "train.jsonl",
        "unlabeled.jsonl",
    ]
    task = Task.load(tmp_path / "out")
    splits = task.read_splits(task.splits)
    assert {split: len(own) for split, own in splits.items()} == {"train": 24, "dev": 8, "test": 8, "unlabeled": 10}
    texts = {record["id"]: record["text"] for record in made}
    assert {document.id: document.text for own in splits.values() for document in own} == texts
    assert {document.id for document in splits["unlabeled"]} == {record["id"] for record in made[40:]}
    assert "10 documents without labels are in the split unlabeled" in done.assumptions
    again = init_task(path, tmp_path / "again")
    assert again.assumptions[:-1] == done.assumptions[:-1]
    assert {name: text for name, text in text_files(tmp_path / "again").items() if name != "task.yaml"} == {
        name: text for name, text in text_files(tmp_path / "out").items() if name != "task.yaml"
    }
    other = init_task(path, tmp_path / "other", seed=1, dev=0.1, test=0)
    assert other.task.splits == ("train", "dev", "unlabeled")
    assert len(other.task.read("dev")) == 4


def test_texts_that_were_chosen_by_what_they_say_stay_in_train(tmp_path):
    made = [{"text": f"t{number}", "topic": "ab"[number % 2]} for number in range(20)]
    chosen = [{**record, "text": f"c{number}", "chosen": "uncertain"} for number, record in enumerate(made)]
    done = init_task(write(tmp_path, "a.jsonl", lines(*made, *chosen)), tmp_path / "out")
    splits = done.task.read_splits(("train", "dev", "test"))
    assert sum(document.chosen == "uncertain" for document in splits["train"]) == 20
    assert {document.text[0] for split in ("dev", "test") for document in splits[split]} == {"t"}
    assert "20 documents that were chosen by what they say stay in train" in done.assumptions
    assert not any("not read" in line for line in done.assumptions)


def test_only_the_missing_split_is_drawn(tmp_path):
    draw = tiny.random.Random(0)
    data = tmp_path / "data"
    data.mkdir()
    tiny.write_records(data / "train.jsonl", [tiny.record(number, draw) for number in range(40)])
    tiny.write_records(data / "valid.jsonl", [{**tiny.record(number, draw), "id": f"v{number}"} for number in range(5)])
    task = init_task(data, tmp_path / "out").task
    assert {split: len(task.read(split)) for split in task.splits} == {"train": 32, "dev": 5, "test": 8}
    assert {document.id for document in task.read("dev")} == {f"v{number}" for number in range(5)}


def test_ids_that_several_files_share_get_the_name_of_the_file(tmp_path):
    span = {"start": 0, "end": 4, "label": "PAYER"}
    for name in ("ann", "bob"):
        write(
            tmp_path / "data",
            f"{name}.jsonl",
            lines(*({"id": n, "text": f"{TEXT} {name} {n}", "names": [span]} for n in range(5)), {"text": "y"}),
        )
    done = init_task(tmp_path / "data", tmp_path / "out")
    ids = {document.id for split in done.task.splits for document in done.task.read(split)}
    assert ids == {f"{name}-{number}" for name in ("ann", "bob") for number in (*range(5), 6)}
    assert "5 ids are in several files: the name of the file is put before them" in done.assumptions


def test_a_label_that_train_lacks_is_said(tmp_path):
    for split, topics in (("train", "ab"), ("dev", "ac"), ("test", "ab")):
        write(
            tmp_path / "data",
            f"{split}.jsonl",
            lines(*({"text": f"{split} {topic}", "topic": topic} for topic in topics)),
        )
    assert "topic: no document of train has c" in init_task(tmp_path / "data", tmp_path / "out").assumptions


def test_unlabeled_texts_are_found_by_name(tmp_path):
    data = tiny.write_task(tmp_path / "data").parent
    (data / "task.yaml").unlink()
    (data / "pool.jsonl").unlink()
    write(data, "unlabeled/a.txt", "one text")
    task = init_task(data, tmp_path / "out").task
    assert [document.text for document in task.read("unlabeled")] == ["one text"]


def test_nothing_is_overwritten_and_nothing_written_on_an_error(tmp_path):
    data = write(tmp_path, "a.jsonl", lines({"text": "a", "topic": "x"}, {"text": "b", "topic": "y"}))
    task = write(tmp_path / "out", "task.yaml", "mine")
    assert refused(data, tmp_path / "out") == (
        f"{task}: this file exists and is not overwritten. Give another folder with --output, or remove it."
    )
    assert task.read_text() == "mine"
    write(tmp_path / "half", "train.jsonl", "mine")
    assert "train.jsonl: this file exists" in refused(data, tmp_path / "half", dev=0, test=0)
    invalid = write(tmp_path, "b.jsonl", '{"text": "a", "topic": "x"}\n{"text": 1}\n{"text"\n')
    message = refused(invalid, tmp_path / "new", format="jsonl")
    assert f"{invalid}:2: " in message
    assert f"{invalid}:3: " in message
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (lines({"text": "a"}), {}, "there are no labels that a model could learn: the format is jsonl"),
        (lines({"id": 1, "text": "a", "t": "x"}, {"id": 1, "text": "b", "t": "y"}), {}, 'a.jsonl:2: the id "1" is also that of line 1'),
        (lines({"text": "a", "t": "x"}), {"dev": 0.5, "test": 0.5}, "--dev is 0.5. Give shares from 0"),
        (lines({"text": "a", "t": "x"}), {"test": -0.1}, "--test is -0.1."),
        (lines({"text": "a", "t": "x"}), {"format": "jsonlines"}, 'there is no format "jsonlines". Did you mean "jsonl"?'),
        ("nothing\n", {}, "the format is not known"),
    ],
)  # fmt: skip
def test_errors_are_one_line(tmp_path, content, options, says):
    message = refused(write(tmp_path, "a.jsonl", content), tmp_path / "out", **options)
    assert says in message
    assert "\n" not in message


def test_a_folder_of_tables_with_a_given_format_is_read_by_the_names_of_its_files(tmp_path):
    rows = {
        "labeled": ["a:b who ?", "c:d what ?"] * 5,
        "test": ["a:b which ?", "c:d where ?"],
        "unlabeled": ["? why ?"],
    }
    for name, own in rows.items():
        write(tmp_path / "data", f"{name}.tsv", "\n".join(["kind question", *own]))
    write(tmp_path / "data", "README.md", "A list of questions.")
    options = ("delimiter= ", "quotes=false", "text=question")
    done = init_task(tmp_path / "data", tmp_path / "task", "csv", dev=0, options=options)
    assert done.task.fields == (Field("kind", "classes", ("a:b", "c:d")),)
    assert done.task.options == {"delimiter": " ", "quotes": False, "text": "question"}
    splits = done.task.read_splits(done.task.splits)
    assert {split: len(own) for split, own in splits.items()} == {"train": 10, "test": 2, "unlabeled": 1}
    assert splits["train"][1].gold == {"kind": "c:d"}
    assert "left out, since they do not have this format: README.md" in done.assumptions


def test_a_folder_without_a_file_of_the_format_says_what_works(tmp_path):
    write(tmp_path / "data", "questions.txt", "kind question\na:b who ?\n")
    assert refused(tmp_path / "data", tmp_path / "task", format="csv") == (
        f"{tmp_path / 'data'}: no file of this folder has the format csv by what is in it, and none is named by a split. "
        "Name the files by their splits, such as train.csv and test.csv, or give one file."
    )


def test_two_columns_of_words_and_tags_are_no_table(tmp_path):
    assert detect(write(tmp_path, "train.tsv", "Ann\tB-PER\npaid\tO\n")).name == "conll"
    assert detect(write(tmp_path, "names.tsv", "text\ttopic\nAnn paid\tO\n")).name == "tsv"


CONLL = "Ann B-PER\npaid O\n\nBo B-PER\npaid O\n"
PUBTATOR = "1|t|Fever after naproxen\n1|a|None.\n1\t0\t5\tFever\tDisease\tD1\n"


@pytest.mark.parametrize(("content", "format"), [(CONLL, "conll"), (PUBTATOR, "pubtator")])
def test_annotated_files_may_end_in_txt(tmp_path, content, format):
    for name in ("train", "test"):
        write(tmp_path / "data", f"{name}.txt", content.replace("1", "2") if name == "test" else content)
    done = init_task(tmp_path / "data", tmp_path / "task", dev=0)
    assert (done.task.format, done.task.splits) == (format, ("train", "test"))
    assert all(document.gold["entities"] for document in done.task.read("test"))
    alone = init_task(tmp_path / "data" / "train.txt", tmp_path / "alone", dev=0, test=0)
    assert any(line.startswith(f"the format is {format}") for line in alone.assumptions)


def test_texts_without_labels_are_refused_with_the_command(tmp_path):
    write(tmp_path / "notes", "a.txt", "Ann paid Bo.\nTwice.\n")
    for path in (tmp_path / "notes", tmp_path / "notes" / "a.txt"):
        assert f"{path}: these are texts without labels. Declare what to label: --field" in refused(path)


def test_files_of_several_formats_are_refused(tmp_path, monkeypatch):
    other = Format("other", "Other", FORMATS["jsonl"].read, detect=lambda path: path.suffix == ".oth")
    monkeypatch.setitem(FORMATS, "other", other)
    rows = lines({"text": "a", "t": "x"}, {"text": "b", "t": "y"})
    write(tmp_path / "data", "a.jsonl", rows)
    write(tmp_path / "data", "b.oth", "nothing")
    assert "the files have several formats: a.jsonl (jsonl), b.oth (other)." in refused(
        tmp_path / "data", tmp_path / "out"
    )
    done = init_task(tmp_path / "data", tmp_path / "out", format="jsonl", dev=0, test=0)
    assert "left out, since they do not have this format: b.oth" in done.assumptions
    assert len(done.task.read("train")) == 2


def test_the_task_of_the_command_trains(tmp_path, monkeypatch, encoder):
    from electra_ie import train

    draw = tiny.random.Random(2)
    tiny.write_records(tmp_path / "memos.jsonl", [tiny.record(number, draw) for number in range(40)])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["init", "memos.jsonl", "--seed", "3"])
    assert result.exit_code == 0, result.output
    assert "assumed: the format is jsonl (JSON lines), by what is in the data" in result.output
    assert "drawn with seed 3" in result.output
    assert "electra-ie train memos_task" in result.output
    run = train("memos_task", "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2))
    assert set(run.scores["dev"].fields) == {"topic", "risks", "names"}


def test_small_splits_are_warned_of_with_the_labels_they_hardly_have(tmp_path, caplog):
    topics = ["trade"] * 30 + ["travel"] * 29 + ["fraud"]
    data = write(tmp_path, "a.jsonl", lines(*({"text": f"t{n}", "topic": topic} for n, topic in enumerate(topics))))
    init_task(data, tmp_path / "out")
    [warning] = caplog.messages
    assert warning == (
        "scores are rough on so few documents: 12 for dev and 12 for test. Labels with one example or none: "
        "fraud (0 in dev, 0 in test). With few labels: --test 0, so that train and dev have more."
    )
    caplog.clear()
    init_task(data, tmp_path / "dev", test=0)
    many = [{"text": f"t{n}", "topic": topic} for n, topic in enumerate(topics * 2)]
    init_task(write(tmp_path, "b.jsonl", lines(*many)), tmp_path / "many")
    assert not caplog.messages


def test_one_document_without_labels_is_said_in_the_singular(tmp_path):
    rows = [{"text": f"t{n}", "topic": "ab"[n % 2]} for n in range(4)]
    done = init_task(write(tmp_path, "a.jsonl", lines(*rows, {"text": "x"})), tmp_path / "out", dev=0, test=0)
    assert "1 document without labels is in the split unlabeled" in done.assumptions


def test_a_folder_without_files_is_refused(tmp_path):
    write(tmp_path / "data" / "sub", ".hidden", "x")
    assert refused(tmp_path / "data") == (
        f"{tmp_path / 'data'}: this folder has no files. Give a file or folder of annotated data."
    )


def test_two_commands_do_not_write_one_task(tmp_path):
    records = [{"id": str(number), "text": f"Acme {number}", "topic": "ab"[number % 2]} for number in range(20)]
    tiny.write_records(tmp_path / "notes.jsonl", records)
    with locked(tmp_path / "out"), pytest.raises(UserError, match="another process is writing to this folder"):
        init_task(tmp_path / "notes.jsonl", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert init_task(tmp_path / "notes.jsonl", tmp_path / "out").task.splits
    assert not (tmp_path / "out" / ".lock").exists()
