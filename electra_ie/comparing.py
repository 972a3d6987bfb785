"""compare: every preset on the same labels, dev split and effort; what it brings and what it costs, in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
import yaml

from electra_ie import plots
from electra_ie.comparison import Cell, Comparison, Outcome
from electra_ie.console import notice
from electra_ie.errors import UserError, nearest
from electra_ie.evaluation import mean_score, score_run
from electra_ie.persistence import refuse_other_recipe
from electra_ie.recipe import PRESETS, Recipe
from electra_ie.run_files import CARD, RECIPE, SCORES, check_output, is_finished, write
from electra_ie.settings import PLAYERS
from electra_ie.task import Task
from electra_ie.training import train_run

RESULT, PLOT, RUNS, WINNER = "compare.json", "curve.png", "runs", "winner"
AUTO, CONTROL, COMPARISON, SEEDS = "auto", "control", "comparison", 3
"""The preset that stands for the winner of a comparison, the safe one, where the comparison lies, its seeds."""
VARIED = ("labels", "seed", "preset")
"""What differs between the runs of a comparison; all else is alike."""


def compare(
    task: str,
    output: str | os.PathLike[str] | None = None,
    *,
    labels: Sequence[int] = (),
    presets: Sequence[str] = ("control", "adversarial"),
    seeds: int | Sequence[int] = 3,
    split: str = "dev",
    jobs: int | None = None,
    recipe: str | os.PathLike[str] | None = None,
    settings: Sequence[str] = (),
    resume: bool = False,
    **given: Any,
) -> Path:
    """Train every preset at every label budget with several seeds, and say whether the others beat the first.

    output: a folder for compare.json, curve.png, the runs, and the winner as a ready run (default
    runs/<task>-comparison). labels: the budgets; none means all labels. seeds: how many, from 0 on, or which. split:
    what is scored; dev chooses checkpoints whichever it is. jobs: runs at once, each a process with a GPU of its own
    where there are several (default: one a GPU). recipe, settings, given: as for `train`, for all runs alike. resume:
    go on with the comparison in `output`; it may have more budgets, presets or seeds than before.

    Raises UserError for whatever is wrong with the input, before anything is trained.
    """
    plan = Recipe.build(recipe, tuple(settings), task=task, **given)
    made = Task.load(plan.task, plan.data)
    folder = Path(output or f"runs/{made.name}-comparison")
    budgets: list[int | None] = [*sorted(set(labels))] or [None]
    _check(made, plan, presets, split)
    check_output(folder, resume)
    if resume:
        refuse_other_recipe(Recipe.build(folder / RECIPE), plan, folder)
    else:
        write(folder / RECIPE, yaml.safe_dump(_base(plan), sort_keys=False, allow_unicode=True))
    several = range(seeds) if isinstance(seeds, int) else seeds
    cells = [Cell(budget, seed, preset) for seed in several for budget in budgets for preset in presets]
    _train_all([cell for cell in cells if not is_finished(folder / RUNS / cell.name)], folder, plan, jobs)
    outcomes = {cell: _outcome(folder / RUNS / cell.name, split) for cell in cells}
    found = Comparison(outcomes, presets, [field.kind for field in made.fields])
    write(folder / RESULT, json.dumps({"task": made.name, "split": split, **found.as_dict()}, indent=2) + "\n")
    plots.learning_curve(found.as_dict()["budgets"], found.unit, folder / PLOT, f"{made.name}, {split}")
    shutil.rmtree(folder / WINNER, ignore_errors=True)
    shutil.copytree(folder / RUNS / found.best.name, folder / WINNER)
    return folder


def train_winner(
    task: str,
    output: str | os.PathLike[str] | None,
    *,
    recipe: str | os.PathLike[str] | None,
    settings: Sequence[str],
    resume: bool,
    **given: Any,
) -> Path:
    """A run of the preset that wins a comparison with three seeds at the labels given; of control where there is no dev
    split to compare on. The comparison's result is kept in the run's folder. Arguments as for `commands.train`."""
    plan = Recipe.build(recipe, tuple(settings), task=task, **given)
    made = Task.load(plan.task, plan.data)
    folder = Path(output or f"runs/{made.name}-{AUTO}-{plan.seed}")
    if "dev" not in made.splits:
        notice(f"preset {AUTO}: without a dev split nothing can be compared; {CONTROL} it is.")
        train_run(made, plan, folder, resume)
        return folder
    inner = folder / COMPARISON
    if resume and is_finished(folder):
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        return folder
    if not resume:
        check_output(folder, resume)
    same = {name: value for name, value in given.items() if name not in VARIED}
    compare(
        task, inner, labels=[plan.labels] if plan.labels else [], presets=list(PRESETS), recipe=recipe,
        seeds=range(plan.seed, plan.seed + SEEDS), settings=settings, resume=(inner / RECIPE).is_file(), **same,
    )  # fmt: skip
    found = json.loads((inner / RESULT).read_text("utf-8"))
    notice(f"preset {AUTO}: {found['verdict']}")
    winner = Cell(plan.labels, plan.seed, found["winner"])
    run = inner / RUNS / winner.name
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns(CARD), dirs_exist_ok=True)
    write(folder / CARD, (run / CARD).read_text("utf-8"))  # last: with it the run is finished
    for rest in (RUNS, WINNER):
        shutil.rmtree(inner / rest)
    return folder


def _check(task: Task, plan: Recipe, presets: Sequence[str], split: str) -> None:
    """Raises UserError for a comparison that cannot be."""
    if split not in task.splits:
        raise UserError(
            f'the task has no split "{split}".',
            file=task.file,
            remedy=f"Give --split, one of: {', '.join(task.splits)}.",
        )
    for preset in presets:
        if preset not in PRESETS:
            raise UserError(f'unknown preset "{preset}".', remedy=nearest(preset, PRESETS))
    if len(set(presets)) < len(presets):
        raise UserError("a preset is given twice.", remedy="Give each once; the first is the baseline.")
    if any(getattr(plan, player) != PRESETS[plan.preset][player] for player in PLAYERS):
        raise UserError(
            "terms of a player are set.", remedy="Leave them out: the presets that are compared decide them."
        )


def _base(plan: Recipe) -> dict[str, Any]:
    """The settings that all runs have in common."""
    return {name: value for name, value in plan.as_dict().items() if name not in (*VARIED, *PLAYERS)}


def _train_all(cells: Sequence[Cell], folder: Path, plan: Recipe, jobs: int | None) -> None:
    """Train what is not trained yet: one after another here, or several at once in processes of their own."""
    gpus = torch.cuda.device_count()
    at_once = jobs or max(1, gpus)
    for cell in cells:
        run = folder / RUNS / cell.name
        if run.is_dir() and not (run / RECIPE).is_file():  # killed before there was anything to resume
            shutil.rmtree(run)
    if at_once == 1:
        for number, cell in enumerate(cells, start=1):
            notice(f"run {number} of {len(cells)}: {cell.name}")
            run = folder / RUNS / cell.name
            mine = Recipe.build(folder / RECIPE, **vars(cell))
            train_run(Task.load(mine.task, mine.data), mine, run, resume=(run / RECIPE).is_file())
        return
    free: SimpleQueue[int] = SimpleQueue()
    for number in range(at_once):
        free.put(number)
    with ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(_train_apart, cell, folder, plan, free, gpus, at_once) for cell in cells]
        try:
            for number, each in enumerate(as_completed(waiting), start=1):
                notice(f"run {number} of {len(cells)} done: {each.result()}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _train_apart(cell: Cell, folder: Path, plan: Recipe, free: SimpleQueue[int], gpus: int, at_once: int) -> str:
    """Train a run in a process of its own; its name. Raises UserError with what that process says is wrong."""
    run, place = folder / RUNS / cell.name, free.get()
    command = [sys.executable, "-m", "electra_ie", "train", plan.task, "--output", str(run)]
    command += ["--recipe", str(folder / RECIPE), "--seed", str(cell.seed), "--preset", cell.preset]
    command += ["--labels", str(cell.labels)] if cell.labels else []
    command += ["--resume"] if (run / RECIPE).is_file() else []
    environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // at_once)), **os.environ}
    if gpus > 1:
        environment["CUDA_VISIBLE_DEVICES"] = str(place % gpus)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    finally:
        free.put(place)
    if done.returncode:
        last = (done.stderr.strip() or "it ended without a word").splitlines()[-1].removeprefix("error: ")
        raise UserError(f"{cell.name}: {last}", remedy="Go on with --resume when it is mended.")
    return cell.name


def _outcome(run: Path, split: str) -> Outcome:
    """What a finished run scores; a split that it was not scored on yet is scored now."""
    scores = json.loads((run / SCORES).read_text("utf-8"))
    if split not in scores:
        score_run(run, split)
        scores = json.loads((run / SCORES).read_text("utf-8"))
    dev = 100 * mean_score(scores["dev"]) if "dev" in scores else None
    return Outcome(100 * mean_score(scores[split]), dev, scores["training"]["seconds"])
