"""Short notes whose entities (spans) have an assertion: present, negated, historical, other_person or hypothetical."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tasks.generation import assertion_phrases as phrases
from tasks.generation import medical_names as names
from tasks.generation.grammar import Piece, Record, assemble
from tasks.generation.medical_case import HELD_OUT, UNSEEN, Case
from tasks.generation.roughen import roughen

SIZES = {"train": 200, "dev": 100, "test": 300, "unlabeled": 800}
PARTS = {
    "PRESENT": 0.19,
    "NEGATED": 0.15,
    "HISTORICAL": 0.15,
    "OTHER_PERSON": 0.15,
    "HYPOTHETICAL": 0.14,
    "TURNS": 0.22,
}
"""Shares of the lists that the sentences after the first are drawn from."""
REMARK = 0.5
"""Share of the notes that have a sentence with cue words and without entities."""
OWN_PICTURE, WITH_CUE = 0.6, 0.08
"""Share of the names that fit the clinical picture of the note, and share of those that contain a cue word."""
WORDS = range(35, 111)
NAMES = frozenset({"FINDING", "CONDITION"})


class Note(Case):
    """The state of one note while it is generated."""

    def slot(self, name: str, argument: str) -> list[Piece]:
        """Return the pieces for `{name:argument}`; the argument of an entity is its assertion."""
        if name == "either":
            name = self.rng.choice(("finding", "condition"))
        if name in ("finding", "condition"):
            text = self.mention(name)
            self.first_finding = self.first_finding or text
            return [Piece(text, name.upper(), argument)]
        if name == "again":
            return [Piece(self.first_finding, "FINDING", argument)]
        return super().slot(name, argument)

    def mention(self, kind: str) -> str:
        """Return the name of a finding or a condition that is not in the note yet, without its article."""
        is_unseen = self.is_scored and self.rng.random() < UNSEEN
        every = [getattr(picture, f"{kind}s") for _, picture in sorted(names.PICTURES.items())]
        draw = self.rng.random()
        own = [names.WITH_CUES[kind]] if draw < WITH_CUE else [getattr(self.picture, f"{kind}s")]
        fitting = self.unused(own if draw < WITH_CUE + OWN_PICTURE else every, is_unseen)
        text = self.rng.choice(fitting or self.unused(every, is_unseen))
        self.used.add(text)
        return text

    def unused(self, pools: Sequence[Sequence[str]], is_unseen: bool) -> list[str]:
        """Return the names that the note does not have, of the last parts of the pools or of the first ones."""
        names_of_parts: list[str] = []
        for pool in pools:
            known = round(len(pool) * (1 - HELD_OUT))
            names_of_parts += pool[known:] if is_unseen else pool[:known]
        texts = [name.removeprefix("a ").removeprefix("an ") for name in names_of_parts]
        return [text for text in texts if text not in self.used]

    def slot_age(self) -> str:
        return str(self.age)

    def slot_relative(self) -> str:
        return self.rng.choice(("mother", "father", "brother", "sister", "daughter", "son", "uncle", "grandmother"))

    def slot_parent(self) -> str:
        return "father" if self.male else "mother"

    def slot_year(self) -> str:
        return str(self.rng.randint(1994, 2019))


def record(rng: random.Random, split: str) -> Record:
    """Return one note."""
    note = Note(rng, split)
    drawn = rng.choices(list(PARTS), list(PARTS.values()), k=rng.randint(4, 7))
    if rng.random() < REMARK:
        drawn.insert(rng.randint(0, len(drawn)), "REMARKS")
    gap = rng.choice((" ", " ", "\n"))
    pieces: list[Piece] = []
    templates: list[tuple[str, ...]] = []
    for part in ("OPENINGS", *drawn):
        used = {template for of_sentence in templates for template in of_sentence}
        sentence = note.grammar.sentence([template for template in getattr(phrases, part) if template not in used])
        templates.append(sentence.templates)
        pieces += [*([Piece(gap)] if pieces else []), *sentence.pieces]
    text, spans = assemble(roughen(pieces, rng, names.SHORTENINGS, NAMES))
    return Record({}, text, spans, templates)


def records(split: str, seed: int, taken: set[str]) -> list[Record]:
    """Return the records of a split.

    taken: the texts of the splits generated before, to which those of this one are added.
    """
    rng = random.Random(f"medical_assertions {split} {seed}")
    drawn: list[Record] = []
    while len(drawn) < SIZES[split]:
        candidate = record(rng, split)
        if len(candidate.text.split()) in WORDS and candidate.text not in taken and candidate.is_consistent():
            taken.add(candidate.text)
            drawn.append(candidate)
    return drawn
