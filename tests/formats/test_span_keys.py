"""Lists of spans with any keys are detected, with the options that read them."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from reading import write
from typer.testing import CliRunner

import electra_ie
from electra_ie.cli.app import app
from electra_ie.common.errors import UserError
from electra_ie.data.document import Span
from electra_ie.data.init.from_annotations import init_task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan
from electra_ie.formats.detection import detect
from electra_ie.formats.parts.span_keys import lists_of_spans

TEXT = "ACME paid EUR 900"
CMEEE = {"start_idx": 0, "end_idx": 3, "type": "PAYER", "entity": "ACME"}
OF_CMEEE = {
    "spans": "entities", "start": "start_idx", "end": "end_idx", "label": "type", "quoted": "entity", "inclusive": True,
}  # fmt: skip


def record(item: dict, key: str = "entities", **others: object) -> dict:
    return {"text": TEXT, key: [item], **others}


@pytest.mark.parametrize(
    ("found", "options"),
    [
        (record(CMEEE), OF_CMEEE),
        (record({"begin": 0, "stop": 4, "tag": "PAYER"}, "spans"), {"start": "begin", "end": "stop", "label": "tag"}),
        (record({"start": 0, "end": 4, "type": "PAYER", "text": "ACME"}), {"spans": "entities", "label": "type"}),
        # Unknown names, which the text of the span proves; another number, and a key that not all spans have.
        (
            record({"id": 7, "de": 0, "bis": 4, "art": "PAYER", "wort": "ACME", "note": "x"}, relations=[]),
            {"spans": "entities", "start": "de", "end": "bis", "label": "art", "quoted": "wort"},
        ),
        (
            {"sentence": TEXT, "source": "web", "spans": [{"start": 5, "end": 9, "label": "X", "text": "PAID!"}]},
            {"text": "sentence", "quoted": ""},
        ),
    ],
)
@pytest.mark.parametrize("layout", ["array", "lines", "compressed"])
def test_lists_of_spans_are_detected_with_their_keys(tmp_path, found, options, layout):
    if "note" in str(found):
        second = {"id": 8, "de": 10, "bis": 17, "art": "AMOUNT", "wort": "EUR 900"}
        found = {**found, "entities": [*found["entities"], second]}
    content = json.dumps([found, {**found, "id": "2"}]) if layout == "array" else json.dumps(found) + "\n"
    path = write(tmp_path, "data.json", content)
    if layout == "compressed":
        path = tmp_path / "data.json.gz"
        path.write_bytes(gzip.compress(content.encode()))
    assert detect(path).name == "json_spans"
    assert FORMATS["json_spans"].guess(path) == options
    assert all(document.spans for document in FORMATS["json_spans"].documents(path, options))


@pytest.mark.parametrize(
    "found",
    [
        record({"start": 0, "end": 4, "label": "PAYER"}),
        record({"head": 0, "tail": 1, "label": "pays"}, "relations"),
        record({"min": 0, "max": 4, "type": "score"}),
        record({"start": 0, "end": 40, "type": "PAYER"}),
        record({"text": "ACME", "start": 0, "end": 4, "id": 0, "tag": "NNP"}, "tokens"),
        {"text": TEXT, "topics": ["a"], "names": []},
        {"text": TEXT, "names": [CMEEE], "amounts": [CMEEE]},
        {"text": TEXT, "names": [{"start": 0, "end": 4, "label": "PAYER"}], "others": [CMEEE]},
    ],
)
def test_json_lines_and_other_lists_are_not_taken_for_them(tmp_path, found):
    assert detect(write(tmp_path, "data.jsonl", json.dumps(found))).name == "jsonl"


def test_records_of_annotation_tools_are_theirs(tmp_path):
    prodigy = {"text": TEXT, "_task_hash": 1, "answer": "accept", "spans": [{"start": 0, "end": 4, "tag": "X"}]}
    assert detect(write(tmp_path, "a.jsonl", json.dumps(prodigy))).name == "prodigy"
    entity = {"id": 1, "start_offset": 0, "end_offset": 4, "label": "X"}
    assert detect(write(tmp_path, "b.jsonl", json.dumps(record(entity)))).name == "doccano"
    own = [{"text": "none", "entities": []}, record({"start": 0, "end": 4, "label": "PAYER"})]
    assert detect(write(tmp_path, "c.jsonl", "\n".join(map(json.dumps, own)))).name == "jsonl"
    assert lists_of_spans([record(CMEEE), 3]) == lists_of_spans([]) == []


def test_convert_and_init_read_them_without_options(tmp_path, caplog):
    caplog.set_level("INFO", logger="electra_ie")
    path = write(tmp_path, "data.json", json.dumps([{**record(CMEEE), "id": number} for number in range(5)]))
    assert CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "out.jsonl")]).exit_code == 0
    assert "5 documents with 5 annotations of JSON with spans to JSON lines" in caplog.text
    assert (
        "start: start_idx, end: end_idx, label: type, quoted: entity, inclusive: true, by what is in it" in caplog.text
    )
    done = init_task(path, tmp_path / "task", dev=0, test=0)
    options = "spans: entities, start: start_idx, end: end_idx, label: type, quoted: entity, inclusive: true"
    assert f"its options are {options}, by what is in it" in done.assumptions
    assert electra_ie.Task.load(tmp_path / "task").read("train")[0].gold["entities"] == (Span(0, 4, "PAYER"),)
    (tmp_path / "splits").mkdir()
    for split in ("train", "dev", "test"):
        shutil.copyfile(path, tmp_path / "splits" / f"{split}.json")
    task = init_task(tmp_path / "splits", tmp_path / "in_place").task
    assert (task.format, task.options) == ("json_spans", OF_CMEEE)


def test_lists_that_are_not_read_are_named(tmp_path, caplog):
    path = write(tmp_path, "data.json", json.dumps([record(CMEEE)]))
    command = (
        "--read spans=entities --read start=start_idx --read end=end_idx --read label=type --read quoted=entity "
        "--read inclusive=true"
    )
    assert CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "o.jsonl"), "--from", "jsonl"]).exit_code == 0
    assert (
        f'{path}: no annotation was read, but the lists under "entities" look like spans, which the format json_spans '
        f"reads with {command}."
    ) in caplog.text
    with pytest.raises(UserError) as caught:
        init_task(path, tmp_path / "task", "jsonl")
    assert f'But the lists under "entities" look like spans, which the format json_spans reads with {command}.' in str(
        caught.value
    )


def test_json_min_as_the_package_writes_it_is_detected(tmp_path):
    documents = [
        AnnotatedDocument(str(number), TEXT, (AnnotatedSpan("T1", "PAYER", ((0, 4),)),), labels={"topic": ("ab"[number],)})
        for number in range(2)
    ]  # fmt: skip
    FORMATS["label_studio_min"].save(documents, tmp_path / "min.json")
    assert detect(tmp_path / "min.json").name == "label_studio_min"
    task = init_task(tmp_path / "min.json", tmp_path / "task", dev=0, test=0).task
    assert task.read("train")[1].gold == {"entities": (Span(0, 4, "PAYER"),), "topic": "b"}


def test_cmeee_is_found_without_options(tmp_path):
    path = Path(__file__).parents[2] / "../shared/data/cmeee/dev.json.gz"
    if not path.exists():
        pytest.skip("the data set is not here")
    assert detect(path).name == "json_spans"
    assert FORMATS["json_spans"].guess(path) == OF_CMEEE
