"""Reader of columns (CoNLL): one word a line, a blank line after each sentence; a sentence is a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, raise_error
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.readers.gold import Spans, fields_with_label
from electra_ie.formats.parts.columns import COLUMNS, Expected, Row, blocks, join, without_blanks
from electra_ie.formats.parts.tagged_words import OUTSIDE, TAG, chunks

KINDS = ("spans",)
OPTIONS = COLUMNS


def read(
    path: Path, fields: Sequence[Field], options: Mapping[str, Any], on_error: OnError = raise_error
) -> Iterator[Document]:
    """Yield the sentences of a file. They are unlabeled if the file has one column."""
    labels = [label for field in fields for label in field.labels]
    expected = Expected(labels, bool(fields), lambda label, source: fields_with_label(label, fields, source))
    sentence_rows = [block.rows for block in blocks(path, options, on_error, expected) if block.rows]
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
