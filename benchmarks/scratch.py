"""From scratch at equal compute: an ELECTRA against a masked language model of the same shape, on the same text.

    python benchmarks/scratch.py                     # shape tiny: two hours of one core
    python benchmarks/scratch.py --shape small --steps 20000 --runs 3

The electra run gets --steps; the mlm run as many as cost the same, by the CPU time of a step of each, measured turn by
turn in this process (ELECTRA's counts its generator). Both learn one vocabulary, and are compared by fine-tuning with
`supervised` on bc5cdr, dev split: every run of pretraining with the seeds 0, 1, 2.
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
    """What a step of electra costs, in steps of mlm."""
    import torch

    from electra_ie.config.pretrain import PretrainSettings
    from electra_ie.pretraining.setup import set_up
    from electra_ie.training.loop import training_steps

    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    running, taken = {}, {name: [] for name in OBJECTIVES}
    for name in OBJECTIVES:
        settings = PretrainSettings(
            paths=(str(TEXT),), objective=name, from_scratch=shape, vocab_size=vocab, max_steps=1_000, batch_size=batch
        )
        session = set_up(settings, Path(tempfile.gettempdir()) / "none")
        session._set_peaks()
        running[name] = training_steps(session.pair, session.batches, session.settings)
    for _ in range(8):
        for name, steps in running.items():
            began = clock()
            next(steps)
            taken[name].append(clock() - began)
    return statistics.median(taken["electra"]) / statistics.median(taken["mlm"])


def measure(folder: Path, told: dict[str, Any], labels: int, seed: int) -> dict[str, Any]:
    """Pretrain, unless it was done before, and fine-tune (new word embeddings are not to be frozen)."""
    import electra_ie

    electra_ie.pretrain([TEXT], folder, resume=(folder / "run.yaml").is_file(), **told)
    return fine_tune(str(folder), labels, seed, "dev", ["freeze_embeddings=false"])


def table(shape: str = "tiny", vocab: int = 8_000, batch: int = 8, steps: int = 16_000, labels: int = 500) -> str:
    """Markdown: a row for each objective."""
    case = f"{shape} {vocab} {batch} {steps}"
    ratio = RESULTS.load()[f"{case} | cost"]["ratio"]
    lines = [f"A step of electra costs {ratio:.2f} steps of mlm.", ""]
    lines += ["| objective | steps | tokens seen | F1 | by seed |", "| --- | ---: | ---: | ---: | --- |"]
    for name, many in _steps(steps, ratio).items():
        found = [each["f1"] for each in RESULTS.matching(f"{case} | {name} | {labels} | ").values()]
        by_seed = ", ".join(f"{each:.1f}" for each in found)
        lines.append(f"| {name} | {many:,} | {many * batch * LENGTH / 1e6:.1f} M | {spread(found)} | {by_seed} |")
    return "\n".join(lines)


def _steps(of_electra: int, ratio: float) -> dict[str, int]:
    """Of each objective, at equal cost."""
    return {"electra": of_electra, "mlm": round(of_electra * ratio)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="tiny", choices=("tiny", "small", "base"))
    parser.add_argument("--vocab", type=int, default=8_000)
    parser.add_argument("--batch", type=int, default=8, help="blocks of 128 tokens in a step")
    parser.add_argument("--steps", type=int, default=16_000, help="of electra; 4,500 are one pass over the text")
    parser.add_argument("--runs", type=int, default=1, help="pretraining runs of each objective, each with its seed")
    parser.add_argument("--labels", nargs="+", type=int, default=[500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of fine-tuning")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "electra_ie_scratch")
    given = parser.parse_args()
    case = f"{given.shape} {given.vocab} {given.batch} {given.steps}"
    ratio = RESULTS.fill(f"{case} | cost", lambda: {"ratio": round(cost(given.shape, given.vocab, given.batch), 3)})[
        "ratio"
    ]
    steps = _steps(given.steps, ratio)
    for run, labels, seed in itertools.product(range(given.runs), given.labels, given.seeds):
        for name in OBJECTIVES:
            folder = given.work / f"{case} {name} {run}".replace(" ", "-")
            told = {"objective": name, "max_steps": steps[name], "seed": run, "batch_size": given.batch}
            told |= {"from_scratch": given.shape, "vocab_size": given.vocab}
            RESULTS.fill(f"{case} | {name} | {labels} | {run} {seed}", partial(measure, folder, told, labels, seed))
    for labels in given.labels:
        print(f"{labels} labels. {table(given.shape, given.vocab, given.batch, given.steps, labels)}")


if __name__ == "__main__":
    main()
