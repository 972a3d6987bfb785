"""Ids of documents: unique, and the same on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import escape_undecodable
from electra_ie.data.document import Document


def with_paths(read: Iterable[tuple[str, Sequence[Document]]]) -> list[Document]:
    """The documents of several files or folders, each given with its name.

    Where two of these would have a document of one id, ids that come from file names get the path of the folder in
    front: `a/memo.txt` and `b/memo.txt`. Ids that the records have stay as they are.
    """
    groups = list(read)
    fields_with_label = Counter(id for _, documents in groups for id in {each.id for each in documents})
    found = []
    for name, documents in groups:
        for each in documents:
            path = PurePath(each.file)
            if fields_with_label[each.id] > 1 and is_of_file(each.id, path, each.line):
                folder = PurePath(name) if path.name != PurePath(name).name else PurePath(name).parent
                each = replace(each, id=escape_undecodable((folder / each.id).as_posix()))
            found.append(each)
    return found


def is_of_file(id: str, file: PurePath, line: int) -> bool:
    """Whether an id is the end of a file's path, with or without its ending, or that and the line."""
    whole, stem = file.as_posix(), file.with_suffix("").as_posix()
    return any(f"/{each}".endswith(f"/{id}") for each in (whole, stem, f"{stem}-{line}"))


def repeated_ids(documents: Iterable[Document]) -> Iterator[UserError]:
    """A mistake for each document with the id of an earlier one: what is found in them could not be told apart."""
    first: dict[str, Document] = {}
    for document in documents:
        other = first.setdefault(document.id, document)
        if other is not document:
            message = f'the id "{document.id}" is taken by {other.file}:{other.line}.'
            remedy = "Give each record its own id; without ids, each file its own name."
            yield UserError(message, file=document.file, line=document.line, remedy=remedy)
