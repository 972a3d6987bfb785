"""`adversarial` against `supervised` on few labels: same labels, dev and defaults, each run scored on test once.

    python benchmarks/few_labels.py                                    # every cell, three seeds: a day of one core
    python benchmarks/few_labels.py --cells trec_fine:all --set precision=bf16
    python benchmarks/few_labels.py --encoder adapted=DIR --cells bc5cdr:100
    python benchmarks/few_labels.py --adapt 300 --cells sec_filings:50 # adapt the encoder first
    python benchmarks/few_labels.py --table                            # only print results/few_labels.json

`--encoder NAME=DIR` names the rows of another encoder, such as one that `electra-ie pretrain` has adapted;
`--encoder NAME` without a folder uses the default encoder, for rows with other settings. `--adapt STEPS` runs
`electra-ie pretrain --objective mlm` on the set itself (its splits train and unlabeled), once for each set; these
encoders are kept in --work, outside the repository, and their rows are called adapted. The `supervised` run is the
teacher of `adversarial`. Finished trainings are kept in results/few_labels.json, with their settings, and not repeated.
Besides the printed table, there is a plot of the learning curve for each set with two budgets or more:
docs/images/few_labels_<set>.png.

A run is scored on test once and test chooses nothing in it, but earlier versions of the package were scored on test,
too: see the git history of results/few_labels.json and benchmarks/README.md.
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
SUPERVISED = "supervised"
PRESETS = (SUPERVISED, "adversarial")
DEFAULT = "default"
ADAPTED = "adapted"
FLAGS = "flags"
"""The field whose gain comes mostly from a threshold (docs/results.md); means are also given without it."""
LINE_ENDS = {
    (DEFAULT, "transaction_risk:60"): "fa920f0", (DEFAULT, "transaction_risk:200"): "4598466",
    (ADAPTED, "transaction_risk:60"): "197592e", (ADAPTED, "transaction_risk:200"): "56afb13",
}  # fmt: skip
"""Rows of texts with line ends, measured before line ends split spans, and the commit of their numbers."""
MARK = " †"
RESULTS = Cells("few_labels")
PICTURES = Path(__file__).parents[1] / "docs" / "images"


def result_key(encoder: str, cell: str, preset: str, seed: int) -> str:
    return f"{encoder} | {cell} | {preset} | {seed}"


def measure(cell: str, preset: str, seed: int, encoder: str, settings: list[str], runs: Path) -> dict[str, Any]:
    """Train once and score test once; return main scores (%) by field, and the CPU seconds of the training.

    The supervised run in `runs`, if it exists, is the teacher of adversarial, whose seconds then include those of the
    teacher.
    """
    import electra_ie

    task, _, budget = cell.partition(":")
    name, _, directory = encoder.partition("=")
    supervised = runs / SUPERVISED
    teacher = supervised if preset != SUPERVISED and supervised.is_dir() else None
    began = time.process_time()
    run = electra_ie.train(
        task, runs / preset, label_budget=None if budget == "all" else int(budget), preset=preset, seed=seed,
        encoder=directory or None, overrides=settings, teacher=teacher,
    ).path  # fmt: skip
    seconds = time.process_time() - began
    if teacher:
        seconds += RESULTS.load()[result_key(name, cell, SUPERVISED, seed)]["cpu_seconds"]
    electra_ie.evaluate(run, "test")
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    main_scores = {
        split: {field: round(100 * score[score["main"]], 2) for field, score in scores[split].items()}
        for split in ("dev", "test")
        if split in scores
    }
    best_step = scores["training"]["best_step"]
    return {**main_scores, "cpu_seconds": round(seconds), "best_step": best_step, "settings": settings}


def adapted(task: str, steps: int, work: Path) -> Path:
    """Return the default encoder, adapted to the training texts of a task; it is trained if it does not exist yet."""
    import electra_ie

    folder = work / f"{task}-{steps}"
    electra_ie.pretrain(task, folder, objective="mlm", max_steps=steps, resume=(folder / "run.yaml").is_file())
    return folder


def fill(arguments: argparse.Namespace) -> None:
    """Measure all cells that are missing."""
    for seed in arguments.seeds:
        for cell in arguments.cells:
            name = ADAPTED if arguments.adapt else arguments.encoder.partition("=")[0]
            keys = {preset: result_key(name, cell, preset, seed) for preset in arguments.presets}
            if RESULTS.load().keys() >= set(keys.values()):
                continue
            encoder = arguments.encoder
            if arguments.adapt:
                encoder = f"{name}={adapted(cell.partition(':')[0], arguments.adapt, arguments.work)}"
            with tempfile.TemporaryDirectory() as runs:
                for preset, key in keys.items():
                    RESULTS.fill(key, partial(measure, cell, preset, seed, encoder, arguments.set, Path(runs)))


def table(split: str = "test") -> str:
    """Return a Markdown table with a row for each cell and field, and summary lines.

    Gains are over the seeds that both presets have. The interval is that of `electra-ie compare`: 95 %, Student's t
    over the seeds, each paired with itself. "total" is the gain over `supervised` on the default encoder; settings
    of that run are shown if they differ. The summary omits rows of single seeds. Deviations are sample standard
    deviations (n - 1).
    """
    table_rows = rows(split)
    head = (
        "encoder | set | field | supervised | adversarial | gain, by seed | gain | interval | total | cost | settings"
    )
    lines = [f"| {head} |", "| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |"]
    return "\n".join([*lines, *(row.line for row in table_rows), "", *means(table_rows)])


@dataclass(frozen=True, eq=False)
class Row:
    """A cell and field: the scores of both presets by seed, and the gain of `adversarial` over `supervised`.

    total: the gain over `supervised` on the default encoder; None if that run lacks a seed.
    """

    encoder: str
    cell: str
    field: str
    supervised: list[float]
    adversarial: list[float]
    difference: Difference
    total: float | None
    cost: str
    settings: str

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.difference.better or self.difference.worse

    @property
    def line(self) -> str:
        """The row of the Markdown table."""
        gain = self.difference
        by_seed = (f"{two - one:+.1f}" for one, two in zip(self.supervised, self.adversarial, strict=True))
        interval = "-" if gain.low is None else f"{gain.low:.1f} to {gain.high:.1f}"
        mark = MARK if (self.encoder, self.cell) in LINE_ENDS else ""
        shown = [self.encoder, self.cell + mark, self.field, spread(self.supervised), spread(self.adversarial)]
        shown += [", ".join(by_seed), f"{gain.mean:+.1f}", interval]
        shown += ["-" if self.total is None else f"{self.total:+.1f}", self.cost, self.settings]
        return f"| {' | '.join(shown)} |"


def rows(split: str = "test") -> list[Row]:
    """Return the rows of the table."""
    table_rows = []
    for name, cell in product(_encoders(RESULTS.load()), CELLS):
        default, supervised, adversarial = (
            RESULTS.matching(f"{encoder} | {cell} | {preset} | ")
            for encoder, preset in ((DEFAULT, SUPERVISED), *product([name], PRESETS))
        )
        seeds = sorted(supervised.keys() & adversarial.keys())
        has_total = seeds and default.keys() >= set(seeds)
        settings = ", ".join(_settings([supervised, adversarial], seeds))
        if has_total and _settings([default], seeds) != _settings([supervised], seeds):
            settings += f"; total from {', '.join(_settings([default], seeds))}"
        for field in supervised[seeds[0]].get(split, {}) if seeds else ():
            start, before, after = (
                [by_seed[seed][split][field] for seed in seeds if seed in by_seed]
                for by_seed in (default, supervised, adversarial)
            )
            total = statistics.mean(after) - statistics.mean(start) if has_total else None
            cost = _cost([(supervised[seed], adversarial[seed]) for seed in seeds])
            difference = _difference(before, after)
            table_rows.append(Row(name, cell, field, before, after, difference, total, cost, settings))
    return table_rows


def _settings(runs: Iterable[Mapping[str, Any]], seeds: Iterable[str]) -> list[str]:
    return sorted({" ".join(by_seed[seed]["settings"]) or "defaults" for by_seed, seed in product(runs, seeds)})


def _difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """Return mean and interval of the gain, as `electra-ie compare` computes them."""
    scores_of_runs = {
        RunKey(None, seed, preset): RunScore(score, None, 1.0)
        for preset, scores in zip(PRESETS, (before, after), strict=True)
        for seed, score in enumerate(scores)
    }
    return Comparison(scores_of_runs, PRESETS, ()).difference(PRESETS[1])


def means(table_rows: Sequence[Row]) -> list[str]:
    """Return summary lines for each encoder: means over its rows with several seeds, and over the data sets.

    For the latter, the fields of a set are averaged first, then its label budgets.
    """
    several = [row for row in table_rows if len(row.supervised) > 1]
    lines = []
    for name in dict.fromkeys(row.encoder for row in several):
        rows_of_encoder = [row for row in several if row.encoder == name]
        if len(rows_of_encoder) < 2:
            continue
        without_flags = [row for row in rows_of_encoder if row.field != FLAGS]
        lines.append(f"{name}: gain {_both_means(rows_of_encoder, {})}")
        lines.append(f"{name}, without {FLAGS}: gain {_both_means(without_flags, {})}")
        significant = sum(row.is_significant for row in rows_of_encoder)
        lines.append(f"{name}: the interval excludes 0 in {significant} of {len(rows_of_encoder)} rows.")
        if name != DEFAULT:
            lines.append(f"{name}: total {_both_means(rows_of_encoder, _totals(rows_of_encoder))}")
    adapted_rows = {(row.cell, row.field): row for row in several if row.encoder == ADAPTED}
    default_rows = {(row.cell, row.field): row for row in several if row.encoder == DEFAULT}
    if adapted_rows:
        best = [adapted_rows.get(key, row) for key, row in default_rows.items()]
        lines.append(f"{ADAPTED} if measured, else {DEFAULT}: total {_both_means(best, _totals(best))}")
        pairs = [default_rows[key] for key in adapted_rows if key in default_rows]
        lines.append(f"{DEFAULT}, rows that are also {ADAPTED}: gain {_both_means(pairs, {})}")
    return lines


def _totals(rows_of_encoder: Iterable[Row]) -> dict[Row, float]:
    return {row: row.total for row in rows_of_encoder if row.total is not None}


def _both_means(rows_of_encoder: Sequence[Row], totals: Mapping[Row, float]) -> str:
    """Return the means over rows and over data sets, with the minimum of each. totals: used instead of the gain."""
    gains = [totals.get(row, row.difference.mean) for row in rows_of_encoder]
    sets: dict[str, dict[str, list[float]]] = {}
    for row, gain in zip(rows_of_encoder, gains, strict=True):
        sets.setdefault(row.cell.partition(":")[0], {}).setdefault(row.cell, []).append(gain)
    of_sets = [statistics.mean(map(statistics.mean, cells.values())) for cells in sets.values()]
    shown = (f"{statistics.mean(values):+.1f}, minimum {min(values):+.1f}" for values in (gains, of_sets))
    return f"{' over its rows; '.join(shown)} over its {len(of_sets)} data sets ({len(gains)} rows)."


def _cost(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Return the CPU seconds relative to `supervised`, over the pairs whose machines have the same name.

    In most results that name does not contain the processor, so the runs of a pair may have used different ones.
    """
    same_machine = [(one["cpu_seconds"], two["cpu_seconds"]) for one, two in pairs if one["machine"] == two["machine"]]
    return f"{sum(two for _, two in same_machine) / sum(one for one, _ in same_machine):.1f}" if same_machine else "-"


def learning_curves() -> list[Path]:
    """Draw a plot for each set with two label budgets or more, and return the paths.

    It shows the mean over the fields on test, with a line for each encoder and preset that all budgets have, over the
    seeds that both presets have.
    """
    from electra_ie.runs import plots

    pictures = []
    for task, cells in groupby(CELLS, lambda cell: cell.partition(":")[0]):
        budgets: dict[str, dict[str, list[float]]] = {}
        fields: set[str] = set()
        for cell, name in product(list(cells), _encoders(RESULTS.load())):
            results = [RESULTS.matching(f"{name} | {cell} | {preset} | ") for preset in PRESETS]
            seeds = sorted(results[0].keys() & results[1].keys())
            for preset, by_seed in zip(PRESETS, results, strict=True) if seeds else ():
                fields |= by_seed[seeds[0]]["test"].keys()
                line = preset if name == DEFAULT else f"{preset}, {name} encoder"
                scores = [statistics.mean(by_seed[seed]["test"].values()) for seed in seeds]
                budgets.setdefault(cell.partition(":")[2], {})[line] = scores
        lines = [
            line for line in next(iter(budgets.values()), ()) if all(line in scores for scores in budgets.values())
        ]
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
    """Return the names of the encoders, the default one first."""
    return sorted({key.partition(" | ")[0] for key in keys}, key=lambda name: (name != DEFAULT, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--encoder", default=DEFAULT, help="NAME=DIR: another encoder, and the name of its rows")
    which.add_argument("--adapt", type=int, metavar="STEPS", help="first adapt the encoder to the texts of each set")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "electra_ie_few_labels")
    parser.add_argument("--set", nargs="+", default=[], help="settings of train, key=value")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="the scores that the table shows")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if not arguments.table:
        fill(arguments)
    print(table(arguments.split))
    for picture in learning_curves():
        print(picture)


if __name__ == "__main__":
    main()
