"""Columns: one word a line, a blank line after each sentence, comments; and sentences put together from their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.scripts import continues_word, is_unspaced
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.tagged_words import OUTSIDE, TAG

COLUMNS = {
    "delimiter": Option(""),
    "word": Option(0),
    "tag": Option(-1),
    "join": Option("auto", choices=("auto", "blank", "none")),
}
"""delimiter: the character between columns; by default any run of blanks and tabs. word, tag: the columns of words and
tags, from 0, or from the end (-1 is the last). join: what is put between the words of a text, a blank or nothing; auto
is a blank, and nothing in sentences of a script without blanks (see `join`)."""

DOCUMENT_START = "-DOCSTART-"
COMMENT = re.compile(r"#(\s|$|[^\s=]+\s*=)")
"""The beginning of a comment: `# text`, `#key = value`."""
KEY = re.compile(r"#\s*(id|sent_id|text)\s*=\s?(.*)", re.DOTALL)
"""A comment with the id or the text of a sentence."""
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


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file before it is read.

    labels: the labels of its tags, if they are known. tagged: whether every word needs a tag. check_label: raises
    UserError for a label that is not valid.
    """

    labels: Collection[str] = ()
    tagged: bool = True
    check_label: Callable[[str, SourceLine], object] = lambda label, source: None


def blocks(path: Path, options: Mapping[str, Any], on_error: OnError, expected: Expected) -> Iterator[Block]:
    """Yield the sentences of a file.

    A row without a word, or with another number of columns than most rows, is an error.
    """
    last_is_tag = not options["delimiter"] and options["tag"] == -1
    tag_with_blank = labels_with_blanks(expected.labels) if last_is_tag else None
    all_rows = [
        Row(SourceLine(str(path), number), split(line, options["delimiter"], tag_with_blank), line)
        for number, line in lines(path)
    ]
    width = width_of(all_rows, options)
    if expected.tagged and width == 1:
        refuse_other_delimiter(all_rows)
    numbered = options["word"] == 1 and is_numbered(all_rows)
    block = Block()
    for row in all_rows:
        if not row.cells or row.cells[0] == DOCUMENT_START:
            if block.rows or block.comments:
                yield block
            block = Block()
        elif not block.rows and is_comment(row, width, options["tag"], expected.labels):
            block.comments.append(row)
        elif not (numbered and RANGE.fullmatch(row.cells[0])):
            try:
                check(row, width, expected, options)
            except UserError as error:
                on_error(error)
                block.invalid = True
                continue
            block.rows.append(row)
    if block.rows or block.comments:
        yield block


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


def width_of(rows: Sequence[Row], options: Mapping[str, Any]) -> int:
    """Return the number of columns of most rows. Raises UserError if the options name a column that they lack."""
    filled = [row for row in rows if row.cells and row.cells[0] != DOCUMENT_START]
    unmarked = [row for row in filled if not row.line.startswith("#")]
    certain = unmarked or [row for row in filled if not KEY.match(row.line)] or filled
    if not certain:
        return 0
    width = Counter(len(row.cells) for row in certain).most_common(1)[0][0]
    for name in ("word", "tag") if width > 1 else ("word",):
        if not -width <= options[name] < width:
            source = next(row.source for row in certain if len(row.cells) == width)
            message = f"the option {name} is {options[name]}, and this line has {width} columns."
            raise source.error(message, f"It must be {-width} to {width - 1}.")
    return width


def is_comment(row: Row, width: int, tag: int, labels: Iterable[str]) -> bool:
    """Return whether a line before the first word of a sentence is a comment. `#` may be a word if a tag follows it."""
    if not COMMENT.match(row.line):
        return False
    if len(row.cells) != width or width == 1:
        return len(row.cells) != width
    return not (row.cells[tag] in (*OUTSIDE, *labels) or TAG.fullmatch(row.cells[tag]))


def is_numbered(rows: Sequence[Row]) -> bool:
    """Return whether the first column has the ids of CoNLL-U: whole numbers, multiword tokens and empty nodes."""
    filled = [row for row in rows if row.cells and row.cells[0] != DOCUMENT_START]
    ids = [row.cells[0] for row in filled if not row.line.startswith("#")]
    return any(map(str.isdecimal, ids)) and all(id.isdecimal() or RANGE.fullmatch(id) for id in ids)


def refuse_other_delimiter(rows: Sequence[Row]) -> None:
    """Raise UserError if every line of one column is a word and a tag with another delimiter between them."""
    filled = [row for row in rows if row.cells and row.cells[0] != DOCUMENT_START]
    for delimiter in OTHER_DELIMITERS if filled else ():
        tags = [row.line.strip().rpartition(delimiter)[2] for row in filled if delimiter in row.line]
        if len(tags) == len(filled) and all(tag in OUTSIDE or TAG.fullmatch(tag) for tag in tags):
            message = f'this file has one column, with "{delimiter}" between words and tags.'
            raise filled[0].source.error(message, f'Set the option delimiter: "{delimiter}".')


def check(row: Row, width: int, expected: Expected, options: Mapping[str, Any]) -> None:
    """Raise UserError for a row without a word, or, if it needs a tag, with another number of columns than most."""
    cells, word = row.cells, options["word"]
    if len(cells) != width and (expected.tagged or not -len(cells) <= word < len(cells)):
        # A tag whose label has blanks: an unknown label is the better explanation.
        tag = TAG.fullmatch(" ".join(cells[width - 1 :])) if 1 < width < len(cells) and options["tag"] == -1 else None
        if tag:
            expected.check_label(tag[2], row.source)
        remedy = "Give every line the same columns."
        if not options["delimiter"] and len(row.line.split("\t")) == width:
            remedy = 'If the columns are separated by tabs, set the option delimiter: "\\t".'
        elif row.line.startswith("#"):
            remedy = "A comment is allowed only before the first word of a sentence."
        raise row.source.error(f"this line has {len(cells)} columns, and most lines have {width}.", remedy)
    if not cells[word].strip():
        raise row.source.error("this line has a tag and no word.", "Leave a line empty to end a sentence.")


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
