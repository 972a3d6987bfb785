"""The exported model of a run with attributes and relations finds what the run finds, without torch."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import asserted
import numpy as np
import pytest
import tiny
import yaml
from hub_server import running, use_hub
from huggingface_hub import ModelCard, close_session

import electra_ie
from electra_ie import Document, ExportedExtractor, Extractor, UserError, extract, verify
from electra_ie.common.hashing import of_file
from electra_ie.data.fields import AttributeField, RelationField, anchored_as_saved, anchored_from_saved
from electra_ie.export.comparison import compare
from electra_ie.export.exporter import export_run
from electra_ie.inference.loading import load_extractor
from electra_ie.runs.upload import plan_upload

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

NAME = "bank/linked"
FIELDS = {**asserted.BOTH, "links": {"kind": "relations", "labels": ["pays", "with"], "symmetric": ["with"]}}
RECORD = {
    "anchor": "person",
    "relation": "links",
    "fields": {"who": {"from": "person"}, "said": {"from": "person", "attribute": "assertion"}, "sum": {"from": "amount"}},
}  # fmt: skip
MODELS = ("", "assertion/", "links/")
FILES = [f"{folder}{name}" for folder in MODELS for name in ("model.onnx", "tokenizer.json", "export.json")]


def records(size, seed):
    """Those of `asserted`, with a relation without a direction between the two persons of a text."""
    made = asserted.records(size, seed)
    for record in made:
        record["links"].append({"head": 2, "tail": 0, "label": "with"})
    return made


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    """A run with spans, attributes of them, relations between them, and records of all."""
    task = tmp_path_factory.mktemp("anchored") / "task"
    task.mkdir()
    for split, size, seed in (("train", 24, 1), ("dev", 10, 2), ("unlabeled", 12, 3)):
        tiny.write_records(task / f"{split}.jsonl", records(size, seed))
    files = {split: f"{split}.jsonl" for split in ("train", "dev", "unlabeled")}
    content = {"format": "jsonl", "files": files, "fields": FIELDS, "record": RECORD}
    (task / "task.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=60, head_learning_rate=2e-2, num_evaluations=1)
    return electra_ie.train(str(task), task.parent / "run", **settings).path


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("exported") / "model").path


@pytest.fixture(scope="module")
def documents():
    draw = random.Random(4)
    texts = [*(each["text"] for each in asserted.records(20, 9)), "", "today", "Arden", "9.123"]
    long = " ".join(each["text"] for each in asserted.records(12, 5))
    texts += [long, "北京 Arden paid 9.123 today."]
    return [Document(str(n), text) for n, text in enumerate(draw.sample(texts, len(texts)))]


def without_scores(value):
    """What was extracted, without model and scores, and the scores in their order."""
    scores = []

    def walk(each):
        if isinstance(each, dict):
            scores.extend(each[key] for key in ("score",) if key in each)
            return {key: walk(item) for key, item in each.items() if key not in ("score", "model")}
        return [walk(item) for item in each] if isinstance(each, list) else each

    return walk(value), scores


def same(one, other):
    (left, scores), (right, others) = without_scores(one), without_scores(other)
    assert left == right
    # The score of a relation is a product of three, each of which may round to the next fourth decimal.
    assert scores == pytest.approx(others, abs=3.01e-4)
    assert np.median(np.abs(np.subtract(scores, others))) == 0


def test_findings_attributes_and_relations_are_those_of_the_run(run, exported, documents):
    extractor, other = load_extractor(run), load_extractor(exported)
    assert isinstance(extractor, Extractor) and isinstance(other, ExportedExtractor)
    of_run = [result.record() for result in extractor.read(documents)]
    of_export = [result.record() for result in other.read(documents)]
    same(of_run, of_export)
    found = [finding for record in of_export for finding in record["findings"]]
    assert {each["attributes"]["assertion"]["label"] for each in found if each["attributes"]} == set(asserted.CUES)
    assert {each["label"] for record in of_export for each in record["relations"]} == {"pays", "with"}
    assert [next(other.read([document])).record() for document in documents] == of_export, "alone as together"
    audit = json.loads((exported / "audit.json").read_text("utf-8"))
    assert audit["comparison"]["texts"] == 12
    assert (audit["comparison"]["other_findings"], audit["comparison"]["other_alone"]) == (0, 0)
    assert 0 < audit["comparison"]["largest"] < 1e-4


def test_records_are_those_of_the_run_without_torch(run, exported, documents, tmp_path):
    tiny.write_records(tmp_path / "new.jsonl", [{"id": each.id, "text": each.text} for each in documents if each.text])
    extract(run, tmp_path / "new.jsonl", tmp_path / "run.jsonl", records=tmp_path / "run-records.jsonl")
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'transformers', 'accelerate', 'datasets', 'scipy', 'sklearn']))\n"
        "from electra_ie.cli.app import main\n"
        "main()\n"
    )
    words = [exported, tmp_path / "new.jsonl", "-o", tmp_path / "out.jsonl", "--records", tmp_path / "records.jsonl"]
    command = [sys.executable, "-c", script, "extract", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    for one, other in (("run.jsonl", "out.jsonl"), ("run-records.jsonl", "records.jsonl")):
        pair = [
            [json.loads(line) for line in (tmp_path / name).read_text("utf-8").splitlines()] for name in (one, other)
        ]
        assert pair[0]
        same(*pair)


def test_a_difference_of_the_second_stage_is_seen(run, exported):
    """Logits, attributes and relations of another second model are compared with those of the run."""
    extractor, other = load_extractor(run), load_extractor(exported)
    texts = [Document(str(n), each["text"]) for n, each in enumerate(asserted.records(4, 9))]
    score = other.anchored_readers[1].pipeline.score

    def shifted(groups):
        return [{"links": logits["links"] + np.float32(2e-4)} for logits in score(groups)]

    def turned(groups):
        return [{"links": -logits["links"]} for logits in score(groups)]

    for changed, message in (
        (shifted, "logits differ by up to 2.0e-04"),
        (turned, r"4 of 4 texts have other findings"),
    ):
        object.__setattr__(other.anchored_readers[1].pipeline, "score", changed)
        with pytest.raises(UserError, match=message):
            compare(extractor, other, texts).check(exact=True)


def test_audit_and_card_name_all_models(run, exported):
    audit = json.loads((exported / "audit.json").read_text("utf-8"))
    of_run = json.loads((run / "audit.json").read_text("utf-8"))
    assert audit["weights"] == {name: of_file(exported / name) for name in FILES}
    assert (audit["run"]["model"], audit["run"]["weights"]) == (of_run["model"], of_run["weights"])
    assert audit["model"].startswith(load_extractor(exported).model)
    card = ModelCard((exported / "README.md").read_text("utf-8")).text
    assert "## Relations" in card and "## Attributes" in card
    assert "`links/model.onnx` classifies a marked text" in card and "`assertion/model.onnx` classifies" in card
    assert "such as `@ * person * This @" in card
    assert "pipeline(" not in card
    assert "| links, dev (10 documents) | has to be right |" in card
    assert f"| `links/model.onnx` | `{of_file(exported / 'links' / 'model.onnx')}` |" in card
    size = sum((exported / folder / "model.onnx").stat().st_size for folder in MODELS) / 1e6
    assert f"| size | {size:.1f} MB |" in card


def test_a_changed_or_missing_file_is_named(exported, tmp_path):
    copy = Path(shutil.copytree(exported, tmp_path / "copy"))
    assert verify(copy).same
    with (copy / "links" / "tokenizer.json").open("ab") as file:
        file.write(b"\n")
    assert [(each.part, each.name) for each in verify(copy).differences] == [("weights", "links/tokenizer.json")]
    with pytest.raises(UserError, match="the calibration belongs to the weights"):
        load_extractor(copy)
    (copy / "links" / "model.onnx").unlink()
    with pytest.raises(UserError, match=r"the exported model has no links/model.onnx. Restore the file"):
        load_extractor(copy)
    for message, change in (
        ("the list of relations and attributes is damaged", {"anchored": 3}),
        ("the list of relations and attributes is damaged", {"anchored": [{"name": "../other"}]}),
        ("the settings lack valid relations or attributes", {"anchored": [{"name": "links", "kind": "relations"}]}),
    ):
        damaged = Path(shutil.copytree(exported, tmp_path / "damaged", dirs_exist_ok=True))
        content = json.loads((exported / "export.json").read_text("utf-8"))
        (damaged / "export.json").write_text(json.dumps({**content, **change}), encoding="utf-8")
        with pytest.raises(UserError, match=message):
            load_extractor(damaged)
    shutil.copy(exported / "export.json", damaged)
    shutil.copytree(exported / "assertion", damaged / "links", dirs_exist_ok=True)
    with pytest.raises(UserError, match="the model does not fit the settings of the folder that it is in"):
        load_extractor(damaged)


def test_all_models_go_through_the_hub(run, exported, documents, tmp_path, monkeypatch):
    expected = load_extractor(exported)
    sent = sorted(plan_upload(exported).files)
    assert sent == sorted([*FILES, "README.md", "audit.json", "calibration.json", "task.yaml"])
    token = "hf_writer" + "0123456789abcdefghij" * 2
    with running(tokens={token: "write"}) as hub:
        use_hub(monkeypatch, hub.url, tmp_path / "home")
        monkeypatch.setenv("HF_TOKEN", token)
        pushed = electra_ie.push_to_hub(exported, NAME, private=True)
        loaded = ExportedExtractor.from_pretrained(pushed)
        assert loaded.model == expected.model
        assert [each.record() for each in loaded.read(documents)] == [
            each.record() for each in expected.read(documents)
        ]
        assert verify(pushed).same
        assert {"links/model.onnx", "links/export.json"} <= hub.files(NAME).keys()
        electra_ie.push_to_hub(run, NAME, private=True)
        assert not [name for name in hub.files(NAME) if name.endswith((".onnx", "export.json"))], (
            "one replaces the other"
        )
        close_session()


@pytest.mark.slow
def test_with_8_bits_the_f1_lost_has_attributes_and_relations(run, tmp_path):
    small = export_run(run, tmp_path / "small", bits=8)
    assert set(small.lost) == {"names", "assertion", "links"}
    assert set(small.lost["links"]) <= {"pays", "with"} and set(small.lost["assertion"]) <= set(asserted.CUES)
    assert small.comparison.other_alone == 0
    for folder in MODELS:
        assert b"MatMulNBits" in (small.path / folder / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    "field",
    [
        RelationField("ties", ("knows", "pays"), symmetric=("knows",)),
        AttributeField("said", ("present", "negated"), ("person",)),
    ],
)
def test_a_field_is_saved_and_read_back(field):
    assert anchored_from_saved(json.loads(json.dumps(anchored_as_saved(field)))) == field
