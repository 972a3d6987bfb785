"""What an annotation format is: how it is read and written, and what it can hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.features import Feature, Losses, reduced
from electra_ie.formats.parts.options import Option, parse, settle

Options = Mapping[str, Any] | Sequence[str]
"""The options of a format: values by name, or texts `key=value` as on the command line."""
Read = Callable[[Path, Mapping[str, Any], OnError], Iterator[AnnotatedDocument]]
"""Reads the documents of a file or folder, one at a time. The last argument is called for each invalid record; the next
record follows if it does not raise. UserError is raised for anything that makes the rest of the file unreadable."""
Write = Callable[[Sequence[AnnotatedDocument], Path, Mapping[str, Any]], None]
"""Writes documents, which have only what the format holds, to a file or folder that does not exist."""


def as_they_are(options: Mapping[str, Any], layers: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    """Return the options: the reader does not depend on the layers that are wanted."""
    return options


def no_options(path: Path) -> Mapping[str, Any]:
    """Return no options: the defaults fit every file of the format."""
    return {}


def in_one_line(options: Mapping[str, Any]) -> str:
    """Return options as task.yaml has them."""
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in options.items()
    )


def nothing_more(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Return the document as it is: the features of the format say all that it cannot hold."""
    return document, Losses()


@dataclass(frozen=True)
class Format:
    """A format of annotated text.

    Attributes:
        name: The name, on the command line and in task.yaml.
        title: The name in messages and tables.
        read: The reader.
        write: The writer; None for a format that is only read.
        holds: The features that the writer keeps.
        options: The options of reader and writer.
        detect: Returns whether a file or folder that exists seems to have this format. It never raises, and reads the
            beginning of a file only.
        package: The package that the format needs beyond those of electra_ie, imported late.
        extra: The extra of electra_ie that installs it.
        reduce: Removes and counts what the format cannot hold beyond the missing features, such as white space.
        endings: The endings of its files by which a writer is chosen, in lower case with their dot.
        writes_folder: Whether the writer makes a folder.
        for_layers: Returns the options for a reader of which only some layers of spans are wanted, each with its
            labels.
        columns: Returns the names of the columns of a file, if the option `labels` says which of them have labels.
        guess: Returns the options that a file needs, by what is in it, if none are given. It never raises.
    """

    name: str
    title: str
    read: Read
    write: Write | None = None
    holds: frozenset[Feature] = frozenset()
    options: Mapping[str, Option] = field(default_factory=dict)
    detect: Callable[[Path], bool] = lambda path: False
    package: str = ""
    extra: str = ""
    reduce: Callable[[AnnotatedDocument, Mapping[str, Any]], tuple[AnnotatedDocument, Losses]] = nothing_more
    endings: tuple[str, ...] = ()
    writes_folder: bool = False
    for_layers: Callable[[Mapping[str, Any], Mapping[str, Sequence[str]]], Mapping[str, Any]] = as_they_are
    columns: Callable[[Path, Mapping[str, Any]], Sequence[str]] | None = None
    guess: Callable[[Path], Mapping[str, Any]] = no_options

    def check_installed(self) -> None:
        """Raise UserError if the package that the format needs is not installed."""
        if self.package and find_spec(self.package) is None:
            remedy = f'Install it: pip install "electra_ie[{self.extra}]".'
            raise UserError(f"the format {self.name} needs the package {self.package}.", remedy=remedy)

    def settle(
        self, values: Mapping[str, Any], file: str | os.PathLike[str] | None = None, line: int | None = None
    ) -> dict[str, Any]:
        """Return a value for every option; `file` and `line` are the position of `values`, for errors."""
        return settle(values, self.options, self.name, file, line)

    def parse(self, options: Options) -> Mapping[str, Any]:
        """Return options by name; texts `key=value` are read as on the command line.

        Raises:
            UserError: One of the texts is invalid.
        """
        return options if isinstance(options, Mapping) else parse(options, self.options, self.name)

    def documents(
        self, path: Path, options: Mapping[str, Any] | None = None, on_error: OnError = raise_error
    ) -> Iterator[AnnotatedDocument]:
        """Yield the documents of a file or folder.

        Raises:
            UserError: at once for an invalid option or a package that is missing, while reading for an invalid file.
        """
        self.check_installed()
        return self.read(path, self.settle(options or {}), on_error)

    def reduced(
        self, document: AnnotatedDocument, options: Mapping[str, Any] | None = None
    ) -> tuple[AnnotatedDocument, Losses]:
        """Return a document with only what the format holds, and the counts of what is lost, by kind.

        `read` returns this document, but for the ids of its annotations, if `write` wrote it (see
        `annotations.canonical`).
        """
        document, losses = reduced(document, self.holds)
        document, others = self.reduce(document, self.settle(options or {}))
        return document, losses + others

    def check_writable(self, path: Path) -> None:
        """Raise UserError if the format is only read, the path exists, its folder does not, or a package is missing."""
        if self.write is None:
            raise UserError(f"the format {self.name} is only read.", remedy="Choose another format to write.")
        if os.path.lexists(path):
            raise UserError("this path exists.", file=path, remedy="Give another path, or remove it.")
        if not path.absolute().parent.is_dir():
            remedy = "Create it, or write elsewhere."
            raise UserError("the folder of the output does not exist.", file=path, remedy=remedy)
        self.check_installed()

    def reduced_all(
        self, documents: Iterable[AnnotatedDocument], options: Mapping[str, Any] | None = None
    ) -> tuple[list[AnnotatedDocument], Losses]:
        """Return documents with only what the format holds, and the counts of what is lost, by kind."""
        kept, losses = [], Losses()
        for document in documents:
            bare, lost = self.reduced(document, options)
            losses += lost
            kept.append(bare)
        return kept, losses

    def save(
        self, documents: Iterable[AnnotatedDocument], path: Path, options: Mapping[str, Any] | None = None
    ) -> Losses:
        """Write documents to a file or folder that does not exist; return the counts of what is lost, by kind.

        Raises:
            UserError: the format is only read, the path exists, or the documents cannot be written.
        """
        self.check_writable(path)
        kept, losses = self.reduced_all(documents, options)
        self.save_reduced(kept, path, options)
        return losses

    def save_reduced(
        self, documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any] | None = None
    ) -> None:
        """Write documents that `reduced_all` has returned. Raises UserError as `save`."""
        self.check_writable(path)
        assert self.write is not None
        self.write(documents, path, self.settle(options or {}))
