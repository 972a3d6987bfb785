"""Standoff: a folder with a `.txt` for each document and an `.ann` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import Fault, UserError, stop, warn
from electra_ie.common.text_files import Place, lines, read_text, relative
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.folders import files_of
from electra_ie.data.readers.gold import Spans, explain, fields_with_label
from electra_ie.data.readers.options import Option

KINDS = ("spans",)
OPTIONS = {"ignore": Option([]), "discontinuous": Option("error", choices=("error", "hull"))}
"""ignore: labels to pass over. discontinuous: refuse a span of several pieces, or take all from its first character to
its last."""

SPAN = re.compile(r"T\S*\t([^\t]+?) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
OTHER = re.compile(r"[RAEMN]\d\S*[\t ]|[#*]")
"""How the lines of relations, attributes, events and notes begin: they say nothing of spans."""

Offsets = tuple[int, int]


class Hulls:
    """Counts, over a folder, the spans in pieces that are read as one, and what lies between their pieces."""

    def __init__(self) -> None:
        self.spans, self.characters, self.others = 0, 0, 0

    def count(self, gaps: Sequence[Offsets], others: Sequence[Span]) -> None:
        """Adds the gaps of the spans of one document, and its other spans that share characters with them."""
        self.characters += sum(end - start for start, end in gaps)
        self.others += sum(any(span.start < end and start < span.end for start, end in gaps) for span in others)

    def report(self, path: Path) -> None:
        """Says, in one line and only if there are any, what was taken in."""
        if self.spans:
            warn(
                f"{path}: {self.spans} spans in several pieces are read from the first character to the last "
                f"(discontinuous: hull), with the {self.characters} characters between the pieces; {self.others} other "
                "spans share characters with those."
            )


def read(path: Path, fields: Sequence[Field], options: Mapping[str, Any], fault: Fault = stop) -> Iterator[Document]:
    """The documents below a folder, by name; one without an `.ann` is unlabelled."""
    if not path.is_dir():
        remedy = "Give the folder of the .txt and .ann files."
        raise UserError("there is no such folder." if not path.exists() else "not a folder.", file=path, remedy=remedy)
    spans, hulls = Spans(str(path)), Hulls()
    for file, notes in pairs(files_of(path, (".txt", ".ann")), fault):
        try:
            text = read_text(file)
            gold = spans_of(notes, text, fields, options, spans, hulls, fault) if notes else {}
        except UserError as error:  # one of the two cannot be read at all
            fault(error)
            continue
        yield Document(relative(file.with_suffix(""), path), text, gold, str(file), 1)
    spans.report()
    hulls.report(path)


def pairs(files: Sequence[Path], fault: Fault) -> list[tuple[Path, Path | None]]:
    """Each text with its `.ann`, if it has one: of the same name, or else of a name that differs in case only. fault:
    gets each `.ann` without a text."""
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
        fault(UserError("there is no .txt of this name.", file=notes, remedy="Add the text or remove the .ann."))
    return [(file, found.get(file)) for file in bare]


def spans_of(
    file: Path,
    text: str,
    fields: Sequence[Field],
    options: Mapping[str, Any],
    spans: Spans,
    hulls: Hulls,
    fault: Fault,
) -> dict[str, tuple[Span, ...]]:
    """The spans of an `.ann` for each field, each field taking its own labels."""
    gold: dict[str, list[Span]] = {field.name: [] for field in fields}
    whole: list[Span] = []
    gaps: list[Offsets] = []
    for number, line in lines(file):
        line = line.rstrip("\r\n")
        if not line.strip() or OTHER.match(line):
            continue
        place = Place(str(file), number)
        try:
            label, pieces, quoted = parse(line, place)
            if label in options["ignore"]:
                continue
            takers = fields_with_label(label, fields, place)
            check(pieces, text, quoted, place)
            if len(pieces) > 1 and options["discontinuous"] == "error":
                raise in_pieces(label, pieces, text, place)
            span = spans.span(text, min(pieces)[0], max(end for _, end in pieces), label, place)
        except UserError as error:
            fault(error)
            continue
        for field in takers:
            gold[field.name].append(span)
        if len(pieces) > 1:
            gaps += gaps_of(pieces)
            hulls.spans += 1
        else:
            whole.append(span)
    hulls.count(gaps, whole)
    return {name: spans.gold(found) for name, found in gold.items()}


def parse(line: str, place: Place) -> tuple[str, list[Offsets], str]:
    """Label, offsets of the pieces and quotation of a `T` line."""
    match = SPAN.fullmatch(line)
    if not match:
        raise place.error("this line is no standoff annotation.", "Write: T1<tab>label start end<tab>text.")
    label, offsets, quoted = match.groups()
    pieces = [piece.split() for piece in offsets.split(";")]
    return label, [(int(start), int(end)) for start, end in pieces], quoted


def check(pieces: Sequence[Offsets], text: str, quoted: str, place: Place) -> None:
    """Raises UserError where the quotation of a `T` line does not agree with its offsets."""
    found = " ".join(text[start:end] for start, end in pieces)
    # brat writes a line end within a span as a blank.
    if found != quoted and re.sub("[\r\n\t]", " ", found) != re.sub("[\r\n\t]", " ", quoted):
        offsets = ";".join(f"{start} {end}" for start, end in pieces)
        message = f"the span {offsets} is {found[:40]!r}, and not {quoted[:40]!r}."
        raise place.error(message, explain(text, pieces[0][0], pieces[-1][1], quoted))


def gaps_of(pieces: Sequence[Offsets]) -> list[Offsets]:
    """What lies between the pieces of a span."""
    ordered = sorted(pieces)
    return [(end, start) for (_, end), (start, _) in pairwise(ordered) if end < start]


def in_pieces(label: str, pieces: Sequence[Offsets], text: str, place: Place) -> UserError:
    """The mistake of a span in several pieces, which no field can express."""
    between = " ... ".join(text[start:end] for start, end in gaps_of(pieces))
    remedy = (
        f"The option discontinuous: hull keeps it as one span from the first character to the last, with what lies "
        f"between ({between[:40]!r}); ignore: [{label}] leaves the spans of this label out."
    )
    return place.error(f"this span is in {len(pieces)} pieces, and a span of a field is one.", remedy)
