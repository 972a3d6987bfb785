"""What a comparison of presets found: mean and spread, paired differences with intervals, and one plain sentence."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

from electra_ie.metrics import MAIN, NAMES

SURE = 0.95
"""How much of the time an interval is to hold the true difference."""
LEAST = 0.05
"""Points that a gain must have: what is shown as 0.0 is none."""


@dataclass(frozen=True)
class RunKey:
    """A run of the comparison: its label budget (None: all labels), seed and preset."""

    label_budget: int | None
    seed: int
    preset: str

    @property
    def name(self) -> str:
        return f"{self.label_budget or 'all'}-{self.preset}-{self.seed}"


@dataclass(frozen=True)
class RunScore:
    """What a run scored on the split that is compared and on dev (None without one), in points (0 to 100), and the
    seconds that its training took. teachers: are its weights those of its teacher, since the game fell behind it on
    dev, collapsed, or was not played?"""

    score: float
    dev: float | None
    seconds: float
    teachers: bool = False


@dataclass(frozen=True)
class Difference:
    """How much better a preset is than the baseline, in points: the mean over the seeds, each paired with itself, and
    the ends of a 95 % interval (Student's t over the seeds; None for a single seed). cost: its training time, in that
    of the baseline."""

    mean: float
    low: float | None
    high: float | None
    cost: float

    @property
    def better(self) -> bool:
        return self.low is not None and self.low > 0 and self.mean >= LEAST

    @property
    def worse(self) -> bool:
        return self.high is not None and self.high < 0


class Comparison:
    """The outcomes of presets over label budgets and seeds, the first preset being the baseline.

    Every preset has every budget and seed: the same labels, the same dev split.
    """

    def __init__(self, outcomes: dict[RunKey, RunScore], presets: Sequence[str], kinds: Iterable[str]):
        self.outcomes, self.presets = outcomes, list(presets)
        self.budgets = list(dict.fromkeys(cell.label_budget for cell in outcomes))
        self.seeds = sorted({cell.seed for cell in outcomes})
        names = {NAMES[MAIN[kind]] for kind in kinds}
        self.unit = names.pop() if len(names) == 1 else "points"

    @property
    def baseline(self) -> str:
        return self.presets[0]

    def scores(self, preset: str, labels: int | None) -> list[float]:
        """One score a seed."""
        return [self.outcomes[RunKey(labels, seed, preset)].score for seed in self.seeds]

    def difference(self, preset: str, budgets: Sequence[int | None] | None = None) -> Difference:
        """Of a preset over the baseline, over these budgets (None: all of them). Budgets of one seed are nested and no
        independent draws: their mean counts as one observation."""
        chosen = self.budgets if budgets is None else list(budgets)
        mine, base = (
            [[self.outcomes[RunKey(labels, seed, each)] for labels in chosen] for seed in self.seeds]
            for each in (preset, self.baseline)
        )
        gains = [
            statistics.mean(one.score - other.score for one, other in zip(*pair, strict=True))
            for pair in zip(mine, base, strict=True)
        ]
        cost = _seconds(mine) / max(_seconds(base), 1e-9)
        return Difference(statistics.mean(gains), *_interval(gains), cost)

    @property
    def winner(self) -> str:
        """The preset that is surely better than the baseline, the best of several; else the baseline. One that surely
        loses at the largest budget, whose runs are the ready ones, does not win by smaller ones."""
        found = {preset: self.difference(preset) for preset in self.presets[1:]}
        better = [preset for preset in found if found[preset].better and not self._at_last(preset).worse]
        return max(better, key=lambda preset: found[preset].mean, default=self.baseline)

    @property
    def best(self) -> RunKey:
        """The run of the winner that dev likes best, at the largest budget; the first seed's without dev."""
        runs = (RunKey(self.budgets[-1], seed, self.winner) for seed in self.seeds)
        return max(runs, key=lambda cell: self.outcomes[cell].dev or 0.0)

    @property
    def verdict(self) -> str:
        """One plain sentence: does another preset pay, and what is to be done."""
        if len(self.presets) == 1:
            return f"{self.baseline} alone was run: nothing to compare."
        if self.winner != self.baseline:
            gain = self.difference(self.winner)
            between = f"({gain.low:.1f} to {gain.high:.1f}{self._budgets_told})"
            return f"{self.winner} adds {gain.mean:.1f} {self.unit} {between}: keep it."
        preset = max(self.presets[1:], key=lambda each: self.difference(each).mean)
        gain = self.difference(preset)
        if gain.low is None:
            told = f"one seed proves nothing ({preset}: {gain.mean:+.1f} {self.unit})"
            return f"{told}: run three, and until then ship {self.baseline}."
        between = f"({gain.mean:+.1f} {self.unit}, {gain.low:.1f} to {gain.high:.1f}{self._budgets_told})"
        if gain.better:
            last = self._at_last(preset)
            lost = f"{-last.mean:.1f} ({-last.high:.1f} to {-last.low:.1f})"  # type: ignore[operator]
            most = f"with {self.budgets[-1] or 'all'} labels, which the ready run has"
            return f"{preset} gains {between} but loses {lost} {most}: ship {self.baseline}."
        if gain.worse:
            return f"{preset} loses {between}: ship {self.baseline}."
        return f"no measurable gain from {preset} {between}: ship {self.baseline}."

    @property
    def notes(self) -> list[str]:
        """What else is to be known of the comparison, a sentence each."""
        told = []
        for preset in self.presets[1:]:
            mine = [outcome for cell, outcome in self.outcomes.items() if cell.preset == preset]
            if kept := sum(outcome.teachers for outcome in mine):
                told.append(
                    f"{kept} of the {len(mine)} runs of {preset} kept the weights of their teacher: their game fell "
                    "behind it on dev, collapsed, or was not played."
                )
        return told

    def _at_last(self, preset: str) -> Difference:
        """At the largest budget."""
        return self.difference(preset, self.budgets[-1:])

    @property
    def _budgets_told(self) -> str:
        if len(self.budgets) == 1:
            return ""
        *others, last = (str(labels or "all") for labels in self.budgets)
        return f", the mean over {', '.join(others)} and {last} labels"

    def as_dict(self) -> dict[str, Any]:
        """What compare.json holds."""
        return {
            "unit": self.unit,
            "runs": [{**vars(cell), **vars(outcome)} for cell, outcome in self.outcomes.items()],
            "budgets": [self._budget(labels) for labels in self.budgets],
            "differences": {preset: vars(self.difference(preset)) for preset in self.presets[1:]},
            "winner": self.winner,
            "verdict": self.verdict,
            "notes": self.notes,
        }

    def _budget(self, labels: int | None) -> dict[str, Any]:
        found = {preset: self.scores(preset, labels) for preset in self.presets}
        return {
            "labels": labels,
            "presets": {
                preset: {
                    "mean": statistics.mean(scores),
                    "deviation": _deviation(scores),
                    **dict(zip(("low", "high"), _interval(scores), strict=True)),
                    "scores": scores,
                }
                for preset, scores in found.items()
            },
            "differences": {preset: vars(self.difference(preset, [labels])) for preset in self.presets[1:]},
        }


def _seconds(runs: Iterable[Iterable[RunScore]]) -> float:
    return sum(each.seconds for some in runs for each in some)


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The ends of a 95 % interval of the mean (Student's t); None for one value."""
    if len(values) < 2:
        return None, None
    reach = student.ppf((1 + SURE) / 2, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values) - reach, statistics.mean(values) + reach


def _deviation(scores: Sequence[float]) -> float | None:
    """The standard deviation over seeds; None for one."""
    return statistics.stdev(scores) if len(scores) > 1 else None
