"""Pretraining from scratch at equal compute: ELECTRA against a masked language model of the same size and text.

    python benchmarks/scratch.py                     # shape tiny: two hours of one core
    python benchmarks/scratch.py --shape small --steps 20000 --runs 3

The electra run gets --steps; the mlm run gets as many as cost the same, by the CPU time of a step of each, measured
alternately in this process (a step of ELECTRA includes its generator). Both use one vocabulary. They are compared by
fine-tuning with `supervised` on bc5cdr, dev split: every pretraining run with the seeds 0, 1, 2.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from adaptation import TEXT, fine_tune
from cells import Cells, spread

RESULTS = Cells("scratch")
OBJECTIVES = ("electra", "mlm")
LENGTH = 128
"""Tokens in a block."""


def cost(shape: str, vocab: int, batch: int) -> float:
    """Return the time of a step of electra relative to a step of mlm."""
    import torch

    from electra_ie.config.pretrain import PretrainSettings
    from electra_ie.pretraining.setup import set_up
    from electra_ie.pretraining.trainer import Pretrainer
    from electra_ie.training.loop import training_steps

    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    running, seconds = {}, {name: [] for name in OBJECTIVES}
    for name in OBJECTIVES:
        settings = PretrainSettings(
            paths=(str(TEXT),), objective=name, from_scratch=shape, vocab_size=vocab, max_steps=1_000, batch_size=batch
        )
        folder = Path(tempfile.gettempdir()) / "none"
        trainer = Pretrainer(set_up(settings, folder), folder, time.monotonic())
        trainer._set_peaks()
        running[name] = training_steps(trainer.setup.pair, trainer.setup.batches, trainer.setup.settings)
    for _ in range(8):
        for name, steps in running.items():
            began = clock()
            next(steps)
            seconds[name].append(clock() - began)
    return statistics.median(seconds["electra"]) / statistics.median(seconds["mlm"])


def measure(folder: Path, settings: dict[str, Any], labels: int, seed: int) -> dict[str, Any]:
    """Pretrain, unless this was done before, and fine-tune with trainable word embeddings, since they are new."""
    import electra_ie

    electra_ie.pretrain([TEXT], folder, resume=(folder / "run.yaml").is_file(), **settings)
    return fine_tune(str(folder), labels, seed, "dev", ["freeze_embeddings=false"])


def table(shape: str = "tiny", vocab: int = 8_000, batch: int = 8, steps: int = 16_000, labels: int = 500) -> str:
    """Return a Markdown table with a row for each objective."""
    case = f"{shape} {vocab} {batch} {steps}"
    ratio = RESULTS.load()[f"{case} | cost"]["ratio"]
    lines = [f"A step of electra costs {ratio:.2f} steps of mlm.", ""]
    lines += ["| objective | steps | tokens seen | F1 | by seed |", "| --- | ---: | ---: | ---: | --- |"]
    for name, count in _steps(steps, ratio).items():
        scores = [result["f1"] for result in RESULTS.matching(f"{case} | {name} | {labels} | ").values()]
        by_seed = ", ".join(f"{score:.1f}" for score in scores)
        lines.append(f"| {name} | {count:,} | {count * batch * LENGTH / 1e6:.1f} M | {spread(scores)} | {by_seed} |")
    return "\n".join(lines)


def _steps(electra_steps: int, ratio: float) -> dict[str, int]:
    """Return the numbers of steps of equal cost, by objective."""
    return {"electra": electra_steps, "mlm": round(electra_steps * ratio)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="tiny", choices=("tiny", "small", "base"))
    parser.add_argument("--vocab", type=int, default=8_000)
    parser.add_argument("--batch", type=int, default=8, help="blocks of 128 tokens in a step")
    parser.add_argument("--steps", type=int, default=16_000, help="of electra; 4,500 are one pass over the text")
    parser.add_argument("--runs", type=int, default=1, help="pretraining runs of each objective, with different seeds")
    parser.add_argument("--labels", nargs="+", type=int, default=[500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of fine-tuning")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "electra_ie_scratch")
    arguments = parser.parse_args()
    size = (arguments.shape, arguments.vocab, arguments.batch)
    case = " ".join(map(str, (*size, arguments.steps)))
    ratio = RESULTS.fill(f"{case} | cost", lambda: {"ratio": round(cost(*size), 3)})["ratio"]
    steps = _steps(arguments.steps, ratio)
    for run, labels, seed in itertools.product(range(arguments.runs), arguments.labels, arguments.seeds):
        for name in OBJECTIVES:
            folder = arguments.work / f"{case} {name} {run}".replace(" ", "-")
            settings = {"objective": name, "max_steps": steps[name], "seed": run, "batch_size": arguments.batch}
            settings |= {"from_scratch": arguments.shape, "vocab_size": arguments.vocab}
            RESULTS.fill(f"{case} | {name} | {labels} | {run} {seed}", partial(measure, folder, settings, labels, seed))
    for labels in arguments.labels:
        print(f"{labels} labels. {table(*size, arguments.steps, labels)}")


if __name__ == "__main__":
    main()
