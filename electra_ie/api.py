"""The functions behind the commands: pretrain, train, evaluate, extract, verify and push."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from electra_ie.common.errors import MAX_SHOWN, UserError, nearest
from electra_ie.common.escaping import escape_json
from electra_ie.common.files import atomic_path, descriptors, refuse_overwriting, refuse_within, write
from electra_ie.common.hub_client import parse_hub_name, parse_push_target, refuse_secrets, upload
from electra_ie.common.logs import notice, warn
from electra_ie.common.progress import progress
from electra_ie.config.train import PRESETS
from electra_ie.data.in_memory import Data, InMemory, Unlabeled, resolve
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import TASK_FILE, UNLABELED
from electra_ie.inference.html_report import Page
from electra_ie.inference.inputs import Inbox
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import SETTINGS, check_output, is_finished, read_scores

if TYPE_CHECKING:  # these load torch: each function imports what it needs
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.scoring import RunScores, SplitScores
    from electra_ie.runs.provenance import Verification
    from electra_ie.runs.upload import Upload
    from electra_ie.training.callbacks import Callback

LISTED = 100
"""The number of unreadable inputs that are named one by one. Of the others only the number is printed."""


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


class Extraction(dict[str, int]):
    """The counts of an extraction: `documents`, `characters`, `windows` and `findings`.

    Attributes:
        faults: A UserError for each file, record or rest of a table that could not be read and was left out.
    """

    def __init__(self) -> None:
        """Set all counts to 0."""
        super().__init__(dict.fromkeys(("documents", "characters", "windows", "findings"), 0))
        self.faults: list[UserError] = []


def train(  # noqa: PLR0913 - the options of a public function, all but two by keyword
    data: Data,
    /,
    output: str | os.PathLike[str] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    descriptions: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
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
    from electra_ie.training.trainer import train_run

    preset = kwargs.get("preset")
    if preset not in (None, AUTO, *PRESETS):
        raise UserError(f'unknown preset "{preset}".', remedy=nearest(preset, [*PRESETS, AUTO]))
    if preset == AUTO:
        if track:
            remedy = f"Train the preset that wins with --track, or --preset {AUTO} without."
            raise UserError(f"--track follows one run; --preset {AUTO} trains several.", remedy=remedy)
        if teacher:
            raise UserError(f"--teacher: --preset {AUTO} trains its own.", remedy="Omit one of them.")
        kwargs["preset"] = None
    elif resume and output and settings is None and (Path(output) / SETTINGS).is_file():
        settings = Path(output) / SETTINGS
    task, plan = resolve(
        data, settings, overrides, fields=fields, descriptions=descriptions, hints=hints, unlabeled=unlabeled, **kwargs
    )
    if preset == AUTO:
        return _result(train_winner(task, plan, output, resume))
    in_memory = any(name in task.memory for name in task.files.get(UNLABELED, ()))
    if unlabeled is not None and in_memory and not plan.uses_unlabeled(field.kind for field in task.fields):
        warn(f'unlabeled: the preset {plan.preset} uses no unlabeled text; preset="self_training" does.')
    if task.hints and not plan.has_teacher:
        notice(f"the preset {plan.preset} uses no hints; --preset self_training does.")
    folder = Path(output or f"runs/{task.name}-{plan.preset}-{plan.seed}")
    train_run(task, plan, folder, resume, track, Path(teacher) if teacher else None, callbacks, plan_adaptation)
    return _result(folder)


def _result(folder: Path) -> TrainResult:
    from electra_ie.inference.scoring import RunScores

    return TrainResult(folder, RunScores.read(folder))


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
    from electra_ie.training.tracking import check_tracker

    folder = Path(output)
    check_tracker(track)
    check_output(folder, resume)
    if resume and is_finished(folder):
        notice(f"{folder}: this encoder is finished; there is nothing to resume.")
        return folder
    if resume and settings is None:
        settings = folder / SETTINGS
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    texts = tuple(os.fspath(path) for path in several) or None
    plan = PretrainSettings.build(settings, tuple(overrides), paths=texts, **kwargs)
    if not plan.paths:
        raise UserError("no text is given.", remedy="Give files or folders of text.")
    refuse_within(folder, plan.paths)
    pretrain_run(plan, folder, resume, track, callbacks)
    return folder


def evaluate(
    run: str | os.PathLike[str],
    split: str = "test",
    *,
    data: str | os.PathLike[str] | InMemory | None = None,
    file: str | os.PathLike[str] | None = None,
) -> SplitScores:
    """Score a run on a split of its task, and save the scores in its scores.json, its plots and its model card.

    A card that has been edited is kept. Of a run on the Hub nothing is saved.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        split: The name of the split.
        data: The folder of the task's files, instead of the one that the run was trained from; or the records of the
            split in memory, as for `train`.
        file: A file to which the scores are also written, as JSON.

    Returns:
        The scores of each field.

    Raises:
        UserError: The split has no labels, or cannot be read; or `file` is a file of the data or of the run.
    """
    from electra_ie.inference.scoring import SplitScores, score_run
    from electra_ie.runs.layout import load_task
    from electra_ie.runs.model_card import update_model_card

    if file:
        _check_outputs([Path(file)])
    if file and (data is not None or not parse_hub_name(run)):
        folder = run_folder(run)
        files = data if isinstance(data, str | os.PathLike) else None
        refuse_overwriting([Path(file)], [*_own_files(folder), *_data_files(load_task(folder, files))])
    before = read_scores(Path(run))
    scores = score_run(run, split, data)
    if file:
        write(Path(file), json.dumps({"run": os.fspath(run), "split": split, "scores": scores}, indent=2) + "\n")
    update_model_card(Path(run), before)
    return SplitScores.of(scores)


def extract(
    run: str | os.PathLike[str],
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | TextIO,
    html: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    id: str | None = None,
    strict: bool = False,
) -> Extraction:
    """Extract findings from files and write them as JSON lines, one per document.

    Documents are streamed: only the memory for their ids grows with their number.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        paths: Text files, tables (.csv, .tsv), .jsonl files, folders, or `-` for standard input (see
            `inference.inputs.Inbox`).
        output: A path, or an open text file.
        html: A path for an HTML page with the findings highlighted.
        text: The key or column of the text (default: as in the run's task).
        id: The key or column of the id (default: as in the run's task).
        strict: Raise the first fault in an input, instead of leaving the input out.

    Returns:
        The counts, and the faults of the inputs that were left out. Each of them is also logged.

    Raises:
        UserError: A path does not exist, an output is also an input, or no input can be read. Nothing has been written.
    """
    from electra_ie.inference.extractor import Extractor
    from electra_ie.runs.layout import load_task

    files = [Path(file) for file in (output, html) if isinstance(file, (str, os.PathLike))]
    _check_outputs(files)
    folder = run_folder(run)
    task = load_task(folder)
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    inbox = Inbox(listed, task, text, id)
    # The descriptor of an open output, so that `extract RUN inbox > inbox/findings.jsonl` is refused too.
    refuse_overwriting([*files, *descriptors(output)], [*_own_files(folder), *inbox.sources()])
    extractor = Extractor.from_pretrained(folder)
    counts = Extraction()

    def fail(fault: UserError) -> None:
        if strict:
            raise fault
        counts.faults.append(fault.with_traceback(None))  # a traceback would keep the text in memory

    with ExitStack() as stack:
        lines = stack.enter_context(_stream(Path(output))) if isinstance(output, (str, os.PathLike)) else output
        kinds = {field.name: field.kind for field in extractor.fields}
        page = stack.enter_context(Page(html, _title(task, run), kinds)) if html else None
        report = stack.enter_context(progress(None, "extracting", unit="documents"))
        for result in extractor.read(inbox.read(fail)):
            record = result.record()
            lines.write(escape_json(json.dumps(record, ensure_ascii=False)) + "\n")
            if page:
                page.add({**record, "file": inbox.shown(record["file"])}, result.document.text)
            counts["documents"] += 1
            counts["findings"] += len(result.findings)
            counts["characters"] += record["characters"]
            counts["windows"] += result.windows
            report(counts["documents"])
        _refuse_nothing(counts)
    _report_faults(counts.faults)
    return counts


def verify(run: str | os.PathLike[str], *, data: str | None = None) -> Verification:
    """Compare a run with its audit.json: weights, settings, data, splits, code and environment.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        data: The folder of the task's files, instead of the one that the run was trained from.

    Returns:
        The differences, and what could not be checked.

    Raises:
        UserError: The run has no audit.
    """
    from electra_ie.runs.provenance import verify as check

    return check(run_folder(run), data)


def push_to_hub(
    run: str | os.PathLike[str],
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> str:
    """Send a finished run to the Hub as one commit.

    Afterwards the branch contains this run and no file of an earlier one.

    Args:
        run: The folder of the run.
        repository: The repository, `ORG/NAME`. It is created if it does not exist.
        private: Create the repository as private; refuse an existing public one.
        revision: The branch (default: main).
        token: A token in place of the one that the Hub's client has stored (HF_TOKEN, `hf auth login`).

    Returns:
        `ORG/NAME@COMMIT`, which loads exactly this run.

    Raises:
        UserError: The push is refused or fails; the repository is unchanged.
    """
    from electra_ie.runs.upload import push_run

    return push_run(Path(run), repository, private=private, revision=revision, token=token)


def push_data(
    task: str, repository: str, *, data: str | None = None, private: bool = False, token: str | None = None
) -> str:
    """Send a task with its documents, texts included, to a data set on the Hub.

    `datasets.load_dataset` reads the data set, and a download of it is a task.

    Args:
        task: A task name or path, as for `train`.
        repository: The data set, `ORG/NAME`.
        data: The folder of the task's files, instead of the one in task.yaml.
        private: As for `push_to_hub`.
        token: As for `push_to_hub`.

    Returns:
        `ORG/NAME@COMMIT`.

    Raises:
        UserError: The data are invalid, or the push is refused or fails; the data set is unchanged.
    """
    from electra_ie.runs.upload import is_data_path, plan_data_upload

    target = parse_push_target(repository)
    files = plan_data_upload(Task.load(task, data), repository).files
    commit = upload(files, target, "dataset", private=private, token=token, replaces=is_data_path)
    return f"{repository}@{commit}"


def plan_push(run: str | os.PathLike[str], repository: str, revision: str | None = None) -> Upload:
    """Return what `push_to_hub` would send, without network access. Raises UserError for what it would refuse."""
    from electra_ie.runs.upload import plan_run_upload

    parse_push_target(repository, revision)
    return _checked(plan_run_upload(Path(run)))


def plan_push_data(task: str, repository: str, data: str | None = None) -> Upload:
    """Return what `push_data` would send, without network access. Raises UserError for what it would refuse."""
    from electra_ie.runs.upload import plan_data_upload

    parse_push_target(repository)
    return _checked(plan_data_upload(Task.load(task, data), repository))


def _checked(planned: Upload) -> Upload:
    refuse_secrets(planned.files, os.environ.get("HF_TOKEN"))
    return planned


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that replaces `path` once it is complete, and is deleted after an error."""
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _check_outputs(files: Sequence[Path]) -> None:
    """Raise UserError for outputs that cannot be written, before anything is read."""
    for file in files:
        if file.is_dir():
            raise UserError("the output is a folder.", file=file, remedy="Give the name of a file.")
        if not file.absolute().parent.is_dir():
            remedy = "Create it, or write elsewhere."
            raise UserError("the folder of the output does not exist.", file=file, remedy=remedy)
        if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            remedy = "Write elsewhere, or change its permissions."
            raise UserError("no permission to write the output.", file=file, remedy=remedy)
    if len({file.resolve() for file in files}) < len(files):
        raise UserError("two outputs have the same name.", file=files[0], remedy="Give each its own.")


def _own_files(run: Path) -> list[Path]:
    """Return the files of a run: models, settings and results."""
    from electra_ie.runs.upload import run_path_field

    return [file for file in run.rglob("*") if run_path_field(file.relative_to(run).as_posix()) is not None]


def _data_files(task: Task) -> Iterator[Path]:
    """Yield the data files of a task, and its task.yaml."""
    for path in task.paths:
        yield from path.rglob("*") if path.is_dir() else (path,)
    yield task.folder / TASK_FILE


def _title(task: Task, run: str | os.PathLike[str]) -> str:
    """Return the title of an HTML page. An absolute path of a run is shortened to its last part."""
    name = Path(run).name if os.path.isabs(run) else os.fspath(run)
    return f"{task.name}: findings of {name}"


def _refuse_nothing(counts: Extraction) -> None:
    """Raise UserError if inputs could not be read and no document was."""
    faults = counts.faults
    if counts["documents"] or not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    first = f". The first {MAX_SHOWN}:" if len(faults) > MAX_SHOWN else ":"
    message = f"none of {len(faults):,} inputs could be read; nothing is written{first}"
    raise UserError(message, errors=faults[:MAX_SHOWN])


def _report_faults(faults: Sequence[UserError]) -> None:
    """Log what could not be read, one line each."""
    for fault in faults[:LISTED]:
        notice(str(fault))
    if len(faults) > LISTED:
        notice(f"... and {len(faults) - LISTED:,} more that could not be read.")
