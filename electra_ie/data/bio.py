"""Spans <-> BIO tags, and the best valid tag sequence (Viterbi)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from electra_ie.data.document import Span
from electra_ie.data.fields import IGNORED, Field


def to_tags(field: Field, spans: Iterable[Span], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The tag id of each token. `spans` must not overlap (see `drop_overlapping`).

    A token belongs to a span when they share a character; a token of no characters (a special token, white
    space) gets `IGNORED`.
    """
    index = {name: number for number, name in enumerate(field.names)}
    tags = [0 if start < end else IGNORED for start, end in offsets]
    starts = sorted(spans)
    token = 0
    for span in starts:
        while token < len(offsets) and (offsets[token][1] <= span.start or tags[token] == IGNORED):
            token += 1
        prefix, cursor = "B", token
        while cursor < len(offsets) and (offsets[cursor][0] < span.end or tags[cursor] == IGNORED):
            if tags[cursor] == 0:
                tags[cursor] = index[f"{prefix}-{span.label}"]
                prefix = "I"
            cursor += 1
    return tags


def to_spans(field: Field, tags: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[tuple[Span, list[int]]]:
    """The spans that valid BIO tags spell, each with the positions of its tokens. `IGNORED` tokens are passed over.

    offsets: the characters of each token, no character in two of them (see `WindowTokenizer.tokens`).
    """
    found: list[tuple[Span, list[int]]] = []
    tokens: list[int] = []
    label = ""

    def close() -> None:
        if tokens:
            found.append((Span(offsets[tokens[0]][0], offsets[tokens[-1]][1], label), list(tokens)))
            tokens.clear()

    for position, tag in enumerate(tags):
        if tag == IGNORED:
            continue
        prefix, _, name = field.names[tag].partition("-")
        if prefix != "I" or name != label:
            close()
        if prefix != "O":
            tokens.append(position)
        label = name
    close()
    return found


def invalid_transitions(field: Field) -> np.ndarray:
    """(K, K) boolean: may the tag of the column not follow the tag of the row? `I-x` follows only `B-x` and `I-x`."""
    rules = np.zeros((len(field.names), len(field.names)), dtype=bool)
    for after, name in enumerate(field.names):
        if name.startswith("I-"):
            rules[:, after] = [before[2:] != name[2:] or before == "O" for before in field.names]
    return rules


def viterbi(field: Field, logits: np.ndarray, breaks: Sequence[int] = ()) -> np.ndarray:
    """The valid tag sequence of the highest summed score (Viterbi 1967) for (T, K) logits: (T,) ids.

    breaks: places at which a span cannot go on; the tags from there on are a sequence of their own.
    """
    greedy = logits.argmax(axis=1)
    rules = invalid_transitions(field)
    if len(greedy) == 0:
        return greedy
    starts = np.array([name.startswith("I-") for name in field.names])
    first = [0, *breaks]
    if not starts[greedy[first]].any() and not rules[greedy[:-1], greedy[1:]].any():
        return greedy  # the unconstrained best is valid, hence also the constrained best
    return np.concatenate([_viterbi_sequence(part, starts, rules) for part in np.split(logits, first[1:])])


def _viterbi_sequence(logits: np.ndarray, starts: np.ndarray, rules: np.ndarray) -> np.ndarray:
    """The best tags of one sequence. starts: (K,), which tag cannot be the first; rules: as `invalid_transitions`."""
    penalty = np.where(rules, -np.inf, 0.0)
    score = np.where(starts, -np.inf, logits[0].astype(np.float64))
    back = np.zeros(logits.shape, dtype=np.int64)
    for step in range(1, len(logits)):
        paths = score[:, None] + penalty
        back[step] = paths.argmax(axis=0)
        score = paths.max(axis=0) + logits[step]
    tags = [int(score.argmax())]
    for step in range(len(logits) - 1, 0, -1):
        tags.append(int(back[step, tags[-1]]))
    return np.array(tags[::-1])
