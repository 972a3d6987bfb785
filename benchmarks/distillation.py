"""Models distilled and exported from a run: score on test, speed, size and memory, each beside the run.

    python benchmarks/distillation.py bc5cdr:500 --seeds 0 --runs /tmp/distilled   # hours on two cores

A cell is TASK:LABELS. Runs that are in --runs already are not trained again. Writes results/distillation.json and
prints the table. The speed is that of a student relative to its run, in CPU seconds of extraction with one thread, both
measured in one go. Nothing is chosen on test.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells

STUDENTS: dict[str, dict[str, Any]] = {
    "static": {"to": "static"},
    "static, fasttext": {"to": "static", "vectors": "fasttext"},
    "1-layer": {"layers": 1},
    "2-layers": {"layers": 2},
    "3-layers": {"layers": 3},
    "onnx": {"bits": 32},
    "onnx-8-bits": {"bits": 8},
}
"""The models by name, and the options of `distill`, or of `export` if they have bits."""
KEPT = ("score", "characters_per_second", "megabytes", "memory")
RESULTS = Cells("distillation")


def measure(cell: str, seed: int, student: str, folder: Path) -> dict[str, Any]:
    """Return the measurements of a run and of one model made of it, after making those that are not in the folder."""
    import electra_ie
    from electra_ie.export.exporter import export_run
    from electra_ie.runs.layout import is_exported, is_finished

    task, _, labels = cell.partition(":")
    home = folder / f"{task}-{labels}-{seed}"
    runs = {"teacher": home / "teacher", "student": home / student.replace(", ", "-")}
    if not is_finished(runs["teacher"]):
        electra_ie.train(task, runs["teacher"], label_budget=int(labels), seed=seed, resume=runs["teacher"].exists())
    if "bits" in STUDENTS[student]:
        if not is_exported(runs["student"]):
            export_run(runs["teacher"], runs["student"], **STUDENTS[student])
    elif not is_finished(runs["student"]):
        resume = runs["student"].exists()
        electra_ie.distill(runs["teacher"], runs["student"], resume=resume, **STUDENTS[student])
    measured = electra_ie.compare_runs(list(runs.values()), "test")
    facts = {}
    if "bits" not in STUDENTS[student]:
        training = electra_ie.RunScores.read(runs["student"]).training
        facts = {name: training[name] for name in ("steps", "seconds", "unlabeled")}
    rows = {name: {key: getattr(each, key) for key in KEPT} for name, each in zip(runs, measured, strict=True)}
    return {**rows, "training": facts}


def table() -> str:
    """Return the table of docs/results.md: a row for each student, with the differences from the run that taught it."""
    lines = ["| labels | seed | student | run, test | student, test | difference | speed | MB | memory, MiB |"]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for key, result in sorted(RESULTS.load().items()):
        cell, seed, name = key.split("/")
        teacher, student = result["teacher"], result["student"]
        difference = 100 * (student["score"] - teacher["score"])
        speed = student["characters_per_second"] / teacher["characters_per_second"]
        lines.append(
            f"| {cell} | {seed} | {name} | {100 * teacher['score']:.1f} | {100 * student['score']:.1f} | "
            f"{difference:+.1f} | {speed:.1f} x | {student['megabytes']:.0f} of {teacher['megabytes']:.0f} | "
            f"{_memory(student)} of {_memory(teacher)} |"
        )
    return "\n".join(lines)


def _memory(row: dict[str, Any]) -> str:
    return "–" if row["memory"] is None else f"{row['memory']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="TASK:LABELS, such as bc5cdr:500")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--students", nargs="+", choices=STUDENTS, default=["3-layers", "2-layers", "1-layer", "static"]
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/distillation"), help="folder of the trained runs")
    options = parser.parse_args()
    for cell in options.cells:
        for seed in options.seeds:
            for name in options.students:
                RESULTS.fill(f"{cell}/{seed}/{name}", partial(measure, cell, seed, name, options.runs))
    print(table())


if __name__ == "__main__":
    main()
