"""Checks of labels and spans while they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from electra_ie.common.errors import nearest
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Offsets, Span
from electra_ie.data.fields import AnyField, Field
from electra_ie.formats.parts.spans import check_range
from electra_ie.formats.parts.units import Units

LABEL_NAMES = {"classes": "class", "flags": "flag", "spans": "label", "relations": "label", "attributes": "label"}


def check_label(label: str, field: AnyField, source: SourceLine) -> str:
    """Return `label` if the field has it, else raise UserError."""
    if label not in field.labels:
        message = f'the field {field.name} has no {LABEL_NAMES[field.kind]} "{label}".'
        raise source.error(message, nearest(label, field.labels))
    return label


def flags(names: Collection[str], field: Field, source: SourceLine) -> tuple[str, ...]:
    """Return the flags in the field's order. Raises UserError for one that the field does not have."""
    checked = {check_label(name, field, source) for name in names}
    return tuple(label for label in field.labels if label in checked)


def fields_with_label(label: str, fields: Sequence[Field], source: SourceLine) -> list[Field]:
    """Return the fields of spans with this label: several fields may share a file, each with its own labels."""
    matching = [field for field in fields if label in field.labels]
    if not matching:
        labels = dict.fromkeys(label for field in fields for label in field.labels)
        raise source.error(f'no field has the label "{label}".', nearest(label, labels))
    return matching


def without_edges(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the offsets of a passage, which has more than white space, without the white space at its edges."""
    passage = text[start:end]
    return start + len(passage) - len(passage.lstrip()), end - len(passage) + len(passage.rstrip())


class Spans:
    """Builder of the spans of one file, which counts its corrections: white space at an edge, repeated spans."""

    def __init__(self, file: str) -> None:
        self.file, self.trimmed, self.repeated, self.joined, self.units = file, 0, 0, 0, Units()

    def span(self, text: str, start: int, end: int, label: str, source: SourceLine) -> Span:
        """Return the span of the characters `start` to `end`, without white space at its edges.

        Raises:
            UserError: the span is empty, outside the text, or contains white space only.
        """
        check_range(text, start, end, source)
        passage = text[start:end]
        if passage.isspace():
            raise source.error(f"the span {start} to {end} contains white space only.", "Correct or remove it.")
        edges = without_edges(text, start, end)
        self.trimmed += edges != (start, end)
        return Span(*edges, label)

    def ranges(self, text: str, pairs: Sequence[Offsets], source: SourceLine) -> list[Offsets]:
        """Return fragments in the order of the text, as one where nothing or only white space is between them.

        Raises:
            UserError: a fragment is empty or outside the text, or two of them overlap.
        """
        found: list[Offsets] = []
        for start, end in sorted(pairs):
            check_range(text, start, end, source)
            if found and start < found[-1][1]:
                shown = f"{found[-1][0]} to {found[-1][1]} and {start} to {end}"
                raise source.error(f"two fragments of one span overlap: {shown}.", "Correct the span.")
            if found and not text[found[-1][1] : start].strip():
                found[-1] = found[-1][0], end
            else:
                found.append((start, end))
        return found

    def fragmented(self, text: str, pairs: Sequence[Offsets], label: str, source: SourceLine) -> Span:
        """Return the span of fragments, which are joined if there is nothing or only white space between them.

        Raises:
            UserError: a fragment is no span (see `span`), or two of them overlap.
        """
        ranges = self.ranges(text, pairs, source)
        parts = [self.span(text, *pair, label, source) for pair in ranges]
        self.joined += len(pairs) - len(ranges)
        return Span.of([(part.start, part.end) for part in parts], label)

    def gold(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """Return the spans of one field of one document, sorted and without repetitions."""
        listed = list(spans)
        distinct = sorted(set(listed))
        self.repeated += len(listed) - len(distinct)
        return tuple(distinct)

    def report(self) -> None:
        """Warn of the corrections, if any.

        Raises:
            UserError: offsets without a quoted text seem to count another unit than code points (see `units`).
        """
        self.units.check()
        corrections = []
        if self.trimmed:
            corrections.append(f"removed the white space at the edges of {self.trimmed} spans")
        if self.joined:
            corrections.append(f"joined {self.joined} fragments with the one before, only white space being between")
        if self.repeated:
            corrections.append(f"dropped {self.repeated} repeated spans")
        if corrections:
            warn(f"{self.file}: {', '.join(corrections)}.")
