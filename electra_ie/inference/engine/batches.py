"""Batches: which windows share a forward pass, in groups of one length each or padded to the longest.

A CPU takes groups of windows of one length. Nothing is padded, and what is computed for a window does not depend on
the others: a sum over padded positions would be added in another order. A GPU chooses its algorithms by the size of a
batch and needs large ones: there, windows of similar length are padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from electra_ie.data.windowing import Window, WindowTokenizer

Group = tuple[np.ndarray, np.ndarray]
"""Token ids and attention mask of B windows, (B, L) each, special tokens included."""


def plan(lengths: Sequence[int], tokens: int, equal: bool) -> list[list[list[int]]]:
    """Return the batches, the longest windows first: each is a list of groups, each a list of indices.

    Args:
        lengths: the tokens of each window, special tokens included.
        tokens: tokens of a batch at most, padding included, unless it is a single window.
        equal: all windows of a group have the same length. Otherwise a batch is one group.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches = []
    start = 0
    while start < len(order):
        end = start + 1
        longest = room = lengths[order[start]]
        while end < len(order) and room + (size := lengths[order[end]] if equal else longest) <= tokens:
            end, room = end + 1, room + size
        batch = order[start:end]
        groups = groupby(batch, key=lengths.__getitem__)
        batches.append([list(group) for _, group in groups] if equal else [batch])
        start = end
    return batches


def pad(windows: Sequence[Window], windower: WindowTokenizer) -> Group:
    """Return the ids and the mask of windows, with the special tokens of each."""
    rows = [(*windower.before, *window.ids, *windower.after) for window in windows]
    ids = np.full((len(rows), max(map(len, rows))), windower.tokenizer.pad_token_id or 0, dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
