"""Templates with alternatives and slots, and their expansion to pieces of text with exact offsets."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text. label: that of the entity that the piece is, or empty."""

    text: str
    label: str = ""


Slot = Callable[[str, str], list[Piece]]
"""A function that is called with name and argument of `{name:argument}` and returns the pieces to insert."""


class Grammar:
    """A grammar that expands `[one|other]` to one alternative and `{name:argument}` to the result of `slot`; both nest.

    An alternative (or a whole template) that begins with `~` is late wording: it is used only if `late` is true, so that
    no training text contains it.
    """

    def __init__(self, rng: random.Random, late: bool, slot: Slot) -> None:
        self.rng, self.late, self.slot = rng, late, slot

    def pick(self, options: Sequence[str]) -> str:
        """Return a random one of the options allowed in this split, without its `~`."""
        allowed = [option for option in options if self.late or not option.startswith("~")]
        return self.rng.choice(allowed).removeprefix("~")

    def expand(self, template: str) -> list[Piece]:
        """Return the pieces of a random expansion of a template."""
        pieces: list[Piece] = []
        start = 0
        while start < len(template):
            if template[start] == "[":
                end = _closing(template, start)
                pieces += self.expand(self.pick(_alternatives(template[start + 1 : end - 1])))
            elif template[start] == "{":
                end = template.index("}", start) + 1
                name, _, argument = template[start + 1 : end - 1].partition(":")
                pieces += self.slot(name, argument)
            else:
                openings = (template.find("[", start), template.find("{", start))
                end = min((index for index in openings if index >= 0), default=len(template))
                pieces.append(Piece(template[start:end]))
            start = end
        return pieces

    def sentence(self, template: str) -> list[Piece]:
        """Return an expansion of `template` that begins with a capital letter and ends with a full stop."""
        pieces = _tidy(self.expand(template))
        first, last = pieces[0], pieces[-1]
        if not first.label:
            pieces[0] = Piece(first.text[0].upper() + first.text[1:])
        return pieces if last.text[-1] in ".!?" else [*pieces, Piece(".")]


def assemble(pieces: Sequence[Piece]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text, and the spans of its labeled pieces in the form of the data files."""
    text, spans = "", []
    for piece in pieces:
        if piece.label:
            span = {"start": len(text), "end": len(text) + len(piece.text), "label": piece.label, "text": piece.text}
            spans.append(span)
        text += piece.text
    return text, spans


def consistent(text: str, spans: Sequence[dict[str, Any]]) -> bool:
    """Return whether all occurrences of the labeled strings in the text are labeled.

    The country or name of a bystander, for example, could equal a labeled one.
    """
    covered = [(span["start"], span["end"]) for span in spans]
    for span in spans:
        for match in re.finditer(rf"(?<!\w){re.escape(span['text'])}(?!\w)", text, re.IGNORECASE):
            if not any(start <= match.start() and match.end() <= end for start, end in covered):
                return False
    return True


def _tidy(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces without double spaces and spaces before commas, which empty alternatives leave."""
    tidy = [Piece("")]
    for piece in pieces:
        text = piece.text if piece.label else re.sub(r" +", " ", re.sub(r" +([,;])", r"\1", piece.text))
        if not piece.label and text[:1] in (" ", ",", ";"):
            tidy[-1] = Piece(tidy[-1].text.rstrip(" "), tidy[-1].label)
        tidy.append(Piece(text, piece.label))
    tidy[-1] = Piece(tidy[-1].text.rstrip(" "), tidy[-1].label)
    kept = [piece for piece in tidy if piece.text]
    return [Piece(kept[0].text.lstrip(" "), kept[0].label), *kept[1:]] if kept[0].text.strip() else kept[1:]


def _closing(template: str, opening: int) -> int:
    """Return the index after the `]` that closes the `[` at `opening`."""
    depth = 0
    for index in range(opening, len(template)):
        depth += {"[": 1, "]": -1}.get(template[index], 0)
        if not depth:
            return index + 1
    raise ValueError(f"unclosed [ in {template!r}")


def _alternatives(inner: str) -> list[str]:
    """Split `inner` at each `|` outside of brackets."""
    parts, depth = [""], 0
    for char in inner:
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts
