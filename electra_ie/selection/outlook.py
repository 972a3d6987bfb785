"""What more labels would bring: the learning curve of the finished runs beside a run, and its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t

from electra_ie.common.errors import UserError
from electra_ie.common.logs import warn
from electra_ie.config.train import TrainSettings
from electra_ie.metrics import mean_score
from electra_ie.runs.layout import AUDIT, SETTINGS, TASK, is_finished, load_task, read_scores
from electra_ie.runs.training_facts import TrainingFacts
from electra_ie.runs.verification import read_audit

MORE = 20
"""Labels whose gain is estimated."""
BUDGETS = 3
"""Different numbers of labels that are needed: through two, a line is always exact."""
LEVEL = 0.95
SHAPES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (np.log, lambda labels: -(labels**-0.5))
"""Scales of the labels on which a learning curve is taken for a line: that of a logarithm, and that of a power law."""
Point = tuple[int, float]
"""The number of labeled documents of a run, and its score on dev."""


@dataclass(frozen=True)
class Gain:
    """What more labels would bring, in units of the score.

    Attributes:
        mean: The estimate.
        low: The lower end of its 95 % interval.
        high: The upper end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """What `MORE` more labels would bring to a run.

    Attributes:
        points: The labels and dev scores of the runs that are compared, the fewest labels first.
        gain: The gain in the mean dev score; None if the runs do not say it.
        reason: Why they do not; "" if they do.
    """

    points: tuple[Point, ...]
    gain: Gain | None
    reason: str = ""

    def __str__(self) -> str:
        """Return a sentence, in points of 100."""
        if self.gain is None:
            return f"What {MORE} more labels would bring is not known: {self.reason}."
        mean, low, high = (f"{100 * value:+.1f}" for value in (self.gain.mean, self.gain.low, self.gain.high))
        runs = f"{len(self.points)} runs with {self.points[0][0]:,} to {self.points[-1][0]:,} labels"
        return f"{MORE} more labels would bring {mean} points on dev (95 % interval {low} to {high}, from {runs})."


def gain_of(points: Sequence[Point], more: int = MORE) -> Gain:
    """Return what more labels bring beyond the largest number of the points, on lines in two scales of the labels.

    A few points do not show whether a curve is one of the logarithm or flattens as a power law. So both are fitted: the
    estimate is the mean of both, and the interval contains those of both. Each is that of the slope by Student's t
    distribution, with two degrees of freedom less than points. With three points it is wide, as it should be: a
    bootstrap would often draw only one or two numbers of labels, and its interval would be too narrow.

    Args:
        points: At least `BUDGETS` different numbers of labels.
        more: The number of labels to add.
    """
    gains = [_gain_on(scale, points, more) for scale in SHAPES]
    mean = sum(gain.mean for gain in gains) / len(gains)
    return Gain(mean, min(gain.low for gain in gains), max(gain.high for gain in gains))


def _gain_on(scale: Callable[[np.ndarray], np.ndarray], points: Sequence[Point], more: int) -> Gain:
    """Return the gain on a line in one scale of the labels, with the interval of its slope."""
    labels, y = np.array([labels for labels, _ in points], dtype=float), np.array([score for _, score in points])
    x = scale(labels)
    slope, intercept = np.polyfit(x, y, 1)
    freedom = len(points) - 2
    residual = float(((y - slope * x - intercept) ** 2).sum())
    error = math.sqrt(residual / freedom / float(((x - x.mean()) ** 2).sum()))
    step = float(np.diff(scale(np.array([labels.max(), labels.max() + more])))[0])
    half = float(t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Gain(float(slope) * step, float(slope - half) * step, float(slope + half) * step)


def outlook(run: Path) -> Outlook:
    """Return what more labels would bring to a run, by the finished runs in the same folder as it.

    Those with the same preset, encoder, fields and dev documents count, and no distilled students of them. Scores on
    dev are a little too high, since dev selects the checkpoint, but in all of these runs alike.

    Raises:
        UserError: The run is damaged.
    """
    own = _key(run)
    if not own:
        return Outlook((), None, "the run has no scores on dev")
    siblings = [each for each in sorted(run.absolute().parent.iterdir()) if each.is_dir()]
    read = [_point(each) if each.samefile(run) else _point_of_curve(each, own) for each in siblings if _is_run(each)]
    points = tuple(sorted(point for point in read if point))
    budgets = len({labels for labels, _ in points})
    if budgets < BUDGETS:
        needed = f"it takes runs with at least {BUDGETS} numbers of labels"
        same = "the same preset, encoder, fields and dev documents"
        return Outlook(points, None, f"{needed} beside each other, with {same}, and here is {budgets}")
    return Outlook(points, gain_of(points))


def _is_run(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (SETTINGS, TASK, AUDIT)) and is_finished(folder)


def _key(run: Path) -> tuple[object, ...]:
    """Return what runs of one learning curve have in common; () for a run without a score on dev."""
    audit = read_audit(run)
    if mean_score(read_scores(run).get("dev", {})) is None:
        return ()
    fields = tuple((field.name, field.kind, field.labels) for field in load_task(run).all_fields)
    settings, student = TrainSettings.build(run / SETTINGS), (audit.get("distillation") or {}).get("name", "")
    return settings.preset, settings.encoder, student, fields, str(audit.get("splits", {}).get("dev", {}))


def _point_of_curve(run: Path, key: tuple[object, ...]) -> Point | None:
    """Return the point of another run; None if it is of another curve, or, with a warning, if it cannot be read."""
    try:
        return _point(run) if _key(run) == key else None
    except UserError as error:
        warn(f"{run}: this run is left out of the learning curve, since it cannot be read: {error}")
        return None


def _point(run: Path) -> Point:
    scores = read_scores(run)
    score = mean_score(scores["dev"])
    assert score is not None  # see `_key`
    training: TrainingFacts = scores["training"]
    return training["labeled"]["documents"], score
