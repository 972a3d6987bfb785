"""Texts that people have annotated in another tool, read with the fields of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from electra_ie.common.errors import ErrorCollector
from electra_ie.data.document import Document
from electra_ie.data.fields import AnyField
from electra_ie.data.readers import READERS
from electra_ie.data.task import Task
from electra_ie.formats.detection import detect
from electra_ie.formats.parts.options import parse

QUESTIONS = ("classes", "flags")
"""The kinds of field that are questions about a whole text in annotation tools."""


class Read(NamedTuple):
    """What was read: the documents, the name of the format, and the fields that it can express."""

    documents: list[Document]
    format: str
    fields: list[AnyField]


def read_documents(
    path: Path, task: Task, fields: Sequence[AnyField], options: Sequence[str], *, answered: bool = False
) -> Read:
    """Return the documents of a file or folder in any format, with the gold of the fields that it can express.

    Args:
        path: The file or folder.
        task: The task, whose options are used if its own format is that of the file.
        fields: Its fields to read.
        options: Options of the format, as texts `key=value`.
        answered: Leave out the fields of classes and flags to which no document has an answer, instead of an error.

    Raises:
        UserError: The format is unknown, or records are invalid; several are one error with the first ten.
    """
    format = detect(path)
    reader, errors = READERS[format.name], ErrorCollector()
    able = [field for field in fields if field.kind in reader.kinds]
    found = {} if options else format.guess(path)
    own = {**(task.options if task.format == format.name else found), **parse(options, reader.options, format.name)}
    if answered:
        known = {key: value for key, value in own.items() if key in format.options}
        questions = {name for each in format.documents(path, known, errors.add) for name in each.labels}
        errors.raise_any(str(path))
        able = [field for field in able if field.kind not in QUESTIONS or field.column in questions]
    documents = list(reader.read(path, able, own, errors.add))
    errors.raise_any(str(path))
    return Read(documents, format.name, able)
