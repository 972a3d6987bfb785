"""Words of a text and their tags (IO, IOB1, IOB2, BIOES, BILOU, BMES), for formats with one word a line.

Words are runs of letters and digits, single punctuation marks and symbols, and single characters of scripts without
blanks (see `common.scripts`). They do not depend on the spans, so that a file of words says nothing on its tags.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from electra_ie.common.scripts import COMBINING, continues_word
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Offsets
from electra_ie.formats.features import Losses
from electra_ie.formats.parts.writable import BLANK, name

OUTSIDE = ("O", "o")
TAG = re.compile(r"([BIMESLUWbimesluw])[-_](.+)")
"""A tag with a prefix; `_` and small letters are accepted."""
SCHEMES = ("iob2", "bioes", "io")
"""The schemes that are written. In io, spans of one label that touch become one."""
EDGES, BLANK_SPANS = "white space at the edges of spans", "spans of white space only"
INSIDE, TOUCHING = "spans that begin or end inside a word", "borders of spans next to others of the same label"
"""Kinds of loss."""


def words(text: str) -> list[Offsets]:
    """Return the offsets of the words of a text. Combining characters belong to what is before them."""
    found: list[Offsets] = []
    for index, character in enumerate(text):
        if character.isspace():
            continue
        follows = bool(found) and found[-1][1] == index
        if follows and (continues_word(text, index) or unicodedata.category(character) in COMBINING):
            found[-1] = found[-1][0], index + 1
        else:
            found.append((index, index + 1))
    return found


def on_words(
    document: AnnotatedDocument, scheme: str, forbidden: re.Pattern[str] = BLANK
) -> tuple[AnnotatedDocument, Losses]:
    """Return a document with the spans that tags of its words express, and count what changes.

    Args:
        document: a document with spans that are continuous and do not overlap.
        scheme: the scheme of the tags.
        forbidden: characters that a label cannot have.
    """
    losses, kept = Losses(), list[AnnotatedSpan]()
    offsets = words(document.text)
    starts, ends = {start for start, _ in offsets}, {end for _, end in offsets}
    for span in sorted(document.spans, key=lambda span: span.fragments):
        passage = document.text[span.start : span.end]
        start, end = span.start + len(passage) - len(passage.lstrip()), span.end - len(passage) + len(passage.rstrip())
        if passage.isspace():
            losses[BLANK_SPANS] += 1
        elif start not in starts or end not in ends:
            losses[INSIDE] += 1
        else:
            losses[EDGES] += (start, end) != (span.start, span.end)
            kept.append(replace(span, fragments=((start, end),), label=name(span.label, losses, forbidden)))
    if scheme == "io":
        kept = _joined(kept, document.text, losses)
    return replace(document, spans=tuple(kept)), +losses


def _joined(spans: Iterable[AnnotatedSpan], text: str, losses: Losses) -> list[AnnotatedSpan]:
    """Return spans without the borders that tags without B- do not show."""
    joined: list[AnnotatedSpan] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before and before.label == span.label and not text[before.end : span.start].strip():
            losses[TOUCHING] += 1
            joined[-1] = replace(before, fragments=((before.start, span.end),))
        else:
            joined.append(span)
    return joined


def tags(spans: Iterable[AnnotatedSpan], offsets: Sequence[Offsets], scheme: str) -> list[str]:
    """Return the tag of each word. The spans begin and end at edges of words."""
    found = ["O"] * len(offsets)
    starts = [start for start, _ in offsets]
    for span in spans:
        first, after = bisect_left(starts, span.start), bisect_left(starts, span.end)
        prefixes = ["I"] * (after - first)
        if scheme != "io":
            prefixes[0] = "B"
        if scheme == "bioes":
            prefixes[-1] = "E" if len(prefixes) > 1 else "S"
        found[first:after] = [f"{prefix}-{span.label}" for prefix in prefixes]
    return found


class Tags:
    """The tags of a file: with prefixes, or labels as they are (IO)."""

    def __init__(self, tags: Iterable[str]) -> None:
        named = {tag for tag in tags if tag not in OUTSIDE}
        matches = [match for tag in named if (match := TAG.fullmatch(tag))]
        self.prefixed = len(matches) == len(named) or any(match[1] in "BIbi" for match in matches)

    def parse(self, tag: str, source: SourceLine) -> tuple[str, str]:
        """Return prefix and label of a tag, both empty for `O`. Raises UserError for an invalid tag."""
        if tag in OUTSIDE:
            return "", ""
        match = TAG.fullmatch(tag)
        if self.prefixed and not match:
            message = f'"{tag}" is not a tag, and other tags of the file have prefixes.'
            remedy = "Tags are O, or labels after B-, I-, M-, E-, S-, W-, L- or U-. An option selects their column."
            raise source.error(message, remedy)
        return (match[1].upper(), match[2]) if self.prefixed and match else ("I", tag)


def chunks(tags: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """Yield first word, last word and label of each chunk, by the rule of conlleval: IO, IOB1, IOB2, IOBES.

    A chunk begins at B- and S-, and at any tag after O, after another label, or after the end of a chunk (E-, S-).
    L- and U- of BILOU are E- and S-, M- of BMES is I-, W- of BMEWO is S-.
    """
    first, label, ended = 0, "", False
    for index, (prefix, following) in enumerate(tags):
        begins = bool(following) and (prefix in "BSUW" or following != label or ended)
        if label and (begins or not following):
            yield first, index - 1, label
        if begins:
            first = index
        label, ended = following, bool(following) and prefix in "ESLUW"
    if label:
        yield first, len(tags) - 1, label


def aligned(text: str, surfaces: Sequence[str]) -> list[Offsets] | None:
    """Return the offsets of words in a text that has only white space between them, or None if it has more."""
    offsets, position = [], 0
    for word in surfaces:
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            return None
        position = start + len(word)
        offsets.append((start, position))
    return None if text[position:].strip() else offsets


def spans_of(
    found: Iterable[tuple[int, int, str]], offsets: Sequence[Offsets], before: int = 0
) -> Iterator[AnnotatedSpan]:
    """Yield the spans of chunks. before: the number of spans that the document has already."""
    for number, (first, last, label) in enumerate(found, start=before + 1):
        yield AnnotatedSpan(f"T{number}", label, ((offsets[first][0], offsets[last][1]),))
