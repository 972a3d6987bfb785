"""Columns (CoNLL 2002 and 2003): one word a line with its tag, a blank line after each sentence, which is a document.

Comments before a sentence, `# id = ...` and `# text = ...`, hold the id and the exact text, so that all white space
is read back; a value that does not fit in a comment as it is, is written as a JSON string. The words of a document that
was not annotated have the tag `_`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.logs import warn
from electra_ie.common.text_files import lines
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Offsets
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parts.columns import (
    COLUMNS,
    DOCUMENT_START,
    KEY,
    Block,
    Expected,
    Row,
    blocks,
    join,
    split,
    without_blanks,
)
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.tagged_words import (
    OUTSIDE,
    SCHEMES,
    TAG,
    Tags,
    aligned,
    chunks,
    on_words,
    spans_of,
    tags,
    words,
)
from electra_ie.formats.parts.text_output import text_output
from electra_ie.formats.parts.writable import refuse_other_than_text

OPTIONS = {**COLUMNS, "scheme": Option("iob2", choices=SCHEMES)}
"""scheme: the scheme of the tags that are written; those that are read are recognized."""
HOLDS = frozenset({Feature.IDS, Feature.SPANS, Feature.UNANNOTATED})
"""Ids are held because of the comments."""
NO_TAG = "_"
"""The tag of words that were not annotated."""
LOOKED_AT = 200
"""Lines by which a file is recognized."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the sentences of a file, without those with an invalid line. One column has no annotation.

    A sentence without a comment that names its id gets the name of the file and the number of its first line as its id.
    """
    found = [block for block in blocks(path, options, on_error, Expected([NO_TAG])) if not block.invalid]
    reader = _Reader(path, found, options)
    surfaces = [reader.surfaces(block) for block in found]
    glued = without_blanks(surfaces) if options["join"] == "auto" else [False] * len(surfaces)
    for block, block_words, glue in zip(found, surfaces, glued, strict=True):
        try:
            document = reader.document(block, block_words, "glue" if glue else options["join"])
        except UserError as error:
            on_error(error)
            continue
        if document:
            yield document
    reader.report()


class _Reader:
    """Builds documents from the sentences of one file, and counts how their texts are made."""

    def __init__(self, path: Path, found: Sequence[Block], options: Mapping[str, Any]) -> None:
        self.path, self.options = path, options
        rows = [row for block in found for row in block.rows]
        self.tagged = bool(rows) and len(rows[0].cells) > 1
        self.tags = Tags(self._tag(row) for row in rows if self._tag(row) != NO_TAG) if self.tagged else None
        self.joined, self.glued, self.unfit = 0, 0, 0

    def _tag(self, row: Row) -> str:
        return str(row.cells[self.options["tag"]])

    def surfaces(self, block: Block) -> list[str]:
        """Return the words of a sentence."""
        return [row.cells[self.options["word"]] for row in block.rows]

    def document(self, block: Block, surfaces: Sequence[str], how: str) -> AnnotatedDocument | None:
        """Return the document of a sentence, or None if there are only comments that name no text.

        Raises:
            UserError: a tag is invalid, or a comment names a text whose words are missing.
        """
        first = (block.rows or block.comments)[0]
        keys = {match[1]: match[2] for row in block.comments if (match := KEY.match(row.line.rstrip("\r\n")))}
        if not block.rows and "text" not in keys:
            return None
        text, offsets = self._text(keys.get("text"), surfaces, how, first)
        spans: tuple[AnnotatedSpan, ...] = ()
        annotated = not block.rows or self.tags and any(self._tag(row) != NO_TAG for row in block.rows)
        if annotated and self.tags:
            parsed = [self.tags.parse(self._tag(row), row.source) for row in block.rows]
            spans = tuple(spans_of(chunks(parsed), offsets))
        named = keys.get("id", keys.get("sent_id"))
        id = f"{self.path.stem}-{first.source.line}" if named is None else _value(named)
        return AnnotatedDocument(
            id, text, spans, layers=("",) if annotated else None, file=str(self.path), line=first.source.line
        )

    def _text(self, named: str | None, surfaces: Sequence[str], how: str, row: Row) -> tuple[str, Sequence[Offsets]]:
        """Return the text that a comment names, if it fits, else the words joined; and the offsets of words."""
        for text in () if named is None else dict.fromkeys((_value(named), named)):
            if (offsets := aligned(text, surfaces)) is not None:
                return text, offsets
        if not surfaces:
            remedy = "Add the words, one a line, or remove the comment."
            raise row.source.error("there is a text in a comment, and no words of it.", remedy)
        self.unfit += named is not None
        self.joined += 1
        self.glued += how == "glue"
        return join(surfaces, how)

    def report(self) -> None:
        """Warn of texts that were put together in a way that may not be that of the source."""
        if self.unfit:
            warn(f"{self.path}: {self.unfit} texts in comments do not fit the words, which are joined.")
        if self.glued:
            warn(
                f"{self.path}: {self.glued} of {self.joined} sentences are joined without blanks (scripts with none "
                "between words); set the option join: blank to put one between all words."
            )


def _value(written: str) -> str:
    """Return the value of a comment, which may be a JSON string."""
    if written.startswith('"'):
        try:
            value = json.loads(written)
        except ValueError:
            return written
        return value if isinstance(value, str) else written
    return written


def _comment(key: str, value: str) -> str:
    plain = value == value.strip() and not value.startswith('"') and not {"\r", "\n"} & set(value)
    return f"# {key} = {value if plain else json.dumps(value, ensure_ascii=False)}\n"


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove and count what tags of words cannot express."""
    document, losses = on_words(document, options["scheme"])
    if document.layers is None and not words(document.text):
        losses[Feature.UNANNOTATED.value] += 1
        document = replace(document, layers=("",))
    return document, losses


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write a word and its tag a line, separated by a tab, and a blank line after each document."""
    with text_output(path) as file:
        for document in documents:
            offsets = words(document.text)
            found = tags(document.spans, offsets, options["scheme"])
            if document.layers is None:
                found = [NO_TAG] * len(offsets)
            rows = "".join(f"{document.text[slice(*word)]}\t{tag}\n" for word, tag in zip(offsets, found, strict=True))
            content = f"{_comment('id', document.id)}{_comment('text', document.text)}{rows}\n"
            refuse_other_than_text(document, content, path)
            file.write(content)


def detect(path: Path) -> bool:
    """Return whether the first lines of a file have two or more columns, the last of which is a tag."""
    try:
        first = [split(line, "", None) for _, line in islice(lines(path), LOOKED_AT) if not line.startswith("# ")]
    except (UserError, OSError):
        return False
    rows = [cells for cells in first if cells and cells[0] != DOCUMENT_START]
    if len({len(cells) for cells in rows}) != 1 or len(rows[0]) == 1:
        return False
    found = {cells[-1] for cells in rows} - {NO_TAG}
    return bool(found) and all(tag in OUTSIDE or TAG.fullmatch(tag) for tag in found)


CONLL = Format("conll", "CoNLL columns", read, write, HOLDS, OPTIONS, detect, reduce=reduce, endings=(".conll",))
