"""Tasks whose data are data sets of the library `datasets`: saved folders, Parquet files, and the hub."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from hub_server import running, use_hub
from huggingface_hub import close_session

from electra_ie import Task, UserError
from electra_ie.common.hashing import of_path
from electra_ie.config.train import TrainSettings
from electra_ie.data.document import Attribute, Span
from electra_ie.data.in_memory import resolve
from electra_ie.data.readers import READERS
from electra_ie.data.readers.dataset import load_from_hub
from electra_ie.runs.provenance import data_files

TOPICS = datasets.ClassLabel(names=["trade", "travel"])
TAGS = datasets.ClassLabel(names=["O", "B-PER", "I-PER", "B-ORG", "I-ORG"])
TEXTS = datasets.Dataset.from_dict(
    {"id": ["1", "2", "3"], "text": ["a", "b", "c"], "topic": [1, 0, -1], "risks": [[0, 1], [], None]},
    features=datasets.Features(
        {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "topic": TOPICS,
            "risks": datasets.List(TOPICS),
        }
    ),
)
SENTENCES = datasets.Dataset.from_dict(
    {"id": ["0"], "tokens": [["Ann", "Lee", "paid", "ACME"]], "ner_tags": [[1, 2, 0, 3]]},
    features=datasets.Features(
        {
            "id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(TAGS),
        }
    ),
)
FIELDS = """
fields:
  topic: {kind: classes, labels: [trade, travel]}
  risks: {kind: flags, labels: [trade, travel]}
"""
NAMES = "\nfields: {names: {kind: spans, labels: [PER, ORG], from: ner_tags}}\n"


def task_file(folder: Path, options: str, files: str = "{train: train, dev: validation}", fields: str = FIELDS) -> Task:
    text = f"format: datasets\noptions: {{{options}}}\nfiles: {files}{fields}"
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return Task.load(folder)


def saved(folder: Path) -> None:
    datasets.DatasetDict({"train": TEXTS, "validation": TEXTS.select([0])}).save_to_disk(folder)


def parquet(folder: Path) -> None:
    folder.mkdir()
    for split in ("train", "validation"):
        TEXTS.to_parquet(folder / f"{split}-00000-of-00001.parquet")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the library."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize("write", [saved, parquet])
def test_local_data_sets_are_read_without_a_copy(tmp_path, cache, write):
    write(tmp_path / "set")
    task = task_file(tmp_path, "name: set")
    assert task.paths == [tmp_path / "set"]
    documents = task.read("train")
    assert [(item.id, item.text) for item in documents] == [("1", "a"), ("2", "b"), ("3", "c")]
    assert [item.gold for item in documents] == [
        {"topic": "travel", "risks": ("trade", "travel")},
        {"topic": "trade", "risks": ()},
        {},
    ]
    assert documents[1].file == "set, train, record 2"
    assert task.read("dev")
    assert not [file for file in cache.rglob("*") if file.is_file() and file.stat().st_size], "only an empty lock"
    hashes = dict(data_files(task, TrainSettings.build(task=str(tmp_path))))
    assert hashes == {"train": of_path(tmp_path / "set"), "validation": of_path(tmp_path / "set")}
    again = Task.from_dict(task.as_dict(), tmp_path / "run" / "task.yaml")
    assert again.read("train") == documents


def test_attributes_are_keys_of_the_spans(tmp_path):
    spans = [
        {"start": 0, "end": 3, "label": "PER", "sure": "yes"},
        {"start": 4, "end": 7, "label": "PER", "sure": None},
    ]
    table = datasets.Dataset.from_list([{"id": "1", "text": "Ann Lee", "names": spans}])
    datasets.DatasetDict({"train": table}).save_to_disk(tmp_path / "set")
    fields = "\nfields:\n  names: {kind: spans, labels: [PER]}\n  sure: {kind: attributes, labels: ['yes', 'no'], of: [PER]}\n"
    (document,) = task_file(tmp_path, "name: set", "{train: train}", fields).read("train")
    assert document.gold["sure"] == (Attribute(Span(0, 3, "PER"), "yes"),)


def test_token_tags_are_spans(tmp_path):
    SENTENCES.save_to_disk(tmp_path / "set")
    task = task_file(tmp_path, "name: set", "{train: train, unlabeled: train}", NAMES)
    (document,) = task.read("train")
    assert [(document.text[span.start : span.end], span.label) for span in document.gold["names"]] == [
        ("Ann Lee", "PER"), ("ACME", "ORG"),
    ]  # fmt: skip
    assert [item.text for item in task.read("unlabeled")] == ["Ann Lee paid ACME"]


def test_folder_of_the_data_itself_may_be_the_data_set(tmp_path):
    saved(tmp_path / "set")
    datasets.DatasetDict({"train": TEXTS, "unlabeled": TEXTS}).save_to_disk(tmp_path / "other")
    task = task_file(tmp_path, "text: text", "{train: train, unlabeled: unlabeled}")
    assert [item.gold for item in Task.load(tmp_path, tmp_path / "other").read("unlabeled")] == [{}, {}, {}]
    assert len(Task.load(tmp_path, tmp_path / "set").read("train")) == 3
    assert task.files["unlabeled"] == ("unlabeled",)


def test_words_for_null_are_texts_and_labels_in_csv_files(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").write_text("id,text,topic\n1,NA,None\n2,x,\n3,None,nan\n", encoding="utf-8")
    task = task_file(
        tmp_path, "name: set", "{train: train}", "\nfields: {topic: {kind: classes, labels: [None, nan]}}\n"
    )
    found = [(document.text, document.gold) for document in task.read("train")]
    assert found == [("NA", {"topic": "None"}), ("x", {}), ("None", {"topic": "nan"})]


@pytest.mark.parametrize(("options", "files", "fields", "words"), [
    ("name: set", "{train: trian}", FIELDS, 'no split "trian". Did you mean "train"'),
    ("name: set", "{train: train}", FIELDS.replace("topic:", "topics:"), 'no column "topics" for the field topics. Did you mean "topic"'),
    ("name: set", "{train: train}", FIELDS.replace("trade, travel]", "trade, other]"), 'has no class "travel"'),
    ("name: set, text: body, tokens: words", "{train: train}", FIELDS, 'neither a column "body" nor "words"'),
    ("name: set, revision: main", "{train: train}", FIELDS, "the data set is local"),
    ("name: empty", "{train: train}", FIELDS, "the folder of the data set is empty"),
    ("name: set/state.json", "{train: train}", FIELDS, "there is no such data set"),
    ("name: set/dataset_dict.json", "{train: train}", FIELDS, "is a file, not a folder"),
    ("name: acme/other", "{train: train}", FIELDS, "acme/other: the hub cannot be reached, and the data set is not in the cache"),
    ("name: set/other", "{train: train}", FIELDS, "there is no such data set"),
    ("name: a b", "{train: train}", FIELDS, "there is no such data set"),
    ("name: script", "{train: train}", FIELDS, "revision: refs/convert/parquet"),
    ("name: damaged", "{train: train}", FIELDS, "the data set cannot be read"),
])  # fmt: skip
def test_data_sets_that_cannot_be_read_are_refused(tmp_path, options, files, fields, words):
    saved(tmp_path / "set")
    (tmp_path / "empty").mkdir()
    for name, file in (("script", "script.py"), ("damaged", "train.parquet")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"raise SystemExit\n")
    with pytest.raises(UserError) as caught:
        task_file(tmp_path, options, files, fields).read("train")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_folder_that_does_not_exist_is_not_sought_on_the_hub(tmp_path):
    with pytest.raises(UserError, match="no such folder of a data set"):
        list(READERS["datasets"].read(tmp_path / "none" / "train", ()))


@pytest.mark.parametrize("name", ["../set", "/etc"])
def test_name_may_not_leave_the_folder_of_the_data(tmp_path, name):
    with pytest.raises(UserError, match="may leave the folder of the data"):
        task_file(tmp_path, f"name: {name}")


def test_data_sets_of_the_hub_are_read_and_then_offline(tmp_path, monkeypatch):
    TEXTS.to_parquet(tmp_path / "train.parquet")
    files = {"train.parquet": (tmp_path / "train.parquet").read_bytes()}
    task = task_file(tmp_path, "name: acme/memos", "{train: train}")
    with running({"datasets/acme/memos": files}) as hub:
        use_hub(monkeypatch, hub.url, tmp_path)
        load_from_hub.cache_clear()
        documents = task.read("train")
        assert [document.gold.get("topic") for document in documents] == ["travel", "trade", None]
        close_session()
    use_hub(monkeypatch, hub.url, tmp_path, offline=True)
    load_from_hub.cache_clear()
    assert task.read("train") == documents


def test_task_of_the_hub_is_found_again_by_its_file(tmp_path):
    task = task_file(tmp_path, "name: acme/memos", "{train: train}")
    assert task.paths == []
    _, settings = resolve(task)
    assert (settings.task, settings.data) == (str(tmp_path / "task.yaml"), None)
    assert "data" not in task.as_dict()
