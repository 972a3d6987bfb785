"""Plots of a run: they show the given values, and the same values give the same file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tiny
from scipy.stats import ttest_1samp

from electra_ie.comparison.statistics import Comparison, RunKey, RunScore
from electra_ie.data.document import Document, Span
from electra_ie.inference.scoring import plot_scores
from electra_ie.runs import plots

pytestmark = pytest.mark.pictures

LABELS = [f"class {index}" for index in range(60)]


def make_log(steps=100, *, generator=True):
    rows = []
    for step in range(1, steps + 1):
        row = {"step": step, "seconds": step * 0.1, "discriminator": 3 / step, "entities.classification": 1.0}
        if generator:
            row |= {"generator": 1 + step / steps, "realness_real": 0.9, "realness_fake": 0.1}
        rows.append(row)
        if step % 20 == 0:
            scores = {"entities": step / 200, "flags": 0.2, "mean": step / 400 + 0.1}
            rows.append({"step": step, "dev": scores, "best": step <= 60})
    return rows


def lines(panel):
    return {line.get_label(): line for line in panel.get_lines() if not line.get_label().startswith("_")}


def words(panel):
    return [text.get_text() for text in panel.texts]


def test_teacher_is_a_separate_line():
    log = [{"step": 0, "seconds": 3.0, "teacher": {"mean": 0.61, "a": 0.61}}, *make_log(generator=False)]
    dev = plots.curves_figure(log).axes[-1]
    names = [text.get_text() for text in dev.get_legend().get_texts()]
    assert "teacher: 0.610" in names
    assert any(name.startswith("kept") for name in names)
    dev = plots.curves_figure([*log, {"step": 9, "kept": "teacher"}]).axes[-1]
    names = [text.get_text() for text in dev.get_legend().get_texts()]
    assert "teacher, kept: 0.610" in names
    assert not any(name.startswith("kept") for name in names)


def test_curves_show_three_panels_on_one_axis_of_steps():
    losses, realness, dev = plots.curves_figure(make_log()).axes
    assert set(lines(losses)) == {"discriminator", "generator"}
    assert {"of real text", "of fakes"} < set(lines(realness))
    assert lines(realness)["of fakes"].get_ydata() == pytest.approx([0.1] * 100)
    assert realness.get_ylim() == pytest.approx((-0.03, 1.03))
    assert list(lines(dev)["entities"].get_xdata()) == [20, 40, 60, 80, 100]
    assert list(lines(dev)["mean"].get_ydata()) == pytest.approx([0.15, 0.2, 0.25, 0.3, 0.35])
    assert losses.get_xlim() == dev.get_xlim()
    assert dev.get_xlabel() == "step"
    assert all(panel.get_title(loc="left") or panel.get_title() for panel in (losses, realness, dev))


def test_kept_checkpoint_is_the_last_best_one():
    dev = plots.curves_figure(make_log()).axes[-1]
    star = lines(dev)["kept: 0.250 at step 60"]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([60], [pytest.approx(0.25)])


def test_supervised_run_has_no_realness_and_no_generator():
    losses, dev = plots.curves_figure(make_log(generator=False)).axes
    assert set(lines(losses)) == {"discriminator"}
    assert "entities" in lines(dev)
    (only,) = plots.curves_figure([{"step": 1, "seconds": 0.1, "discriminator": 2.0}]).axes
    assert only.get_xlabel() == "step"


def test_masking_generator_is_shown_by_its_effect_and_not_its_loss():
    log = make_log(60)
    for row in log:
        if "discriminator" in row:
            del row["realness_real"], row["realness_fake"]
            row |= {"generator": 0.0, "texts.adversarial_masking": 0.0}
        if row["step"] in (25, 50) and "discriminator" in row:
            row |= {"divergence_masked_by_generator": row["step"] / 100, "divergence_masked_at_random": 0.125}
    losses, effect, dev = plots.curves_figure(log).axes
    assert set(lines(losses)) == {"discriminator"}
    drawn = {name: (list(line.get_xdata()), list(line.get_ydata())) for name, line in lines(effect).items()}
    assert drawn == {
        "generator\n3.00 x random, overall": ([25, 50], [0.25, 0.5]),
        "random": ([25, 50], [0.125, 0.125]),
    }
    assert effect.get_ylim()[0] == 0
    assert "entities" in lines(dev)
    assert set(lines(plots.curves_figure(make_log()).axes[0])) == {"discriminator", "generator"}, "other generators"


def test_single_field_has_no_line_of_the_mean():
    log = [{"step": 5, "dev": {"entities": 0.5, "mean": 0.5}, "best": True}]
    (dev,) = plots.curves_figure(log).axes
    assert set(lines(dev)) == {"entities", "kept: 0.500 at step 5"}


def test_smoothed_line_is_a_moving_mean_without_nan():
    values = np.array([1.0, 2.0, math.nan, 4.0, 6.0])
    assert plots._mean_around(values, 3) == pytest.approx([1.5, 1.5, math.nan, 5.0, 5.0], nan_ok=True)
    assert plots._mean_around(values, 1) == pytest.approx(values, nan_ok=True)


def test_raw_values_are_drawn_lightly():
    panel = plots.curves_figure(make_log(generator=False)).axes[0]
    raw, smoothed = panel.get_lines()
    assert list(raw.get_ydata()) == pytest.approx([3 / step for step in range(1, 101)])
    assert raw.get_alpha() < 0.5
    assert smoothed.get_alpha() is None
    assert np.std(np.diff(smoothed.get_ydata())) < np.std(np.diff(raw.get_ydata()))


def test_confusion_has_gold_in_rows_and_row_shares_as_colors():
    gold, predicted = ["a", "a", "a", "a", "b", "b"], ["a", "a", "a", "b", "a", "a"]
    panel = plots.confusion_figure(["a", "never", "b"], gold, predicted, "outcome").axes[0]
    assert np.asarray(panel.images[0].get_array()) == pytest.approx(np.array([[0.75, 0.25], [1, 0]]))
    assert [text.get_text() for text in panel.get_xticklabels()] == ["a", "b"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a  (4)", "b  (2)"]
    assert {(text.get_position(), text.get_text()) for text in panel.texts} == {
        ((0, 0), "3"), ((1, 0), "1"), ((0, 1), "2")}  # fmt: skip
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("gold  (documents)", "predicted")
    assert "3 of 6 right (50.0%)" in panel.get_title(loc="left") + panel.get_title()


def test_confusion_of_many_labels_is_larger_without_counts():
    few, many = (plots.confusion_figure(LABELS, LABELS[:size], LABELS[:size], "t") for size in (25, 60))
    assert len(few.axes[0].texts) == 25
    assert few.axes[0].texts[0].get_text() == "1"
    assert len(many.axes[0].texts) == 0
    assert many.get_size_inches()[0] > few.get_size_inches()[0]
    assert len(many.axes[0].get_xticklabels()) == 60


def test_confusion_with_an_unknown_label_is_an_error():
    with pytest.raises(KeyError):
        plots.confusion_figure(["a"], ["a", "b"], ["a", "a"], "t")


def test_scores_are_sorted_and_labels_without_gold_have_a_remark():
    scores = {
        "LOW": {"precision": 0.2, "recall": 0.4, "f1": 0.3, "support": 5, "found": 10, "false": 8},
        "NONE": {"precision": None, "recall": None, "f1": None, "support": 0, "found": 0, "false": 0},
        "FALSE": {"precision": 0.0, "recall": None, "f1": None, "support": 0, "found": 1200, "false": 1200},
        "HIGH": {"precision": 0.9, "recall": 0.7, "f1": 0.8, "support": 1200, "found": 900, "false": 90},
        "ZERO": {"precision": None, "recall": 0.0, "f1": 0.0, "support": 3, "found": 0, "false": 0},
    }
    panel = plots.per_label_figure(scores, "entities").axes[0]
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert names == ["HIGH  (1,200)", "LOW  (5)", "ZERO  (3)", "FALSE  (0)", "NONE  (0)"]
    assert panel.get_ylim()[0] > panel.get_ylim()[1], "the first label is not on top"
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in panel.containers}
    assert widths["F1"] == [0.8, 0.3, 0]
    assert widths["recall"] == [0.7, 0.4, 0]
    assert widths["precision"] == pytest.approx([0.9, 0.2, math.nan], nan_ok=True), "an undefined score has a bar"
    remarks = {text.get_position()[1]: text.get_text() for text in panel.texts if "no gold" in text.get_text()}
    assert remarks == {3: "no gold in this split; 1,200 false findings", 4: "no gold in this split"}


def test_undefined_dev_score_is_not_drawn():
    log = [{"step": 5, "dev": {"a": 0.5, "b": None, "mean": 0.5}, "best": True}]
    (dev,) = plots.curves_figure(log).axes
    assert set(lines(dev)) == {"a", "kept: 0.500 at step 5"}
    log = [{"step": 5, "dev": {"a": None, "mean": None}, "best": False}]
    (dev,) = plots.curves_figure(log).axes
    assert not lines(dev)
    assert words(dev) == ["no score is defined: dev has no gold"]


def make_budget(labels, **scores):
    run_scores = {
        RunKey(labels, seed, preset): RunScore(value, None, 1.0)
        for preset, values in scores.items()
        for seed, value in enumerate(values)
    }
    return Comparison(run_scores, list(scores), ["spans"]).as_dict()["budgets"][0]


def test_single_budget_shows_all_seeds_of_each_preset():
    budget = make_budget(60, supervised=[60.0, 62.0, 67.0], self_training=[64.0, 63.0, 71.0])
    panel = plots.learning_curve_figure([budget], "F1", "t").axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["supervised", "self_training"]
    title = "t: 60 labeled documents\n(one dot per seed, equal seeds joined; mean and 95 % interval)"
    assert title in panel.get_title(loc="left") + panel.get_title()
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in panel.get_lines()]
    assert drawn[:3] == [([0, 1], [60.0, 64.0]), ([0, 1], [62.0, 63.0]), ([0, 1], [67.0, 71.0])], (
        "a seed is not one line"
    )
    assert ([0, 0, 0], [60.0, 62.0, 67.0]) in drawn and ([1, 1, 1], [64.0, 63.0, 71.0]) in drawn, "a seed has no dot"
    for index, scores in enumerate(([60.0, 62.0, 67.0], [64.0, 63.0, 71.0])):
        marker, _, (bar,) = panel.containers[index].lines
        ends = ttest_1samp(scores, 0).confidence_interval(0.95)
        assert marker.get_ydata() == pytest.approx([np.mean(scores)])
        assert bar.get_segments()[0][:, 1] == pytest.approx([ends.low, ends.high])
    assert words(panel) == ["63.0", "66.0"]


def test_single_budget_of_one_seed_has_no_interval():
    panel = plots.learning_curve_figure([make_budget(None, supervised=[60.0], self_training=[64.0])], "F1", "t").axes[0]
    assert "all labels\n(one seed)" in panel.get_title(loc="left") + panel.get_title()
    assert [len(container.lines[2]) for container in panel.containers] == [0, 0]
    assert words(panel) == ["60.0", "64.0"]


def test_learning_curve_has_a_line_and_a_deviation_band_per_preset():
    budgets = [
        {
            "labels": 50,
            "presets": {
                "supervised": {"mean": 60.0, "deviation": 2.0},
                "self_training": {"mean": 63.0, "deviation": 1.0},
            },
        },
        {
            "labels": None,
            "presets": {
                "supervised": {"mean": 80.0, "deviation": None},
                "self_training": {"mean": 79.0, "deviation": 0.5},
            },
        },
    ]
    panel = plots.learning_curve_figure(budgets, "F1, %", "task, dev").axes[0]
    shown = {name: list(line.get_ydata()) for name, line in lines(panel).items()}
    assert shown == {"supervised": [60.0, 80.0], "self_training": [63.0, 79.0]}
    assert [text.get_text() for text in panel.get_xticklabels()] == ["50", "all"]
    bands = [sorted({round(y, 6) for _, y in band.get_paths()[0].vertices}) for band in panel.collections]
    assert bands == [[58.0, 62.0, 80.0], [62.0, 64.0, 78.5, 79.5]]
    assert panel.get_ylabel() == "F1, %"
    assert panel.get_title().startswith("task, dev (mean over seeds")


def test_plots_of_a_split_show_gold_and_predictions(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(plots, "_save", lambda figure, path: drawn.update({Path(path).name: figure.axes[0]}))
    gold = [("trade", ("late",), ()), ("trade", (), ()), ("travel", ("late", "cash"), (Span(0, 4, "person"),))]
    documents = [
        Document(str(index), "Arno", {"topic": topic, "risks": risks, "names": names})
        for index, (topic, risks, names) in enumerate(gold)
    ]
    answers = [
        {"topic": "travel", "risks": ("late",), "names": (Span(0, 4, "person"),)},
        {"topic": "trade", "risks": ("late",), "names": ()},
        {"topic": "travel", "risks": (), "names": (Span(0, 4, "person"),)},
    ]
    files = plot_scores(tmp_path, "test", tiny.FIELDS, documents, answers)
    assert [file.name for file in files] == list(drawn) == ["test_topic.png", "test_risks.png", "test_names.png"]
    assert np.asarray(drawn["test_topic.png"].images[0].get_array()) == pytest.approx(np.array([[0.5, 0.5], [0, 1]]))
    for name, label, expected in (
        ("test_risks.png", "late", {"F1": 0.5, "precision": 0.5, "recall": 0.5}),
        ("test_names.png", "person", {"F1": 2 / 3, "precision": 0.5, "recall": 1.0}),
    ):
        names = [text.get_text().split()[0] for text in drawn[name].get_yticklabels()]
        bars = {bars.get_label(): bars[names.index(label)].get_width() for bars in drawn[name].containers}
        assert bars == pytest.approx(expected), name


@pytest.mark.parametrize(
    "save",
    [
        lambda path: plots.curves(make_log(30), path),
        lambda path: plots.confusion(["$a$", r"\frac"], ["$a$"], [r"\frac"], path, r"US$\frac$"),
        lambda path: plots.per_label({"$_{": {"precision": 1, "recall": 1, "f1": 1, "support": 2}}, path, r"$\frac$"),
        lambda path: plots.curves([{"step": 1, "dev": {r"$\frac$": 0.5}, "best": False}], path),
        lambda path: plots.curves([], path),
        lambda path: plots.learning_curve([make_budget(60, supervised=[1.0, 2.0])], "F1", path, r"$\frac$"),
        lambda path: plots.confusion([], [], [], path, "t"),
        lambda path: plots.per_label({}, path, "t"),
    ],
)
def test_saving_twice_gives_the_same_bytes_at_150_dpi(tmp_path, save):
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    save(one)
    save(str(two))
    data = one.read_bytes()
    assert data == two.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert b"Matplotlib" not in data
    offset = data.index(b"pHYs") + 4
    assert int.from_bytes(data[offset : offset + 4], "big") == round(150 / 0.0254)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_settings_of_the_user_are_ignored_and_kept(tmp_path):
    import matplotlib

    plots.curves(make_log(30), tmp_path / "one.png")
    with matplotlib.rc_context(
        {"font.size": 30, "savefig.facecolor": "red", "lines.linewidth": 9, "text.usetex": True}
    ):
        plots.curves(make_log(30), tmp_path / "two.png")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_failing_plot_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        plots.curves(make_log(5), path)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]
    assert path.read_text() == "old"
