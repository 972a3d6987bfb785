"""Columns (CoNLL 2002 and 2003): one word a line with its tags, a blank line after each sentence, which is a document.

The tags of the last column are read by default; the option tag names another column, or several, which are layers.

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
    LAST,
    NO_TAG,
    Block,
    ColumnFile,
    Row,
    join,
    list_of,
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
    begins,
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
HOLDS = frozenset({Feature.IDS, Feature.SPANS, Feature.LAYERS, Feature.UNANNOTATED})
"""Ids and layers are held because of the comments."""
CHOICE = "The option tag selects their column"
"""A remedy for tags that are none."""
LOOKED_AT = 200
"""Lines by which a file is recognized."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the sentences of a file, without those with an invalid line. One column has no annotation.

    A sentence without a comment that names its id gets the name of the file and the number of its first line as its id.
    """
    file = ColumnFile(path, options)
    found = [block for block in file.blocks(on_error) if not block.invalid]
    reader = _Reader(file, found)
    surfaces = [reader.surfaces(block) for block in found]
    glued = without_blanks(surfaces) if options["join"] == "auto" else [False] * len(surfaces)
    for block, block_words, glue in zip(found, surfaces, glued, strict=True):
        try:
            document = reader.document(block, block_words, "glue" if glue else options["join"])
        except UserError as error:
            for single in error.errors or (error,):
                on_error(single)
            continue
        if document:
            yield document
    reader.report()


class _Reader:
    """Builds documents from the sentences of one file, and counts how their texts are made."""

    def __init__(self, file: ColumnFile, found: Sequence[Block]) -> None:
        self.file, self.path = file, file.path
        rows = [row for block in found for row in block.rows]
        self.schemes = {
            layer: Tags({row.cells[number] for row in rows} - {NO_TAG}, file.labels, f"{CHOICE} (here {number}).")
            for layer, number in file.tags.items()
        }
        self.joined, self.glued, self.unfit = 0, 0, 0
        self.last = found[-1] if found else None

    def surfaces(self, block: Block) -> list[str]:
        """Return the words of a sentence."""
        return [row.cells[self.file.word] for row in block.rows]

    def document(self, block: Block, surfaces: Sequence[str], how: str) -> AnnotatedDocument | None:
        """Return the document of a sentence, or None if there are only comments that name no text.

        Raises:
            UserError: tags are invalid, or a comment names a text whose words are missing, or end where the file ends.
        """
        rows = block.rows or block.comments
        first, last = rows[0], rows[-1] if block is self.last else None
        keys = {match[1]: match[2] for row in block.comments if (match := KEY.match(row.line.rstrip("\r\n")))}
        if not block.rows and "text" not in keys:
            return None
        text, offsets = self._text(keys.get("text"), surfaces, how, first, last)
        spans: list[AnnotatedSpan] = []
        errors: list[UserError] = []
        layers = self._layers(block, keys)
        for layer in layers or () if block.rows else ():
            parsed = self._parsed(block.rows, layer, errors)
            spans += spans_of(chunks(parsed), offsets, len(spans), layer, [row.source for row in block.rows])
        if errors:
            raise UserError(f"{len(errors)} invalid tags.", file=self.path, errors=errors)
        named = keys.get("id", keys.get("sent_id"))
        id = f"{self.path.stem}-{first.source.line}" if named is None else _value(named)
        return AnnotatedDocument(id, text, tuple(spans), layers=layers, file=str(self.path), line=first.source.line)

    def _layers(self, block: Block, keys: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the layers with which a sentence was annotated: those that a comment names, or that have tags."""
        if not self.file.tagged:
            return None
        if self.file.has_layers:
            named = list_of(keys["annotated"]) if "annotated" in keys else None
            return None if named is None else tuple(layer for layer in named if layer in self.file.tags)
        if not block.rows:
            return ("",)
        tagged = [
            layer for layer, number in self.file.tags.items() if any(row.cells[number] != NO_TAG for row in block.rows)
        ]
        return tuple(tagged) or None

    def _parsed(self, rows: Sequence[Row], layer: str, errors: list[UserError]) -> list[tuple[str, str]]:
        """Return prefix and label of each word, and add the errors of invalid tags."""
        parsed, number = [], self.file.tags[layer]
        for row in rows:
            try:
                parsed.append(self.schemes[layer].parse(row.cells[number], row.source))
            except UserError as error:
                if row.line.startswith("#"):
                    remedy = 'If this is a comment, begin it with "# " and put it before the first word of a sentence.'
                    error = row.source.error(error.message, remedy)
                errors.append(error)
        return parsed

    def _text(
        self, named: str | None, surfaces: Sequence[str], how: str, row: Row, last: Row | None
    ) -> tuple[str, Sequence[Offsets]]:
        """Return the text that a comment names, if it fits, else the words joined; and the offsets of words.

        last: the last row, in the last sentence of the file: a text that goes on after it shows that the file is cut.
        """
        for text in () if named is None else dict.fromkeys((_value(named), named)):
            if (offsets := aligned(text, surfaces)) is not None:
                return text, offsets
        if not surfaces:
            remedy = "Add the words, one a line, or remove the comment."
            raise row.source.error("there is a text in a comment, and no words of it.", remedy)
        if last and named is not None and begins(_value(named), surfaces):
            message = f"the file ends within the text of its last sentence, {_value(named)[:40]!r}."
            raise last.source.error(message, "Is the file whole? Otherwise correct # text, or add the words.")
        self.unfit += named is not None
        self.joined += 1
        self.glued += how == "glue"
        return join(surfaces, how)

    def report(self) -> None:
        """Warn of texts that may not be those of the source, and of tags that are not read."""
        others = self.file.others
        if self.file.is_counted:
            warn(f"{self.path}: the first column numbers the words, which are read from column {self.file.word}.")
        if others:
            listed = ", ".join(map(str, others))
            several = ", ".join(map(str, [*others, *self.file.tags.values()]))
            warn(
                f"{self.path}: tags are read from the last column, by default; those of column {listed} are not. Set "
                f"the option tag: the number of a column, or a list to read several as layers, such as [{several}]."
            )
        if self.unfit:
            warn(f"{self.path}: {self.unfit} texts in comments do not fit the words, which are joined.")
        if self.glued:
            warn(
                f"{self.path}: {self.glued} of {self.joined} sentences are joined without blanks (Chinese, Japanese, "
                "Thai and other scripts with none between words); set the option join: blank to put one between all."
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
    """Write a word and its tags a line, separated by tabs, and a blank line after each document.

    Layers with names are columns, which a comment at the beginning names; another comment names those of a document.
    """
    layers = list(dict.fromkeys(layer for document in documents for layer in document.layers or ())) or [""]
    named = layers != [""]
    with text_output(path) as file:
        if named:
            file.write(f"# layers = {json.dumps(layers, ensure_ascii=False)}\n\n")
        for document in documents:
            content = _comment("id", document.id) + _comment("text", document.text)
            if named and document.layers is not None:
                content += f"# annotated = {json.dumps(document.layers, ensure_ascii=False)}\n"
            offsets = words(document.text)
            columns = [_column(document, layer, offsets, options["scheme"]) for layer in layers]
            for word, *row in zip(offsets, *columns, strict=True):
                content += "\t".join([document.text[slice(*word)], *row]) + "\n"
            content += "\n"
            refuse_other_than_text(document, content, path)
            file.write(content)


def _column(document: AnnotatedDocument, layer: str, offsets: Sequence[Offsets], scheme: str) -> list[str]:
    """Return the tag of each word in one layer."""
    if layer not in (document.layers or ()):
        return [NO_TAG] * len(offsets)
    return tags([span for span in document.spans if span.layer == layer], offsets, scheme)


def for_layers(options: Mapping[str, Any], layers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return options for reading these layers, with their labels: those that name a column are read from it."""
    labels = options["labels"] or list(dict.fromkeys(label for names in layers.values() for label in names))
    tag = options["tag"]
    if not layers:
        tag = []
    elif tag == LAST:
        named = [layer for layer in layers if layer in options["columns"] or layer.isdecimal()]
        tag = [*named, *[LAST] * (len(named) < len(layers))] if named else LAST
    return {**options, "labels": labels, "tag": tag}


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


CONLL = Format(
    "conll",
    "CoNLL columns",
    read,
    write,
    HOLDS,
    OPTIONS,
    detect,
    reduce=reduce,
    endings=(".conll",),
    for_layers=for_layers,
)
