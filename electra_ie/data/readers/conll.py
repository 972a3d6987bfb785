"""Reader of columns (CoNLL): one word a line, a blank line after each sentence; a sentence is a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.scripts import continues_word, is_unspaced
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, fields_with_label
from electra_ie.formats.options import Option

KINDS = ("spans",)
OPTIONS = {
    "delimiter": Option(""),
    "word": Option(0),
    "tag": Option(-1),
    "join": Option("auto", choices=("auto", "blank", "none")),
}
"""delimiter: the character between columns; by default any run of blanks and tabs. word, tag: the columns of words and
tags, from 0, or from the end (-1 is the last). join: what is put between the words of a text, a blank or nothing; auto
is a blank, and nothing in sentences of a script without blanks (see `join`)."""

DOCUMENT_START = "-DOCSTART-"
OUTSIDE = ("O", "o")
TAG = re.compile(r"([BIMESLUWbimesluw])[-_](.+)")
"""A tag with a prefix; `_` and small letters are accepted."""
COMMENT = re.compile(r"#(\s|$|[^\s=]+\s*=)")
"""The beginning of a comment: `# text`, `#key = value`."""
RANGE = re.compile(r"\d+[-.]\d+")
"""The id of a line of CoNLL-U that is not a word of the sentence: a multiword token (1-2) or an empty node (1.1)."""
OTHER_DELIMITERS = ";,|"


@dataclass(frozen=True, slots=True)
class Row:
    """A line: its position, its cells (none if it is blank), and its text."""

    source: SourceLine
    cells: list[str]
    line: str


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], on_error: OnError = raise_error
) -> Iterator[Document]:
    """Yield the sentences of a file. They are unlabeled if the file has one column."""
    sentence_rows = list(sentences(path, fields, options, on_error))
    sentence_words = [[row.cells[options["word"]] for row in rows] for rows in sentence_rows]
    labeled = bool(fields and sentence_rows and len(sentence_rows[0][0].cells) > 1)
    tags = {row.cells[options["tag"]] for rows in sentence_rows for row in rows} if labeled else ()
    scheme = Scheme(fields, tags)
    glued = without_blanks(sentence_words) if options["join"] == "auto" else [False] * len(sentence_words)
    spans = Spans(str(path))
    for rows, words, glue in zip(sentence_rows, sentence_words, glued, strict=True):
        text, offsets = join(words, "glue" if glue else options["join"])
        gold = spans_of(rows, text, offsets, scheme, options["tag"], spans, on_error) if labeled else {}
        line = rows[0].source.line
        yield Document(f"{path.stem}-{line}", text, gold, str(path), line)
    if any(glued):
        warn(
            f"{path}: {sum(glued)} of {len(glued)} sentences are joined without blanks (Chinese, Japanese, Thai and "
            "other scripts that put none between words); set the option join: blank to put one between all words."
        )
    spans.report()


def sentences(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], on_error: OnError
) -> Iterator[list[Row]]:
    """Yield the rows of each sentence, without comments.

    A row without a word, or with another number of columns than most rows, is an error.
    """
    tag_with_blank = labels_with_blanks(fields) if not options["delimiter"] and options["tag"] == -1 else None
    all_rows = [
        Row(SourceLine(str(path), number), split(line, options["delimiter"], tag_with_blank), line)
        for number, line in lines(path)
    ]
    width = width_of(all_rows, options)
    if fields and width == 1:
        refuse_other_delimiter(all_rows)
    numbered = options["word"] == 1 and is_numbered(all_rows)
    labels = {label for field in fields for label in field.labels}
    rows: list[Row] = []
    for row in all_rows:
        if not row.cells or row.cells[0] == DOCUMENT_START:
            if rows:
                yield rows
            rows = []
        elif not rows and is_comment(row, width, options["tag"], labels):
            continue
        elif not (numbered and RANGE.fullmatch(row.cells[0])):
            try:
                check(row, width, fields, options)
            except UserError as error:
                on_error(error)
                continue
            rows.append(row)
    if rows:
        yield rows


def labels_with_blanks(fields: Sequence[Field]) -> re.Pattern[str] | None:
    """Return a pattern for lines that end in a tag whose label contains blanks, as Label Studio writes them."""
    labels = [re.escape(label) for field in fields for label in field.labels if " " in label]
    return re.compile(rf"(.*?)[ \t]+({TAG.pattern.removesuffix('(.+)')}(?:{'|'.join(labels)}))") if labels else None


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
    certain = [row for row in filled if not row.line.startswith("#")] or filled
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


def check(row: Row, width: int, fields: Sequence[Field], options: Mapping[str, Any]) -> None:
    """Raise UserError for a row without a word, or, if it needs a tag, with another number of columns than most."""
    cells, word = row.cells, options["word"]
    if len(cells) != width and (fields or not -len(cells) <= word < len(cells)):
        # A tag whose label has blanks: an unknown label is the better explanation.
        tag = TAG.fullmatch(" ".join(cells[width - 1 :])) if 1 < width < len(cells) and options["tag"] == -1 else None
        if tag:
            fields_with_label(tag[2], fields, row.source)
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


# Tags to spans


def spans_of(
    rows: Sequence[Row],
    text: str,
    offsets: Sequence[tuple[int, int]],
    scheme: Scheme,
    tag: int,
    spans: Spans,
    on_error: OnError,
) -> dict[str, tuple[Span, ...]]:
    """Return the spans of a sentence for each field. An invalid tag goes to `on_error` and is read as `O`."""
    tags = []
    for row in rows:
        try:
            tags.append(scheme.parse(row.cells[tag], row.source))
        except UserError as error:
            if row.line.startswith("#"):
                remedy = 'If this is a comment, begin it with "# " and put it before the first word of a sentence.'
                error = row.source.error(error.message, remedy)
            on_error(error)
            tags.append(("", ""))
    gold: dict[str, list[Span]] = {field.name: [] for field in scheme.fields}
    for first, last, label in chunks(tags):
        span = spans.span(text, offsets[first][0], offsets[last][1], label, rows[first].source)
        for field in fields_with_label(label, scheme.fields, rows[first].source):
            gold[field.name].append(span)
    return {name: spans.gold(field_spans) for name, field_spans in gold.items()}


@dataclass(frozen=True)
class Scheme:
    """The tag scheme of a file: all labels with a prefix, or all without (IO)."""

    fields: Sequence[Field]
    tags: Iterable[str]

    @cached_property
    def labels(self) -> set[str]:
        """The labels of all fields."""
        return {label for field in self.fields for label in field.labels}

    @cached_property
    def prefixed(self) -> list[str]:
        """The tags that are neither O nor a label."""
        return sorted(tag for tag in self.tags if tag not in OUTSIDE and tag not in self.labels)

    def parse(self, tag: str, source: SourceLine) -> tuple[str, str]:
        """Return prefix and label of a tag, both empty for `O`. Raises UserError for an invalid tag."""
        if tag in self.labels and not self.prefixed:
            return "I", tag
        if tag in OUTSIDE:
            return "", ""
        match = TAG.fullmatch(tag)
        if match:
            fields_with_label(match[2], self.fields, source)
            return match[1].upper(), match[2]
        example = next(label for field in self.fields for label in field.labels)
        if tag in self.labels:
            message = (
                f'the tag "{tag}" has no prefix, but the file has tags that are not labels ("{self.prefixed[0]}").'
            )
            raise source.error(message, f"Write B-{tag} and I-{tag}, or write labels without prefixes in all lines.")
        if TAG.fullmatch(f"{tag}-{example}"):
            raise source.error(f'the tag "{tag}" has no label.', f"Write {tag}-{example}, with a label of the task.")
        remedy = (
            f"Tags are O, or labels after B-, I-, M-, E-, S-, W-, L- or U- (B-{example}), or in the whole file labels "
            "without prefixes. The option tag selects their column."
        )
        raise source.error(f'"{tag}" is not a tag.', remedy)


def chunks(tags: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """Yield first word, last word and label of each chunk, by the rule of conlleval: IO, IOB1, IOB2, IOBES.

    A chunk begins at B- and S-, and at any tag after O, after another label, or after the end of a chunk (E-, S-).
    L- and U- of BILOU are E- and S-, M- of BMES is I-, W- of BMEWO is S-.
    """
    first, label, ended = 0, "", False
    for index, (prefix, following) in enumerate(tags):
        begins = bool(following) and (prefix in "BSUW" or following != label or ended)
        if label and (begins or not following):
            yield first, index - 1, label
        if begins:
            first = index
        label, ended = following, bool(following) and prefix in "ESLUW"
    if label:
        yield first, len(tags) - 1, label
