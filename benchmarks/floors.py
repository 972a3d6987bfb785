"""`supervised` and `latent` with default settings on real sets: mean and spread over seeds.

Each run is scored on test once.

    python benchmarks/floors.py                       # every cell, three seeds (hours on two cores)
    python benchmarks/floors.py --cells bc5cdr:100    # one cell
    python benchmarks/floors.py --table               # only print what results/floors.json contains

Finished trainings are kept in results/floors.json and not repeated, so that an interrupted run continues where it was.
The test splits are those of few_labels.py, which were scored before and after this benchmark.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells, spread

CELLS = ("bc5cdr:all", "bc5cdr:100", "trec_fine:all")
"""Task and label budget."""
PRESETS = ("supervised", "latent")
RESULTS = Cells("floors")


def measure(task: str, labels: int | None, preset: str, seed: int) -> dict[str, Any]:
    """Train once with default settings and score test once."""
    import electra_ie

    folder = Path(tempfile.mkdtemp()) / "run"
    electra_ie.train(task, folder, label_budget=labels, preset=preset, seed=seed)
    scores = electra_ie.evaluate(folder, "test")
    training = json.loads((folder / "scores.json").read_text("utf-8"))["training"]
    shutil.rmtree(folder.parent)
    score = next(iter(scores.fields.values()))
    return {
        "score": round(100 * (score.value or 0), 2),
        "metric": score.metric,
        "seconds": training["seconds"],  # wall time on a shared machine: few_labels.py compares costs
        "steps": training["steps"],
    }


def run(cells: list[str], presets: list[str], seeds: list[int]) -> None:
    """Measure all cells that are missing, and save after each training."""
    for seed in seeds:
        for cell in cells:
            task, _, budget = cell.partition(":")
            labels = None if budget == "all" else int(budget)
            for preset in presets:
                RESULTS.fill(f"{cell} {preset} {seed}", partial(measure, task, labels, preset, seed))


def table() -> str:
    """Return a Markdown table with a row for each cell."""
    lines = ["| set | metric | supervised | latent | seeds |"]
    lines.append("| --- | --- | ---: | ---: | --- |")
    for cell in CELLS:
        results = {preset: RESULTS.matching(f"{cell} {preset} ") for preset in PRESETS}
        measured = next((by_seed for by_seed in results.values() if by_seed), None)
        if not measured:
            continue
        seeds = "; ".join(f"{preset} {', '.join(map(str, by_seed))}" for preset, by_seed in results.items() if by_seed)
        shown = [spread(result["score"] for result in results[preset].values()) for preset in PRESETS]
        metric = next(iter(measured.values()))["metric"]
        lines.append(f"| {cell} | {metric} | {shown[0]} | {shown[1]} | {seeds} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="`supervised` and `latent` with default settings on real sets.")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if not arguments.table:
        run(arguments.cells, arguments.presets, arguments.seeds)
    print(table())


if __name__ == "__main__":
    main()
