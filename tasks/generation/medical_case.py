"""Case notes with an outcome (classes) and entities (spans): presentation, findings, treatment, course."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tasks.generation import medical_names as names
from tasks.generation import medical_phrases as phrases
from tasks.generation.grammar import Grammar, Piece, Record, assemble
from tasks.generation.roughen import roughen

SIZES = {"train": 200, "dev": 100, "test": 300, "unlabeled": 800}
OUTCOME_SHARES = {"recovered": 0.33, "improved": 0.28, "unchanged": 0.15, "worsened": 0.14, "died": 0.1}
WORDS = range(60, 181)
UNSEEN, HELD_OUT = 0.55, 0.4
"""Share of the names of dev and test that come from the last part of each list, which the other splits never use; and
the size of that part."""
NAMES = frozenset({"FINDING", "CONDITION", "MEDICATION"})


class Case:
    """The state of one note while it is generated: a person, a clinical picture, and the names used so far."""

    def __init__(self, rng: random.Random, split: str) -> None:
        self.rng, self.is_scored = rng, split in ("dev", "test")
        self.grammar = Grammar(rng, split, self.slot)
        self.male = rng.random() < 0.5
        self.picture = names.PICTURES[rng.choice(sorted(names.PICTURES))]
        self.used: set[str] = set()
        self.first_finding = ""
        self.drug = self.dose = ""
        self.analyte = ""
        self.outcome = ""
        self.chosen = ""
        self.background = self.other()
        self.age = rng.randint(19, 94)

    def slot(self, name: str, argument: str) -> list[Piece]:
        """Return the pieces for `{name}`, by the method `slot_<name>`, or `template_<name>` for a nested template."""
        if name == "outcome":
            return self.grammar.draw(phrases.OUTCOMES[self.outcome])
        if name in ("vitals", "lab"):
            return self.grammar.expand(getattr(self, f"template_{name}")())
        content = getattr(self, f"slot_{name}")()
        return [content] if isinstance(content, Piece) else [Piece(content)]

    def name(self, pool: Sequence[str]) -> str:
        """Return a name of the pool that is not in the note yet."""
        known = round(len(pool) * (1 - HELD_OUT))
        part = pool[known:] if self.is_scored and self.rng.random() < UNSEEN else pool[:known]
        unused = [name for name in part if name not in self.used]
        name = self.rng.choice(unused or list(part))
        self.used.add(name)
        return name

    def template_vitals(self) -> str:
        return self.rng.choice(phrases.VITALS)

    def template_lab(self) -> str:
        return self.rng.choice(("{analyte} {value}", "{analyte} {value}", "{analyte}: {value}", "{analyte} of {value}"))

    def slot_he_she(self) -> str:
        return "he" if self.male else "she"

    def slot_his_her(self) -> str:
        return "his" if self.male else "her"

    def slot_him_her(self) -> str:
        return "him" if self.male else "her"

    def slot_person(self) -> str:
        return self.rng.choice(("man", "gentleman", "patient") if self.male else ("woman", "lady", "patient"))

    def slot_age_before(self) -> Piece:
        written = ("{}-year-old", "{}-year-old", "{} year old", "{}yo", "{} y/o")
        return Piece(self.rng.choice(written).format(self.age), "AGE")

    def slot_age_after(self) -> Piece:
        return Piece(self.rng.choice(("{} years", "{} years old", "{}y", "age {}")).format(self.age), "AGE")

    def slot_finding(self) -> Piece:
        finding = self.name(self.picture.findings)
        self.first_finding = self.first_finding or finding
        return Piece(finding, "FINDING")

    def slot_again(self) -> Piece:
        return Piece(self.first_finding, "FINDING")

    def slot_plainfinding(self) -> str:
        return self.name(self.other().findings if self.rng.random() < 0.4 else self.picture.findings)

    def slot_condition(self) -> Piece:
        return Piece(self.name(self.picture.conditions), "CONDITION")

    def slot_background(self) -> Piece:
        return Piece(self.name(self.background.conditions), "CONDITION")

    def slot_plaincondition(self) -> str:
        return self.name(self.picture.conditions)

    def slot_medication(self) -> Piece:
        if self.chosen:
            self.drug, self.chosen = self.chosen, ""
        else:
            self.drug = self.name(list(self.picture.medications))
        return Piece(self.drug, "MEDICATION")

    def slot_choose(self) -> str:
        """Return no text, but choose the drug of a dose that is written before the drug's name."""
        self.drug = self.chosen = self.name(list(self.picture.medications))
        return ""

    def slot_usual(self) -> Piece:
        self.drug = self.name(list(self.background.medications))
        return Piece(self.drug, "MEDICATION")

    def slot_plainmedication(self) -> str:
        self.drug = self.name(list(self.picture.medications))
        return self.drug

    def slot_plaindose(self) -> str:
        doses = names.DOSES.get(self.drug, names.TABLET)
        written = self.rng.choice([dose for dose in doses if dose != self.dose] or doses)
        self.dose = written
        return written.replace(" ", "") if self.rng.random() < 0.25 and " m" in written else written

    def slot_dose(self) -> Piece:
        if self.rng.random() < 0.15:
            return Piece(self.rng.choice(("one tablet", "two tablets", "half a tablet", "a double dose")), "DOSE")
        return Piece(self.slot_plaindose(), "DOSE")

    def slot_herald(self) -> str:
        return self.name(names.HERALDS)

    def slot_allergen(self) -> str:
        return self.name(names.ALLERGENS)

    def slot_analyte(self) -> str:
        unused = [analyte for analyte in self.picture.labs if analyte not in self.used]
        self.analyte = self.rng.choice(unused or list(self.picture.labs))
        self.used.add(self.analyte)
        return self.analyte

    def slot_plainvalue(self) -> str:
        """Return the upper limit of the normal range, which is no value of this patient."""
        low, high, unit, decimals = names.LABS[self.analyte]
        return f"{low + (high - low) * 0.12:.{decimals}f} {unit}"

    def slot_value(self) -> Piece:
        low, high, unit, decimals = names.LABS[self.analyte]
        shown = f"{low + (high - low) * self.rng.random() ** 2:.{decimals}f}"
        return Piece(shown if self.rng.random() < 0.35 else f"{shown} {unit}", "LAB_VALUE")

    def other(self) -> names.Picture:
        """Return another clinical picture, for earlier illnesses and for negated findings."""
        others = [picture for _, picture in sorted(names.PICTURES.items()) if picture is not self.picture]
        return self.rng.choice(others)

    def slot_pressure(self) -> str:
        return f"{self.rng.randint(84, 190)}/{self.rng.randint(45, 105)}"

    def slot_fever(self) -> str:
        return f"{self.rng.uniform(36, 40):.1f}"

    def slot_saturation(self) -> str:
        return str(self.rng.randint(82, 99))

    def slot_rate(self) -> str:
        return str(self.rng.randint(12, 34))

    def slot_volume(self) -> str:
        return str(self.rng.randrange(150, 900, 50))

    def slot_number(self) -> str:
        return str(self.rng.randint(12, 88))

    def slot_pulse(self) -> str:
        return str(self.rng.randint(48, 138))

    def slot_tall(self) -> str:
        return str(self.rng.randint(52, 94))

    def slot_weight(self) -> str:
        return str(self.rng.randint(48, 120))

    def slot_few(self) -> str:
        return self.rng.choice(("2", "3", "4", "six", "two", "three"))

    def slot_days(self) -> str:
        return str(self.rng.randint(5, 24))

    def slot_span(self) -> str:
        return self.rng.choice(("two days", "3 days", "a week", "ten days", "5 weeks", "2 months", "48 h"))

    def slot_day(self) -> str:
        return f"{self.rng.randint(1, 28)} {self.slot_month()}"

    def slot_plainday(self) -> str:
        return self.rng.choice(("Sunday", "the weekend", "last month", "Easter", "yesterday"))

    def slot_month(self) -> str:
        return self.rng.choice(("March", "May", "June", "July", "October"))

    def slot_clock(self) -> str:
        return f"{self.rng.randint(0, 23):02}:{self.rng.randint(0, 59):02}"


def note(rng: random.Random, split: str, outcome: str) -> Record:
    """Return one note with an outcome."""
    case = Case(rng, split)
    case.outcome = outcome
    order = [phrases.PRESENTATION]
    order += [
        part
        for part, share in ((phrases.HISTORY, 0.8), (phrases.ASIDE, 0.6), (phrases.NEGATED, 0.8))
        if rng.random() < share
    ]
    order += [phrases.EXAMINATION, phrases.LABORATORY]
    order += [
        part
        for part, share in ((phrases.NEGATED, 0.3), (phrases.LABORATORY, 0.35), (phrases.RULED_OUT, 0.6))
        if rng.random() < share
    ]
    order += [phrases.DIAGNOSIS, phrases.TREATMENT]
    order += [part for part, share in ((phrases.NOT_GIVEN, 0.5), (phrases.COURSE, 0.8), (phrases.TREATMENT, 0.4), (phrases.COURSE, 0.4))
              if rng.random() < share]  # fmt: skip
    order.append(phrases.FRAMES)
    order += [phrases.RECAP] if rng.random() < 0.5 else []
    order += [
        part
        for part, share in ((phrases.ADVICE, 0.6), (phrases.ASIDE, 0.25))
        if rng.random() < share and outcome != "died"
    ]
    pieces: list[Piece] = []
    templates: list[tuple[str, ...]] = []
    gap = rng.choice((" ", " ", "\n"))
    for part in order:
        drawn = {template for of_sentence in templates for template in of_sentence}
        sentence = case.grammar.sentence([template for template in part if template not in drawn])
        templates.append(sentence.templates)
        pieces += [*([Piece(gap)] if pieces else []), *sentence.pieces]
    text, spans = assemble(roughen(pieces, rng, names.SHORTENINGS, NAMES))
    return Record({"outcome": outcome}, text, spans, templates)


def draw_outcomes(rng: random.Random, size: int) -> list[str]:
    """Return the outcomes of `size` notes with the shares of `OUTCOME_SHARES`, in random order."""
    outcomes = [outcome for outcome, share in OUTCOME_SHARES.items() for _ in range(round(share * size))]
    rng.shuffle(outcomes)
    return outcomes


def records(split: str, seed: int, taken: set[str]) -> list[Record]:
    """Return the records of a split.

    taken: the texts of the splits generated before, to which those of this one are added.
    """
    rng = random.Random(f"medical_case {split} {seed}")
    drawn: list[Record] = []
    for outcome in draw_outcomes(rng, SIZES[split]):
        candidate = note(rng, split, outcome)
        while len(candidate.text.split()) not in WORDS or candidate.text in taken or not candidate.is_consistent():
            candidate = note(rng, split, outcome)
        taken.add(candidate.text)
        drawn.append(candidate)
    return drawn
