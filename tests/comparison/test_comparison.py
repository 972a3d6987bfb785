"""Comparison of presets: the statistics, the verdict, and the whole path from labels to a winner."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import processes
import pytest
import tiny
import yaml
from scipy import stats

from electra_ie import Extractor, UserError, compare, evaluate, train
from electra_ie.cli.app import main
from electra_ie.common.files import locked
from electra_ie.comparison import runner, workers
from electra_ie.comparison.statistics import Comparison, RunKey, RunScore
from electra_ie.models.encoders import load_tokenizer
from electra_ie.runs import plots

SHORT = {
    "max_steps": 3,
    "batch_size": 6,
    "learning_rate": 2e-3,
    "latent_size": 8,
    "window": 48,
    "context_overlap": 4,
    "num_evaluations": 1,
}


def comparison_of(scores: dict[str, list[list[float]]], kinds=("spans",)) -> Comparison:
    """scores: by preset, a list a budget of a score a seed."""
    run_scores = {
        RunKey([50, 100][budget], seed, preset): RunScore(score, score, 10.0 if preset == "supervised" else 25.0)
        for preset, budgets in scores.items() for budget, of_budget in enumerate(budgets) for seed, score in enumerate(of_budget)
    }  # fmt: skip
    return Comparison(run_scores, list(scores), kinds)


def test_the_interval_is_that_of_a_paired_t_test():
    draw = np.random.default_rng(0)
    supervised, self_training = draw.normal(60, 3, (2, 5)), draw.normal(62, 3, (2, 5))
    comparison = comparison_of({"supervised": supervised.tolist(), "self_training": self_training.tolist()})
    for budgets, scores, base in (
        (None, self_training.mean(0), supervised.mean(0)),
        ([50], self_training[0], supervised[0]),
    ):
        gain = comparison.difference("self_training", budgets)
        expected = stats.ttest_rel(scores, base).confidence_interval(0.95)
        assert (gain.low, gain.high) == pytest.approx((expected.low, expected.high))
        assert gain.mean == pytest.approx((scores - base).mean())
        assert gain.cost == pytest.approx(2.5)
    budget = comparison.as_dict()["budgets"][1]
    assert budget["presets"]["supervised"]["mean"] == pytest.approx(supervised[1].mean())
    assert budget["presets"]["supervised"]["deviation"] == pytest.approx(supervised[1].std(ddof=1))


@pytest.mark.parametrize(("gains", "winner", "words"), [
    ([3.0, 3.2, 2.8], "self_training", r"self_training adds 3\.0 F1 \(2\.5 to 3\.5, the mean over 50 and 100 labels\): keep it\."),
    ([3.0, -1.0, 1.0], "supervised", r"no measurable gain from self_training \(\+1\.0 F1, -4\.0 to 6\.0, the mean over 50 and 100"),
    ([-3.0, -3.2, -2.8], "supervised", r"self_training loses \(-3\.0 F1, -3\.5 to -2\.5, the mean over 50 and 100 labels\): ship supervised\."),
    ([0.02, 0.02, 0.02], "supervised", r"no measurable gain from self_training \(\+0\.0 F1, 0\.0 to 0\.0"),
    ([9.0, 9.0, 9.0], "supervised", r"all 3 seeds have the same difference \(self_training: \+9\.0 F1\), which gives no interval"),
    ([9.0], "supervised", r"one seed proves nothing \(self_training: \+9\.0 F1\): run three"),
])  # fmt: skip
def test_verdict_is_one_plain_sentence(gains, winner, words):
    base = [60.0 + 5 * seed for seed in range(len(gains))]  # the spread over seeds is not the spread of the difference
    scores = {
        "supervised": [base] * 2,
        "self_training": [[one + gain for one, gain in zip(base, gains, strict=True)]] * 2,
    }
    comparison = comparison_of(scores)
    assert re.fullmatch(words + ".*", comparison.verdict), comparison.verdict
    assert comparison.winner == winner
    assert comparison.best.preset == winner
    assert comparison.best.label_budget == 100
    assert comparison.best.seed == len(gains) - 1, "the run that dev likes best"


def test_verdict_for_one_budget_does_not_name_it():
    comparison = comparison_of({"supervised": [[60.0, 61.0, 62.0]], "self_training": [[63.0, 64.2, 64.8]]})
    assert comparison.verdict == "self_training adds 3.0 F1 (2.5 to 3.5): keep it."


def test_a_preset_that_loses_at_the_budget_of_the_shipped_run_does_not_win():
    base = [60.0, 61.0, 62.0]
    few, many = [70.0, 71.1, 71.9], [58.0, 59.1, 59.9]
    comparison = comparison_of({"supervised": [base, base], "self_training": [few, many], "latent": [base, base]})
    assert comparison.winner == comparison.best.preset == "supervised"
    verdict = r"self_training gains \(\+4\.0 F1, .* labels\) but loses 2\.0 \(1\.8 to 2\.2\) with 100 labels, which the ready run has: ship supervised\."
    assert re.fullmatch(verdict, comparison.verdict), comparison.verdict


def test_cost_without_the_adaptation_of_an_encoder_is_stated():
    comparison = comparison_of({"supervised": [[60.0, 61.0]], "thorough": [[63.0, 61.0]]})
    comparison.run_scores = {
        key: dataclasses.replace(run, adaptation=500 * (key.preset == "thorough"))
        for key, run in comparison.run_scores.items()
    }
    (note,) = comparison.notes
    assert note.startswith(
        "cost: leaves out the adaptation of the encoder of thorough to the text of the task, 500 steps"
    )


def test_runs_that_kept_their_teachers_weights_are_counted():
    comparison = comparison_of({"supervised": [[60.0, 61.0]], "self_training": [[63.0, 61.0]]})
    assert comparison.notes == []
    kept = RunKey(50, 1, "self_training")
    comparison.run_scores[kept] = dataclasses.replace(comparison.run_scores[kept], teachers=True)
    assert comparison.notes[0].startswith("1 of the 2 runs of self_training kept the weights of their teacher")
    assert comparison.as_dict()["runs"][-1]["teachers"]
    assert comparison.as_dict()["notes"] == comparison.notes


def test_fields_of_several_kinds_have_no_common_unit():
    assert comparison_of({"supervised": [[1.0]]}, ("spans", "classes")).unit == "points"
    assert comparison_of({"supervised": [[1.0]]}, ("flags",)).unit == "macro F1"


@pytest.mark.slow
@pytest.mark.pictures("learning_curve")
def test_an_interrupted_comparison_resumes_to_the_winner(task, tmp_path, encoder, monkeypatch, capsys):
    class Stopped(Exception):
        pass

    kwargs = {"label_budgets": [20, 10], "seeds": 2, "encoder": encoder("bert"), **SHORT}
    tiny.without(task, "names")  # the score of a run is the mean of two fields
    real, trained = runner.train_run, []

    def stopping(task, settings, folder, resume, teacher, plan_adaptation):
        if len(trained) == 3:
            raise Stopped
        trained.append((settings.label_budget, settings.preset, settings.seed))
        assert teacher == (None if settings.preset == "supervised" else folder.with_name("10-supervised-0"))
        real(task, settings, folder, resume, teacher=teacher, plan_adaptation=plan_adaptation)

    monkeypatch.setattr(runner, "train_run", stopping)
    with pytest.raises(Stopped):
        compare(str(task), tmp_path / "made", **kwargs)
    assert trained == [(10, "supervised", 0), (10, "self_training", 0), (20, "supervised", 0)]
    monkeypatch.setattr(runner, "train_run", lambda *args, **kwargs: trained.append(args) or real(*args, **kwargs))
    with pytest.raises(UserError, match="not empty"):
        compare(str(task), tmp_path / "made", **kwargs)
    with pytest.raises(UserError, match="started with other settings: max_steps"):
        compare(str(task), tmp_path / "made", resume=True, max_steps=7)
    train_file = task.parent / "train.jsonl"
    lines = train_file.read_text("utf-8")
    train_file.write_text(lines.replace("Arden", "Ardon"), encoding="utf-8")
    with pytest.raises(UserError, match="the documents of train or dev are not what the comparison was begun with"):
        compare(str(task), tmp_path / "made", resume=True)
    train_file.write_text(lines, encoding="utf-8")
    pool_file = task.parent / "pool.jsonl"
    lines = pool_file.read_text("utf-8")
    pool_file.write_text(lines.replace("Arden", "Ardon"), encoding="utf-8")
    with pytest.raises(UserError, match="the unlabeled texts are not what the comparison was begun with"):
        compare(str(task), tmp_path / "made", resume=True)
    pool_file.write_text(lines, encoding="utf-8")
    shutil.rmtree(tmp_path / "made" / "winner", ignore_errors=True)
    made = compare(str(task), tmp_path / "made", resume=True)
    assert len(trained) == 8, "what was trained before is not trained again"

    result = json.loads((made / "compare.json").read_text("utf-8"))
    assert len(result["runs"]) == 8
    assert {each["label_budget"] for each in result["runs"]} == {10, 20}
    for each in result["runs"]:
        run = made / "runs" / f"{each['label_budget']}-{each['preset']}-{each['seed']}"
        settings = yaml.safe_load((run / "run.yaml").read_text("utf-8"))
        assert (settings["label_budget"], settings["preset"], settings["seed"]) == (
            each["label_budget"],
            each["preset"],
            each["seed"],
        )
        scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]
        assert each["score"] == pytest.approx(100 * np.mean([score[score["main"]] for score in scores.values()]))
    plots.learning_curve(result["budgets"], result["unit"], tmp_path / "curve.png", "three_kinds, dev")
    assert (made / "curve.png").read_bytes() == (tmp_path / "curve.png").read_bytes(), "the picture of these numbers"
    assert result["verdict"].endswith(".")
    Extractor.from_pretrained(str(made / "winner"))
    moved = shutil.copytree(made / "winner", tmp_path / "moved")
    evaluate(moved, "test")
    for run in (made / "winner", moved):
        assert result["verdict"] in (run / "README.md").read_text("utf-8"), "its card tells of the comparison"
    assert yaml.safe_load((made / "winner" / "run.yaml").read_text("utf-8"))["preset"] == result["winner"]

    audit = made / "runs" / "10-supervised-1" / "audit.json"
    audit.write_text(json.dumps({**json.loads(audit.read_text("utf-8")), "code": {"electra_ie": "0"}}), "utf-8")
    capsys.readouterr()
    compare(str(task), made, resume=True, split="test")
    assert "another version of this package trained 1 of these runs: 10-supervised-1." in capsys.readouterr().err
    result = json.loads((made / "compare.json").read_text("utf-8"))
    assert len(trained) == 8
    assert result["split"] == "test"
    assert result["budgets"][0]["labels"] == 10
    scores = json.loads((made / "runs" / "10-supervised-1" / "scores.json").read_text("utf-8"))["test"]
    (run,) = (
        each for each in result["runs"] if (each["label_budget"], each["preset"], each["seed"]) == (10, "supervised", 1)
    )
    assert run["score"] == pytest.approx(100 * np.mean([score[score["main"]] for score in scores.values()]))
    assert run["score"] != run["dev"]

    compare(str(task), made, resume=True, seeds=1)
    message = "left out of the comparison this time: 10-self_training-1, 10-supervised-1, 20-self_training-1, 20-supervised-1."
    assert message in capsys.readouterr().err
    assert len(trained) == 8
    assert {each["seed"] for each in json.loads((made / "compare.json").read_text("utf-8"))["runs"]} == {0}


def test_a_comparison_is_resumed_with_the_same_hints_and_descriptions_only(task, tmp_path, encoder, monkeypatch):
    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(runner, "_train_all", stop)
    kwargs = {"encoder": encoder("bert"), **SHORT}
    terms = task.parent / "people.txt"
    terms.write_text("Arden\n", "utf-8")
    original = task.read_text("utf-8") + "hints: {person: {file: people.txt}}\n"
    task.write_text(original, "utf-8")
    with pytest.raises(InterruptedError):
        compare(str(task), tmp_path / "made", **kwargs)
    terms.write_text("Arden\nCorvo\n", "utf-8")
    with pytest.raises(UserError, match="the hints are not what the comparison was begun with"):
        compare(str(task), tmp_path / "made", resume=True)
    terms.write_text("Arden\n", "utf-8")
    task.write_text(f"{original}descriptions: {{person: Who pays.}}\n", "utf-8")
    with pytest.raises(UserError, match="the descriptions are not what the comparison was begun with"):
        compare(str(task), tmp_path / "made", resume=True)
    task.write_text(original, "utf-8")
    with pytest.raises(InterruptedError):
        compare(str(task), tmp_path / "made", resume=True)
    terms.unlink()
    with pytest.raises(UserError, match='the file of the hint "person: people.txt" does not exist'):
        compare(str(task), tmp_path / "other", **kwargs)


@pytest.mark.slow
def test_preset_auto_is_the_winner_on_dev_or_supervised_without_dev(task, tmp_path, encoder, capsys):
    kwargs = {"preset": "auto", "label_budget": 20, "seed": 4, "encoder": encoder("bert"), **SHORT}
    tiny.without(task, "names", "risks")
    made = train(str(task), tmp_path / "made", **kwargs).path
    result = json.loads((made / "comparison" / "compare.json").read_text("utf-8"))
    assert {each["seed"] for each in result["runs"]} == {4, 5, 6}
    assert result["verdict"] in capsys.readouterr().err
    settings = yaml.safe_load((made / "run.yaml").read_text("utf-8"))
    assert (settings["preset"], settings["seed"], settings["label_budget"]) == (result["winner"], 4, 20)
    assert {file.name for file in (made / "comparison").iterdir()} == {
        "compare.json",
        "plan.json",
        "curve.png",
        "settings.yaml",
    }
    Extractor.from_pretrained(made)
    before = (made / "topic" / "model.safetensors").stat().st_mtime_ns
    train(str(task), made, resume=True, **kwargs)
    assert "nothing to resume" in capsys.readouterr().err
    assert (made / "topic" / "model.safetensors").stat().st_mtime_ns == before
    for name, value in (("seed", 5), ("label_budget", 12), ("max_steps", 77)):
        with pytest.raises(UserError, match=rf"started with other settings: {name} \(\d+, now {value}\)"):
            train(str(task), made, resume=True, **{**kwargs, name: value})

    content = yaml.safe_load(task.read_text("utf-8"))
    del content["files"]["dev"]
    task.write_text(yaml.safe_dump(content), encoding="utf-8")
    made = train(str(task), tmp_path / "other", **kwargs).path
    assert yaml.safe_load((made / "run.yaml").read_text("utf-8"))["preset"] == "supervised"
    assert "without a dev split" in capsys.readouterr().err
    train(str(task), made, resume=True, **kwargs)
    with pytest.raises(UserError, match=r"started with other settings: seed \(4, now 5\)"):
        train(str(task), made, resume=True, **{**kwargs, "seed": 5})


@pytest.mark.slow
def test_runs_in_parallel_processes_equal_sequential_runs(task, tmp_path, encoder, monkeypatch, capsys):
    options = [
        str(tiny.without(task, "names", "risks")),
        "--label-budgets",
        "12",
        "--presets",
        " latent",
        "--seeds",
        "2",
        "--encoder",
        encoder("bert"),
    ]
    options += [part for name, value in SHORT.items() for part in ("--set", f"{name}={value}")]

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["electra-ie", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    assert call(*options, "--output", str(tmp_path / "one")) == 0
    monkeypatch.setattr(workers.subprocess, "Popen", processes.Popen)
    assert call(*options, "--output", str(tmp_path / "two"), "--jobs", "2") == 0
    shown = capsys.readouterr()
    assert "latent alone was run: nothing to compare." in shown.out
    assert "run 2 of 2 done" in shown.err
    for name in ("runs/12-latent-0", "runs/12-latent-1"):
        one, two = (tmp_path / made / name / "topic" / "model.safetensors" for made in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_supervised_runs_are_teachers_in_parallel_processes(task, tmp_path, encoder):
    more = tmp_path / "more.txt"
    more.write_text("Arden pays Berg.", "utf-8")
    kwargs = {
        "label_budgets": [12],
        "seeds": 1,
        "jobs": 2,
        "encoder": encoder("bert"),
        "unlabeled": (str(more),),
        **SHORT,
    }
    made = compare(str(task), tmp_path / "made", **kwargs)
    plain = (made / "runs" / "12-supervised-0.log").read_text("utf-8")
    assert "uses no unlabeled text" not in plain
    read = [json.loads((made / "runs" / f"12-{preset}-0" / "scores.json").read_text("utf-8"))["training"]["unlabeled"]
            for preset in ("supervised", "self_training")]  # fmt: skip
    assert read[0]["documents"] == read[1]["documents"] == 40 - 12 + 30 + 1, "flags have thresholds in both"
    log = (made / "runs" / "12-self_training-0.log").read_text("utf-8")
    assert "(self_training)" in log
    assert "(teacher)" not in log


@pytest.mark.parametrize(("kwargs", "words"), [
    ({"presets": ["supervised", "adverserial"]}, ['unknown preset "adverserial"', '"adversarial"']),
    ({"presets": ["supervised", "supervised"]}, ["presets is ['supervised', 'supervised']", "none twice"]),
    ({"seeds": 0}, ["seeds is []"]),
    ({"split": "validation"}, ['no split "validation"', "dev"]),
    ({"split": "train"}, ['no split "train" to score', "Give --split dev or test, or set labeled documents"]),
    ({"split": "unlabeled"}, ['no split "unlabeled" to score']),
    ({"label_budgets": [10, 400]}, ["--label-budget 400: train has 40 labeled documents"]),
    ({"label_budgets": [0]}, ["label_budget is 0"]),
    ({"discriminator": {"classification": 2.0}}, ["discriminator is set in the settings of a comparison"]),
    ({"overrides": ["label_budget=5"]}, ["label_budget is set in the settings of a comparison"]),
    ({"encoder": "/no/such/encoder"}, ["no such encoder folder"]),
    ({"resume": True}, ["there is no comparison to resume"]),
])  # fmt: skip
def test_invalid_comparisons_are_refused(task, tmp_path, encoder, kwargs, words):
    with pytest.raises(UserError) as caught:
        compare(str(task), tmp_path / "made", **{"encoder": encoder("bert"), **SHORT, **kwargs})
    assert all(word in str(caught.value) for word in words), caught.value
    assert not (tmp_path / "made").exists()


def test_a_finished_run_of_another_preset_is_no_run_of_auto(task, tmp_path, finished):
    run = finished(tmp_path / "run", "supervised")
    with pytest.raises(UserError, match="there is no run of the preset auto to resume"):
        train(str(task), run, preset="auto", resume=True)


def test_draws_without_gold_of_a_field_are_refused_before_anything_is_trained(task, tmp_path, encoder):
    file = task.parent / "train.jsonl"
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for record in records[1:]:  # one document has gold of this field
        del record["risks"]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    with pytest.raises(
        UserError, match=r'5-supervised-\d: no labeled record of the split "train" has the field "risks"'
    ):
        compare(str(task), tmp_path / "made", encoder=encoder("bert"), label_budgets=[5, 40], **SHORT)
    assert not (tmp_path / "made").exists()


def test_a_misspelled_preset_auto_gets_a_suggestion(task, tmp_path):
    with pytest.raises(UserError, match='unknown preset "aut". Did you mean "auto"'):
        train(str(task), tmp_path / "made", preset="aut")


def test_unlabeled_texts_are_read_before_anything_is_trained(task, tmp_path, encoder, capsys):
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "more.jsonl"
    broken.write_text('{"text": "Arden pays."}\n{"text": \n', "utf-8")
    for path, words in ((tmp_path / "empty", "there is no .txt or .jsonl"), (broken, "more.jsonl:2")):
        with pytest.raises(UserError, match=words):
            compare(str(task), tmp_path / "made", encoder=encoder("bert"), unlabeled=(str(path),), **SHORT)
        assert not (tmp_path / "made").exists()
        assert "uses no unlabeled text" not in capsys.readouterr().err


def test_an_encoder_without_a_mask_is_refused_before_anything_is_trained(task, tmp_path, encoder, monkeypatch):
    tokenizer = load_tokenizer(encoder("bert"))
    tokenizer.mask_token = None
    monkeypatch.setattr(runner, "load_tokenizer", lambda name: tokenizer)
    with pytest.raises(UserError, match="has no mask token: no token can be masked"):
        compare(str(task), tmp_path / "made", encoder=encoder("bert"), **SHORT)
    assert not (tmp_path / "made").exists()


def test_a_comparison_under_accelerate_launch_is_refused(task, tmp_path, encoder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="without accelerate launch"):
        compare(str(task), tmp_path / "made", encoder=encoder("bert"), **SHORT)


def test_a_failing_process_is_named_and_stops_the_others(tmp_path, monkeypatch, capsys):
    """Programs in place of trainings: one warns and fails, one would run for a minute."""
    script = "import sys, time; sys.stderr.write({!r}); sys.stderr.flush(); time.sleep({}); sys.exit({})"
    programs = {
        "good": ("warning: odd\n", 0, 0), "bad": ("warning: odd\nloss 3\nerror: a.txt:1: bad. Mend it.\n", 1, 2),
        "long": ("", 60, 0), "killed": ("loss 3\n", 0, 9),
    }  # fmt: skip
    started = []

    def start(command, log, place, at_once):
        with log.open("ab") as stream:
            started.append(
                subprocess.Popen([sys.executable, "-c", script.format(*programs[command[0]])], stderr=stream)
            )
        return started[-1]

    monkeypatch.setattr(workers, "_start", start)
    with pytest.raises(UserError, match=r"bad: a\.txt:1: bad\. Mend it\. Fix the cause, then continue with --resume"):
        workers.run_processes([["good"], ["bad", "long"]], lambda name: [name], tmp_path, 3)
    assert all(each.poll() is not None for each in started)
    assert len(started) == 3
    shown = capsys.readouterr().err
    assert shown.count("warning: odd") == 1
    assert "run 1 of 3 done: good" in shown
    with pytest.raises(UserError, match=r"killed: it ended with status 9; see .*killed\.log"):
        workers.run_processes([["killed"]], lambda name: [name], tmp_path, 2)


def test_each_process_gets_one_of_the_visible_gpus(tmp_path, monkeypatch):
    environments = []
    monkeypatch.setattr(workers.subprocess, "Popen", lambda command, env, **_: environments.append(env))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8a1")
    monkeypatch.setenv("WORLD_SIZE", "1")
    for slot in range(3):
        workers._start(["train"], tmp_path / "log", slot, 3)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["2", "GPU-8a1", "2"]
    assert not any("WORLD_SIZE" in each for each in environments)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert workers.visible_gpus() == []


def test_a_second_process_in_the_same_folder_is_refused(tmp_path):
    folder, message = tmp_path / "made", "another process is writing to this folder"
    with locked(folder), pytest.raises(UserError, match=message), locked(folder):
        pytest.fail("let in")
    assert list((tmp_path / "made").iterdir()) == []
