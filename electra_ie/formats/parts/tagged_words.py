"""Words of a text and their tags (IO, IOB1, IOB2, BIOES, BILOU, BMES), for formats with one word a line.

Words are runs of letters and digits, single punctuation marks and symbols, and single characters of scripts without
blanks (see `common.scripts`). They do not depend on the spans, so that a file of words says nothing on its tags.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from electra_ie.common.errors import UserError, nearest
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
        document: a document with spans that are continuous and do not overlap in their layer.
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
    joined: dict[str, list[AnnotatedSpan]] = defaultdict(list)
    for span in spans:
        layer = joined[span.layer]
        before = layer[-1] if layer else None
        if before and before.label == span.label and not text[before.end : span.start].strip():
            losses[TOUCHING] += 1
            layer[-1] = replace(before, fragments=((before.start, span.end),))
        else:
            layer.append(span)
    return [span for layer in joined.values() for span in layer]


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
    """The tags of a file or of one of its columns: with prefixes, or labels as they are (IO).

    Attributes:
        prefixed: Whether the tags have prefixes.
        found: The labels of the tags, other than those that were known before, in the order of the tags.
    """

    def __init__(
        self, tags: Iterable[str], labels: Sequence[str] = (), where: str = "An option selects their column."
    ) -> None:
        """Recognize the scheme.

        Args:
            tags: all tags.
            labels: the labels, if they are known: those that look like a tag with a prefix are then recognized.
            where: a sentence for errors, on what the tags are read from.
        """
        self.labels, self.where = labels, where
        named = dict.fromkeys(tag for tag in tags if tag not in OUTSIDE and tag not in labels)
        matches = [match for tag in named if (match := TAG.fullmatch(tag))]
        self.prefixed = bool(matches) and (len(matches) == len(named) or any(match[1] in "BIbi" for match in matches))
        self.found = list(dict.fromkeys(match[2] for match in matches) if self.prefixed else named)
        self.example = min((match[0] for match in matches), default="")

    def parse(self, tag: str, source: SourceLine) -> tuple[str, str]:
        """Return prefix and label of a tag, both empty for `O`. Raises UserError for an invalid tag."""
        if not self.prefixed and tag in self.labels:
            return "I", tag
        if tag in OUTSIDE:
            return "", ""
        match = TAG.fullmatch(tag)
        if self.prefixed and match:
            return match[1].upper(), match[2]
        if self.prefixed or self.labels or not tag:
            raise self._error(tag, source)
        return "I", tag

    def _error(self, tag: str, source: SourceLine) -> UserError:
        example = self.labels[0] if self.labels else "PER"
        if TAG.fullmatch(f"{tag}-{example}"):
            return source.error(f'the tag "{tag}" has no label.', f"Write {tag}-{example}, with a label of yours.")
        if tag and self.prefixed and (not self.labels or tag in self.labels):
            message = f'the tag "{tag}" has no prefix, and other tags have one ("{self.example}").'
            return source.error(message, f"Write B-{tag} or I-{tag}, or labels without prefixes only. {self.where}")
        known = f"{nearest(tag, self.labels)} " if self.labels else ""
        prefixes = "Tags are O, or labels after B-, I-, M-, E-, S-, W-, L- or U-"
        remedy = f"{known}{prefixes} (B-{example}), or all are labels without prefixes. {self.where}"
        return source.error(f'"{tag}" is not a tag.', remedy)


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
    offsets = _at_beginning(text, surfaces)
    return None if offsets is None or text[offsets[-1][1] if offsets else 0 :].strip() else offsets


def begins(text: str, surfaces: Sequence[str]) -> bool:
    """Return whether a text begins with words, and goes on after the last of them."""
    return _at_beginning(text, surfaces) is not None and aligned(text, surfaces) is None


def _at_beginning(text: str, surfaces: Sequence[str]) -> list[Offsets] | None:
    """Return the offsets of words at the beginning of a text, or None if it has more than white space between them."""
    offsets, position = [], 0
    for word in surfaces:
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            return None
        position = start + len(word)
        offsets.append((start, position))
    return offsets


def spans_of(
    found: Iterable[tuple[int, int, str]],
    offsets: Sequence[Offsets],
    before: int = 0,
    layer: str = "",
    sources: Sequence[SourceLine] = (),
) -> Iterator[AnnotatedSpan]:
    """Yield the spans of chunks.

    Args:
        found: first word, last word and label of each.
        offsets: those of the words.
        before: the number of spans that the document has already.
        layer: the layer of the spans.
        sources: the lines of the words, for messages.
    """
    for number, (first, last, label) in enumerate(found, start=before + 1):
        fragments = ((offsets[first][0], offsets[last][1]),)
        yield AnnotatedSpan(f"T{number}", label, fragments, layer=layer, source=sources[first] if sources else None)
