"""Training, resuming and extracting on a GPU, in bf16, which is the default precision there."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file

from electra_ie import Extractor, extract, pretrain, train
from electra_ie.training.callbacks import Callback

pytestmark = pytest.mark.gpu

FIELDS = [field.name for field in tiny.FIELDS]
PRETRAINING = {"block_length": 16, "batch_size": 4, "max_steps": 6, "num_evaluations": 2, "learning_rate": 1e-3}


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [row["discriminator"] for row in rows if "discriminator" in row and "held_out" not in row]


def environment(run: Path) -> dict[str, str]:
    return json.loads((run / "audit.json").read_text("utf-8"))["environment"]


def texts(folder: Path) -> Path:
    file = folder / "corpus.txt"
    records = [tiny.record(index, random.Random(index)) for index in range(60)]
    file.write_text("\n\n".join(record["text"] for record in records) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("preset", ["supervised", "latent", "adversarial"])
def test_bf16_on_a_gpu_has_the_losses_of_float32(task, tmp_path, encoder, preset):
    """bf16 has 8 significant bits, hence a relative error of 0.4 % per value; a step's loss is a mean of many."""
    settings = tiny.settings(encoder("bert"), preset)
    exact = train(str(task), tmp_path / "exact", precision="no", **settings).path
    run = train(str(task), tmp_path / "run", **settings).path
    assert environment(run)["device"] == torch.cuda.get_device_name()
    assert len(losses(run)) == 12
    assert losses(run) != losses(exact)
    assert losses(run) == [pytest.approx(loss, rel=0.03) for loss in losses(exact)]
    for name in FIELDS:
        assert all(tensor.dtype == torch.float32 for tensor in load_file(run / name / "model.safetensors").values())


class Stopped(Exception):
    """Ends a run as if the machine had gone down."""


class StopAfterCheckpoint(Callback):
    def on_save(self, state, path):
        if state.step >= 7:
            raise Stopped


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(task, tmp_path, encoder):
    """Sums on a GPU are rounded differently from run to run, so the losses are compared and not the bytes."""
    settings = tiny.settings(encoder("bert"), "latent")
    whole = train(str(task), tmp_path / "whole", **settings).path
    with pytest.raises(Stopped):
        train(str(task), tmp_path / "cut", callbacks=[StopAfterCheckpoint()], **settings)
    assert not (tmp_path / "cut" / "topic").exists()
    cut = train(str(task), tmp_path / "cut", resume=True).path
    assert losses(cut) == [pytest.approx(loss, rel=0.03) for loss in losses(whole)]


def test_extracting_on_a_gpu_finds_what_the_cpu_finds(finished, tmp_path):
    run = finished(tmp_path / "run", "supervised", max_steps=60)
    on_gpu, on_cpu = Extractor.from_pretrained(run), Extractor.from_pretrained(run, device="cpu")
    assert on_gpu.discriminator.encoder.device.type == "cuda"
    found = 0
    for document in tiny.documents(20):
        expected = on_cpu(document.text)
        findings = on_gpu(document.text)
        assert [(each.field, each.label, each.start, each.end) for each in findings] == [
            (each.field, each.label, each.start, each.end) for each in expected
        ]
        assert [each.score for each in findings] == [pytest.approx(each.score, abs=1e-3) for each in expected]
        found += len(findings)
    assert found > 20
    file = tmp_path / "a.txt"
    file.write_text(tiny.documents(1)[0].text, encoding="utf-8")
    assert extract(run, [file], tmp_path / "findings.jsonl")["documents"] == 1


@pytest.mark.parametrize("objective", ["electra", "mlm"])
def test_pretraining_in_bf16_has_the_losses_of_float32(tmp_path, encoder, objective):
    corpus = texts(tmp_path)
    settings = {
        **PRETRAINING,
        "encoder": encoder("electra" if objective == "electra" else "bert"),
        "objective": objective,
    }
    exact = pretrain([corpus], tmp_path / "exact", precision="no", **settings)
    made = pretrain([corpus], tmp_path / "made", **settings)
    assert json.loads((made / "pretraining.json").read_text("utf-8"))["precision"] == "bf16"
    assert len(losses(made)) == 6
    assert losses(made) == [pytest.approx(loss, rel=0.03) for loss in losses(exact)]
