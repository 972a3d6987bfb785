"""An exported model accepts, queues and drops what its run does, without torch."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from electra_ie import ExportedExtractor, Extractor, UserError, calibrate, drift, extract
from electra_ie.calibration.found import found_in
from electra_ie.calibration.goals import parse_goals
from electra_ie.calibration.promises import promises
from electra_ie.data.document import Document
from electra_ie.export.comparison import compare
from electra_ie.export.exporter import export_run
from electra_ie.inference.scoring import read
from electra_ie.runs.layout import load_task

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

GOALS = ("recall=0.6:person", "precision=0.7:person", "recall=0.2:amount")
WITHOUT = ("torch", "transformers", "accelerate", "datasets", "sklearn", "pyarrow", "matplotlib")


@pytest.fixture(scope="module")
def run(calibrated, tmp_path_factory):
    """A calibrated run with goals."""
    folder = Path(shutil.copytree(calibrated, tmp_path_factory.mktemp("goals") / "run"))
    assert calibrate(folder, GOALS).met
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("exported") / "model").path


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    draw, file = random.Random(6), tmp_path_factory.mktemp("inbox") / "new.jsonl"
    tiny.write_records(file, [{"id": f"n{n}", "text": tiny.record(n, draw)["text"]} for n in range(60)])
    return file


def without_torch(*words, more=()):
    """Run the command line in a process that cannot import the packages of training.

    They are not found, rather than None in sys.modules: scipy looks there for torch.
    """
    script = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {WITHOUT!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"sys.modules.update(dict.fromkeys({more!r}))\n"
        "from electra_ie.cli.app import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=120)


def decided(path):
    """What is decided of each finding in a file of findings or a queue."""
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    names = ("field", "label", "start", "end", "decision")
    return {each["id"]: [tuple(finding[name] for name in names) for finding in each["findings"]] for each in records}


def test_the_decisions_of_the_run_without_torch(run, exported, inbox, tmp_path):
    counts = extract(run, inbox, tmp_path / "run.jsonl", review=tmp_path / "queue.jsonl")
    done = without_torch(
        "extract", exported, inbox, "--output", tmp_path / "out.jsonl", "--review", tmp_path / "again.jsonl",
        more=["scipy"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no goal" not in done.stderr
    accepted, queued = decided(tmp_path / "run.jsonl"), decided(tmp_path / "queue.jsonl")
    assert decided(tmp_path / "out.jsonl") == accepted
    assert decided(tmp_path / "again.jsonl") == queued
    assert {each[-1] for found in queued.values() for each in found} == {"accepted", "review", "dropped"}
    assert sum(map(len, accepted.values())) > 20 and counts.to_review and counts.dropped
    promises = Extractor.from_pretrained(run).calibration.promises
    assert ExportedExtractor.from_pretrained(exported).calibration.promises == promises
    card = (exported / "README.md").read_text("utf-8")
    assert all(f"| {each.field} | {each.label} | {each.measure} {each.level:g} |" in card for each in promises)
    assert "| texts with the same findings, of which one is on the other side of a threshold | 0 |" in card


def test_the_drift_test_comes_with_the_model(run, exported, inbox, tmp_path):
    of_run, of_export = (drift(model, inbox).comparisons for model in (run, exported))
    assert of_run and len(of_run) == len(of_export)
    for one, other in zip(of_run, of_export, strict=True):
        assert (one.field, one.what, one.dev) == (other.field, other.what, other.dev)
        assert (one.new, one.p) == pytest.approx((other.new, other.p), abs=0.01)
    tiny.write_records(tmp_path / "other.jsonl", [{"text": f"ZXQ 7 JJW {n} KKV PPL UUM QQ"} for n in range(60)])
    done = without_torch("drift", exported, tmp_path / "other.jsonl")
    assert done.returncode == 1, done.stderr
    assert "The promise no longer holds: the texts are not like those of dev. " in done.stdout
    done = without_torch("drift", exported, inbox, more=["scipy"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "drift needs scipy, which is not installed. Install it with: pip install scipy." in done.stderr


def test_goals_are_set_for_the_run_only(exported):
    before = (exported / "calibration.json").read_bytes()
    done = without_torch("calibrate", exported, "--goal", "recall=0.4:person", more=["scipy"])
    assert done.returncode == 2
    expected = "the thresholds of an exported model are those of its run. Calibrate the run, and export it again."
    assert expected in " ".join(done.stderr.split())
    assert (exported / "calibration.json").read_bytes() == before


def test_a_model_without_goals_says_where_they_are_set(calibrated, exported, inbox, tmp_path, capsys):
    copy = shutil.copytree(exported, tmp_path / "model")
    content = json.loads((copy / "calibration.json").read_text("utf-8"))
    (copy / "calibration.json").write_text(json.dumps({**content, "promises": []}), "utf-8")
    extract(copy, inbox, tmp_path / "out.jsonl", review=tmp_path / "queue.jsonl")
    assert "no goal came with this exported model (electra-ie calibrate RUN), so that all" in capsys.readouterr().err


def test_a_decision_on_the_other_side_of_a_threshold_is_counted(run, exported):
    """A score on the threshold may round differently; one that differs by more is refused."""
    one, other = Extractor.from_pretrained(run), ExportedExtractor.from_pretrained(exported)
    texts = [Document("a", tiny.record(0, random.Random(6))["text"])]
    (result,) = one.read(texts)
    (score,) = {each.score for each in result.findings if each.label == "person"}
    promises = tuple(replace(each, threshold=score) for each in one.calibration.promises if each.label == "person")
    one.calibration = replace(one.calibration, promises=promises)
    assert compare(one, other, texts).other_decisions == 0
    scale = other.calibration.scales["names"]
    other.calibration = replace(
        other.calibration,
        scales={**other.calibration.scales, "names": replace(scale, intercept=scale.intercept - 0.02)},
    )
    found = compare(one, other, texts)
    assert (found.other_findings, found.other_scores, found.other_decisions) == (0, 1, 1)
    assert 1e-4 < found.largest_score < 0.01
    found.check(exact=False)
    with pytest.raises(UserError, match="the exported model is not equal to the run: .* scores by up to"):
        found.check(exact=True)


@pytest.mark.slow
def test_with_8_bits_goals_are_measured_again(run, tmp_path, capsys):
    """On dev; those of reviewed documents, and those that dev does not allow for this model, are named and left out."""
    copy = shutil.copytree(run, tmp_path / "run")
    content = json.loads((copy / "calibration.json").read_text("utf-8"))
    of_recall, of_precision, of_amount = content["promises"]
    changed = [{**of_recall, "data": "reviewed"}, {**of_precision, "threshold": 0.99}, {**of_amount, "level": 0.99}]
    (copy / "calibration.json").write_text(json.dumps({**content, "promises": changed}), "utf-8")
    small = ExportedExtractor.from_pretrained(export_run(copy, tmp_path / "small", bits=8).path)
    told = capsys.readouterr().err
    assert "recall=0.6:names.person: left out, since it was measured with 32 bits, on reviewed documents, which" in told
    assert "recall=0.99:names.amount: not promised with 8 bits: no number of reviewed documents would allow it" in told
    (promise,) = small.calibration.promises
    dev = load_task(copy).read("dev")
    found = found_in(small.fields[2], dev, [result.findings for result in read(small, dev)])
    (outcome,) = promises(parse_goals(["precision=0.7:person"], small.fields), {"names": found}, 0.9, "dev")
    assert promise == outcome.promise and promise.threshold < 0.99
    assert small.calibration.reference["names"] == found.by_document()
    assert small.calibration.reference["names"] != content["reference"]["names"]
