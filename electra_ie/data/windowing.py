"""Windows: texts as overlapping sequences of tokens that fit the encoder, with the gold of each window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

from electra_ie.data.bio import to_tags
from electra_ie.data.document import Document
from electra_ie.data.fields import IGNORED, Field, by_track, drop_overlapping
from electra_ie.data.token_offsets import ranges_of_tokens

CLOSERS = "」』”’）》】〉〕"
"""Closing quotes and brackets that belong to the sentence before them in scripts without blanks between sentences."""
SENTENCE_END = re.compile(rf"[.!?][\"')\]]*\s+|[。｡！？；؟؛۔।॥։።፧။។][{CLOSERS}]*|\n+")
"""Where a window preferably ends. A wrong match ("Dr. Who") costs some context, but loses no text or span.

The marks are those of Latin, Cyrillic, Greek and Hebrew script; of Chinese and Japanese; and of Arabic, Urdu, the Indic
scripts, Armenian, Ethiopic, Burmese and Khmer. Thai has none.
"""
MIN_ROOM = 4
"""Tokens of text that a window must have room for, besides the special tokens."""


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without white space at their edges; the text is cut at each `SENTENCE_END`."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    parts = (text[start:end].strip() for start, end in pairwise([0, *ends, len(text)]))
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Window:
    """A sequence of a document's tokens that the encoder reads at once.

    `ids` are the token ids without special tokens, and `offsets` the start and end of each in the document. The window
    owns the tokens `first` to `last` (exclusive); the tokens around them are context, and owned by another window. Each
    token of a document is owned by exactly one window. `weight` is 1 / number of windows, so that in losses on whole
    texts a long document weighs as much as a short one.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    first: int
    last: int
    weight: float

    @property
    def owned(self) -> tuple[tuple[int, int], ...]:
        """The offsets of the owned tokens."""
        return self.offsets[self.first : self.last]


class WindowTokenizer:
    """Splitter of texts into windows for one tokenizer.

    With `whole_words`, only the first token of a word is tagged, and gets the characters of the whole word. A word ends
    where the tokenizer pre-tokenizes the text, and where `scripts.continues_word` ends one: tokenizers of SentencePiece
    pre-tokenize at blanks only, so that `Ltd,` and a Chinese sentence would be one word.

    Args:
        tokenizer: a fast tokenizer of transformers, or another object with the `tokenizers.Tokenizer` of one as
            `backend_tokenizer`, and with `pad_token_id`.
        size: tokens of a window, including special tokens.
        context_overlap: tokens of context that a window includes beyond a cut within a sentence.
        whole_words: tag words instead of tokens.
    """

    def __init__(self, tokenizer: Any, size: int, context_overlap: int, whole_words: bool = False) -> None:
        self.tokenizer, self.size, self.whole_words = tokenizer, size, whole_words
        bare, full = self._encode("a").ids, self._encode("a", special=True).ids
        start = next(index for index in range(len(full)) if full[index : index + len(bare)] == bare)
        self.before, self.after = tuple(full[:start]), tuple(full[start + len(bare) :])
        self.room = size - len(self.before) - len(self.after)
        if self.room < MIN_ROOM:
            raise ValueError(f"a window of {size} tokens has {self.room} tokens for text; it needs at least {MIN_ROOM}")
        self.context_overlap = min(context_overlap, self.room // 4)

    def by_tokens(self) -> WindowTokenizer:
        """Return a splitter into the same windows that tags every token."""
        return WindowTokenizer(self.tokenizer, self.size, self.context_overlap)

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the token ids of a whole text, and the start and end of each token.

        The ranges do not overlap; they have no white space at their edges and include combining marks. A token without
        a character of its own (white space, the second part of one character) has an empty range.
        """
        encoded = self._encode(text)
        words = encoded.word_ids if self.whole_words else None
        return encoded.ids, ranges_of_tokens(text, encoded.offsets, words)

    def _encode(self, text: str, special: bool = False) -> Any:
        """Return the `tokenizers.Encoding` of a text, never truncated or padded.

        A tokenizer.json may ask for truncation and padding, and transformers sets both when it is called.
        """
        backend = self.tokenizer.backend_tokenizer
        if backend.truncation is not None:
            backend.no_truncation()
        if backend.padding is not None:
            backend.no_padding()
        return backend.encode(text, add_special_tokens=special)

    def __call__(self, text: str) -> list[Window]:
        """Return the windows of a text: at least one, also for an empty text."""
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
        """Yield consecutive token ranges, each to the last sentence end that fits, else to a word within a sentence."""
        start = 0
        while True:
            most = start + self.room - self._lead(text, offsets, start)
            if most >= len(offsets):
                yield start, len(offsets)
                return
            # Not before the middle: the tokens of a short window would have too little context.
            ends = (end for end in range(most, (start + most) // 2, -1) if self._ends_sentence(text, offsets, end))
            end = next(ends, None) or self._word_start(offsets, most - self.context_overlap, start)
            yield start, end
            start = end

    def _lead(self, text: str, offsets: Sequence[tuple[int, int]], cut: int) -> int:
        """Return the number of context tokens beyond a cut: none at the end of a sentence or of the text."""
        inside = 0 < cut < len(offsets) and not self._ends_sentence(text, offsets, cut)
        return self.context_overlap if inside else 0

    @staticmethod
    def _ends_sentence(text: str, offsets: Sequence[tuple[int, int]], end: int) -> bool:
        """Return whether a sentence ends between the tokens `end - 1` and `end`."""
        begin, after = max(offsets[end - 1][1] - 1, 0), offsets[end][0]
        match = SENTENCE_END.search(text, begin, max(after, begin))
        # A mark of the end is followed by its closing quotes, which are the next tokens.
        return match is not None and (match[0][-1].isspace() or text[after : after + 1] not in tuple(CLOSERS))

    @staticmethod
    def _word_start(offsets: Sequence[tuple[int, int]], end: int, start: int) -> int:
        """Return the last token up to `end`, in the second half of the window, that begins a word; else `end`."""
        tokens = range(end, (start + end) // 2, -1)
        return next((token for token in tokens if offsets[token - 1][1] < offsets[token][0]), end)


def window_starts(windows: Sequence[Window], visible: bool = False) -> list[int]:
    """Return the number of owned tokens before each window, in order. visible: count those with characters only."""
    sizes = [sum(start < end for start, end in window.owned) if visible else len(window.owned) for window in windows]
    return list(accumulate(sizes, initial=0))[:-1]


def document_indices(windows: Sequence[LabeledWindow]) -> list[int]:
    """Return the index of the document of each window, for the consecutive windows of complete documents."""
    indices: list[int] = []
    while len(indices) < len(windows):
        document = indices[-1] + 1 if indices else 0
        indices += [document] * round(1 / windows[len(indices)].window.weight)
    return indices


@dataclass(frozen=True, slots=True)
class LabeledWindow:
    """A window with the gold of each known field as ids.

    spans: a tag id for each token of the window (`IGNORED` for context), or with tracks a tuple of them, one for each
    track. classes: one id. flags: K zeros and ones.
    """

    window: Window
    gold: Mapping[str, Sequence[int] | int | Sequence[float]]


def label(document: Document, windows: Sequence[Window], fields: Sequence[Field]) -> list[LabeledWindow]:
    """Return the windows of a document with its gold. All windows of a long text have the text's classes and flags."""
    gold = {field.name: _gold(document, windows, field) for field in fields if field.name in document.gold}
    return [
        LabeledWindow(window, {name: values[index] for name, values in gold.items()})
        for index, window in enumerate(windows)
    ]


def _gold(
    document: Document, windows: Sequence[Window], field: Field
) -> Sequence[Sequence[int] | int | Sequence[float]]:
    """Return the gold of one field for each window."""
    value = document.gold[field.name]
    if field.kind == "classes":
        return [field.labels.index(value)] * len(windows)
    if field.kind == "flags":
        return [[float(name in value) for name in field.labels]] * len(windows)
    # Tagged over the whole document: a span that continues in the next window continues there with I- tags.
    offsets = [offset for window in windows for offset in window.owned]
    tags: Iterator[Any]
    if field.has_tracks:
        starts = window_starts(windows)
        tags = zip(*(to_tags(track, spans, offsets, starts) for track, spans, _ in by_track(field, value)), strict=True)
        unknown: Any = (IGNORED,) * len(field.tracks)
    else:
        tags, unknown = iter(to_tags(field, drop_overlapping(value)[0], offsets)), IGNORED
    gold = []
    for window in windows:
        own = list(islice(tags, window.last - window.first))
        gold.append([unknown] * window.first + own + [unknown] * (len(window.ids) - window.last))
    return gold
