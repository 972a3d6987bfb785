"""Texts -> windows of tokens, and the gold of each window."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from transformers import PreTrainedTokenizerBase

from electra_ie.data.bio import to_tags
from electra_ie.data.document import Document
from electra_ie.data.fields import IGNORED, Field, drop_overlapping
from electra_ie.data.scripts import continues_word

SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+|[。！？；]|\n+")
"""Where a window should end rather than elsewhere. A wrong guess ("Dr. Who") costs context, never correctness."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a document's tokens that the encoder reads at once.

    `ids` are its token ids without special tokens and `offsets` their characters in the document. The tokens
    `first` to `last` (exclusive) are its own; those around them are context that another window owns.
    Over the windows of a document every token is owned exactly once. `share` is 1 / number of windows.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    first: int
    last: int
    share: float

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        return self.offsets[self.first : self.last]


class WindowTokenizer:
    """Cuts texts into windows for one tokenizer: `size` tokens, special tokens included; `margin` tokens of context.

    With `whole_words` only the first token of a word is judged, and stands for all its characters. A word ends where
    the tokenizer splits a text before it looks at its vocabulary, and where `scripts.continues_word` ends one:
    tokenizers of SentencePiece split at blanks alone, which would make one word of `Ltd,` and of a Chinese sentence.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int, context_overlap: int, whole_words: bool = False):
        self.tokenizer, self.size, self.whole_words = tokenizer, size, whole_words
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        full = tokenizer("a")["input_ids"]
        at = next(place for place in range(len(full)) if full[place : place + len(bare)] == bare)
        self.before, self.after = tuple(full[:at]), tuple(full[at + len(bare) :])
        self.room = size - len(self.before) - len(self.after)
        if self.room < 4:
            raise ValueError(f"a window of {size} tokens leaves {self.room} for text; it needs at least 4")
        self.context_overlap = min(context_overlap, self.room // 4)

    def by_tokens(self) -> WindowTokenizer:
        """The same windows with every token judged."""
        return WindowTokenizer(self.tokenizer, self.size, self.context_overlap)

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a whole text and the characters that each stands for, which no other does.

        They are without white space at the edges and with the marks that combine. A token that stands for no character
        of its own (white space, the second part of one character) has an empty range.
        """
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets = _disjoint(text, [_visible(text, start, end) for start, end in encoded["offset_mapping"]])
        return encoded["input_ids"], _by_word(text, offsets, encoded.word_ids()) if self.whole_words else offsets

    def __call__(self, text: str) -> list[Window]:
        """At least one window, also for an empty text."""
        ids, offsets = self.tokens(text)
        cuts = list(self._cuts(text, offsets))
        windows = []
        for start, end in cuts:
            left = start - self._lead(text, offsets, start)
            right = min(end + self._lead(text, offsets, end), len(ids))
            windows.append(
                Window(tuple(ids[left:right]), tuple(offsets[left:right]), start - left, end - left, 1 / len(cuts))
            )
        return windows

    def _cuts(self, text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Token ranges that follow one another: to the last end of a sentence that fits, else through the sentence."""
        start = 0
        while True:
            most = start + self.room - self._lead(text, offsets, start)
            if most >= len(offsets):
                yield start, len(offsets)
                return
            # Not before the middle: a window of a few tokens would judge them with too little around them.
            ends = (end for end in range(most, (start + most) // 2, -1) if self._ends_sentence(text, offsets, end))
            end = next(ends, None) or self._word_start(offsets, most - self.context_overlap, start)
            yield start, end
            start = end

    def _lead(self, text: str, offsets: Sequence[tuple[int, int]], cut: int) -> int:
        """Tokens of context that a window takes from beyond a cut: none at the end of a sentence or of the text."""
        inside = 0 < cut < len(offsets) and not self._ends_sentence(text, offsets, cut)
        return self.context_overlap if inside else 0

    @staticmethod
    def _ends_sentence(text: str, offsets: Sequence[tuple[int, int]], end: int) -> bool:
        """Does a sentence end between the tokens `end - 1` and `end`?"""
        begin = max(offsets[end - 1][1] - 1, 0)
        return SENTENCE_END.search(text, begin, max(offsets[end][0], begin)) is not None

    @staticmethod
    def _word_start(offsets: Sequence[tuple[int, int]], end: int, start: int) -> int:
        """The last place at or before `end`, in the second half of the window, where a word begins; else `end`."""
        places = range(end, (start + end) // 2, -1)
        return next((place for place in places if offsets[place - 1][1] < offsets[place][0]), end)


def _disjoint(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give every character to one token, so that tags and spans translate into each other without loss.

    Of tokens that begin at one character the first has them all, as the first token of a word is judged for the word:
    the lone mark of a word's start, to which SentencePiece tokenizers (XLM-R, CamemBERT, ALBERT) give the first
    character of the next token, and the first of the tokens into which byte-level vocabularies cut an emoji.
    """
    found: list[tuple[int, int]] = []
    last = -1  # the last token with characters
    for start, end in offsets:
        if last >= 0 and start < end:
            before, reach = found[last]
            if start == before and end > reach:
                found[last] = (before, end)
                start = end
            else:
                start, end = max(start, reach), max(end, reach)
                while start < end and text[start].isspace():
                    start += 1
        found.append((start, end))
        if start < end:
            last = len(found) - 1
    return found


def _by_word(text: str, offsets: Sequence[tuple[int, int]], words: Sequence[int | None]) -> list[tuple[int, int]]:
    """The first visible token of each word gets all the word's characters, the others get none."""
    merged: list[tuple[int, int]] = []
    first = word = None
    for place, (start, end) in enumerate(offsets):
        same = first is not None and word is not None and words[place] == word
        if first is not None and same and start < end and continues_word(text, start):
            merged[first] = (merged[first][0], end)
            merged.append((end, end))
            continue
        merged.append((start, end))
        if start < end:
            first, word = place, words[place]
    return merged


def _visible(text: str, start: int, end: int) -> tuple[int, int]:
    """Trim white space, which some tokenizers count in, and take in combining marks, which some drop."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    while start < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return start, end


@dataclass(frozen=True, slots=True)
class LabeledWindow:
    """A window and the gold of each field as ids; a field that is not there is unknown.

    spans: a tag id for each token of the window (`IGNORED` for context); classes: one id; flags: K zeros and ones.
    """

    window: Window
    gold: Mapping[str, Sequence[int] | int | Sequence[float]]


def label(document: Document, windows: Sequence[Window], fields: Sequence[Field]) -> list[LabeledWindow]:
    """The windows of a document with its gold. Each window of a long text bears the text's classes and flags."""
    gold = {field.name: _gold(document, windows, field) for field in fields if field.name in document.gold}
    return [
        LabeledWindow(window, {name: values[number] for name, values in gold.items()})
        for number, window in enumerate(windows)
    ]


def _gold(
    document: Document, windows: Sequence[Window], field: Field
) -> Sequence[Sequence[int] | int | Sequence[float]]:
    """The gold of each window."""
    value = document.gold[field.name]
    if field.kind == "classes":
        return [field.labels.index(value)] * len(windows)
    if field.kind == "flags":
        return [[float(name in value) for name in field.labels]] * len(windows)
    # Over the whole document, each token once: a span that goes on in another window is not a new one there.
    tags = iter(to_tags(field, drop_overlapping(value)[0], [offset for window in windows for offset in window.owned]))
    gold = []
    for window in windows:
        own = list(islice(tags, window.last - window.first))
        gold.append([IGNORED] * window.first + own + [IGNORED] * (len(window.ids) - window.last))
    return gold
