"""Lengths of the texts in tokens of the encoder, and characters that its tokenizer cannot read."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from electra_ie.checks.counts import Splits
from electra_ie.checks.issues import Issue, Place, are, counted
from electra_ie.data.document import Document
from electra_ie.data.windowing import WindowTokenizer

MAX_CHARACTERS = 10_000_000
"""Characters of a split that are tokenized: about ten seconds on one core. In larger splits every n-th document is."""
BATCH = 200
QUANTILES = (0.5, 0.9, 0.99)
MUCH_UNKNOWN = 0.01
"""The share of unknown tokens in a split above which they are a warning."""
LISTED = 20
"""Characters that an issue lists."""


@dataclass(frozen=True, slots=True)
class LengthCount:
    """The lengths of the documents of a split in tokens, without special tokens, and how many are cut into windows."""

    split: str
    documents: int
    median: int
    quantile_90: int
    quantile_99: int
    longest: int
    window: int
    cut: int


@dataclass
class _Unread:
    """Characters of a split that the tokenizer cannot read: their counts, and the first place of each."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, character: str, document: int, offset: int) -> None:
        self.counts[character] += 1
        self.first.setdefault(character, (document, offset))


class TokenCounts:
    """The tokens of a split: the length of each document, and what the tokenizer cannot read in it.

    Attributes:
        documents: The documents that are tokenized.
        lengths: The number of tokens of each, without special tokens.
        unknown: Characters whose token is the unknown one.
        dropped: Characters that are in no token; white space and accents that lower-casing removes are not counted.
        unknown_tokens: The number of unknown tokens.
    """

    def __init__(self, documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase) -> None:
        characters = sum(len(document.text) for document in documents)
        self.documents = documents[:: max(1, -(-characters // MAX_CHARACTERS))]
        self.tokenizer, self.lengths = tokenizer, [0] * 0
        self.unknown, self.dropped, self.unknown_tokens = _Unread(), _Unread(), 0
        self._is_unknown: dict[str, bool] = {}
        for start in range(0, len(self.documents), BATCH):
            texts = [document.text for document in self.documents[start : start + BATCH]]
            encoded: Any = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
            for index, (ids, offsets) in enumerate(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)):
                self.lengths.append(len(ids))
                self._read(start + index, texts[index], ids, offsets)

    def _read(self, document: int, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> None:
        """Add the unread characters of a document."""
        unknown = self.tokenizer.unk_token_id
        end = 0
        for token, (first, last) in zip(ids, offsets, strict=True):
            self._add_dropped(document, text, end, first)
            end = max(end, last)
            if token == unknown and unknown is not None:
                self.unknown_tokens += 1
                for offset in range(first, last):
                    if self._unknown_alone(text[offset]):
                        self.unknown.add(text[offset], document, offset)
        self._add_dropped(document, text, end, len(text))

    def _add_dropped(self, document: int, text: str, start: int, end: int) -> None:
        for offset in range(start, end):
            if not text[offset].isspace() and not _is_accent(text, offset):
                self.dropped.add(text[offset], document, offset)

    def _unknown_alone(self, character: str) -> bool:
        """Return whether a character alone is the unknown token: one that makes the whole word unknown."""
        if character not in self._is_unknown:
            ids = self.tokenizer(character, add_special_tokens=False, verbose=False)["input_ids"]
            self._is_unknown[character] = self.tokenizer.unk_token_id in ids
        return self._is_unknown[character]

    @cached_property
    def total(self) -> int:
        """The number of tokens."""
        return sum(self.lengths)


def _is_accent(text: str, offset: int) -> bool:
    """Return whether a character is an accent that could also be written as one character with the letter before it."""
    if not unicodedata.combining(text[offset]):
        return False
    base = next((text[index] for index in range(offset - 1, -1, -1) if not unicodedata.combining(text[index])), "")
    return len(unicodedata.normalize("NFC", base + text[offset])) == 1


def count_tokens(splits: Splits, tokenizer: PreTrainedTokenizerBase) -> dict[str, TokenCounts]:
    """Return the tokens of each split."""
    return {split: TokenCounts(documents, tokenizer) for split, documents in splits.items()}


def count_lengths(tokens: dict[str, TokenCounts], windower: WindowTokenizer) -> list[LengthCount]:
    """Return the lengths of each split. A document longer than a window is cut into several; nothing is lost."""
    rows = []
    for split, counts in tokens.items():
        if counts.lengths:
            quantiles = np.quantile(counts.lengths, QUANTILES, method="inverted_cdf").astype(int).tolist()
            cut = sum(length > windower.room for length in counts.lengths)
            median, most, nearly_all = quantiles
            size, longest = len(counts.lengths), max(counts.lengths)
            rows.append(LengthCount(split, size, median, most, nearly_all, longest, windower.size, cut))
    return rows


def long_texts(lengths: Sequence[LengthCount]) -> Iterator[Issue]:
    """Yield an issue for each split in which documents are longer than a window."""
    for row in lengths:
        if row.cut:
            of = f"{row.cut:,} of {counted(row.documents, 'document')} of {row.split}"
            message = (
                f"{of} {are(row.cut)} longer than a window of {row.window} tokens and cut into several; the longest "
                f"has {row.longest:,}."
            )
            yield Issue("long_texts", "note", message, row.cut, row.documents, (), row.split)


def unread_characters(tokens: dict[str, TokenCounts]) -> Iterator[Issue]:
    """Yield an issue for each split with characters that the tokenizer does not know, or leaves out."""
    for split, counts in tokens.items():
        if counts.unknown_tokens:
            share = counts.unknown_tokens / counts.total
            of = f"{counts.unknown_tokens:,} of {counted(counts.total, 'token')} of {split} ({share:.2%})"
            verb, characters = are(counts.unknown_tokens), _listed(counts.unknown.counts)
            message = f"{of} {verb} unknown to the encoder, because of {characters}."
            yield Issue(
                "unknown_characters", "warning" if share > MUCH_UNKNOWN else "note", message, counts.unknown_tokens,
                counts.total, _places(split, counts, counts.unknown), split,
            )  # fmt: skip
        if dropped := counts.dropped.counts.total():
            size = sum(len(document.text) for document in counts.documents)
            of = f"{dropped:,} of {counted(size, 'character')} of {split}"
            message = f"{of} {are(dropped)} left out by the tokenizer: {_listed(counts.dropped.counts)}."
            places = _places(split, counts, counts.dropped)
            yield Issue("dropped_characters", "note", message, dropped, size, places, split)


def _listed(counts: Counter[str], shown: int = 3) -> str:
    """Return the most frequent characters by code point and name, with their counts."""
    names = [f"{_code(character)} {_name(character)} ({count:,})" for character, count in _ranked(counts)[:shown]]
    more = len(counts) - shown
    return (", ".join(names) or "words that are too long") + (f" and {more:,} more" if more > 0 else "")


def _places(split: str, counts: TokenCounts, unread: _Unread) -> list[Place]:
    places = []
    for character, count in _ranked(unread.counts)[:LISTED]:
        document, offset = unread.first[character]
        details = {"character": _code(character), "name": _name(character), "count": count}
        places.append(Place.of(split, counts.documents[document], offset, offset + 1, **details))
    return places


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _name(character: str) -> str:
    return unicodedata.name(character, "control or unassigned").lower()
