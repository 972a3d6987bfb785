"""Data in memory: records, DataFrames and Datasets give the documents, hashes and weights of the same data in files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tiny
import yaml
from hypothesis import given
from hypothesis import strategies as st
from processes import run_two

import electra_ie
from electra_ie import Callback, Task, UserError, compare, evaluate, train, verify
from electra_ie.api import plan_push
from electra_ie.data.document import of_documents
from electra_ie.data.in_memory import resolve, with_split
from electra_ie.runs.layout import load_task

FIELDS = {
    "topic": {"kind": "classes", "labels": ["trade", "travel", "other"]},
    "risks": {"kind": "flags", "labels": ["late", "cash"]},
    "names": {"kind": "spans", "labels": ["person", "amount"]},
}
FILES = {"train": "train", "dev": "dev", "test": "test", "unlabeled": "pool"}
SPLITS = tuple(FILES)


def records_of(task: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of a task's files, by split."""
    return {
        split: [json.loads(line) for line in (task.parent / f"{stem}.jsonl").read_text("utf-8").splitlines()]
        for split, stem in FILES.items()
    }


@pytest.fixture
def records(task: Path) -> dict[str, list[dict[str, Any]]]:
    return records_of(task)


def as_records(records: list[dict[str, Any]]) -> Any:
    return records


def as_data_frame(records: list[dict[str, Any]]) -> Any:
    return pd.DataFrame(records)


def as_arrays(records: list[dict[str, Any]]) -> Any:
    """As a Parquet file is read: lists are numpy arrays. The offsets are numpy scalars."""
    frame = pa.Table.from_pylist(records).to_pandas()
    for spans in frame.get("names", ()):
        assert isinstance(spans, np.ndarray)
        for span in spans:
            span.update(start=np.int64(span["start"]), end=np.int64(span["end"]))
    return frame


def as_dataset(records: list[dict[str, Any]]) -> Any:
    return datasets.Dataset.from_list(records)


def as_class_labels(records: list[dict[str, Any]]) -> Any:
    """A Dataset whose labels are integers of ClassLabel features, spans as a struct of lists."""
    if "topic" not in records[0]:
        return datasets.Dataset.from_list(records)
    labels = {name: datasets.ClassLabel(names=field["labels"]) for name, field in FIELDS.items()}
    position, text = datasets.Value("int64"), datasets.Value("string")
    spans = {"start": position, "end": position, "label": labels["names"], "text": text}
    features = datasets.Features(
        {
            "id": text, "text": text, "topic": labels["topic"], "risks": datasets.List(labels["risks"]),
            "names": {key: datasets.List(feature) for key, feature in spans.items()},
        }
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [record[name] for record in records] for name in ("id", "text")}
    columns["topic"] = [labels["topic"].str2int(record["topic"]) for record in records]
    columns["risks"] = [labels["risks"].str2int(record["risks"]) for record in records]
    columns["names"] = [
        {
            key: [labels["names"].str2int(span[key]) if key == "label" else span[key] for span in record["names"]]
            for key in spans
        }
        for record in records
    ]
    return datasets.Dataset.from_dict(columns, features=features)


KINDS = [as_records, as_data_frame, as_arrays, as_dataset, as_class_labels]


def weights(run: Path, fields: Iterable[str] = tuple(FIELDS)) -> dict[str, bytes]:
    return {name: (run / name / "model.safetensors").read_bytes() for name in fields}


def task_of(data: Any, fields: Any = FIELDS, **kwargs: Any) -> Task:
    return resolve(data, fields=fields, **kwargs)[0]


# The same documents


@pytest.mark.parametrize("convert", KINDS)
def test_every_kind_gives_the_documents_and_hashes_of_the_files(task, records, convert):
    files = Task.load(task)
    in_memory = task_of({split: convert(members) for split, members in records.items()})
    assert in_memory.splits == files.splits
    assert in_memory.fields == files.fields
    assert in_memory.paths == []
    for split in SPLITS:
        documents, expected = in_memory.read(split), files.read(split)
        assert [(item.id, item.text, item.gold) for item in documents] == [
            (item.id, item.text, item.gold) for item in expected
        ]
        assert of_documents(documents) == of_documents(expected)


def test_one_table_is_the_training_split(records):
    for convert in KINDS:
        assert task_of(convert(records["train"])).splits == ("train",)


def test_a_dataset_dict_and_the_names_of_hugging_face_splits(records):
    names = {"train": "train", "validation": "dev", "test": "test", "unsupervised": "unlabeled"}
    data = datasets.DatasetDict({name: as_dataset(records[split]) for name, split in names.items()})
    assert task_of(data).splits == SPLITS
    assert task_of({"train": records["train"], "valid": as_data_frame(records["dev"])}).splits == ("train", "dev")


def test_records_without_ids_get_those_of_lines_of_a_file(tmp_path):
    records = [{"text": "one", "topic": "a"}, {"text": "two", "topic": "b", "id": 7}, {"text": "three", "topic": "a"}]
    tiny.write_records(tmp_path / "train.jsonl", records)
    yaml = "format: jsonl\nfiles: {train: train.jsonl}\nfields: {topic: {kind: classes, labels: [a, b]}}\n"
    (tmp_path / "task.yaml").write_text(yaml, encoding="utf-8")
    documents = task_of(records, {"topic": {"kind": "classes", "labels": ["a", "b"]}}).read("train")
    assert [document.id for document in documents] == ["train-1", "7", "train-3"]
    assert of_documents(documents) == of_documents(Task.load(tmp_path).read("train"))


def test_missing_values_are_unknown_gold():
    frame = pd.DataFrame(
        {"text": ["a", "b", "c", "d"], "topic": ["x", None, float("nan"), pd.NA], "risks": [["late"], None, pd.NaT, []]}
    )
    fields = {"topic": {"kind": "classes", "labels": ["x", "y"]}, "risks": {"kind": "flags", "labels": ["late"]}}
    gold = [document.gold for document in task_of(frame, fields).read("train")]
    assert gold == [{"topic": "x", "risks": ("late",)}, {}, {}, {"risks": ()}]


def test_a_class_label_of_minus_one_is_unknown():
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, -1]}, features=features)
    task = task_of(data, {"sentiment": {"kind": "classes", "from": "label"}})
    assert task.fields[0].labels == ("neg", "pos"), "the order of the feature, also of labels that no record has"
    assert [document.gold for document in task.read("train")] == [{"sentiment": "pos"}, {}]


def test_omitted_labels_are_collected_from_the_training_split(records):
    fields = {name: {"kind": field["kind"]} for name, field in FIELDS.items()}
    collected = {field.name: field.labels for field in task_of(records["train"], fields).fields}
    assert collected == {name: tuple(sorted(field["labels"])) for name, field in FIELDS.items()}
    declared = {field.name: list(field.labels) for field in task_of(as_class_labels(records["train"]), fields).fields}
    assert declared == {name: field["labels"] for name, field in FIELDS.items()}
    assert all("labels" not in field for field in fields.values()), "the argument is not changed"


texts = st.text(st.sampled_from("ab 漢é\u0301\u200d🏦👩🏽\n"), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(st.tuples(texts, st.integers(0, 11), st.integers(1, 12)), min_size=1, max_size=4), st.data())
def test_offsets_count_code_points_in_every_kind(drawn, data):
    """The text between the offsets is the quoted one, for emoji, combining marks and every other character."""
    records = []
    for text, start, length in drawn:
        passage = text[start : start + length]
        spans = []
        if passage.strip():
            spans.append({"start": start, "end": start + len(passage), "label": "x", "text": passage})
        records.append({"text": text, "names": spans})
    fields = {"names": {"kind": "spans", "labels": ["x"]}}
    convert = data.draw(st.sampled_from([as_records, as_data_frame, as_arrays, as_dataset]))
    for record, document in zip(records, task_of(convert(records), fields).read("train"), strict=True):
        assert document.text == record["text"]
        passages = [document.text[span.start : span.end] for span in document.gold["names"]]
        assert passages == [span["text"].strip() for span in record["names"]]


# The same runs


@pytest.fixture(scope="module")
def from_files(tmp_path_factory, encoder) -> tuple[Path, Path, dict[str, Any]]:
    """A task, its finished run, and the settings of the run."""
    folder = tmp_path_factory.mktemp("from_files")
    task = tiny.write_task(folder / "task")
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    return task, train(str(task), folder / "run", **settings).path, settings


@pytest.mark.parametrize("convert", [
    as_records, *(pytest.param(other, marks=pytest.mark.slow) for other in (as_data_frame, as_class_labels))
])  # fmt: skip
def test_a_run_has_the_weights_scores_and_hashes_of_the_run_from_files(from_files, tmp_path, convert):
    task, expected, settings = from_files
    records = records_of(task)
    data = {split: convert(members) for split, members in records.items() if split != "unlabeled"}
    pool = convert(records["unlabeled"])
    result = train(data, tmp_path / "run", fields=FIELDS, unlabeled=pool, **settings)
    assert weights(result.path) == weights(expected)
    audits = [json.loads((run / "audit.json").read_text("utf-8")) for run in (result.path, expected)]
    assert audits[0]["splits"] == audits[1]["splits"]
    assert audits[0]["data"] == {}
    assert result.scores["dev"] == electra_ie.RunScores.read(expected)["dev"]
    assert result.scores["dev"]["names"].metric == "f1"
    assert result.scores.training["labeled"]["documents"] == 40
    assert result.scores["dev"].mean == pytest.approx(
        sum(field.value for field in result.scores["dev"].fields.values()) / 3
    )
    text = records["test"][0]["text"]
    assert result.extractor()(text) == electra_ie.Extractor.from_pretrained(expected)(text)


@pytest.mark.slow
def test_a_run_has_no_text_and_is_scored_and_verified_with_the_records_or_their_files(from_files, tmp_path, capsys):
    task, expected, settings = from_files
    records = records_of(task)
    run = train(records, tmp_path / "run", fields=FIELDS, **settings).path
    for file in (file for file in run.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert not any(record["text"].encode() in content for split in SPLITS for record in records[split]), file
    sent = yaml.safe_load(plan_push(run, "acme/payments").files["task.yaml"])
    assert Task.from_dict(sent, tmp_path / "task.yaml").shareable() == sent, "a push keeps what the task says"
    saved = load_task(run).as_dict()
    assert saved["format"] == "jsonl"
    assert saved["files"]["dev"] == ["dev.jsonl"]
    assert "data" not in saved
    with pytest.raises(UserError, match='trained from objects in memory and has no copy of the split "test". Save '):
        evaluate(run)
    assert "trained from objects in memory" in verify(run).unchecked[0]
    assert verify(run).same
    with pytest.raises(UserError, match='data has no split "test". Valid: train'):
        evaluate(run, data={"train": records["train"]})
    scores = evaluate(run, data=as_dataset(records["test"]))
    assert scores == evaluate(run, "test", data=records) == evaluate(expected, "test")
    folder = tmp_path / "saved"
    folder.mkdir()
    for split in SPLITS:
        tiny.write_records(folder / f"{split}.jsonl", records[split])
    capsys.readouterr()
    assert evaluate(run, data=folder) == scores
    result = verify(run, data=str(folder))
    assert result.same
    assert not result.unchecked
    tiny.write_records(folder / "dev.jsonl", records["dev"][1:])
    assert [difference.name for difference in verify(run, data=str(folder)).differences] == ["dev"]


def test_a_run_of_objects_makes_records_and_sets_thresholds_by_objects(from_files, tmp_path):
    task, _, settings = from_files
    records = records_of(task)
    record = {"fields": {"payer": {"from": "person"}, "paid": {"from": "amount", "type": "decimal", "locale": "de"}}}
    data = {split: records[split] for split in ("train", "dev")}
    with pytest.raises(UserError, match='record.*no field has the label "persons"'):
        train(data, tmp_path / "run", fields=FIELDS, record={"fields": {"payer": {"from": "persons"}}}, **settings)
    run = train(data, tmp_path / "run", fields=FIELDS, record=record, **settings).path
    assert [field.name for field in load_task(run).record.fields] == ["payer", "paid"]
    (tmp_path / "a.txt").write_text(records["test"][0]["text"], encoding="utf-8")
    electra_ie.extract(run, tmp_path / "a.txt", tmp_path / "out.jsonl", records=tmp_path / "records.jsonl")
    (text,) = map(json.loads, (tmp_path / "records.jsonl").read_text("utf-8").splitlines())
    assert text["records"][0]["fields"].keys() == {"payer", "paid"}

    with pytest.raises(UserError, match='has no copy of the split "dev". Save .* evaluate and calibrate take'):
        electra_ie.calibrate(run, ["recall=0.9:person"])
    for of_dev in (records["dev"], {"validation": records["dev"]}):
        (outcome,) = electra_ie.calibrate(run, ["recall=0.9:person"], data=of_dev).outcomes
        assert outcome.promise or outcome.price


class Stopped(Exception):
    pass


class StopAfterCheckpoint(Callback):
    def on_save(self, state: Any, path: Path) -> None:
        raise Stopped


@pytest.mark.slow
def test_a_run_is_resumed_with_the_same_objects_only(from_files, tmp_path):
    task, expected, settings = from_files
    records = records_of(task)
    with pytest.raises(Stopped):
        train(records, tmp_path / "run", fields=FIELDS, callbacks=[StopAfterCheckpoint()], **settings)
    with pytest.raises(UserError, match="the texts are not those that the run began with"):
        train({**records, "train": records["train"][1:]}, tmp_path / "run", fields=FIELDS, resume=True)
    run = train(records, tmp_path / "run", fields=FIELDS, resume=True).path
    assert weights(run) == weights(expected)
    with pytest.raises(UserError, match="the texts are not those that the run began with"):
        train({**records, "train": records["train"][1:]}, run, fields=FIELDS, resume=True)
    assert train(records, run, fields=FIELDS, resume=True).path == run, "a finished run is not left as it is"


@pytest.mark.slow
def test_texts_in_memory_are_added_to_the_files_of_a_task(from_files, tmp_path):
    task, _, settings = from_files
    more = ["Arden paid 1.234,56 at the bank", "river winter and a quiet house"]
    tiny.write_records(tmp_path / "unlabeled.jsonl", [{"text": text} for text in more])
    in_file = train(str(task), tmp_path / "in_file", unlabeled=tmp_path / "unlabeled.jsonl", **settings)
    in_memory = train(str(task), tmp_path / "in_memory", unlabeled=more, **settings)
    assert weights(in_file.path) == weights(in_memory.path)
    assert in_memory.scores.training["unlabeled"]["documents"] == 32
    loaded = load_task(in_memory.path)
    assert loaded.files["unlabeled"] == ("pool.jsonl", "unlabeled.jsonl")
    assert loaded.folder == task.parent.absolute()
    assert evaluate(in_memory.path), "the files of the task are still read from its folder"
    assert "unlabeled.jsonl: the run was trained from objects in memory" in verify(in_memory.path).unchecked[0]


@pytest.mark.slow
def test_two_processes_train_on_objects_as_on_files(from_files, tmp_path):
    task, _, settings = from_files
    (tmp_path / "records.json").write_text(json.dumps(records_of(task)), encoding="utf-8")
    program = (
        "import json, sys, electra_ie\n"
        "data, output, fields, settings = sys.argv[1:]\n"
        "data = json.load(open(data)) if data.endswith('.json') else data\n"
        "electra_ie.train(data, output, fields=json.loads(fields), **json.loads(settings))\n"
    )
    for data, name, fields in ((tmp_path / "records.json", "objects", FIELDS), (task, "files", None)):
        run_two(
            lambda rank, data=data, name=name, fields=fields: [
                "-c", program, str(data), str(tmp_path / name), json.dumps(fields), json.dumps(settings)
            ]
        )  # fmt: skip
    assert weights(tmp_path / "objects") == weights(tmp_path / "files")


@pytest.mark.slow
def test_presets_are_compared_on_objects(from_files, tmp_path):
    task, _, settings = from_files
    records = records_of(task)
    common = {key: settings[key] for key in ("encoder", "window", "context_overlap", "max_steps", "num_evaluations")}
    topic = {"topic": FIELDS["topic"]}
    task = tiny.without(Path(shutil.copytree(task.parent, tmp_path / "task")) / task.name, "risks", "names")
    with pytest.raises(UserError, match="jobs is 2: data in memory cannot be sent to other processes. Omit jobs"):
        compare(records, tmp_path / "jobs", fields=topic, jobs=2, **common)
    arguments = {"seeds": 1, "presets": ["supervised", "latent"], "split": "test", **common}
    from_objects = compare(records, tmp_path / "objects", fields=topic, **arguments)
    from_files_too = compare(str(task), tmp_path / "files", **arguments)
    for run in ("supervised-all-0", "latent-all-0"):
        runs = [next((folder / "runs").glob(f"*{run.split('-')[0]}*")) for folder in (from_objects, from_files_too)]
        assert weights(runs[0], topic) == weights(runs[1], topic)
    assert weights(from_objects / "winner", topic) == weights(from_files_too / "winner", topic)
    results = [json.loads((folder / "compare.json").read_text("utf-8")) for folder in (from_objects, from_files_too)]
    means = [[preset["mean"] for preset in result["budgets"][0]["presets"].values()] for result in results]
    assert means[0] == means[1]


@pytest.mark.slow
def test_the_preset_auto_takes_objects(from_files, tmp_path):
    task, _, settings = from_files
    common = {key: settings[key] for key in ("encoder", "window", "context_overlap", "max_steps", "num_evaluations")}
    result = train(records_of(task), tmp_path / "run", fields=FIELDS, preset="auto", **common)
    assert "dev" in result.scores.splits
    assert (result.path / "comparison" / "compare.json").is_file()


def test_a_loaded_task_is_trained_as_its_name(from_files, tmp_path):
    task, expected, settings = from_files
    run = train(Task.load(task), tmp_path / "run", **settings).path
    assert weights(run) == weights(expected)
    assert evaluate(run) == evaluate(expected)
    assert resolve(Task.load("transaction_risk"))[1].task == "transaction_risk"
    elsewhere = resolve(Task.load("transaction_risk", data=tmp_path))[1]
    assert elsewhere.data == str(tmp_path), "run.yaml names another folder than the default one"


@pytest.mark.slow
def test_a_preset_that_reads_no_unlabeled_text_says_so(from_files, tmp_path, capsys, encoder):
    task, _, _ = from_files
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=1)
    train(str(task), tmp_path / "thresholds", unlabeled=["a text", "another text"], **settings)
    assert "uses no unlabeled text" not in capsys.readouterr().err, "flags have thresholds from it"
    train(str(tiny.without(task, "risks")), tmp_path / "run", unlabeled=["a text", "another text"], **settings)
    assert 'the preset supervised uses no unlabeled text; preset="self_training" does.' in capsys.readouterr().err


# Unlabeled: paths or texts


@pytest.mark.parametrize("convert", [
    list, tuple, pd.Series, lambda texts: pd.DataFrame({"text": texts}), lambda texts: [{"text": text} for text in texts],
    lambda texts: datasets.Dataset.from_dict({"text": texts}), lambda texts: datasets.Dataset.from_dict({"text": texts})["text"],
])  # fmt: skip
def test_unlabeled_texts_of_every_kind(records, convert):
    texts = ["the first text", "短い文", "the third"]
    documents = task_of(records["train"], unlabeled=convert(texts)).read("unlabeled")
    assert [(document.id, document.text) for document in documents] == [
        (f"unlabeled-{number}", text) for number, text in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize("convert", [pd.Series, lambda texts: datasets.Dataset.from_dict({"text": texts})["text"]])
def test_a_column_has_no_paths(records, convert):
    documents = task_of(records["train"], unlabeled=convert(["late", "cash.txt"])).read("unlabeled")
    assert [document.text for document in documents] == ["late", "cash.txt"]


def test_strings_that_may_be_paths_are_paths(records, tmp_path):
    (tmp_path / "my notes").mkdir()
    for value in (str(tmp_path), tmp_path, [tmp_path], (str(tmp_path / "my notes"),), ["memos.jsonl", "texts/"]):
        task, settings = resolve(records["train"], fields=FIELDS, unlabeled=value)
        assert "unlabeled" not in task.splits
        assert settings.unlabeled
    with pytest.raises(UserError, match='item 2, "[^"]*", is a path. Give paths only, as pathlib.Path, or records'):
        resolve(records["train"], fields=FIELDS, unlabeled=["a text with spaces", str(tmp_path)])


# Errors


def spanned(**changes: Any) -> dict[str, Any]:
    return {"text": "Arden paid", "names": [{"start": 0, "end": 5, "label": "person", **changes}]}


GOOD = {"text": "Arden paid", "topic": "trade", "risks": [], "names": []}


@pytest.mark.parametrize(("record", "words"), [
    (spanned(end=50), "the span 0 to 50 is outside the text of 10 characters. Offsets must count Unicode code points"),
    (spanned(end=0), "the span 0 to 0 is empty"),
    (spanned(text="Brisk"), "the span 0 to 5 is 'Arden', not 'Brisk'"),
    (spanned(label="place"), 'the field names has no label "place". Valid: person, amount'),
    (spanned(start="0"), '"start" of a span of "names" is "0", not a whole number. Write 0, without quotes'),
    ({"text": "a", "names": [[0, 1, "person"]]}, r'"names" contains .*, as doccano exports it. It must be \{"start": 0, "end": 1, "label": "person"\}\.$'),
    ({"text": "a", "topic": "sport"}, 'the field topic has no class "sport". Valid: trade, travel, other'),
    ({"text": "a", "topic": 3}, '"topic" contains 3. It must be one label, or null'),
    ({"text": "a", "risks": "late"}, '"risks" contains "late". It must be a list of labels'),
    ({"text": "a", "risks": {"late"}}, '"risks" contains an object of the type set. Give strings, numbers, lists'),
    ({"txt": "a"}, 'the record has no "text". Did you mean "txt"'),
    ({"text": 3}, '"text" is 3, not a text. Put the text in quotes'),
    ({"text": None}, '"text" is null, not a text. Give the record a text'),
    ({"text": "a", "id": ["x"]}, r'"id" is \["x"\]. An id must be'),
    ({"text": "a", "Topics": "trade"}, 'there is no key "topic" for the field topic, but "Topics". Rename it'),
    ("a text", 'this is of the type str, not a mapping. Give {"text"'),
])  # fmt: skip
def test_an_error_names_split_and_record(record, words):
    with pytest.raises(UserError, match=f"^train, record 2: {words}"):
        task_of([GOOD, record])
    if not isinstance(record, str):
        with pytest.raises(UserError, match=f"^validation, record 1: {words}"):
            task_of({"train": [GOOD], "validation": [record]})


def test_several_errors_are_listed_together():
    with pytest.raises(UserError) as caught:
        task_of({"train": [GOOD, spanned(end=50)], "dev": [{"text": "a", "topic": "sport"}]})
    assert str(caught.value).startswith("2 errors in the data in memory; nothing is written:")
    assert [str(error)[:15] for error in caught.value.errors] == ["train, record 2", "dev, record 1: "]


def test_records_with_the_same_id_are_refused():
    with pytest.raises(UserError, match='^train, record 3: the id "x" is also that of train, record 1[.] Give'):
        task_of([{**GOOD, "id": "x"}, GOOD, {**GOOD, "id": "x"}]).read("train")


def test_offsets_in_another_unit_are_refused_by_record():
    records = [{"text": "🏦 Arden paid", "names": [{"start": 3, "end": 8, "label": "person"}]}] * 3
    with pytest.raises(UserError, match=r"train, record 1: the offsets seem to count UTF-16.*\(record 1 \(3 to 8\)"):
        task_of(records)


@pytest.mark.parametrize(("data", "fields", "words"), [
    ([GOOD], None, "data in memory need fields: what to predict. Give fields="),
    ([GOOD], ["topic"], r"train: fields is \['topic'\] \(list\), and must be a mapping"),
    ([GOOD], {"topic": {"labels": ["a", "b"]}}, "fields: the field topic has no kind"),
    ([GOOD], {"topic": {"kind": "class"}}, 'fields: there is no kind "class". Did you mean "classes"'),
    ([GOOD], {"topic": {"kind": "classes", "labels": [0, 1]}}, "fields: the label 0 of the field topic is not text"),
    ([GOOD], {"topic": {"kind": "classes"}}, "fields: the field topic has only one class. Give at least two"),
    ([GOOD], {"risks": {"kind": "flags"}}, 'the field risks has no labels, and no record of train has a label .* under "risks". Give them'),
    (iter([GOOD]), FIELDS, "train: the data are of the type list_iterator. Give a task name"),
    (datasets.Dataset.from_list([GOOD]).to_iterable_dataset(), FIELDS, "of the type datasets.IterableDataset"),
    (3, None, "train: the data are of the type int. Give a task name, a path"),
    (None, None, "train: the data are of the type NoneType. Give a task name, a path"),
    ({"text": ["a", "b"], "topic": ["sport", "other"]}, FIELDS, r'data has the keys "text", "topic", which look like columns, and must be names of splits. Give datasets.Dataset.from_dict\(data\)'),
    ({"topic": np.array(["sport"]), "text": np.array(["a"])}, None, "look like columns"),
    ({"topic": np.array(["sport"]), "text": np.array(["a"])}, FIELDS, "look like columns"),
    (3, FIELDS, "train: the data are of the type int. Give a task name, a path, a Task, a list of records, a pandas"),
    ({"train": "records"}, FIELDS, "train: the data are of the type str"),
    ({"text": "a"}, FIELDS, 'data has the key "text", which is not the name of a split.*give the list of its records'),
    ({"dev": [GOOD]}, FIELDS, 'data has no split "train". Splits in data: dev'),
    ({"train": [GOOD], "dev": [GOOD], "valid": [GOOD]}, FIELDS, 'the splits "dev" and "valid", which are the same'),
    (pd.DataFrame({"body": ["a"]}), FIELDS, r'train: the DataFrame has no column "text".*data.rename\(columns'),
    (datasets.Dataset.from_dict({"body": ["a"]}), FIELDS, r'train: the Dataset has no column "text".*rename_column'),
    ("transaction_risk", FIELDS, "fields is given, but the task transaction_risk declares its own fields. Omit fields"),
    (Task.load("transaction_risk"), FIELDS, "fields is given, but the task transaction_risk declares"),
])  # fmt: skip
def test_wrong_data_and_fields_are_refused_before_anything_is_written(data, fields, words, tmp_path):
    with pytest.raises(UserError, match=words):
        train(data, tmp_path / "run", fields=fields)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["train.jsonl", "train.csv", "labels.json"])
def test_a_file_of_data_in_place_of_a_task_is_named_as_such(name, tmp_path):
    file = tmp_path / name
    content = {
        "train.jsonl": '{"text": "a", "topic": "sport"}\n{"text": "b", "topic": "other"}\n',
        "train.csv": "text,topic\na,sport\nb,other\n",
        "labels.json": '[{"id": 1, "data": {"text": "a"}, "annotations": []}]',
    }
    file.write_text(content[name], "utf-8")
    with pytest.raises(UserError, match=r"this is data \(.+\), and no task. electra-ie init .+ makes a task of it"):
        train(file, tmp_path / "run")
    assert [file] == list(tmp_path.iterdir())


def test_an_item_of_unlabeled_data_is_a_string_or_a_mapping(records, tmp_path):
    with pytest.raises(UserError, match="unlabeled, record 2: this is of the type NoneType, neither a string nor a ma"):
        train(records, tmp_path / "run", fields=FIELDS, unlabeled=["abc", None])


def test_the_folder_of_a_task_is_no_setting_of_objects(records, tmp_path):
    with pytest.raises(UserError, match='data="elsewhere" is a folder of files, for a task given by name.* Omit it'):
        train(records, tmp_path / "run", fields=FIELDS, data="elsewhere")
    with pytest.raises(UserError, match='Give it when the task is loaded: Task.load.*data="elsewhere"'):
        train(Task.load("transaction_risk"), tmp_path / "run", data="elsewhere")
    (tmp_path / "settings.yaml").write_text("data: elsewhere\nseed: 3\n", encoding="utf-8")
    settings = resolve(records, tmp_path / "settings.yaml", fields=FIELDS)[1]
    assert settings.data is None and settings.seed == 3


def test_a_run_is_scored_on_records_with_the_keys_of_its_task(task, records):
    renamed = [{"body": record["text"], **{key: record[key] for key in FIELDS}} for record in records["test"]]
    loaded = Task.load(task)
    documents = with_split(replace(loaded, options={"text": "body"}), "test", renamed).read("test")
    assert [document.text for document in documents] == [record["text"] for record in records["test"]]
    assert documents[0].id == "test-1"
    columns = replace(loaded, options={"text": ["title", "body"]})
    assert len(with_split(columns, "test", records["test"]).read("test")) == 20


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(UserError, match='in_memory: the split "dev" is empty'):
        task_of({"train": [GOOD], "dev": []}).read("dev")


def test_neither_pandas_nor_datasets_is_imported_for_records():
    program = (
        "import sys\n"
        "from electra_ie.data.in_memory import resolve\n"
        "resolve([{'text': 'a', 'x': ['y']}], fields={'x': {'kind': 'flags'}})[0].read('train')\n"
        "assert not {'pandas', 'datasets', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# Tokens and tags


TAGS = datasets.ClassLabel(names=["O", "B-PER", "I-PER", "B-ORG", "I-ORG"])
SENTENCES = {
    "tokens": [["Ann", "Lee", "paid", "ACME"], ["\u674e", "\u56db"], ["ok"]],
    "ner_tags": [[1, 2, 0, 3], [1, 2], None],
}


def tokens_dataset(columns: dict[str, Any] = SENTENCES) -> datasets.Dataset:
    features = {"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(TAGS)}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def spans_of(task: Task, field: str = "names") -> list[list[tuple[str, str]] | None]:
    """The text and label of each span; None for unknown ones."""
    return [
        [(item.text[span.start : span.end], span.label) for span in item.gold[field]] if field in item.gold else None
        for item in task.read("train")
    ]


def test_tokens_with_tags_of_class_labels_are_texts_with_spans(capsys):
    task = task_of(tokens_dataset(), {"names": {"kind": "spans", "from": "ner_tags"}})
    assert task.fields[0].labels == ("PER", "ORG")
    assert [item.text for item in task.read("train")] == ["Ann Lee paid ACME", "\u674e\u56db", "ok"]
    assert spans_of(task) == [[("Ann Lee", "PER"), ("ACME", "ORG")], [("\u674e\u56db", "PER")], None]
    assert "1 of 3 records are joined without blanks" in capsys.readouterr().err
    again = with_split(task, "test", tokens_dataset())
    assert [item.gold for item in again.read("test")] == [item.gold for item in task.read("train")]


def test_tokens_with_tags_as_texts_are_texts_with_spans():
    records = [{"tokens": ["Ann", "paid", "ACME"], "tags": ["PER", "O", "ORG"]}, {"tokens": ["ok"], "tags": ["O"]}]
    for data in (records, pd.DataFrame(records), datasets.Dataset.from_list(records)):
        task = task_of({"train": data, "unlabeled": data}, {"names": {"kind": "spans", "from": "tags"}})
        assert task.fields[0].labels == ("ORG", "PER")
        assert spans_of(task) == [[("Ann", "PER"), ("ACME", "ORG")], []]
        assert [item.text for item in task.read("unlabeled")] == ["Ann paid ACME", "ok"]


@pytest.mark.parametrize(("record", "words"), [
    ({"tokens": ["a"], "tags": ["B-PER", "O"]}, "and the record has 1 tokens"),
    ({"tokens": ["a"], "tags": [3]}, 'has the tag 3, which has no name'),
    ({"tokens": ["a"], "tags": ["PER"]}, 'the tag "PER" has no prefix, and other tags have one ("B-PER")'),
    ({"tokens": [], "tags": []}, '"tokens" is empty'),
    ({"tokens": "a", "tags": []}, "not a list of texts"),
    ({"tokens": ["a"], "tags": ["B-GPE"]}, 'has no label "GPE"'),
])  # fmt: skip
def test_invalid_tokens_and_tags_are_refused_by_record(record, words):
    data = [{"tokens": ["a"], "tags": ["B-PER"]}, record]
    with pytest.raises(UserError, match="train, record 2") as caught:
        task_of(data, {"names": {"kind": "spans", "from": "tags", "labels": ["PER", "ORG"]}})
    assert words in str(caught.value)


def test_a_table_with_two_columns_of_one_name_is_refused():
    table = pd.DataFrame([["one", "a", "b"]], columns=["text", "topic", "topic"])
    with pytest.raises(UserError, match="several columns of one name: topic. Rename them"):
        resolve(table, fields={"topic": {"kind": "classes"}})
