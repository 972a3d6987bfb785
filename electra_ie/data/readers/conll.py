"""Columns, one word a line: a blank line ends a sentence, and a sentence is a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import Fault, UserError, stop, warn
from electra_ie.common.text_files import Place, lines
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, fields_with_label
from electra_ie.data.readers.options import Option
from electra_ie.data.scripts import continues_word, is_unspaced

KINDS = ("spans",)
OPTIONS = {
    "delimiter": Option(""),
    "word": Option(0),
    "tag": Option(-1),
    "join": Option("auto", choices=("auto", "blank", "none")),
}
"""delimiter: what divides the columns, any run of blanks and tabs where empty. word, tag: columns, from 0 or from
the end (-1 is the last). join: what stands between the words of a text, a blank or nothing; auto is a blank, and
nothing in sentences of a script without blanks (see `join`)."""

BREAK = "-DOCSTART-"
OUTSIDE = ("O", "o")
TAG = re.compile(r"([BIMESLUWbimesluw])[-_](.+)")
"""A tag with a prefix; `_` and small letters are read as well."""
COMMENT = re.compile(r"#(\s|$|[^\s=]+\s*=)")
"""How a comment begins: `# text`, `#key = value`."""
RANGE = re.compile(r"\d+[-.]\d+")
"""The id of a line of CoNLL-U that is no word of the sentence: a range of words (1-2) or an empty node (1.1)."""
OTHER_DELIMITERS = ";,|"


@dataclass(frozen=True, slots=True)
class Row:
    """A line that is not blank: its cells, and the line as it is."""

    place: Place
    cells: list[str]
    line: str


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any], fault: Fault = stop) -> Iterator[Document]:
    """The sentences of a file. A file of one column is unlabelled."""
    found = list(sentences(path, fields, options, fault))
    words = [[row.cells[options["word"]] for row in rows] for rows in found]
    labelled = bool(fields and found and len(found[0][0].cells) > 1)
    scheme = Scheme(fields, {row.cells[options["tag"]] for rows in found for row in rows} if labelled else ())
    glued = without_blanks(words) if options["join"] == "auto" else [False] * len(words)
    spans = Spans(str(path))
    for rows, tokens, glue in zip(found, words, glued, strict=True):
        text, offsets = join(tokens, "glue" if glue else options["join"])
        gold = spans_of(rows, text, offsets, scheme, options["tag"], spans, fault) if labelled else {}
        place = rows[0].place
        yield Document(f"{path.stem}-{place.line}", text, gold, str(path), place.line)
    if any(glued):
        warn(
            f"{path}: {sum(glued)} of {len(glued)} sentences are joined without blanks (Chinese, Japanese, Thai and "
            "other scripts that put none between words); set the option join: blank to put one between all words."
        )
    spans.report()


def sentences(path: Path, fields: Sequence[Field], options: Mapping[str, Any], fault: Fault) -> Iterator[list[Row]]:
    """The rows of each sentence, without comments. A row with other columns than most or no word is a fault."""
    endings = blank_labels(fields) if not options["delimiter"] and options["tag"] == -1 else None
    every = [
        Row(Place(str(path), number), split(line, options["delimiter"], endings), line) for number, line in lines(path)
    ]
    width = width_of(every, options)
    if fields and width == 1:
        refuse_other_delimiter(every)
    numbered = options["word"] == 1 and is_numbered(every)
    labels = {label for field in fields for label in field.labels}
    rows: list[Row] = []
    for row in every:
        if not row.cells or row.cells[0] == BREAK:
            if rows:
                yield rows
            rows = []
        elif not rows and is_comment(row, width, options["tag"], labels):
            continue
        elif not (numbered and RANGE.fullmatch(row.cells[0])):
            try:
                check(row, width, fields, options)
            except UserError as error:
                fault(error)
                continue
            rows.append(row)
    if rows:
        yield rows


def blank_labels(fields: Sequence[Field]) -> re.Pattern[str] | None:
    """What finds a tag with a label that holds blanks at the end of a line, as Label Studio writes them."""
    labels = [re.escape(label) for field in fields for label in field.labels if " " in label]
    return re.compile(rf"(.*?)[ \t]+({TAG.pattern.removesuffix('(.+)')}(?:{'|'.join(labels)}))") if labels else None


def split(line: str, delimiter: str, endings: re.Pattern[str] | None) -> list[str]:
    """The cells of a line, none for a blank one. A no-break space may be part of a word and divides nothing."""
    line = line.rstrip("\r\n")
    if not line.strip():
        return []
    if delimiter:
        return line.split(delimiter)
    match = endings.fullmatch(line.strip(" \t")) if endings else None
    columns, tag = (match[1], [match[2]]) if match else (line, [])
    return [*re.split("[ \t]+", columns.strip(" \t")), *tag]


def width_of(rows: Sequence[Row], options: Mapping[str, Any]) -> int:
    """How many columns most rows have, which must hold the word and, if there is more than one, the tag."""
    filled = [row for row in rows if row.cells and row.cells[0] != BREAK]
    sure = [row for row in filled if not row.line.startswith("#")] or filled
    if not sure:
        return 0
    width = Counter(len(row.cells) for row in sure).most_common(1)[0][0]
    for name in ("word", "tag") if width > 1 else ("word",):
        if not -width <= options[name] < width:
            place = next(row.place for row in sure if len(row.cells) == width)
            message = f"the option {name} is {options[name]}, and this line has {width} columns."
            raise place.error(message, f"It must be {-width} to {width - 1}.")
    return width


def is_comment(row: Row, width: int, tag: int, labels: Iterable[str]) -> bool:
    """Whether a line before the first word of a sentence is a comment: `#` may be a word, but not without a tag."""
    if not COMMENT.match(row.line):
        return False
    if len(row.cells) != width or width == 1:
        return len(row.cells) != width
    return not (row.cells[tag] in (*OUTSIDE, *labels) or TAG.fullmatch(row.cells[tag]))


def is_numbered(rows: Sequence[Row]) -> bool:
    """Whether the first column holds the ids of CoNLL-U: whole numbers, and ranges or empty nodes between them."""
    ids = [row.cells[0] for row in rows if row.cells and row.cells[0] != BREAK and not row.line.startswith("#")]
    return any(map(str.isdecimal, ids)) and all(each.isdecimal() or RANGE.fullmatch(each) for each in ids)


def refuse_other_delimiter(rows: Sequence[Row]) -> None:
    """Raises UserError where each line of one column is a word and a tag with another character between them."""
    filled = [row for row in rows if row.cells and row.cells[0] != BREAK]
    for delimiter in OTHER_DELIMITERS if filled else ():
        tags = [row.line.strip().rpartition(delimiter)[2] for row in filled if delimiter in row.line]
        if len(tags) == len(filled) and all(tag in OUTSIDE or TAG.fullmatch(tag) for tag in tags):
            message = f'this file has one column, and "{delimiter}" stands between words and tags.'
            raise filled[0].place.error(message, f'Set the option delimiter: "{delimiter}".')


def check(row: Row, width: int, fields: Sequence[Field], options: Mapping[str, Any]) -> None:
    """Raises UserError for a row without a word, or, where it should have a tag, with other columns than most."""
    cells, word = row.cells, options["word"]
    if len(cells) != width and (fields or not -len(cells) <= word < len(cells)):
        tag = TAG.fullmatch(" ".join(cells[width - 1 :])) if 1 < width < len(cells) and options["tag"] == -1 else None
        if tag:
            fields_with_label(tag[2], fields, row.place)
        remedy = "Give every line the same columns."
        if not options["delimiter"] and len(row.line.split("\t")) == width:
            remedy = 'If tabs divide the columns, set the option delimiter: "\\t".'
        elif row.line.startswith("#"):
            remedy = "A comment can only stand before the first word of a sentence."
        raise row.place.error(f"this line has {len(cells)} columns, and most lines have {width}.", remedy)
    if not cells[word].strip():
        raise row.place.error("this line has a tag and no word.", "Leave a line empty to end a sentence.")


# Words to text


def without_blanks(sentences: Sequence[Sequence[str]]) -> list[bool]:
    """For each sentence, whether its words are joined without blanks.

    They are where at least as many words are of scripts without blanks as of others. Where there is neither, as in
    a sentence of digits, most sentences of the file decide.
    """
    votes = []
    for words in sentences:
        unspaced = [any(map(is_unspaced, word)) for word in words]
        spaced = [len(word) > 1 and word[0].isalpha() for word, other in zip(words, unspaced, strict=True) if not other]
        votes.append(sum(unspaced) >= sum(spaced) if any(unspaced) or any(spaced) else None)
    most = votes.count(True) > votes.count(False)
    return [most if vote is None else vote for vote in votes]


def join(words: Sequence[str], how: str) -> tuple[str, list[tuple[int, int]]]:
    """The text of a sentence, and where in it each word begins and ends.

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
    fault: Fault,
) -> dict[str, tuple[Span, ...]]:
    """The spans of a sentence for each field."""
    tags = []
    for row in rows:
        try:
            tags.append(scheme.parse(row.cells[tag], row.place))
        except UserError as error:
            if row.line.startswith("#"):
                remedy = 'If this is a comment, begin it with "# " and put it before the first word of a sentence.'
                error = row.place.error(error.message, remedy)
            fault(error)
            tags.append(("", ""))
    gold: dict[str, list[Span]] = {field.name: [] for field in scheme.fields}
    for first, last, label in chunks(tags):
        span = spans.span(text, offsets[first][0], offsets[last][1], label, rows[first].place)
        for field in fields_with_label(label, scheme.fields, rows[first].place):
            gold[field.name].append(span)
    return {name: spans.gold(found) for name, found in gold.items()}


@dataclass(frozen=True)
class Scheme:
    """How the tags of a file name the labels of the fields: all with a prefix, or all without one (IO)."""

    fields: Sequence[Field]
    tags: Iterable[str]

    @cached_property
    def labels(self) -> set[str]:
        return {label for field in self.fields for label in field.labels}

    @cached_property
    def prefixed(self) -> list[str]:
        """The tags that are neither O nor a label."""
        return sorted(tag for tag in self.tags if tag not in OUTSIDE and tag not in self.labels)

    def parse(self, tag: str, place: Place) -> tuple[str, str]:
        """Prefix and label of a tag, both empty for `O`. Raises UserError for any other word than a tag."""
        if tag in self.labels and not self.prefixed:
            return "I", tag
        if tag in OUTSIDE:
            return "", ""
        match = TAG.fullmatch(tag)
        if match:
            fields_with_label(match[2], self.fields, place)
            return match[1].upper(), match[2]
        example = next(label for field in self.fields for label in field.labels)
        if tag in self.labels:
            message = f'the tag "{tag}" has no prefix, and other tags of the file are no labels ("{self.prefixed[0]}").'
            raise place.error(message, f"Write B-{tag} and I-{tag}, or write labels without prefixes in all lines.")
        if TAG.fullmatch(f"{tag}-{example}"):
            raise place.error(f'the tag "{tag}" names no label.', f"Write {tag}-{example}, with a label of the task.")
        remedy = (
            f"Tags are O, and labels behind B-, I-, M-, E-, S-, W-, L- or U- (B-{example}), or in the whole file "
            "without prefixes. The option tag names their column."
        )
        raise place.error(f'"{tag}" is not a tag.', remedy)


def chunks(tags: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """First word, last word and label of each chunk, by the rule of conlleval, which covers IO, IOB1, IOB2, IOBES.

    A chunk begins at B- and S-, and wherever a tag follows O, another label, or the end of a chunk (E-, S-).
    L- and U- of BILOU are E- and S-, M- of BMES is I-, W- of BMEWO is S-.
    """
    first, label, over = 0, "", False
    for index, (prefix, following) in enumerate(tags):
        begins = bool(following) and (prefix in "BSUW" or following != label or over)
        if label and (begins or not following):
            yield first, index - 1, label
        if begins:
            first = index
        label, over = following, bool(following) and prefix in "ESLUW"
    if label:
        yield first, len(tags) - 1, label
