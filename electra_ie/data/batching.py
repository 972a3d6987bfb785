"""Texts -> windows of tokens with character offsets -> batches. No character and no gold span is left out."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer


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


def collate(
    rows: Sequence[LabeledWindow], windower: WindowTokenizer, fields: Sequence[Field], places: Sequence[int] = ()
) -> Batch:
    """Pad windows into a batch. Padding is masked: it changes no answer."""
    before, after = len(windower.before), len(windower.after)
    length = max(len(row.window.ids) for row in rows) + before + after
    pad = windower.tokenizer.pad_token_id or 0
    ids = torch.full((len(rows), length), pad)
    mask, owned = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for number, row in enumerate(rows):
        tokens = (*windower.before, *row.window.ids, *windower.after)
        ids[number, : len(tokens)] = torch.tensor(tokens)
        mask[number, : len(tokens)] = 1
        seen = [start < end for start, end in row.window.owned]
        first = before + row.window.first
        owned[number, first : first + len(seen)] = torch.tensor(seen, dtype=torch.bool)
    labels = {field.name: _stack(rows, field, before, length) for field in fields}
    share = torch.tensor([row.window.share for row in rows])
    return Batch(ids, mask, owned, labels, share, torch.tensor(list(places) or range(len(rows))))


def in_batches(
    rows: Sequence[LabeledWindow], size: int, windower: WindowTokenizer, fields: Sequence[Field]
) -> Iterator[tuple[list[int], Batch]]:
    """All rows, `size` at once, windows of like length together: a batch, and which of the rows are in it."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place].window.ids))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield places, collate([rows[place] for place in places], windower, fields)


def _stack(rows: Sequence[LabeledWindow], field: Field, before: int, length: int) -> torch.Tensor:
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
        labelled: Sequence[LabeledWindow],
        unlabelled: Sequence[LabeledWindow],
        sizes: tuple[int, int],
        windower: WindowTokenizer,
        fields: Sequence[Field],
        seed: int,
        process: int = 0,
        processes: int = 1,
    ):
        self.windower, self.fields = windower, fields
        self.process, self.processes = process, processes
        self.known = _LengthGroupedSampler(labelled, sizes[0], f"labelled {seed}")
        self.pool = _LengthGroupedSampler(unlabelled, sizes[1], f"unlabelled {seed}")

    def __getitem__(self, number: int) -> Batch:
        rows = [*enumerate(self.known[number])]
        rows += [*enumerate(self.pool[number], start=len(rows))]
        mine = rows[self.process :: self.processes]
        return collate([row for _, row in mine], self.windower, self.fields, [place for place, _ in mine])


class _LengthGroupedSampler:
    """Endless batches of `size` from `rows`, each epoch in a new order, windows of like length together.

    Within runs of up to eight batches, and of no more than an eighth of the epoch, the windows are sorted by length:
    it saves padding and leaves the draw random. (Sorting a whole small epoch would make the same batches each time.)
    A batch that the rows do not fill is filled from the epoch's beginning, so that all have one size.
    """

    def __init__(self, rows: Sequence[LabeledWindow], size: int, seed: str):
        self.rows, self.size, self.seed = rows, size if rows else 0, seed
        self.batches = math.ceil(len(rows) / size) if rows and size else 1
        self.epoch = -1

    def __getitem__(self, number: int) -> list[LabeledWindow]:
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
