"""BIO tags: conversion from and to spans, and decoding of the best valid sequence (Viterbi)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from electra_ie.data.document import Span
from electra_ie.data.fields import IGNORED, TRACKS, Field


def to_tags(field: Field, spans: Iterable[Span], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """Return the tag id of each token, (T,).

    A token belongs to a span if they share a character. A token without characters (a special token, white space) gets
    `IGNORED`.

    Args:
        field: a field of spans.
        spans: spans that do not overlap (see `drop_overlapping`).
        offsets: start and end of each token.
    """
    ids = {name: id for id, name in enumerate(field.names)}
    tags = [0 if start < end else IGNORED for start, end in offsets]
    token = 0
    for span in sorted(spans):
        while token < len(offsets) and (offsets[token][1] <= span.start or tags[token] == IGNORED):
            token += 1
        prefix, cursor = "B", token
        while cursor < len(offsets) and (offsets[cursor][0] < span.end or tags[cursor] == IGNORED):
            if tags[cursor] == 0:
                tags[cursor] = ids[f"{prefix}-{span.label}"]
                prefix = "I"
            cursor += 1
    return tags


def to_spans(field: Field, tags: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[tuple[Span, list[int]]]:
    """Return the spans of valid BIO tags, each with the indices of its tokens. `IGNORED` tokens are skipped.

    Args:
        field: a field of spans.
        tags: the tag id of each token.
        offsets: start and end of each token; tokens do not overlap (see `WindowTokenizer.tokens`).
    """
    spans: list[tuple[Span, list[int]]] = []
    tokens: list[int] = []
    label = ""

    def close() -> None:
        if tokens:
            spans.append((Span(offsets[tokens[0]][0], offsets[tokens[-1]][1], label), list(tokens)))
            tokens.clear()

    for token, tag in enumerate(tags):
        if tag == IGNORED:
            continue
        prefix, _, name = field.names[tag].partition("-")
        if prefix != "I" or name != label:
            close()
        if prefix != "O":
            tokens.append(token)
        label = name
    close()
    return spans


def invalid_transitions(field: Field) -> np.ndarray:
    """Return (K, K) booleans, true where the tag of the column may not follow that of the row.

    `I-x` follows only `B-x` and `I-x`.
    """
    invalid = np.zeros((len(field.names), len(field.names)), dtype=bool)
    for after, name in enumerate(field.names):
        if name.startswith("I-"):
            invalid[:, after] = [before[2:] != name[2:] or before == "O" for before in field.names]
    return invalid


def viterbi(field: Field, logits: np.ndarray, breaks: Sequence[int] = ()) -> np.ndarray:
    """Return the valid tag ids with the highest sum of logits, (T,) (Viterbi 1967).

    Args:
        field: a field of spans.
        logits: (T, K).
        breaks: tokens at which no span may continue: the tags from there on are decoded as a sequence of their own.
    """
    greedy: np.ndarray = logits.argmax(axis=1)
    if len(greedy) == 0:
        return greedy
    invalid = invalid_transitions(field)
    inside = np.array([name.startswith("I-") for name in field.names])
    first = [0, *breaks]
    wrong = np.append(False, invalid[greedy[:-1], greedy[1:]])
    wrong[first] = inside[greedy[first]]
    # The greedy tags are usually valid; then they are the best valid ones, and the slow search is not needed.
    for start, end in pairwise([*first, len(greedy)]) if wrong.any() else ():
        if wrong[start:end].any():
            greedy[start:end] = _viterbi_sequence(logits[start:end], inside)
    return greedy


def _viterbi_sequence(logits: np.ndarray, inside: np.ndarray) -> list[int]:
    """Return the best tags of one sequence. inside: (K,), the tags that cannot be first.

    `B-x` comes before `I-x` in the tags of a field, and only these two may precede `I-x`. Python lists are several
    times as fast as arrays of a few tags.
    """
    first, *rows = logits.astype(np.float64).tolist()
    continuing = np.flatnonzero(inside).tolist()
    score = [-np.inf if is_inside else value for value, is_inside in zip(first, inside.tolist(), strict=True)]
    back: list[list[int]] = []
    for row in rows:
        best = max(score)
        before = [score.index(best)] * len(row)
        after = [value + best for value in row]
        for tag in continuing:
            before[tag] = tag if score[tag] > score[tag - 1] else tag - 1
            after[tag] = row[tag] + score[before[tag]]
        back.append(before)
        score = after
    tags = [score.index(max(score))]
    for before in reversed(back):
        tags.append(before[tags[-1]])
    return tags[::-1]


def track_logits(field: Field, logits: np.ndarray) -> list[tuple[Field, np.ndarray]]:
    """Return each sequence of tags of a field with its logits (T, K): with the scheme `tracks`, K is 3, and `O` has 0.

    logits: (T, K), those of the model.
    """
    if field.scheme != TRACKS:
        return [(field, logits)]
    outside = np.zeros((len(logits), 1), dtype=logits.dtype)
    pairs = np.split(logits, len(field.tracks), axis=1)
    return [(track, np.concatenate([outside, pair], axis=1)) for track, pair in zip(field.tracks, pairs, strict=True)]
