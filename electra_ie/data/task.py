"""A data set and what is asked of it: tasks/<name>/task.yaml, a closed vocabulary without code, and its data card."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from electra_ie.common.errors import Fault, Faults, UserError, nearest, warn
from electra_ie.common.files import ROOT, escapes_folder, repository_of
from electra_ie.common.yaml_source import Source
from electra_ie.data.document import Document
from electra_ie.data.document_ids import repeated_ids, with_paths
from electra_ie.data.fields import KINDS, Field
from electra_ie.data.readers import READERS, read_unlabelled
from electra_ie.data.readers.plain import ENDINGS

KEYS = ("description", "format", "data", "files", "options", "fields")
FIELD_KEYS = ("kind", "labels", "from", "overlaps")
OVERLAPS = ("error", "count")
UNLABELED = "unlabeled"
SPLITS = ("train", "dev", "test", UNLABELED)
FILE = "task.yaml"
TAKEN = ("checkpoint", "generator", "comparison", "tracking")
"""Names of folders that runs and encoders have beside those of the fields."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
"""What can be no folder on Windows."""


def shipped(folder: str) -> Path:
    """`folder` as shipped: within the package in an installed wheel, beside it in a checkout."""
    return ROOT / folder if (ROOT / folder).is_dir() else ROOT.parent / folder


def list_tasks() -> list[str]:
    """The names of the shipped tasks."""
    return sorted(file.parent.name for file in shipped("tasks").glob(f"*/{FILE}"))


@dataclass(frozen=True)
class Task:
    """The files of a data set by split, how to read them, and the fields a model is to fill in.

    `folder` holds the files; it need not exist until a split is read.
    """

    name: str
    description: str
    format: str
    folder: Path
    files: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    fields: tuple[Field, ...]
    file: Path

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> Task:
        """The task of a task.yaml, of a folder that holds one, or of a shipped name; `data` replaces its folder.

        Raises:
            UserError: there is no such task, or its file says something it may not say (by line).
        """
        file = locate_task(name_or_path)
        mapping, source = Source.read(file)
        source.check_keys((), mapping, KEYS)
        name = file.absolute().parent.name if file.name == FILE else file.stem
        return build(name, mapping, source, data)

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], file: str | os.PathLike[str], data: str | os.PathLike[str] | None = None
    ) -> Task:
        """The task that `as_dict` wrote into `file`."""
        source = Source(Path(file), {})
        source.check_keys((), mapping, ("name", *KEYS))
        rest = {key: value for key, value in mapping.items() if key != "name"}
        return build(str(mapping.get("name", "")) or Path(file).stem, rest, source, data)

    def as_dict(self) -> dict[str, Any]:
        """The task in the vocabulary of task.yaml, its folder as an absolute path: for a run to embed."""
        fields = {}
        for field in self.fields:
            fields[field.name] = {"kind": field.kind, "labels": list(field.labels)}
            if field.source:
                fields[field.name]["from"] = field.source
            if field.overlaps != "error":
                fields[field.name]["overlaps"] = field.overlaps
        return {
            "name": self.name,
            "description": self.description,
            "format": self.format,
            "data": self.folder.absolute().as_posix(),
            "files": {split: list(files) for split, files in self.files.items()},
            "options": dict(self.options),
            "fields": fields,
        }

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have files, in the order train, dev, test, unlabeled."""
        return tuple(split for split in SPLITS if split in self.files)

    @property
    def paths(self) -> list[Path]:
        """The files and folders of all splits."""
        return [self.folder / name for names in self.files.values() for name in names]

    def without_folder(self) -> dict[str, Any]:
        """`as_dict` without the place of its files, which says nothing elsewhere and perhaps too much."""
        return {key: value for key, value in self.as_dict().items() if key != "data"}

    @property
    def card(self) -> Path | None:
        """The data card, if there is one. A run's task may be called anything, and its name is no path."""
        path = shipped("data_cards") / f"{self.name}.md"
        return path if path.is_file() and path.parent == shipped("data_cards") else None

    def read(self, split: str) -> list[Document]:
        """The documents of a split, in the order of its files; those of `unlabeled` without any gold.

        Raises:
            UserError: as `read_splits`.
        """
        return self.read_splits([split])[split]

    def read_splits(self, splits: Iterable[str]) -> dict[str, list[Document]]:
        """The documents of several splits. All their files are read before any mistake in them is raised.

        Raises:
            UserError: there is no such split, it is empty, two documents have one id, or records or files are not as
                they should be; several mistakes are one UserError, with the first ten in `faults`.
        """
        faults = Faults()
        found = {split: self._read(split, faults) for split in splits}
        faults.refuse(f"the data of the task {self.name}")
        return found

    def _read(self, split: str, faults: Faults) -> list[Document]:
        """The documents of a split that can be read; mistakes in them go to `faults`."""
        if split not in self.files:
            message = f'the task {self.name} has no split "{split}".'
            raise UserError(message, file=self.file, remedy=nearest(split, self.splits))
        if not self.folder.is_dir():
            card = f"; its data card says where they come from (electra-ie tasks {self.name})" if self.card else ""
            remedy = f"Give their folder with --data{card}."
            raise UserError(f"the data of the task {self.name} are not here.", file=self.folder, remedy=remedy)
        before = faults.number
        read = [(name, list(self._documents(name, split, faults.add))) for name in self.files.get(split, ())]
        documents = with_paths(read)
        for error in repeated_ids(documents):
            faults.add(error)
        if faults.number > before:
            return documents
        if not documents:
            names = ", ".join(self.files[split])
            remedy = "Give it at least one record, or leave the split out of the task."
            faults.add(UserError(f'the split "{split}" is empty ({names}).', file=self.folder, remedy=remedy))
        if split == UNLABELED:
            return [document.unlabeled() for document in documents]
        for field in self.fields:
            if not any(field.name in document.gold for document in documents):
                warn(f'{self.name}: no record of the split "{split}" says anything of the field {field.name}.')
        return documents

    def _documents(self, name: str, split: str, fault: Fault) -> Iterator[Document]:
        """The documents of one file of a split; bare texts may stand in the pool of a task of any format."""
        fields = () if split == UNLABELED else self.fields
        path = self.folder / name
        bare = path.is_dir() or path.suffix.lower() in ENDINGS
        try:
            self.check_data_files(path)
            if split == UNLABELED and bare and path.suffix.lower() != f".{self.format}":
                yield from read_unlabelled(path)
            else:
                yield from READERS[self.format].read(path, fields, self.options, fault)
        except UserError as error:  # the rest of this file cannot be read; the others can
            fault(error)

    def check_data_files(self, path: Path) -> None:
        """Raises UserError for a file of the data, or one of a folder of them, that is none, or a link out of `folder`;
        what the hub's cache holds are links to files of the same repository."""
        home = repository_of(self.folder) or self.folder.resolve()
        for each in (path, *sorted(path.rglob("*"))) if path.is_dir() else (path,):
            if each != path and any(part.startswith(".") for part in each.relative_to(path).parts):
                continue  # hidden: no reader takes it
            if each.exists() and not (each.is_file() or each.is_dir()):
                raise UserError("this is a device or a pipe.", file=each, remedy="Put a file in its place.")
            if escapes_folder(each, home):
                remedy = "Put the file itself there, or name its folder by data or --data."
                raise UserError("this is a link that leads out of the folder of the data.", file=each, remedy=remedy)


def locate_task(name_or_path: str | os.PathLike[str]) -> Path:
    """The task.yaml of a path or of a shipped name."""
    path = Path(name_or_path)
    for file in (path, path / FILE, shipped("tasks") / path / FILE):
        if file.is_file():
            return file
    if path.is_dir():
        raise UserError(f"there is no {FILE} in this folder.", file=path, remedy="Write one, as the README shows.")
    names = list_tasks()
    remedy = f"{nearest(str(path), names)} Or give the path of a {FILE}."
    raise UserError(f'there is no task "{os.fspath(name_or_path)}".', remedy=remedy)


def build(name: str, mapping: Mapping[str, Any], source: Source, data: str | os.PathLike[str] | None) -> Task:
    """The task of a mapping whose keys are known to be valid."""
    for key in ("format", "files", "fields"):
        if key not in mapping:
            raise source.error((), f"the task has no {key}.", f"Add the key {key}.")
    for key in ("format", "description", "data"):
        if not isinstance(mapping.get(key, ""), str):
            raise source.error((key,), f"{key} is {mapping[key]!r}, not text.", "Put it in quotes.")
    if mapping["format"] not in READERS:
        message = f'there is no format "{mapping["format"]}".'
        raise source.error(("format",), message, nearest(mapping["format"], READERS))
    reader = READERS[mapping["format"]]
    options = {} if mapping.get("options") is None else mapping["options"]
    source.check_mapping(("options",), options)
    for key, value in options.items():
        reader.settle({key: value}, source.file, source.line(("options", key)))
    fields = tuple(fields_of(mapping["fields"], source))
    for field in fields:
        reader.check(field, source.file, source.line(("fields", field.name, "kind")))
    folder = Path(data) if data is not None else Path(os.path.normpath(source.file.parent / mapping.get("data", ".")))
    files = files_of(mapping["files"], source)
    return Task(name, mapping.get("description", ""), reader.name, folder, files, dict(options), fields, source.file)


def files_of(value: Any, source: Source) -> dict[str, tuple[str, ...]]:
    """The files of each split; paths that stay within the folder of the data."""
    source.check_keys(("files",), value, SPLITS)
    if not value:
        raise source.error(("files",), "the task names no files.", f"Splits: {', '.join(SPLITS)}.")
    files = {}
    for split, names in value.items():
        files[split] = source.texts(("files", split), names)
        for name in files[split]:
            paths = PurePosixPath(name), PureWindowsPath(name)
            if any(path.anchor or ".." in path.parts for path in paths):
                remedy = "Give it relative to data, without .., and the folder by data or --data."
                raise source.error(("files", split), f'the path "{name}" may leave the folder of the data.', remedy)
    return files


def fields_of(value: Any, source: Source) -> Iterator[Field]:
    """The fields, each with its kind and labels."""
    source.check_mapping(("fields",), value)
    if not value:
        raise source.error(("fields",), "the task has no fields.", "Add at least one.")
    folders: dict[str, str] = {}
    for name, told in value.items():
        other = folders.setdefault(name.lower(), name)
        if other != name:
            message = f'the fields "{other}" and "{name}" would share a folder where capitals do not count.'
            raise source.error(("fields", name), message, "Rename one.")
        yield field_of(name, told, source)


def check_name(name: str, source: Source) -> None:
    """Raises UserError for a field that cannot have a folder of its name in a run, on any system."""
    keys = ("fields", name)
    if not NAME.fullmatch(name):
        remedy = "Use letters, digits and _, no digit first, 64 at most."
        raise source.error(keys, f'"{name[:80]}" cannot be the name of a field.', remedy)
    if DEVICES.fullmatch(name):
        raise source.error(keys, f'a field cannot be called "{name}": Windows makes no such folder.', "Rename it.")
    if name.lower() in TAKEN:
        raise source.error(keys, f'a field cannot be called "{name}": a run has a folder of that name.', "Rename it.")


def field_of(name: str, told: Any, source: Source) -> Field:
    """One field. Its labels are a list of texts: two or more where one must be chosen."""
    keys = ("fields", name)
    check_name(name, source)
    source.check_keys(keys, told, FIELD_KEYS)
    for key in ("kind", "labels"):
        if key not in told:
            raise source.error(keys, f"the field {name} has no {key}.", f"Add the key {key}.")
    kind, labels, origin = told["kind"], told["labels"], told.get("from", "")
    if kind not in KINDS:
        raise source.error((*keys, "kind"), f'there is no kind "{kind}".', nearest(kind, KINDS))
    if not isinstance(labels, list):
        raise source.error((*keys, "labels"), f"labels is {labels!r}.", "Write a list: [one, other].")
    if not isinstance(origin, str):
        raise source.error((*keys, "from"), f"from is {origin!r}, not text.", "Put it in quotes.")
    names = source.texts((*keys, "labels"), labels)
    if kind == "classes" and len(names) < 2:
        raise source.error((*keys, "labels"), f"the field {name} has one class only.", "Give two or more.")
    overlaps = told.get("overlaps", OVERLAPS[0])
    if overlaps not in OVERLAPS or (kind != "spans" and "overlaps" in told):
        remedy = f"Only fields of spans have it: {' or '.join(OVERLAPS)}."
        raise source.error((*keys, "overlaps"), f"overlaps is {overlaps!r} in a field of kind {kind}.", remedy)
    return Field(name, kind, names, origin, overlaps)
