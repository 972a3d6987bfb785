"""Integrity of runs: damaged runs, resuming with other input, names of fields, precision, outputs."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import processes
import pytest
import tiny
import torch
import yaml
from command_line import command
from safetensors.torch import load_file, save_file

from electra_ie import Extractor, UserError, evaluate, extract, train
from electra_ie.data.declaration.task_yaml import RESERVED_NAMES
from electra_ie.data.readers import read_unlabeled
from electra_ie.inference import scoring
from electra_ie.runs import layout
from electra_ie.runs.layout import read_log
from electra_ie.training.callbacks import Callback

TEXT = "invoice goods Arden paid 5.975,74 later than monday."


@pytest.fixture
def run_copy(run, tmp_path) -> Path:
    """Return a copy of the finished run, to be damaged."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_names_that_a_run_uses_cannot_be_those_of_fields():
    used = {layout.CHECKPOINT, layout.COMPARISON, layout.TRACKING, scoring.RECORDS}
    assert used <= set(RESERVED_NAMES)


def change_yaml(file: Path, change) -> None:
    values = yaml.safe_load(file.read_text("utf-8"))
    change(values)
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def drop_head(run: Path) -> None:
    file = run / "risks" / "model.safetensors"
    tensors = load_file(file)
    save_file({name: value for name, value in tensors.items() if "classifier" not in name}, file, {"format": "pt"})


def cut_weights(run: Path) -> None:
    file = run / "names" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def drop_block(run: Path) -> None:
    file = run / "topic" / "config.json"
    values = json.loads(file.read_text("utf-8"))
    del values["electra_ie"]
    file.write_text(json.dumps(values), encoding="utf-8")


def rename(values) -> None:
    values["fields"]["names"]["labels"] = ["payee", "amount"]


@pytest.mark.parametrize(("spoil", "words"), [
    (drop_head, ["risks", "classifier.bias", "not the weights that were saved here"]),
    (cut_weights, ["names", "cannot be loaded"]),
    (drop_block, ["topic", "lacks valid window settings"]),
    (lambda run: (run / "topic" / "tokenizer.json").unlink(), ['no tokenizer.json for the field "topic"']),
    (lambda run: change_yaml(run / "task.yaml", rename), ["names", 'labels of this model are not those of the field "names"']),
    (lambda run: (run / "task.yaml").write_bytes(b"\x00binary"), ["task.yaml:1", "binary"]),
    (lambda run: (run / "task.yaml").write_text("fields: [", encoding="utf-8"), ["task.yaml", "not valid YAML"]),
])  # fmt: skip
def test_damaged_run_is_an_error_that_names_the_part(run_copy, spoil, words):
    spoil(run_copy)
    with pytest.raises(UserError) as caught:
        Extractor.from_pretrained(run_copy)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": "\xff"}', b"[" * 100_000])
def test_damaged_scores_are_an_error(run_copy, content):
    (run_copy / "scores.json").write_bytes(content)
    with pytest.raises(UserError, match="scores.json:1: this is not the JSON object that was written here"):
        evaluate(run_copy)


def test_damaged_log_is_an_error(run_copy):
    (run_copy / "log.jsonl").write_bytes(b'{"step": 1}\n{"step": "\xff"}\n')
    with pytest.raises(UserError, match="log.jsonl:2: this is not the JSON object that was written here"):
        read_log(run_copy)


# Resuming


class Stopped(Exception):
    """Ends a run, as if the machine had failed."""


@pytest.fixture
def begun(task, tmp_path, encoder, monkeypatch):
    """Return the task, a run that was interrupted after its first checkpoint, and its settings."""
    settings = tiny.settings(encoder("bert"), "supervised")

    class StopAfterCheckpoint(Callback):
        def on_save(self, state, path):
            raise Stopped

    with pytest.raises(Stopped):
        train(str(task), tmp_path / "begun", callbacks=[StopAfterCheckpoint()], **settings)
    return task, tmp_path / "begun", settings


def test_finished_run_is_not_trained_again(task, tmp_path, encoder, monkeypatch, capsys):
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    run = train(str(task), tmp_path / "run", **settings).path
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    capsys.readouterr()
    assert train(str(task), run, resume=True, **settings).path == run
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*")} == before
    assert "this run is finished; there is nothing to resume" in capsys.readouterr().err
    with pytest.raises(
        UserError, match=r"other settings: seed \(0, now 3\).* or start a new run with another --output"
    ):
        train(str(task), run, resume=True, **{**settings, "seed": 3})
    capsys.readouterr()
    assert command(monkeypatch, "train", task, "--output", run, "--resume") == 0
    assert capsys.readouterr().err.endswith(f"\nnext: electra-ie evaluate {run}\n")


@pytest.mark.parametrize("arguments", [["serve"], ["extract", "-"], ["evaluate"]])
def test_a_task_is_no_run(arguments, task, monkeypatch, capsys):
    name, *paths = arguments
    assert command(monkeypatch, name, task.parent, *paths) == 2
    train = f"electra-ie train {task.parent} --output runs/NAME."
    assert capsys.readouterr().err == f"error: {task.parent}: this is a task, not a run. Train it: {train}\n"


def test_run_is_not_resumed_with_another_task_or_other_texts(begun):
    task, run, settings = begun
    original = task.read_text("utf-8")
    task.write_text(original.replace("[person, amount]", "[amount, person]"), encoding="utf-8")
    with pytest.raises(UserError, match="began with another task"):
        train(str(task), run, resume=True, **settings)
    task.write_text(original, encoding="utf-8")
    file = task.parent / "train.jsonl"
    whole = file.read_text("utf-8")
    file.write_text(whole.replace("Arden", "Brisk"), encoding="utf-8")
    with pytest.raises(UserError, match="the texts are not those that the run began with"):
        train(str(task), run, resume=True, **settings)
    file.write_text(whole, encoding="utf-8")
    # Training reads no declaration of records, which may have been added meanwhile.
    task.write_text(f"{original}record: {{fields: {{who: {{from: person}}}}}}\n", encoding="utf-8")
    # Another path to the same folder is accepted.
    other = os.path.relpath(task.parent)
    train(other, run, resume=True, **settings)
    assert (run / "README.md").is_file()


# Fields and precision


def test_field_may_have_the_name_of_a_module_attribute(task, tmp_path, encoder):
    text = task.read_text("utf-8")
    text = text.replace("  topic: {", "  type: {from: topic, ").replace("  risks: {", "  train: {from: risks, ")
    task.write_text(text, encoding="utf-8")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), max_steps=2)).path
    assert {"type", "train", "names"} <= set(evaluate(run).fields)


def test_field_may_not_have_the_name_of_a_folder_of_the_run(task):
    task.write_text(task.read_text("utf-8").replace("  topic: {", "  checkpoint: {from: topic, "), encoding="utf-8")
    with pytest.raises(UserError, match='task.yaml:5: "checkpoint" cannot be the name of a field'):
        train(str(task))


def losses(run: Path) -> list[float]:
    return [row["discriminator"] for row in read_log(run) if "discriminator" in row]


@pytest.mark.parametrize(
    "preset",
    [pytest.param("supervised", marks=pytest.mark.slow), "latent", pytest.param("adversarial", marks=pytest.mark.slow)],
)
def test_all_presets_train_in_bf16(task, tmp_path, encoder, finished, monkeypatch, preset):
    """bf16 is the default on GPUs. Its relative error is up to 0.4 %; the loss of a step is a mean."""
    from electra_ie.training import setup
    from electra_ie.training.loop import make_accelerator

    settings = tiny.settings(encoder("bert"), preset, max_steps=4)
    exact = losses(finished(tmp_path / "exact", preset, max_steps=4))
    accelerators = []

    def in_bf16(precision, *rest):
        accelerators.append(make_accelerator("bf16", *rest))
        return accelerators[-1]

    monkeypatch.setattr(setup, "make_accelerator", in_bf16)
    run = train(str(task), tmp_path / "run", **settings).path
    rounded = losses(run)
    assert len(rounded) == len(exact) == 4
    assert rounded != exact
    assert rounded == [pytest.approx(loss, rel=0.03) for loss in exact]
    assert accelerators
    assert {accelerator.mixed_precision for accelerator in accelerators} == {"bf16"}
    assert all(value.dtype == torch.float32 for value in load_file(run / "names" / "model.safetensors").values())


# Outputs


@pytest.mark.unix("named pipes")
def test_pipe_is_written_to_and_not_replaced(run, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    extract(run, [tmp_path / "a.txt"], pipe)
    reader.join(timeout=60)
    assert pipe.is_fifo()
    assert json.loads(read[0])["characters"] == len(TEXT)


def test_outputs_are_checked_before_anything_is_read(run, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    out = tmp_path / "out.jsonl"
    for output, page, message in (
        (tmp_path, None, "the output is a folder"),
        (out, tmp_path, "the output is a folder"),
        (tmp_path / "none" / "o.jsonl", None, "folder of the output does not exist"),
        (out, out, "two outputs have the same name"),
    ):
        with pytest.raises(UserError, match=message):
            extract(run, [tmp_path / "not there"], output, page)


def test_outputs_in_the_input_folder_are_not_read(run, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    out = tmp_path / "findings.jsonl"
    for _ in range(2):
        assert extract(run, [tmp_path], out, tmp_path / "page.html")["documents"] == 1


def test_empty_text_has_no_findings(run):
    assert Extractor.from_pretrained(run)("") == Extractor.from_pretrained(run)(" \n") == []


@pytest.mark.unix("file names that are bytes")
def test_file_name_that_is_not_unicode_is_escaped(tmp_path):
    file = os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt")
    with open(file, "w", encoding="utf-8") as stream:
        stream.write("text")
    for path in (os.fsdecode(file), tmp_path):
        (document,) = read_unlabeled(path)
        assert document.id == "caf\\xe9.txt"
        assert document.file.endswith("caf\\xe9.txt")


WAITING = """
import os, sys
from electra_ie.cli.app import main
sys.argv[0] = "electra-ie"
sys.stdin = open(os.pipe()[0])  # nothing comes: the other end stays open
main()
"""


@pytest.mark.unix("signal that a process can handle when it is terminated")
def test_terminated_extraction_leaves_no_files(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    process = processes.start(
        ["-c", WAITING, "extract", str(run), "-", "-o", str(out / "o.jsonl")], tmp_path / "messages"
    )
    while not (out / ".o.jsonl.job" / "findings.jsonl").exists():
        assert process.is_alive(), (tmp_path / "messages").read_text("utf-8")
        time.sleep(0.05)
    process.terminate()
    process.join(60)
    assert process.exitcode == 143
    assert list(out.iterdir()) == []
