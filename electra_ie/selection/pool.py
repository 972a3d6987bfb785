"""The texts of a task: those that are labeled, and those that may be labeled next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from electra_ie.data.document import Document
from electra_ie.data.leakage import digest_of
from electra_ie.data.splits import TRAIN, UNLABELED
from electra_ie.data.task import Task


@dataclass(frozen=True)
class TaskTexts:
    """The texts of a task. labeled: those of train. pool: without gold, and with ids that no other document has."""

    labeled: list[Document]
    pool: list[Document]


def texts_of(task: Task, others: Iterable[Document] | None = None) -> TaskTexts:
    """Return the texts of a task. Those of dev and test, and texts that are equal to one of them, are not in the pool.

    A split whose files do not exist or are empty has no documents: nothing has to be labeled before the first choice.

    Args:
        task: The task.
        others: The pool; None for the unlabeled documents of the task, those of train first.

    Raises:
        UserError: As `Task.read_splits`.
    """
    read = task.read_splits(split for split in task.splits if _exists(task, split))
    train = read.get(TRAIN, [])
    held_out = [each for split, documents in read.items() if split not in (TRAIN, UNLABELED) for each in documents]
    seen = {digest_of(document.text) for document in held_out}
    labeled = [document for document in train if document.gold]
    if others is None:
        bare = [document for document in train if not document.gold]
        known = {document.id for document in (*labeled, *held_out)}
        candidates = _with_own_ids([*bare, *read.get(UNLABELED, [])], known)
    else:
        candidates = list(others)
    return TaskTexts(labeled, [each.unlabeled() for each in candidates if digest_of(each.text) not in seen])


def _exists(task: Task, split: str) -> bool:
    """Return whether any file of a split has content; those of the hub and in memory do."""
    paths = [task.path_of(name) for name in task.files[split] if name not in task.memory]
    in_memory = any(name in task.memory for name in task.files[split])
    return in_memory or any(path is None or path.is_dir() or _size(path) for path in paths)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _with_own_ids(documents: Sequence[Document], known: set[str]) -> list[Document]:
    """Return documents with ids that no other document has, so that they can join train: `unlabeled-` is put before."""
    named, taken = [], set(known)
    for document in documents:
        id = document.id
        while id in taken:
            id = f"{UNLABELED}-{id}"
        taken.add(id)
        named.append(replace(document, id=id))
    return named
