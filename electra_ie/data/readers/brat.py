"""Reader of standoff annotation (brat): a folder with a `.txt` for each document, and a `.ann` with its spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.folders import files_of
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines, read_text, relative
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, fields_with_label
from electra_ie.formats.options import Option
from electra_ie.formats.spans import explain_offsets

KINDS = ("spans",)
OPTIONS = {"ignore": Option([]), "discontinuous": Option("error", choices=("error", "hull"))}
"""ignore: labels to skip. discontinuous: a span of several fragments is an error, or is read as its hull: from its
first character to its last."""

SPAN = re.compile(r"T\S*\t([^\t]+?) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
OTHER = re.compile(r"[RAEMN]\d\S*[\t ]|[#*]")
"""The beginning of lines that are not spans: relations, attributes, events, normalizations and notes."""

Offsets = tuple[int, int]


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
    if not path.is_dir():
        message = "there is no such folder." if not path.exists() else "this is not a folder."
        raise UserError(message, file=path, remedy="Give the folder of the .txt and .ann files.")
    spans, hulls = Spans(str(path)), Hulls()
    for file, ann_file in pairs(files_of(path, (".txt", ".ann")), on_error):
        try:
            text = read_text(file)
            gold = spans_of(ann_file, text, fields, options, spans, hulls, on_error) if ann_file else {}
        except UserError as error:  # one of the two files cannot be read at all
            on_error(error)
            continue
        yield Document(relative(file.with_suffix(""), path), text, gold, str(file), 1)
    spans.report()
    hulls.report(path)


def pairs(files: Sequence[Path], on_error: OnError) -> list[tuple[Path, Path | None]]:
    """Return each text with its `.ann` or None: that of the same name, else of a name that differs in case only.

    Args:
        files: the `.txt` and `.ann` files.
        on_error: called for each `.ann` without a text.
    """
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    unpaired = dict.fromkeys(file for file in files if file.suffix.lower() == ".ann")
    paired: dict[Path, Path] = {}
    names: tuple[Callable[[Path], Path], ...] = (
        lambda file: file.with_suffix(""),
        lambda file: file.with_name(file.stem.lower()),
    )
    for name in names:
        by_name = {name(ann_file): ann_file for ann_file in unpaired}
        for file in texts:
            if file not in paired and (ann_file := by_name.pop(name(file), None)):
                paired[file] = ann_file
                del unpaired[ann_file]
    for ann_file in unpaired:
        message = "there is no .txt of the same name."
        on_error(UserError(message, file=ann_file, remedy="Add the text or remove the .ann."))
    return [(file, paired.get(file)) for file in texts]


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


def parse(line: str, source: SourceLine) -> tuple[str, list[Offsets], str]:
    """Return the label, the offsets of the fragments and the quoted text of a `T` line."""
    match = SPAN.fullmatch(line)
    if not match:
        raise source.error("this line is not a standoff annotation.", "Write: T1<tab>label start end<tab>text.")
    label, offsets, quoted = match.groups()
    fragments = [fragment.split() for fragment in offsets.split(";")]
    return label, [(int(start), int(end)) for start, end in fragments], quoted


def check(fragments: Sequence[Offsets], text: str, quoted: str, source: SourceLine) -> None:
    """Raise UserError if the quoted text of a `T` line is not the text at its offsets."""
    actual = " ".join(text[start:end] for start, end in fragments)
    # brat writes a line end within a span as a blank.
    if actual != quoted and re.sub("[\r\n\t]", " ", actual) != re.sub("[\r\n\t]", " ", quoted):
        offsets = ";".join(f"{start} {end}" for start, end in fragments)
        message = f"the span {offsets} is {actual[:40]!r}, not {quoted[:40]!r}."
        raise source.error(message, explain_offsets(text, fragments[0][0], fragments[-1][1], quoted))


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
