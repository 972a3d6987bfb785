"""The ids of the records of one file, each of which may occur once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument


class RecordIds:
    """Collector of the ids that a reader has seen; "" is no id."""

    def __init__(self) -> None:
        self._first: dict[str, SourceLine] = {}

    def add(self, id: str, source: SourceLine) -> None:
        """Add the id of a record. Raises UserError if another record has it."""
        if id and id in self._first:
            remedy = "Give each record its own id, or remove the record that is there twice."
            raise source.error(f'the id "{id}" is also that of {self._first[id].within}.', remedy)
        self._first[id] = source


def refuse_repeated(documents: Iterable[AnnotatedDocument], path: Path) -> None:
    """Raise UserError, before anything is written, if two documents have the same id."""
    seen = set[str]()
    for document in documents:
        if document.id and document.id in seen:
            remedy = "Give each document its own id, or write them to different files."
            raise UserError(f'two documents have the id "{document.id}".', file=path, remedy=remedy)
        seen.add(document.id)
