"""BIO tags: conversion from and to spans, and decoding of the best valid sequence (Viterbi).

In a field with fragments, `C-x` begins a further fragment of the span of `x` before it (BIO with a tag for what follows
a gap, as in Tang et al. 2013, "Recognizing and encoding disorder concepts in clinical text using machine learning and
vector space model", CLEF). It needs a gap of at least one token, and a span of the sequence before it in the same
window, since a model sees no other window. Spans of a sequence of tags do not overlap, gaps included, so that there is
no doubt which span continues.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import numpy as np

from electra_ie.data.document import Span
from electra_ie.data.fields import IGNORED, Field


def to_tags(
    field: Field, spans: Iterable[Span], offsets: Sequence[tuple[int, int]], starts: Sequence[int] = ()
) -> list[int]:
    """Return the tag id of each token, (T,).

    A token belongs to a span if they share a character. A token without characters (a special token, white space) gets
    `IGNORED`. Spans of several fragments that the tags cannot express are not tagged.

    Args:
        field: a field of spans.
        spans: spans that do not overlap (see `drop_overlapping`).
        offsets: start and end of each token.
        starts: the first token of each window, in order; only fields with fragments need them.
    """
    ids = {name: id for id, name in enumerate(field.names)}
    tags = [0 if start < end else IGNORED for start, end in offsets]
    token = 0
    for span in sorted(spans):
        pieces: list[list[int]] = []
        for start, end in span.ranges:
            while token < len(offsets) and (offsets[token][1] <= start or tags[token] == IGNORED):
                token += 1
            pieces.append([])
            cursor = token
            while cursor < len(offsets) and (offsets[cursor][0] < end or tags[cursor] == IGNORED):
                if tags[cursor] == 0:
                    pieces[-1].append(cursor)
                cursor += 1
        if len(pieces) > 1 and not (field.fragments and _can_continue(pieces, tags, starts)):
            continue
        for prefix, piece in zip("B" + "C" * len(pieces), pieces, strict=False):
            for each, inside in zip(piece, prefix + "I" * len(piece), strict=False):
                tags[each] = ids[f"{inside}-{span.label}"]
    return tags


def _can_continue(pieces: Sequence[Sequence[int]], tags: Sequence[int], starts: Sequence[int]) -> bool:
    """Return whether each fragment but the first has a tagged token before its gap in the same window.

    pieces: the tokens of the fragments. tags: those of the tokens so far.
    """
    if not all(pieces):
        return False
    return all(
        any(tags[token] != IGNORED for token in range(before[-1] + 1, after[0]))
        and bisect_right(starts, before[-1]) == bisect_right(starts, after[0])
        for before, after in pairwise(pieces)
    )


def to_spans(field: Field, tags: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[tuple[Span, list[int]]]:
    """Return the spans of valid BIO tags, each with the indices of its tokens. `IGNORED` tokens are skipped.

    Args:
        field: a field of spans.
        tags: the tag id of each token.
        offsets: start and end of each token; tokens do not overlap (see `WindowTokenizer.tokens`).
    """
    found: list[tuple[str, list[list[int]]]] = []  # label and the tokens of each fragment
    label = ""
    for token, tag in enumerate(tags):
        if tag == IGNORED:
            continue
        prefix, _, name = field.names[tag].partition("-")
        if prefix == "I" and name == label:
            found[-1][1][-1].append(token)
        elif prefix == "C" and found and found[-1][0] == name:
            found[-1][1].append([token])
        elif prefix != "O":
            found.append((name, [[token]]))
        label = name
    return [
        (
            Span.of([(offsets[piece[0]][0], offsets[piece[-1]][1]) for piece in pieces], name),
            [token for piece in pieces for token in piece],
        )
        for name, pieces in found
    ]


def invalid_transitions(field: Field) -> np.ndarray:
    """Return (K, K) booleans, true where the tag of the column may not follow that of the row.

    `I-x` follows only `B-x` and `I-x`.
    """
    invalid = np.zeros((len(field.names), len(field.names)), dtype=bool)
    for after, name in enumerate(field.names):
        if name.startswith("I-"):
            invalid[:, after] = [before[2:] != name[2:] or before == "O" for before in field.names]
    return invalid


def inside_tags(field: Field) -> np.ndarray:
    """Return for each tag of a field the one that continues its span, (K,): `I-x` after `B-x`, `O` after `O`."""
    ids = {name: id for id, name in enumerate(field.names)}
    return np.array([ids.get(f"I-{name[2:]}", 0) for name in field.names])


def viterbi(field: Field, logits: np.ndarray, breaks: Sequence[int] = (), starts: Sequence[int] = ()) -> np.ndarray:
    """Return the valid tag ids with the highest sum of logits, (T,) (Viterbi 1967).

    Args:
        field: a field of spans.
        logits: (T, K).
        breaks: tokens at which no span may continue: the tags from there on are decoded as a sequence of their own.
        starts: the first token of each window, in order, where no span continues after a gap; for fields with
            fragments.
    """
    greedy: np.ndarray = logits.argmax(axis=1)
    if len(greedy) == 0:
        return greedy
    if field.fragments:
        return _viterbi_fragments(logits, greedy, breaks, starts)
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


OUTSIDE, AFTER_SPAN, BEGIN, INSIDE, CONTINUE = range(5)
"""States of a sequence with fragments of one label: outside, without and with a span before it in the window that may
continue, and the three tags of spans."""
STATES = range(5)
Before = tuple[tuple[int, ...], ...]
TAGS = (0, 0, 1, 2, 3)
"""The tag of each state."""
IN_SPAN = (BEGIN, INSIDE, CONTINUE)
WITHIN: Before = ((OUTSIDE,), (AFTER_SPAN, *IN_SPAN), (*STATES,), IN_SPAN, (AFTER_SPAN,))
"""The states that may be before each state."""
AT_START: Before = ((*STATES,), (), (*STATES,), IN_SPAN, ())
"""The same at the first token of a window: a span may continue without a gap, but not after one."""


def _viterbi_fragments(
    logits: np.ndarray, greedy: np.ndarray, breaks: Sequence[int], starts: Sequence[int]
) -> np.ndarray:
    """Return the best valid tags (T,) of a sequence `O, B-x, I-x, C-x`. greedy: the best ones of each token, (T,)."""
    for start, end in pairwise([0, *breaks, len(greedy)]):
        if not (greedy[start:end] > 1).any():
            continue
        own = {token - start for token in starts[bisect_left(starts, start) : bisect_left(starts, end)]}
        if not _is_valid(greedy[start:end].tolist(), own):
            greedy[start:end] = _best_fragments(logits[start:end].astype(np.float64).tolist(), own)
    return greedy


def _is_valid(tags: Sequence[int], starts: Collection[int]) -> bool:
    """Return whether the tags of one sequence with fragments are valid. starts: the first token of each window."""
    state = OUTSIDE
    for token, tag in enumerate(tags):
        before = AT_START if token in starts else WITHIN
        options = [each for each in STATES if TAGS[each] == tag and state in before[each]]
        if not options:
            return False
        state = options[0]
    return True


def _best_fragments(rows: Sequence[Sequence[float]], starts: Collection[int]) -> list[int]:
    """Return the best valid tags of one sequence with fragments, from its logits (T, 4)."""
    score = [rows[0][0], -np.inf, rows[0][1], -np.inf, -np.inf]
    back: list[list[int]] = []
    for token, row in enumerate(rows[1:], start=1):
        before = AT_START if token in starts else WITHIN
        chosen = [max(states, key=score.__getitem__, default=OUTSIDE) for states in before]
        score = [
            row[tag] + score[state] if states else -np.inf
            for tag, state, states in zip(TAGS, chosen, before, strict=True)
        ]
        back.append(chosen)
    path = [max(STATES, key=score.__getitem__)]
    for chosen in reversed(back):
        path.append(chosen[path[-1]])
    return [TAGS[state] for state in reversed(path)]


def track_logits(field: Field, logits: np.ndarray) -> list[tuple[Field, np.ndarray]]:
    """Return each sequence of tags of a field with its logits (T, K); in tracks, `O` has the logit 0.

    logits: (T, K), those of the model.
    """
    if not field.has_tracks:
        return [(field, logits)]
    outside = np.zeros((len(logits), 1), dtype=logits.dtype)
    parts = np.split(logits, len(field.tracks), axis=1)
    return [(track, np.concatenate([outside, part], axis=1)) for track, part in zip(field.tracks, parts, strict=True)]
