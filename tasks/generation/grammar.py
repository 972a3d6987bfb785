"""Templates with alternatives and slots, expanded to pieces whose offsets are exact by construction."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters; `label` names the entity that it is, empty for plain words."""

    text: str
    label: str = ""


Slot = Callable[[str, str], list[Piece]]
"""Called with the name and the argument of `{name:argument}`; says what stands there."""


class Grammar:
    """Expands `[one|other]` to one of its alternatives and `{name:argument}` to what `slot` says; both nest.

    An alternative (or a whole template) that begins with `~` is late wording: it is used only where `late` is true,
    so that no training text holds it.
    """

    def __init__(self, chance: random.Random, late: bool, slot: Slot) -> None:
        self.chance, self.late, self.slot = chance, late, slot

    def pick(self, options: Sequence[str]) -> str:
        """One of the options that are open to this split, without its `~`."""
        return self.chance.choice([each for each in options if self.late or not each.startswith("~")]).removeprefix("~")

    def expand(self, template: str) -> list[Piece]:
        """The pieces of one drawing of `template`."""
        pieces: list[Piece] = []
        at = 0
        while at < len(template):
            if template[at] == "[":
                end = _closing(template, at)
                pieces += self.expand(self.pick(_alternatives(template[at + 1 : end - 1])))
            elif template[at] == "{":
                end = template.index("}", at) + 1
                name, _, argument = template[at + 1 : end - 1].partition(":")
                pieces += self.slot(name, argument)
            else:
                end = min((place for place in (template.find("[", at), template.find("{", at)) if place >= 0),
                          default=len(template))  # fmt: skip
                pieces.append(Piece(template[at:end]))
            at = end
        return pieces

    def sentence(self, template: str) -> list[Piece]:
        """`template` expanded, with a capital letter first and a full stop last."""
        pieces = _tidy(self.expand(template))
        first, last = pieces[0], pieces[-1]
        if not first.label:
            pieces[0] = Piece(first.text[0].upper() + first.text[1:])
        return pieces if last.text[-1] in ".!?" else [*pieces, Piece(".")]


def assemble(pieces: Sequence[Piece]) -> tuple[str, list[dict[str, Any]]]:
    """The text, and the spans of its labelled pieces as the data files hold them."""
    text, spans = "", []
    for piece in pieces:
        if piece.label:
            span = {"start": len(text), "end": len(text) + len(piece.text), "label": piece.label, "text": piece.text}
            spans.append(span)
        text += piece.text
    return text, spans


def consistent(text: str, spans: Sequence[dict[str, Any]]) -> bool:
    """Whether no labelled string also stands unlabelled in the text, as a bystander's country or name might."""
    covered = [(span["start"], span["end"]) for span in spans]
    for span in spans:
        for match in re.finditer(rf"(?<!\w){re.escape(span['text'])}(?!\w)", text, re.IGNORECASE):
            if not any(start <= match.start() and match.end() <= end for start, end in covered):
                return False
    return True


def _tidy(pieces: Sequence[Piece]) -> list[Piece]:
    """Without the double spaces and the spaces before commas that empty alternatives leave behind."""
    tidy = [Piece("")]
    for piece in pieces:
        text = piece.text if piece.label else re.sub(r" +", " ", re.sub(r" +([,;])", r"\1", piece.text))
        if not piece.label and text[:1] in (" ", ",", ";"):
            tidy[-1] = Piece(tidy[-1].text.rstrip(" "), tidy[-1].label)
        tidy.append(Piece(text, piece.label))
    tidy[-1] = Piece(tidy[-1].text.rstrip(" "), tidy[-1].label)
    kept = [each for each in tidy if each.text]
    return [Piece(kept[0].text.lstrip(" "), kept[0].label), *kept[1:]] if kept[0].text.strip() else kept[1:]


def _closing(template: str, opening: int) -> int:
    """The place behind the `]` that closes the `[` at `opening`."""
    depth = 0
    for place in range(opening, len(template)):
        depth += {"[": 1, "]": -1}.get(template[place], 0)
        if not depth:
            return place + 1
    raise ValueError(f"unclosed [ in {template!r}")


def _alternatives(inner: str) -> list[str]:
    """`inner` cut at each `|` that is not inside brackets of its own."""
    parts, depth = [""], 0
    for char in inner:
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts
