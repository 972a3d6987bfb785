"""Pictures of a run: the curves of its training, a confusion matrix, the scores of each label.

Each picture has a function that builds the matplotlib `Figure` and one that saves it. Figures are drawn without
pyplot, hence without global state, and in matplotlib's default style whatever the user's own settings are: the same
numbers give the same file, byte for byte.
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
from electra_ie.metrics import ACHIEVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9", "#222222"
"""From the palette of Okabe and Ito, for all kinds of colour vision; each line has a form of its own too."""
LOOK = {
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
HIDES = "texts.adversarial_masking"
"""What log.jsonl calls the loss of a generator that hides."""
MOST_COUNTS = 25
"""Labels up to which a confusion matrix has room to print its counts."""


def curves(log: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Save the curves of a training log (see `curves_figure`) as a PNG."""
    with _look():
        _save(curves_figure(log), path)


def confusion(
    labels: Sequence[str], gold: Sequence[str], found: Sequence[str], path: str | os.PathLike[str], title: str
) -> None:
    """Save a confusion matrix (see `confusion_figure`) as a PNG."""
    with _look():
        _save(confusion_figure(labels, gold, found, title), path)


def per_label(scores: Mapping[str, Mapping[str, float | None]], path: str | os.PathLike[str], title: str) -> None:
    """Save the scores of each label (see `per_label_figure`) as a PNG."""
    with _look():
        _save(per_label_figure(scores, title), path)


# Curves


def curves_figure(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Losses, what a generator that hides achieves, realness and dev scores over the steps, a panel each; a panel with
    nothing to show is left out.

    `log` holds the rows that training writes: one a step with `step`, `discriminator` and, where there is a
    generator, `generator`, `realness_real` and `realness_fake` (both 0 to 1); and one an evaluation with `step`,
    `dev` (a score by field, and `mean`) and `best`, true where that checkpoint was the best so far. Some of the steps
    of a generator that hides hold the two numbers of `ACHIEVED`. One may hold
    `teacher`, the dev scores of one, and one `kept` where these weights were kept in the end.
    """
    panels = [
        draw
        for draw, keys in (
            (_losses, ("discriminator", "generator")),
            (_achieved, ACHIEVED),
            (_realness, ("realness_real", "realness_fake")),
            (_dev, ("dev",)),
        )
        if any(key in row for row in log for key in keys)
    ]
    if not panels:
        kept = any("kept" in row for row in log)
        return _nothing("There was no game: the teacher's weights are kept." if kept else "The log has no steps.")
    figure = Figure(figsize=(8, 0.6 + 2.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for draw, panel in zip(panels, axes, strict=True):
        draw(panel, log)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def pretraining(log: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Save the curves of a pretraining log (see `pretraining_figure`) as a PNG."""
    with _look():
        _save(pretraining_figure(log), path)


def pretraining_figure(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Losses, realness, held-out losses and how well replaced tokens are found, over the steps, a panel each.

    `log` holds rows as `curves_figure` describes them; a row of an evaluation has `held_out`, the numbers of
    `pretraining.evaluation.score`.
    """
    held = [{"step": row["step"], **row["held_out"]} for row in log if "held_out" in row]
    trained = [row for row in log if "held_out" not in row]
    panels: list[tuple[str, str, Sequence[Mapping[str, Any]], dict[str, str]]] = [
        ("Losses", "loss", trained, {"discriminator": "discriminator", "generator": "generator"}),
        ("Realness, as the discriminator judges it", "p(original)", trained,
         {"realness_real": "of original tokens", "realness_fake": "of replaced tokens"}),
        ("Filling masks, on held-out text", "loss", held, {"filling_loss": "cross entropy"}),
        ("Finding replaced tokens, on held-out text", "share", held, {"precision": "precision", "recall": "recall"}),
    ]  # fmt: skip
    shown = [panel for panel in panels if any(key in row for row in panel[2] for key in panel[3])]
    if not shown:
        return _nothing("The log has no steps.")
    figure = Figure(figsize=(8, 0.6 + 2.3 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (title, unit, rows, names) in zip(axes, shown, strict=True):
        for (key, name), colour, line in zip(names.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
            if rows is trained:
                _smoothed(panel, rows, key, name, color=colour, linestyle=line)
            elif points := [(row["step"], row[key]) for row in rows if row.get(key) is not None]:
                panel.plot(*zip(*points, strict=True), label=name, color=colour, linestyle=line, marker=".")
        panel.set(title=title, ylabel=unit)
        _legend(panel)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _losses(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _smoothed(panel, log, "discriminator", "discriminator", color=BLUE, linestyle="-")
    if not any(HIDES in row for row in log):  # of that loss only the gradient means something, its value does not
        _smoothed(panel, log, "generator", "generator", color=ORANGE, linestyle="--")
    panel.set(title="Losses", ylabel="loss")
    _legend(panel)


def _achieved(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    sums = [sum(row[key] for row in log if key in row) for key in ACHIEVED]
    more = f"\n{sums[0] / sums[1]:.2f} x chance, over all" if sums[1] else ""
    looks = ((f"by the generator{more}", ORANGE, "--", "s"), ("by chance", BLUE, "-", "o"))
    for key, (name, colour, line, marker) in zip(ACHIEVED, looks, strict=True):
        points = [(row["step"], row[key]) for row in log if key in row]
        panel.plot(*zip(*points, strict=True), label=name, color=colour, linestyle=line, marker=marker, markersize=4)
    panel.set(title="Disagreement with the teacher, by who hides the tokens", ylabel="divergence, nats")
    panel.set_ylim(bottom=0)
    _legend(panel)


def _realness(panel: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    panel.axhline(0.5, color="#888888", linewidth=1, linestyle=":", label="cannot tell")
    _smoothed(panel, log, "realness_real", "of real text", color=BLUE, linestyle="-")
    _smoothed(panel, log, "realness_fake", "of fakes", color=ORANGE, linestyle="--")
    panel.set(title="Realness, as the discriminator judges it", ylabel="p(real)", ylim=(-0.03, 1.03))
    _legend(panel)


def _smoothed(panel: Axes, log: Sequence[Mapping[str, Any]], key: str, name: str, **form: Any) -> None:
    """Every value lightly, and over it the mean of about a twenty-fifth of the steps around each."""
    rows = [row for row in log if row.get(key) is not None]
    if not rows:
        return
    steps, values = np.array([row["step"] for row in rows]), np.array([row[key] for row in rows], dtype=float)
    width = max(1, len(rows) // 25)
    if width > 1:
        panel.plot(steps, values, color=form["color"], alpha=0.25, linewidth=0.8)
    marker = "o" if len(rows) == 1 else ""
    panel.plot(steps, _mean_around(values, width), marker=marker, linewidth=1.8, label=name, **form)


def _mean_around(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of the `width` values around each, of fewer at the ends; values that are not numbers are left out."""
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
    for number, name in enumerate(fields):
        steps = [row["step"] for row in rows if row["dev"].get(name) is not None]
        scores = [row["dev"][name] for row in rows if row["dev"].get(name) is not None]
        colour, marker = (BLUE, ORANGE, GREEN, PURPLE, SKY)[number % 5], "osD^v"[number % 5]
        panel.plot(steps, scores, color=colour, marker=marker, markersize=4, linewidth=1.4, label=name)
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
    decides = "mean" if several and "mean" in names else (fields or names)[0]
    taught = [row["teacher"][decides] for row in log if "teacher" in row]
    kept = any("kept" in row for row in log)
    if taught:
        told = f"teacher{', kept' if kept else ''}: {taught[0]:.3f}"
        panel.axhline(taught[0], color=BLACK, linewidth=1.2, linestyle=":", label=told)
    if not kept:
        _best(panel, rows, decides)
    _legend(panel)


def _best(panel: Axes, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    """Mark the checkpoint that was kept: the last of those that were the best when they were made."""
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


def confusion_figure(labels: Sequence[str], gold: Sequence[str], found: Sequence[str], title: str) -> Figure:
    """A confusion matrix: a row for each gold label, coloured by the share of it that was found as each column.

    Only labels that occur, in the order of `labels`. The counts are printed where there are few enough labels.
    `gold` and `found` are as long as each other and hold names of `labels`.
    """
    present = set(gold) | set(found)
    shown = [label for label in labels if label in present]
    if not shown:
        return _nothing(f"{title}\nno labelled document")
    place = {label: number for number, label in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    for one, other in zip(gold, found, strict=True):
        counts[place[one], place[other]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    few = len(shown) <= MOST_COUNTS
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
    rotation = 90 if max(len(label) for label in shown) > 3 else 0
    panel.set_xticks(ticks, shown, rotation=rotation, fontsize=size, parse_math=False)
    rows = [f"{label}  ({total:,})" for label, total in zip(shown, counts.sum(axis=1), strict=True)]
    panel.set_yticks(ticks, rows, fontsize=size, parse_math=False)
    panel.set(xlabel="found", ylabel="gold  (documents)")


def _borders(panel: Axes, size: int) -> None:
    """Thin lines between the cells instead of a grid through them."""
    panel.grid(visible=False)
    panel.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="#e3e6ea", linewidth=0.6)
    panel.tick_params(which="minor", length=0)


def _print_counts(panel: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.55 else BLACK
        size = 8 if counts[row, column] < 1000 else 6
        panel.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=size)


# Scores by label


def per_label_figure(scores: Mapping[str, Mapping[str, float | None]], title: str) -> Figure:
    """Bars of precision, recall and F1 for each label (`precision`, `recall`, `f1`, `support`, `found`, `false`), best
    F1 on top; no bar for a number that is not defined.

    Labels without gold come last and have a remark in place of bars: only their false findings can be counted.
    """
    if not scores:
        return _nothing(f"{title}\nno label")
    ordered = sorted(scores, key=lambda label: (not scores[label]["support"], -(scores[label]["f1"] or 0.0), label))
    figure = Figure(figsize=(8, 1.5 + 0.5 * len(ordered)), layout="constrained")
    panel = figure.subplots()
    supported = [number for number, label in enumerate(ordered) if scores[label]["support"]]
    bars = (("f1", "F1", BLUE, ""), ("precision", "precision", SKY, "///"), ("recall", "recall", ORANGE, "..."))
    for (key, name, colour, hatch), offset in zip(bars, (-0.27, 0.0, 0.27), strict=True):
        places = [number + offset for number in supported]
        values = [math.nan if (value := scores[ordered[number]][key]) is None else value for number in supported]
        panel.barh(places, values, height=0.25, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4, label=name)
        if key == "f1":
            for place, value in zip(places, values, strict=True):
                panel.text(value + 0.008, place, f"{value:.2f}", va="center", fontsize=8, color=BLACK)
    for number in range(len(supported), len(ordered)):
        false = scores[ordered[number]].get("false")
        remark = "no gold in this split" + (f"; {false:,} false findings" if false else "")
        panel.text(0.008, number, remark, va="center", style="italic", color="#666666")
    names = [f"{label}  ({scores[label]['support']:,})" for label in ordered]
    panel.set_yticks(range(len(ordered)), names, parse_math=False)
    panel.set(xlim=(0, 1.06), ylim=(len(ordered) - 0.4, -0.6), xlabel="score", ylabel="label  (gold)")
    panel.grid(visible=False, axis="y")
    panel.set_title(title, parse_math=False)
    if supported:
        figure.legend(loc="outside lower center", ncols=3)
    return figure


# Scores over label budgets


def learning_curve(budgets: Sequence[Mapping[str, Any]], unit: str, path: str | os.PathLike[str], title: str) -> None:
    """Save the scores of presets over label budgets (see `learning_curve_figure`) as a PNG."""
    with _look():
        _save(learning_curve_figure(budgets, unit, title), path)


def learning_curve_figure(budgets: Sequence[Mapping[str, Any]], unit: str, title: str) -> Figure:
    """A line a preset over the label budgets, with a band of one standard deviation over the seeds; of one budget, a
    group a preset (see `seeds_figure`).

    `budgets` as compare.json holds them: `labels` (None: all) and, by preset, `mean` and `deviation` (None: one seed).
    """
    if len(budgets) == 1:
        return seeds_figure(budgets[0], unit, title)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    panel = figure.subplots()
    names = ["all" if each["labels"] is None else f"{each['labels']:,}" for each in budgets]
    places = np.arange(len(budgets))
    looks = zip((BLUE, ORANGE, SKY, BLACK), ("-", "--", "-.", ":"), ("o", "s", "^", "D"), strict=True)
    for preset, (colour, line, marker) in zip(budgets[0]["presets"], itertools.cycle(looks), strict=False):
        means = np.array([each["presets"][preset]["mean"] for each in budgets])
        spread = np.array([each["presets"][preset]["deviation"] or 0.0 for each in budgets])
        panel.plot(places, means, label=preset, color=colour, linestyle=line, marker=marker)
        panel.fill_between(places, means - spread, means + spread, color=colour, alpha=0.15, linewidth=0)
    panel.set_xticks(places, names)
    panel.set(xlabel="labelled documents", ylabel=unit)
    if any(each["deviation"] for budget in budgets for each in budget["presets"].values()):
        title += " (mean over seeds, and one standard deviation)"
    panel.set_title(title, parse_math=False)
    _legend(panel)
    return figure


def seeds_figure(budget: Mapping[str, Any], unit: str, title: str) -> Figure:
    """A group a preset: a dot a seed, those of one seed joined, and beside them the mean with its 95 % interval.

    `budget` as compare.json holds it: `labels` (None: all) and, by preset, `mean`, `scores` (one a seed, the seeds in
    one order), `low` and `high` (None: one seed).
    """
    presets = budget["presets"]
    figure = Figure(figsize=(2.6 + 1.6 * len(presets), 4.2), layout="constrained")
    panel = figure.subplots()
    for scores in zip(*(each["scores"] for each in presets.values()), strict=True):
        panel.plot(range(len(presets)), scores, color="#aaaaaa", linewidth=0.8, zorder=1)
    looks = zip((BLUE, ORANGE, SKY, BLACK), ("o", "s", "^", "D"), strict=True)
    for place, (each, (colour, marker)) in enumerate(zip(presets.values(), itertools.cycle(looks), strict=False)):
        dots: dict[str, Any] = {"linestyle": "", "markersize": 5, "markerfacecolor": "white"}
        panel.plot([place] * len(each["scores"]), each["scores"], color=colour, marker=marker, **dots)
        reach = None if each["low"] is None else (each["high"] - each["low"]) / 2
        panel.errorbar([place + 0.17], [each["mean"]], reach, color=colour, marker=marker, capsize=4, linewidth=1.6)
        panel.text(place + 0.23, each["mean"], f"{each['mean']:.1f}", va="center", fontsize=9, color=BLACK)
    panel.set_xticks(range(len(presets)), list(presets), parse_math=False)
    panel.set(xlim=(-0.4, len(presets) - 0.4), ylabel=unit)
    panel.grid(visible=False, axis="x")
    labels = "all labels" if budget["labels"] is None else f"{budget['labels']:,} labelled documents"
    seeds = len(next(iter(presets.values()))["scores"])
    told = "one seed" if seeds == 1 else "a dot a seed, joined by seed; mean and 95 % interval"
    panel.set_title(f"{title}: {labels}\n({told})", parse_math=False)
    return figure


# All of them


def _nothing(message: str) -> Figure:
    """A picture that says why there is none, so that a missing file never needs an explanation."""
    figure = Figure(figsize=(6, 1.5))
    figure.text(0.5, 0.5, message, ha="center", va="center", parse_math=False)
    return figure


@contextmanager
def _look() -> Iterator[None]:
    """matplotlib's defaults with LOOK over them; the settings hold while a figure is built and while it is drawn."""
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box in the picture says so already
        yield


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG whole or not at all, without the version of matplotlib in it."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    with atomic_path(Path(path)) as part:
        part.write_bytes(drawn.getvalue())
