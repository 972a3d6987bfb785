"""Divergence: a training that collapses is detected, reported, and ends with the last good weights."""

from __future__ import annotations

import json
import math

import pytest
import tiny
import torch
from training_facts import check_facts

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.training import callbacks, setup
from electra_ie.training.divergence import DivergenceMonitor
from electra_ie.training.loop import DistinctLabels, Step


def reports(monitor, count, first=0, loss=1.0, fake=0.3, distinct=(3, 3)):
    """Show `count` equal steps to the monitor; return the indices of those with a report, and the last report."""
    reported = [
        monitor.see(Step(first + index, {"discriminator": loss}, {}, (0.7, fake), {"topic": DistinctLabels(*distinct)}))
        for index in range(count)
    ]
    return [index for index, report in enumerate(reported) if report], reported[-1]


@pytest.mark.parametrize(("sign", "message"), [
    ({"loss": 50.0}, "the loss has exploded"),
    ({"loss": math.inf}, "the loss has exploded"),
    ({"fake": 0.001}, "the discriminator rejects every generated row"),
    ({"distinct": (1, 3)}, "the field topic gets the same answer"),
])  # fmt: skip
def test_lasting_sign_is_reported(sign, message):
    monitor = DivergenceMonitor(400)
    assert reports(monitor, 300) == ([], None)
    steps, report = reports(monitor, 60, 300, **sign)
    assert steps[0] == 39
    assert message in report
    assert monitor.sign == report


@pytest.mark.parametrize(("steps", "sign"), [
    (30, {"loss": 50.0}), (30, {"fake": 0.001}), (30, {"distinct": (1, 3)}), (60, {"distinct": (1, 1)}), (60, {"loss": 9.0}),
])  # fmt: skip
def test_short_or_harmless_sign_is_not_reported(steps, sign):
    monitor = DivergenceMonitor(400)
    reports(monitor, 300)
    assert reports(monitor, steps, 300, **sign) == ([], None)
    assert reports(monitor, 20, 300 + steps) == ([], None)
    assert monitor.sign is None


def test_field_that_never_learned_has_not_collapsed():
    monitor = DivergenceMonitor(400)
    assert reports(monitor, 400, distinct=(1, 3)) == ([], None)


@pytest.mark.slow
def test_collapsed_run_keeps_its_last_good_weights(task, tmp_path, encoder, capsys):
    """The generator does not learn and the adversarial term dominates, so the discriminator rejects all its rows."""
    settings = tiny.settings(encoder("bert"), "latent", max_steps=120, batch_size=4, head_learning_rate=0.05)
    settings |= {"generator_learning_rate": 0.0, "discriminator": {"classification": 1.0, "adversarial": 100.0}}
    run = train(str(task), tmp_path / "run", **settings, label_texts=False).path
    messages = capsys.readouterr().err
    assert "the discriminator rejects every generated row" in messages
    assert "The run keeps the weights of step" in messages
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    fakes = {row["step"]: row["realness_fake"] for row in rows if "realness_fake" in row}
    kept = int(messages.split("The run keeps the weights of step ")[1].split(".")[0])
    assert max(fakes) < 120
    assert max(list(fakes.values())[-20:]) < 0.005 < fakes[kept]
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["collapsed"]["kept"] == kept
    assert "Training collapsed at step" in (run / "README.md").read_text("utf-8")


@pytest.mark.parametrize("dev", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_constant_answers_are_reported(task, tmp_path, encoder, capsys, monkeypatch, dev):
    """There are no better weights to fall back to; messages, scores and card warn the user."""

    def start_with_one_answer(discriminator, labeled):
        for field in discriminator.fields:
            torch.nn.init.constant_(discriminator.head(field).output_layer.bias[:1], 50.0)

    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(setup, "init_bias_to_prior", start_with_one_answer)
        run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2)).path
    messages = capsys.readouterr().err
    constant = json.loads((run / "scores.json").read_text("utf-8"))["training"]["constant_answers"]
    assert sorted(constant) == ["names", "topic"]
    check_facts(run, "constant_answers")
    assert "(supervised): the field names gets the same answer in every text. Label more" in messages
    assert "Do not rely on its predictions for `topic` and `names`" in (run / "README.md").read_text("utf-8")
    trained = train(str(task), tmp_path / "trained", **tiny.settings(encoder("bert"), "supervised", max_steps=60)).path
    assert "constant_answers" not in json.loads((trained / "scores.json").read_text("utf-8"))["training"]
    assert "the same answer" not in capsys.readouterr().err


def test_collapse_without_good_weights_keeps_the_log_and_suggests_a_fix(task, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(
        DivergenceMonitor, "see", lambda self, step: "the loss has exploded" if step.number == 2 else None
    )
    with pytest.raises(
        UserError,
        match=r"collapsed at step 3: the loss has exploded. Lower the learning rate: --set learning_rate=0.0001\.",
    ):
        train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=60))
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]


@pytest.mark.slow
def test_run_resumed_during_a_collapse_detects_it_at_the_same_step(task, tmp_path, encoder, monkeypatch):
    """The resumed monitor reads the steps before the interruption from the log."""
    tiny.without(task, "risks", "names")
    settings = tiny.settings(encoder("bert"), "latent", max_steps=120, batch_size=4, head_learning_rate=0.05)
    settings |= {"generator_learning_rate": 0.0, "discriminator": {"classification": 1.0, "adversarial": 100.0}}
    whole = train(str(task), tmp_path / "whole", **settings).path
    collapsed = json.loads((whole / "scores.json").read_text("utf-8"))["training"]["collapsed"]

    def stop(state, pair):
        save(state, pair)
        if state.step >= collapsed["kept"]:
            raise KeyboardInterrupt

    save, see = callbacks.save_checkpoint_and_log, DivergenceMonitor.see
    monkeypatch.setattr(callbacks, "save_checkpoint_and_log", stop)
    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "again", **settings)
    monkeypatch.undo()
    seen_again: list[int] = []
    monkeypatch.setattr(
        DivergenceMonitor, "see", lambda self, step: (seen_again.append(step.number), see(self, step))[1]
    )
    again = train(str(task), tmp_path / "again", resume=True, **settings).path
    assert json.loads((again / "scores.json").read_text("utf-8"))["training"]["collapsed"] == collapsed
    assert seen_again == list(range(collapsed["step"]))
    name = "topic/model.safetensors"
    assert (again / name).read_bytes() == (whole / name).read_bytes()
