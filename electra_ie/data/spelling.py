"""Features of words for classifiers that see spelling only: shape, affixes, and the neighboring words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

NEIGHBORS = (-2, -1, 0, 1, 2)
AFFIXES = (2, 3, 4)
OUTSIDE = ""


def features_of(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the features of each word of a document: spelling of the word and its neighbors, affixes, pairs."""
    lower = [word.lower() for word in words]
    shapes = [_shape(word) for word in words]

    def at(values: Sequence[str], position: int) -> str:
        return values[position] if 0 <= position < len(values) else OUTSIDE

    for index, word in enumerate(lower):
        features = ["bias"]
        for offset in NEIGHBORS:
            features.append(f"word{offset}={at(lower, index + offset)}")
            features.append(f"shape{offset}={at(shapes, index + offset)}")
        for length in AFFIXES:
            features += [f"prefix={word[:length]}", f"suffix={word[-length:]}"]
        features.append(f"pair={at(lower, index - 1)} {word}")
        features.append(f"shapes={at(shapes, index - 1)} {shapes[index]} {at(shapes, index + 1)}")
        yield features


def _shape(word: str) -> str:
    """Return the shape of a word: `X` for capitals, `x` for other letters, `d` for digits; at most two in a row."""
    classes = (("d", str.isdigit), ("X", str.isupper), ("x", str.isalpha))
    shape = "".join(next((name for name, holds in classes if holds(char)), char) for char in word)
    return re.sub(r"(.)\1{2,}", r"\1\1", shape)
