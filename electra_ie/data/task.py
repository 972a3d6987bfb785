"""A task: the files of a data set, how to read them, and the fields to extract."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import ErrorCollector, OnError, UserError, nearest
from electra_ie.common.files import escapes_folder, repository_of
from electra_ie.common.logs import warn
from electra_ie.common.yaml_source import Source
from electra_ie.data.declaration.hints_yaml import declared_descriptions, declared_hints
from electra_ie.data.declaration.record_plan import RECORD, RecordPlan, read_codes
from electra_ie.data.declaration.task_yaml import DATA_SETS, KEYS, MEMORY, declaration, parse_task
from electra_ie.data.document import Document, is_biased
from electra_ie.data.document_ids import repeated_ids, with_paths
from electra_ie.data.fields import AnchoredField, AnyField, AttributeField, Field, RelationField
from electra_ie.data.hints import Hint, read_terms
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.data.readers.dataset import local_path
from electra_ie.data.readers.plain import ENDINGS
from electra_ie.data.splits import SPLITS, TRAIN, UNLABELED
from electra_ie.data.task_files import TASK_FILE, locate_task, shipped


@dataclass(frozen=True)
class Task:
    """The files of a data set by split, how to read them, and the fields that a model predicts.

    Attributes:
        name: The name, which is that of the folder of task.yaml.
        description: One sentence for lists and model cards.
        format: A key of `READERS`.
        folder: The folder of the data files. It does not have to exist until a split is read.
        files: The names of the files of each split, relative to `folder`.
        options: Options of the reader.
        fields: The fields.
        file: The task.yaml.
        memory: Documents by file name, for those of `files` that are not read from `folder`, because the data were
            passed as Python objects. None for a file of a saved run, which keeps no copy of them.
        descriptions: What labels mean, in a sentence or phrase: texts by label, by field.
        hints: Lexicons and patterns of labels; those in files without their terms (see `read_hints`).
        hub: The value of `data` with which the task is read from the hub, or was; "" if it names no data set there.
        anchored: The fields of relations and attributes, which are predicted of the spans that `fields` find, by models
            of their own.
        record: The records that are made of findings; None without any.
    """

    name: str
    description: str
    format: str
    folder: Path
    files: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    fields: tuple[Field, ...]
    file: Path
    memory: Mapping[str, Sequence[Document] | None] = field(default_factory=dict)
    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    hub: str = ""
    anchored: tuple[AnchoredField, ...] = ()
    record: RecordPlan | None = None

    @classmethod
    @check_types
    def load(cls, name_or_path: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> Task:
        """Load a task from a task.yaml, a folder that contains one, or the name of a shipped task.

        Args:
            name_or_path: The name or path.
            data: The folder of the data files, instead of the one in task.yaml; or `hub:ORG/NAME`, the data set on the
                hub that the task names. Only the latter reads from the network.

        Raises:
            UserError: There is no such task, or its file is invalid (by line).
        """
        file = locate_task(name_or_path)
        mapping, source = Source.read(file)
        source.check_keys((), mapping, KEYS)
        name = file.absolute().parent.name if file.name == TASK_FILE else file.stem
        return cls(name=name, file=source.file, **parse_task(mapping, source, data)._asdict())

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], file: str | os.PathLike[str], data: str | os.PathLike[str] | None = None
    ) -> Task:
        """Return the task that `as_dict` has written to `file`.

        Args:
            mapping: The content of the file.
            file: The file, for messages.
            data: The folder of the data files, instead of the one in `mapping`. It has to hold all files, also those
                whose documents were in memory.

        Raises:
            UserError: As `load`.
        """
        source = Source(Path(file), {})
        source.check_keys((), mapping, ("name", MEMORY, *KEYS))
        parts = {key: value for key, value in mapping.items() if key in KEYS}
        name = str(mapping.get("name", "")) or Path(file).stem
        in_memory = source.texts((MEMORY,), mapping[MEMORY]) if MEMORY in mapping else ()
        memory = dict.fromkeys(in_memory) if data is None else {}
        return cls(name=name, file=source.file, memory=memory, **parse_task(parts, source, data)._asdict())

    def as_dict(self) -> dict[str, Any]:
        """Return the task with the keys of task.yaml, for a run to save.

        The folder is an absolute path. It is omitted if no file is read from it. Documents in memory are not included:
        `in_memory` lists the names of their files. Nor are the terms of hints in files.
        """
        return {
            "name": self.name,
            "description": self.description,
            "format": self.format,
            **({"data": self.folder.absolute().as_posix()} if self.paths else {}),
            "files": {split: list(files) for split, files in self.files.items()},
            **({MEMORY: list(self.memory)} if self.memory else {}),
            "options": dict(self.options),
            "fields": {declared.name: declaration(declared) for declared in self.all_fields},
            "descriptions": declared_descriptions(self.descriptions),
            "hints": declared_hints(self.hints),
            **({RECORD: dict(self.record.declaration)} if self.record else {}),
        }

    @property
    def all_fields(self) -> tuple[AnyField, ...]:
        """The fields, and those that are anchored to spans."""
        return (*self.fields, *self.anchored)

    @property
    def relations(self) -> tuple[RelationField, ...]:
        """The fields of relations between spans."""
        return tuple(field for field in self.anchored if isinstance(field, RelationField))

    @property
    def attributes(self) -> tuple[AttributeField, ...]:
        """The fields of attributes of spans."""
        return tuple(field for field in self.anchored if isinstance(field, AttributeField))

    def refuse_anchored(self, action: str, folder: Path, remedy: str) -> None:
        """Raise UserError if the task has relations or attributes, whose models cannot take part in an action."""
        if self.anchored:
            kinds = " and ".join(dict.fromkeys(field.kind for field in self.anchored))
            names = ", ".join(field.name for field in self.anchored)
            raise UserError(f"a run with {kinds} ({names}) cannot be {action}.", file=folder, remedy=remedy)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have files, in the order train, dev, test, unlabeled."""
        return tuple(split for split in SPLITS if split in self.files)

    @property
    def paths(self) -> list[Path]:
        """The files and folders of all splits, without those whose documents are in memory or on the hub."""
        names = [name for names in self.files.values() for name in names if name not in self.memory]
        return list(dict.fromkeys(path for name in names if (path := self.path_of(name)) is not None))

    def path_of(self, name: str) -> Path | None:
        """Return the file or folder of one of `files`; for a split of a data set its folder, None on the hub."""
        return local_path(self.folder, self.options) if self.format == DATA_SETS else self.folder / name

    @property
    def origin(self) -> Path | str:
        """The origin of the data, for messages: the folder, or the task's name if all documents are in memory."""
        return self.folder if self.paths else self.name

    def shareable(self) -> dict[str, Any]:
        """Return `as_dict` without what may be private: the folder, and the terms of hints.

        The folder means nothing on another machine. Hints in files keep the name of their file.
        """
        content = {key: value for key, value in self.as_dict().items() if key != "data"}
        content["hints"] = declared_hints([hint for hint in self.hints if hint.file or hint.pattern])
        return {key: value for key, value in content.items() if value or key not in ("descriptions", "hints")}

    @property
    def card(self) -> Path | None:
        """The data card, or None. The name of a run's task is not trusted: it may not lead out of the folder."""
        path = shipped("data_cards") / f"{self.name}.md"
        return path if path.is_file() and path.parent == shipped("data_cards") else None

    def read(self, split: str) -> list[Document]:
        """Return the documents of a split in the order of its files; those of `unlabeled` have no gold.

        Raises:
            UserError: As `read_splits`.
        """
        return self.read_splits([split])[split]

    def read_splits(self, splits: Iterable[str]) -> dict[str, list[Document]]:
        """Return the documents of several splits. All files are read before an error in any of them is raised.

        Raises:
            UserError: A split does not exist or is empty, two documents have the same id, or a record or file is
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
        self._refuse_unsaved(split)
        paths = [self.path_of(name) for name in self.files[split] if name not in self.memory]
        if not self.folder.is_dir() and any(path is not None for path in paths):
            card = f"; its data card names their source (electra-ie tasks {self.name})" if self.card else ""
            hub = f", or read them from the hub: --data {self.hub}" if self.hub else ""
            remedy = f"Give their folder with --data{hub}{card}."
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
            errors.add(UserError(f'the split "{split}" is empty ({names}).', file=self.origin, remedy=remedy))
        if split == UNLABELED:
            return [document.unlabeled() for document in documents]
        biased = sum(is_biased(document) for document in documents if document.gold)
        if biased and split != TRAIN:
            warn(
                f"{self.name}: {biased:,} of {len(documents):,} documents of {split} were chosen to be labeled because "
                "they are typical or uncertain, or a model found something in them. Scores on them are biased: move "
                "them to train."
            )
        for declared in self.all_fields:
            if not any(declared.name in document.gold for document in documents):
                warn(f'{self.name}: no record of the split "{split}" has a value for the field {declared.name}.')
        return documents

    def read_hints(self) -> tuple[Hint, ...]:
        """Return the hints, those in files with their terms.

        Raises:
            UserError: A file does not exist, leads out of the folder, has no term, or has a line that is blank or not
                UTF-8. Several errors are raised as one, with the first ten in its `errors`.
        """
        errors = ErrorCollector()
        hints = tuple(self._read_hint(hint, errors) for hint in self.hints)
        errors.raise_any(f"the hints of the task {self.name}")
        return hints

    def _read_hint(self, hint: Hint, errors: ErrorCollector) -> Hint:
        """Return a hint with its terms; collect the errors of its file."""
        if not hint.file:
            return hint
        path = self.folder / hint.file
        try:
            self.check_data_files(path)
            if not path.exists():
                remedy = "Give its path relative to the folder of the data, and another folder by data or --data."
                raise UserError(f'the file of the hint "{hint.name}" does not exist.', file=path, remedy=remedy)
            return replace(hint, terms=read_terms(path, errors.add))
        except UserError as error:
            errors.add(error)
            return hint

    def check_codes(self) -> None:
        """Read the lists of codes of the records, so that a faulty one is found before a model is trained.

        Raises:
            UserError: A list does not exist, leads out of the folder, or is invalid. Several errors are raised as one.
        """
        errors = ErrorCollector()
        for name in dict.fromkeys(self.record.code_files if self.record else ()):
            try:
                self.check_data_files(self.folder / name)
                read_codes(self.folder / name)
            except UserError as error:
                errors.add(error)
        errors.raise_any(f"the lists of codes of the task {self.name}")

    def _refuse_unsaved(self, split: str) -> None:
        """Raise UserError for a split of a saved run whose documents were passed as Python objects."""
        for name in self.files[split]:
            if name in self.memory and self.memory[name] is None:
                raise UserError(
                    f'the run was trained from objects in memory and has no copy of the split "{split}".',
                    file=self.file,
                    remedy=f"Save its records as JSON lines in {name}, and give the folder of that file by data or "
                    "--data. In Python, evaluate and calibrate take the records themselves as data.",
                )

    def _documents(self, name: str, split: str, on_error: OnError) -> Iterator[Document]:
        """Yield the documents of one file of a split. The unlabeled split may have plain texts in any format."""
        if name in self.memory:
            yield from self.memory[name] or ()
            return
        fields = () if split == UNLABELED else self.all_fields
        path = self.folder / name
        plain = self.format != DATA_SETS and (path.is_dir() or path.suffix.lower() in ENDINGS)
        try:
            self.check_data_files(self.path_of(name) or path)
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
