"""Templates with alternatives and slots, and their expansion to pieces of text with exact offsets."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text. label: that of the entity that the piece is, or empty. assertion: what is said of the entity."""

    text: str
    label: str = ""
    assertion: str = ""


class Statement(NamedTuple):
    """What `{head label tail}` in a template states: a relation between the pieces that fill two of its slots."""

    head: str
    label: str
    tail: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a record.

    templates: those that it was expanded from, as in the phrase lists, with their marks. mentions: for each of its pieces
    with a label, the slot that it fills. statements: what the templates state of these slots.
    """

    pieces: list[Piece]
    templates: tuple[str, ...]
    mentions: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()


Slot = Callable[[str, str], list[Piece]]
"""A function that is called with name and argument of `{name:argument}` and returns the pieces to insert."""

DEPTHS = {"[": 1, "{": 1, "]": -1, "}": -1}
"""How each bracket changes the depth of nesting."""
LATE, TEST_ONLY = "~", "!"
"""Marks at the beginning of a template. `~`: not used in train. `!`: used in test only. Alternatives may have `~`, too."""
ALLOWED_MARKS = {"train": "", "dev": LATE, "unlabeled": LATE, "test": LATE + TEST_ONLY}
"""The marks of the templates that each split may use, besides templates without a mark."""


def mark(template: str) -> str:
    """Return the mark of a template or an alternative, or an empty string."""
    return template[:1] if template.startswith((LATE, TEST_ONLY)) else ""


def is_statement(name: str) -> bool:
    """Return whether the content of a pair of braces is a `Statement`, which inserts no text."""
    return " " in name


def unmarked(template: str) -> str:
    """Return a template or an alternative without its mark."""
    return template[len(mark(template)) :]


class Grammar:
    """A grammar that expands `[one|other]` to one alternative and `{name:argument}` to the result of `slot`; both nest.

    drawn: the templates that were drawn since the last sentence began.
    """

    def __init__(self, rng: random.Random, split: str, slot: Slot) -> None:
        self.rng, self.slot, self.allowed_marks = rng, slot, ALLOWED_MARKS[split]
        self.drawn: list[str] = []

    def pick(self, options: Sequence[str]) -> str:
        """Return a random one of the options that this split may use, with its mark."""
        return self.rng.choice([option for option in options if mark(option) in {"", *self.allowed_marks}])

    def draw(self, templates: Sequence[str]) -> list[Piece]:
        """Return an expansion of a random one of the templates, which is added to `drawn`."""
        template = self.pick(templates)
        self.drawn.append(template)
        return self.expand(unmarked(template))

    def expand(self, template: str) -> list[Piece]:
        """Return the pieces of a random expansion of a template."""
        pieces: list[Piece] = []
        start = 0
        while start < len(template):
            if template[start] == "[":
                end = closing(template, start)
                pieces += self.expand(unmarked(self.pick(alternatives(template[start + 1 : end - 1]))))
            elif template[start] == "{":
                end = closing(template, start)
                name, _, argument = template[start + 1 : end - 1].partition(":")
                pieces += self.slot(name, argument)
            else:
                openings = (template.find("[", start), template.find("{", start))
                end = min((index for index in openings if index >= 0), default=len(template))
                pieces.append(Piece(template[start:end]))
            start = end
        return pieces

    def sentence(self, templates: Sequence[str]) -> Sentence:
        """Return an expansion of a random template that begins with a capital letter and ends with a full stop."""
        self.drawn = []
        pieces = _tidy(self.draw(templates))
        first, last = pieces[0], pieces[-1]
        if not first.label:
            pieces[0] = Piece(first.text[0].upper() + first.text[1:])
        return Sentence(pieces if last.text[-1] in ".!?" else [*pieces, Piece(".")], tuple(self.drawn))


@dataclass(frozen=True, slots=True)
class Record:
    """A text with its labels.

    templates: those of each sentence, in no particular order. relations: between spans, in the form of the data files.
    """

    labels: dict[str, Any]
    text: str
    spans: list[dict[str, Any]]
    templates: list[tuple[str, ...]]
    relations: list[dict[str, Any]] = field(default_factory=list)

    def names(self) -> set[str]:
        """Return the flags of the record, or its outcome."""
        return set(self.labels.get("flags", (self.labels.get("outcome"),)))

    def all_templates(self) -> set[str]:
        """Return the templates of all sentences."""
        return {template for sentence in self.templates for template in sentence}

    def is_consistent(self) -> bool:
        """Return whether all occurrences of the labeled strings in the text are labeled.

        The country or name of a bystander, for example, could equal a labeled one.
        """
        covered = [(span["start"], span["end"]) for span in self.spans]
        for span in self.spans:
            for match in re.finditer(rf"(?<!\w){re.escape(span['text'])}(?!\w)", self.text, re.IGNORECASE):
                if not any(start <= match.start() and match.end() <= end for start, end in covered):
                    return False
        return True


def assemble(pieces: Sequence[Piece]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text, and the spans of its labeled pieces in the form of the data files."""
    text, spans = "", []
    for piece in pieces:
        if piece.label:
            span = {"start": len(text), "end": len(text) + len(piece.text), "label": piece.label, "text": piece.text}
            spans.append(span | ({"assertion": piece.assertion} if piece.assertion else {}))
        text += piece.text
    return text, spans


def _tidy(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces without double spaces and spaces before commas, which empty alternatives leave."""
    tidy = [Piece("")]
    for piece in pieces:
        text = piece.text if piece.label else re.sub(r" +", " ", re.sub(r" +([,;])", r"\1", piece.text))
        if not piece.label and text[:1] in (" ", ",", ";"):
            tidy[-1] = replace(tidy[-1], text=tidy[-1].text.rstrip(" "))
        tidy.append(replace(piece, text=text))
    tidy[-1] = replace(tidy[-1], text=tidy[-1].text.rstrip(" "))
    kept = [piece for piece in tidy if piece.text]
    return [replace(kept[0], text=kept[0].text.lstrip(" ")), *kept[1:]] if kept[0].text.strip() else kept[1:]


def closing(template: str, opening: int) -> int:
    """Return the index after the bracket or brace that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(template)):
        depth += DEPTHS.get(template[index], 0)
        if not depth:
            return index + 1
    raise ValueError(f"unclosed {template[opening]} in {template!r}")


def alternatives(inner: str) -> list[str]:
    """Split `inner` at each `|` outside of brackets and braces."""
    parts, depth = [""], 0
    for char in inner:
        depth += DEPTHS.get(char, 0)
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts
