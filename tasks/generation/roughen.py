"""Noise of hurried writing: abbreviations, typing errors, all lower case or all upper case.

It is applied to single pieces before they are assembled, so that offsets stay exact.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.generation.grammar import Piece

TYPING_ERRORS = 0.06
"""Share of words of five letters or more that are mistyped in a text with typing errors."""
SHORTENED = 0.55
"""Share of words with a common abbreviation that are shortened in a text with abbreviations."""


def roughen(
    pieces: Sequence[Piece], rng: random.Random, shortenings: Mapping[str, str], names: frozenset[str]
) -> list[Piece]:
    """Return the pieces with noise; about half of the texts are not changed.

    names: labels of entities that may be mistyped, too.
    """
    style = rng.random()
    rough = list(pieces)
    if style < 0.32:
        rough = [piece if piece.label else Piece(_shorten(piece.text, rng, shortenings)) for piece in rough]
    if 0.18 < style < 0.5:
        rough = [
            replace(piece, text=_mistype(piece.text, rng)) if not piece.label or piece.label in names else piece
            for piece in rough
        ]
    if style < 0.12:
        return [replace(piece, text=piece.text.lower()) for piece in rough]
    if style > 0.92:
        return [replace(piece, text=piece.text.upper()) for piece in rough]
    return rough


def _shorten(text: str, rng: random.Random, shortenings: Mapping[str, str]) -> str:
    def short(match: re.Match[str]) -> str:
        word = match[0]
        abbreviation = shortenings.get(word.lower())
        return abbreviation if abbreviation and rng.random() < SHORTENED else word

    return re.sub(r"[A-Za-z]+", short, text)


def _mistype(text: str, rng: random.Random) -> str:
    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() > TYPING_ERRORS:
            return word
        index = rng.randrange(1, len(word) - 2)
        return rng.choice((
            word[:index] + word[index + 1] + word[index] + word[index + 2 :],
            word[:index] + word[index + 1 :],
            word[: index + 1] + word[index] + word[index + 1 :],
        ))  # fmt: skip

    return re.sub(r"[A-Za-z]{5,}", slip, text)
