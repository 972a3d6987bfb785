"""Number of steps without a dev split: the rule of `TrainSettings.steps`, half and twice as many.

    python benchmarks/steps.py                             # every cell, three seeds; about four hours of one core
    python benchmarks/steps.py --table                     # only print what results/steps.json contains

`supervised` is trained as without a dev split, so that the last step is kept, and scored on documents that chose
nothing: those of dev, or for a set without dev, labeled documents of train outside the label budget. Test is not
scored. Label draws are stratified.
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
"""Numbers of steps, relative to the rule."""
MAX_SCORED = 500
"""Maximum number of documents that are scored."""
RESULTS = Cells("steps")


def measure(cell: str, times: float, seed: int, overrides: list[str]) -> dict[str, Any]:
    """Return the mean score (%) over the fields after the last step, and the number of steps."""
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
        None, tuple(overrides), task=name, label_budget=int(budget), label_draw="stratified", seed=seed,
        preset="supervised",
    )  # fmt: skip
    data = TrainingData.read(task, settings)
    trained_on = {document.id for document in data.train}
    others = [document for document in task.read("train") if document.gold and document.id not in trained_on]
    scored = data.dev or sample(others, MAX_SCORED, seed)
    with tempfile.TemporaryDirectory() as folder:
        run, without_dev = Path(folder) / "run", replace(data, dev=[])
        steps = round(times * (set_up(task, settings, without_dev, run).settings.max_steps or 0))
        Trainer(set_up(task, settings.replace(max_steps=steps), without_dev, run), run).run()
        scores = score_answers(task.fields, scored, predict(Extractor.from_pretrained(f"{folder}/run"), scored))
    return {"score": round(100 * mean_score(scores), 2), "steps": steps, "scored": len(scored), "settings": overrides}


def table() -> str:
    """Return a Markdown table with a row for each cell and a column for each number of steps.

    The means are over the seeds that all columns have.
    """
    lines = ["| set | steps by the rule | half | the rule | twice | documents scored |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    means: list[list[float]] = []
    for cell in CELLS:
        results = [RESULTS.matching(f"{cell} | {times:g} | ") for times in TIMES]
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in results)))
        if not seeds:
            continue
        scores = [[by_seed[seed]["score"] for seed in seeds] for by_seed in results]
        means.append([statistics.mean(column) for column in scores])
        rule = results[TIMES.index(1.0)][seeds[0]]
        lines.append(f"| {cell} | {rule['steps']} | {' | '.join(map(spread, scores))} | {rule['scored']} |")
    if means:
        shown = " | ".join(f"{statistics.mean(column):.1f}" for column in zip(*means, strict=True))
        lines.append(f"| mean | | {shown} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], help="settings of train, key=value")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    for seed in [] if arguments.table else arguments.seeds:
        for cell in arguments.cells:
            for times in TIMES:
                RESULTS.fill(f"{cell} | {times:g} | {seed}", partial(measure, cell, times, seed, arguments.set))
    print(table())


if __name__ == "__main__":
    main()
