"""Standoff: a folder with a `.txt` for each document and an `.ann` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.document import Document, Span
from electra_ie.errors import UserError
from electra_ie.formats.files import Place, lines, read_text, relative
from electra_ie.formats.folders import files_of
from electra_ie.formats.gold import Spans, explain, owners
from electra_ie.formats.options import Option
from electra_ie.labels import Field

KINDS = ("spans",)
OPTIONS = {"ignore": Option([]), "discontinuous": Option("error", choices=("error", "hull"))}
"""ignore: labels to pass over. discontinuous: refuse a span of several pieces, or take all from its first character to
its last."""

SPAN = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
OTHER = tuple("RAEMN#*")
"""How the lines of relations, attributes, events and notes begin: they say nothing of spans."""


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any]) -> Iterator[Document]:
    """The documents below a folder, by name; one without an `.ann` is unlabelled."""
    if not path.is_dir():
        remedy = "Give the folder of the .txt and .ann files."
        raise UserError("there is no such folder." if not path.exists() else "not a folder.", file=path, remedy=remedy)
    files = files_of(path, (".txt", ".ann"))
    spans = Spans(str(path))
    for file, notes in pairs(files):
        text = read_text(file)
        gold = spans_of(notes, text, fields, options, spans) if notes else {}
        yield Document(relative(file.with_suffix(""), path), text, gold, str(file), 1)
    spans.report()


def pairs(files: Sequence[Path]) -> list[tuple[Path, Path | None]]:
    """Each text with its `.ann`, if it has one: of the same name, or else of a name that differs in case only.

    Raises:
        UserError: an `.ann` has no text.
    """
    bare = [file for file in files if file.suffix.lower() == ".txt"]
    left = dict.fromkeys(file for file in files if file.suffix.lower() == ".ann")
    found: dict[Path, Path] = {}
    for name in (lambda file: file.with_suffix(""), lambda file: file.with_name(file.stem.lower())):
        named = {name(notes): notes for notes in left}
        for file in bare:
            if file not in found and (notes := named.pop(name(file), None)):
                found[file] = notes
                del left[notes]
    for notes in left:
        raise UserError("there is no .txt of this name.", file=notes, remedy="Add the text or remove the .ann.")
    return [(file, found.get(file)) for file in bare]


def spans_of(
    file: Path, text: str, fields: Sequence[Field], options: Mapping[str, Any], spans: Spans
) -> dict[str, tuple[Span, ...]]:
    """The spans of an `.ann` for each field, each field taking its own labels."""
    gold: dict[str, list[Span]] = {field.name: [] for field in fields}
    for number, line in lines(file):
        line = line.rstrip("\r\n")
        if not line.strip() or line.startswith(OTHER):
            continue
        place = Place(str(file), number)
        match = SPAN.fullmatch(line)
        if not match:
            raise place.error("this line is no standoff annotation.", "Write: T1<tab>label start end<tab>text.")
        label, offsets, quoted = match.groups()
        if label in options["ignore"]:
            continue
        takers = owners(label, fields, place)
        start, end = extent(offsets, text, quoted, options["discontinuous"], place)
        span = spans.span(text, start, end, label, place)
        for field in takers:
            gold[field.name].append(span)
    return {name: spans.gold(found) for name, found in gold.items()}


def extent(offsets: str, text: str, quoted: str, discontinuous: str, place: Place) -> tuple[int, int]:
    """Start and end of a `T` line, whose quotation must agree with them."""
    pieces = [tuple(map(int, piece.split())) for piece in offsets.split(";")]
    if len(pieces) > 1 and discontinuous == "error":
        remedy = "Set the option discontinuous: hull to take all from the first character to the last."
        raise place.error("this span is in several pieces.", remedy)
    found = " ".join(text[start:end] for start, end in pieces)
    # brat writes a line end within a span as a blank.
    if found != quoted and re.sub("[\r\n\t]", " ", found) != re.sub("[\r\n\t]", " ", quoted):
        message = f"the span {offsets} is {found[:40]!r}, and not {quoted[:40]!r}."
        raise place.error(message, explain(text, pieces[0][0], pieces[-1][1], quoted))
    return min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
