"""Batches: windows padded and stacked to tensors, and the sampling of batches in training."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from electra_ie.common.errors import UserError, nearest
from electra_ie.data.fields import IGNORED, Field
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer


def known_rows(labels: torch.Tensor) -> torch.Tensor:
    """Return (B,) booleans from the labels of one field as in `Batch`: true for rows with at least one label."""
    return (labels != IGNORED).flatten(1).any(1) if labels.dim() > 1 else labels != IGNORED


@dataclass
class Batch:
    """B windows, padded to L tokens. `model(**batch)` passes its tensors to a discriminator or generator.

    Attributes:
        input_ids, attention_mask: (B, L).
        token_mask: (B, L), true for the tokens that are classified: owned by the window, with characters, not special.
        labels: By field, (B, L) tags, (B, L, N) tags of N tracks, (B,) classes or (B, K) flags, `IGNORED` if unknown.
        window_weight: (B,), the weight of a window in losses on whole texts.
        row_indices: (B,), the index of each row in the global batch, over all processes.
        teacher_probabilities: By field, (B, K), or (B, L, K) for spans (all tags of each track): the pseudo-labels of
            unlabeled rows, zero for labeled ones; None without pseudo-labels.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    token_mask: torch.Tensor
    labels: dict[str, torch.Tensor]
    window_weight: torch.Tensor
    row_indices: torch.Tensor
    teacher_probabilities: dict[str, torch.Tensor] | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        labels = {name: value.to(device) for name, value in self.labels.items()}
        tensors = (self.input_ids, self.attention_mask, self.token_mask, self.window_weight, self.row_indices)
        ids, mask, token_mask, weight, indices = (tensor.to(device) for tensor in tensors)
        probabilities = self.teacher_probabilities
        if probabilities is not None:
            probabilities = {name: value.to(device) for name, value in probabilities.items()}
        return Batch(ids, mask, token_mask, labels, weight, indices, probabilities)

    def keys(self) -> list[str]:
        """Return the names of the tensors, for `**batch`."""
        return list(self.__dataclass_fields__)

    def __getitem__(self, name: str) -> Any:
        """Return a tensor, or the labels by field."""
        return getattr(self, name)

    def known(self) -> torch.Tensor:
        """Return (B,) booleans: true for rows with a label of at least one field."""
        known = torch.zeros(len(self.input_ids), dtype=torch.bool, device=self.input_ids.device)
        for value in self.labels.values():
            known |= known_rows(value)
        return known

    def rows(self, chosen: torch.Tensor) -> Batch:
        """Return the rows where `chosen`, (B,) booleans, is true, padded only to the longest of them."""
        length = int(self.attention_mask[chosen].sum(1).amax()) if chosen.any() else self.input_ids.shape[1]
        labels = {
            name: value[chosen, :length] if value.dim() > 1 and not value.is_floating_point() else value[chosen]
            for name, value in self.labels.items()
        }
        tensors = (self.input_ids, self.attention_mask, self.token_mask)
        ids, mask, token_mask = (tensor[chosen, :length] for tensor in tensors)
        probabilities = self.teacher_probabilities
        if probabilities is not None:
            probabilities = {
                name: value[chosen, :length] if value.dim() > self.input_ids.dim() else value[chosen]
                for name, value in probabilities.items()
            }
        weight, indices = self.window_weight[chosen], self.row_indices[chosen]
        return Batch(ids, mask, token_mask, labels, weight, indices, probabilities)


def batch_of_tensors(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    labels: Mapping[str, torch.Tensor] | None = None,
    token_mask: torch.Tensor | None = None,
    window_weight: torch.Tensor | None = None,
    row_indices: torch.Tensor | None = None,
    teacher_probabilities: dict[str, torch.Tensor] | None = None,
    fields: Sequence[Field] = (),
) -> Batch:
    """Return a batch of these tensors, with defaults for those that are None.

    By default no token is padding, all tokens that are not padding are classified, each row has the weight 1, and the
    labels of fields that `labels` lacks are unknown.

    Raises:
        UserError: labels are for a field that is not in `fields`, or have another shape.
    """
    rows, device = len(input_ids), input_ids.device
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    if token_mask is None:
        token_mask = attention_mask.bool()
    if window_weight is None:
        window_weight = torch.ones(rows, device=device)
    if row_indices is None:
        row_indices = torch.arange(rows, device=device)
    if labels is not None and not isinstance(labels, Mapping):
        raise UserError("labels are not a mapping.", remedy="Give a dict with the labels of each field by its name.")
    labels = dict(labels or {})
    names = [field.name for field in fields]
    for name in labels if fields else ():
        if name not in names:
            raise UserError(f'there are labels for the unknown field "{name}".', remedy=nearest(name, names))
    for field in fields:
        shape, dtype = _labels_like(field, input_ids)
        if field.name in labels:
            labels[field.name] = _checked_labels(field, labels[field.name], shape, dtype)
        else:
            labels[field.name] = torch.full(shape, IGNORED, dtype=dtype, device=device)
    return Batch(input_ids, attention_mask, token_mask, labels, window_weight, row_indices, teacher_probabilities)


def _checked_labels(field: Field, labels: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return the labels of one field with this type. Raises UserError if they have another shape."""
    actual = tuple(labels.shape) if isinstance(labels, torch.Tensor) else type(labels).__name__
    if actual != shape:
        message = f"the labels of the field {field.name} ({field.kind}) are {actual}, not {shape}."
        remedy = "Give class ids (B,), zeros and ones for flags (B, K), or BIO ids for spans (B, L)."
        raise UserError(message, remedy=remedy)
    return labels.to(dtype)


def _labels_like(field: Field, input_ids: torch.Tensor) -> tuple[tuple[int, ...], torch.dtype]:
    """Return the shape and type that the labels of a field have for `input_ids` (B, L)."""
    rows, length = input_ids.shape
    if field.kind == "spans":
        return (rows, length, *_tracks(field)), torch.long
    return ((rows, len(field.labels)), torch.float32) if field.kind == "flags" else ((rows,), torch.long)


def collate(
    rows: Sequence[LabeledWindow], windower: WindowTokenizer, fields: Sequence[Field], row_indices: Sequence[int] = ()
) -> Batch:
    """Pad windows into a batch.

    Args:
        rows: the windows.
        windower: the window tokenizer that made them.
        fields: the fields whose labels are stacked.
        row_indices: the index of each row in the global batch; by default 0, 1, ...
    """
    before, after = len(windower.before), len(windower.after)
    length = max(len(row.window.ids) for row in rows) + before + after
    pad = windower.tokenizer.pad_token_id or 0
    ids = torch.full((len(rows), length), pad)
    mask, token_mask = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for index, row in enumerate(rows):
        tokens = (*windower.before, *row.window.ids, *windower.after)
        ids[index, : len(tokens)] = torch.tensor(tokens)
        mask[index, : len(tokens)] = 1
        tagged = [start < end for start, end in row.window.owned]
        first = before + row.window.first
        token_mask[index, first : first + len(tagged)] = torch.tensor(tagged, dtype=torch.bool)
    labels = {field.name: _stack(rows, field, before, length) for field in fields}
    weight = torch.tensor([row.window.weight for row in rows])
    return Batch(ids, mask, token_mask, labels, weight, torch.tensor(list(row_indices) or range(len(rows))))


def in_batches(
    rows: Sequence[LabeledWindow], size: int, windower: WindowTokenizer, fields: Sequence[Field]
) -> Iterator[tuple[list[int], Batch]]:
    """Yield all rows in batches of `size`, sorted by length, each with the indices of its rows."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].window.ids))
    for start in range(0, len(order), size):
        indices = order[start : start + size]
        yield indices, collate([rows[index] for index in indices], windower, fields)


def _stack(rows: Sequence[LabeledWindow], field: Field, before: int, length: int) -> torch.Tensor:
    """Return the labels of one field as in `Batch`; `before` is the number of special tokens before the text."""
    values = [row.gold.get(field.name) for row in rows]
    if field.kind == "classes":
        return torch.tensor([IGNORED if value is None else value for value in values])
    if field.kind == "flags":
        unknown = [float(IGNORED)] * len(field.labels)
        return torch.tensor([unknown if value is None else value for value in values])
    tags = torch.full((len(rows), length, *_tracks(field)), IGNORED)
    for index, value in enumerate(values):
        if value is not None:
            ids = cast(Sequence[int], value)
            own = torch.tensor(ids, dtype=torch.long).view(len(ids), *_tracks(field))  # also of a text without tokens
            tags[index, before : before + len(ids)] = own
    return tags


def _tracks(field: Field) -> tuple[int, ...]:
    """Return the last dimension of the tags of a field: none, or the number of its tracks."""
    return (len(field.tracks),) if field.has_tracks else ()


class Batches:
    """The batches of a run: batch n is a function of the seed and n, so that a resumed run reads the same batches.

    In a global batch, labeled windows come before unlabeled ones. Each process collates every `processes`-th row, so
    that each has its part of both.

    Args:
        labeled, unlabeled: the windows.
        sizes: labeled and unlabeled windows in a global batch.
        windower: the window tokenizer.
        fields: the fields.
        seed: the seed of the order of the windows.
        process, processes: the index of this process, and the number of processes.

    Attributes:
        pseudo_labels: By field, the probabilities of each unlabeled window, (K,), or (L, K) for spans. None, the
            default, without a teacher.
    """

    pseudo_labels: Sequence[Mapping[str, torch.Tensor]] | None = None

    def __init__(
        self,
        labeled: Sequence[LabeledWindow],
        unlabeled: Sequence[LabeledWindow],
        sizes: tuple[int, int],
        windower: WindowTokenizer,
        fields: Sequence[Field],
        seed: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.windower, self.fields = windower, fields
        self.process, self.processes = process, processes
        # The spelling of these seeds decides the order of the windows, and so the trained weights: do not change it.
        self.known = _LengthGroupedSampler(labeled, sizes[0], f"labelled {seed}")
        self.pool = _LengthGroupedSampler(unlabeled, sizes[1], f"unlabelled {seed}")

    def __getitem__(self, index: int) -> Batch:
        labeled, unlabeled = self.known[index], self.pool[index]
        rows = [self.known.rows[row] for row in labeled] + [self.pool.rows[row] for row in unlabeled]
        local = range(self.process, len(rows), self.processes)
        batch = collate([rows[position] for position in local], self.windower, self.fields, local)
        if self.pseudo_labels is not None:
            positions = [position - len(labeled) for position in local if position >= len(labeled)]
            targets = [self.pseudo_labels[unlabeled[position]] for position in positions]
            batch.teacher_probabilities = _stack_pseudo_labels(targets, batch)
        return batch


def _stack_pseudo_labels(targets: Sequence[Mapping[str, torch.Tensor]], batch: Batch) -> dict[str, torch.Tensor] | None:
    """Return the pseudo-labels of the last rows of a batch, padded with zeros as in `Batch`; None without rows."""
    if not targets:
        return None
    rows, length = batch.input_ids.shape
    stacked = {}
    for name, first in targets[0].items():
        shape = (rows, length, first.shape[-1]) if first.dim() > 1 else (rows, first.shape[-1])
        stacked[name] = first.new_zeros(shape)
        for row, target in enumerate(targets, start=rows - len(targets)):
            values = target[name]
            stacked[name][row, : len(values)] = values
    return stacked


class _LengthGroupedSampler:
    """Sampler of endless batches of `size` rows, in a new order each epoch, with windows of similar length together.

    The shuffled windows are sorted by length within chunks of at most eight batches, and at most half of the epoch.
    This saves padding, which would be half of a batch of a hundred labeled sentences, and batches stay random: sorting
    a whole small epoch would make the same batches each time. The last batch of an epoch is filled up with its first
    rows, so that all batches have the same size.
    """

    def __init__(self, rows: Sequence[LabeledWindow], size: int, seed: str) -> None:
        self.rows, self.size, self.seed = rows, size if rows else 0, seed
        self.batches = math.ceil(len(rows) / size) if rows and size else 1
        self.epoch = -1

    def __getitem__(self, index: int) -> list[int]:
        """Return the indices of the rows of a batch."""
        if not self.size:
            return []
        epoch, batch = divmod(index, self.batches)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, list(self._shuffle(epoch))
        return self.order[batch]

    def _shuffle(self, epoch: int) -> Iterator[list[int]]:
        """Yield the row indices of each batch of an epoch."""
        generator = random.Random(f"{self.seed} {epoch}")
        order = list(range(len(self.rows)))
        generator.shuffle(order)
        while len(order) < self.batches * self.size:
            order += order[: self.batches * self.size - len(order)]
        batches = []
        chunk_size = max(1, min(8, self.batches // 2)) * self.size
        for start in range(0, len(order), chunk_size):
            chunk = order[start : start + chunk_size]
            if chunk_size > self.size:
                chunk.sort(key=lambda row: len(self.rows[row].window.ids))
            batches += [chunk[first : first + self.size] for first in range(0, len(chunk), self.size)]
        generator.shuffle(batches)
        yield from batches
