"""The ids of records, each of which may occur once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument


class RecordIds:
    """Collector of the ids of the records of one or more files; "" is no id."""

    def __init__(self) -> None:
        self._first: dict[str, SourceLine] = {}

    def add(self, id: str, source: SourceLine) -> None:
        """Add the id of a record. Raises UserError if another record has it."""
        first = self._first.setdefault(id, source)
        if id and first is not source:
            raise repeated(id, first, source)


def repeated(id: str, first: SourceLine, source: SourceLine) -> UserError:
    """Return the error of a record with the id of another, the first one."""
    if first.file != source.file:
        remedy = "Give each record its own id, or if the records have no ids, each file its own name."
        return source.error(f'the id "{id}" is also that of {first}.', remedy)
    other = f"of {first.within}" if first.line != source.line else "of a record before"  # all in one line
    remedy = "Give each record its own id, or remove the record that is there twice."
    return source.error(f'the id "{id}" is also that {other}.', remedy)


def refuse_repeated(documents: Iterable[AnnotatedDocument], path: Path) -> None:
    """Raise UserError, before anything is written, if two documents have the same id."""
    seen = set[str]()
    for document in documents:
        if document.id and document.id in seen:
            remedy = "Give each document its own id, or write them to different files."
            raise UserError(f'two documents have the id "{document.id}".', file=path, remedy=remedy)
        seen.add(document.id)
