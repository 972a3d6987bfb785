"""Experiment trackers: they get the numeric values of log.jsonl, in the run's folder, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from electra_ie import UserError, pretrain, train
from electra_ie.runs.layout import LAST, read_log
from electra_ie.training.callbacks import Callback

EVENTS = Path("tracking/electra_ie")


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """Return the values of each curve by step."""
    events = EventAccumulator(str(run / EVENTS))
    events.Reload()
    curves = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert all(len(dict(curve)) == len(curve) for curve in curves.values()), "a step was written twice"
    return {name: dict(curve) for name, curve in curves.items()}


def logged(run: Path, name: str) -> dict[int, float]:
    return {row["step"]: pytest.approx(row[name], rel=1e-6) for row in read_log(run) if name in row}


def weights(run: Path) -> bytes:
    return (run / "names" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_tensorboard_has_losses_realness_and_dev_scores_by_step(task, tmp_path, encoder, finished):
    settings = tiny.settings(encoder("bert"))
    run = train(str(task), tmp_path / "run", track="tensorboard", **settings).path
    curves = scalars(run)
    assert len(curves["discriminator"]) == 12
    for name in ("discriminator", "generator", "realness_real", "realness_fake", "names.classification"):
        assert curves[name] == logged(run, name)
    dev = {row["step"]: pytest.approx(row["dev"]["mean"], rel=1e-6) for row in read_log(run) if "dev" in row}
    assert curves["dev/mean"] == dev
    assert len(dev) == 2
    assert {"dev/names", "dev/topic", "dev/risks"} <= set(curves)
    written = b"".join(file.read_bytes() for file in (run / "tracking").rglob("*") if file.is_file())
    texts = [json.loads(line)["text"] for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    assert not [text for text in texts if text[:20].encode() in written]
    assert str(tmp_path).encode() not in written
    assert encoder("bert").encode() not in written
    assert b"head_learning_rate" in written
    assert b"latent" in written
    alone = finished(tmp_path / "alone", "latent")
    assert not (alone / "tracking").exists(), "tracking is not off by default"
    assert weights(alone) == weights(run), "tracking changes the weights"


def test_pretraining_is_tracked(tmp_path, encoder):
    (tmp_path / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    output = pretrain(tmp_path / "texts.txt", tmp_path / "output", encoder=encoder("electra"), track="tensorboard",
                    block_length=16, batch_size=4, max_steps=4, num_evaluations=2, held_out=0.1)  # fmt: skip
    curves = scalars(output)
    assert curves["discriminator"] == logged(output, "discriminator")
    assert len(curves["discriminator"]) == 4
    assert any(name.startswith("held_out/") for name in curves)


def test_resumed_run_sends_each_step_once(task, tmp_path, encoder, monkeypatch):
    settings = {**tiny.settings(encoder("bert"), "supervised"), "track": "tensorboard"}

    class StopAfterScoring(Callback):
        def on_evaluate(self, state, scores):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "run", callbacks=[StopAfterScoring()], **settings)
    assert (tmp_path / "run" / LAST).is_file()
    run = train(str(task), tmp_path / "run", resume=True, **settings).path
    assert scalars(run)["discriminator"] == logged(run, "discriminator")


@pytest.mark.parametrize(("name", "words"), [
    ("wandb", 'the tracker "wandb" is not installed. Run: pip install wandb'),
    ("tensorbord", 'there is no tracker "tensorbord". Did you mean "tensorboard"'),
])  # fmt: skip
def test_unknown_or_missing_tracker_is_an_error_before_anything_is_written(
    task, tmp_path, encoder, monkeypatch, name, words
):
    monkeypatch.setattr("electra_ie.training.tracking.get_available_trackers", lambda: ["tensorboard"])
    with pytest.raises(UserError, match=words):
        train(str(task), tmp_path / "run", track=name, **tiny.settings(encoder("bert")))
    with pytest.raises(UserError, match=words):
        pretrain(task, tmp_path / "run", track=name)
    assert not (tmp_path / "run").exists()


def test_comparison_refuses_tracking(task, tmp_path):
    with pytest.raises(UserError, match="--track follows one run"):
        train(str(task), tmp_path / "run", track="tensorboard", preset="auto")


def test_failing_tracker_does_not_end_the_training(task, tmp_path, encoder, monkeypatch, capsys):
    """As with a full disk, or a server that is down."""
    from accelerate.tracking import TensorBoardTracker

    log, calls = TensorBoardTracker.log, []

    def fail(self, values, step=None, **rest):
        calls.append(step)
        if step == 3:
            raise OSError("no space left")
        return log(self, values, step=step, **rest)

    monkeypatch.setattr(TensorBoardTracker, "log", fail)
    run = train(str(task), tmp_path / "run", track="tensorboard", **tiny.settings(encoder("bert"), "supervised")).path
    assert (
        capsys.readouterr().err.count(
            "the tracker has failed and gets no more values: no space left. log.jsonl is still written."
        )
        == 1
    )
    assert calls == [1, 2, 3]
    assert len(logged(run, "discriminator")) == 12


def test_tracker_that_does_not_start_is_an_error(task, tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    begun = train(str(task), tmp_path / "begun", **settings).path
    (begun / "tracking").mkdir()
    (begun / EVENTS).write_text("in the way", encoding="utf-8")
    (begun / "README.md").unlink()
    with pytest.raises(UserError, match="the tracker does not start: .*Set it up, or remove --track"):
        train(str(task), begun, resume=True, track="tensorboard", **settings)
