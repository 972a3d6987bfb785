"""Runs on disk: the same seed gives the same bytes, a resumed run too, and what is saved is what was trained."""

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
from electra_ie.models.losses import TERMS
from electra_ie.runs.storage import load_run
from electra_ie.training import callbacks
from electra_ie.training import dev_scoring as module
from electra_ie.training import finalize as completion
from electra_ie.training.checkpoints import TrainingState, read_weights, save_weights

NAMES = [field.name for field in tiny.FIELDS]
LAST, TEACHER = Path("checkpoint/last.safetensors"), Path("checkpoint/teacher")


@pytest.fixture(scope="module")
def rough(tmp_path_factory):
    """A BERT with dropout, whose randomness a resumed run must repeat."""
    return tiny.build("bert", tmp_path_factory.mktemp("rough") / "bert", dropout=0.2)


def weights(run: Path) -> dict[str, bytes]:
    return {name: (run / name / "model.safetensors").read_bytes() for name in NAMES}


def finite(tensors) -> bool:
    return all(bool(torch.isfinite(each).all()) for each in tensors.values())


def log(run: Path) -> list[dict]:
    """What the log says, but for the time it took."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


class Stopped(Exception):
    """As if the machine had gone."""


def stop_after(monkeypatch, saves: int) -> None:
    """End the run behind its checkpoint of that number."""
    save, done = callbacks.save_checkpoint_of, []

    def save_and_stop(state, pair):
        save(state, pair)
        done.append(state.step)
        if len(done) == saves:
            raise Stopped

    monkeypatch.setattr(callbacks, "save_checkpoint_of", save_and_stop)


@pytest.mark.parametrize(
    ("preset", "pooling", "dev"),
    [
        ("supervised", "mean", True),
        ("latent", "stock", True),
        ("adversarial", "mean", True),
        pytest.param("adversarial", "mean", False, marks=pytest.mark.slow),
    ],
)
def test_same_seed_same_bytes_and_a_resumed_run_has_them_too(task, tmp_path, rough, preset, pooling, dev):
    if not dev:
        task.write_text(task.read_text("utf-8").replace("dev: dev.jsonl, ", ""), encoding="utf-8")
    settings = tiny.settings(rough, preset, pooling=pooling)
    once, again = (train(str(task), tmp_path / name, **settings).path for name in ("once", "again"))
    assert weights(once) == weights(again)
    other = train(str(task), tmp_path / "other", **settings, seed=1).path
    assert all(weights(once)[name] != weights(other)[name] for name in NAMES)
    teacher = 10 if preset == "adversarial" else 0  # its checkpoints come first
    for saves in {3, 8, teacher + 3, teacher + 8}:  # before the first dev score, and right behind it
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
        assert weights(halted) == weights(once), f"resumed at step {step}"
        assert log(halted) == log(once)
        scores = [json.loads((run / "scores.json").read_text("utf-8")).get("dev") for run in (halted, once)]
        assert scores[0] == scores[1]


KILLED = """
import json, os, signal, sys
from electra_ie import train
from electra_ie.training import driver, finalize

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def play(pair, batches, settings, *rest):
    for step in true(pair, batches, settings, *rest):
        if settings.has_teacher and step.number + 1 == 16:
            die()
        yield step

task, folder, place, chosen = sys.argv[1:]
true = driver.training_steps
if place == "between two checkpoints":
    driver.training_steps = play
elif place == "behind the saved folders":
    finalize._verify_logits = die
train(task, folder, resume=place == "resumed", **json.loads(chosen))
"""


@pytest.mark.parametrize(("place", "preset", "step"), [
    pytest.param("between two checkpoints", "adversarial", 14, marks=pytest.mark.slow), ("behind the saved folders", "supervised", 24),
])  # fmt: skip
@pytest.mark.pictures  # the other process draws them, and the files are compared
@pytest.mark.unix("SIGKILL")
def test_a_killed_run_resumes_to_the_very_same_bytes_in_another_process(task, tmp_path, rough, place, preset, step):
    settings = tiny.settings(rough, preset, max_steps=24)

    def child(place: str) -> int:
        command = [
            "-c",
            KILLED,
            str(task),
            str(tmp_path / "cut"),
            place,
            json.dumps(settings),
        ]
        return processes.run(command)[0]

    assert child(place) == -signal.SIGKILL
    assert read_weights(tmp_path / "cut" / LAST)[1].step == step
    assert not (tmp_path / "cut" / "scores.json").exists()
    if preset == "adversarial":
        assert child("resumed") == 0
    else:  # this process is another one, too
        train(str(task), tmp_path / "cut", resume=True)
    whole = train(str(task), tmp_path / "whole", **settings).path
    assert weights(tmp_path / "cut") == weights(whole)
    assert log(tmp_path / "cut") == log(whole)
    for name in ("run.yaml", "task.yaml", "corpus.json", "curves.png", "dev_topic.png"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_a_run_of_two_generations_is_resumed_in_each(task, tmp_path, rough):
    told = tiny.settings(
        rough, "adversarial", max_steps=24, seed=4
    )  # with some seeds the game is lost, and shows nothing
    settings = {**told, "overrides": ["self_training_rounds=2"]}
    once = train(str(task), tmp_path / "once", **settings).path
    first = train(str(task), tmp_path / "first", **told).path
    kept = [row for row in log(first) if row.get("best")][-1]["dev"]
    assert log(once)[0]["teacher"] == kept, "generation 1 is the run of one generation"
    assert log(once)[1]["discriminator"] != log(first)[1]["discriminator"], "generation 2 draws otherwise"
    assert json.loads((once / "scores.json").read_text("utf-8"))["training"]["best_step"] > 0, (
        "its own weights are kept"
    )
    places = {4: TEACHER / TEACHER, 14: TEACHER, 24: Path()}
    for saves, place in places.items():
        halted = tmp_path / f"halted{saves}"
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, saves)
            with pytest.raises(Stopped):
                train(str(task), halted, **settings)
        assert 0 < read_weights(halted / place / LAST)[1].step < 24
        train(str(task), halted, resume=True)
        assert weights(halted) == weights(once), place
        assert log(halted) == log(once), place
        assert not (halted / "checkpoint").exists()


def test_run_yaml_repeats_the_run(task, tmp_path, rough, finished):
    first = finished(tmp_path / "first", "adversarial", encoder=rough)
    written = yaml.safe_load((first / "run.yaml").read_text("utf-8"))
    assert written["max_steps"] == 12
    assert None not in (written["window"], written["learning_rate"], written["pooling"])
    second = train(str(task), tmp_path / "second", settings=first / "run.yaml").path
    assert weights(first) == weights(second)


def test_a_run_is_resumed_only_with_its_own_recipe(task, tmp_path, rough, monkeypatch):
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


def test_a_damaged_checkpoint_is_named(task, tmp_path, rough, monkeypatch):
    stop_after(monkeypatch, 1)
    with pytest.raises(Stopped):
        train(str(task), tmp_path / "run", **tiny.settings(rough))
    file = tmp_path / "run" / LAST
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="last.safetensors: the checkpoint cannot be read"):
        train(str(task), tmp_path / "run", resume=True)


def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "last.safetensors"
    save_weights(file, {"a": torch.ones(3)}, TrainingState(4, 3, 0.5))
    monkeypatch.setattr("electra_ie.common.files.os.replace", lambda *_: (_ for _ in ()).throw(Stopped))
    with pytest.raises(Stopped):
        save_weights(file, {"a": torch.zeros(3)}, TrainingState(5))
    tensors, progress = read_weights(file)
    assert tensors["a"].tolist() == [1, 1, 1]
    assert progress == TrainingState(4, 3, 0.5)


def test_train_does_without_the_test_split(task, tmp_path, rough):
    (task.parent / "test.jsonl").write_bytes(b"\xff\xfe this is { no JSON\n")
    run = train(str(task), tmp_path / "run", **tiny.settings(rough)).path
    with pytest.raises(UserError, match="test.jsonl"):
        evaluate(run)
    (task.parent / "test.jsonl").unlink()
    assert weights(run) == weights(train(str(task), tmp_path / "without", **tiny.settings(rough)).path)


def failing(player: str, term: str, step: int, how):
    """A term that fails at a step (three fields: three calls a step)."""
    true, calls = TERMS[player][term], []

    def fails(*arguments):
        calls.append(1)
        return how(true(*arguments)) if len(calls) > step * 3 else true(*arguments)

    return fails


def test_an_error_in_the_loop_ends_the_run(task, tmp_path, rough, monkeypatch):
    def error(_):
        raise ZeroDivisionError("broken term")

    monkeypatch.setitem(
        TERMS["generator"], "generator_adversarial", failing("generator", "generator_adversarial", 4, error)
    )
    with pytest.raises(ZeroDivisionError, match="broken term"):
        train(str(task), tmp_path / "run", **tiny.settings(rough))
    assert not (tmp_path / "run" / "topic").exists()
    assert not (tmp_path / "run" / "scores.json").exists()


@pytest.mark.parametrize(
    ("player", "term"), [("discriminator", "classification"), ("generator", "generator_adversarial")]
)
def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_weights(
    task, tmp_path, rough, finished, monkeypatch, capsys, player, term
):
    good = finished(tmp_path / "good", "latent", encoder=rough)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Stopped):
            train(str(task), tmp_path / "kept", **tiny.settings(rough))
    sound, progress = read_weights(tmp_path / "kept" / LAST)
    assert progress.step == 2
    monkeypatch.setitem(TERMS[player], term, failing(player, term, 3, lambda value: value * math.nan))
    run = train(str(task), tmp_path / "run", **tiny.settings(rough)).path
    told = f"has collapsed at step 3: the {player}'s loss is not a finite number. The run keeps the weights of step 2."
    assert told in capsys.readouterr().err
    assert json.loads((run / "scores.json").read_text("utf-8"))["training"]["collapsed"]["kept"] == 2
    assert "Training collapsed at step 3" in (run / "README.md").read_text("utf-8")
    assert len(log(run)) == 3
    saved = load_file(run / "topic" / "model.safetensors")
    assert finite(saved)
    layer = "encoder.layer.0.attention.self.query.weight"
    (ours,), (theirs,) = ([value for name, value in each.items() if name.endswith(layer)] for each in (saved, sound))
    assert torch.equal(ours, theirs)
    assert weights(run) != weights(good)
    evaluate(run)


def test_weights_that_give_no_finite_loss_never_replace_good_ones(task, tmp_path, rough):
    """A rate so high that the first step ruins the weights."""
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


def test_the_best_score_of_the_log_is_the_saved_models(run):
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
    """Scores on dev of the run as it lies on disk, without writing into it."""
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import predict, score_answers
    from electra_ie.runs.layout import load_task

    extractor = Extractor.from_pretrained(run)
    documents = load_task(run).read("dev")
    return score_answers(extractor.fields, documents, predict(extractor, documents))


def test_the_best_weights_are_saved_and_not_the_last(task, tmp_path, rough, monkeypatch):
    """Dev scores are told to fall: the weights of the first scoring must be those in the folders."""
    told = iter([0.9, 0.1, 0.05])
    monkeypatch.setattr(module, "mean_score", lambda scores: next(told))
    monkeypatch.setattr(completion, "mean_score", lambda scores: 0.9)
    kept = {}
    save = module.save_best

    def keep(run, discriminator, state):
        kept[state.best_step] = discriminator.heads["field_topic"].output_layer.weight.detach().clone()
        save(run, discriminator, state)

    monkeypatch.setattr(module, "save_best", keep)
    run = train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised", num_evaluations=3)).path
    saved = load_file(run / "topic" / "model.safetensors")["classifier.weight"]
    assert list(kept) == [8]
    assert torch.equal(saved, kept[8])


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_that_is_not_the_trained_one_is_an_error(task, tmp_path, rough, monkeypatch, name):
    true = completion.save_fields

    def tampered(run, *rest):
        from safetensors.torch import save_file

        true(run, *rest)
        file = run / name / "model.safetensors"
        tensors = load_file(file)
        key = next(each for each in tensors if each.endswith("bias") and "classifier" in each)
        save_file({**tensors, key: tensors[key] + 0.01}, file, metadata={"format": "pt"})

    monkeypatch.setattr(completion, "save_fields", tampered)
    with pytest.raises(RuntimeError, match=f"the saved model of the field {name} gives other logits"):
        train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised"))
    assert not (tmp_path / "run" / "scores.json").exists()


def test_a_log_that_promises_more_than_the_saved_model_scores_is_an_error(task, tmp_path, rough, monkeypatch):
    true = module.mean_score
    monkeypatch.setattr(module, "mean_score", lambda scores: true(scores) + 0.01)
    with pytest.raises(RuntimeError, match="the log has"):
        train(str(task), tmp_path / "run", **tiny.settings(rough, "supervised"))


def test_a_finished_run_is_complete_and_needs_no_encoder(task, tmp_path, rough):
    own = shutil.copytree(rough, tmp_path / "own")
    run = train(str(task), tmp_path / "run", **tiny.settings(str(own))).path
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


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        load_run(tmp_path)
