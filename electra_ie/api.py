"""pretrain, train, evaluate, extract, verify and push: what the commands do, as functions. Composition only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from electra_ie.common.errors import MAX_SHOWN, UserError, nearest
from electra_ie.common.escaping import escape_json
from electra_ie.common.files import atomic_path, descriptors, refuse_overwriting, refuse_within, write
from electra_ie.common.hub_client import parse_hub_name, parse_push_target, refuse_secrets, upload
from electra_ie.common.logs import notice
from electra_ie.common.progress import progress
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.data.task import Task
from electra_ie.data.task_yaml import TASK_FILE
from electra_ie.inference.html_report import Page
from electra_ie.inference.inputs import Inbox
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import SETTINGS, check_output, is_finished, read_scores

if TYPE_CHECKING:  # these load torch: each command imports what it needs
    from electra_ie.inference.scoring import Scores
    from electra_ie.runs.provenance import Verification
    from electra_ie.runs.upload import Upload
    from electra_ie.training.callbacks import Callback

LISTED = 100
"""Inputs that cannot be read and are named one by one; of more the number is given."""


class Extraction(dict[str, int]):
    """How many documents, characters, windows and findings there were, by these names. `faults`: a UserError for each
    file, record or rest of a table that could not be read and was left out."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("documents", "characters", "windows", "findings"), 0))
        self.faults: list[UserError] = []


def train(
    task: str,
    output: str | os.PathLike[str] | None = None,
    *,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    track: str | None = None,
    teacher: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    **given: Any,
) -> Path:
    """Train a model for a task and save it as a run; returns the run's folder.

    task: a shipped name or the path of a task.yaml. output: the folder to make (default runs/<task>-<preset>-<seed>).
    recipe: a YAML file such as the run.yaml of another run. given: fields of `TrainSettings` (`labels=100`,
    `preset="supervised"`, `encoder=...`); the preset `auto` is the winner of a comparison with three seeds where the
    task
    has a dev split, else control. settings: `key=value` strings, as --set. resume: go on with the run in `output`.
    track: tensorboard, wandb, mlflow or trackio, which then gets the numbers of log.jsonl, and nothing else. teacher:
    for the preset adversarial, the finished supervised run with the same labels, seed and settings, which else is
    trained once more.

    Raises UserError for whatever is wrong with the input, before anything is written.
    """
    from electra_ie.comparison.runner import AUTO, train_winner
    from electra_ie.training.trainer import train_run

    if given.get("preset") not in (None, AUTO, *PRESETS):
        raise UserError(f'unknown preset "{given["preset"]}".', remedy=nearest(given["preset"], [*PRESETS, AUTO]))
    if given.get("preset") == AUTO:
        if track:
            remedy = f"Train the preset that wins with --track, or --preset {AUTO} without."
            raise UserError(f"--track follows one run; --preset {AUTO} trains several.", remedy=remedy)
        if teacher:
            raise UserError(f"--teacher: --preset {AUTO} trains its own.", remedy="Leave one of them out.")
        return train_winner(
            task, output, settings=settings, overrides=overrides, resume=resume, **{**given, "preset": None}
        )
    if resume and output and settings is None and (Path(output) / SETTINGS).is_file():
        settings = Path(output) / SETTINGS
    plan = TrainSettings.build(settings, tuple(overrides), task=task, **given)
    made = Task.load(plan.task, plan.data)
    folder = Path(output or f"runs/{made.name}-{plan.preset}-{plan.seed}")
    train_run(made, plan, folder, resume, track, Path(teacher) if teacher else None, callbacks)
    return folder


def pretrain(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    settings: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    track: str | None = None,
    callbacks: Sequence[Callback] = (),
    **given: Any,
) -> Path:
    """Pretrain an encoder on plain text and save it in `output`, a folder that `train` takes as its encoder.

    paths: text files, folders of them, .jsonl files, each also as .gz, or `hub:ORG/NAME`; or a task, as `train` takes
    it: the texts of its splits train and unlabeled; none where a run is resumed.
    recipe: a YAML file such as the run.yaml of another run. given: fields of `PretrainSettings` (`objective="mlm"`,
    `from_scratch="small"`, `steps=10_000`). settings: `key=value` strings, as --set. resume: go on with the run in
    `output`. track: as for `train`.

    Raises UserError for whatever is wrong with the input, before anything is written.
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
    plan = PretrainSettings.build(settings, tuple(overrides), paths=texts, **given)
    if not plan.paths:
        raise UserError("no text is given.", remedy="Give files or folders of text.")
    refuse_within(folder, plan.paths)
    pretrain_run(plan, folder, resume, track, callbacks)
    return folder


def evaluate(
    run: str | os.PathLike[str],
    split: str = "test",
    *,
    data: str | None = None,
    file: str | os.PathLike[str] | None = None,
) -> Scores:
    """Score a run on a split of its task; returns the numbers of each field, and saves them in scores.json and card.

    run: a folder, or `ORG/NAME[@REVISION]` on the hub, where nothing is saved. data: the folder of the task's files, in
    place of the one it was trained from. file: write the scores there too. A card that somebody has edited is left.

    Raises UserError where `file` is a file of the data or of the run, before anything is read.
    """
    from electra_ie.inference.scoring import score_run
    from electra_ie.runs.layout import load_task
    from electra_ie.runs.model_card import update_model_card

    if file:
        _check_places([Path(file)])
    if file and (data or not parse_hub_name(run)):
        folder = run_folder(run)
        refuse_overwriting([Path(file)], [*_own_files(folder), *_data_files(load_task(folder, data))])
    before = read_scores(Path(run))
    scores = score_run(run, split, data)
    if file:
        write(Path(file), json.dumps({"run": os.fspath(run), "split": split, "scores": scores}, indent=2) + "\n")
    update_model_card(Path(run), before)
    return scores


def extract(
    run: str | os.PathLike[str],
    paths: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | TextIO,
    html: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    id: str | None = None,
    strict: bool = False,
) -> Extraction:
    """Write one JSON line a document to `output` (a path, or an open text file), and a page to `html` if asked.

    The run is a folder, or `ORG/NAME[@REVISION]` on the hub. Paths are text files, tables (.csv, .tsv), .jsonl files,
    folders, or `-`; what of them is read and how is said at `inbox.Inbox`, and so are text and id, the names of keys or
    columns. Documents are streamed: memory grows with the number of ids only.

    What cannot be read is left out, named on standard error, and returned as `faults` beside the counts. strict: the
    first of it is raised.

    Raises UserError, with nothing written, for a path that does not exist, for an output that is a file to be read, and
    where nothing at all can be read.
    """
    from electra_ie.inference.extractor import Extractor
    from electra_ie.runs.layout import load_task

    places = [Path(place) for place in (output, html) if isinstance(place, (str, os.PathLike))]
    _check_places(places)
    folder = run_folder(run)
    task = load_task(folder)
    inbox = Inbox(paths, task, text, id)
    # The number of an open output: `extract RUN inbox > inbox/findings.jsonl` is known for what it is.
    refuse_overwriting([*places, *descriptors(output)], [*_own_files(folder), *inbox.sources()])
    extractor = Extractor.load(str(folder))
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
        for reading in extractor.read(inbox.read(fail)):
            record = reading.record()
            lines.write(escape_json(json.dumps(record, ensure_ascii=False)) + "\n")
            if page:
                page.add({**record, "file": inbox.shown(record["file"])}, reading.document.text)
            counts["documents"] += 1
            counts["findings"] += len(reading.findings)
            counts["characters"] += record["characters"]
            counts["windows"] += reading.windows
            report(counts["documents"])
        _refuse_nothing(counts)
    _tell(counts.faults)
    return counts


def verify(run: str | os.PathLike[str], *, data: str | None = None) -> Verification:
    """Is all as the run's audit.json says: weights, recipe, data, splits, code and environment? What differs from it.

    run: its folder, or `ORG/NAME[@REVISION]` on the hub. data: the folder of the task's files, in place of the one it
    was trained from. Raises UserError for a run without an audit.
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
    """Send a finished run to `ORG/NAME` on the hub, as one commit; returns `ORG/NAME@COMMIT`, which loads just this.

    private: make the repository so, and refuse one that exists and is public. revision: the branch (default: main).
    token: in place of the one that the hub's client knows (HF_TOKEN, `hf auth login`). The branch then holds this run
    and no file of an earlier one. Raises UserError for whatever is wrong, with nothing to be seen on the hub.
    """
    from electra_ie.runs.upload import plan_run_upload, run_path_field

    to = parse_push_target(repository, revision)
    sent = plan_run_upload(Path(run)).files
    commit = upload(sent, to, private=private, token=token, replaces=lambda path: run_path_field(path) is not None)
    return f"{repository}@{commit}"


def push_data(
    task: str, repository: str, *, data: str | None = None, private: bool = False, token: str | None = None
) -> str:
    """Send a task and its documents, texts and all, to the data set `ORG/NAME` on the hub; returns `ORG/NAME@COMMIT`.

    data: the folder of the task's files, in place of its own. private, token: as `push_to_hub`. What is sent is read by
    `datasets.load_dataset`, and its download is a task. Raises UserError for whatever is wrong.
    """
    from electra_ie.runs.upload import is_data_path, plan_data_upload

    to = parse_push_target(repository)
    sent = plan_data_upload(Task.load(task, data), repository).files
    commit = upload(sent, to, "dataset", private=private, token=token, replaces=is_data_path)
    return f"{repository}@{commit}"


def plan_push(run: str | os.PathLike[str], repository: str, revision: str | None = None) -> Upload:
    """What `push_to_hub` would send. No network. Raises UserError for what it would refuse by itself."""
    from electra_ie.runs.upload import plan_run_upload

    parse_push_target(repository, revision)
    return _checked(plan_run_upload(Path(run)))


def plan_push_data(task: str, repository: str, data: str | None = None) -> Upload:
    """What `push_data` would send. No network. Raises UserError for what it would refuse by itself."""
    from electra_ie.runs.upload import plan_data_upload

    parse_push_target(repository)
    return _checked(plan_data_upload(Task.load(task, data), repository))


def _checked(planned: Upload) -> Upload:
    refuse_secrets(planned.files, os.environ.get("HF_TOKEN"))
    return planned


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place when it is complete, and leaves nothing behind when it is not."""
    if path.exists() and not path.is_file():  # a device, a pipe: nothing to be replaced
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _check_places(places: Sequence[Path]) -> None:
    """Raises UserError for outputs that cannot be written, before anything is read."""
    for place in places:
        if place.is_dir():
            raise UserError("the output is a folder.", file=place, remedy="Give the name of a file.")
        if not place.absolute().parent.is_dir():
            remedy = "Make it first, or write elsewhere."
            raise UserError("the folder of the output does not exist.", file=place, remedy=remedy)
        if not os.access(place if place.exists() else place.absolute().parent, os.W_OK):
            remedy = "Write elsewhere, or give yourself the right."
            raise UserError("the output may not be written.", file=place, remedy=remedy)
    if len({place.resolve() for place in places}) < len(places):
        raise UserError("two outputs have one name.", file=places[0], remedy="Give each its own.")


def _own_files(run: Path) -> list[Path]:
    """The files of a run: those that it is read from, and those that hold what came of it."""
    from electra_ie.runs.upload import run_path_field

    return [file for file in run.rglob("*") if run_path_field(file.relative_to(run).as_posix()) is not None]


def _data_files(task: Task) -> Iterator[Path]:
    """The files that hold a task's data, and its task.yaml."""
    for path in task.paths:
        yield from path.rglob("*") if path.is_dir() else (path,)
    yield task.folder / TASK_FILE


def _title(task: Task, run: str | os.PathLike[str]) -> str:
    """The title of a page: of a run that is named by an absolute path, the folder's name will do."""
    name = Path(run).name if os.path.isabs(run) else os.fspath(run)
    return f"{task.name}: findings of {name}"


def _refuse_nothing(counts: Extraction) -> None:
    """Raises UserError where no document could be read and something could not."""
    faults = counts.faults
    if counts["documents"] or not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    first = f". The first {MAX_SHOWN}:" if len(faults) > MAX_SHOWN else ":"
    message = f"none of {len(faults):,} inputs could be read; nothing is written{first}"
    raise UserError(message, errors=faults[:MAX_SHOWN])


def _tell(faults: Sequence[UserError]) -> None:
    """Names what could not be read, a line each."""
    for fault in faults[:LISTED]:
        notice(str(fault))
    if len(faults) > LISTED:
        notice(f"... and {len(faults) - LISTED:,} more that could not be read.")
