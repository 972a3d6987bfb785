"""A user's callbacks see every step, score and checkpoint, and can end a run."""

from __future__ import annotations

import json

import pytest
import tiny
import torch
from processes import run_two
from safetensors.torch import load_file
from training_facts import check_facts

from electra_ie import Callback, UserError, distill, pretrain, train
from electra_ie.training.callbacks import METHODS, check_callbacks


class Recorder(Callback):
    def __init__(self):
        self.events = []

    def on_begin(self, state):
        self.events.append(("begin", state.step))

    def on_step(self, state, step):
        self.events.append(("step", state.step))
        assert step.losses["discriminator"] == state.log[-1].get("discriminator", step.losses["discriminator"])

    def on_evaluate(self, state, scores):
        self.events.append(("evaluate", state.step))
        self.scores = scores

    def on_save(self, state, path):
        assert path.is_file()
        self.events.append(("save", state.step))

    def on_end(self, state):
        self.events.append(("end", state.step))


def test_callbacks_see_steps_scores_and_checkpoints(task, tmp_path, encoder):
    recorder = Recorder()
    settings = tiny.settings(encoder("bert"), "supervised", num_evaluations=2)
    run = train(str(task), tmp_path / "run", callbacks=[recorder], **settings).path
    names = [name for name, _ in recorder.events]
    assert recorder.events[0] == ("begin", 0)
    assert recorder.events[-1] == ("end", 12)
    assert [step for name, step in recorder.events if name == "step"] == list(range(1, 13))
    assert [step for name, step in recorder.events if name == "evaluate"] == [9, 12]
    assert names.count("save") == 11, "ten over the run, and one at the first scoring"
    dev = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    assert recorder.scores == [row["dev"] for row in dev if "dev" in row][-1]


def test_a_callback_stops_a_run_which_is_then_complete(task, tmp_path, encoder, capsys):
    class Stop(Callback):
        def on_evaluate(self, state, scores):
            state.stop = "the score is good enough"

    run = train(str(task), tmp_path / "run", callbacks=[Stop()], **tiny.settings(encoder("bert"), "supervised")).path
    summary = json.loads((run / "scores.json").read_text("utf-8"))["training"]
    assert (summary["steps"], summary["best_step"]) == (9, 9)
    assert "collapsed" not in summary
    assert "stopped after step 9 of 12: the score is good enough" in capsys.readouterr().err
    assert (run / "README.md").is_file()
    assert not (run / "checkpoint").exists()


@pytest.mark.slow
def test_a_callback_that_sees_scores_stops_both_of_two_processes(task, tmp_path, encoder):
    """Scores are known in the first process only."""
    program = """
import json, sys, electra_ie
class Stop(electra_ie.Callback):
    def on_evaluate(self, state, scores):
        state.stop = "the score is good enough"
electra_ie.train(sys.argv[1], callbacks=[Stop()], **json.loads(sys.argv[2]))
"""
    settings = json.dumps({"output": str(tmp_path / "run"), **tiny.settings(encoder("bert"), "supervised")})
    run_two(lambda rank: ["-c", program, str(task), settings])
    assert json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))["training"]["steps"] == 9


def test_a_callback_stops_a_pretraining_before_its_first_row_and_checkpoint(tmp_path, encoder, monkeypatch):
    class Stop(Callback):
        def on_step(self, state, step):
            if state.step == 3:
                state.stop = "enough"

    monkeypatch.setattr("electra_ie.pretraining.trainer.LOG_ROWS", 1)  # a row after the last step only
    (tmp_path / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    made = pretrain(tmp_path / "texts.txt", tmp_path / "made", encoder=encoder("electra"), callbacks=[Stop()],
                    block_length=16, batch_size=4, max_steps=20, num_evaluations=1, held_out=0.1)  # fmt: skip
    summary = json.loads((made / "pretraining.json").read_text("utf-8"))
    assert (summary["steps"], summary["steps_planned"], summary["tokens"]) == (3, 20, 3 * 4 * 16)
    assert (made / "README.md").is_file()
    assert not (made / "checkpoint").exists()


def test_weights_that_are_not_finite_are_not_those_of_a_stopped_run(task, tmp_path, encoder):
    """The run falls back to its last checkpoint, as after any collapse."""

    class BreakAndStop(Callback):
        def on_begin(self, state):
            pair = next(callback.pair for callback in state.callbacks if hasattr(callback, "pair"))
            self.weights = list(pair.unwrapped_discriminator.heads.parameters())

        def on_step(self, state, step):
            with torch.no_grad():
                self.weights[0].fill_(float("nan"))
            state.stop = "enough"

    settings = tiny.settings(encoder("bert"), "supervised")
    run = train(str(task), tmp_path / "run", callbacks=[BreakAndStop()], **settings).path
    collapsed = json.loads((run / "scores.json").read_text("utf-8"))["training"]["collapsed"]
    assert collapsed["step"] == collapsed["kept"] == 1
    check_facts(run, "collapsed")
    assert "weights are not a finite number" in collapsed["what"]
    for field in tiny.FIELDS:
        saved = load_file(run / field.name / "model.safetensors")
        assert all(bool(tensor.isfinite().all()) for tensor in saved.values())


def test_what_a_callback_raises_ends_the_run_and_every_callback_is_closed(task, tmp_path, encoder):
    class Fail(Callback):
        def on_step(self, state, step):
            raise ValueError("mine")

    recorder = Recorder()
    with pytest.raises(ValueError, match="mine"):
        train(str(task), tmp_path / "run", callbacks=[recorder, Fail()], **tiny.settings(encoder("bert"), "supervised"))
    assert recorder.events[-1] == ("end", 1)


def test_a_pretraining_calls_them_too(tmp_path, encoder):
    (tmp_path / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    recorder = Recorder()
    pretrain(tmp_path / "texts.txt", tmp_path / "made", encoder=encoder("electra"), callbacks=[recorder],
             block_length=16, batch_size=4, max_steps=4, num_evaluations=2, held_out=0.1)  # fmt: skip
    assert [step for name, step in recorder.events if name == "step"] == [1, 2, 3, 4]
    assert [step for name, step in recorder.events if name == "evaluate"] == [2, 4]
    assert ("save", 4) in recorder.events


class Partial:
    def on_step(self, state, step):
        """Have one of the methods."""


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([Partial()], "an object of the type Partial without on_begin, on_evaluate, on_save, on_end. Derive its class from"),
        ([Recorder(), print], "an object of the type builtin_function_or_method without on_begin"),
        ([Recorder], r"callbacks has the class Recorder, and must have objects. Give an object of it: Recorder\(\)"),
        (None, "an object of the type NoneType without on_begin"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [train, distill, pretrain])
def test_callbacks_that_cannot_be_called_are_refused_before_anything_is_written(function, callbacks, message, tmp_path):
    with pytest.raises(UserError, match=message):
        function("transaction_risk", tmp_path / "run", callbacks=callbacks)
    assert not list(tmp_path.iterdir())


def test_a_single_callback_needs_no_list():
    recorder = Recorder()
    assert check_callbacks(recorder) == (recorder,)
    assert sorted(METHODS) == sorted(name for name in vars(Callback) if name.startswith("on_"))


def test_the_preset_auto_refuses_callbacks(tmp_path):
    with pytest.raises(UserError, match="callbacks follow one run; the preset auto trains several"):
        train("transaction_risk", tmp_path / "run", preset="auto", callbacks=[Recorder()])
