"""What a step of `adversarial` costs beside one of `control`: CPU seconds, both in one process, turn by turn.

    python benchmarks/cost.py                  # about three minutes on two cores

CPU time, not the clock: it stays what it is when something else runs on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from electra_ie.batching import Batches
from electra_ie.corpus import Corpus
from electra_ie.loop import Step, play
from electra_ie.recipe import Recipe
from electra_ie.task import Task
from electra_ie.training import Training

BC5CDR, TREC = "bc5cdr", "trec_fine"
CASES = {f"{BC5CDR}, 100 labels": (BC5CDR, 100), f"{BC5CDR}, all labels": (BC5CDR, None), TREC: (TREC, None)}


def steps(name: str, labels: int | None, preset: str) -> Iterator[Step]:
    """The steps of a run, one at a time, written nowhere."""
    task = Task.load(name)
    recipe = Recipe(task=name, labels=labels, preset=preset)
    training = Training(task, recipe, Corpus.read(task, recipe), Path(tempfile.gettempdir()))
    recipe = training.recipe
    sizes = recipe.batch or 0, recipe.unlabeled_batch or 0
    batches = Batches(training.labelled, training.pool, sizes, training.cutter, task.fields, recipe.seed)
    return play(training.players, batches, recipe)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    number = parser.parse_args().steps
    print("| set | control, CPU s a step | adversarial, CPU s a step | ratio |\n| --- | ---: | ---: | ---: |")
    for case, (name, labels) in CASES.items():
        players = {preset: steps(name, labels, preset) for preset in ("control", "adversarial")}
        spent: dict[str, list[float]] = {preset: [] for preset in players}
        for _ in range(number):
            for preset, play_on in players.items():
                began = time.process_time()
                next(play_on)
                spent[preset].append(time.process_time() - began)
        # The median: the first steps also allocate memory.
        control, adversarial = (statistics.median(each) for each in spent.values())
        print(f"| {case} | {control:.2f} | {adversarial:.2f} | {adversarial / control:.1f} |", flush=True)


if __name__ == "__main__":
    main()
