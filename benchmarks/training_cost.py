"""CPU seconds and scores of training, at an earlier commit and now, alternately in one run.

    python benchmarks/training_cost.py                     # every cell, three seeds; hours of one core
    python benchmarks/training_cost.py --cells trec_fine:82 --seeds 0
    python benchmarks/training_cost.py --table             # only print what results/training_cost.json contains

The earlier commit is checked out into a temporary folder. Each training is a process of its own with one thread; its
seconds are those of the training without reading data. The labels are drawn in strata, the only way that the earlier
commit has. Dev is not used: the last step is kept, and scored on documents that chose nothing (see `steps.py`). Test is
not scored.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells, spread

CELLS = ("trec_fine:82", "bc5cdr:100", "sec_filings:50", "transaction_risk:60")
"""Task and label budget."""
BEFORE = "1d0406b"
"""The commit before the cost of training was reduced."""
PRESETS = {"before": ("supervised", "adversarial"), "now": ("supervised", "self_training", "adversarial")}
MAX_SCORED = 500
RESULTS = Cells("training_cost")
ROOT = Path(__file__).parents[1]


def train_and_score(cell: str, preset: str, seed: int, teacher: Path, folder: Path) -> dict[str, Any]:
    """Train with the package that is imported, and return CPU seconds and scores (%) by field."""
    import torch
    import yaml

    import electra_ie
    from electra_ie.config.train import TrainSettings
    from electra_ie.data.label_budget import sample
    from electra_ie.data.task import Task
    from electra_ie.data.training_data import TrainingData
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import predict, score_answers

    torch.set_num_threads(1)
    name, _, budget = cell.partition(":")
    task = Task.load(str(ROOT / "tasks" / name / "task.yaml"))  # both read the same data
    overrides = ["label_draw=stratified"] if "label_draw" in TrainSettings.model_fields else []
    settings = TrainSettings.build(None, tuple(overrides), task=name, label_budget=int(budget), seed=seed)
    began = time.process_time()
    data = TrainingData.read(task, settings)
    reading = time.process_time() - began
    trained_on = {document.id for document in data.train}
    others = [document for document in task.read("train") if document.gold and document.id not in trained_on]
    scored = sample(task.read("dev"), MAX_SCORED, seed) if "dev" in task.splits else sample(others, MAX_SCORED, seed)
    without_dev = {key: value for key, value in task.as_dict().items() if key != "name"}
    without_dev["files"] = {split: files for split, files in without_dev["files"].items() if split != "dev"}
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump(without_dev, sort_keys=False), encoding="utf-8")
    began = time.process_time()
    run = electra_ie.train(
        str(file), folder / preset, label_budget=int(budget), preset=preset, seed=seed, overrides=overrides,
        teacher=teacher if preset != "supervised" else None,
    ).path  # fmt: skip
    seconds = time.process_time() - began - reading
    scores = score_answers(task.fields, scored, predict(Extractor.from_pretrained(run), scored))
    if preset == "supervised":
        run.rename(teacher)
    main_scores = {field: round(100 * score[score["main"]], 2) for field, score in scores.items()}
    return {"cpu_seconds": round(seconds, 1), "scores": main_scores, "scored": len(scored)}


def measure(code: Path, cell: str, preset: str, seed: int, teachers: Path) -> dict[str, Any]:
    """Run `train_and_score` in a process that imports the package from `code`."""
    teacher = teachers / f"{cell.replace(':', '-')}-{seed}"
    if preset != "supervised" and not teacher.is_dir():  # its measurement is from an earlier call
        measure(code, cell, "supervised", seed, teachers)
    arguments = [cell, preset, str(seed), str(teacher)]
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--train", *arguments]
    done = subprocess.run(command, env=environment, cwd=code, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def table() -> str:
    """Return a Markdown table: a row for each cell, field and preset. Seconds of a student include its teacher's."""
    lines = ["| set | field | preset | score before | score now | CPU s before | CPU s now | ratio |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for cell in CELLS:
        for preset in PRESETS["now"]:
            # The earlier commit has no preset `self_training`; it is compared with `adversarial`.
            earlier = preset if preset in PRESETS["before"] else "adversarial"
            before, now = (
                RESULTS.matching(f"{cell} | {code} | {name} | ")
                for code, name in (("before", earlier), ("now", preset))
            )
            seeds = sorted(before.keys() & now.keys())
            if not seeds:
                continue
            seconds = [_seconds(cell, code, name, seeds) for code, name in (("before", earlier), ("now", preset))]
            for field in now[seeds[0]]["scores"]:
                scores = [spread(results[seed]["scores"][field] for seed in seeds) for results in (before, now)]
                shown = [cell, field, f"`{preset}`", *scores, f"{seconds[0]:.0f}", f"{seconds[1]:.0f}"]
                lines.append(f"| {' | '.join(shown)} | {seconds[1] / seconds[0]:.2f} |")
    return "\n".join(lines)


def _seconds(cell: str, code: str, preset: str, seeds: list[str]) -> float:
    """Return the mean CPU seconds over seeds, with those of the teacher."""
    presets = {preset, "supervised"}
    totals = [
        sum(RESULTS.load()[f"{cell} | {code} | {name} | {seed}"]["cpu_seconds"] for name in presets) for seed in seeds
    ]
    return statistics.mean(totals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only print the table")
    parser.add_argument("--train", nargs=4, metavar=("CELL", "PRESET", "SEED", "TEACHER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        cell, preset, seed, teacher = arguments.train
        with tempfile.TemporaryDirectory(dir=Path(teacher).parent) as folder:
            print(json.dumps(train_and_score(cell, preset, int(seed), Path(teacher), Path(folder))))
        return
    if not arguments.table:
        with tempfile.TemporaryDirectory() as name:
            folders = {code: Path(name) / code for code in PRESETS}
            for folder in folders.values():
                folder.mkdir()
            code_of = {"before": Path(name) / "code", "now": ROOT}
            git = ["git", "-C", str(ROOT)]
            subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(code_of["before"]), BEFORE], check=True)
            try:
                for seed in arguments.seeds:
                    for cell in arguments.cells:
                        for code, presets in PRESETS.items():
                            for preset in presets:
                                train = partial(measure, code_of[code], cell, preset, seed, folders[code])
                                RESULTS.fill(f"{cell} | {code} | {preset} | {seed}", train)
            finally:
                subprocess.run([*git, "worktree", "remove", "--force", str(code_of["before"])], check=True)
    print(table())


if __name__ == "__main__":
    main()
