"""The function `suggest`: which texts to label next, and what more labels would bring."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from electra_ie.api.outputs import check_outputs
from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError, raise_error
from electra_ie.config.train import EMBEDDED, TrainSettings
from electra_ie.data.task import Task
from electra_ie.formats.base import Options
from electra_ie.inference.jobs.inputs import Inbox
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import SETTINGS, TASK, announce_data_folder, is_exported, load_task

if TYPE_CHECKING:  # these load torch: the function imports what it needs
    from electra_ie.formats.conversion import Conversion, Side
    from electra_ie.inference.engine.base import TextExtractor
    from electra_ie.selection.choosing import Choice
    from electra_ie.selection.outlook import Outlook

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
COUNT = 20


@dataclass(frozen=True)
class Suggestions:
    """The result of `suggest`.

    Attributes:
        choices: The texts to label, in the order in which a person should.
        outlook: What more labels would bring; None without a trained run.
        conversion: What the format of the output cannot hold, and whether it was written; None without an output.
    """

    choices: list[Choice]
    outlook: Outlook | None
    conversion: Conversion | None


@check_types
def suggest(  # noqa: PLR0913 - the options of a public function, all but three by keyword
    task: str | os.PathLike[str] | Task,
    paths: Paths = (),
    output: str | os.PathLike[str] | None = None,
    *,
    run: str | os.PathLike[str] | None = None,
    count: int = COUNT,
    seed: int = 0,
    encoder: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    format: str | None = None,
    options: Options = (),
    lossy: bool = False,
) -> Suggestions:
    """Choose the texts that a person should label next, and write them for an annotation tool.

    Without a run, they are typical texts; with one, those of whose answers it is uncertain, with its findings as
    predictions. A fifth is drawn at random in both cases. Each text says how it was chosen: `chosen` in its record.

    Args:
        task: A task: its name, its folder, its task.yaml or a `Task`. The folder of a run stands for its task and the
            run itself.
        paths: Texts, as for `extract`, instead of the unlabeled documents of the task. All are kept in memory.
        output: The file or folder to write, which may not exist; None to write nothing.
        run: A finished run or an exported model: a folder, or `ORG/NAME[@REVISION]` on the Hub.
        count: The number of texts. 0 orders all distinct ones, the most uncertain first, for which a run is
            needed; none of them is drawn at random.
        seed: The seed of the choice.
        encoder: The encoder that compares texts (default: that of the run, else that of training).
        data: The folder of the task's files, as for `train`.
        format: The name of the format of the output, such as `label_studio` (default: that of its ending).
        options: The options of the format: values by name, or texts `key=value`.
        lossy: Write although the format cannot hold something, such as predictions.

    Returns:
        The choices, what more labels would bring, and what was written: nothing if something would be lost, unless
        `lossy` is given.

    Raises:
        UserError: There is no text, or a path, the task or the run cannot be read, or the run has other fields than the
            task, or the output exists, or an argument is invalid. Nothing has been written.
    """
    from electra_ie.formats.conversion import Side, write_all
    from electra_ie.inference.loading import load_extractor
    from electra_ie.inference.suggestions import suggestions
    from electra_ie.selection.choosing import by_uncertainty, choose
    from electra_ie.selection.outlook import outlook
    from electra_ie.selection.pool import texts_of

    target: Side | None = None
    if output is not None:
        target = Side.of_target(output, format, options)
        target.format.check_writable(target.path)
        check_outputs([target.path])
    folder = _run_of(task, run)
    if count < 0 or (count == 0 and folder is None):
        remedy = "Give --count of at least 1, or 0 and --run to order all texts by uncertainty."
        without = "" if count < 0 else " without a run"
        raise UserError(f"--count {count}: that many texts cannot be chosen{without}.", remedy=remedy)
    loaded = _task_of(task, data)
    if folder is not None:
        _check_fields(load_task(folder), loaded, folder)
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    texts = texts_of(loaded, Inbox(listed, loaded).read(raise_error) if listed else None)
    if not texts.pool:
        remedy = "Name files of texts, or add a split unlabeled to the task."
        raise UserError("there is no text to label.", file=loaded.origin, remedy=remedy)
    extractor: TextExtractor | None = load_extractor(folder) if folder is not None else None
    if count == 0 and extractor is not None:
        choices = by_uncertainty(texts.pool, extractor, texts.labeled)
    else:
        choices = choose(
            texts.pool, count, labeled=texts.labeled, extractor=extractor,
            encoder=os.fspath(encoder or _encoder_of(folder)),
            seed=seed,
        )  # fmt: skip
    trained = folder is not None and (folder / SETTINGS).is_file()
    ahead = outlook(folder) if folder is not None and trained else None  # before anything is written: it may raise
    conversion = None
    if target is not None:
        ways = [choice.chosen for choice in choices]
        documents = suggestions([choice.document for choice in choices], ways, extractor)
        conversion = write_all(documents, target, lossy=lossy)
    return Suggestions(choices, ahead, conversion)


def _run_of(task: str | os.PathLike[str] | Task, run: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of the run that helps to choose: the one that is given, else the task if that is a run."""
    if run is not None:
        return run_folder(run)
    return Path(task) if not isinstance(task, Task) and _is_run(Path(task)) else None


def _is_run(folder: Path) -> bool:
    return (folder / TASK).is_file() and ((folder / SETTINGS).is_file() or is_exported(folder))


def _task_of(task: str | os.PathLike[str] | Task, data: str | os.PathLike[str] | None) -> Task:
    if isinstance(task, Task):
        return task
    if not _is_run(Path(task)):
        return Task.load(task, data)
    loaded = load_task(task, data)
    if data is None:
        announce_data_folder(Path(task), loaded)
    return loaded


def _check_fields(of_run: Task, task: Task, folder: Path) -> None:
    """Raise UserError if a run has other fields than the task, so that its findings are no predictions for it."""
    own, others = _labels_of(of_run), _labels_of(task)
    if own != others:
        names = ", ".join(sorted({name for name, _, _ in own ^ others}))
        message = f"the run has other fields or labels than the task {task.name}: {names}."
        raise UserError(message, file=folder, remedy="Give a run of this task, or leave --run out.")


def _labels_of(task: Task) -> set[tuple[str, str, frozenset[str]]]:
    return {(field.name, field.kind, frozenset(field.labels)) for field in task.all_fields}


def _encoder_of(run: Path | None) -> str:
    """Return the encoder that a run was trained from; the default one without a run, or for an exported model."""
    return TrainSettings.build(run / SETTINGS).encoder if run and (run / SETTINGS).is_file() else EMBEDDED
