"""The characters of each token: visible ones only, each of one token, and with whole words of the word's first token.

A tokenizer gives ranges of characters that may overlap, have white space at their edges, or lack combining marks. The
functions work on arrays of a whole text at once, since a small model spends as long on a token as Python does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from electra_ie.common.scripts import COMBINING, is_unspaced

COMPOSED = re.compile("[\u1160-\u11ff\uff9e\uff9f]")
"""Letters that NFKC composes with the one before them, as marks: vowels and ends of Korean syllables, and the voice
marks of half-width Japanese."""
_SPACE, _MARK, _COMBINING, _WORD, _KNOWN = 1, 2, 4, 8, 16
_PROPERTIES = np.zeros(0x110000, dtype=np.uint8)
"""The properties of each character as bits. 0: not looked up yet."""


def ranges_of_tokens(
    text: str, offsets: Sequence[tuple[int, int]], words: Sequence[int | None] | None = None
) -> list[tuple[int, int]]:
    """Return the start and end of each token; a token without a character of its own has an empty range.

    The ranges do not overlap, have no white space at their edges, and include combining marks.

    Args:
        text: the text.
        offsets: start and end of each token, as the tokenizer gives them.
        words: the index of the word of each token, or None. If given, the first visible token of a word gets all
            characters of the word, and the others none (see `scripts.continues_word`).
    """
    if not offsets:
        return []
    properties = _properties(text)
    starts, ends = np.array(offsets, dtype=np.int64).T
    starts, ends = _visible(properties, starts, ends)
    starts, ends = _disjoint(text, starts, ends)
    if words is not None:
        starts, ends = _by_word(properties, starts, ends, words)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _properties(text: str) -> np.ndarray:
    """Return the properties of each character, (characters,)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    found: np.ndarray = _PROPERTIES[codes]
    if not found.all():
        for code in np.unique(codes[found == 0]).tolist():
            _PROPERTIES[code] = _look_up(chr(code))
        found = _PROPERTIES[codes]
    return found


def _look_up(character: str) -> int:
    """Return the properties of one character as bits."""
    category = unicodedata.category(character)
    return (
        _KNOWN
        | _SPACE * character.isspace()
        | _MARK * (category.startswith("M") or COMPOSED.match(character) is not None)
        | _COMBINING * (category in COMBINING)
        | _WORD * (character.isalnum() and not is_unspaced(character))
    )


def _visible(properties: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Remove white space at the edges, which some tokenizers include, and add combining marks, which some drop."""
    size = len(properties)
    at = np.arange(size + 1)
    visible = np.append((properties & _SPACE) == 0, True)
    first = np.minimum.accumulate(np.where(visible, at, size)[::-1])[::-1]  # the first visible character from here
    last = np.maximum.accumulate(np.where(np.insert(visible[:-1], 0, True), at, 0))  # the end of the last one before
    filled = starts < ends
    starts = np.where(filled, np.minimum(first[starts], ends), starts)
    ends = np.where(filled, np.maximum(last[ends], starts), ends)
    marks = np.append((properties & _MARK) != 0, False)
    extended = (starts < ends) & marks[ends]
    if extended.any():
        no_mark = np.minimum.accumulate(np.where(marks, size, at)[::-1])[::-1]
        ends = np.where(extended, no_mark[ends], ends)
    return starts, ends


def _disjoint(text: str, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Assign each character to one token, so that tags can be converted to spans and back without loss.

    Of several tokens that begin at the same character, the first gets it, as the first token of a word is tagged for
    the word. This concerns the word-start mark of SentencePiece tokenizers (XLM-R, CamemBERT, ALBERT), whose range is
    the first character of the next token, and the tokens of one emoji in byte-level vocabularies.
    """
    filled = starts < ends
    if (starts[filled][1:] >= ends[filled][:-1]).all():
        return starts, ends
    disjoint: list[tuple[int, int]] = []
    last = -1  # the last token with characters
    for token_start, token_end in zip(starts.tolist(), ends.tolist(), strict=True):
        start, end = token_start, token_end
        if last >= 0 and start < end:
            previous_start, previous_end = disjoint[last]
            if start == previous_start and end > previous_end:
                disjoint[last] = (previous_start, end)
                start = end
            else:
                start, end = max(start, previous_end), max(end, previous_end)
                while start < end and text[start].isspace():
                    start += 1
        disjoint.append((start, end))
        if start < end:
            last = len(disjoint) - 1
    of_starts, of_ends = np.array(disjoint, dtype=np.int64).T
    return of_starts, of_ends


def _by_word(
    properties: np.ndarray, starts: np.ndarray, ends: np.ndarray, words: Sequence[int | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Assign all characters of a word to its first visible token, and none to the others."""
    tokens = np.flatnonzero(starts < ends)
    if not len(tokens):
        return starts, ends
    # A combining character belongs to the last one before it that is not.
    base = np.maximum.accumulate(np.where((properties & _COMBINING) == 0, np.arange(len(properties)), 0))
    in_word = (properties[base] & _WORD) != 0
    begins = starts[tokens]
    of_word = np.array([-1 if word is None else word for word in words])[tokens]
    joined = np.zeros(len(tokens), dtype=bool)
    joined[1:] = (of_word[1:] == of_word[:-1]) & (of_word[1:] >= 0) & in_word[begins[1:]] & in_word[begins[1:] - 1]
    heads = np.flatnonzero(~joined)
    last = np.append(heads[1:], len(tokens)) - 1
    starts, whole = starts.copy(), ends.copy()
    starts[tokens[joined]] = ends[tokens[joined]]
    whole[tokens[heads]] = ends[tokens[last]]
    return starts, whole
