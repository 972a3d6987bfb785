"""Finished runs side by side: what is measured, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from safetensors.torch import load_file, save_file

from electra_ie import UserError, compare_runs, distill, evaluate, train
from electra_ie.cli.app import main
from electra_ie.comparison.finished import is_run
from electra_ie.comparison.finished import main as measure
from electra_ie.export.exporter import export_run
from electra_ie.runs.layout import load_task


@pytest.fixture(scope="module")
def teacher(finished, tmp_path_factory) -> Path:
    return finished(tmp_path_factory.mktemp("teacher") / "run", "supervised", max_steps=60)


def call(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["electra-ie", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.slow
def test_a_run_and_its_student_are_in_one_table(teacher, tmp_path, monkeypatch, capsys):
    student = str(tmp_path / "student")
    fast = ["--set", "max_steps=10", "--set", "precision=no"]
    assert call(monkeypatch, "distill", str(teacher), "--layers", "1", "--output", student, *fast) == 0
    assert f"electra-ie compare {teacher} {student}" in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.setenv("COLUMNS", "250")
    file = tmp_path / "table.json"
    assert call(monkeypatch, "compare", str(teacher), student, "--output", str(file)) == 0
    table = capsys.readouterr().out
    assert "1-layer" in table and "supervised" in table and "1.0 x" in table and "memory, MiB" in table
    content = json.loads(file.read_text("utf-8"))
    first, second = content["runs"]
    assert content["split"] == "test" and [first["run"], second["run"]] == [str(teacher), student]
    assert first["score"] == pytest.approx(evaluate(teacher, "test").mean)
    weights = sum(path.stat().st_size for path in Path(student).glob("*/model.safetensors"))
    assert second["megabytes"] == pytest.approx(weights / 1e6, abs=0.01) and second["megabytes"] < first["megabytes"]
    assert first["characters_per_second"] > 0 and first["memory"] > 50


@pytest.mark.slow
def test_an_exported_model_is_compared_with_its_run(teacher, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    exported, file = export_run(teacher, tmp_path / "exported", bits=8), tmp_path / "table.json"
    assert is_run(exported.path)
    assert call(monkeypatch, "compare", str(teacher), str(exported.path), "--output", str(file)) == 0
    assert "onnx, 8 bits" in capsys.readouterr().out
    first, second = json.loads(file.read_text("utf-8"))["runs"]
    assert second["score"] == pytest.approx(first["score"], abs=0.2)
    assert second["megabytes"] == pytest.approx((exported.path / "model.onnx").stat().st_size / 1e6, abs=0.01)
    assert second["memory"] < first["memory"] - 100  # torch is not loaded
    with pytest.raises(UserError, match="an exported model does not name the folder of its data. Give the folder with"):
        compare_runs([exported.path])
    (alone,) = compare_runs([exported.path], data=load_task(teacher).folder)
    assert alone.score == second["score"]


def test_the_process_of_a_run_measures_it_or_writes_its_error(teacher, finished, tmp_path):
    """Called in this process, so that the lines count as executed; the tests above call it in its own."""
    file = tmp_path / "result.json"
    measure([str(teacher), "test", "", str(file)])
    measured = json.loads(file.read_text("utf-8"))
    assert measured["score"] == pytest.approx(evaluate(teacher, "test").mean)
    characters = sum(len(document.text) for document in load_task(teacher).read("test"))
    assert measured["characters_per_second"] * measured["seconds"] == pytest.approx(characters, rel=0.05)
    elsewhere = Path(shutil.copytree(load_task(teacher).folder, tmp_path / "elsewhere"))
    (elsewhere / "test.jsonl").write_text((elsewhere / "dev.jsonl").read_text("utf-8"), encoding="utf-8")
    measure([str(teacher), "test", str(elsewhere), str(file)])
    assert json.loads(file.read_text("utf-8"))["score"] == pytest.approx(evaluate(teacher, "dev").mean)
    damaged = finished(tmp_path / "damaged", "supervised", max_steps=60)
    (damaged / "names" / "model.safetensors").write_bytes(b"no weights")
    measure([str(damaged), "test", "", str(file)])
    assert "model.safetensors" in json.loads(file.read_text("utf-8"))["error"]


@pytest.mark.unix("false")
def test_a_process_that_ends_before_it_has_measured_is_one_line(teacher, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match=r"the process that measures it has ended with status 1"):
        compare_runs([teacher])


@pytest.mark.unix("a peak that a process inherits")
def test_the_peak_memory_of_a_process_is_not_that_of_the_one_that_started_it():
    script = "from electra_ie.pretraining.memory import peak_memory; print(peak_memory())"
    filled = bytearray(400 * 2**20)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 5 < int(done.stdout) < 300 and filled, done.stderr


@pytest.mark.slow
def test_what_cannot_be_compared_is_one_line(teacher, finished, tmp_path, monkeypatch, capsys):
    assert is_run(teacher) and not is_run(tmp_path) and not is_run("transaction_risk")
    with pytest.raises(UserError, match="not the folder of a run"):
        compare_runs([teacher, tmp_path])
    with pytest.raises(UserError, match="no run is given"):
        compare_runs([])
    with pytest.raises(UserError, match='no document of the split "unlabeled" has a label'):
        compare_runs([teacher], "unlabeled")
    task = tiny.without(tiny.write_task(tmp_path / "other"), "risks")
    other = train(str(task), tmp_path / "run", **tiny.settings(_encoder(teacher), "supervised", max_steps=1)).path
    with pytest.raises(UserError, match="this run has other fields than the first one"):
        compare_runs([teacher, other])
    assert call(monkeypatch, "compare", str(teacher), "--presets", "latent") == 2
    assert "--presets is for the training of presets; these are finished runs" in capsys.readouterr().err
    damaged = finished(tmp_path / "damaged", "supervised", max_steps=60)
    weights = load_file(damaged / "names" / "model.safetensors")
    weights["classifier.weight"][0, 0] = float("nan")
    save_file(weights, damaged / "names" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="NaN or infinite"):
        compare_runs([damaged])
    (damaged / "README.md").unlink()
    with pytest.raises(UserError, match="no finished run here"):
        compare_runs([damaged])
    with pytest.raises(UserError, match="--layers"):
        distill(damaged, tmp_path / "student")


def _encoder(run: Path) -> str:
    return str(run / "names")
