"""`electra-ie init` of a folder that `save_to_disk` of the library `datasets` wrote."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

import electra_ie
from electra_ie.common.errors import UserError
from electra_ie.data.document import Attribute, Relation, Span
from electra_ie.data.init.from_annotations import init_task

PERSON, COMPANY = Span(0, 3, "PERSON"), Span(14, 18, "COMPANY")


def row(number: int) -> dict:
    return {
        "id": f"r{number}", "text": f"Ann works for Acme ({number}).", "topic": number % 2,
        "spans": [
            {"id": 1, "start": 0, "end": 3, "label": "PERSON", "status": "sure"},
            {"id": 2, "start": 14, "end": 18, "label": "COMPANY", "status": ["sure", "doubtful"][number % 2]},
        ],
        "ties": [{"head": 0, "tail": 1, "label": "works_for"}] if number % 2 else [],
    }  # fmt: skip


def table(*numbers: int) -> datasets.Dataset:
    text, whole = datasets.Value("string"), datasets.Value("int64")
    span = {"id": whole, "start": whole, "end": whole, "label": text, "status": text}
    features = datasets.Features({
        "id": text, "text": text, "topic": datasets.ClassLabel(names=["trade", "travel"]), "spans": datasets.List(span),
        "ties": datasets.List({"head": whole, "tail": whole, "label": text}),
    })  # fmt: skip
    return datasets.Dataset.from_list([row(number) for number in numbers], features=features)


def test_splits_that_are_all_there_stay_in_the_folder(tmp_path):
    splits = {"train": table(0, 1, 2), "validation": table(3, 4), "test": table(5, 6)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "set")
    done = init_task(tmp_path / "set", tmp_path / "task")
    task = electra_ie.Task.load(tmp_path / "task")
    assert (task.format, task.files) == ("datasets", {"train": ("train",), "dev": ("validation",), "test": ("test",)})
    assert task.read("dev")[0].gold == {
        "topic": "travel",
        "entities": (PERSON, COMPANY),
        "ties": (Relation(PERSON, COMPANY, "works_for"),),
        "status": (Attribute(PERSON, "sure"), Attribute(COMPANY, "doubtful")),
    }
    assert done.assumptions[:3] == [
        "the folder is a data set of the library datasets",
        "the text is the column text",
        "these columns are neither text nor labels, and not read: spans.id",
    ]
    assert done.assumptions[-1] == f"the data stay in {tmp_path / 'set'}"


def test_one_split_is_divided_and_written_as_json_lines(tmp_path):
    table(*range(10)).save_to_disk(tmp_path / "one")
    task = init_task(tmp_path / "one", tmp_path / "task").task
    assert task.format == "jsonl"
    assert {split: len(task.read(split)) for split in task.splits} == {"train": 6, "dev": 2, "test": 2}
    assert {each.kind for each in task.all_fields} == {"classes", "spans", "relations", "attributes"}


def test_tokens_with_tags_are_spans(tmp_path):
    rows = {"tokens": [["Ann", "paid"]] * 4, "ner_tags": [["B-PERSON", "O"]] * 4}
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "tags")
    task = init_task(tmp_path / "tags", tmp_path / "task", dev=0, test=0).task
    assert task.read("train")[0].gold == {"ner_tags": (PERSON,)}


def test_convert_names_init_and_options_are_refused(tmp_path):
    table(0, 1).save_to_disk(tmp_path / "one")
    with pytest.raises(UserError) as caught:
        electra_ie.convert(tmp_path / "one", Path(tmp_path / "out.jsonl"))
    assert str(caught.value) == (
        f"{tmp_path / 'one'}: this folder is a data set that the library datasets has saved, and no annotation format. "
        f"Make a task of it: electra-ie init {tmp_path / 'one'}."
    )
    with pytest.raises(UserError, match="options of a format .--read. are given for a data set"):
        init_task(tmp_path / "one", tmp_path / "task", options={"text": "text"})
