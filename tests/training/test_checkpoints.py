"""Runs on disk: the same seed gives the same bytes, also when resumed, and saved models equal the trained ones."""

from __future__ import annotations

import json
import math
import shutil
import signal
from pathlib import Path

import processes
import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file

from electra_ie import evaluate, train
from electra_ie.common.errors import UserError
from electra_ie.config.train import TrainSettings
from electra_ie.models.losses import TERMS
from electra_ie.runs.storage import load_run
from electra_ie.training import callbacks, dev_scoring, finalize
from electra_ie.training.checkpoints import CheckpointHeader, read_weights, save_weights

NAMES = [field.name for field in tiny.FIELDS]
LAST, TEACHER = Path("checkpoint/last.safetensors"), Path("checkpoint/teacher")


@pytest.fixture(scope="module")
def rough(tmp_path_factory):
    """Return a BERT with dropout, whose randomness a resumed run must repeat."""
    return tiny.build("bert", tmp_path_factory.mktemp("rough") / "bert", dropout=0.2)


def weights(run: Path, names=NAMES) -> dict[str, bytes]:
    return {name: (run / name / "model.safetensors").read_bytes() for name in names}


def finite(tensors) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in tensors.values())


def log(run: Path) -> list[dict]:
    """Return the rows of the log without times."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


class Stopped(Exception):
    """Ends a run, as if the machine had failed."""


def stop_after(monkeypatch, saves: int) -> None:
    """End the run after `saves` checkpoints."""
    save, done = callbacks.save_checkpoint_and_log, []

    def save_and_stop(state, pair):
        save(state, pair)
        done.append(state.step)
        if len(done) == saves:
            raise Stopped

    monkeypatch.setattr(callbacks, "save_checkpoint_and_log", save_and_stop)


@pytest.mark.parametrize(
    ("preset", "pooling", "names", "dev", "points"),
    [  # 3 is before the first dev score, 8 right after it; the 10 checkpoints of a teacher come first
        ("supervised", "mean", NAMES, True, (8,)),
        ("latent", "stock", NAMES[:1], True, (3,)),
        pytest.param("adversarial", "mean", NAMES[:1], True, (13,), marks=pytest.mark.slow),
        pytest.param("supervised", "mean", NAMES, True, (3,), marks=pytest.mark.slow),
        pytest.param("latent", "stock", NAMES, True, (8,), marks=pytest.mark.slow),
        pytest.param("adversarial", "mean", NAMES, True, (8, 18), marks=pytest.mark.slow),
        pytest.param("self_training", "mean", NAMES, True, (3, 13), marks=pytest.mark.slow),
        pytest.param("self_training", "mean", NAMES, False, (8, 18), marks=pytest.mark.slow),
    ],
)
def test_same_seed_gives_the_same_bytes_also_when_resumed(task, tmp_path, rough, preset, pooling, names, dev, points):
    tiny.without(task, *set(NAMES) - set(names))
    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    settings = tiny.settings(rough, preset, pooling=pooling)
    once = train(str(task), tmp_path / "once", **settings).path
    teacher = 10 if TrainSettings.build(preset=preset).has_teacher else 0
    for saves in points:
        halted = tmp_path / f"halted{saves}"
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, saves)
            with pytest.raises(Stopped):
                train(str(task), halted, **settings)
        step = read_weights((halted if saves > teacher else halted / TEACHER) / LAST)[1].step
        assert 0 < step < 12
        assert not (halted / "topic").exists()
        torch.manual_seed(12345)
        train(str(task), halted, resume=True)
        assert weights(halted, names) == weights(once, names), f"resumed at step {step}"
        assert log(halted) == log(once)
        scores = [json.loads((run / "scores.json").read_text("utf-8")).get("dev") for run in (halted, once)]
        assert scores[0] == scores[1]


@pytest.mark.slow
def test_another_seed_gives_other_bytes(task, tmp_path, rough):
    one, two = (
        train(str(task), tmp_path / str(seed), **tiny.settings(rough, "supervised", max_steps=2, seed=seed)).path
        for seed in (0, 1)
    )
    assert all(weights(one)[name] != weights(two)[name] for name in NAMES)


KILLED = """
import json, os, signal, sys
from electra_ie import train
from electra_ie.training import driver, finalize

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def training_steps(pair, batches, settings, *rest):
    for step in original(pair, batches, settings, *rest):
        if settings.has_teacher and step.number + 1 == 16:
            die()
        yield step

task, folder, point, settings = sys.argv[1:]
original = driver.training_steps
if point == "between two checkpoints":
    driver.training_steps = training_steps
elif point == "after the saved folders":
    finalize._verify_logits = die
train(task, folder, resume=point == "resumed", **json.loads(settings))
"""


@pytest.mark.parametrize(("point", "preset", "max_steps", "step"), [
    pytest.param("between two checkpoints", "adversarial", 24, 14, marks=pytest.mark.slow), ("after the saved folders", "supervised", 4, 4),
])  # fmt: skip
@pytest.mark.pictures  # the other process draws the plots, and the files are compared
@pytest.mark.unix("SIGKILL")
def test_killed_run_resumes_to_the_same_bytes_in_another_process(task, tmp_path, rough, point, preset, max_steps, step):
    # Without co-training, whose features this process has fewer of than the child (see `lighter`).
    settings = tiny.settings(rough, preset, max_steps=max_steps, co_training=False)

    def child(point: str) -> int:
        command = [
            "-c",
            KILLED,
            str(task),
            str(tmp_path / "cut"),
            point,
            json.dumps(settings),
        ]
        return processes.run(command, whole=True).code

    assert child(point) == -signal.SIGKILL
    assert read_weights(tmp_path / "cut" / LAST)[1].step == step and not (tmp_path / "cut" / "scores.json").exists()
    if preset == "adversarial":
        assert child("resumed") == 0
    else:  # this process is another one than that of the child
        train(str(task), tmp_path / "cut", resume=True)
    whole = train(str(task), tmp_path / "whole", **settings).path
    assert weights(tmp_path / "cut") == weights(whole)
    assert log(tmp_path / "cut") == log(whole)
    for name in ("run.yaml", "task.yaml", "corpus.json", "curves.png", "dev_topic.png"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_run_of_two_rounds_is_resumed_in_each(task, tmp_path, rough):
    # With some seeds the teacher is better and is kept, so that the rounds cannot be compared.
    one_round = tiny.settings(rough, "adversarial", max_steps=24, seed=5)
    settings = {**one_round, "overrides": ["self_training_rounds=2"]}
    once = train(str(task), tmp_path / "once", **settings).path
    first = train(str(task), tmp_path / "first", **one_round).path
    kept = [row for row in log(first) if row.get("best")][-1]["dev"]
    assert log(once)[0]["teacher"] == kept, "round 1 differs from a run of one round"
    assert log(once)[1]["discriminator"] != log(first)[1]["discriminator"], "round 2 has the random numbers of round 1"
    best_step = json.loads((once / "scores.json").read_text("utf-8"))["training"]["best_step"]
    assert best_step > 0, "the teacher's weights are kept"
    folders = {4: TEACHER / TEACHER, 14: TEACHER, 24: Path()}
    for saves, folder in folders.items():
        halted = tmp_path / f"halted{saves}"
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, saves)
            with pytest.raises(Stopped):
                train(str(task), halted, **settings)
        assert 0 < read_weights(halted / folder / LAST)[1].step < 24
        train(str(task), halted, resume=True)
        assert weights(halted) == weights(once) and log(halted) == log(once), folder
        assert not (halted / "checkpoint").exists()


@pytest.mark.slow
def test_run_yaml_repeats_the_run(task, tmp_path, rough, finished):
    first = finished(tmp_path / "first", "latent", encoder=rough)
    written = yaml.safe_load((first / "run.yaml").read_text("utf-8"))
    assert written["max_steps"] == 12
    assert None not in (written["window"], written["learning_rate"], written["pooling"])
    second = train(str(task), tmp_path / "second", settings=first / "run.yaml").path
    assert weights(first) == weights(second)


def test_run_is_resumed_only_with_its_own_settings(task, tmp_path, rough, monkeypatch):
    settings = tiny.settings(rough)
    with pytest.raises(UserError, match="there is no run to resume"):
        train(str(task), tmp_path / "none", resume=True, **settings)
    stop_after(monkeypatch, 1)
    with pytest.raises(Stopped):
        train(str(task), tmp_path / "run", **settings)
    with pytest.raises(UserError, match=r"started with other settings: .*rate \(0.002, now 0.5\)"):
        train(str(task), tmp_path / "run", resume=True, overrides=["learning_rate=0.5"])
    with pytest.raises(UserError, match="output folder is not empty"):
        train(str(task), tmp_path / "run", **settings)
    with pytest.raises(UserError, match="no model.safetensors for the field.*--resume"):
        load_run(tmp_path / "run")


def test_damaged_checkpoint_is_an_error(task, tmp_path, rough, monkeypatch):
    stop_after(monkeypatch, 1)
    with pytest.raises(Stopped):
        train(str(task), tmp_path / "run", **tiny.settings(rough))
    file = tmp_path / "run" / LAST
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="last.safetensors: the checkpoint cannot be read"):
        train(str(task), tmp_path / "run", resume=True)


def test_checkpoint_is_complete_or_absent(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "last.safetensors"
    save_weights(file, {"a": torch.ones(3)}, CheckpointHeader(4, 3, 0.5))
    monkeypatch.setattr("electra_ie.common.files.os.replace", lambda *_: (_ for _ in ()).throw(Stopped))
    with pytest.raises(Stopped):
        save_weights(file, {"a": torch.zeros(3)}, CheckpointHeader(5))
    tensors, header = read_weights(file)
    assert tensors["a"].tolist() == [1, 1, 1]
    assert header == CheckpointHeader(4, 3, 0.5)


@pytest.mark.slow
def test_train_does_not_need_the_test_split(task, tmp_path, rough):
    (task.parent / "test.jsonl").write_bytes(b"\xff\xfe this is { no JSON\n")
    settings = tiny.settings(rough, "supervised", max_steps=2)
    run = train(str(task), tmp_path / "run", **settings).path
    with pytest.raises(UserError, match="test.jsonl"):
        evaluate(run)
    (task.parent / "test.jsonl").unlink()
    assert weights(run) == weights(train(str(task), tmp_path / "without", **settings).path)


def failing(model: str, term: str, step: int, change):
    """Return a loss term that is changed from a step on (three fields: three calls per step)."""
    original, calls = TERMS[model][term], []

    def fails(*arguments):
        calls.append(1)
        return change(original(*arguments)) if len(calls) > step * 3 else original(*arguments)

    return fails


def test_error_in_the_loop_ends_the_run(task, tmp_path, rough, monkeypatch):
    def error(_):
        raise ZeroDivisionError("broken term")

    monkeypatch.setitem(
        TERMS["generator"], "generator_adversarial", failing("generator", "generator_adversarial", 4, error)
    )
    with pytest.raises(ZeroDivisionError, match="broken term"):
        train(str(task), tmp_path / "run", **tiny.settings(rough))
    assert not (tmp_path / "run" / "topic").exists()
    assert not (tmp_path / "run" / "scores.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "term"), [("discriminator", "classification"), ("generator", "generator_adversarial")]
)
def test_loss_that_is_not_finite_ends_the_run_with_the_last_good_weights(
    task, tmp_path, rough, finished, monkeypatch, capsys, model, term
):
    good = finished(tmp_path / "good", "latent", encoder=rough)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Stopped):
            train(str(task), tmp_path / "kept", **tiny.settings(rough))
    checkpoint, progress = read_weights(tmp_path / "kept" / LAST)
    assert progress.step == 2
    monkeypatch.setitem(TERMS[model], term, failing(model, term, 3, lambda value: value * math.nan))
    run = train(str(task), tmp_path / "run", **tiny.settings(rough)).path
    message = (
        f"has collapsed at step 3: the {model}'s loss is not a finite number. The run keeps the weights of step 2."
    )
    assert message in capsys.readouterr().err
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["collapsed"]["kept"] == 2
    assert "Training collapsed at step 3" in (run / "README.md").read_text("utf-8")
    assert len(log(run)) == 3
    saved = load_file(run / "topic" / "model.safetensors")
    assert finite(saved)
    layer = "encoder.layer.0.attention.self.query.weight"
    (weight,), (expected,) = (
        [value for name, value in tensors.items() if name.endswith(layer)] for tensors in (saved, checkpoint)
    )
    assert torch.equal(weight, expected) and weights(run) != weights(good)
    evaluate(run)


def test_weights_without_a_finite_loss_are_not_saved(task, tmp_path, rough):
    """The learning rate is so high that the first step makes the weights infinite."""
    settings = {
        **tiny.settings(rough, "supervised"),
        "learning_rate": 1e38,
        "head_learning_rate": 1e38,
        "max_steps": 200,
    }
    with pytest.raises(
        UserError,
        match=r"collapsed at step 1: the discriminator's loss is not a finite number. Lower the learning rate",
    ):
        train(str(task), tmp_path / "run", **settings)
    assert not (tmp_path / "run" / LAST).exists()


def test_best_score_of_the_log_is_that_of_the_saved_model(run):
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    scored = [row for row in rows if "dev" in row]
    best = [row for row in scored if row["best"]][-1]
    assert best["dev"]["mean"] == max(row["dev"]["mean"] for row in scored) > 0.3
    summary = json.loads((run / "scores.json").read_text("utf-8"))
    assert summary["training"]["best_step"] == best["step"]
    scores = summary["dev"]
    again = evaluate_copy(run)
    for name in NAMES:
        main = scores[name]["main"]
        assert scores[name][main] == best["dev"][name] == again[name][main]


def evaluate_copy(run):
    """Return the dev scores of a run on disk without changing it."""
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import predict, score_answers
    from electra_ie.runs.layout import load_task

    extractor = Extractor.from_pretrained(run)
    documents = load_task(run).read("dev")
    return score_answers(extractor.fields, documents, predict(extractor, documents))


def test_best_weights_are_saved_and_not_the_last(task, tmp_path, rough, monkeypatch):
    """With patched dev scores that fall, the weights of the first evaluation must be saved."""
    scores_of_dev = iter([0.9, 0.1, 0.05])
    monkeypatch.setattr(dev_scoring, "mean_score", lambda scores: next(scores_of_dev))
    monkeypatch.setattr(finalize, "mean_score", lambda scores: 0.9)
    kept = {}
    save = dev_scoring.save_best

    def keep(run, discriminator, state):
        kept[state.best_step] = discriminator.heads["field_topic"].output_layer.weight.detach().clone()
        save(run, discriminator, state)

    monkeypatch.setattr(dev_scoring, "save_best", keep)
    run = train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised", num_evaluations=3)).path
    saved = load_file(run / "topic" / "model.safetensors")["classifier.weight"]
    assert list(kept) == [8]
    assert torch.equal(saved, kept[8])


@pytest.mark.parametrize("name", NAMES)
def test_saved_model_with_other_logits_is_an_error(task, tmp_path, rough, monkeypatch, name):
    save_fields = finalize.save_fields

    def tampered(run, *rest):
        from safetensors.torch import save_file

        save_fields(run, *rest)
        file = run / name / "model.safetensors"
        tensors = load_file(file)
        key = next(name for name in tensors if name.endswith("bias") and "classifier" in name)
        save_file({**tensors, key: tensors[key] + 0.01}, file, metadata={"format": "pt"})

    monkeypatch.setattr(finalize, "save_fields", tampered)
    with pytest.raises(RuntimeError, match=f"the saved model of the field {name} gives other logits"):
        train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised", max_steps=2))
    assert not (tmp_path / "run" / "scores.json").exists()


def test_log_with_a_higher_score_than_the_saved_model_is_an_error(task, tmp_path, rough, monkeypatch):
    mean_score = dev_scoring.mean_score
    monkeypatch.setattr(dev_scoring, "mean_score", lambda scores: mean_score(scores) + 0.01)
    with pytest.raises(RuntimeError, match="the log has"):
        train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised"))


def test_finished_run_is_complete_and_needs_no_encoder(task, tmp_path, rough):
    own = shutil.copytree(rough, tmp_path / "own")
    run = train(str(task), tmp_path / "run", **tiny.settings(str(own), max_steps=2)).path
    present = {path.name for path in run.iterdir()}
    assert {
        *NAMES,
        "run.yaml",
        "task.yaml",
        "scores.json",
        "audit.json",
        "log.jsonl",
        "curves.png",
        "README.md",
    } <= present
    assert "checkpoint" not in present
    assert not [name for name in present if name.startswith(".")]
    shutil.rmtree(own)
    discriminator, windower, fields, edges = load_run(run)
    assert [field.name for field in fields] == NAMES
    assert windower.size == 48


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        load_run(tmp_path)
