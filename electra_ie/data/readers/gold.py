"""What a file says of a text, checked: labels that a field has, spans that lie in the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from electra_ie.common.errors import nearest, warn
from electra_ie.common.text_files import Place
from electra_ie.data.document import Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.units import UTF_8, UTF_16, Units, hint, read_as

WORDS = {"classes": "class", "flags": "flag", "spans": "label"}


def known(label: str, field: Field, place: Place) -> str:
    """`label`, which must be one of the field's. Raises UserError otherwise."""
    if label not in field.labels:
        raise place.error(f'the field {field.name} has no {WORDS[field.kind]} "{label}".', nearest(label, field.labels))
    return label


def flags(names: Collection[str], field: Field, place: Place) -> tuple[str, ...]:
    """The flags that hold, each one of the field's, in the field's order."""
    held = {known(name, field, place) for name in names}
    return tuple(label for label in field.labels if label in held)


def fields_with_label(label: str, fields: Sequence[Field], place: Place) -> list[Field]:
    """The spans fields that have `label`; several fields may share one file, each taking its own labels."""
    found = [field for field in fields if label in field.labels]
    if not found:
        labels = dict.fromkeys(label for field in fields for label in field.labels)
        raise place.error(f'no field has the label "{label}".', nearest(label, labels))
    return found


def explain(text: str, start: int, end: int, quoted: str) -> str:
    """How the offsets of a span that does not say what it should say may have been counted: the remedy."""
    exact = "Offsets must count Unicode code points of the text as it is in the file, the end exclusive."
    if text[start : end + 1] == quoted:
        return f"{exact} Here the end is inclusive: add 1 to every end."
    for unit in (UTF_16, UTF_8):
        found = read_as(text, unit, start, end)
        if found and text[slice(*found)] == quoted:
            return f"{exact} Here they count {unit}: convert them."
    if text.startswith("\ufeff") and text[start + 1 : end + 1] == quoted:
        return f"{exact} Here they leave out the byte order mark at the beginning: save the text without it."
    if text.replace("\r\n", "\n")[start:end] == quoted.replace("\r\n", "\n"):
        return f"{exact} Here they count a line end of two characters (CRLF) as one: save the text with LF."
    return exact


class Spans:
    """Makes the spans of one file and counts what it had to mend: white space at an edge, a span given twice."""

    def __init__(self, file: str):
        self.file, self.trimmed, self.repeated, self.units = file, 0, 0, Units()

    def span(self, text: str, start: int, end: int, label: str, place: Place) -> Span:
        """Characters `start` to `end` of `text` without white space at the edges.

        Raises:
            UserError: the span is empty, lies outside the text, or holds nothing but white space.
        """
        if start >= end:
            remedy = "start must be smaller than end; end is exclusive."
            raise place.error(f"the span {start} to {end} is empty.", remedy)
        if start < 0 or end > len(text):
            remedy = f"Offsets must count Unicode code points of the text as it is in the file.{hint(text, start, end)}"
            raise place.error(f"the span {start} to {end} lies outside the text of {len(text)} characters.", remedy)
        piece = text[start:end]
        if piece.isspace():
            raise place.error(f"the span {start} to {end} holds white space only.", "Correct or remove it.")
        edges = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
        self.trimmed += edges != (start, end)
        return Span(*edges, label)

    def gold(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """The spans of one field of one document in the order of the text, each once."""
        given = list(spans)
        distinct = sorted(set(given))
        self.repeated += len(given) - len(distinct)
        return tuple(distinct)

    def report(self) -> None:
        """Says, in one line and only if there is anything to say, what was mended.

        Raises:
            UserError: the offsets that no quotation proves count another unit than code points (see `units`).
        """
        self.units.check()
        mended = []
        if self.trimmed:
            mended.append(f"cut the white space off the edges of {self.trimmed} spans")
        if self.repeated:
            mended.append(f"left out {self.repeated} spans given twice")
        if mended:
            warn(f"{self.file}: {', '.join(mended)}.")
