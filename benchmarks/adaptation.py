"""Fine-tuning on few labels after adapting the encoder to a domain with `pretrain`, against no adaptation.

    python benchmarks/adaptation.py --set precision=bf16      # dev scores of all objectives and budgets of text: a day
    python benchmarks/adaptation.py --steps 300 --labels 100  # part of it
    python benchmarks/adaptation.py --test                    # score test, each run once, for what dev has chosen
    python benchmarks/adaptation.py --table                   # only print what results/adaptation.json contains

The default encoder is adapted on biomedical sentences (without those of BC5CDR's dev and test splits). A step reads
2,048 tokens. Each number of steps is a run of its own, since its learning rate falls to 0 over the run. `supervised`
then fine-tunes the encoder on bc5cdr with the seeds 0, 1, 2. All choices are made on dev. Encoders are kept in --work,
outside the repository.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells, spread

TEXT = Path(__file__).parents[2] / "shared" / "data" / "biomedical_text"
RESULTS = Cells("adaptation")
NONE = "none"
TOKENS = 16 * 128
"""Tokens in a step, by the default settings."""
USUAL = "precision=bf16"
"""The setting that all encoders of the table have in common, which is not shown in their names."""


def adapted(objective: str, steps: int, work: Path, settings: list[str]) -> str:
    """Return the folder of an adapted encoder, which is trained if it does not exist yet."""
    import electra_ie
    from electra_ie.config.train import EMBEDDED

    if objective == NONE:
        return EMBEDDED
    folder = work / "-".join([objective, str(steps), *settings])
    resume = (folder / "run.yaml").is_file()
    electra_ie.pretrain([TEXT], folder, objective=objective, max_steps=steps, overrides=settings, resume=resume)
    return str(folder)


def fine_tune(encoder: str, labels: int, seed: int, split: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the strict F1 (%) of `supervised` on a split of bc5cdr, and on dev."""
    import electra_ie

    folder = Path(tempfile.mkdtemp()) / "run"
    electra_ie.train("bc5cdr", folder, encoder=encoder, label_budget=labels, seed=seed, overrides=list(settings))
    if split == "test":
        electra_ie.evaluate(folder, "test")
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    shutil.rmtree(folder.parent)
    (dev,), (f1,) = ([round(100 * score["f1"], 2) for score in scores[name].values()] for name in ("dev", split))
    return {"f1": f1, "dev": dev}


def encoder_key(objective: str, steps: int, settings: list[str]) -> str:
    return " ".join([objective] if objective == NONE else [objective, str(steps), *settings])


def fill(arguments: argparse.Namespace, split: str) -> None:
    """Measure all cells that are missing."""
    objectives = [objective for objective in arguments.objectives if objective != NONE]
    variants = [(NONE, 0)] * (NONE in arguments.objectives)
    variants += [(objective, steps) for steps in arguments.steps for objective in objectives]
    for objective, steps in variants:
        for labels in arguments.labels:
            for seed in arguments.seeds:
                name = f"{split} | {encoder_key(objective, steps, arguments.set)} | {labels} | {seed}"
                RESULTS.fill(name, partial(measure, objective, steps, labels, seed, split, arguments))


def measure(
    objective: str, steps: int, labels: int, seed: int, split: str, arguments: argparse.Namespace
) -> dict[str, Any]:
    return fine_tune(adapted(objective, steps, arguments.work, arguments.set), labels, seed, split)


def table(split: str) -> str:
    """Return a Markdown table: a row for each encoder, a column for each number of labels; missing cells are empty."""
    cells = RESULTS.matching(f"{split} | ")
    if split == "dev":  # a run that is scored on test is scored on dev, too
        cells |= {name: {**result, "f1": result["dev"]} for name, result in RESULTS.matching("test | ").items()}
    scores: dict[str, dict[int, list[float]]] = {}
    for name, result in cells.items():
        encoder, labels, _ = name.split(" | ")
        scores.setdefault(encoder, {}).setdefault(int(labels), []).append(result["f1"])
    columns = sorted({labels for by_labels in scores.values() for labels in by_labels})
    lines = [f"| encoder, {split} | tokens seen | " + " | ".join(f"{labels} labels" for labels in columns) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(columns))
    for encoder, by_labels in sorted(scores.items(), key=lambda item: (_steps(item[0]), item[0])):
        shown = [spread(by_labels[labels]) if labels in by_labels else "" for labels in columns]
        name = " ".join(word for word in encoder.split() if word not in (str(_steps(encoder)), USUAL))
        lines.append(f"| {name} | {_steps(encoder) * TOKENS / 1e6:.1f} M | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _steps(encoder: str) -> int:
    words = encoder.split()
    return int(words[1]) if len(words) > 1 else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objectives", nargs="+", default=[NONE, "electra", "mlm"])
    parser.add_argument("--steps", nargs="+", type=int, default=[300, 1130, 2260])
    parser.add_argument("--labels", nargs="+", type=int, default=[50, 100, 500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], help="settings of pretrain, key=value")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "electra_ie_adaptation")
    parser.add_argument("--test", action="store_true", help="score test instead of dev")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    split = "test" if arguments.test else "dev"
    if not arguments.table:
        fill(arguments, split)
    print(table(split))


if __name__ == "__main__":
    main()
