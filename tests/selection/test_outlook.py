"""What more labels would bring: gains on synthetic curves, and the runs that are compared."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import yaml

from electra_ie.selection.outlook import MORE, gain_of, outlook

BUDGETS = (20, 40, 60, 80, 100)


def log(labels):
    return 0.2 + 0.1 * math.log(labels)


def power(exponent):
    return lambda labels: 0.9 - 1.5 * labels**-exponent


@pytest.mark.parametrize("truth", [log, power(0.5)], ids=["log", "power"])
def test_a_curve_without_noise_has_its_gain_at_an_end_of_the_interval_or_inside(truth):
    gain = gain_of([(labels, truth(labels)) for labels in BUDGETS])
    wanted = truth(120) - truth(100)
    assert gain.low - 1e-12 <= wanted <= gain.high + 1e-12
    assert gain.mean == pytest.approx(wanted, rel=0.5)
    assert gain_of([(labels, 0.5) for labels in BUDGETS]).mean == pytest.approx(0, abs=1e-12)


def shares_covered(truth, budgets, noise=0.02, draws=500):
    """Return the share of simulated curves whose interval contains the true gain."""
    rng = np.random.default_rng(0)
    wanted = truth(max(budgets) + MORE) - truth(max(budgets))
    covered = 0
    for _ in range(draws):
        gain = gain_of([(labels, truth(labels) + noise * rng.normal()) for labels in budgets])
        assert gain.low <= gain.mean <= gain.high
        covered += gain.low <= wanted <= gain.high
    return covered / draws


@pytest.mark.parametrize("truth", [log, power(0.25), power(0.5)], ids=["log", "power 0.25", "power 0.5"])
@pytest.mark.parametrize("budgets", [(20, 40, 80), BUDGETS, (20, 20, 50, 50, 100, 100)])
def test_the_interval_holds_the_true_gain_as_often_as_it_says(truth, budgets):
    assert shares_covered(truth, budgets) >= 0.935


@pytest.fixture
def runs(run, tmp_path):
    """Return a function that copies the run with another number of labels and dev score; all lie in one folder."""

    def copy(name, labels, score, dev=None, distillation=None, **settings):
        folder = tmp_path / "runs" / name
        shutil.copytree(run, folder)
        scores = json.loads((folder / "scores.json").read_text("utf-8"))
        scores["training"]["labeled"]["documents"] = labels
        for of_field in scores["dev"].values():
            of_field[of_field["main"]] = score
        (folder / "scores.json").write_text(json.dumps(scores), "utf-8")
        if settings:
            of_run = yaml.safe_load((folder / "run.yaml").read_text("utf-8"))
            (folder / "run.yaml").write_text(yaml.safe_dump({**of_run, **settings}), "utf-8")
        audit = json.loads((folder / "audit.json").read_text("utf-8"))
        audit["splits"]["dev"] = dev or audit["splits"]["dev"]
        (folder / "audit.json").write_text(json.dumps({**audit, "distillation": distillation}), "utf-8")
        return folder

    return copy


def test_finished_runs_beside_the_run_give_the_curve(runs):
    first = runs("first", 20, 0.5)
    runs("second", 40, 0.6)
    assert "at least 3 numbers of labels" in str(outlook(first))
    assert "here is 2" in str(outlook(first))
    runs("third", 80, 0.71)
    runs("other preset", 160, 0.99, preset="adversarial")
    runs("other dev", 160, 0.99, dev="another")
    runs("other encoder", 160, 0.99, encoder="another")
    runs("student", 160, 0.99, distillation={"name": "3 layers"})
    (runs("unfinished", 160, 0.99) / "README.md").unlink()
    (first.parent / "notes").mkdir()
    found = outlook(first)
    assert found.points == ((20, 0.5), (40, 0.6), (80, 0.71))
    assert found.gain == gain_of(found.points)
    assert 0 < found.gain.mean < 0.06
    assert str(found).startswith("20 more labels would bring +2.8 points on dev (95 % interval ")
    assert str(found).endswith("from 3 runs with 20 to 80 labels).")


def test_a_damaged_run_beside_the_run_is_left_out_with_a_warning(runs, capsys):
    first = runs("first", 20, 0.5)
    (runs("damaged", 40, 0.6) / "run.yaml").write_text("preset: [", "utf-8")
    assert outlook(first).points == ((20, 0.5),)
    assert "damaged: this run is left out of the learning curve" in capsys.readouterr().err


def test_a_run_without_dev_scores_says_so(runs):
    folder = runs("first", 20, 0.5)
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    del scores["dev"]
    (folder / "scores.json").write_text(json.dumps(scores), "utf-8")
    assert str(outlook(folder)) == "What 20 more labels would bring is not known: the run has no scores on dev."
