"""Does adapting an encoder to a domain pay? Fine-tuning on few labels after `pretrain`, against no adaptation.

    python benchmarks/adaptation.py --set precision=bf16      # dev scores, both objectives, over budgets of text: a day
    python benchmarks/adaptation.py --steps 300 --labels 100  # part of it
    python benchmarks/adaptation.py --test                    # score test, each run once, for what dev has chosen
    python benchmarks/adaptation.py --table                   # only print what results/adaptation.json holds

The embedded encoder is adapted on biomedical sentences (BC5CDR's dev and test are not among them) for so many steps of
2,048 tokens, a run of its own for each number: the learning rate of each falls to 0. Then `supervised` fine-tunes it on
bc5cdr with the seeds 0, 1, 2. What is chosen is chosen on dev. Encoders are kept in --work, out of the repository.
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
"""Tokens in a step of the defaults."""
USUAL = "precision=bf16"
"""The setting that all encoders of the table were made with, and which it does not name."""


def adapted(objective: str, steps: int, work: Path, settings: list[str]) -> str:
    """The encoder of that budget, made now or before."""
    import electra_ie
    from electra_ie.config.train import EMBEDDED

    if objective == NONE:
        return EMBEDDED
    folder = work / "-".join([objective, str(steps), *settings])
    resume = (folder / "run.yaml").is_file()
    electra_ie.pretrain([TEXT], folder, objective=objective, max_steps=steps, overrides=settings, resume=resume)
    return str(folder)


def fine_tune(encoder: str, labels: int, seed: int, split: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Strict F1 (%) of `supervised` on bc5cdr."""
    import electra_ie

    folder = Path(tempfile.mkdtemp()) / "run"
    electra_ie.train("bc5cdr", folder, encoder=encoder, label_budget=labels, seed=seed, overrides=list(settings))
    if split == "test":
        electra_ie.evaluate(folder, "test")
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    shutil.rmtree(folder.parent)
    (dev,), (f1,) = ([round(100 * each["f1"], 2) for each in scores[name].values()] for name in ("dev", split))
    return {"f1": f1, "dev": dev}


def module_key(objective: str, steps: int, settings: list[str]) -> str:
    return " ".join([objective] if objective == NONE else [objective, str(steps), *settings])


def fill(given: argparse.Namespace, split: str) -> None:
    games = [each for each in given.objectives if each != NONE]
    variants = [(NONE, 0)] * (NONE in given.objectives) + [(each, steps) for steps in given.steps for each in games]
    for objective, steps in variants:
        for labels in given.labels:
            for seed in given.seeds:
                name = f"{split} | {module_key(objective, steps, given.set)} | {labels} | {seed}"
                RESULTS.fill(name, partial(measure, objective, steps, labels, seed, split, given))


def measure(
    objective: str, steps: int, labels: int, seed: int, split: str, given: argparse.Namespace
) -> dict[str, Any]:
    return fine_tune(adapted(objective, steps, given.work, given.set), labels, seed, split)


def table(split: str) -> str:
    """Markdown: a row for each encoder, a column for each number of labels; a cell that was not measured is empty."""
    cells = RESULTS.matching(f"{split} | ")
    if split == "dev":  # a run that is scored on test has been scored on dev before
        cells |= {name: {**each, "f1": each["dev"]} for name, each in RESULTS.matching("test | ").items()}
    found: dict[str, dict[int, list[float]]] = {}
    for name, each in cells.items():
        encoder, labels, _ = name.split(" | ")
        found.setdefault(encoder, {}).setdefault(int(labels), []).append(each["f1"])
    columns = sorted({labels for each in found.values() for labels in each})
    lines = [f"| encoder, {split} | tokens seen | " + " | ".join(f"{each} labels" for each in columns) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(columns))
    for encoder, each in sorted(found.items(), key=lambda item: (_steps(item[0]), item[0])):
        told = [spread(each[labels]) if labels in each else "" for labels in columns]
        name = " ".join(word for word in encoder.split() if word not in (str(_steps(encoder)), USUAL))
        lines.append(f"| {name} | {_steps(encoder) * TOKENS / 1e6:.1f} M | " + " | ".join(told) + " |")
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
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    split = "test" if given.test else "dev"
    if not given.table:
        fill(given, split)
    print(table(split))


if __name__ == "__main__":
    main()
