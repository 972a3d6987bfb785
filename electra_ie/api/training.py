"""Functions that train: `train` and `pretrain`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError, nearest
from electra_ie.common.files import refuse_within
from electra_ie.common.logs import notice, warn
from electra_ie.config.train import PRESETS
from electra_ie.data.in_memory import Data, Unlabeled, resolve
from electra_ie.data.splits import UNLABELED
from electra_ie.runs.layout import SETTINGS, check_output, check_same_as_finished, is_finished

if TYPE_CHECKING:  # these load torch: each function imports what it needs
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import RunScores
    from electra_ie.training.callbacks import Callback


@dataclass(frozen=True)
class TrainResult:
    """The result of `train`.

    Attributes:
        path: The folder of the run.
        scores: The scores in its scores.json: by split and field, and a summary of the training.
    """

    path: Path
    scores: RunScores

    def extractor(self, device: str | None = None) -> Extractor:
        """Load the trained model.

        Args:
            device: The device of the model (default: a GPU if there is one).
        """
        from electra_ie.inference.extractor import Extractor

        return Extractor.from_pretrained(self.path, device=device)


@check_types
def train(  # noqa: PLR0913 - the options of a public function, all but two by keyword
    data: Data,
    /,
    output: str | os.PathLike[str] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    descriptions: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    unlabeled: Unlabeled | None = None,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    track: str | None = None,
    teacher: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    **kwargs: Any,
) -> TrainResult:
    """Train a model and save it as a run.

    Args:
        data: The name of a shipped task, the path of a task.yaml or its folder, or a `Task`. Or data in memory: a list
            of records (dicts with the keys of a JSON line: `text`, optionally `id`, and the fields), a
            `pandas.DataFrame` or `datasets.Dataset` with these columns, or a mapping from `train`, `dev` (or
            `validation`), `test` and `unlabeled` (or `unsupervised`) to any of these, such as a `datasets.DatasetDict`.
        output: The folder of the run (default `runs/<task>-<preset>-<seed>`).
        fields: For data in memory, the fields to predict, as `fields` in task.yaml: `{"risk": {"kind": "flags"}}`.
            `labels` may be omitted: they are the names of a ClassLabel feature, else collected from the training split.
        descriptions: For data in memory, what labels mean, as `descriptions` in task.yaml.
        hints: For data in memory, lexicons and patterns of labels, as `hints` in task.yaml. Their files are relative to
            the current directory.
        record: For data in memory, the records that are made of findings, as `record` in task.yaml.
        unlabeled: Additional unlabeled text: paths of text files, folders or .jsonl files, or a list of texts or
            records, a DataFrame or a Dataset. Strings are paths if all of them exist or contain no space.
        settings: A YAML file of settings, such as the run.yaml of another run.
        overrides: Settings as `key=value`, as for `--set`.
        resume: Resume the run in `output`. Data in memory must be passed again, unchanged.
        track: `tensorboard`, `wandb`, `mlflow` or `trackio`, which receives the numbers of log.jsonl and nothing else.
        teacher: For a preset with a teacher, a finished supervised run with the same labels, seed and settings
            (default: one is trained). That of the preset `thorough` has `adapt_encoder=True`.
        callbacks: Called during training, after the built-in ones.
        kwargs: Settings by name, see `TrainSettings`: `label_budget=100`, `encoder=...`. The preset `auto` trains the
            winner of a comparison with three seeds, or `supervised` if there is no dev split. `data` is the folder of
            the files of a task, instead of the one in task.yaml.

    Returns:
        The folder of the run, its scores, and the trained model.

    Raises:
        UserError: The input is invalid. Nothing has been written.
    """
    from electra_ie.comparison.runner import AUTO, train_winner
    from electra_ie.pretraining.adaptation import plan_adaptation
    from electra_ie.training.callbacks import check_callbacks
    from electra_ie.training.trainer import train_run

    callbacks = check_callbacks(callbacks)
    preset = kwargs.get("preset")
    if preset not in (None, AUTO, *PRESETS):
        raise UserError(f'unknown preset "{preset}".', remedy=nearest(preset, [*PRESETS, AUTO]))
    if preset == AUTO:
        if track:
            remedy = f"Train the preset that wins with --track, or --preset {AUTO} without."
            raise UserError(f"--track follows one run; --preset {AUTO} trains several.", remedy=remedy)
        if callbacks:
            remedy = "Train the preset that wins with callbacks."
            raise UserError(f"callbacks follow one run; the preset {AUTO} trains several.", remedy=remedy)
        if teacher:
            raise UserError(f"--teacher: --preset {AUTO} trains its own.", remedy="Omit one of them.")
        kwargs["preset"] = None
    elif resume and output and settings is None and (Path(output) / SETTINGS).is_file():
        settings = Path(output) / SETTINGS
    task, plan = resolve(
        data, settings, overrides, fields=fields, descriptions=descriptions, hints=hints, record=record,
        unlabeled=unlabeled, **kwargs,
    )  # fmt: skip
    if preset == AUTO:
        return result_of(train_winner(task, plan, output, resume))
    in_memory = any(name in task.memory for name in task.files.get(UNLABELED, ()))
    if unlabeled is not None and in_memory and not plan.uses_unlabeled(field.kind for field in task.fields):
        warn(f'unlabeled: the preset {plan.preset} uses no unlabeled text; preset="self_training" does.')
    if task.hints and not plan.has_teacher:
        notice(f"the preset {plan.preset} uses no hints; --preset self_training does.")
    folder = Path(output or f"runs/{task.name}-{plan.preset}-{plan.seed}")
    if resume and output:  # otherwise the settings do not come from the run.yaml of the folder
        check_output(folder, resume)
        check_same_as_finished(folder, plan, ("task",))
    train_run(task, plan, folder, resume, track, Path(teacher) if teacher else None, callbacks, plan_adaptation)
    return result_of(folder)


def result_of(folder: Path) -> TrainResult:
    """Return the result of a training from the folder of its run."""
    from electra_ie.inference.scoring import RunScores

    return TrainResult(folder, RunScores.read(folder))


@check_types
def pretrain(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    track: str | None = None,
    callbacks: Sequence[Callback] = (),
    **kwargs: Any,
) -> Path:
    """Pretrain an encoder on plain text and save it in a folder, which `train` accepts as `encoder`.

    Args:
        paths: Text files, folders of them and .jsonl files, each also as .gz; `hub:ORG/NAME`; or a task, whose splits
            train and unlabeled are read. An empty sequence when resuming.
        output: The folder of the encoder.
        settings: A YAML file of settings, such as the run.yaml of another pretraining.
        overrides: Settings as `key=value`, as for `--set`.
        resume: Resume the pretraining in `output`.
        track: As for `train`.
        callbacks: As for `train`.
        kwargs: Settings by name, see `PretrainSettings`: `objective="mlm"`, `from_scratch="small"`,
            `max_steps=10_000`.

    Returns:
        The folder of the encoder.

    Raises:
        UserError: The input is invalid. Nothing has been written.
    """
    from electra_ie.config.pretrain import PretrainSettings
    from electra_ie.pretraining.trainer import pretrain_run
    from electra_ie.training.callbacks import check_callbacks
    from electra_ie.training.tracking import check_tracker

    folder = Path(output)
    callbacks = check_callbacks(callbacks)
    check_tracker(track)
    check_output(folder, resume)
    if resume and settings is None:
        settings = folder / SETTINGS
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    texts = tuple(os.fspath(path) for path in several) or None
    plan = PretrainSettings.build(settings, tuple(overrides), paths=texts, **kwargs)
    if resume and is_finished(folder):
        check_same_as_finished(folder, plan)
        notice(f"{folder}: this encoder is finished; there is nothing to resume.")
        return folder
    if not plan.paths:
        raise UserError("no text is given.", remedy="Give files or folders of text.")
    refuse_within(folder, plan.paths)
    pretrain_run(plan, folder, resume, track, callbacks)
    return folder
