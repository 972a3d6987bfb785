"""compare: every preset on the same labels, dev split and seeds; what it brings and what it costs, in one sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.files import CARD, locked, parse, refuse_within, write
from electra_ie.common.logs import notice, warn
from electra_ie.comparison.statistics import Comparison, RunKey, RunScore
from electra_ie.comparison.workers import run_processes
from electra_ie.config.base import LOSS_FIELDS, check_same_settings
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.data.label_budget import sample
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import UNLABELED
from electra_ie.data.training_data import TrainingData, check_budget, unlabeled
from electra_ie.inference.scoring import mean_score, score_run, without_gold
from electra_ie.models.encoders import load_tokenizer, mask_token, resolve_revision
from electra_ie.runs import plots
from electra_ie.runs.layout import COMPARED, COMPARISON, SETTINGS, WINNER, check_output, is_finished, read_scores
from electra_ie.runs.model_card import model_card
from electra_ie.runs.provenance import code_now, read_audit
from electra_ie.training.trainer import train_run

PLAN, BASE, PLOT = "plan.json", "settings.yaml", "curve.png"
RUNS = "runs"
AUTO, CONTROL = "auto", "supervised"
"""The preset that stands for the winner of a comparison, and the safe one."""
DEFAULTS: dict[str, Any] = {
    "label_budgets": [None],
    "presets": ["supervised", "adversarial"],
    "seeds": [0, 1, 2],
    "split": "dev",
}
VARIED = ("label_budget", "seed", "preset")
"""What differs between the runs of a comparison; all else is alike."""


@dataclass(frozen=True)
class Plan:
    """What is compared. label_budgets: None is all labels. The first preset is the baseline."""

    label_budgets: list[int | None]
    presets: list[str]
    seeds: list[int]
    split: str

    @property
    def cells(self) -> list[RunKey]:
        """Seed by seed, so that an interrupted comparison has whole seeds; who has a teacher comes last."""
        presets = sorted(self.presets, key=_is_taught)
        return [
            RunKey(labels, seed, preset) for seed in self.seeds for labels in self.label_budgets for preset in presets
        ]


def compare(
    task: str,
    output: str | os.PathLike[str] | None = None,
    *,
    label_budgets: Sequence[int] | None = None,
    presets: Sequence[str] | None = None,
    seeds: int | None = None,
    split: str | None = None,
    jobs: int | None = None,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    **given: Any,
) -> Path:
    """Train every preset at every label budget with several seeds, and say whether the others beat the first.

    output: a folder for compare.json, curve.png, the runs, and the winner as a ready run (default
    runs/<task>-comparison). label_budgets: numbers of labeled documents (default: all labels). presets: the baseline
    first (default: control,
    adversarial). seeds: how many, from 0 on (default 3). split: what is scored (default dev); dev chooses checkpoints
    whichever it is. jobs: runs at once, each a process with a GPU of its own where there are several (default: one a
    GPU). recipe, settings, given: as for `train`, for all runs alike. resume: go on with the comparison in `output`;
    what is not given is as it was, and there may be more budgets, presets and seeds.

    Raises UserError for whatever is wrong with the input, before anything is trained.
    """
    folder = Path(output or f"runs/{Task.load(task, given.get('data')).name}-comparison")
    if resume and not (folder / PLAN).is_file():
        raise UserError("there is no comparison to resume.", file=folder, remedy="Leave --resume out to begin one.")
    plan = TrainSettings.build(folder / BASE if resume else settings, tuple(overrides), task=task, **given)
    _refuse(plan, (*VARIED, *LOSS_FIELDS))
    asked: dict[str, Any] = {
        "label_budgets": sorted(set(label_budgets)) if label_budgets else None,
        "presets": list(presets) if presets else None,
    }
    asked |= {"seeds": None if seeds is None else list(range(seeds)), "split": split}
    run_comparison(folder, plan, asked, jobs, resume)
    return folder


def train_winner(
    task: str,
    output: str | os.PathLike[str] | None,
    *,
    settings: str | os.PathLike[str] | None,
    overrides: Sequence[str],
    resume: bool,
    **given: Any,
) -> Path:
    """A run of the preset that wins a comparison with three seeds at the labels given; of control where there is no dev
    split to compare on. The comparison's result is kept in the run's folder. Arguments as for `api.train`."""
    plan = TrainSettings.build(settings, tuple(overrides), task=task, **given)
    _refuse(plan, ("preset", *LOSS_FIELDS))
    made = Task.load(plan.task, plan.data)
    folder = Path(output or f"runs/{made.name}-{AUTO}-{plan.seed}")
    inner = folder / COMPARISON
    if "dev" not in made.splits:
        notice(f"preset {AUTO}: without a dev split nothing can be compared; {CONTROL} it is.")
        train_run(made, _base(plan).replace(label_budget=plan.label_budget, seed=plan.seed), folder, resume)
        return folder
    if not resume:
        check_output(folder, resume)
    elif is_finished(folder):
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        _clear(inner)
        return folder
    elif not (inner / PLAN).is_file():
        raise UserError(f"there is no run of the preset {AUTO} to resume.", file=folder, remedy="Begin another.")
    asked = {
        "label_budgets": [plan.label_budget],
        "seeds": [plan.seed + number for number in range(3)],
        "presets": DEFAULTS["presets"],
    }
    found = run_comparison(inner, plan, asked, None, resume)
    notice(f"preset {AUTO}: {found.verdict}")
    run = inner / RUNS / RunKey(plan.label_budget, plan.seed, found.winner).name
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns(CARD), dirs_exist_ok=True)
    write(folder / CARD, model_card(folder))  # last: with it the run is finished
    _clear(inner)
    return folder


def run_comparison(
    folder: Path, settings: TrainSettings, asked: dict[str, Any], jobs: int | None, resume: bool
) -> Comparison:
    """Train what is not trained yet, compare all, and leave result, plot and winner in `folder`.

    asked: fields of `Plan`; None, or nothing, for what it was before, or else by default.
    """
    base = _base(settings).replace(encoder=resolve_revision(settings.encoder))  # one for all runs
    task = Task.load(base.task, base.data)
    refuse_within(folder, [*task.paths, *base.unlabeled])
    known = parse((folder / PLAN).read_bytes(), folder / PLAN) if resume else {}
    told = {name: value for name, value in asked.items() if value is not None}
    before = {name: known.get(name, default) for name, default in DEFAULTS.items()}
    plan = Plan(**{**before, **told})
    corpus, pool = _check(task, base, plan)
    hashes = {"corpus": corpus, "pool": pool or known.get("pool")}
    if resume:
        check_same_settings(TrainSettings.build(folder / BASE), base, folder)
        # None of its presets may have read the pool so far.
        read = {"corpus": known.get("corpus"), "pool": known.get("pool") or pool}
        for what, named in (("corpus", "train or dev are"), ("pool", "the unlabelled texts are")):
            if read[what] != hashes[what]:
                remedy = "Begin another comparison: runs on other texts cannot be compared with these."
                raise UserError(f"{named} not what the comparison was begun with.", file=folder, remedy=remedy)
        _tell_of_old_runs(plan, Plan(**before), folder / RUNS)
    else:
        check_output(folder, resume=False)
    with locked(folder):
        write(folder / BASE, base.to_yaml(exclude=(*VARIED, *LOSS_FIELDS)))
        write(folder / PLAN, json.dumps({**vars(plan), **hashes}, indent=2) + "\n")
        _train_all(plan.cells, folder, jobs)
        found = Comparison(
            {cell: _outcome(folder / RUNS / cell.name, plan.split) for cell in plan.cells},
            plan.presets, [field.kind for field in task.fields],
        )  # fmt: skip
        result = {"task": task.name, "split": plan.split, **found.as_dict()}
        plots.learning_curve(result["budgets"], found.unit, folder / PLOT, f"{task.name}, {plan.split}")
        part = folder / f".{WINNER}.part"
        for old in (part, folder / WINNER):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(folder / RUNS / found.best.name, part)
        for place in (part / COMPARISON, folder):  # with the winner too: it may be taken elsewhere
            place.mkdir(exist_ok=True)
            write(place / COMPARED, json.dumps(result, indent=2) + "\n")
        write(part / CARD, model_card(part))  # anew: it tells of the comparison
        os.replace(part, folder / WINNER)
    return found


def _base(plan: TrainSettings) -> TrainSettings:
    """The recipe that all runs have in common."""
    return plan.replace(label_budget=None, seed=0, preset=CONTROL, discriminator={}, generator={})


def _refuse(plan: TrainSettings, names: Sequence[str]) -> None:
    """Raises UserError where the recipe decides what the runs of a comparison differ by."""
    for name in names:
        if getattr(plan, name) != getattr(_base(plan), name):
            remedy = (
                "Leave it out: the comparison sets label budgets, seeds and presets, and a preset sets the loss terms."
            )
            raise UserError(f"{name} is set in the recipe of a comparison.", remedy=remedy)


def _clear(comparison: Path) -> None:
    """Leave of a comparison only what it found."""
    for rest in (RUNS, WINNER):
        shutil.rmtree(comparison / rest, ignore_errors=True)


def _check(task: Task, base: TrainSettings, plan: Plan) -> tuple[str, str | None]:
    """The hashes of all labels and dev of the task, and of its unlabelled texts where a preset reads them. Raises
    UserError for a comparison that cannot be."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        remedy = "Start it without accelerate launch: --jobs N trains N runs at once."
        raise UserError("a comparison starts its processes itself.", remedy=remedy)
    splits = [split for split in task.splits if split not in ("train", UNLABELED)]  # what the runs do not learn from
    if plan.split not in splits:
        instead = f"Give --split {' or '.join(splits)}, or set" if splits else "Set"
        remedy = f"{instead} labelled documents of train aside as another split."
        raise UserError(f'the task has no split "{plan.split}" to score.', file=task.file, remedy=remedy)
    for preset in plan.presets:
        if preset not in PRESETS:
            raise UserError(f'unknown preset "{preset}".', remedy=nearest(preset, PRESETS))
    for name in ("presets", "seeds"):
        values = getattr(plan, name)
        if not values or len(set(values)) < len(values):
            raise UserError(f"{name} is {values}.", remedy="Give at least one, and each once.")
    for cell in plan.cells:
        base.replace(label_budget=cell.label_budget, seed=cell.seed)  # checks the values
    tokenizer = load_tokenizer(base.encoder)
    if any(_is_taught(preset) for preset in plan.presets):
        mask_token(tokenizer, base.encoder)
    _refuse_bare(task, plan, base)
    reading = any(_reads_pool(preset) for preset in plan.presets)
    corpus = TrainingData.read(task, base.replace(unlabeled=()) if reading else base)
    check_budget(max((labels for labels in plan.label_budgets if labels is not None), default=None), corpus.train)
    return corpus.hash, TrainingData([], unlabeled(task, base), []).hash if reading else None


def _refuse_bare(task: Task, plan: Plan, base: TrainSettings) -> None:
    """Raises UserError for a split without a label of any field: no score is defined there, so none can be compared. Of
    dev a run may read a part only, which its seed draws."""
    documents = task.read(plan.split)
    drawn = [(documents, "")]
    if plan.split == "dev" and len(documents) > base.max_dev_documents:
        drawn = [(sample(documents, base.max_dev_documents, seed), f" that seed {seed} draws") for seed in plan.seeds]
    for some, told in drawn:
        if len(without_gold(task.fields, some)) == len(task.fields):
            raise UserError(
                f'no document of the split "{plan.split}"{told} has a label: no score is defined there.',
                file=task.file, remedy="Label some, raise dev_limit, or compare on another split.",
            )  # fmt: skip


def _tell_of_old_runs(plan: Plan, before: Plan, runs: Path) -> None:
    """Runs that are not asked for any more are left out, and those that another version of this package has trained
    are compared all the same: neither silently."""
    if gone := sorted({cell.name for cell in before.cells} - {cell.name for cell in plan.cells}):
        notice(f"{runs}: left out of the comparison this time: {', '.join(gone)}.")
    now, finished = code_now(), [cell.name for cell in plan.cells if is_finished(runs / cell.name)]
    if other := [name for name in finished if read_audit(runs / name)["code"] != now]:
        warn(
            f"{runs}: another version of this package trained {len(other)} of these runs: {', '.join(other)}. "
            "The comparison takes them as they are; delete them and resume to train them anew."
        )


def _train_all(cells: Sequence[RunKey], folder: Path, jobs: int | None) -> None:
    """Train what is not trained yet: one after another here, or several at once in processes of their own."""
    left = [cell for cell in cells if not is_finished(folder / RUNS / cell.name)]
    for cell in left:
        run = folder / RUNS / cell.name
        if run.is_dir() and not (run / SETTINGS).is_file():  # killed before there was anything to resume
            shutil.rmtree(run)
    at_once = jobs or max(1, torch.cuda.device_count())
    if at_once > 1:
        named = {cell.name: cell for cell in left}
        # The supervised runs first: they teach the others.
        waves = [[name for name in named if _is_taught(named[name].preset) == taught] for taught in (False, True)]
        run_processes(waves, lambda name: _command(named[name], folder), folder / RUNS, at_once)
        return
    for number, cell in enumerate(left, start=1):
        notice(f"run {number} of {len(left)}: {cell.name}")
        run = folder / RUNS / cell.name
        mine = TrainSettings.build(folder / BASE, **vars(cell), **_without_pool(cell))
        resume = (run / SETTINGS).is_file()
        train_run(Task.load(mine.task, mine.data), mine, run, resume, teacher=_teacher(cell, folder))


def _command(cell: RunKey, folder: Path) -> list[str]:
    """The command that trains a run, without the program's name."""
    run = folder / RUNS / cell.name
    told = ["train", TrainSettings.build(folder / BASE).task, "--output", str(run), "--settings", str(folder / BASE)]
    told += ["--seed", str(cell.seed), "--preset", cell.preset]
    told += [] if cell.label_budget is None else ["--label-budget", str(cell.label_budget)]
    told += [f"--set={name}=[]" for name in _without_pool(cell)]
    if teacher := _teacher(cell, folder):
        told += ["--teacher", str(teacher)]
    return [*told, *(["--resume"] if (run / SETTINGS).is_file() else [])]


def _is_taught(preset: str) -> bool:
    return TrainSettings.build(preset=preset).has_teacher


def _reads_pool(preset: str) -> bool:
    return TrainSettings.build(preset=preset).has_generator


def _without_pool(cell: RunKey) -> dict[str, tuple[str, ...]]:
    """What a run that reads no unlabelled text is not given, so that it need not say that it reads none."""
    return {} if _reads_pool(cell.preset) else {"unlabeled": ()}


def _teacher(cell: RunKey, folder: Path) -> Path | None:
    """The run that teaches this one, if it has a teacher and the comparison has that run."""
    run = folder / RUNS / dataclasses.replace(cell, preset=CONTROL).name
    return run if _is_taught(cell.preset) and is_finished(run) else None


def _outcome(run: Path, split: str) -> RunScore:
    """What a finished run scores; a split that it was not scored on yet is scored now."""
    scores = read_scores(run)
    if split not in scores:
        scores = {**scores, split: score_run(run, split)}
    score, dev = (mean_score(scores[name]) if name in scores else None for name in (split, "dev"))
    if score is None:
        raise UserError(f'no score on the split "{split}" is defined for this run.', file=run, remedy="Label some.")
    training = scores["training"]
    points = None if dev is None else 100 * dev
    return RunScore(100 * score, points, training["seconds"], training["best_step"] == 0)
