"""Trackers: the numbers of log.jsonl, in the run's folder, for whoever asks; and nothing else."""

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
    """The values of each curve by step."""
    events = EventAccumulator(str(run / EVENTS))
    events.Reload()
    found = {name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert all(len(dict(curve)) == len(curve) for curve in found.values()), "a step stands there twice"
    return {name: dict(curve) for name, curve in found.items()}


def column(run: Path, name: str) -> dict[int, float]:
    return {row["step"]: pytest.approx(row[name], rel=1e-6) for row in read_log(run) if name in row}


def weights(run: Path) -> bytes:
    return (run / "names" / "model.safetensors").read_bytes()


def test_tensorboard_holds_losses_realness_and_dev_scores_by_step(task, tmp_path, encoder, finished):
    settings = tiny.settings(encoder("bert"))
    run = train(str(task), tmp_path / "run", track="tensorboard", **settings).path
    found = scalars(run)
    assert len(found["discriminator"]) == 12
    for name in ("discriminator", "generator", "realness_real", "realness_fake", "names.classification"):
        assert found[name] == column(run, name)
    dev = {row["step"]: pytest.approx(row["dev"]["mean"], rel=1e-6) for row in read_log(run) if "dev" in row}
    assert found["dev/mean"] == dev and len(dev) == 2
    assert {"dev/names", "dev/topic", "dev/risks"} <= set(found)
    written = b"".join(file.read_bytes() for file in (run / "tracking").rglob("*") if file.is_file())
    texts = [json.loads(line)["text"] for line in (task.parent / "train.jsonl").read_text("utf-8").splitlines()]
    assert not [text for text in texts if text[:20].encode() in written]
    assert str(tmp_path).encode() not in written and encoder("bert").encode() not in written
    assert b"head_learning_rate" in written and b"latent" in written
    alone = finished(tmp_path / "alone", "latent")
    assert not (alone / "tracking").exists(), "off unless asked for"
    assert weights(alone) == weights(run), "who watches changes nothing"


def test_a_pretraining_is_tracked_too(tmp_path, encoder):
    (tmp_path / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    made = pretrain(tmp_path / "texts.txt", tmp_path / "made", encoder=encoder("electra"), track="tensorboard",
                    block_length=16, batch_size=4, max_steps=4, num_evaluations=2, held_out=0.1)  # fmt: skip
    found = scalars(made)
    assert found["discriminator"] == column(made, "discriminator") and len(found["discriminator"]) == 4
    assert any(name.startswith("held_out/") for name in found)


def test_a_resumed_run_has_each_step_once(task, tmp_path, encoder, monkeypatch):
    settings = {**tiny.settings(encoder("bert"), "supervised"), "track": "tensorboard"}

    class StopAfterScoring(Callback):
        def on_evaluate(self, state, scores):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "run", callbacks=[StopAfterScoring()], **settings)
    assert (tmp_path / "run" / LAST).is_file()
    run = train(str(task), tmp_path / "run", resume=True, **settings).path
    assert scalars(run)["discriminator"] == column(run, "discriminator")


@pytest.mark.parametrize("name, words", [
    ("wandb", 'the tracker "wandb" is not installed. Run: pip install wandb'),
    ("tensorbord", 'there is no tracker "tensorbord". Did you mean "tensorboard"'),
])  # fmt: skip
def test_a_tracker_that_is_not_there_is_named_before_anything_is_written(
    task, tmp_path, encoder, monkeypatch, name, words
):
    monkeypatch.setattr("electra_ie.training.tracking.get_available_trackers", lambda: ["tensorboard"])
    with pytest.raises(UserError, match=words):
        train(str(task), tmp_path / "run", track=name, **tiny.settings(encoder("bert")))
    with pytest.raises(UserError, match=words):
        pretrain(task, tmp_path / "run", track=name)
    assert not (tmp_path / "run").exists()


def test_a_comparison_is_not_tracked(task, tmp_path):
    with pytest.raises(UserError, match="--track follows one run"):
        train(str(task), tmp_path / "run", track="tensorboard", preset="auto")


def test_a_tracker_that_fails_does_not_end_the_training(task, tmp_path, encoder, monkeypatch, capsys):
    """As when a disk is full, or a server gone."""
    from accelerate.tracking import TensorBoardTracker

    log, calls = TensorBoardTracker.log, []

    def fail(self, values, step=None, **rest):
        calls.append(step)
        if step == 3:
            raise OSError("no space left")
        return log(self, values, step=step, **rest)

    monkeypatch.setattr(TensorBoardTracker, "log", fail)
    run = train(str(task), tmp_path / "run", track="tensorboard", **tiny.settings(encoder("bert"), "supervised")).path
    assert capsys.readouterr().err.count("the tracker is left out from here on: no space left. log.jsonl goes on.") == 1
    assert calls == [1, 2, 3] and len(column(run, "discriminator")) == 12


def test_a_tracker_that_does_not_start_is_one_line(task, tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "supervised", max_steps=2)
    begun = train(str(task), tmp_path / "begun", **settings).path
    (begun / "tracking").mkdir()
    (begun / EVENTS).write_text("in the way", encoding="utf-8")
    (begun / "README.md").unlink()
    with pytest.raises(UserError, match="the tracker does not start: .*Set it up, or leave --track out"):
        train(str(task), begun, resume=True, track="tensorboard", **settings)
