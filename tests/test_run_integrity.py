"""A run is checked against itself, and against what it is resumed with; outputs never replace what they should not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file, save_file

from electra_ie import Extractor, UserError, evaluate, extract, train
from electra_ie.data.readers import read_unlabeled
from electra_ie.runs.layout import read_log
from electra_ie.training.callbacks import Callback

TEXT = "invoice goods Arden paid 5.975,74 later than monday."


@pytest.fixture
def mine(run, tmp_path) -> Path:
    """A copy of the finished run, to be spoilt."""
    return Path(shutil.copytree(run, tmp_path / "mine"))


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
def test_a_run_that_is_not_whole_is_refused_by_name(mine, spoil, words):
    spoil(mine)
    with pytest.raises(UserError) as caught:
        Extractor.load(str(mine))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": "\xff"}', b"[" * 100_000])
def test_a_broken_file_of_scores_is_named(mine, content):
    (mine / "scores.json").write_bytes(content)
    with pytest.raises(UserError, match="scores.json:1: this is not the JSON object that was written here"):
        evaluate(mine)


def test_a_broken_log_is_named(mine):
    (mine / "log.jsonl").write_bytes(b'{"step": 1}\n{"step": "\xff"}\n')
    with pytest.raises(UserError, match="log.jsonl:2: this is not the JSON object that was written here"):
        read_log(mine)


# Resuming


class Stopped(Exception):
    """As if the machine had gone."""


@pytest.fixture
def begun(task, tmp_path, encoder, monkeypatch):
    """A run that was interrupted behind its first checkpoint, and what it was begun with."""
    settings = tiny.settings(encoder("bert"), "supervised")

    class StopAfterCheckpoint(Callback):
        def on_save(self, state, path):
            raise Stopped

    with pytest.raises(Stopped):
        train(str(task), tmp_path / "begun", callbacks=[StopAfterCheckpoint()], **settings)
    return task, tmp_path / "begun", settings


def test_a_finished_run_is_not_trained_again(task, tmp_path, encoder, capsys):
    settings = tiny.settings(encoder("bert"), "supervised")
    run = train(str(task), tmp_path / "run", **settings)
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    capsys.readouterr()
    assert train(str(task), run, resume=True, **settings) == run
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*")} == before
    assert "this run is finished; there is nothing to resume" in capsys.readouterr().err


def test_a_run_is_not_resumed_with_another_task_or_other_texts(begun):
    task, run, settings = begun
    original = task.read_text("utf-8")
    task.write_text(original.replace("[person, amount]", "[amount, person]"), encoding="utf-8")
    with pytest.raises(UserError, match="began with another task"):
        train(str(task), run, resume=True, **settings)
    task.write_text(original, encoding="utf-8")
    file = task.parent / "train.jsonl"
    whole = file.read_text("utf-8")
    file.write_text(whole.replace("Arden", "Brisk"), encoding="utf-8")
    with pytest.raises(UserError, match="texts are not those that the run began with"):
        train(str(task), run, resume=True, **settings)
    file.write_text(whole, encoding="utf-8")
    # The same place by another name is the same place.
    other = os.path.relpath(task.parent)
    train(other, run, resume=True, **settings)
    assert (run / "README.md").is_file()


# Fields and precision


def test_a_field_may_be_called_as_a_part_of_a_module_is(task, tmp_path, encoder):
    text = task.read_text("utf-8")
    text = text.replace("  topic: {", "  type: {from: topic, ").replace("  risks: {", "  train: {from: risks, ")
    task.write_text(text, encoding="utf-8")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert")))
    assert {"type", "train", "names"} <= set(evaluate(run))


def test_a_field_may_not_take_the_name_of_a_folder_of_the_run(task):
    task.write_text(task.read_text("utf-8").replace("  topic: {", "  checkpoint: {from: topic, "), encoding="utf-8")
    with pytest.raises(UserError, match='task.yaml:5: "checkpoint" cannot be the name of a field'):
        train(str(task))


def losses(run: Path) -> list[float]:
    return [row["discriminator"] for row in read_log(run) if "discriminator" in row]


@pytest.mark.parametrize("preset", ["supervised", "latent", "adversarial"])
def test_all_presets_train_in_bf16(task, tmp_path, encoder, finished, monkeypatch, preset):
    """As on a GPU, whose precision it is by default. A number of eight bits is right to 0.4 %; a step's loss is a mean."""
    from electra_ie.training import setup
    from electra_ie.training.loop import make_accelerator

    settings = tiny.settings(encoder("bert"), preset)
    exact = losses(finished(tmp_path / "exact", preset))
    made = []
    monkeypatch.setattr(
        setup, "make_accelerator", lambda precision, *rest: made.append(make_accelerator("bf16", *rest)) or made[-1]
    )
    run = train(str(task), tmp_path / "run", **settings)
    found = losses(run)
    assert len(found) == len(exact) == 12
    assert found != exact
    assert found == [pytest.approx(each, rel=0.03) for each in exact]
    assert made
    assert {each.mixed_precision for each in made} == {"bf16"}
    assert all(value.dtype == torch.float32 for value in load_file(run / "names" / "model.safetensors").values())


# Outputs


@pytest.mark.unix("named pipes")
def test_a_pipe_is_written_to_and_not_replaced(run, tmp_path):
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
        (out, out, "two outputs have one name"),
    ):
        with pytest.raises(UserError, match=message):
            extract(run, [tmp_path / "not there"], output, page)


def test_what_it_writes_into_the_folder_it_reads_is_not_read(run, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    out = tmp_path / "findings.jsonl"
    for _ in range(2):
        assert extract(run, [tmp_path], out, tmp_path / "page.html")["documents"] == 1


def test_nothing_is_found_in_nothing(run):
    assert Extractor.load(str(run))("") == Extractor.load(str(run))(" \n") == []


@pytest.mark.unix("file names that are bytes")
def test_a_file_whose_name_is_not_text(tmp_path):
    file = os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt")
    with open(file, "w", encoding="utf-8") as stream:
        stream.write("text")
    for path in (os.fsdecode(file), tmp_path):
        (document,) = read_unlabeled(path)
        assert document.id == "caf\\xe9.txt"
        assert document.file.endswith("caf\\xe9.txt")


@pytest.mark.unix("signal that a process can handle when it is terminated")
def test_a_terminated_extraction_leaves_nothing_behind(run, tmp_path):
    command = [sys.executable, "-m", "electra_ie", "extract", str(run), "-", "-o", str(tmp_path / "o.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while not (tmp_path / ".o.jsonl.part").exists():  # it waits for its standard input
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert list(tmp_path.iterdir()) == []
