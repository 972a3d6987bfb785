"""Statistics of a comparison of presets: means, paired differences with confidence intervals, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import ttest_rel

from electra_ie.metrics import MAIN, NAMES

CONFIDENCE = 0.95
"""The confidence level of all intervals."""
EQUAL = 1e-9
"""Points below which two differences are equal."""
MIN_GAIN = 0.05
"""The smallest gain that counts, in points: below it a gain is displayed as 0.0."""


@dataclass(frozen=True)
class RunKey:
    """The key of a run in a comparison: label budget (None: all labels), seed and preset."""

    label_budget: int | None
    seed: int
    preset: str

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return f"{self.label_budget or 'all'}-{self.preset}-{self.seed}"


@dataclass(frozen=True)
class RunScore:
    """The scores of a run, in points (0 to 100).

    Attributes:
        score: The score on the compared split.
        dev: The score on dev; None without a dev split.
        seconds: The training time.
        teachers: True if the run kept the weights of its teacher, because self-training scored lower on dev, diverged,
            or was skipped.
        adaptation: The steps in which its encoder was adapted to the text of the task, once for all such runs; they are
            not in `seconds`.
    """

    score: float
    dev: float | None
    seconds: float
    teachers: bool = False
    adaptation: int = 0


@dataclass(frozen=True)
class Difference:
    """The gain of a preset over the baseline, in points.

    Attributes:
        mean: The mean over seeds of the paired differences.
        low: The lower end of the 95 % interval (paired t-test over seeds); None for a single seed, and for equal
            differences of `MIN_GAIN` or more.
        high: The upper end.
        cost: The training time relative to that of the baseline, without the adaptation of encoders.
    """

    mean: float
    low: float | None
    high: float | None
    cost: float

    @property
    def better(self) -> bool:
        """Whether the preset is significantly better than the baseline, by at least `MIN_GAIN`."""
        return self.low is not None and self.low > 0 and self.mean >= MIN_GAIN

    @property
    def worse(self) -> bool:
        """Whether the preset is significantly worse than the baseline."""
        return self.high is not None and self.high < 0


class Comparison:
    """The scores of several presets over label budgets and seeds. The first preset is the baseline.

    Every preset is run with every budget and seed: the same labels, the same dev split.
    """

    def __init__(self, run_scores: dict[RunKey, RunScore], presets: Sequence[str], kinds: Iterable[str]) -> None:
        """Collect the scores. `kinds` are the kinds of the task's fields, which decide the name of the unit."""
        self.run_scores, self.presets = run_scores, list(presets)
        self.budgets = list(dict.fromkeys(key.label_budget for key in run_scores))
        self.seeds = sorted({key.seed for key in run_scores})
        names = {NAMES[MAIN[kind]] for kind in kinds}
        self.unit = names.pop() if len(names) == 1 else "points"

    @property
    def baseline(self) -> str:
        """The preset that the others are compared with."""
        return self.presets[0]

    def scores(self, preset: str, budget: int | None) -> list[float]:
        """Return the score of each seed."""
        return [self.run_scores[RunKey(budget, seed, preset)].score for seed in self.seeds]

    def difference(self, preset: str, budgets: Sequence[int | None] | None = None) -> Difference:
        """Return the gain of a preset over the baseline, averaged over these budgets (None: all budgets).

        The label sets of one seed are nested, hence not independent: their mean counts as one observation.
        """
        budgets = self.budgets if budgets is None else budgets
        runs, baseline_runs = (
            [[self.run_scores[RunKey(budget, seed, name)] for budget in budgets] for seed in self.seeds]
            for name in (preset, self.baseline)
        )
        means, baseline_means = (
            [statistics.mean(run.score for run in of_seed) for of_seed in by_seed] for by_seed in (runs, baseline_runs)
        )
        gain = statistics.mean(score - other for score, other in zip(means, baseline_means, strict=True))
        cost = _seconds(runs) / max(_seconds(baseline_runs), 1e-9)
        return Difference(gain, *_interval(means, baseline_means), cost)

    @property
    def winner(self) -> str:
        """The significantly better preset with the largest mean gain; the baseline if there is none.

        A preset that is significantly worse at the largest budget cannot win, since those are the runs that are used.
        """
        gains = {preset: self.difference(preset) for preset in self.presets[1:]}
        better = [preset for preset, gain in gains.items() if gain.better and not self._at_largest_budget(preset).worse]
        return max(better, key=lambda preset: gains[preset].mean, default=self.baseline)

    @property
    def best(self) -> RunKey:
        """The winner's run at the largest budget with the best dev score; that of the first seed without dev."""
        keys = (RunKey(self.budgets[-1], seed, self.winner) for seed in self.seeds)
        return max(keys, key=lambda key: self.run_scores[key].dev or 0.0)

    @property
    def verdict(self) -> str:
        """One sentence: whether another preset is better than the baseline, and which one to use."""
        if len(self.presets) == 1:
            return f"{self.baseline} alone was run: nothing to compare."
        if self.winner != self.baseline:
            gain = self.difference(self.winner)
            between = f"({gain.low:.1f} to {gain.high:.1f}{self._budget_clause})"
            return f"{self.winner} adds {gain.mean:.1f} {self.unit} {between}: keep it."
        preset = max(self.presets[1:], key=lambda name: self.difference(name).mean)
        gain = self.difference(preset)
        if gain.low is None and len(self.seeds) > 1:
            result = f"all {len(self.seeds)} seeds have the same difference ({preset}: {gain.mean:+.1f} {self.unit})"
            return f"{result}, which gives no interval: run more, and until then ship {self.baseline}."
        if gain.low is None:
            result = f"one seed proves nothing ({preset}: {gain.mean:+.1f} {self.unit})"
            return f"{result}: run three, and until then ship {self.baseline}."
        between = f"({gain.mean:+.1f} {self.unit}, {gain.low:.1f} to {gain.high:.1f}{self._budget_clause})"
        if gain.better:
            largest = self._at_largest_budget(preset)
            loss = f"{-largest.mean:.1f} ({-largest.high:.1f} to {-largest.low:.1f})"  # type: ignore[operator]
            where = f"with {self.budgets[-1] or 'all'} labels, which the ready run has"
            return f"{preset} gains {between} but loses {loss} {where}: ship {self.baseline}."
        if gain.worse:
            return f"{preset} loses {between}: ship {self.baseline}."
        return f"no measurable gain from {preset} {between}: ship {self.baseline}."

    @property
    def notes(self) -> list[str]:
        """Further remarks on the comparison, one sentence each."""
        sentences = []
        if steps := max(run.adaptation for run in self.run_scores.values()):
            adapted = [key.preset for key, run in self.run_scores.items() if run.adaptation]
            sentences.append(
                f"cost: leaves out the adaptation of the encoder of {', '.join(dict.fromkeys(adapted))} to the text of "
                f"the task, {steps} steps, which is done once and kept in the cache."
            )
        for preset in self.presets[1:]:
            runs = [run for key, run in self.run_scores.items() if key.preset == preset]
            if kept := sum(run.teachers for run in runs):
                sentences.append(
                    f"{kept} of the {len(runs)} runs of {preset} kept the weights of their teacher: "
                    "self-training scored lower on dev, diverged, or was skipped."
                )
        return sentences

    def _at_largest_budget(self, preset: str) -> Difference:
        return self.difference(preset, self.budgets[-1:])

    @property
    def _budget_clause(self) -> str:
        if len(self.budgets) == 1:
            return ""
        *others, last = (str(budget or "all") for budget in self.budgets)
        return f", the mean over {', '.join(others)} and {last} labels"

    def as_dict(self) -> dict[str, Any]:
        """Return the content of compare.json."""
        return {
            "unit": self.unit,
            "runs": [{**vars(key), **vars(run)} for key, run in self.run_scores.items()],
            "budgets": [self._budget(budget) for budget in self.budgets],
            "differences": {preset: vars(self.difference(preset)) for preset in self.presets[1:]},
            "winner": self.winner,
            "verdict": self.verdict,
            "notes": self.notes,
        }

    def _budget(self, budget: int | None) -> dict[str, Any]:
        by_preset = {preset: self.scores(preset, budget) for preset in self.presets}
        return {
            "labels": budget,
            "presets": {
                preset: {
                    "mean": statistics.mean(scores),
                    "deviation": _deviation(scores),
                    **dict(zip(("low", "high"), _interval(scores, [0.0] * len(scores)), strict=True)),
                    "scores": scores,
                }
                for preset, scores in by_preset.items()
            },
            "differences": {preset: vars(self.difference(preset, [budget])) for preset in self.presets[1:]},
        }


def _seconds(runs: Iterable[Iterable[RunScore]]) -> float:
    return sum(run.seconds for of_seed in runs for run in of_seed)


def _interval(scores: Sequence[float], baseline: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the mean difference by a paired t-test.

    It is (None, None) for a single pair, and for equal differences of `MIN_GAIN` or more: a small dev split has few
    possible scores, so that their variance of 0 does not mean certainty. With a baseline of zeros it is the interval of
    the mean score.
    """
    differences = [score - other for score, other in zip(scores, baseline, strict=True)]
    equal, first = max(differences) - min(differences) < EQUAL, differences[0]
    if len(scores) <= 1 or (equal and abs(first) >= MIN_GAIN):
        return None, None
    if equal:  # such as runs that kept their teacher
        return first, first
    low, high = ttest_rel(scores, baseline).confidence_interval(CONFIDENCE)
    return float(low), float(high)


def _deviation(scores: Sequence[float]) -> float | None:
    """Return the standard deviation over seeds; None for a single seed."""
    return statistics.stdev(scores) if len(scores) > 1 else None
