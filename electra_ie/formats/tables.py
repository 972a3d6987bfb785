"""Tables: a document a row, with a text, an id, columns of labels, and columns of other values; the formats csv, tsv.

Cells are texts. They are read as they are: no type is guessed, so that "007" and "NA" stay what they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parts.delimited import (
    Row,
    Table,
    check_layout,
    check_row,
    compose,
    layout,
    swallows,
    text_columns,
)
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.record_ids import RecordIds, refuse_repeated
from electra_ie.formats.parts.text_output import text_output

COLUMNS = {"text": Option("text", (str, list)), "id": Option(""), "labels": Option([])}
"""text: the column of the text, or several, composed as lines "name: value", which are only read. id: the column of the
ids, by default `id` if there is one. labels: the columns of labels, each a question. All others are metadata."""
CELLS = {
    "separator": Option("|"),
    "unlabeled": Option([]),
    "none": Option([]),
    "blank": Option("", choices=("none", "unknown")),
}
"""separator: the character between the labels of a cell, or nothing for one label a cell. unlabeled: cells of labels
that mean "unknown". none: cells that mean "no label applies", such as `-`. blank: what an empty cell of labels means,
`none` (no label applies) or `unknown`; by default unknown, with a warning."""
HOLDS = frozenset({Feature.IDS, Feature.LABELS, Feature.QUESTIONS, Feature.METADATA})

NOT_NAMED = "labels in columns that the option labels does not name, read as other values"
NONE_APPLIES = "answers that no label applies"
NO_ANSWER = "questions without an answer, read as no label applies"
TYPES = "types of other values, which become texts"
EMPTY = "other values that are empty"
BREAKS = "delimiters and line ends within cells, which become blanks"
"""What rows lose beyond features."""


def id_column(options: Mapping[str, Any]) -> str:
    """Return the name of the column of ids."""
    return str(options["id"] or "id")


def check_options(options: Mapping[str, Any], source: SourceLine) -> None:
    """Raise UserError for a column that two options name."""
    names = [*text_columns(options), id_column(options), *options["labels"]]
    for name, count in Counter(names).items():
        if count > 1:
            message = f'the column "{name}" is named twice in the options text, id and labels.'
            raise source.error(message, "Each column has one meaning.")
    if not text_columns(options):
        raise source.error("the option text names no column.", "Name one.")


def check_label_columns(columns: Sequence[str], options: Mapping[str, Any], source: SourceLine) -> None:
    """Raise UserError for a name in the option labels that is no column."""
    for name in options["labels"]:
        if name not in columns:
            raise source.error(f'there is no column "{name}", which the option labels names.', nearest(name, columns))


# Reading


class Records:
    """Makes documents of the rows of one file, whose cells are texts."""

    def __init__(self, columns: Sequence[str], options: Mapping[str, Any], source: SourceLine) -> None:
        check_options(options, source)
        check_label_columns(columns, options, source)
        self.options, self.ids = options, RecordIds()
        self.empty, self.filled = Counter[str](), Counter[str]()
        read = {*text_columns(options), id_column(options), *options["labels"]}
        self.others = [column for column in columns if column not in read]

    def document(self, record: Mapping[str, str], source: SourceLine) -> AnnotatedDocument:
        """Return the document of a row. Raises UserError for an id that another row has, or an empty label."""
        names = text_columns(self.options)
        text = record[names[0]] if isinstance(self.options["text"], str) else compose(record, names)
        id = record.get(id_column(self.options), "")
        answers = {name: self._answer(name, record[name], source) for name in self.options["labels"]}
        self.ids.add(id, source)
        file, line = source.position
        return AnnotatedDocument(
            id, text, labels={name: answer for name, answer in answers.items() if answer is not None}, layers=None,
            metadata={name: record[name] for name in self.others if record[name]}, file=file, line=line,
        )  # fmt: skip

    def _answer(self, name: str, cell: str, source: SourceLine) -> tuple[str, ...] | None:
        """Return the labels of a cell; None for an unknown answer."""
        if cell in self.options["unlabeled"]:
            return None
        if not cell.strip():
            self.empty[name] += 1
            return () if self.options["blank"] == "none" else None
        self.filled[name] += 1
        if cell.strip() in self.options["none"]:
            return ()
        separator = self.options["separator"]
        labels = [label.strip() for label in (cell.split(separator) if separator else [cell])]
        if not all(labels):
            message = f'the cell {cell[:60]!r} of the column "{name}" has an empty label.'
            raise source.error(message, f"Correct it, or set the option separator, which is {separator!r}.")
        return tuple(dict.fromkeys(labels))

    def report(self, file: str) -> None:
        """Warn of empty cells of labels, if the options do not say what they mean."""
        for name, number in self.empty.items() if not self.options["blank"] else ():
            warn(
                f'{file}: {number} cells of the column "{name}" are empty and {self.filled[name]} have labels: the '
                "empty ones are read as unknown. Set blank: none if no label applies there, or blank: unknown."
            )


def _read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file of separated columns."""
    table = Table(path, options, on_error)
    records = Records(table.columns, options, table.source)
    for row in table.rows():
        try:
            check_row(row, table.columns, (), options)
            document = records.document(dict(zip(table.columns, row.cells, strict=True)), row.source)
        except UserError as error:
            on_error(error)
            continue
        yield document
    records.report(str(path))


# Writing


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Return a document as the cells of a row hold it, and what is lost: types, and answers that no cell expresses."""
    losses: Losses = Counter()
    labels, metadata = {}, dict(document.metadata)
    for name, answer in document.labels.items():
        if name in options["labels"]:
            labels[name] = answer
        else:
            losses[NOT_NAMED] += 1
            metadata.setdefault(name, options["separator"].join(answer))
    labels = _answers(labels, options, losses)
    for name, value in list(metadata.items()):
        if value is None or value == "":
            losses[EMPTY] += name in document.metadata
            del metadata[name]
        elif not isinstance(value, str):
            losses[TYPES] += 1
            metadata[name] = json.dumps(value, ensure_ascii=False)
    return replace(document, labels=labels, metadata=metadata), losses


def _answers(
    labels: dict[str, tuple[str, ...]], options: Mapping[str, Any], losses: Losses
) -> dict[str, tuple[str, ...]]:
    """Return the labels of a document as cells express them: an empty one has one meaning."""
    if options["blank"] != "none" and options["none"]:
        return labels
    if options["blank"] != "none":
        losses[NONE_APPLIES] += sum(not answer for answer in labels.values())
        return {name: answer for name, answer in labels.items() if answer}
    if not options["unlabeled"]:
        missing = [name for name in options["labels"] if name not in labels]
        losses[NO_ANSWER] += len(missing)
        labels.update(dict.fromkeys(missing, ()))
    return labels


def _reduce_separated(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Return a document as a row of separated columns holds it: without quotes, cells have no delimiters."""
    document, losses = reduce(document, options)
    if options["quotes"]:
        return document, losses
    breaks = re.compile(f"[\r\n{re.escape(options['delimiter'])}]")

    def flat(text: str) -> str:
        flattened, number = breaks.subn(" ", text)
        losses[BREAKS] += number
        return flattened

    return replace(
        document, id=flat(document.id), text=flat(document.text),
        labels={name: tuple(map(flat, answer)) for name, answer in document.labels.items()},
        metadata={name: flat(value) for name, value in document.metadata.items()},
    ), losses  # fmt: skip


def columns_of(documents: Sequence[AnnotatedDocument], options: Mapping[str, Any], path: Path) -> list[str]:
    """Return the names of the columns of documents: id, text, labels, and other values.

    Raises:
        UserError: a name is empty or needed twice, the text would be in several columns, or two documents have one id.
    """
    source = SourceLine(str(path), 0)
    check_options(options, source)
    refuse_repeated(documents, path)
    if not isinstance(options["text"], str):
        raise source.error("a text cannot be divided into several columns.", "Name one column in the option text.")
    others = dict.fromkeys(name for document in documents for name in document.metadata)
    columns = [id_column(options), options["text"], *options["labels"], *others]
    for name in columns:
        if not name or columns.count(name) > 1:
            problem = f'two columns would have the name "{name}"' if name else "a column would have no name"
            raise source.error(f"{problem}.", "Rename the value, or set the options text, id and labels.")
    return columns


def cells_of(document: AnnotatedDocument, columns: Sequence[str], options: Mapping[str, Any], path: Path) -> list[str]:
    """Return the cells of a document, whose other values are texts, in the order of the columns."""
    cells = {id_column(options): document.id, options["text"]: document.text, **document.metadata}
    for name in options["labels"]:
        cells[name] = _cell(document.labels.get(name), name, options, path)
    return [cells.get(name, "") for name in columns]


def _cell(answer: Sequence[str] | None, name: str, options: Mapping[str, Any], path: Path) -> str:
    """Return the cell of an answer. Raises UserError for labels that would be read as others."""
    separator = options["separator"]
    if answer is None:
        return str(options["unlabeled"][0]) if options["blank"] == "none" else ""
    if not answer and options["blank"] != "none":
        return str(options["none"][0])
    cell = str(separator.join(answer))
    parts = [part.strip() for part in cell.split(separator)] if separator and answer else [cell.strip()][: len(answer)]
    if parts != list(answer) or not all(answer) or (answer and cell in [*options["unlabeled"], *options["none"]]):
        message = f'the labels {", ".join(map(repr, answer))} of "{name}" would be read as others.'
        remedy = f"Set another option separator, which is {separator!r}, unlabeled or none."
        raise UserError(message, file=path, remedy=remedy)
    return cell


def _write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as a file of separated columns."""
    check_layout(options, SourceLine(str(path), 0))
    needed = columns_of(documents, options, path)
    columns = list(options["columns"]) or needed
    if missing := [name for name in needed if name not in columns]:
        message = f"the option columns lacks the column {missing[0]!r} of the documents."
        raise UserError(message, file=path, remedy="Add it, or omit the option.")
    header = [columns] if options["header"] else []
    with text_output(path) as file:
        file.writelines(_line(cells, columns, options, path) for cells in header)
        file.writelines(
            _line(cells_of(document, columns, options, path), columns, options, path) for document in documents
        )


def _line(cells: Sequence[str], columns: Sequence[str], options: Mapping[str, Any], path: Path) -> str:
    """Return a row with its line end. Raises UserError if it could not be read."""
    delimiter = options["delimiter"]
    if any("\0" in cell for cell in cells):
        raise UserError("a cell contains a NUL character, which text files have not.", file=path, remedy="Remove it.")
    if not options["quotes"]:
        if any(character in cell for cell in cells for character in (delimiter, "\r", "\n")):
            message = f"a cell contains the delimiter {delimiter!r} or a line end."
            raise UserError(message, file=path, remedy="Set the option quotes: true, or another delimiter.")
        return f"{delimiter.join(cells)}\n"
    buffer = io.StringIO(newline="")
    # The writer quotes a cell with one of the characters of its own line end, and before Python 3.13 no other.
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    line = buffer.getvalue().removesuffix("\r\n") + "\n"
    row = Row(SourceLine(str(path), 0), list(cells), re.findall(r"[^\r\n]*(?:\r+\n|\r|\n)", line))
    if swallows(row, columns, (), options):
        message = f"the lines of a cell look like rows, so that a reader would refuse it: {line[:60]!r}."
        raise UserError(message, file=path, remedy="Set another option delimiter, or choose another format.")
    return line


def _has_ending(*endings: str) -> Any:
    """Return a function that tells whether a file has one of these endings, also of compressed files."""
    return lambda path: path.is_file() and path.name.lower().removesuffix(".gz").endswith(endings)


def _separated(name: str, title: str, delimiter: str, quotes: bool) -> Format:
    options = {**layout(delimiter, quotes), **COLUMNS, **CELLS}
    return Format(
        name,
        title,
        _read,
        _write,
        HOLDS,
        options,
        _has_ending(f".{name}"),
        reduce=_reduce_separated,
        endings=(f".{name}",),
    )


CSV = _separated("csv", "comma-separated values", ",", quotes=True)
TSV = _separated("tsv", "tab-separated values", "\t", quotes=False)
