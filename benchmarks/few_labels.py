"""Few labels: `adversarial` against `supervised`, the same labels, dev and defaults, each run scored on test once.

    python benchmarks/few_labels.py                                    # every cell, three seeds: a day of one core
    python benchmarks/few_labels.py --cells trec_fine:all --set precision=bf16
    python benchmarks/few_labels.py --encoder adapted=DIR --cells bc5cdr:100
    python benchmarks/few_labels.py --adapt 300 --cells sec_filings:50 # first adapt the encoder to the set's own text
    python benchmarks/few_labels.py --table                            # only show what results/few_labels.json holds

An encoder of another name, such as one that `electra-ie pretrain` has adapted, makes rows of its own; `--encoder NAME`
is the default one, for settings that no row tells of. `--adapt` is `electra-ie pretrain --objective mlm` for so many
steps on the set itself (its splits train and unlabeled), made once; these encoders are kept in --work, out of the
repository, and their rows are called adapted. The run of `supervised` teaches `adversarial`. Finished trainings are
kept in results/few_labels.json, with the settings they were given, and not repeated. Beside the table, which is
printed, there is a learning curve for each set that was trained with two budgets or more:
docs/images/few_labels_<set>.png.

A run is scored on test once and test chooses nothing in it, but the package was scored on test in several forms before
this one: the git history of results/few_labels.json and benchmarks/README.md hold what they scored.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, product
from pathlib import Path
from typing import Any

from cells import Cells, spread

from electra_ie.comparison.statistics import Comparison, Difference, RunKey, RunScore

CELLS = (
    "trec_fine:all", "bc5cdr:50", "bc5cdr:100", "bc5cdr:500", "medical_cases_real:8", "medical_cases_real:32",
    "sec_filings:50", "transaction_risk:60", "transaction_risk:200",
)  # fmt: skip
"""Task and label budget."""
CONTROL = "supervised"
PRESETS = (CONTROL, "adversarial")
DEFAULT = "default"
ADAPTED = "adapted"
FLAGS = "flags"
"""The field whose gain is mostly that of a threshold (benchmarks/README.md): the means are given without it, too."""
LINE_ENDS = {
    (DEFAULT, "transaction_risk:60"): "fa920f0", (DEFAULT, "transaction_risk:200"): "4598466",
    (ADAPTED, "transaction_risk:60"): "197592e", (ADAPTED, "transaction_risk:200"): "56afb13",
}  # fmt: skip
"""Rows of texts with line ends, which have split a finding since: the commit that their numbers came with."""
MARK = " †"
RESULTS = Cells("few_labels")
PICTURES = Path(__file__).parents[1] / "docs" / "images"


def module_key(encoder: str, cell: str, preset: str, seed: int) -> str:
    return f"{encoder} | {cell} | {preset} | {seed}"


def measure(cell: str, preset: str, seed: int, encoder: str, settings: list[str], runs: Path) -> dict[str, Any]:
    """Train once, score test once: main scores (%) by field, and the CPU seconds of the training.

    The supervised run in `runs`, if it is there, is the teacher of adversarial, whose seconds then hold its own.
    """
    import electra_ie

    task, _, budget = cell.partition(":")
    name, _, directory = encoder.partition("=")
    control = runs / CONTROL
    teacher = control if preset != CONTROL and control.is_dir() else None
    began = time.process_time()
    run = electra_ie.train(
        task, runs / preset, label_budget=None if budget == "all" else int(budget), preset=preset, seed=seed,
        encoder=directory or None, overrides=settings, teacher=teacher,
    ).path  # fmt: skip
    spent = time.process_time() - began
    if teacher:
        spent += RESULTS.load()[module_key(name, cell, CONTROL, seed)]["cpu_seconds"]
    electra_ie.evaluate(run, "test")
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    found = {
        split: {name: round(100 * each[each["main"]], 2) for name, each in scores[split].items()}
        for split in ("dev", "test")
        if split in scores
    }
    return {**found, "cpu_seconds": round(spent), "best_step": scores["training"]["best_step"], "settings": settings}


def adapted(task: str, steps: int, work: Path) -> Path:
    """The embedded encoder, adapted to the texts that the task learns from, now or before."""
    import electra_ie

    folder = work / f"{task}-{steps}"
    electra_ie.pretrain(task, folder, objective="mlm", max_steps=steps, resume=(folder / "run.yaml").is_file())
    return folder


def fill(given: argparse.Namespace) -> None:
    for seed in given.seeds:
        for cell in given.cells:
            name = ADAPTED if given.adapt else given.encoder.partition("=")[0]
            keys = {preset: module_key(name, cell, preset, seed) for preset in given.presets}
            if RESULTS.load().keys() >= set(keys.values()):
                continue
            encoder = given.encoder
            if given.adapt:
                encoder = f"{name}={adapted(cell.partition(':')[0], given.adapt, given.work)}"
            with tempfile.TemporaryDirectory() as runs:
                for preset, place in keys.items():
                    RESULTS.fill(place, partial(measure, cell, preset, seed, encoder, given.set, Path(runs)))


def table(split: str = "test") -> str:
    """Markdown: a row for each cell and field; the gain is over the seeds that both presets have.

    The interval is that of `electra-ie compare`: 95 %, Student's t over the seeds, each paired with itself. "in all" is
    what `adversarial` gains over `supervised` on the default encoder; where that run had other settings they are named.
    The lines below leave out rows of single seeds. Deviations are those of a sample (n - 1).
    """
    found = rows(split)
    head = (
        "encoder | set | field | supervised | adversarial | gain, by seed | gain | interval | in all | cost | settings"
    )
    lines = [f"| {head} |", "| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |"]
    return "\n".join([*lines, *(row.line for row in found), "", *means(found)])


@dataclass(frozen=True, eq=False)
class Row:
    """A cell and field: the scores of both presets by seed, and what `adversarial` gains over `supervised`."""

    encoder: str
    cell: str
    field: str
    control: list[float]
    adversarial: list[float]
    difference: Difference
    in_all: float | None
    cost: str
    settings: str

    @property
    def sure(self) -> bool:
        """Does the interval leave out 0?"""
        return self.difference.better or self.difference.worse

    @property
    def line(self) -> str:
        gain = self.difference
        by_seed = (f"{two - one:+.1f}" for one, two in zip(self.control, self.adversarial, strict=True))
        interval = "-" if gain.low is None else f"{gain.low:.1f} to {gain.high:.1f}"
        mark = MARK if (self.encoder, self.cell) in LINE_ENDS else ""
        shown = [self.encoder, self.cell + mark, self.field, spread(self.control), spread(self.adversarial)]
        shown += [", ".join(by_seed), f"{gain.mean:+.1f}", interval]
        shown += ["-" if self.in_all is None else f"{self.in_all:+.1f}", self.cost, self.settings]
        return f"| {' | '.join(shown)} |"


def rows(split: str = "test") -> list[Row]:
    """Those of the table."""
    found = []
    for name, cell in product(_encoders(RESULTS.load()), CELLS):
        base, plain, game = (
            RESULTS.matching(f"{encoder} | {cell} | {preset} | ")
            for encoder, preset in ((DEFAULT, CONTROL), *product([name], PRESETS))
        )
        seeds = sorted(plain.keys() & game.keys())
        whole = seeds and base.keys() >= set(seeds)
        told = ", ".join(_settings([plain, game], seeds))
        if whole and _settings([base], seeds) != _settings([plain], seeds):
            told += f"; in all from {', '.join(_settings([base], seeds))}"
        for field in plain[seeds[0]].get(split, {}) if seeds else ():
            start, before, after = (
                [each[seed][split][field] for seed in seeds if seed in each] for each in (base, plain, game)
            )
            gained = statistics.mean(after) - statistics.mean(start) if whole else None
            cost = _cost([(plain[seed], game[seed]) for seed in seeds])
            difference = _difference(before, after)
            found.append(Row(name, cell, field, before, after, difference, gained, cost, told))
    return found


def _settings(runs: Iterable[Mapping[str, Any]], seeds: Iterable[str]) -> list[str]:
    return sorted({" ".join(each[seed]["settings"]) or "defaults" for each, seed in product(runs, seeds)})


def _difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """As `electra-ie compare` reckons it."""
    outcomes = {
        RunKey(None, seed, preset): RunScore(score, None, 1.0)
        for preset, scores in zip(PRESETS, (before, after), strict=True)
        for seed, score in enumerate(scores)
    }
    return Comparison(outcomes, PRESETS, ()).difference(PRESETS[1])


def means(found: Sequence[Row]) -> list[str]:
    """What can be said of all rows of an encoder with several seeds, a line each: over the rows, and over the data
    sets, each set's fields averaged, then its label budgets."""
    several = [row for row in found if len(row.control) > 1]
    told = []
    for name in dict.fromkeys(row.encoder for row in several):
        mine = [row for row in several if row.encoder == name]
        if len(mine) < 2:
            continue
        for what, some in ((name, mine), (f"{name}, without {FLAGS}", [row for row in mine if row.field != FLAGS])):
            told.append(f"{what}: gain {_both(some, {})}")
        told.append(f"{name}: the interval excludes 0 in {sum(row.sure for row in mine)} of {len(mine)} rows.")
        if name != DEFAULT:
            told.append(f"{name}: in all {_both(mine, _in_all(mine))}")
    adapted_rows = {(row.cell, row.field): row for row in several if row.encoder == ADAPTED}
    default_rows = {(row.cell, row.field): row for row in several if row.encoder == DEFAULT}
    if adapted_rows:
        best = [adapted_rows.get(key, row) for key, row in default_rows.items()]
        told.append(f"{ADAPTED}, where it was measured, else {DEFAULT}: in all {_both(best, _in_all(best))}")
        pairs = [default_rows[key] for key in adapted_rows if key in default_rows]
        told.append(f"{DEFAULT}, over the rows that are {ADAPTED} too: gain {_both(pairs, {})}")
    return told


def _in_all(some: Iterable[Row]) -> dict[Row, float]:
    return {row: row.in_all for row in some if row.in_all is not None}


def _both(some: Sequence[Row], instead: Mapping[Row, float]) -> str:
    """The mean over rows and over data sets, with the least of each. instead: what counts in place of the gain."""
    gains = [instead.get(row, row.difference.mean) for row in some]
    sets: dict[str, dict[str, list[float]]] = {}
    for row, gain in zip(some, gains, strict=True):
        sets.setdefault(row.cell.partition(":")[0], {}).setdefault(row.cell, []).append(gain)
    of_sets = [statistics.mean(map(statistics.mean, cells.values())) for cells in sets.values()]
    shown = (f"{statistics.mean(each):+.1f}, the least {min(each):+.1f}" for each in (gains, of_sets))
    return f"{' over its rows; '.join(shown)} over its {len(of_sets)} data sets ({len(gains)} rows)."


def _cost(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Return the CPU seconds relative to `supervised`, over the pairs whose machines have the same name.

    In most results that name does not contain the processor, so the runs of a pair may have used different ones.
    """
    alike = [(one["cpu_seconds"], two["cpu_seconds"]) for one, two in pairs if one["machine"] == two["machine"]]
    return f"{sum(two for _, two in alike) / sum(one for one, _ in alike):.1f}" if alike else "-"


def learning_curves() -> list[Path]:
    """A picture for each set with two label budgets or more: the mean over its fields on test, a line for each encoder
    and preset that all its budgets have, over the seeds that both presets have."""
    from electra_ie.runs import plots

    pictures = []
    for task, cells in groupby(CELLS, lambda cell: cell.partition(":")[0]):
        budgets: dict[str, dict[str, list[float]]] = {}
        fields: set[str] = set()
        for cell, name in product(list(cells), _encoders(RESULTS.load())):
            found = [RESULTS.matching(f"{name} | {cell} | {preset} | ") for preset in PRESETS]
            seeds = sorted(found[0].keys() & found[1].keys())
            for preset, known in zip(PRESETS, found, strict=True) if seeds else ():
                fields |= known[seeds[0]]["test"].keys()
                line = preset if name == DEFAULT else f"{preset}, {name} encoder"
                scores = [statistics.mean(known[seed]["test"].values()) for seed in seeds]
                budgets.setdefault(cell.partition(":")[2], {})[line] = scores
        lines = [line for line in next(iter(budgets.values()), ()) if all(line in each for each in budgets.values())]
        if len(budgets) < 2 or not lines:
            continue
        shown = [
            {"labels": int(budget), "presets": {line: _mean_and_deviation(scores[line]) for line in lines}}
            for budget, scores in budgets.items()
        ]
        pictures.append(PICTURES / f"few_labels_{task}.png")
        plots.learning_curve(shown, f"{', '.join(sorted(fields))}: test, %", pictures[-1], task)
    return pictures


def _mean_and_deviation(scores: list[float]) -> dict[str, float | None]:
    deviation = statistics.stdev(scores) if len(scores) > 1 else None
    return {"mean": statistics.mean(scores), "deviation": deviation}


def _encoders(keys: Iterable[str]) -> list[str]:
    """Their names, the default one first."""
    return sorted({key.partition(" | ")[0] for key in keys}, key=lambda name: (name != DEFAULT, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--encoder", default=DEFAULT, help="NAME=DIR: another encoder, and what its rows are called")
    which.add_argument("--adapt", type=int, metavar="STEPS", help="first adapt the encoder to the texts of each set")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "electra_ie_few_labels")
    parser.add_argument("--set", nargs="+", default=[], help="settings of train, key=value")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="what the table shows")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        fill(given)
    print(table(given.split))
    for picture in learning_curves():
        print(picture)


if __name__ == "__main__":
    main()
