"""Texts -> windows of tokens with character offsets -> batches. No character and no gold span is left out."""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from transformers import PreTrainedTokenizerBase

from electra_ie.document import Document
from electra_ie.labels import IGNORED, Field, flatten, to_tags
from electra_ie.scripts import continues_word

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


class Windows:
    """Cuts texts into windows for one tokenizer: `size` tokens, special tokens included; `margin` tokens of context.

    With `whole_words` only the first token of a word is judged, and stands for all its characters. A word ends where
    the tokenizer splits a text before it looks at its vocabulary, and where `scripts.continues_word` ends one:
    tokenizers of SentencePiece split at blanks alone, which would make one word of `Ltd,` and of a Chinese sentence.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int, margin: int, whole_words: bool = False):
        self.tokenizer, self.size, self.whole_words = tokenizer, size, whole_words
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        full = tokenizer("a")["input_ids"]
        at = next(place for place in range(len(full)) if full[place : place + len(bare)] == bare)
        self.before, self.after = tuple(full[:at]), tuple(full[at + len(bare) :])
        self.room = size - len(self.before) - len(self.after)
        if self.room < 4:
            raise ValueError(f"a window of {size} tokens leaves {self.room} for text; it needs at least 4")
        self.margin = min(margin, self.room // 4)

    def by_tokens(self) -> Windows:
        """The same windows with every token judged."""
        return Windows(self.tokenizer, self.size, self.margin)

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
            end = next(ends, None) or self._word_start(offsets, most - self.margin, start)
            yield start, end
            start = end

    def _lead(self, text: str, offsets: Sequence[tuple[int, int]], cut: int) -> int:
        """Tokens of context that a window takes from beyond a cut: none at the end of a sentence or of the text."""
        inside = 0 < cut < len(offsets) and not self._ends_sentence(text, offsets, cut)
        return self.margin if inside else 0

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
class Labelled:
    """A window and the gold of each field as ids; a field that is not there is unknown.

    spans: a tag id for each token of the window (`IGNORED` for context); classes: one id; flags: K zeros and ones.
    """

    window: Window
    gold: Mapping[str, Sequence[int] | int | Sequence[float]]


def label(document: Document, windows: Sequence[Window], fields: Sequence[Field]) -> list[Labelled]:
    """The windows of a document with its gold. Each window of a long text bears the text's classes and flags."""
    gold = {field.name: _gold(document, windows, field) for field in fields if field.name in document.gold}
    return [
        Labelled(window, {name: values[number] for name, values in gold.items()})
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
    tags = iter(to_tags(field, flatten(value)[0], [offset for window in windows for offset in window.owned]))
    gold = []
    for window in windows:
        own = list(islice(tags, window.last - window.first))
        gold.append([IGNORED] * window.first + own + [IGNORED] * (len(window.ids) - window.last))
    return gold


def known_rows(labels: torch.Tensor) -> torch.Tensor:
    """Labels of a field as in `Batch` -> (B,) boolean: is anything known of the row?"""
    return (labels != IGNORED).flatten(1).any(1) if labels.dim() > 1 else labels != IGNORED


@dataclass
class Batch:
    """B windows, padded to L tokens.

    input_ids, attention_mask: (B, L). owned: (B, L), true where a token is judged: of the window's own, not special.
    labels: for each field (B, L) tags, (B,) classes or (B, K) flags, `IGNORED` where unknown. share: (B,), what a
    window weighs where a whole text is judged. places: (B,), the row's number in the global batch.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    owned: torch.Tensor
    labels: dict[str, torch.Tensor]
    share: torch.Tensor
    places: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        labels = {name: value.to(device) for name, value in self.labels.items()}
        tensors = (self.input_ids, self.attention_mask, self.owned, self.share, self.places)
        ids, mask, owned, share, places = (each.to(device) for each in tensors)
        return Batch(ids, mask, owned, labels, share, places)

    def known(self) -> torch.Tensor:
        """(B,) boolean: is anything known of the row?"""
        found = torch.zeros(len(self.input_ids), dtype=torch.bool, device=self.input_ids.device)
        for value in self.labels.values():
            found |= known_rows(value)
        return found

    def rows(self, chosen: torch.Tensor) -> Batch:
        """The rows that are chosen, (B,) boolean, without the padding that only others needed."""
        length = int(self.attention_mask[chosen].sum(1).amax()) if chosen.any() else self.input_ids.shape[1]
        labels = {
            name: value[chosen, :length] if value.dim() > 1 and not value.is_floating_point() else value[chosen]
            for name, value in self.labels.items()
        }
        ids, mask, owned = (each[chosen, :length] for each in (self.input_ids, self.attention_mask, self.owned))
        return Batch(ids, mask, owned, labels, self.share[chosen], self.places[chosen])


def collate(rows: Sequence[Labelled], cutter: Windows, fields: Sequence[Field], places: Sequence[int] = ()) -> Batch:
    """Pad windows into a batch. Padding is masked: it changes no answer."""
    before, after = len(cutter.before), len(cutter.after)
    length = max(len(row.window.ids) for row in rows) + before + after
    pad = cutter.tokenizer.pad_token_id or 0
    ids = torch.full((len(rows), length), pad)
    mask, owned = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for number, row in enumerate(rows):
        tokens = (*cutter.before, *row.window.ids, *cutter.after)
        ids[number, : len(tokens)] = torch.tensor(tokens)
        mask[number, : len(tokens)] = 1
        seen = [start < end for start, end in row.window.owned]
        first = before + row.window.first
        owned[number, first : first + len(seen)] = torch.tensor(seen, dtype=torch.bool)
    labels = {field.name: _stack(rows, field, before, length) for field in fields}
    share = torch.tensor([row.window.share for row in rows])
    return Batch(ids, mask, owned, labels, share, torch.tensor(list(places) or range(len(rows))))


def in_batches(
    rows: Sequence[Labelled], size: int, cutter: Windows, fields: Sequence[Field]
) -> Iterator[tuple[list[int], Batch]]:
    """All rows, `size` at once, windows of like length together: a batch, and which of the rows are in it."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place].window.ids))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield places, collate([rows[place] for place in places], cutter, fields)


def _stack(rows: Sequence[Labelled], field: Field, before: int, length: int) -> torch.Tensor:
    values = [row.gold.get(field.name) for row in rows]
    if field.kind == "classes":
        return torch.tensor([IGNORED if value is None else value for value in values])
    if field.kind == "flags":
        unknown = [float(IGNORED)] * len(field.labels)
        return torch.tensor([unknown if value is None else value for value in values])
    tags = torch.full((len(rows), length), IGNORED)
    for number, value in enumerate(values):
        if value is not None:
            tags[number, before : before + len(value)] = torch.tensor(value)  # type: ignore[arg-type]
    return tags


class Batches:
    """Batch number n of a run: a pure function of the seed and n, so that a resumed run reads what it would have read.

    Labelled windows come first in a batch, unlabelled ones behind them. Of each global batch a process collates
    its own rows: every `processes`-th, so that each gets its part of both.
    """

    def __init__(
        self,
        labelled: Sequence[Labelled],
        unlabelled: Sequence[Labelled],
        sizes: tuple[int, int],
        cutter: Windows,
        fields: Sequence[Field],
        seed: int,
        process: int = 0,
        processes: int = 1,
    ):
        self.cutter, self.fields = cutter, fields
        self.process, self.processes = process, processes
        self.known = _Deck(labelled, sizes[0], f"labelled {seed}")
        self.pool = _Deck(unlabelled, sizes[1], f"unlabelled {seed}")

    def __getitem__(self, number: int) -> Batch:
        rows = [*enumerate(self.known[number])]
        rows += [*enumerate(self.pool[number], start=len(rows))]
        mine = rows[self.process :: self.processes]
        return collate([row for _, row in mine], self.cutter, self.fields, [place for place, _ in mine])


class _Deck:
    """Endless batches of `size` from `rows`, each epoch in a new order, windows of like length together.

    Within runs of up to eight batches, and of no more than an eighth of the epoch, the windows are sorted by length:
    it saves padding and leaves the draw random. (Sorting a whole small epoch would make the same batches each time.)
    A batch that the rows do not fill is filled from the epoch's beginning, so that all have one size.
    """

    def __init__(self, rows: Sequence[Labelled], size: int, seed: str):
        self.rows, self.size, self.seed = rows, size if rows else 0, seed
        self.batches = math.ceil(len(rows) / size) if rows and size else 1
        self.epoch = -1

    def __getitem__(self, number: int) -> list[Labelled]:
        if not self.size:
            return []
        epoch, place = divmod(number, self.batches)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, list(self._shuffle(epoch))
        return [self.rows[index] for index in self.order[place]]

    def _shuffle(self, epoch: int) -> Iterator[list[int]]:
        draw = random.Random(f"{self.seed} {epoch}")
        order = list(range(len(self.rows)))
        draw.shuffle(order)
        while len(order) < self.batches * self.size:
            order += order[: self.batches * self.size - len(order)]
        batches = []
        reach = max(1, min(8, self.batches // 8)) * self.size
        for start in range(0, len(order), reach):
            run = order[start : start + reach]
            if reach > self.size:
                run.sort(key=lambda index: len(self.rows[index].window.ids))
            batches += [run[place : place + self.size] for place in range(0, len(run), self.size)]
        draw.shuffle(batches)
        yield from batches
