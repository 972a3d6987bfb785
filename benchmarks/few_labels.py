"""Few labels: `adversarial` against `control`, the same labels, dev and defaults; test scored once.

    python benchmarks/few_labels.py                                    # every cell, three seeds: a day of one core
    python benchmarks/few_labels.py --cells trec_fine:all --set precision=bf16
    python benchmarks/few_labels.py --encoder adapted=DIR --cells bc5cdr:100
    python benchmarks/few_labels.py --adapt 300 --cells sec_filings:50 # first adapt the encoder to the set's own text
    python benchmarks/few_labels.py --table                            # only show what results/few_labels.json holds

An encoder of another name, such as one that `electra-ie pretrain` has adapted, makes rows of its own; `--encoder NAME`
is the default one, for settings that no row tells of. `--adapt` is `electra-ie pretrain --objective mlm` for so many
steps on the set itself (its splits train and unlabeled), made once; these encoders are kept in --work, out of the
repository, and their rows are called adapted. The run of `control` teaches `adversarial`. Finished trainings are
kept in results/few_labels.json, with the settings they were given, and not repeated. Beside the table, which is
printed, there is a learning curve for each set that was trained with two budgets or more:
results/few_labels_<set>.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain, groupby, product
from pathlib import Path
from typing import Any

from cells import Cells, spread

CELLS = (
    "trec_fine:all", "bc5cdr:50", "bc5cdr:100", "bc5cdr:500", "medical_cases_real:8", "medical_cases_real:32",
    "sec_filings:50", "transaction_risk:60", "transaction_risk:200",
)  # fmt: skip
"""Task and label budget."""
CONTROL = "control"
PRESETS = (CONTROL, "adversarial")
DEFAULT = "default"
ADAPTED = "adapted"
RESULTS = Cells("few_labels")


def key(encoder: str, cell: str, preset: str, seed: int) -> str:
    return f"{encoder} | {cell} | {preset} | {seed}"


def measure(cell: str, preset: str, seed: int, encoder: str, settings: list[str], runs: Path) -> dict[str, Any]:
    """Train once, score test once: main scores (%) by field, and the CPU seconds of the training.

    The run of control in `runs`, if it is there, is the teacher of adversarial, whose seconds then hold its own.
    """
    import electra_ie

    task, _, budget = cell.partition(":")
    name, _, directory = encoder.partition("=")
    control = runs / CONTROL
    teacher = control if preset != CONTROL and control.is_dir() else None
    began = time.process_time()
    run = electra_ie.train(
        task, runs / preset, labels=None if budget == "all" else int(budget), preset=preset, seed=seed,
        encoder=directory or None, settings=settings, teacher=teacher,
    )  # fmt: skip
    spent = time.process_time() - began
    if teacher:
        spent += RESULTS.load()[key(name, cell, CONTROL, seed)]["cpu_seconds"]
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
    electra_ie.pretrain(task, folder, objective="mlm", steps=steps, resume=(folder / "run.yaml").is_file())
    return folder


def fill(given: argparse.Namespace) -> None:
    for seed in given.seeds:
        for cell in given.cells:
            name = ADAPTED if given.adapt else given.encoder.partition("=")[0]
            keys = {preset: key(name, cell, preset, seed) for preset in given.presets}
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

    "in all" is what adversarial gains over control on the default encoder. The means below leave out single seeds.
    """
    lines = ["| encoder | set | field | control | adversarial | gain, by seed | gain | in all | cost | settings |"]
    lines.append("| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | --- |")
    told_below = []
    on_default: dict[str, list[float]] = {}
    for name in _encoders(RESULTS.load()):
        gains: dict[str, list[float]] = {}  # by cell, of each field
        in_all: dict[str, list[float]] = {}
        for cell in CELLS:
            base, plain, game = (
                RESULTS.matching(f"{encoder} | {cell} | {preset} | ")
                for encoder, preset in ((DEFAULT, CONTROL), *product([name], PRESETS))
            )
            seeds = sorted(plain.keys() & game.keys())
            if not seeds:
                continue
            told = {" ".join(each[seed]["settings"]) or "defaults" for each in (plain, game) for seed in seeds}
            cost = _cost([(plain[seed], game[seed]) for seed in seeds])
            for field in plain[seeds[0]].get(split, {}):
                start, before, after = (
                    [each[seed][split][field] for seed in seeds if seed in each] for each in (base, plain, game)
                )
                gain = [two - one for one, two in zip(before, after, strict=True)]
                by_seed = ", ".join(f"{each:+.1f}" for each in gain)
                mean = statistics.mean(gain)
                whole = statistics.mean(after) - statistics.mean(start) if len(start) == len(seeds) else None
                if len(seeds) > 1:
                    gains.setdefault(cell, []).append(mean)
                    if whole is not None and name != DEFAULT:
                        in_all.setdefault(cell, []).append(whole)
                shown = [name, cell, field, spread(before), spread(after), by_seed, f"{mean:+.1f}"]
                shown += ["-" if whole is None else f"{whole:+.1f}", cost, ", ".join(sorted(told))]
                lines.append(f"| {' | '.join(shown)} |")
        told_below += _means(f"{name}: gain", gains)
        told_below += _means(f"{name}: in all", in_all)
        if name == DEFAULT:
            on_default = gains
        elif in_all:
            told_below += _means(f"{name}, where it was measured, else {DEFAULT}: in all", on_default | in_all)
    return "\n".join([*lines, "", *told_below])


def _means(what: str, gains: Mapping[str, list[float]]) -> list[str]:
    """A line about the gains of each cell, if there are any."""
    rows, sets = list(chain(*gains.values())), list(map(statistics.mean, gains.values()))
    told = (f"{statistics.mean(each):+.1f}, the least {min(each):+.1f}" for each in (rows, sets) if each)
    return [f"{what}, mean over its rows {'; over its sets, fields averaged, '.join(told)}."] if gains else []


def _cost(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """How many times the seconds of control, of those pairs that one machine trained."""
    alike = [(one["cpu_seconds"], two["cpu_seconds"]) for one, two in pairs if one["machine"] == two["machine"]]
    return f"{sum(two for _, two in alike) / sum(one for one, _ in alike):.1f}" if alike else "-"


def learning_curves() -> list[Path]:
    """A picture for each set with two label budgets or more: the mean over its fields on test, a line for each encoder
    and preset that all its budgets have, over the seeds that both presets have."""
    from electra_ie import plots

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
        pictures.append(RESULTS.file.with_name(f"few_labels_{task}.png"))
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
