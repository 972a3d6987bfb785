"""Ids of documents: unique in a data set, and the same on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import SourceLine, escape_undecodable
from electra_ie.data.document import Document
from electra_ie.formats.parts.record_ids import RecordIds


def with_paths(groups: Iterable[tuple[str, Sequence[Document]]]) -> list[Document]:
    """Return the documents of several files or folders, with unique ids where these come from file names.

    If documents of two files or folders have the same id, and it comes from the file name, the path of the folder is
    put before it: `a/memo.txt` and `b/memo.txt`. Ids from the records stay as they are.

    Args:
        groups: the path of each file or folder, as the user gave it, and its documents.
    """
    groups = list(groups)
    groups_by_id = Counter(id for _, documents in groups for id in {document.id for document in documents})
    renamed = []
    for name, documents in groups:
        for document in documents:
            path, id = PurePath(document.file), document.id
            if groups_by_id[id] > 1 and is_of_file(id, path, document.line):
                folder = PurePath(name) if path.name != PurePath(name).name else PurePath(name).parent
                id = escape_undecodable((folder / id).as_posix())
            renamed.append(replace(document, id=id))
    return renamed


def is_of_file(id: str, file: PurePath, line: int) -> bool:
    """Return whether an id comes from a file's path: its end, with or without the ending or with the line."""
    whole, stem = file.as_posix(), file.with_suffix("").as_posix()
    return any(f"/{path}".endswith(f"/{id}") for path in (whole, stem, f"{stem}-{line}"))


def repeated_ids(documents: Iterable[Document]) -> Iterator[UserError]:
    """Yield an error for each document with the id of an earlier one: their findings could not be distinguished."""
    ids = RecordIds()
    for document in documents:
        try:
            ids.add(document.id, SourceLine(document.file, document.line))
        except UserError as error:
            yield error
