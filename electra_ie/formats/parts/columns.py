"""Columns: one word a line, a blank line after each sentence, comments; and sentences put together from their words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.scripts import continues_word, is_unspaced
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.tagged_words import OUTSIDE, TAG

LAST = -1
"""The last column, which has the tags by default."""
NO_TAG = "_"
"""The tag of words that were not annotated."""
COLUMNS = {
    "delimiter": Option(""),
    "columns": Option([]),
    "word": Option(0, (int, str)),
    "tag": Option(LAST, (int, str, list), items=(int, str)),
    "labels": Option([]),
    "join": Option("auto", choices=("auto", "blank", "none")),
}
"""delimiter: the character between columns; by default any run of blanks and tabs. columns: the names of all columns.
word, tag: the columns of words and tags, by number from 0, from the end (-1 is the last) or by name. word: where column
0 counts the words of each sentence (1, 2, 3), the next one is read. tag: a list of
columns is read as layers with their names or numbers; with an empty list no tags are read. labels: the labels of the
tags, for those with blanks or with the look of a prefix. join: what is put between the words of a text, a blank or
nothing; auto is a blank, and nothing in sentences of a script without blanks (see `join`)."""
DOCUMENT_START = "-DOCSTART-"
COMMENT = re.compile(r"#(\s|$|[^\s=]+\s*=)")
"""The beginning of a comment: `# text`, `#key = value`."""
KEY = re.compile(r"#\s*(id|sent_id|text|layers|annotated)\s*=\s?(.*)", re.DOTALL)
"""A comment with the id or the text of a sentence, or the layers of the file or those of a sentence."""
RANGE = re.compile(r"\d+[-.]\d+")
"""The id of a line of CoNLL-U that is not a word of the sentence: a multiword token (1-2) or an empty node (1.1)."""
OTHER_DELIMITERS = ";,|"


@dataclass(frozen=True, slots=True)
class Row:
    """A line: its position, its cells (none if it is blank), and its text."""

    source: SourceLine
    cells: list[str]
    line: str


@dataclass(slots=True)
class Block:
    """A sentence: the comments before it, and its rows; it may have comments only. invalid: a row is missing."""

    comments: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    invalid: bool = False


class ColumnFile:
    """The lines of a file, and its columns.

    Attributes:
        path: The file.
        width: The number of columns.
        word: The number of the column of words.
        tags: The number of the column of tags of each layer; "" is the layer of a single one.
        has_layers: Whether a comment in the first line names the layers of all columns after that of the words.
        others: The numbers of columns that have tags, too, and that are not read because the options name none.
        is_counted: Whether the first column has the numbers of the words, so that the next one is read.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        """Read the lines. Raises UserError if the options name a column that the file does not have."""
        self.path, self.delimiter, self.labels = path, options["delimiter"], options["labels"]
        names: list[str] = options["columns"]
        chosen = options["tag"] if isinstance(options["tag"], list) else [options["tag"]]
        self.tagged = bool(chosen)
        self.last_is_tag = not self.delimiter and not {LAST, len(names) - 1, *names[-1:]}.isdisjoint(chosen)
        tag_with_blank = labels_with_blanks(self.labels) if self.last_is_tag else None
        self.rows = [
            Row(SourceLine(str(path), number), split(line, self.delimiter, tag_with_blank), line)
            for number, line in lines(path)
        ]
        self.filled = [row for row in self.rows if row.cells and row.cells[0] != DOCUMENT_START]
        declared = layers_of(self.filled) if options["tag"] in (LAST, []) else None
        self.has_layers = declared is not None
        self.width, example = width_of(self.filled, declared)
        self.word, self.tags, self.others = 0, dict[str, int](), list[int]()
        if example:
            self.word = column_of("word", options["word"], names, example)
        if declared is not None:
            self.tags = {layer: number for number, layer in enumerate(declared if self.tagged else (), start=1)}
        elif example and self.width > 1:
            numbers = [column_of("tag", column, names, example) for column in chosen]
            several = isinstance(options["tag"], list)
            self.tags = {(names[number] if names else str(number)) if several else "": number for number in numbers}
        elif self.tagged:
            refuse_other_delimiter(self.filled)
        self.is_counted = declared is None and self._counts_words()
        self.word += self.is_counted
        if options["tag"] == LAST and declared is None:
            others = set(range(self.width)) - {self.word, *self.tags.values()}
            self.others = [number for number in sorted(others) if self.has_tags(number)]

    def _counts_words(self) -> bool:
        """Return whether the column of words has only their numbers, and another column can have the words."""
        free = set(range(1, self.width)) - set(self.tags.values())
        return self.word == 0 and 1 in free and is_counted(self.filled)

    def has_tags(self, number: int) -> bool:
        """Return whether a column has tags with prefixes, and nothing else."""
        found = False
        for row in self.filled:
            if row.line.startswith("#") or len(row.cells) != self.width or is_outside(row.cells[number]):
                continue
            if not TAG.fullmatch(row.cells[number]):
                return False
            found = True
        return found

    def blocks(self, on_error: OnError) -> Iterator[Block]:
        """Yield the sentences.

        A row without a word, or with another number of columns than most rows, is an error.
        """
        numbered = self.word == 1 and is_numbered(self.filled)
        block = Block()
        for row in self.rows:
            if not row.cells or row.cells[0] == DOCUMENT_START:
                if block.rows or block.comments:
                    yield block
                block = Block()
            elif not block.rows and self.is_comment(row):
                block.comments.append(row)
            elif not (numbered and RANGE.fullmatch(row.cells[0])):
                try:
                    self.check(row)
                except UserError as error:
                    on_error(error)
                    block.invalid = True
                    continue
                block.rows.append(row)
        if block.rows or block.comments:
            yield block

    def is_comment(self, row: Row) -> bool:
        """Return whether a line before the first word of a sentence is a comment. `#` may be a word with a tag."""
        if not COMMENT.match(row.line):
            return False
        if self.has_layers:  # then a tab follows a word
            return row.line.startswith("# ")
        if len(row.cells) != self.width or self.width == 1:
            return len(row.cells) != self.width
        tags = [row.cells[number] for number in self.tags.values() or (LAST,)]
        return not any(is_outside(tag) or tag in self.labels or TAG.fullmatch(tag) for tag in tags)

    def check(self, row: Row) -> None:
        """Raise UserError for a row without a word, or, if it needs a tag, with other columns than most rows."""
        cells = row.cells
        if len(cells) != self.width and (self.tagged or self.word >= len(cells)):
            raise self._width_error(row)
        if not cells[self.word].strip():
            raise row.source.error("this line has a tag, but no word.", "Leave a line empty to end a sentence.")

    def _width_error(self, row: Row) -> UserError:
        cells, width = row.cells, self.width
        tag = TAG.fullmatch(" ".join(cells[width - 1 :])) if 1 < width < len(cells) and self.last_is_tag else None
        message = f"this line has {len(cells)} columns, and most lines have {width}."
        if tag and self.labels:
            return row.source.error(f'there is no label "{tag[2]}".', nearest(tag[2], self.labels))
        if not self.delimiter and len(row.line.split("\t")) == width:
            return row.source.error(message, 'If the columns are separated by tabs, set the option delimiter: "\\t".')
        if row.line.startswith("#"):
            return row.source.error(message, "A comment is allowed only before the first word of a sentence.")
        if tag:
            return row.source.error(message, f'If "{tag[2]}" is a label, give all labels in the option labels.')
        return row.source.error(message, "Give every line the same columns.")


def is_outside(tag: str) -> bool:
    """Return whether a cell is the tag of a word outside of spans, or of one that was not annotated."""
    return tag in (*OUTSIDE, NO_TAG)


def labels_with_blanks(labels: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for lines that end in a tag whose label contains blanks, as Label Studio writes them."""
    blank = [re.escape(label) for label in labels if " " in label]
    return re.compile(rf"(.*?)[ \t]+({TAG.pattern.removesuffix('(.+)')}(?:{'|'.join(blank)}))") if blank else None


def split(line: str, delimiter: str, tag_with_blank: re.Pattern[str] | None) -> list[str]:
    """Return the cells of a line, none if it is blank. A no-break space is part of a word and not a delimiter."""
    line = line.rstrip("\r\n")
    if not line.strip():
        return []
    if delimiter:
        return line.split(delimiter)
    match = tag_with_blank.fullmatch(line.strip(" \t")) if tag_with_blank else None
    columns, tag = (match[1], [match[2]]) if match else (line, [])
    return [*re.split("[ \t]+", columns.strip(" \t")), *tag]


def layers_of(filled: Sequence[Row]) -> list[str] | None:
    """Return the layers that a comment in the first line names, or None if there is no such comment."""
    match = KEY.match(filled[0].line.rstrip("\r\n")) if filled else None
    return list_of(match[2]) if match and match[1] == "layers" else None


def list_of(written: str) -> list[str] | None:
    """Return a list of texts that is written as JSON, or None if it is something else."""
    try:
        value = json.loads(written)
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def width_of(filled: Sequence[Row], layers: Sequence[str] | None) -> tuple[int, Row | None]:
    """Return the number of columns of most rows, and the first row that has so many; None if there is no row.

    layers: those of the columns after the words, if the file names them.
    """
    if layers is not None:
        width = 1 + len(layers)
        return width, next((row for row in filled if len(row.cells) == width and not KEY.match(row.line)), None)
    unmarked = [row for row in filled if not row.line.startswith("#")]
    certain = unmarked or [row for row in filled if not KEY.match(row.line)] or filled
    if not certain:
        return 0, None
    width = Counter(len(row.cells) for row in certain).most_common(1)[0][0]
    return width, next(row for row in certain if len(row.cells) == width)


def column_of(option: str, column: int | str, names: Sequence[str], example: Row) -> int:
    """Return the number of a column that an option names.

    Args:
        option: the name of the option, for errors.
        column: a number from 0 or from the end, or a name.
        names: the names of all columns, if they are known.
        example: a row with all columns.

    Raises:
        UserError: there is no such column, or not a name for each column.
    """
    width = len(example.cells)
    if names and (len(names) != width or len(set(names)) < width):
        message = f"the option columns has {len(set(names))} different names, and this line has {width} columns."
        raise example.source.error(message, "Give each column its own name.")
    if column in names:
        return names.index(str(column))
    if isinstance(column, str) and not column.isdecimal():
        remedy = nearest(column, names) if names else "Name all columns in the option columns, or give a number."
        raise example.source.error(f'the option {option} is "{column}", and no column has this name.', remedy)
    if not -width <= int(column) < width:
        message = f"the option {option} is {column}, and this line has {width} columns."
        raise example.source.error(message, f"It must be {-width} to {width - 1}.")
    return int(column) % width


def is_numbered(filled: Sequence[Row]) -> bool:
    """Return whether the first column has the ids of CoNLL-U: whole numbers, multiword tokens and empty nodes."""
    ids = [row.cells[0] for row in filled if not row.line.startswith("#")]
    return any(map(str.isdecimal, ids)) and all(id.isdecimal() or RANGE.fullmatch(id) for id in ids)


def is_counted(filled: Sequence[Row]) -> bool:
    """Return whether the first column counts the words of each sentence, as in GermEval 2014 and Universal NER."""
    if not is_numbered(filled):
        return False
    numbers = [int(row.cells[0]) for row in filled if row.cells[0].isdecimal()]
    next_to = [second == first + 1 for first, second in pairwise(numbers)]
    begins = [second == numbers[0] for second in numbers[1:]]
    regular = all(after or first for after, first in zip(next_to, begins, strict=True))
    return numbers[0] in (0, 1) and any(next_to) and regular


def refuse_other_delimiter(filled: Sequence[Row]) -> None:
    """Raise UserError if every line of one column is a word and a tag with another delimiter between them."""
    for delimiter in OTHER_DELIMITERS if filled else ():
        tags = [row.line.strip().rpartition(delimiter)[2] for row in filled if delimiter in row.line]
        if len(tags) == len(filled) and all(tag in OUTSIDE or TAG.fullmatch(tag) for tag in tags):
            message = f'this file has one column, with "{delimiter}" between words and tags.'
            raise filled[0].source.error(message, f'Set the option delimiter: "{delimiter}".')


# Words to text


def without_blanks(sentences: Sequence[Sequence[str]]) -> list[bool]:
    """Return for each sentence whether its words are joined without blanks.

    They are if at least as many words are of scripts without blanks as of others. Sentences with neither, such as one
    of digits, follow the majority of the file.
    """
    votes = []
    for words in sentences:
        unspaced = [any(map(is_unspaced, word)) for word in words]
        spaced = [len(word) > 1 and word[0].isalpha() for word, other in zip(words, unspaced, strict=True) if not other]
        votes.append(sum(unspaced) >= sum(spaced) if any(unspaced) or any(spaced) else None)
    majority = votes.count(True) > votes.count(False)
    return [majority if vote is None else vote for vote in votes]


def join(words: Sequence[str], how: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of a sentence, and the start and end of each word in it.

    how: `blank` (or `auto`) puts a blank between words, `none` nothing. `glue` puts one only between two words of more
    than one character that meet in letters or digits of a script with blanks: "New York", but "2000" from four lines.
    """
    text, offsets = words[0], [(0, len(words[0]))]
    for before, word in pairwise(words):
        apart = len(before) > 1 and len(word) > 1 and continues_word(before + word, len(before))
        text += " " if how in ("blank", "auto") or how == "glue" and apart else ""
        offsets.append((len(text), len(text) + len(word)))
        text += word
    return text, offsets
