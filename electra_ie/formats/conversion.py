"""Conversion between annotation formats: all or nothing, with the losses counted by kind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import ErrorCollector, UserError
from electra_ie.common.files import refuse_within
from electra_ie.common.logs import notice, warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats import format_of, json_spans
from electra_ie.formats.annotations import AnnotatedDocument, canonical
from electra_ie.formats.base import Format, Options, in_one_line
from electra_ie.formats.detection import by_ending, detect
from electra_ie.formats.features import Losses
from electra_ie.formats.parts.record_ids import RecordIds

TEMPORARY = ("part", "earlier")
"""In the names of what is written, and of a folder that it replaces, until it is in its place."""


@dataclass(frozen=True)
class Conversion:
    """The outcome of a conversion.

    Attributes:
        documents: The number of documents.
        annotations: The number of spans, relations, events and labels of texts in the input.
        losses: What the target format cannot hold, counted by kind.
        written: Whether the target was written: not if something would be lost, unless that is allowed.
        different: The ids of documents that differ from what was written when the target is read again; None if this
            was not checked.
        source_format: The name of the format that was read, for example the detected one; "" for the findings of a run.
        target_format: The name of the format of the target.
    """

    documents: int
    annotations: int
    losses: Losses
    written: bool
    different: tuple[str, ...] | None = None
    source_format: str = ""
    target_format: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the target was written and, if it was checked, is what was written."""
        return self.written and not self.different


@dataclass(frozen=True)
class Side:
    """One side of a conversion: a path, its format and the options of the format."""

    path: Path
    format: Format
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_source(cls, path: str | os.PathLike[str], format: str | None, options: Options) -> Side:
        """Return the side that is read.

        Args:
            path: A file or folder.
            format: The name of its format; None to detect it.
            options: The options of the format; if there are none, those that the file needs by what is in it.

        Raises:
            UserError: The format is unknown or not detected, or an option is invalid.
        """
        found = format_of(format) if format else detect(Path(path))
        if not options and (guessed := found.guess(Path(path))):
            notice(f"{path}: read as {found.name} with the options {in_one_line(guessed)}, by what is in it.")
            options = guessed
        return cls._of(Path(path), found, options)

    @classmethod
    def of_target(cls, path: str | os.PathLike[str], format: str | None, options: Options) -> Side:
        """Return the side that is written. format: its name; None for that of the ending. Raises as `of_source`."""
        return cls._of(Path(path), format_of(format) if format else by_ending(Path(path)), options)

    @classmethod
    def _of(cls, path: Path, format: Format, options: Options) -> Side:
        values = format.parse(options)
        format.settle(values)  # so that an invalid option is an error before anything is read
        return cls(path, format, values)


def convert(source: Side, target: Side, lossy: bool = False, check: bool = False) -> Conversion:
    """Convert a file or folder to another format.

    Args:
        source: What is read.
        target: What is written; its path may not exist.
        lossy: Write although something is lost.
        check: Read the target again and compare it with what was written. If it differs, it is removed.

    Raises:
        UserError: Something in the source is invalid (the first ten errors are in its `errors`), two documents have the
            same id, the target exists, or a format needs a package. Nothing is written then.
    """
    target.format.check_writable(target.path)
    refuse_within(target.path, [source.path])
    outcome = write_all(read_all(source), target, lossy, check)
    if not outcome.annotations and source.path.is_file() and (found := json_spans.explain(source.path)):
        warn(f"{source.path}: no annotation was read, but {found}.")
    return replace(outcome, source_format=source.format.name)


def write_all(
    documents: Sequence[AnnotatedDocument],
    target: Side,
    lossy: bool = False,
    check: bool = False,
    may_replace: Callable[[Path], None] | None = None,
) -> Conversion:
    """Write documents, as `convert` does with those of its source.

    What is in the place of the target is replaced: callers check that it may be, before the call, or in `may_replace`,
    which is called directly before with the path of what takes the place. If it raises, nothing is replaced.
    """
    kept, losses = target.format.reduced_all(documents, target.options)
    annotations = sum(
        len(list(document.annotations)) + sum(map(len, document.labels.values())) for document in documents
    )
    outcome = Conversion(len(documents), annotations, losses, written=False, target_format=target.format.name)
    if losses and not lossy:
        return outcome
    part, earlier = (target.path.with_name(f".{target.path.name}.{name}{target.path.suffix}") for name in TEMPORARY)
    _remove(part)
    try:
        target.format.save_reduced(kept, part, target.options)
        different = _different(kept, Side(part, target.format, target.options)) if check else None
        if not different:
            if may_replace:
                may_replace(part)
            _remove(earlier)
            if part.is_dir() and os.path.lexists(target.path):  # a folder replaces an empty one only
                os.replace(target.path, earlier)  # at once: a process that is killed leaves all of it, or nothing
            os.replace(part, target.path)
            _remove(earlier)
    except UserError as error:
        raise _at(error, part, target.path) from None
    finally:
        _remove(part)
    return replace(outcome, written=not different, different=different)


def _at(error: UserError, part: Path, path: Path) -> UserError:
    """Return the error of a temporary file or folder, which is removed, as that of the path to write."""
    file = error.file and os.fspath(error.file)
    if file and file.startswith(str(part)):
        file = f"{path}{file.removeprefix(str(part))}"
    inner = [_at(single, part, path) for single in error.errors]
    return UserError(error.message, file=file, line=error.line, remedy=error.remedy, errors=inner)


def read_all(source: Side) -> list[AnnotatedDocument]:
    """Return all documents of a source. Raises UserError as `convert` does."""
    errors, documents = ErrorCollector(), []
    try:
        documents = list(source.format.documents(source.path, source.options, errors.add))
    except UserError as error:
        errors.add(error)
    ids = RecordIds()
    for document in documents:
        try:
            ids.add(document.id, SourceLine(document.file, document.line))
        except UserError as error:
            errors.add(error)
    errors.raise_any(str(source.path))
    if not documents:
        raise UserError("there is no document.", file=source.path, remedy="Check the path and the format.")
    return documents


def _different(documents: Sequence[AnnotatedDocument], written: Side) -> tuple[str, ...]:
    """Return the ids of the documents that are not read again as they were written, in whatever order."""
    expected, again = _ordered(documents), _ordered(read_all(written))
    different = [
        wanted.id or f"document {number}"
        for number, (wanted, found) in enumerate(zip(expected, again, strict=False), start=1)
        if wanted != found
    ]
    if len(expected) != len(again):
        different.append(f"{len(again)} documents instead of {len(expected)}")
    return tuple(different)


def _ordered(documents: Iterable[AnnotatedDocument]) -> list[AnnotatedDocument]:
    return sorted(map(canonical, documents), key=lambda document: (document.id, document.text))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
