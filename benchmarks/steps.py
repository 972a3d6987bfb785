"""How many steps, where there is no dev split to say: the rule of `TrainSettings.steps`, and half and twice as many.

    python benchmarks/steps.py                             # every cell, three seeds; about four hours of one core
    python benchmarks/steps.py --table                     # only print what results/steps.json holds

`supervised` is trained as without a dev split, so that the last step is kept, and scored on documents that chose
nothing:
those of dev, or, where the set has none, labelled ones of train that the label budget leaves over. Test is not scored.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells, spread

CELLS = ("trec_fine:82", "bc5cdr:50", "bc5cdr:100", "sec_filings:50", "transaction_risk:60", "medical_cases_real:8")
"""Task and label budget."""
TIMES = (0.5, 1.0, 2.0)
MOST = 500
"""Documents that are scored at most."""
RESULTS = Cells("steps")


def measure(cell: str, times: float, seed: int, overrides: list[str]) -> dict[str, Any]:
    """The mean over the fields of what the last step scores (%), and how many steps there were."""
    from electra_ie.config.train import TrainSettings
    from electra_ie.data.label_budget import sample
    from electra_ie.data.task import Task
    from electra_ie.data.training_data import TrainingData
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import mean_score, predict, score_answers
    from electra_ie.training.setup import set_up
    from electra_ie.training.trainer import Trainer

    name, _, budget = cell.partition(":")
    task = Task.load(name)
    settings = TrainSettings.build(
        None, tuple(overrides), task=name, label_budget=int(budget), seed=seed, preset="supervised"
    )
    read = TrainingData.read(task, settings)
    taught = {each.id for each in read.train}
    others = [each for each in task.read("train") if each.gold and each.id not in taught]
    scored = read.dev or sample(others, MOST, seed)
    with tempfile.TemporaryDirectory() as folder:
        run, data = Path(folder) / "run", replace(read, dev=[])
        steps = round(times * (set_up(task, settings, data, run).settings.max_steps or 0))
        Trainer(set_up(task, settings.replace(max_steps=steps), data, run), run).run()
        scores = score_answers(task.fields, scored, predict(Extractor.from_pretrained(f"{folder}/run"), scored))
    return {"score": round(100 * mean_score(scores), 2), "steps": steps, "scored": len(scored), "settings": overrides}


def table() -> str:
    """Markdown: a row for each cell, a column for each number of steps, over the seeds that all columns have."""
    lines = ["| set | steps by the rule | half | the rule | twice | documents scored |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    means: list[list[float]] = []
    for cell in CELLS:
        found = [RESULTS.matching(f"{cell} | {times:g} | ") for times in TIMES]
        seeds = sorted(set.intersection(*(set(each) for each in found)))
        if not seeds:
            continue
        scores = [[each[seed]["score"] for seed in seeds] for each in found]
        means.append([statistics.mean(each) for each in scores])
        rule = found[TIMES.index(1.0)][seeds[0]]
        lines.append(f"| {cell} | {rule['steps']} | {' | '.join(map(spread, scores))} | {rule['scored']} |")
    if means:
        shown = " | ".join(f"{statistics.mean(each):.1f}" for each in zip(*means, strict=True))
        lines.append(f"| mean | | {shown} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], help="settings of train, key=value")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    for seed in [] if given.table else given.seeds:
        for cell in given.cells:
            for times in TIMES:
                RESULTS.fill(f"{cell} | {times:g} | {seed}", partial(measure, cell, times, seed, given.set))
    print(table())


if __name__ == "__main__":
    main()
