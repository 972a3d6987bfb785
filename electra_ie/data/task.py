"""A task: the files of a data set, how to read them, and the fields to extract."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra_ie.common.errors import ErrorCollector, OnError, UserError, nearest
from electra_ie.common.files import escapes_folder, repository_of
from electra_ie.common.logs import warn
from electra_ie.common.yaml_source import Source
from electra_ie.data.document import Document
from electra_ie.data.document_ids import repeated_ids, with_paths
from electra_ie.data.fields import Field
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.data.readers.plain import ENDINGS
from electra_ie.data.task_yaml import KEYS, SPLITS, TASK_FILE, UNLABELED, locate_task, parse_task, shipped


@dataclass(frozen=True)
class Task:
    """The files of a data set by split, how to read them, and the fields that a model predicts.

    `file` is the task.yaml. `folder` holds the data files; it does not have to exist until a split is read.
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
        """Load a task from a task.yaml, a folder that contains one, or the name of a shipped task.

        Args:
            name_or_path: the name or path.
            data: the folder of the data files, instead of the one in task.yaml.

        Raises:
            UserError: there is no such task, or its file is invalid (by line).
        """
        file = locate_task(name_or_path)
        mapping, source = Source.read(file)
        source.check_keys((), mapping, KEYS)
        name = file.absolute().parent.name if file.name == TASK_FILE else file.stem
        return cls(name, *parse_task(mapping, source, data), source.file)

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], file: str | os.PathLike[str], data: str | os.PathLike[str] | None = None
    ) -> Task:
        """Return the task that `as_dict` has written to `file`. Raises UserError as `load` does."""
        source = Source(Path(file), {})
        source.check_keys((), mapping, ("name", *KEYS))
        parts = {key: value for key, value in mapping.items() if key != "name"}
        name = str(mapping.get("name", "")) or Path(file).stem
        return cls(name, *parse_task(parts, source, data), source.file)

    def as_dict(self) -> dict[str, Any]:
        """Return the task with the keys of task.yaml, its folder as an absolute path, for a run to save."""
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
        """Return `as_dict` without the folder, which means nothing on another machine and may be private."""
        return {key: value for key, value in self.as_dict().items() if key != "data"}

    @property
    def card(self) -> Path | None:
        """The data card, or None. The name of a run's task is not trusted: it may not lead out of the folder."""
        path = shipped("data_cards") / f"{self.name}.md"
        return path if path.is_file() and path.parent == shipped("data_cards") else None

    def read(self, split: str) -> list[Document]:
        """Return the documents of a split in the order of its files; those of `unlabeled` have no gold.

        Raises:
            UserError: as `read_splits`.
        """
        return self.read_splits([split])[split]

    def read_splits(self, splits: Iterable[str]) -> dict[str, list[Document]]:
        """Return the documents of several splits. All files are read before an error in any of them is raised.

        Raises:
            UserError: a split does not exist or is empty, two documents have the same id, or a record or file is
                invalid. Several errors are raised as one, with the first ten in its `errors`.
        """
        errors = ErrorCollector()
        documents = {split: self._read(split, errors) for split in splits}
        errors.raise_any(f"the data of the task {self.name}")
        return documents

    def _read(self, split: str, errors: ErrorCollector) -> list[Document]:
        """Return the documents of a split that can be read; collect the errors of the others."""
        if split not in self.files:
            message = f'the task {self.name} has no split "{split}".'
            raise UserError(message, file=self.file, remedy=nearest(split, self.splits))
        if not self.folder.is_dir():
            card = f"; its data card names their source (electra-ie tasks {self.name})" if self.card else ""
            remedy = f"Give their folder with --data{card}."
            raise UserError(f"the data of the task {self.name} are not here.", file=self.folder, remedy=remedy)
        count_before = errors.count
        by_file = [(name, list(self._documents(name, split, errors.add))) for name in self.files.get(split, ())]
        documents = with_paths(by_file)
        for error in repeated_ids(documents):
            errors.add(error)
        if errors.count > count_before:
            return documents
        if not documents:
            names = ", ".join(self.files[split])
            remedy = "Add at least one record, or remove the split from the task."
            errors.add(UserError(f'the split "{split}" is empty ({names}).', file=self.folder, remedy=remedy))
        if split == UNLABELED:
            return [document.unlabeled() for document in documents]
        for field in self.fields:
            if not any(field.name in document.gold for document in documents):
                warn(f'{self.name}: no record of the split "{split}" has a value for the field {field.name}.')
        return documents

    def _documents(self, name: str, split: str, on_error: OnError) -> Iterator[Document]:
        """Yield the documents of one file of a split. The unlabeled split may have plain texts in any format."""
        fields = () if split == UNLABELED else self.fields
        path = self.folder / name
        plain = path.is_dir() or path.suffix.lower() in ENDINGS
        try:
            self.check_data_files(path)
            if split == UNLABELED and plain and path.suffix.lower() != f".{self.format}":
                yield from read_unlabeled(path)
            else:
                yield from READERS[self.format].read(path, fields, self.options, on_error)
        except UserError as error:  # the rest of this file cannot be read; the other files can
            on_error(error)

    def check_data_files(self, path: Path) -> None:
        """Check a data file, or all files in a data folder.

        Links may not leave `folder`, so that a task from elsewhere cannot read the user's other files. For data in the
        cache of the Hub client, whose files are links, they may not leave the repository.

        Raises:
            UserError: a file is a device or a pipe, or a link out of the folder.
        """
        home = repository_of(self.folder) or self.folder.resolve()
        for file in (path, *sorted(path.rglob("*"))) if path.is_dir() else (path,):
            if file != path and any(part.startswith(".") for part in file.relative_to(path).parts):
                continue  # hidden: no reader reads it
            if file.exists() and not (file.is_file() or file.is_dir()):
                raise UserError("this is a device or a pipe.", file=file, remedy="Replace it by a file.")
            if escapes_folder(file, home):
                remedy = "Replace it by the file itself, or give the folder of the file by data or --data."
                raise UserError("this link leads out of the folder of the data.", file=file, remedy=remedy)
