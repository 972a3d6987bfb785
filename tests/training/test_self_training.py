"""Runs with a teacher: which model is kept, which run may be the teacher, and what the log and the card say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from processes import run_two
from safetensors.torch import load_file, save_file

from electra_ie import train
from electra_ie.common.errors import UserError
from electra_ie.metrics import MASKING_EFFECT
from electra_ie.runs.plots import curves_figure
from electra_ie.training.dev_scoring import DevScoring
from electra_ie.training.step_log import StepLog
from electra_ie.training.trainer import Trainer


def rows(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def break_student(monkeypatch, after=0):
    """Reset the student's output layers after `after` scorings of dev."""
    original, scored = DevScoring.score, []

    def score(self, state):
        if self.setup.settings.has_teacher:
            scored.append(state.step)
            if len(scored) > after:
                with torch.no_grad():
                    for head in self.setup.discriminator.heads.values():
                        head.output_layer.weight.zero_()
        original(self, state)

    monkeypatch.setattr(DevScoring, "score", score)


@pytest.mark.slow
def test_the_teachers_weights_are_kept_if_the_student_is_much_worse(
    task, tmp_path, encoder, finished, monkeypatch, capsys
):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=30)
    run = finished(tmp_path / "run", "adversarial", max_steps=30)
    teacher = rows(run)[0]
    assert teacher["step"] == 0
    assert teacher["teacher"]["mean"] > 0.3
    assert teacher["seconds"] > 0
    assert "names.distillation" in rows(run)[1]
    assert "texts.adversarial_masking" in rows(run)[1]
    assert not (run / "checkpoint").exists()
    saved = json.loads((run / "scores.json").read_text("utf-8"))["training"]
    assert saved["best_step"] > 0
    assert saved["teacher"] == {"dev": teacher["teacher"]}
    expected = f"the supervised run with the same seed, which scores {teacher['teacher']['mean']:.3f} on dev"
    card = (run / "README.md").read_text("utf-8")
    assert expected in card
    assert "with 15 % of the tokens masked (selected by a generator), the model was trained" in card

    break_student(monkeypatch)
    kept = train(str(task), tmp_path / "kept", **settings).path
    scores = json.loads((kept / "scores.json").read_text("utf-8"))
    assert scores["training"]["best_step"] == 0
    assert rows(kept)[0] == {
        **teacher,
        **{name: rows(kept)[0][name] for name in ("seconds", "seconds_scoring")},
    }
    by_name = {name: each[each["main"]] for name, each in scores["dev"].items()}
    assert by_name == pytest.approx({name: teacher["teacher"][name] for name in by_name})
    assert "the teacher's weights are kept." in capsys.readouterr().err
    assert "(with the weights of the teacher, from before self-training)" in (kept / "README.md").read_text("utf-8")


def test_a_student_that_is_slightly_worse_than_its_teacher_is_kept(task, tmp_path, encoder, monkeypatch):
    """Otherwise a comparison on dev would give this preset two attempts against one."""
    original = Trainer.select_final_weights

    def select(self):
        if self.teacher_header:
            self.teacher_header = replace(self.teacher_header, best_score=self.state.saved.best_score + 0.01)
        original(self)

    monkeypatch.setattr(Trainer, "select_final_weights", select)
    tiny.without(task, "risks", "names")
    run = train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "adversarial", max_steps=4)).path
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["best_step"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("dev", [True, False])
def test_training_that_collapses_ends_with_the_teachers_weights(task, tmp_path, encoder, monkeypatch, capsys, dev):
    from electra_ie.training import trainer as training

    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")

    class DivergenceMonitor(training.DivergenceMonitor):
        def see(self, step):
            masks = any("adversarial_masking" in name for name in step.parts)
            return "the loss has exploded" if masks and step.number == 13 else super().see(step)

    monkeypatch.setattr(training, "DivergenceMonitor", DivergenceMonitor)
    tiny.without(task, "risks", "names")
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=16, num_evaluations=1)
    run = train(str(task), tmp_path / "run", **settings).path
    saved = json.loads((run / "scores.json").read_text("utf-8"))
    assert saved["training"]["collapsed"] == {"step": 14, "what": "the loss has exploded", "kept": 0}
    assert saved["training"]["best_step"] == 0
    if dev:
        by_name = {name: each[each["main"]] for name, each in saved["dev"].items()}
        assert by_name == pytest.approx({name: rows(run)[0]["teacher"][name] for name in by_name})
    message = capsys.readouterr().err
    assert "(adversarial) has collapsed at step 14" in message
    assert "keeps the teacher's weights" in message
    assert "with the teacher's weights" in (run / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_a_teacher_that_is_kept_without_dev_has_the_thresholds_of_a_supervised_run(
    task, tmp_path, encoder, monkeypatch
):
    from electra_ie.training import trainer as training

    class DivergenceMonitor(training.DivergenceMonitor):
        def see(self, step):
            masks = any("distillation" in name for name in step.parts)
            return "the loss has exploded" if masks and step.number == 2 else super().see(step)

    task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    tiny.without(task, "topic", "names")
    supervised = train(str(task), tmp_path / "supervised", **tiny.settings(encoder("bert"), "supervised")).path
    monkeypatch.setattr(training, "DivergenceMonitor", DivergenceMonitor)
    kept = train(str(task), tmp_path / "kept", **tiny.settings(encoder("bert"), "self_training", max_steps=12)).path
    assert json.loads((kept / "scores.json").read_text("utf-8"))["training"]["best_step"] == 0
    one, other = (load_file(run / "risks" / "model.safetensors") for run in (supervised, kept))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
def test_a_teacher_is_trained_once(task, tmp_path, encoder, monkeypatch, capsys):
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=4)
    tiny.without(task, "risks", "names")
    with monkeypatch.context() as patch:
        patch.setattr(DevScoring, "score", lambda self, state: 1 / 0 if self.setup.settings.has_teacher else None)
        with pytest.raises(ZeroDivisionError):
            train(str(task), tmp_path / "run", **settings)
    assert "(teacher)" in capsys.readouterr().err
    train(str(task), tmp_path / "run", resume=True)
    shown = capsys.readouterr().err
    assert "(adversarial)" in shown
    assert "(teacher)" not in shown


@pytest.mark.slow
def test_a_field_may_be_called_texts(task, tmp_path, encoder):
    tiny.without(task, "risks", "names")
    task.write_text(task.read_text("utf-8").replace("  topic: {", "  texts: {from: topic, "), encoding="utf-8")
    for preset in ("latent", "adversarial"):
        run = train(str(task), tmp_path / preset, **tiny.settings(encoder("bert"), preset, max_steps=2)).path
        assert (run / "texts" / "model.safetensors").is_file()


@pytest.mark.slow
def test_two_processes_train_teacher_and_student_like_one(task, tmp_path, encoder, finished):
    """The losses of one process and of two differ only by the rounding of sums."""
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=4)
    alone = finished(tmp_path / "alone", "adversarial", max_steps=4)
    expected = json.dumps({"output": str(tmp_path / "both"), **settings})
    program = "import json, sys, electra_ie; electra_ie.train(sys.argv[1], **json.loads(sys.argv[2]))"
    run_two(lambda rank: ["-c", program, str(task), expected])
    assert not (tmp_path / "both" / "checkpoint").exists()
    for one, both in zip(rows(alone), rows(tmp_path / "both"), strict=True):
        assert one["step"] == both["step"]
        for name in one.keys() & {"discriminator", "generator", "names.distillation"}:
            assert both[name] == pytest.approx(one[name], abs=2e-3), (one["step"], name)


@pytest.mark.parametrize(("rounds", "dev"), [
    (1, True), pytest.param(1, False, marks=pytest.mark.slow), pytest.param(2, True, marks=pytest.mark.slow),
])  # fmt: skip
def test_without_unlabeled_texts_the_run_equals_the_supervised_one(task, tmp_path, encoder, capsys, rounds, dev):
    bare = task.read_text("utf-8").replace(", unlabeled: pool.jsonl", "")
    task.write_text(bare if dev else bare.replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    supervised = tiny.settings(encoder("bert"), "supervised", max_steps=4)
    supervised = train(str(task), tmp_path / "supervised", **supervised).path
    overrides = [f"self_training_rounds={rounds}"]
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=4, overrides=overrides)
    run = train(str(task), tmp_path / "run", **settings).path
    expected = "there is no unlabeled text to learn from; the teacher's weights are kept. Add texts"
    (line,) = (line for line in capsys.readouterr().err.splitlines() if expected in line)
    assert "warning: " in line
    for part in ("names", "topic", "risks"):
        assert (run / part / "model.safetensors").read_bytes() == (supervised / part / "model.safetensors").read_bytes()
    found = [json.loads((each / "scores.json").read_text("utf-8")) for each in (run, supervised)]
    assert found[0].get("dev") == found[1].get("dev")
    assert ("dev" in found[0]) == dev
    assert curves_figure(rows(run)).texts[0].get_text() == "There was no self-training: the teacher's weights are kept."
    assert "self-training was skipped. These are the weights of the teacher" in (run / "README.md").read_text("utf-8")
    assert not (run / "checkpoint").exists()


@pytest.mark.slow
def test_the_teacher_is_the_supervised_run_with_the_same_seed(task, tmp_path, encoder, monkeypatch, capsys):
    """A teacher that is trained within the run and a finished run give the same weights, to the byte."""
    folder = encoder("bert")
    tiny.without(task, "risks", "topic")
    supervised = train(str(task), tmp_path / "supervised", **tiny.settings(folder, "supervised", max_steps=20)).path
    capsys.readouterr()
    settings = tiny.settings(folder, "adversarial", max_steps=20)
    own = train(str(task), tmp_path / "own", **settings).path
    assert "(teacher)" in capsys.readouterr().err
    with_teacher = train(str(task), tmp_path / "given", teacher=supervised, **settings).path
    assert "(teacher)" not in capsys.readouterr().err
    weights = Path("names", "model.safetensors")
    assert (own / weights).read_bytes() == (with_teacher / weights).read_bytes()
    assert (own / weights).read_bytes() != (supervised / weights).read_bytes()
    assert rows(own)[0]["teacher"] == rows(with_teacher)[0]["teacher"]
    assert rows(with_teacher)[0]["seconds"] == max(row.get("seconds", 0) for row in rows(supervised)), (
        "its time is not part of the run's"
    )

    break_student(monkeypatch)
    kept = train(str(task), tmp_path / "kept", teacher=supervised, **settings).path
    assert (kept / weights).read_bytes() == (supervised / weights).read_bytes()


@pytest.mark.slow
def test_a_given_teacher_is_that_of_the_first_round_only(task, tmp_path, encoder, monkeypatch, capsys):
    folder = encoder("bert")
    tiny.without(task, "risks", "topic")
    supervised = train(str(task), tmp_path / "supervised", **tiny.settings(folder, "supervised", max_steps=20)).path
    settings = tiny.settings(folder, "adversarial", max_steps=20, overrides=["self_training_rounds=2"])
    own = train(str(task), tmp_path / "own", **settings).path
    shown = capsys.readouterr().err
    assert "(teacher)" in shown
    assert "(adversarial, round 1)" in shown
    assert "(adversarial, round 2)" in shown
    with_teacher = train(str(task), tmp_path / "given", teacher=supervised, **settings).path
    shown = capsys.readouterr().err
    assert "(teacher)" not in shown
    assert "(adversarial, round 1)" in shown
    weights = Path("names", "model.safetensors")
    assert (own / weights).read_bytes() == (with_teacher / weights).read_bytes()
    card = (own / "README.md").read_text("utf-8")
    expected = f"the model of self-training round 1, which scores {rows(own)[0]['teacher']['mean']:.3f} on dev. The teacher of round 1"
    assert f"{expected} was the supervised run with the same seed." in card
    before = max(row.get("seconds", 0) for row in rows(supervised))
    assert rows(with_teacher)[0]["seconds"] > before, "the time of the rounds before is not part of the run's"

    break_student(monkeypatch)
    kept = train(str(task), tmp_path / "kept", teacher=supervised, **settings).path
    assert capsys.readouterr().err.count("the teacher's weights are kept") == 2, "not every round falls back"
    assert (kept / weights).read_bytes() == (supervised / weights).read_bytes()
    dev = [row["dev"]["mean"] for row in rows(supervised) if row.get("best")][-1]
    assert rows(kept)[0]["teacher"]["mean"] == dev, "the score is not that of the weights that round 1 has kept"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed (0, now 1)"),
        ({"label_budget": 20}, "label_budget (None, now 20)"),
        ({"overrides": ["learning_rate=1e-5"]}, "learning_rate"),
    ],
)
def test_a_run_with_other_settings_cannot_be_the_teacher(task, tmp_path, encoder, finished, change, message):
    folder = encoder("bert")
    supervised = finished(tmp_path / "supervised", "supervised")
    given = tiny.settings(folder, "adversarial")
    given |= {name: [*given.get(name, []), *value] if name == "settings" else value for name, value in change.items()}
    with pytest.raises(UserError, match="cannot be the teacher, it differs in") as raised:
        train(str(task), tmp_path / "run", teacher=supervised, **given)
    assert message in str(raised.value)
    assert not (tmp_path / "run").exists()


def of_other_code(run, folder):
    audit = json.loads((run / "audit.json").read_text("utf-8"))
    audit["code"]["modules"] = "0" * 64
    (run / "audit.json").write_text(json.dumps(audit), "utf-8")


def of_other_weights(run, folder):
    shutil.copy(run / "topic" / "model.safetensors", run / "names" / "model.safetensors")


def without_log(run, folder):
    (run / "log.jsonl").unlink()


def on_another_encoder(run, folder):
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: each + 1 if "word_emb" in name else each for name, each in weights.items()}, folder / "model.safetensors"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_other_code, "differs in the code of this package"),
        (of_other_weights, "differs in its models"),
        (on_another_encoder, "differs in the weights of its encoder"),
        (without_log, "lacks the steps or dev scores"),
    ],
)
def test_a_run_that_would_be_trained_otherwise_now_cannot_be_the_teacher(task, tmp_path, encoder, change, message):
    folder = Path(shutil.copytree(encoder("bert"), tmp_path / "encoder"))
    supervised = train(str(task), tmp_path / "supervised", **tiny.settings(str(folder), "supervised")).path
    change(supervised, folder)
    with pytest.raises(UserError, match=message):
        train(str(task), tmp_path / "run", teacher=supervised, **tiny.settings(str(folder), "adversarial"))
    assert not (tmp_path / "run").exists()


def test_a_teacher_must_be_supervised(task, tmp_path, encoder, run):
    with pytest.raises(UserError, match=f"^{run}: this is a latent run; a teacher must be supervised"):
        train(str(task), tmp_path / "run", teacher=run, **tiny.settings(encoder("bert"), "adversarial"))
    assert not (tmp_path / "run").exists()


def test_a_teacher_must_exist_and_the_preset_must_have_one(task, tmp_path, encoder):
    settings = tiny.settings(encoder("bert"), "adversarial")
    with pytest.raises(UserError, match="no finished run to be the teacher"):
        train(str(task), tmp_path / "run", teacher=tmp_path / "none", **settings)
    with pytest.raises(
        UserError, match="the preset supervised has no teacher. Leave --teacher out, or give --preset self_training"
    ):
        train(str(task), tmp_path / "run", teacher=tmp_path, **tiny.settings(settings["encoder"], "supervised"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_logs_the_masking_effect_which_does_not_change_its_weights(task, tmp_path, encoder, monkeypatch):
    tiny.without(task, "risks", "names")
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=60)
    run = train(str(task), tmp_path / "run", **settings).path
    expected = {row["step"]: [row[name] for name in MASKING_EFFECT] for row in rows(run) if MASKING_EFFECT[0] in row}
    assert list(expected) == [25, 50, 60]
    assert all(0 < each < 5 for some in expected.values() for each in some)
    assert any(one != other for one, other in expected.values())
    monkeypatch.setattr(StepLog, "masking_effect", lambda *_: {})
    without = train(str(task), tmp_path / "without", **settings).path
    assert not any(MASKING_EFFECT[0] in row for row in rows(without))
    weights = Path("topic", "model.safetensors")
    assert (run / weights).read_bytes() == (without / weights).read_bytes()
