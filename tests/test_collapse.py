"""A training that collapses is noticed, named, and ends with the last good weights."""

from __future__ import annotations

import json
import math

import pytest
import tiny
import torch

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.training import callbacks, setup
from electra_ie.training.divergence import DivergenceMonitor
from electra_ie.training.loop import Step


def seen(watch, count, first=0, loss=1.0, fake=0.3, answers=(3, 3)):
    """What the watch says of `count` like steps."""
    told = [
        watch.see(Step(first + number, {"discriminator": loss}, {}, (0.7, fake), {"topic": answers}))
        for number in range(count)
    ]
    return [number for number, each in enumerate(told) if each], told[-1]


@pytest.mark.parametrize(("sign", "told"), [
    ({"loss": 50.0}, "the loss has exploded"),
    ({"loss": math.inf}, "the loss has exploded"),
    ({"fake": 0.001}, "the discriminator rejects every generated row"),
    ({"answers": (1, 3)}, "the field topic gets the same answer"),
])  # fmt: skip
def test_a_sign_that_stands_is_named(sign, told):
    watch = DivergenceMonitor(400)
    assert seen(watch, 300) == ([], None)
    when, name = seen(watch, 60, 300, **sign)
    assert when[0] == 39
    assert told in name
    assert watch.sign == name


@pytest.mark.parametrize(("steps", "sign"), [
    (30, {"loss": 50.0}), (30, {"fake": 0.001}), (30, {"answers": (1, 3)}), (60, {"answers": (1, 1)}), (60, {"loss": 9.0}),
])  # fmt: skip
def test_what_passes_is_no_collapse(steps, sign):
    watch = DivergenceMonitor(400)
    seen(watch, 300)
    assert seen(watch, steps, 300, **sign) == ([], None)
    assert seen(watch, 20, 300 + steps) == ([], None)
    assert watch.sign is None


def test_what_has_not_learnt_has_not_collapsed():
    watch = DivergenceMonitor(400)
    assert seen(watch, 400, answers=(1, 3)) == ([], None)


def test_a_run_that_collapses_keeps_its_last_good_weights(task, tmp_path, encoder, capsys):
    """A generator that cannot learn is found out by a discriminator that does little else."""
    settings = tiny.settings(encoder("bert"), "latent", max_steps=120, batch_size=4, head_learning_rate=0.05)
    settings |= {"generator_learning_rate": 0.0, "discriminator": {"classification": 1.0, "adversarial": 100.0}}
    run = train(str(task), tmp_path / "run", **settings)
    told = capsys.readouterr().err
    assert "the discriminator rejects every generated row" in told
    assert "The run keeps the weights of step" in told
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    fakes = {row["step"]: row["realness_fake"] for row in rows if "realness_fake" in row}
    kept = int(told.split("The run keeps the weights of step ")[1].split(".")[0])
    assert max(fakes) < 120
    assert max(list(fakes.values())[-20:]) < 0.005 < fakes[kept]
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["collapsed"]["kept"] == kept
    assert "Training collapsed at step" in (run / "README.md").read_text("utf-8")


@pytest.mark.parametrize("dev", [True, False])
def test_what_never_learnt_is_said(task, tmp_path, encoder, capsys, monkeypatch, dev):
    """There is nothing better to fall back to; but whoever uses the run is told."""

    def begin_with_one_answer(discriminator, labelled):
        for field in discriminator.fields:
            torch.nn.init.constant_(discriminator.head(field).last.bias[:1], 50.0)

    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(setup, "init_bias_to_prior", begin_with_one_answer)
        run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", max_steps=2))
    told = capsys.readouterr().err
    alike = json.loads((run / "scores.json").read_text("utf-8"))["training"]["answered_alike"]
    assert sorted(alike) == ["names", "topic"]
    assert "(supervised): the field names gets the same answer in every text. Label more" in told
    assert "Do not rely on its predictions for `topic` and `names`" in (run / "README.md").read_text("utf-8")
    learnt = train(str(task), tmp_path / "learnt", **tiny.settings(encoder("bert"), "supervised", max_steps=60))
    assert "answered_alike" not in json.loads((learnt / "scores.json").read_text("utf-8"))["training"]
    assert "the same answer" not in capsys.readouterr().err


def test_without_good_weights_the_log_stays_and_a_line_says_what_to_do(task, tmp_path, encoder, monkeypatch):
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


def test_a_run_resumed_amid_a_collapse_notices_it_at_the_same_step(task, tmp_path, encoder, monkeypatch):
    """What the watch has seen is in the log: of the run that is begun anew nothing is forgotten."""
    settings = tiny.settings(encoder("bert"), "latent", max_steps=120, batch_size=4, head_learning_rate=0.05)
    settings |= {"generator_learning_rate": 0.0, "discriminator": {"classification": 1.0, "adversarial": 100.0}}
    whole = train(str(task), tmp_path / "whole", **settings)
    collapsed = json.loads((whole / "scores.json").read_text("utf-8"))["training"]["collapsed"]

    def stop(state, pair):
        checkpoint(state, pair)
        if state.step >= collapsed["kept"]:
            raise KeyboardInterrupt

    checkpoint, see = callbacks.save_checkpoint_of, DivergenceMonitor.see
    monkeypatch.setattr(callbacks, "save_checkpoint_of", stop)
    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "again", **settings)
    monkeypatch.undo()
    seen_again: list[int] = []
    monkeypatch.setattr(
        DivergenceMonitor, "see", lambda self, step: (seen_again.append(step.number), see(self, step))[1]
    )
    again = train(str(task), tmp_path / "again", resume=True, **settings)
    assert json.loads((again / "scores.json").read_text("utf-8"))["training"]["collapsed"] == collapsed
    assert seen_again == list(range(collapsed["step"]))
    name = "topic/model.safetensors"
    assert (again / name).read_bytes() == (whole / name).read_bytes()
