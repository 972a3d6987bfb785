"""Train several presets on the same labels, dev split and seeds, and compare their scores and training times."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError, nearest
from electra_ie.common.files import CARD, locked, parse, refuse_within, write
from electra_ie.common.logs import notice, warn
from electra_ie.comparison.statistics import Comparison, RunKey, RunScore
from electra_ie.comparison.workers import run_processes
from electra_ie.config.base import LOSS_FIELDS, check_same_settings
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.data.document import Document
from electra_ie.data.fields import with_levels
from electra_ie.data.gold_checks import refuse_unlabeled_fields
from electra_ie.data.in_memory import Data, Unlabeled, resolve, task_name
from electra_ie.data.label_budget import check_budget, keep_labels, sample
from electra_ie.data.splits import UNLABELED
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData, unlabeled
from electra_ie.inference.scoring import score_run, without_gold
from electra_ie.metrics import mean_score
from electra_ie.models.encoders import load_tokenizer, mask_token, resolve_revision
from electra_ie.pretraining.adaptation import plan_adaptation
from electra_ie.runs import plots
from electra_ie.runs.code import code_now
from electra_ie.runs.layout import (
    COMPARED,
    COMPARISON,
    SETTINGS,
    TEACHER_STEP,
    WINNER,
    check_output,
    check_same_as_finished,
    is_finished,
    read_scores,
)
from electra_ie.runs.model_card import model_card
from electra_ie.runs.training_facts import TrainingFacts
from electra_ie.runs.verification import read_audit
from electra_ie.training.second_stage import check_anchored
from electra_ie.training.setup import refuse_latent_tracks
from electra_ie.training.trainer import train_run

CONFIG, BASE, PLOT = "plan.json", "settings.yaml", "curve.png"
RUNS = "runs"
AUTO, SUPERVISED = "auto", "supervised"
"""The name for the winner of a comparison, and the preset that is used where nothing can be compared."""
DEFAULTS: dict[str, Any] = {
    "label_budgets": [None],
    "presets": ["supervised", "self_training"],
    "seeds": [0, 1, 2],
    "split": "dev",
}
VARIED = ("label_budget", "seed", "preset")
"""The settings that differ between the runs of a comparison."""


@dataclass(frozen=True)
class ComparisonConfig:
    """The runs of a comparison.

    Attributes:
        label_budgets: Numbers of labeled documents; None is all of them.
        presets: The presets; the first one is the baseline.
        seeds: The seeds.
        split: The split that is scored.
    """

    label_budgets: list[int | None]
    presets: list[str]
    seeds: list[int]
    split: str

    @property
    def keys(self) -> list[RunKey]:
        """The runs in the order of training.

        Seed by seed, so that an interrupted comparison has complete seeds; presets with a teacher come last, because
        the supervised run of the same seed and budget is their teacher.
        """
        presets = sorted(self.presets, key=_has_teacher)
        return [
            RunKey(budget, seed, preset) for seed in self.seeds for budget in self.label_budgets for preset in presets
        ]


@check_types
def compare(  # noqa: PLR0913 - the options of a public function, all but two by keyword
    data: Data,
    /,
    output: str | os.PathLike[str] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    descriptions: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
    unlabeled: Unlabeled | None = None,
    label_budgets: Sequence[int] | None = None,
    presets: Sequence[str] | None = None,
    seeds: int | None = None,
    split: str | None = None,
    jobs: int | None = None,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    **kwargs: Any,
) -> Path:
    """Train every preset at every label budget with several seeds, and test whether the others beat the first.

    Args:
        data: A task name or path, a `Task`, or data in memory, as for `train`.
        output: The folder for compare.json, curve.png, the runs, and the winner as a finished run (default
            `runs/<task>-comparison`).
        fields: As for `train`.
        descriptions: As for `train`.
        hints: As for `train`.
        unlabeled: As for `train`.
        label_budgets: Numbers of labeled documents (default: all labels).
        presets: The presets, the baseline first (default: supervised, self_training).
        seeds: The number of seeds, from 0 on (default 3).
        split: The split that is scored (default dev). Checkpoints are always selected on dev.
        jobs: The number of simultaneous runs, each a process with its own GPU if there are several (default: one per
            GPU; one for data in memory, which only this process has).
        settings: As for `train`, for all runs.
        overrides: As for `train`, for all runs.
        resume: Continue the comparison in `output`. Arguments that are not given keep their values; budgets, presets
            and seeds may be added.
        kwargs: Settings, as for `train`.

    Returns:
        The output folder.

    Raises:
        UserError: The input is invalid. Everything is checked before the first training.
    """
    folder = Path(output or f"runs/{task_name(data, kwargs.get('data'))}-comparison")
    if resume and not (folder / CONFIG).is_file():
        raise UserError("there is no comparison to resume.", file=folder, remedy="Omit --resume to begin one.")
    file = folder / BASE if resume else settings
    task, base = resolve(
        data, file, overrides, fields=fields, descriptions=descriptions, hints=hints, unlabeled=unlabeled, **kwargs
    )
    _refuse_set(base, (*VARIED, *LOSS_FIELDS))
    requested: dict[str, Any] = {
        "label_budgets": sorted(set(label_budgets)) if label_budgets else None,
        "presets": list(presets) if presets else None,
    }
    requested |= {"seeds": None if seeds is None else list(range(seeds)), "split": split}
    run_comparison(folder, task, base, requested, jobs, resume)
    return folder


def train_winner(task: Task, base: TrainSettings, output: str | os.PathLike[str] | None, resume: bool) -> Path:
    """Train the preset that wins a comparison with three seeds at the given label budget.

    Without a dev split there is nothing to compare, and `supervised` is trained. The result of the comparison is kept
    in the folder of the run.

    Args:
        task: The task.
        base: The settings, without a preset.
        output: The folder of the run (default `runs/<task>-auto-<seed>`).
        resume: Resume the comparison or the run in `output`.

    Returns:
        The folder of the run.
    """
    _refuse_set(base, ("preset", *LOSS_FIELDS))
    folder = Path(output or f"runs/{task.name}-{AUTO}-{base.seed}")
    inner = folder / COMPARISON
    if "dev" not in task.splits:
        notice(f"preset {AUTO}: {SUPERVISED} is trained, since presets cannot be compared without a dev split.")
        settings_of_run = _common(base).replace(label_budget=base.label_budget, seed=base.seed)
        if resume:
            check_same_as_finished(folder, settings_of_run, ("task",))
        train_run(task, settings_of_run, folder, resume, plan_adaptation=plan_adaptation)
        return folder
    if not resume:
        check_output(folder, resume)
    elif not (inner / CONFIG).is_file():
        remedy = "Omit --resume to begin one."
        raise UserError(f"there is no run of the preset {AUTO} to resume.", file=folder, remedy=remedy)
    elif is_finished(folder):
        known = parse((inner / CONFIG).read_bytes(), inner / CONFIG)
        began_with = TrainSettings.build(
            inner / BASE, label_budget=known["label_budgets"][0], seed=min(known["seeds"]), preset=base.preset
        )
        check_same_settings(began_with.replace(task=base.task), base, folder)
        notice(f"{folder}: this run is finished; there is nothing to resume.")
        _remove_runs(inner)
        return folder
    requested = {
        "label_budgets": [base.label_budget],
        "seeds": [base.seed + offset for offset in range(3)],
        "presets": DEFAULTS["presets"],
    }
    comparison = run_comparison(inner, task, base, requested, None, resume)
    notice(f"preset {AUTO}: {comparison.verdict}")
    run = inner / RUNS / RunKey(base.label_budget, base.seed, comparison.winner).name
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns(CARD), dirs_exist_ok=True)
    write(folder / CARD, model_card(folder))  # last: a run with a card counts as finished
    _remove_runs(inner)
    return folder


def run_comparison(
    folder: Path, task: Task, settings: TrainSettings, requested: dict[str, Any], jobs: int | None, resume: bool
) -> Comparison:
    """Train the missing runs, compare all runs, and write result, plot and winner to `folder`.

    requested: values of `ComparisonConfig`. None, or a missing key, is the value of the resumed comparison or the
    default.
    """
    # A branch on the Hub is resolved to a commit once, so that all runs have the same encoder.
    base = _common(settings).replace(encoder=resolve_revision(settings.encoder))
    if task.memory and (jobs or 1) > 1:
        remedy = "Omit jobs, or save the records as JSON lines in the folder of a task."
        raise UserError(f"jobs is {jobs}: data in memory cannot be sent to other processes.", remedy=remedy)
    refuse_within(folder, [*task.paths, *base.unlabeled])
    known = parse((folder / CONFIG).read_bytes(), folder / CONFIG) if resume else {}
    before = {name: known.get(name, default) for name, default in DEFAULTS.items()}
    config = ComparisonConfig(**{**before, **{name: value for name, value in requested.items() if value is not None}})
    hashes = {name: value or known.get(name) for name, value in _check(task, base, config).items()}
    if resume:
        check_same_settings(TrainSettings.build(folder / BASE), base, folder)
        for name, value in hashes.items():
            # The unlabeled texts and the hints have no hash yet if none of the presets so far has read them.
            if known.get(name) not in (None, value):
                remedy = "Begin another comparison: runs on different data cannot be compared."
                raise UserError(f"the {name} are not what the comparison was begun with.", file=folder, remedy=remedy)
        _report_old_runs(config, ComparisonConfig(**before), folder / RUNS)
    else:
        check_output(folder, resume=False)
    with locked(folder):
        write(folder / BASE, base.to_yaml(exclude=(*VARIED, *LOSS_FIELDS)))
        write(folder / CONFIG, json.dumps({**vars(config), **hashes}, indent=2) + "\n")
        _train_all(config.keys, folder, task, jobs)
        comparison = Comparison(
            {key: _run_score(folder / RUNS / key.name, config.split, task) for key in config.keys},
            config.presets, [field.kind for field in task.fields],
        )  # fmt: skip
        result = {"task": task.name, "split": config.split, **comparison.as_dict()}
        plots.learning_curve(result["budgets"], comparison.unit, folder / PLOT, f"{task.name}, {config.split}")
        part = folder / f".{WINNER}.part"
        for old in (part, folder / WINNER):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(folder / RUNS / comparison.best.name, part)
        for target in (part / COMPARISON, folder):  # the winner has its own copy: it may be moved elsewhere
            target.mkdir(exist_ok=True)
            write(target / COMPARED, json.dumps(result, indent=2) + "\n")
        write(part / CARD, model_card(part))  # the card of the winner also reports the comparison
        os.replace(part, folder / WINNER)
    return comparison


def _common(settings: TrainSettings) -> TrainSettings:
    """Return the settings with those that differ between runs at their defaults."""
    return settings.replace(label_budget=None, seed=0, preset=SUPERVISED, discriminator={}, generator={})


def _refuse_set(settings: TrainSettings, names: Sequence[str]) -> None:
    """Raise UserError if the settings fix what differs between the runs of a comparison."""
    for name in names:
        if getattr(settings, name) != getattr(_common(settings), name):
            remedy = f"Omit {name}: the comparison sets label budgets, seeds and presets; a preset sets the loss terms."
            raise UserError(f"{name} is set in the settings of a comparison.", remedy=remedy)


def _remove_runs(comparison: Path) -> None:
    """Delete the runs of a comparison and keep its result."""
    for name in (RUNS, WINNER):
        shutil.rmtree(comparison / name, ignore_errors=True)


def _check(task: Task, base: TrainSettings, config: ComparisonConfig) -> dict[str, str | None]:
    """Check a comparison before the first training.

    Returns:
        The hash of each part of the data, by a name for messages; None for a part that no preset reads.

    Raises:
        UserError: The comparison is not possible.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        remedy = "Start it without accelerate launch: --jobs N trains N runs at once."
        raise UserError("a comparison starts its processes itself.", remedy=remedy)
    splits = [split for split in task.splits if split not in ("train", UNLABELED)]  # not used for training
    if config.split not in splits:
        instead = f"Give --split {' or '.join(splits)}, or set" if splits else "Set"
        remedy = f"{instead} labeled documents of train aside as another split."
        raise UserError(f'the task has no split "{config.split}" to score.', file=task.file, remedy=remedy)
    for preset in config.presets:
        if preset not in PRESETS:
            raise UserError(f'unknown preset "{preset}".', remedy=nearest(preset, PRESETS))
    for name in ("presets", "seeds"):
        values = getattr(config, name)
        if not values or len(set(values)) < len(values):
            raise UserError(f"{name} is {values}.", remedy="Give at least one, and none twice.")
    for key in config.keys:
        base.replace(label_budget=key.label_budget, seed=key.seed)  # raises for invalid values
    tokenizer = load_tokenizer(base.encoder)
    has_teacher = any(_has_teacher(preset) for preset in config.presets)
    if has_teacher:
        mask_token(tokenizer, base.encoder)
    _refuse_unlabeled_split(task, config, base)
    with_pool = any(_uses_pool(preset, base, task) for preset in config.presets)
    # The pool is hashed apart from the labels, as presets that do not read it may run on without it.
    corpus = TrainingData.read(task, base.replace(unlabeled=()) if with_pool else base)
    check_budget(max((budget for budget in config.label_budgets if budget is not None), default=None), corpus.train)
    _check_draws(task, base, config, corpus.train)
    return {
        "documents of train or dev": dataclasses.replace(corpus, pool=[]).parts["texts"],
        "descriptions": corpus.parts["descriptions"],
        "unlabeled texts": TrainingData([], unlabeled(task, base), []).parts["texts"] if with_pool else None,
        "hints": TrainingData([], [], [], task.read_hints()).parts["hints"] if has_teacher else None,
    }


def _check_draws(task: Task, base: TrainSettings, config: ComparisonConfig, labeled: Sequence[Document]) -> None:
    """Raise UserError for a run whose labeled documents leave nothing to learn for a field, or that its preset refuses.

    labeled: the labeled documents of train, from which each budget is drawn by each seed.
    """
    for key in config.keys:
        budget = key.label_budget or len(labeled)
        train, _ = keep_labels(labeled, task.fields, budget, key.seed, base.label_draw)
        try:
            refuse_unlabeled_fields(task, train)
            drawn = dataclasses.replace(task, fields=with_levels(task.fields, train))
            check_anchored(drawn, TrainingData(train, [], []))
            refuse_latent_tracks(TrainSettings.build(preset=key.preset), drawn.fields)
        except UserError as error:
            message = f"{key.name}: {error.message}"
            raise UserError(message, file=error.file, line=error.line, remedy=error.remedy) from error


def _refuse_unlabeled_split(task: Task, config: ComparisonConfig, base: TrainSettings) -> None:
    """Raise UserError for a split without labels, where no score is defined.

    Of a large dev split a run reads only a sample, which depends on its seed: every sample must have a label.
    """
    documents = task.read(config.split)
    samples = [(documents, "")]
    if config.split == "dev" and len(documents) > base.max_dev_documents:
        samples = [
            (sample(documents, base.max_dev_documents, seed), f" that seed {seed} draws") for seed in config.seeds
        ]
    for scored, origin in samples:
        if len(without_gold(task.fields, scored)) == len(task.fields):
            raise UserError(
                f'no document of the split "{config.split}"{origin} has a label: no score is defined there.',
                file=task.file, remedy="Label documents of it, raise max_dev_documents, or compare on another split.",
            )  # fmt: skip


def _report_old_runs(config: ComparisonConfig, before: ComparisonConfig, runs: Path) -> None:
    """Report the runs that are no longer part of the comparison, and those trained by another version."""
    if gone := sorted({key.name for key in before.keys} - {key.name for key in config.keys}):
        notice(f"{runs}: left out of the comparison this time: {', '.join(gone)}.")
    code, finished = code_now(), [key.name for key in config.keys if is_finished(runs / key.name)]
    if other := [name for name in finished if read_audit(runs / name)["code"] != code]:
        warn(
            f"{runs}: another version of this package trained {len(other)} of these runs: {', '.join(other)}. "
            "They are compared unchanged; delete them and use --resume to train them again."
        )


def _train_all(keys: Sequence[RunKey], folder: Path, task: Task, jobs: int | None) -> None:
    """Train the unfinished runs, one after another in this process or several at once in processes of their own."""
    unfinished = [key for key in keys if not is_finished(folder / RUNS / key.name)]
    for key in unfinished:
        run = folder / RUNS / key.name
        if run.is_dir() and not (run / SETTINGS).is_file():  # killed before there was anything to resume
            shutil.rmtree(run)
    base = TrainSettings.build(folder / BASE)
    at_once = 1 if task.memory else jobs or max(1, torch.cuda.device_count())
    if at_once > 1:
        by_name = {key.name: key for key in unfinished}
        # The supervised runs are the teachers of the others, so they are the first wave.
        waves = [
            [name for name, key in by_name.items() if _has_teacher(key.preset) == taught] for taught in (False, True)
        ]
        run_processes(waves, lambda name: _command(by_name[name], base, folder, task), folder / RUNS, at_once)
        return
    for number, key in enumerate(unfinished, start=1):
        notice(f"run {number} of {len(unfinished)}: {key.name}")
        run = folder / RUNS / key.name
        options = _run_options(key, base, task)
        settings = TrainSettings.build(folder / BASE, **vars(key), **options)
        resume = (run / SETTINGS).is_file()
        teacher = _teacher(key, base, folder)
        train_run(task, settings, run, resume, teacher=teacher, plan_adaptation=plan_adaptation)


def _command(key: RunKey, base: TrainSettings, folder: Path, task: Task) -> list[str]:
    """Return the arguments of `electra-ie` that train a run."""
    run = folder / RUNS / key.name
    command = ["train", base.task, "--output", str(run), "--settings", str(folder / BASE)]
    command += ["--seed", str(key.seed), "--preset", key.preset]
    command += [] if key.label_budget is None else ["--label-budget", str(key.label_budget)]
    command += [f"--set={name}={json.dumps(value)}" for name, value in _run_options(key, base, task).items()]
    if teacher := _teacher(key, base, folder):
        command += ["--teacher", str(teacher)]
    return [*command, *(["--resume"] if (run / SETTINGS).is_file() else [])]


def _has_teacher(preset: str) -> bool:
    return TrainSettings.build(preset=preset).has_teacher


def _uses_pool(preset: str, base: TrainSettings, task: Task) -> bool:
    settings = TrainSettings.build(preset=preset, adapt_encoder=base.adapt_encoder)
    return settings.uses_unlabeled(field.kind for field in task.fields)


def _adapts_encoder(preset: str, base: TrainSettings) -> bool:
    return TrainSettings.build(preset=preset, adapt_encoder=base.adapt_encoder).adapts_encoder


def _run_options(key: RunKey, base: TrainSettings, task: Task) -> dict[str, Any]:
    """Return the settings of a run besides those in `BASE`.

    A run whose preset uses no unlabeled text gets none, which avoids a warning about it. `adapt_encoder` is repeated,
    since a preset that differs from that of a file resets it.
    """
    options: dict[str, Any] = {} if _uses_pool(key.preset, base, task) else {"unlabeled": ()}
    return options if base.adapt_encoder is None else {**options, "adapt_encoder": base.adapt_encoder}


def _teacher(key: RunKey, base: TrainSettings, folder: Path) -> Path | None:
    """Return the supervised run of the same seed and budget, if it is finished and can teach this run.

    The preset must have a teacher, and both must adapt their encoder or neither.
    """
    run = folder / RUNS / dataclasses.replace(key, preset=SUPERVISED).name
    same_encoder = _adapts_encoder(key.preset, base) == _adapts_encoder(SUPERVISED, base)
    return run if _has_teacher(key.preset) and same_encoder and is_finished(run) else None


def _run_score(run: Path, split: str, task: Task) -> RunScore:
    """Return the score of a finished run; a split that has no scores yet is scored now."""
    scores = read_scores(run)
    if split not in scores:
        scores = {**scores, split: score_run(run, split, task=task if task.memory else None)}
    score, dev = (mean_score(scores[name]) if name in scores else None for name in (split, "dev"))
    if score is None:
        remedy = "Label documents of this split, or compare on another one with --split."
        raise UserError(f'no score on the split "{split}" is defined for this run.', file=run, remedy=remedy)
    training: TrainingFacts = scores["training"]
    points = None if dev is None else 100 * dev
    kept = training["best_step"] == TEACHER_STEP
    return RunScore(100 * score, points, training["seconds"], kept, training.get("adaptation", {}).get("steps", 0))
