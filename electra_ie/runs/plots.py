"""Plots of a run: training curves, confusion matrices, scores per label, scores over label budgets.

Each plot has a function that builds the matplotlib `Figure` and one that saves it as a PNG. Figures are built without
pyplot, hence without global state, and in matplotlib's default style whatever the user's settings are: the same data
give the same file, byte for byte.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from electra_ie.common.files import atomic_path
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.metrics import MASKING_EFFECT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from electra_ie.calibration.error import Bin

BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9", "#222222"
"""Colors of the Okabe-Ito palette, safe for color blindness. Lines also differ in style or marker."""
STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.size": 9.5,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
}
MASKING_LOSS = "texts.adversarial_masking"
"""The key of the masking generator's loss in log.jsonl."""
MAX_LABELS_WITH_COUNTS = 25
"""The largest confusion matrix that has room for printed counts."""
LONGEST_HORIZONTAL = 3
"""Characters of a label or a count that fit into a cell of a confusion matrix at the usual direction and size."""
DARK = 0.55
"""The share from which on a cell is so dark that its count is printed in white."""


def curves(log: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Save the curves of a training log (see `curves_figure`) as a PNG."""
    with _style():
        _save(curves_figure(log), path)


def confusion(
    labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str], path: str | os.PathLike[str], title: str
) -> None:
    """Save a confusion matrix (see `confusion_figure`) as a PNG."""
    with _style():
        _save(confusion_figure(labels, gold, predicted, title), path)


def per_label(scores: Mapping[str, Mapping[str, float | None]], path: str | os.PathLike[str], title: str) -> None:
    """Save the scores of each label (see `per_label_figure`) as a PNG."""
    with _style():
        _save(per_label_figure(scores, title), path)


# Curves


def curves_figure(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot losses, disagreement by masking method, realness and dev scores over the steps, one panel each.

    A panel without data is omitted.

    log: the rows of log.jsonl. A step has `step`, `discriminator` and, with a generator, `generator`, `realness_real`
        and `realness_fake` (0 to 1). An evaluation has `step`, `dev` (scores by field, and `mean`) and `best` (whether
        the checkpoint is the best so far). Some steps with a masking generator have the values of `MASKING_EFFECT`. One
        row may have `teacher`, the dev scores of the teacher, and one `kept`, if the teacher's weights were kept.
    """
    panels = [
        draw
        for draw, keys in (
            (_losses, ("discriminator", "generator")),
            (_masking_effect, MASKING_EFFECT),
            (_realness, ("realness_real", "realness_fake")),
            (_dev, ("dev",)),
        )
        if any(key in row for row in log for key in keys)
    ]
    if not panels:
        kept = any("kept" in row for row in log)
        return _message_figure(
            "There was no self-training: the teacher's weights are kept." if kept else "The log has no steps."
        )
    figure = Figure(figsize=(8, 0.6 + 2.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for draw, panel in zip(panels, axes, strict=True):
        draw(panel, log)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def pretraining(log: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Save the curves of a pretraining log (see `pretraining_figure`) as a PNG."""
    with _style():
        _save(pretraining_figure(log), path)


def pretraining_figure(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot losses, realness, held-out masked language modeling and replaced-token detection over the steps.

    log: rows as for `curves_figure`. An evaluation has `held_out`, the result of `pretraining.scoring.score`.
    """
    held = [{"step": row["step"], **row["held_out"]} for row in log if "held_out" in row]
    trained = [row for row in log if "held_out" not in row]
    panels: list[tuple[str, str, Sequence[Mapping[str, Any]], dict[str, str]]] = [
        ("Losses", "loss", trained, {"discriminator": "discriminator", "generator": "generator"}),
        ("Realness assigned by the discriminator", "p(original)", trained,
         {"realness_real": "of original tokens", "realness_fake": "of replaced tokens"}),
        ("Masked language modeling on held-out text", "loss", held, {"mlm_loss": "cross entropy"}),
        ("Replaced-token detection on held-out text", "score", held, {"precision": "precision", "recall": "recall"}),
    ]  # fmt: skip
    shown = [panel for panel in panels if any(key in row for row in panel[2] for key in panel[3])]
    if not shown:
        return _message_figure("The log has no steps.")
    figure = Figure(figsize=(8, 0.6 + 2.3 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (title, unit, rows, names) in zip(axes, shown, strict=True):
        for (key, name), color, line in zip(names.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
            if rows is trained:
                _smoothed(panel, rows, key, name, color=color, linestyle=line)
            elif points := [(row["step"], row[key]) for row in rows if row.get(key) is not None]:
                panel.plot(*zip(*points, strict=True), label=name, color=color, linestyle=line, marker=".")
        panel.set(title=title, ylabel=unit)
        _legend(panel)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _losses(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _smoothed(panel, log, "discriminator", "discriminator", color=BLUE, linestyle="-")
    if not any(MASKING_LOSS in row for row in log):  # only its gradient is meaningful
        _smoothed(panel, log, "generator", "generator", color=ORANGE, linestyle="--")
    panel.set(title="Losses", ylabel="loss")
    _legend(panel)


def _masking_effect(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    by_generator, at_random = (sum(row[key] for row in log if key in row) for key in MASKING_EFFECT)
    ratio = f"\n{by_generator / at_random:.2f} x random, overall" if at_random else ""
    styles = ((f"generator{ratio}", ORANGE, "--", "s"), ("random", BLUE, "-", "o"))
    for key, (name, color, line, marker) in zip(MASKING_EFFECT, styles, strict=True):
        points = [(row["step"], row[key]) for row in log if key in row]
        panel.plot(*zip(*points, strict=True), label=name, color=color, linestyle=line, marker=marker, markersize=4)
    panel.set(title="Disagreement with the teacher, by masking method", ylabel="divergence, nats")
    panel.set_ylim(bottom=0)
    _legend(panel)


def _realness(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    panel.axhline(0.5, color="#888888", linewidth=1, linestyle=":", label="undecided")
    _smoothed(panel, log, "realness_real", "of real text", color=BLUE, linestyle="-")
    _smoothed(panel, log, "realness_fake", "of fakes", color=ORANGE, linestyle="--")
    panel.set(title="Realness assigned by the discriminator", ylabel="p(real)", ylim=(-0.03, 1.03))
    _legend(panel)


def _smoothed(panel: Axes, log: Sequence[Mapping[str, Any]], key: str, name: str, **style: Any) -> None:
    """Plot all values faintly, and over them the moving average over 1/25 of the steps."""
    rows = [row for row in log if row.get(key) is not None]
    if not rows:
        return
    steps, values = np.array([row["step"] for row in rows]), np.array([row[key] for row in rows], dtype=float)
    width = max(1, len(rows) // 25)
    if width > 1:
        panel.plot(steps, values, color=style["color"], alpha=0.25, linewidth=0.8)
    marker = "o" if len(rows) == 1 else ""
    panel.plot(steps, _mean_around(values, width), marker=marker, linewidth=1.8, label=name, **style)


def _mean_around(values: np.ndarray, width: int) -> np.ndarray:
    """Return the centered moving average over `width` values, over fewer at the ends. NaN and infinity are skipped."""
    known = np.isfinite(values)
    window = np.ones(width)
    total = np.convolve(np.where(known, values, 0.0), window, mode="same")
    count = np.convolve(known.astype(float), window, mode="same")
    return np.where(known, total / np.maximum(count, 1.0), np.nan)


def _dev(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    rows = [row for row in log if "dev" in row]
    names = list(dict.fromkeys(name for row in rows for name, score in row["dev"].items() if score is not None))
    if not names:
        panel.set(title="Score on dev", ylabel="score")
        panel.text(0.5, 0.5, "no score is defined: dev has no gold", transform=panel.transAxes, ha="center")
        return
    fields = [name for name in names if name != "mean"]
    several = len(fields) > 1
    for index, name in enumerate(fields):
        steps = [row["step"] for row in rows if row["dev"].get(name) is not None]
        scores = [row["dev"][name] for row in rows if row["dev"].get(name) is not None]
        color, marker = (BLUE, ORANGE, GREEN, PURPLE, SKY)[index % 5], "osD^v"[index % 5]
        panel.plot(steps, scores, color=color, marker=marker, markersize=4, linewidth=1.4, label=name)
    if several and "mean" in names:
        panel.plot(
            [row["step"] for row in rows],
            [row["dev"]["mean"] for row in rows],
            color=BLACK,
            linewidth=2,
            linestyle="--",
            label="mean",
        )
    panel.set(title="Score on dev", ylabel="score")
    criterion = "mean" if several and "mean" in names else (fields or names)[0]
    teacher = [row["teacher"][criterion] for row in log if "teacher" in row]
    kept = any("kept" in row for row in log)
    if teacher:
        label = f"teacher{', kept' if kept else ''}: {teacher[0]:.3f}"
        panel.axhline(teacher[0], color=BLACK, linewidth=1.2, linestyle=":", label=label)
    if not kept:
        _best(panel, rows, criterion)
    _legend(panel)


def _best(panel: Axes, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    """Mark the checkpoint that was kept: the last one that was the best so far."""
    best = [row for row in rows if row.get("best")]
    if best:
        step, score = best[-1]["step"], best[-1]["dev"][name]
        star: dict[str, Any] = {
            "marker": "*",
            "markersize": 13,
            "linestyle": "",
            "color": "#F0E442",
            "markeredgecolor": BLACK,
        }
        panel.plot([step], [score], **star, zorder=5, label=f"kept: {score:.3f} at step {step:,}")


def _legend(panel: Axes) -> None:
    legend = panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


# Confusion


def confusion_figure(labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str], title: str) -> Figure:
    """Plot a confusion matrix: one row per gold label, colored by the share predicted as each column.

    Shows only labels that occur, in the order of `labels`, and counts if there are at most `MAX_LABELS_WITH_COUNTS`.

    gold, predicted: names of `labels`, one per document.
    """
    present = set(gold) | set(predicted)
    shown = [label for label in labels if label in present]
    if not shown:
        return _message_figure(f"{title}\nno labeled document")
    index = {label: row for row, label in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    for gold_label, predicted_label in zip(gold, predicted, strict=True):
        counts[index[gold_label], index[predicted_label]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    few = len(shown) <= MAX_LABELS_WITH_COUNTS
    side = (0.42 if few else 0.2) * len(shown) + min(3.0, 0.8 + 0.07 * max(len(label) for label in shown))
    figure = Figure(figsize=(max(4.6, side + 1.2), max(3.6, side)), layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _names(panel, shown, counts, size=9 if few else 7)
    right = int(np.trace(counts))
    panel.set_title(f"{title}\n{right:,} of {len(gold):,} right ({right / len(gold):.1%})", parse_math=False)
    _borders(panel, len(shown))
    if few:
        _print_counts(panel, counts, shares)
    figure.colorbar(image, ax=panel, label="share of the gold label", fraction=0.04, aspect=24, shrink=0.6, pad=0.02)
    return figure


def _names(panel: Axes, shown: Sequence[str], counts: np.ndarray, size: int) -> None:
    ticks = range(len(shown))
    rotation = 90 if max(len(label) for label in shown) > LONGEST_HORIZONTAL else 0
    panel.set_xticks(ticks, shown, rotation=rotation, fontsize=size, parse_math=False)
    rows = [f"{label}  ({total:,})" for label, total in zip(shown, counts.sum(axis=1), strict=True)]
    panel.set_yticks(ticks, rows, fontsize=size, parse_math=False)
    panel.set(xlabel="predicted", ylabel="gold  (documents)")


def _borders(panel: Axes, size: int) -> None:
    """Draw thin lines between the cells instead of a grid through them."""
    panel.grid(visible=False)
    panel.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="#e3e6ea", linewidth=0.6)
    panel.tick_params(which="minor", length=0)


def _print_counts(panel: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if shares[row, column] > DARK else BLACK
        size = 8 if len(str(counts[row, column])) <= LONGEST_HORIZONTAL else 6
        panel.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=size)


# Scores by label


def per_label_figure(scores: Mapping[str, Mapping[str, float | None]], title: str) -> Figure:
    """Plot bars of precision, recall and F1 for each label, best F1 on top; no bar for an undefined value.

    Labels without gold come last and have a remark instead of bars: only their false findings can be counted.

    scores: `precision`, `recall`, `f1`, `support`, `found` and `false` of each label, as `metrics.score` returns them.
    """
    if not scores:
        return _message_figure(f"{title}\nno label")
    ordered = sorted(scores, key=lambda label: (not scores[label]["support"], -(scores[label]["f1"] or 0.0), label))
    figure = Figure(figsize=(8, 1.5 + 0.5 * len(ordered)), layout="constrained")
    panel = figure.subplots()
    supported = [index for index, label in enumerate(ordered) if scores[label]["support"]]
    bars = (("f1", "F1", BLUE, ""), ("precision", "precision", SKY, "///"), ("recall", "recall", ORANGE, "..."))
    for (key, name, color, hatch), offset in zip(bars, (-0.27, 0.0, 0.27), strict=True):
        positions = [index + offset for index in supported]
        values = [math.nan if (value := scores[ordered[index]][key]) is None else value for index in supported]
        panel.barh(
            positions, values, height=0.25, color=color, hatch=hatch, edgecolor="white", linewidth=0.4, label=name
        )
        if key == "f1":
            for position, value in zip(positions, values, strict=True):
                panel.text(value + 0.008, position, f"{value:.2f}", va="center", fontsize=8, color=BLACK)
    for index in range(len(supported), len(ordered)):
        false = scores[ordered[index]].get("false")
        remark = "no gold in this split" + (f"; {false:,} false findings" if false else "")
        panel.text(0.008, index, remark, va="center", style="italic", color="#666666")
    names = [f"{label}  ({scores[label]['support']:,})" for label in ordered]
    panel.set_yticks(range(len(ordered)), names, parse_math=False)
    panel.set(xlim=(0, 1.06), ylim=(len(ordered) - 0.4, -0.6), xlabel="score", ylabel="label  (gold)")
    panel.grid(visible=False, axis="y")
    panel.set_title(title, parse_math=False)
    if supported:
        figure.legend(loc="outside lower center", ncols=3)
    return figure


# Reliability


def reliability(
    before: Sequence[Bin],
    after: Sequence[Bin],
    errors: Sequence[Sequence[float]],
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Save how reliable scores are (see `reliability_figure`) as a PNG."""
    with _style():
        _save(reliability_figure(before, after, errors, title), path)


def reliability_figure(
    before: Sequence[Bin], after: Sequence[Bin], errors: Sequence[Sequence[float]], title: str
) -> Figure:
    """Plot the share of right findings over the score, of the model and calibrated; larger dots are more findings.

    Args:
        before: The bins of the scores of the model.
        after: Those of the calibrated scores of documents that were not fitted on; empty without a calibration.
        errors: The calibration error with its interval, before and after.
        title: The title.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color="#888888", linestyle=":", linewidth=1, label="as many right as the score says")
    styles = (("scores of the model", ORANGE, "--", "s"), ("calibrated", BLUE, "-", "o"))
    for bins, error, (name, color, line, marker) in zip((before, after), errors, styles, strict=False):
        points = [each.score for each in bins], [each.right for each in bins]
        label = f"{name}\nerror {error[0]:.3f} ({error[1]:.3f} to {error[2]:.3f})"
        panel.plot(*points, color=color, linestyle=line, label=label, linewidth=1.4)
        total = sum(each.findings for each in bins)
        panel.scatter(*points, s=[20 + 180 * each.findings / total for each in bins], color=color, marker=marker)
    panel.set(xlabel="score", ylabel="share of findings that are right", xlim=(0, 1.02), ylim=(-0.02, 1.02))
    panel.set_title(title, parse_math=False)
    _legend(panel)
    return figure


# Scores over label budgets


def learning_curve(budgets: Sequence[Mapping[str, Any]], unit: str, path: str | os.PathLike[str], title: str) -> None:
    """Save the scores of presets over label budgets (see `learning_curve_figure`) as a PNG."""
    with _style():
        _save(learning_curve_figure(budgets, unit, title), path)


def learning_curve_figure(budgets: Sequence[Mapping[str, Any]], unit: str, title: str) -> Figure:
    """Plot one line per preset over the label budgets, with a band of one standard deviation over the seeds.

    A single budget is plotted by `seeds_figure`.

    budgets: as in compare.json: `labels` (None: all) and, by preset, `mean` and `deviation` (None: one seed).
    """
    if len(budgets) == 1:
        return seeds_figure(budgets[0], unit, title)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    panel = figure.subplots()
    names = ["all" if budget["labels"] is None else f"{budget['labels']:,}" for budget in budgets]
    positions = np.arange(len(budgets))
    styles = zip((BLUE, ORANGE, SKY, BLACK), ("-", "--", "-.", ":"), ("o", "s", "^", "D"), strict=True)
    for preset, (color, line, marker) in zip(budgets[0]["presets"], itertools.cycle(styles), strict=False):
        means = np.array([budget["presets"][preset]["mean"] for budget in budgets])
        spread = np.array([budget["presets"][preset]["deviation"] or 0.0 for budget in budgets])
        panel.plot(positions, means, label=preset, color=color, linestyle=line, marker=marker)
        panel.fill_between(positions, means - spread, means + spread, color=color, alpha=0.15, linewidth=0)
    panel.set_xticks(positions, names)
    panel.set(xlabel="labeled documents", ylabel=unit)
    if any(score["deviation"] for budget in budgets for score in budget["presets"].values()):
        title += " (mean over seeds, with one standard deviation)"
    panel.set_title(title, parse_math=False)
    _legend(panel)
    return figure


def seeds_figure(budget: Mapping[str, Any], unit: str, title: str) -> Figure:
    """Plot one dot per seed for each preset, lines joining equal seeds, and the mean with its 95 % interval.

    budget: as in compare.json: `labels` (None: all) and, by preset, `mean`, `scores` (one per seed, in the same order
        for every preset), `low` and `high` (None: no interval).
    """
    presets = budget["presets"]
    figure = Figure(figsize=(2.6 + 1.6 * len(presets), 4.2), layout="constrained")
    panel = figure.subplots()
    for scores in zip(*(preset["scores"] for preset in presets.values()), strict=True):
        panel.plot(range(len(presets)), scores, color="#aaaaaa", linewidth=0.8, zorder=1)
    styles = zip((BLUE, ORANGE, SKY, BLACK), ("o", "s", "^", "D"), strict=True)
    for column, (preset, (color, marker)) in enumerate(zip(presets.values(), itertools.cycle(styles), strict=False)):
        dots: dict[str, Any] = {"linestyle": "", "markersize": 5, "markerfacecolor": "white"}
        panel.plot([column] * len(preset["scores"]), preset["scores"], color=color, marker=marker, **dots)
        half = None if preset["low"] is None else (preset["high"] - preset["low"]) / 2
        panel.errorbar([column + 0.17], [preset["mean"]], half, color=color, marker=marker, capsize=4, linewidth=1.6)
        panel.text(column + 0.23, preset["mean"], f"{preset['mean']:.1f}", va="center", fontsize=9, color=BLACK)
    panel.set_xticks(range(len(presets)), list(presets), parse_math=False)
    panel.set(xlim=(-0.4, len(presets) - 0.4), ylabel=unit)
    panel.grid(visible=False, axis="x")
    labels = "all labels" if budget["labels"] is None else f"{budget['labels']:,} labeled documents"
    seeds = len(next(iter(presets.values()))["scores"])
    interval = " and 95 % interval" if any(preset["low"] is not None for preset in presets.values()) else ""
    legend = "one seed" if seeds == 1 else f"one dot per seed, equal seeds joined; mean{interval}"
    panel.set_title(f"{title}: {labels}\n({legend})", parse_math=False)
    return figure


# Shared by all plots


def _message_figure(message: str) -> Figure:
    """Return a figure that states why there is nothing to plot."""
    figure = Figure(figsize=(6, 1.5))
    figure.text(0.5, 0.5, message, ha="center", va="center", parse_math=False)
    return figure


@contextmanager
def _style() -> Iterator[None]:
    """Apply matplotlib's defaults and `STYLE` while a figure is built and saved."""
    with PROCESS_STATE, matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the plot shows a box there
        yield


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG atomically, without the version of matplotlib in its metadata."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    with atomic_path(Path(path)) as part:
        part.write_bytes(buffer.getvalue())
