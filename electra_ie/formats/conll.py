"""Columns, one word a line: a blank line ends a sentence, and a sentence is a document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.document import Document, Span
from electra_ie.errors import nearest
from electra_ie.formats.files import Place, lines
from electra_ie.formats.gold import Spans, owners
from electra_ie.formats.options import Option
from electra_ie.labels import Field

KINDS = ("spans",)
OPTIONS = {"delimiter": Option(""), "word": Option(0), "tag": Option(-1)}
"""delimiter: what divides the columns, any run of blanks and tabs where empty. word, tag: columns, from 0 or from
the end (-1 is the last)."""

BREAK = "-DOCSTART-"
TAG = re.compile(r"O|([BIESLU])-(.+)")

Row = tuple[Place, list[str]]


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any]) -> Iterator[Document]:
    """The sentences of a file: words joined by one blank. A file of one column is unlabelled."""
    spans = Spans(str(path))
    for rows in sentences(path, options):
        places = [place for place, _ in rows]
        words = [cells[options["word"]] for _, cells in rows]
        gold: dict[str, tuple[Span, ...]] = {}
        if fields and len(rows[0][1]) > 1:
            tags = [cells[options["tag"]] for _, cells in rows]
            gold = spans_of(words, tags, places, fields, spans)
        line = places[0].line
        yield Document(f"{path.stem}-{line}", " ".join(words), gold, str(path), line)
    spans.report()


def sentences(path: Path, options: Mapping[str, Any]) -> Iterator[list[Row]]:
    """The rows of each sentence. Raises UserError where a row has other columns than the first, or no word."""
    rows: list[Row] = []
    width = 0
    for number, line in lines(path):
        place = Place(str(path), number)
        cells = split(line, options["delimiter"])
        if not cells or cells[0] == BREAK:
            if rows:
                yield rows
            rows = []
            continue
        width = width or check_width(len(cells), options, place)
        if len(cells) != width:
            remedy = "Give every line the same columns, or set the option delimiter."
            raise place.error(f"this line has {len(cells)} columns, the first has {width}.", remedy)
        if not cells[options["word"]].strip():
            raise place.error("this line has a tag and no word.", "Leave a line empty to end a sentence.")
        rows.append((place, cells))
    if rows:
        yield rows


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line, none for a blank one. A no-break space may be part of a word and divides nothing."""
    line = line.rstrip("\r\n")
    if not line.strip():
        return []
    return line.split(delimiter) if delimiter else re.split("[ \t]+", line.strip(" \t"))


def check_width(width: int, options: Mapping[str, Any], place: Place) -> int:
    """`width`, the columns of a file, which must hold the word and, if there is more than one, the tag."""
    for name in ("word", "tag") if width > 1 else ("word",):
        if not -width <= options[name] < width:
            message = f"the option {name} is {options[name]}, and this line has {width} columns."
            raise place.error(message, f"It must be {-width} to {width - 1}.")
    return width


def spans_of(
    words: Sequence[str], tags: Sequence[str], places: Sequence[Place], fields: Sequence[Field], spans: Spans
) -> dict[str, tuple[Span, ...]]:
    """The spans of a sentence for each field: `words` joined by one blank, `tags` read as `chunks` reads them."""
    text = " ".join(words)
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    gold: dict[str, list[Span]] = {field.name: [] for field in fields}
    for first, last, label in chunks(tags, places, fields):
        span = spans.span(text, starts[first], starts[last] + len(words[last]), label, places[first])
        for field in owners(label, fields, places[first]):
            gold[field.name].append(span)
    return {name: spans.gold(found) for name, found in gold.items()}


def chunks(tags: Sequence[str], places: Sequence[Place], fields: Sequence[Field]) -> Iterator[tuple[int, int, str]]:
    """First word, last word and label of each chunk, by the rule of conlleval, which covers IO, IOB1, IOB2, IOBES.

    A chunk begins at B- and S-, and wherever a tag follows O, another label, or the end of a chunk (E-, S-).
    L- and U- of BILOU are E- and S-.
    """
    first, label, over = 0, "", False
    for index, (tag, place) in enumerate(zip(tags, places, strict=True)):
        prefix, following = parse(tag, fields, place)
        begins = bool(following) and (prefix in "BSU" or following != label or over)
        if label and (begins or not following):
            yield first, index - 1, label
        if begins:
            first = index
        label, over = following, prefix in "ESLU" and bool(prefix)
    if label:
        yield first, len(tags) - 1, label


def parse(tag: str, fields: Sequence[Field], place: Place) -> tuple[str, str]:
    """Prefix and label of a tag, both empty for `O`. Raises UserError for any other word than a tag."""
    match = TAG.fullmatch(tag)
    if not match:
        tags = ["O", *(f"{prefix}-{label}" for field in fields for label in field.labels for prefix in "BI")]
        raise place.error(f'"{tag}" is not a tag.', f"{nearest(tag, tags)} See the options tag and delimiter.")
    if match[2]:
        owners(match[2], fields, place)
    return match[1] or "", match[2] or ""
