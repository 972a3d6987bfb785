"""What hurried people do to a text: abbreviations, typing errors, no capitals or nothing but capitals.

Everything works on single pieces before they are put together, so offsets stay exact.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from tasks.generation.grammar import Piece

TYPING_ERRORS = 0.06
"""Share of longer words that are mistyped in a sloppy text."""
SHORTENED = 0.55
"""Share of words with a usual abbreviation that are shortened in a terse text."""


def roughen(
    pieces: Sequence[Piece], chance: random.Random, shortenings: Mapping[str, str], names: frozenset[str]
) -> list[Piece]:
    """The pieces as somebody typed them: about half stay as they are. `names`: the labels that may be mistyped too."""
    manner = chance.random()
    rough = list(pieces)
    if manner < 0.32:
        rough = [each if each.label else Piece(_shorten(each.text, chance, shortenings)) for each in rough]
    if 0.18 < manner < 0.5:
        rough = [Piece(_mistype(each.text, chance), each.label) if not each.label or each.label in names else each
                 for each in rough]  # fmt: skip
    if manner < 0.12:
        return [Piece(each.text.lower(), each.label) for each in rough]
    if manner > 0.92:
        return [Piece(each.text.upper(), each.label) for each in rough]
    return rough


def _shorten(text: str, chance: random.Random, shortenings: Mapping[str, str]) -> str:
    def short(match: re.Match[str]) -> str:
        word = match[0]
        found = shortenings.get(word.lower())
        return found if found and chance.random() < SHORTENED else word

    return re.sub(r"[A-Za-z]+", short, text)


def _mistype(text: str, chance: random.Random) -> str:
    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if chance.random() > TYPING_ERRORS:
            return word
        at = chance.randrange(1, len(word) - 2)
        return chance.choice((
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[: at + 1] + word[at] + word[at + 1 :],
        ))  # fmt: skip

    return re.sub(r"[A-Za-z]{5,}", slip, text)
