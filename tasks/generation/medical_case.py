"""Case notes: who came with what, what was found and given, how it ended; classes and spans."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tasks.generation import medical_names as names
from tasks.generation import medical_phrases as phrases
from tasks.generation.grammar import Grammar, Piece, assemble, consistent
from tasks.generation.roughen import roughen

SIZES = {"train": 200, "dev": 100, "test": 300, "unlabeled": 800}
OUTCOME_SHARES = {"recovered": 0.33, "improved": 0.28, "unchanged": 0.15, "worsened": 0.14, "died": 0.1}
WORDS = range(60, 181)
UNSEEN, HELD = 0.55, 0.4
"""Dev and test take this share of their names from the last `HELD` of each list, which the other splits never use."""
NAMES = frozenset({"FINDING", "CONDITION", "MEDICATION"})


class Case:
    """One note in the making: a person, a clinical picture, and what has been named so far."""

    def __init__(self, chance: random.Random, split: str) -> None:
        self.chance, self.fresh = chance, split in ("dev", "test")
        self.grammar = Grammar(chance, split != "train", self.slot)
        self.male = chance.random() < 0.5
        self.picture = names.PICTURES[chance.choice(sorted(names.PICTURES))]
        self.used: set[str] = set()
        self.first_finding = ""
        self.drug = self.dose = ""
        self.analyte = ""
        self.outcome = ""
        self.chosen = ""
        self.background = self.other()
        self.age = chance.randint(19, 94)

    def slot(self, name: str, argument: str) -> list[Piece]:
        """What stands for `{name}`; each kind of slot has its method."""
        if name in ("vitals", "lab", "outcome"):
            return self.grammar.expand(getattr(self, f"template_{name}")())
        found = getattr(self, f"say_{name}")()
        return [found] if isinstance(found, Piece) else [Piece(found)]

    def name(self, pool: Sequence[str]) -> str:
        """A name of the pool that the note does not hold yet."""
        known = round(len(pool) * (1 - HELD))
        part = pool[known:] if self.fresh and self.chance.random() < UNSEEN else pool[:known]
        free = [each for each in part if each not in self.used]
        found = self.chance.choice(free or list(part))
        self.used.add(found)
        return found

    def template_vitals(self) -> str:
        return self.chance.choice(phrases.VITALS)

    def template_lab(self) -> str:
        return self.chance.choice(
            ("{analyte} {value}", "{analyte} {value}", "{analyte}: {value}", "{analyte} of {value}")
        )

    def template_outcome(self) -> str:
        return self.grammar.pick(phrases.OUTCOMES[self.outcome])

    def say_he_she(self) -> str:
        return "he" if self.male else "she"

    def say_his_her(self) -> str:
        return "his" if self.male else "her"

    def say_him_her(self) -> str:
        return "him" if self.male else "her"

    def say_person(self) -> str:
        return self.chance.choice(("man", "gentleman", "patient") if self.male else ("woman", "lady", "patient"))

    def say_age_before(self) -> Piece:
        written = ("{}-year-old", "{}-year-old", "{} year old", "{}yo", "{} y/o")
        return Piece(self.chance.choice(written).format(self.age), "AGE")

    def say_age_after(self) -> Piece:
        return Piece(self.chance.choice(("{} years", "{} years old", "{}y", "age {}")).format(self.age), "AGE")

    def say_finding(self) -> Piece:
        found = self.name(self.picture.findings)
        self.first_finding = self.first_finding or found
        return Piece(found, "FINDING")

    def say_again(self) -> Piece:
        return Piece(self.first_finding, "FINDING")

    def say_plainfinding(self) -> str:
        return self.name(self.other().findings if self.chance.random() < 0.4 else self.picture.findings)

    def say_condition(self) -> Piece:
        return Piece(self.name(self.picture.conditions), "CONDITION")

    def say_background(self) -> Piece:
        return Piece(self.name(self.background.conditions), "CONDITION")

    def say_plaincondition(self) -> str:
        return self.name(self.picture.conditions)

    def say_medication(self) -> Piece:
        if self.chosen:
            self.drug, self.chosen = self.chosen, ""
        else:
            self.drug = self.name(list(self.picture.medications))
        return Piece(self.drug, "MEDICATION")

    def say_choose(self) -> str:
        """Nothing: it settles the drug of a dose that is written before its name."""
        self.drug = self.chosen = self.name(list(self.picture.medications))
        return ""

    def say_usual(self) -> Piece:
        self.drug = self.name(list(self.background.medications))
        return Piece(self.drug, "MEDICATION")

    def say_plainmedication(self) -> str:
        self.drug = self.name(list(self.picture.medications))
        return self.drug

    def say_plaindose(self) -> str:
        doses = names.DOSES.get(self.drug, names.TABLET)
        written = self.chance.choice([each for each in doses if each != self.dose] or doses)
        self.dose = written
        return written.replace(" ", "") if self.chance.random() < 0.25 and " m" in written else written

    def say_dose(self) -> Piece:
        if self.chance.random() < 0.15:
            return Piece(self.chance.choice(("one tablet", "two tablets", "half a tablet", "a double dose")), "DOSE")
        return Piece(self.say_plaindose(), "DOSE")

    def say_herald(self) -> str:
        return self.name(names.HERALDS)

    def say_allergen(self) -> str:
        return self.name(names.ALLERGENS)

    def say_analyte(self) -> str:
        free = [each for each in self.picture.labs if each not in self.used]
        self.analyte = self.chance.choice(free or list(self.picture.labs))
        self.used.add(self.analyte)
        return self.analyte

    def say_plainvalue(self) -> str:
        """The upper limit of what is normal, which is no value of this patient."""
        low, high, unit, places = names.LABS[self.analyte]
        return f"{low + (high - low) * 0.12:.{places}f} {unit}"

    def say_value(self) -> Piece:
        low, high, unit, places = names.LABS[self.analyte]
        shown = f"{low + (high - low) * self.chance.random() ** 2:.{places}f}"
        return Piece(shown if self.chance.random() < 0.35 else f"{shown} {unit}", "LAB_VALUE")

    def other(self) -> names.Picture:
        """Another clinical picture, for earlier illnesses and for what is not the case."""
        return self.chance.choice([each for _, each in sorted(names.PICTURES.items()) if each is not self.picture])

    def say_pressure(self) -> str:
        return f"{self.chance.randint(84, 190)}/{self.chance.randint(45, 105)}"

    def say_fever(self) -> str:
        return f"{self.chance.uniform(36, 40):.1f}"

    def say_saturation(self) -> str:
        return str(self.chance.randint(82, 99))

    def say_rate(self) -> str:
        return str(self.chance.randint(12, 34))

    def say_volume(self) -> str:
        return str(self.chance.randrange(150, 900, 50))

    def say_number(self) -> str:
        return str(self.chance.randint(12, 88))

    def say_pulse(self) -> str:
        return str(self.chance.randint(48, 138))

    def say_tall(self) -> str:
        return str(self.chance.randint(52, 94))

    def say_weight(self) -> str:
        return str(self.chance.randint(48, 120))

    def say_few(self) -> str:
        return self.chance.choice(("2", "3", "4", "six", "two", "three"))

    def say_days(self) -> str:
        return str(self.chance.randint(5, 24))

    def say_span(self) -> str:
        return self.chance.choice(("two days", "3 days", "a week", "ten days", "5 weeks", "2 months", "48 h"))

    def say_day(self) -> str:
        return f"{self.chance.randint(1, 28)} {self.say_month()}"

    def say_plainday(self) -> str:
        return self.chance.choice(("Sunday", "the weekend", "last month", "Easter", "yesterday"))

    def say_month(self) -> str:
        return self.chance.choice(("March", "May", "June", "July", "October"))

    def say_clock(self) -> str:
        return f"{self.chance.randint(0, 23):02}:{self.chance.randint(0, 59):02}"


def note(chance: random.Random, split: str, outcome: str) -> tuple[str, list[dict[str, Any]]]:
    """The text and the spans of one note that ends in `outcome`."""
    case = Case(chance, split)
    case.outcome = outcome
    order = [phrases.PRESENTATION]
    order += [
        part
        for part, share in ((phrases.HISTORY, 0.8), (phrases.ASIDE, 0.6), (phrases.NEGATED, 0.8))
        if chance.random() < share
    ]
    order += [phrases.EXAMINATION, phrases.LABORATORY]
    order += [
        part
        for part, share in ((phrases.NEGATED, 0.3), (phrases.LABORATORY, 0.35), (phrases.RULED_OUT, 0.6))
        if chance.random() < share
    ]
    order += [phrases.DIAGNOSIS, phrases.TREATMENT]
    order += [part for part, share in ((phrases.NOT_GIVEN, 0.5), (phrases.COURSE, 0.8), (phrases.TREATMENT, 0.4), (phrases.COURSE, 0.4))
              if chance.random() < share]  # fmt: skip
    order.append(phrases.FRAMES)
    order += [phrases.RECAP] if chance.random() < 0.5 else []
    order += [
        part
        for part, share in ((phrases.ADVICE, 0.6), (phrases.ASIDE, 0.25))
        if chance.random() < share and outcome != "died"
    ]
    pieces: list[Piece] = []
    told: list[str] = []
    gap = chance.choice((" ", " ", "\n"))
    for part in order:
        template = case.grammar.pick([each for each in part if each not in told])
        told += [template, f"~{template}"] if part is not phrases.FRAMES else []
        pieces += [*([Piece(gap)] if pieces else []), *case.grammar.sentence(template)]
    return assemble(roughen(pieces, chance, names.SHORTENINGS, NAMES))


def deal_outcomes(chance: random.Random, size: int) -> list[str]:
    """The outcome of each of `size` notes by `OUTCOME_SHARES`, in random order."""
    dealt = [outcome for outcome, share in OUTCOME_SHARES.items() for _ in range(round(share * size))]
    chance.shuffle(dealt)
    return dealt


def records(split: str, seed: int, taken: set[str]) -> list[dict[str, Any]]:
    """The records of a split; `taken` holds the texts of the splits made before and grows."""
    chance = random.Random(f"medical_case {split} {seed}")
    made: list[dict[str, Any]] = []
    for outcome in deal_outcomes(chance, SIZES[split]):
        text, spans = note(chance, split, outcome)
        while len(text.split()) not in WORDS or text in taken or not consistent(text, spans):
            text, spans = note(chance, split, outcome)
        taken.add(text)
        labels = {} if split == "unlabeled" else {"outcome": outcome, "entities": spans}
        made.append({"id": f"{split}-{len(made):04}", "text": text, **labels})
    return made
