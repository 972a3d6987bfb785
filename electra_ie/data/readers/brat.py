"""Reader of standoff annotation (brat): a folder with a `.txt` for each document, and a `.ann` with its spans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines, read_text, relative
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, fields_with_label
from electra_ie.formats.annotations import Offsets
from electra_ie.formats.brat import check, parse, texts
from electra_ie.formats.parts.options import Option

KINDS = ("spans",)
OPTIONS = {"ignore": Option([]), "discontinuous": Option("error", choices=("error", "hull"))}
"""ignore: labels to skip. discontinuous: a span of several fragments is an error, or is read as its hull: from its
first character to its last."""

OTHER = re.compile(r"[RAEMN]\d\S*[\t ]|[#*]")
"""The beginning of lines that are not spans: relations, attributes, events, normalizations and notes."""


class Hulls:
    """Counts, over a folder, of the discontinuous spans read as one, and of the text between their fragments."""

    def __init__(self) -> None:
        self.spans, self.characters, self.others = 0, 0, 0

    def count(self, gaps: Sequence[Offsets], others: Sequence[Span]) -> None:
        """Add the gaps in the spans of one document, and the number of its other spans that overlap a gap."""
        self.characters += sum(end - start for start, end in gaps)
        self.others += sum(any(span.start < end and start < span.end for start, end in gaps) for span in others)

    def report(self, path: Path) -> None:
        """Warn of the counts, if there are any."""
        if self.spans:
            warn(
                f"{path}: {self.spans} discontinuous spans are read from their first character to their last "
                f"(discontinuous: hull), with the {self.characters} characters between the fragments; {self.others} "
                "other spans share characters with those."
            )


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], on_error: OnError = raise_error
) -> Iterator[Document]:
    """Yield the documents below a folder in the order of their paths; one without a `.ann` is unlabeled."""
    spans, hulls = Spans(str(path)), Hulls()
    for file, ann_file in texts(path, on_error):
        try:
            text = read_text(file)
            gold = spans_of(ann_file, text, fields, options, spans, hulls, on_error) if ann_file else {}
        except UserError as error:  # one of the two files cannot be read at all
            on_error(error)
            continue
        yield Document(relative(file.with_suffix(""), path), text, gold, str(file), 1)
    spans.report()
    hulls.report(path)


def spans_of(
    file: Path,
    text: str,
    fields: Sequence[Field],
    options: Mapping[str, Any],
    spans: Spans,
    hulls: Hulls,
    on_error: OnError,
) -> dict[str, tuple[Span, ...]]:
    """Return the spans of a `.ann` for each field, each with the labels of its own."""
    gold: dict[str, list[Span]] = {field.name: [] for field in fields}
    continuous: list[Span] = []
    gaps: list[Offsets] = []
    for number, raw in lines(file):
        line = raw.rstrip("\r\n")
        if not line.strip() or OTHER.match(line):
            continue
        source = SourceLine(str(file), number)
        try:
            label, fragments, quoted = parse(line, source)
            if label in options["ignore"]:
                continue
            matching = fields_with_label(label, fields, source)
            check(fragments, text, quoted, source)
            if len(fragments) > 1 and options["discontinuous"] == "error":
                raise discontinuous_error(label, fragments, text, source)
            span = spans.span(text, min(fragments)[0], max(end for _, end in fragments), label, source)
        except UserError as error:
            on_error(error)
            continue
        for field in matching:
            gold[field.name].append(span)
        if len(fragments) > 1:
            gaps += gaps_of(fragments)
            hulls.spans += 1
        else:
            continuous.append(span)
    hulls.count(gaps, continuous)
    return {name: spans.gold(field_spans) for name, field_spans in gold.items()}


def gaps_of(fragments: Sequence[Offsets]) -> list[Offsets]:
    """Return the offsets of the text between the fragments of a span."""
    ordered = sorted(fragments)
    return [(end, start) for (_, end), (start, _) in pairwise(ordered) if end < start]


def discontinuous_error(label: str, fragments: Sequence[Offsets], text: str, source: SourceLine) -> UserError:
    """Return the error for a span of several fragments, which a field cannot express."""
    between = " ... ".join(text[start:end] for start, end in gaps_of(fragments))
    remedy = (
        f"The option discontinuous: hull reads it as one span from the first character to the last, with the text "
        f"between ({between[:40]!r}); ignore: [{label}] skips the spans of this label."
    )
    return source.error(f"this span has {len(fragments)} fragments; a field expresses continuous spans only.", remedy)
