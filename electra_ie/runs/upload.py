"""Selection of the files that go to the Hub: of a run, of an exported model, and of a task with its data card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_FILES, EXPORT_SETTINGS, export_files
from electra_ie.common.files import CALIBRATION, CARD
from electra_ie.common.hub_client import Content, HubName, parse_push_target, upload
from electra_ie.common.logs import warn
from electra_ie.common.yaml_source import Source
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.readers import jsonl
from electra_ie.data.splits import SPLITS
from electra_ie.data.task import Task
from electra_ie.runs.hub_dataset_card import dataset_page
from electra_ie.runs.layout import (
    AUDIT,
    CHECKPOINT,
    SETTINGS,
    TASK,
    check_models,
    is_exported,
    is_finished,
    load_task,
    model_names,
    run_path_field,
)
from electra_ie.runs.model_card import models_card

DESCRIPTION = (TASK, AUDIT, CARD)
"""The files of an exported model besides those that decide what it finds; it may have a calibration too."""


@dataclass(frozen=True)
class Upload:
    """A planned upload. files: content by path in the repository. left_out: files of the folder that are not sent."""

    files: Mapping[str, Content]
    left_out: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each file in bytes."""
        return {
            path: len(content) if isinstance(content, bytes) else content.stat().st_size
            for path, content in self.files.items()
        }

    @property
    def card(self) -> str:
        """The card shown on the repository's page, as Markdown."""
        content = self.files[CARD]
        return (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8")


# Runs and exported models


def plan_upload(folder: Path) -> Upload:
    """Return which files of a finished run or an exported model go to the Hub, and which do not.

    Raises:
        UserError: it is neither, or lacks a file, or a file is a link.
    """
    return _plan_export_upload(folder) if is_exported(folder) else _plan_run_upload(folder)


def _plan_export_upload(folder: Path) -> Upload:
    names = [*export_files(folder), *DESCRIPTION]
    for name in names:
        if not (folder / name).is_file():
            remedy = "Restore the file, or export the run again."
            raise UserError(f"the exported model has no {name}.", file=folder, remedy=remedy)
    sent = [*names, *([CALIBRATION] if (folder / CALIBRATION).is_file() else [])]
    _refuse_link([folder / name for name in sent])
    others = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Upload({name: folder / name for name in sent}, tuple(name for name in others if name not in sent))


def _refuse_link(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_symlink():
            message = "this is a link, which may lead out of the folder."
            raise UserError(message, file=path, remedy="Replace the link by a copy of the file.")


def _plan_run_upload(folder: Path) -> Upload:
    """Return which files of a finished run go to the Hub, and which do not.

    Only files that training is known to write are sent, and no links: other files in the folder, such as findings with
    their texts, stay local. A card with example documents is sent with a warning. Raises UserError unless the folder
    is a finished run.
    """
    if not (folder / SETTINGS).is_file() or not (folder / TASK).is_file():
        message = f"this is not the folder of a run (no {SETTINGS} and {TASK} in it)."
        raise UserError(message, file=folder, remedy="Give the folder that electra-ie train has written.")
    if not is_finished(folder):
        resume = " --resume" if (folder / CHECKPOINT).exists() else ""
        remedy = f"Finish it with: electra-ie train ...{resume}."
        raise UserError("this run is not finished.", file=folder, remedy=remedy)
    task = load_task(folder)
    check_models(folder, task.all_fields)
    fields = model_names(task)
    present = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files: dict[str, Content] = {name: path for name, path in present.items() if run_path_field(name) in ("", *fields)}
    _refuse_link([*(folder / field for field in fields), *(present[name] for name in files)])
    files[TASK] = yaml.safe_dump(task.shareable(), sort_keys=False, allow_unicode=True).encode()
    settings = Source.read(folder / SETTINGS)[0]
    _warn_of_paths(folder / SETTINGS, settings)
    if settings.get("include_examples"):
        warn(f"{folder / CARD}: the card to be sent contains texts: documents of dev, added by --include-examples.")
    return Upload(files, tuple(name for name in present if name not in files))


def push_run(folder: Path, repository: str, *, private: bool, revision: str | None, token: str | None) -> str:
    """Send a finished run or an exported model to the Hub as one commit, and return `ORG/NAME@COMMIT`.

    Raises:
        UserError: it is refused.
    """
    target = parse_push_target(repository, revision)
    return _push(plan_upload(folder), target, private, token)


def push_models(
    folder: Path, fields: Sequence[Field], repository: str, *, private: bool, revision: str | None, token: str | None
) -> str:
    """Send saved models without a run, with a short card, to the Hub; return `ORG/NAME@COMMIT`.

    Args:
        folder: The folder that `Extractor.save_pretrained` has written.
        fields: The fields in it.
        repository: The repository, `ORG/NAME`.
        private: As for `api.push_to_hub`.
        revision: As for `api.push_to_hub`.
        token: As for `api.push_to_hub`.

    Raises:
        UserError: The Hub or the content of a file does not allow it.
    """
    target = parse_push_target(repository, revision)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    files: dict[str, Content] = {name: folder / name for name in names if run_path_field(name) is not None}
    return _push(Upload({**files, CARD: models_card(fields, repository).encode()}), target, private, token)


def _push(planned: Upload, target: HubName, private: bool, token: str | None) -> str:
    commit = upload(planned.files, target, private=private, token=token, owned=_ours)
    return f"{target.repository}@{commit}"


def _ours(paths: Sequence[str], read: Callable[[str], bytes]) -> list[str]:
    """Return the files of a run or an exported model, since one replaces the other.

    They are those of a repository with a task.yaml, and of the fields that it names. Another program may have an ONNX
    model in a folder, which has no settings of ours beside it, or parts of a model in other folders.

    Args:
        paths: The paths of the repository.
        read: Returns the content of one.
    """
    named = [path for path in map(PurePosixPath, paths) if path.name == EXPORT_SETTINGS]
    settings = [path for path in named if path.parent.parent == PurePosixPath()]  # at the top, or in one folder
    exported = {str(path.with_name(name)) for path in settings for name in EXPORT_FILES}
    fields = _fields_of(read(TASK)) if TASK in paths else None
    return [path for path in paths if path in exported or (fields is not None and run_path_field(path) in fields)]


def _fields_of(content: bytes) -> set[str]:
    """Return the names of the fields of a task.yaml, and "" for the files of the whole run; none if it is not ours."""
    try:
        declared = yaml.safe_load(content)["fields"]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        return set()
    return {"", *map(str, declared)} if isinstance(declared, dict) else set()


def _warn_of_paths(file: Path, settings: Mapping[str, Any]) -> None:
    """Warn of local paths in run.yaml, which is sent unchanged: it must equal what the run was trained with."""
    values = [item for value in settings.values() for item in (value if isinstance(value, list) else [value])]
    paths = [value for value in values if isinstance(value, str) and Path(value).is_absolute()]
    if paths:
        warn(f"{file}: the file to be sent contains paths of this machine: {', '.join(dict.fromkeys(paths))}.")


# Data sets


def plan_data_upload(task: Task, repository: str) -> Upload:
    """Return the files of a data set repository for a task: one .jsonl per split, a task.yaml for them, the data card.

    Documents are written as the task's reader returns them, offsets included, whatever their format on disk. A field
    is null in documents for which it is unknown. Raises UserError for faults in the files.
    """
    if task.record and task.record.code_files:
        warn(f"lists of codes are not sent: {', '.join(task.record.code_files)}. Records need them in --data.")
    documents = task.read_splits(task.splits)
    files: dict[str, Content] = {CARD: dataset_page(task, documents, repository).encode()}
    files[TASK] = yaml.safe_dump(_as_jsonl(task), sort_keys=False, allow_unicode=True).encode()
    files |= {f"{split}.jsonl": _json_lines(task, members) for split, members in documents.items()}
    return Upload(files)


def is_data_path(path: str) -> bool:
    """Return whether `plan_data_upload` writes a file of this path for some task."""
    return path in (CARD, TASK, *(f"{split}.jsonl" for split in SPLITS))


def _as_jsonl(task: Task) -> dict[str, Any]:
    """Return the content of task.yaml for the uploaded JSON lines, which are in the same folder.

    Hints are not included: their files are not uploaded.
    """
    content = task.shareable()
    content.pop("hints", None)
    del content["name"], content["options"]
    content["format"] = "jsonl"
    content["files"] = {split: f"{split}.jsonl" for split in task.splits}
    content["fields"] = {
        name: {key: value for key, value in field.items() if key != "from"} for name, field in content["fields"].items()
    }
    return content


def _json_lines(task: Task, documents: Sequence[Document]) -> bytes:
    records = (jsonl.record_of(document, task.all_fields) for document in documents)
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
