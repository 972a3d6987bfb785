"""Payment records: a line of columns as a payment system exports them, then a memo; flags and spans."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tasks.generation import transaction_names as names
from tasks.generation.grammar import Piece, assemble, consistent
from tasks.generation.roughen import roughen
from tasks.generation.transaction_payment import Payment
from tasks.generation.transaction_phrases import FILLERS, OPENINGS, STORIES, TRUE, UNTRUE

SIZES = {"train": 200, "dev": 120, "test": 400, "unlabeled": 1360}
FLAG_SHARES = {"structuring": 0.13, "sanctions_exposure": 0.1, "shell_company": 0.08, "mule_account": 0.11,
               "trade_mispricing": 0.055}  # fmt: skip
SECOND_FLAG, NEAR_MISS = 0.14, 0.7
"""Share of suspicious records that hold a second flag; share of the others that hold a near miss."""
LONGEST = 430
"""Characters; longer drawings are drawn again, so that every text stays below 200 word-pieces."""


def columns(payment: Payment, opening: str) -> list[Piece]:
    """The first line of a record: columns in the order and the spelling of one of four export programs."""
    chance = payment.chance
    channel = {"cash": ("COUNTER", "ATM", "CASH"), "personal": ("INSTANT", "SEPA", "APP")}.get(
        opening, ("SWIFT", "SEPA", "WIRE")
    )
    manner = chance.randrange(4)
    keys = (("channel", "currency", "booked", "branch", "amount", "country"), ("CHN", "CCY", "DT", "BR", "AMT", "CTRY"),
            ("chan", "ccy", "date", "br", "amt", "ctry"), ("Channel", "Curr", "Booking", "Office", "Sum", "Country"))[manner]  # fmt: skip
    mark, gap = ((": ", " | "), ("=", "; "), (":", " / "), (": ", ", "))[manner]
    values: list[Piece] = [
        Piece(chance.choice(channel)),
        Piece(payment.currency),
        Piece(payment.say_date()),
        Piece(payment.say_branch()),
    ]
    shown = list(zip(keys, values, strict=False))
    shown = [shown[0], shown[1], *chance.sample(shown[2:], chance.randint(0, 2))]
    if chance.random() < 0.35 and opening in ("wire", "trade"):
        shown.append((keys[4], Piece(payment.number(payment.total, True), "AMOUNT")))
    if chance.random() < 0.3 and opening in ("wire", "trade"):
        shown.append((keys[5], payment.say_country()))
    pieces: list[Piece] = []
    for key, value in shown:
        pieces += [Piece((gap if pieces else "") + key + mark), value]
    return [*pieces, Piece("\n")]


def record(chance: random.Random, split: str, flags: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """The text and the spans of one record for which exactly `flags` hold."""
    payment = Payment(chance, split)
    told = list(flags) or ([chance.choice(sorted(STORIES))] if chance.random() < NEAR_MISS else [])
    opening = STORIES[told[0]].opening if told else chance.choice(sorted(OPENINGS))
    if opening == "personal" and chance.random() < 0.5:
        payment.again = payment.full_name()
    sentences = [payment.grammar.sentence(payment.grammar.pick(OPENINGS[opening]))]
    for each in told:
        sentences += tell(payment, each, bool(flags))
    if flags and chance.random() < 0.3:
        # An innocent remark on another flag stands beside the evidence.
        for other in [each for each in beside(flags[0]) if each not in flags][:1]:
            sentences.append(payment.grammar.sentence(payment.grammar.pick(STORIES[other].whole_no)))
    for _ in range(chance.choice((0, 1, 1, 2))):
        place = chance.randint(1, len(sentences))
        sentences.insert(place, payment.grammar.sentence(payment.grammar.pick(FILLERS)))
    joint = chance.choice((" ", " ", " ", "\n"))
    body: list[Piece] = []
    for sentence in sentences:
        body += [*([Piece(joint)] if body else []), *sentence]
    body = roughen(body, chance, names.SHORTENINGS, frozenset({"COUNTERPARTY"}))
    return assemble([*columns(payment, opening), *body])


def tell(payment: Payment, flag: str, holds: bool) -> list[list[Piece]]:
    """The one or two sentences of a story: evidence for `flag` where it `holds`, else a near miss."""
    story, grammar = STORIES[flag], payment.grammar
    manner = payment.chance.random()
    if manner < 0.33:
        return [grammar.sentence(grammar.pick(story.whole_yes if holds else story.whole_no))]
    setup = [grammar.sentence(grammar.pick(story.setup))]
    if manner < 0.71:
        return [*setup, grammar.sentence(grammar.pick(story.yes if holds else story.no))]
    true = payment.chance.random() < 0.5
    payment.claim_holds = true
    payment.clause = grammar.pick(story.claims if true == holds else story.excuses)
    told = grammar.sentence(grammar.pick(TRUE if true else UNTRUE))
    return [*setup, told] if payment.chance.random() < 0.6 else [told]


def deal_flags(chance: random.Random, size: int) -> list[list[str]]:
    """The flags of each of `size` records by `FLAG_SHARES`, in random order: mostly none, seldom two."""
    dealt = [[flag] for flag, share in FLAG_SHARES.items() for _ in range(round(share * size))]
    for flags in dealt:
        if chance.random() < SECOND_FLAG:
            flags.append(chance.choice([each for each in beside(flags[0]) if each != flags[0]]))
            flags.sort(key=list(STORIES).index)
    dealt += [[] for _ in range(size - len(dealt))]
    chance.shuffle(dealt)
    return dealt


def beside(flag: str) -> list[str]:
    """The flags whose stories can be told of the same payment as `flag`'s, itself included."""
    kept = ["structuring", "mule_account"]
    return kept if flag in kept else [each for each in STORIES if each not in kept]


def records(split: str, seed: int, taken: set[str]) -> list[dict[str, Any]]:
    """The records of a split; `taken` holds the texts of the splits made before and grows."""
    chance = random.Random(f"transaction_risk {split} {seed}")
    made: list[dict[str, Any]] = []
    for flags in deal_flags(chance, SIZES[split]):
        text, spans = record(chance, split, flags)
        while len(text) > LONGEST or text in taken or not consistent(text, spans):
            text, spans = record(chance, split, flags)
        taken.add(text)
        labels = {} if split == "unlabeled" else {"flags": flags, "entities": spans}
        made.append({"id": f"{split}-{len(made):04}", "text": text, **labels})
    return made
