"""Payment records with flags and entities (spans): a line of columns, as payment systems export them, then a memo."""

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
"""Share of suspicious records with a second flag; share of the other records with a near miss."""
MAX_CHARACTERS = 430
"""Longer texts are generated again, so that every text has fewer than 200 word pieces."""


def columns(payment: Payment, opening: str) -> list[Piece]:
    """Return the first line of a record: columns in the order and spelling of one of four export programs."""
    rng = payment.rng
    channel = {"cash": ("COUNTER", "ATM", "CASH"), "personal": ("INSTANT", "SEPA", "APP")}.get(
        opening, ("SWIFT", "SEPA", "WIRE")
    )
    program = rng.randrange(4)
    keys = (("channel", "currency", "booked", "branch", "amount", "country"), ("CHN", "CCY", "DT", "BR", "AMT", "CTRY"),
            ("chan", "ccy", "date", "br", "amt", "ctry"), ("Channel", "Curr", "Booking", "Office", "Sum", "Country"))[program]  # fmt: skip
    equals, separator = ((": ", " | "), ("=", "; "), (":", " / "), (": ", ", "))[program]
    values: list[Piece] = [
        Piece(rng.choice(channel)),
        Piece(payment.currency),
        Piece(payment.slot_date()),
        Piece(payment.slot_branch()),
    ]
    shown = list(zip(keys, values, strict=False))
    shown = [shown[0], shown[1], *rng.sample(shown[2:], rng.randint(0, 2))]
    if rng.random() < 0.35 and opening in ("wire", "trade"):
        shown.append((keys[4], Piece(payment.number(payment.total, True), "AMOUNT")))
    if rng.random() < 0.3 and opening in ("wire", "trade"):
        shown.append((keys[5], payment.slot_country()))
    pieces: list[Piece] = []
    for key, value in shown:
        pieces += [Piece((separator if pieces else "") + key + equals), value]
    return [*pieces, Piece("\n")]


def record(rng: random.Random, split: str, flags: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text and the spans of one record with exactly these flags."""
    payment = Payment(rng, split)
    shown = list(flags) or ([rng.choice(sorted(STORIES))] if rng.random() < NEAR_MISS else [])
    opening = STORIES[shown[0]].opening if shown else rng.choice(sorted(OPENINGS))
    if opening == "personal" and rng.random() < 0.5:
        payment.again = payment.full_name()
    sentences = [payment.grammar.sentence(payment.grammar.pick(OPENINGS[opening]))]
    for flag in shown:
        sentences += story_sentences(payment, flag, bool(flags))
    if flags and rng.random() < 0.3:
        # An innocent remark on another flag accompanies the evidence.
        for other in [flag for flag in compatible(flags[0]) if flag not in flags][:1]:
            sentences.append(payment.grammar.sentence(payment.grammar.pick(STORIES[other].whole_no)))
    for _ in range(rng.choice((0, 1, 1, 2))):
        position = rng.randint(1, len(sentences))
        sentences.insert(position, payment.grammar.sentence(payment.grammar.pick(FILLERS)))
    joint = rng.choice((" ", " ", " ", "\n"))
    body: list[Piece] = []
    for sentence in sentences:
        body += [*([Piece(joint)] if body else []), *sentence]
    body = roughen(body, rng, names.SHORTENINGS, frozenset({"COUNTERPARTY"}))
    return assemble([*columns(payment, opening), *body])


def story_sentences(payment: Payment, flag: str, has_flag: bool) -> list[list[Piece]]:
    """Return the one or two sentences of a story: evidence for `flag` if the record has it, else a near miss."""
    story, grammar = STORIES[flag], payment.grammar
    form = payment.rng.random()
    if form < 0.33:
        return [grammar.sentence(grammar.pick(story.whole_yes if has_flag else story.whole_no))]
    setup = [grammar.sentence(grammar.pick(story.setup))]
    if form < 0.71:
        return [*setup, grammar.sentence(grammar.pick(story.yes if has_flag else story.no))]
    true = payment.rng.random() < 0.5
    payment.claim_holds = true
    payment.clause = grammar.pick(story.claims if true == has_flag else story.excuses)
    verdict = grammar.sentence(grammar.pick(TRUE if true else UNTRUE))
    return [*setup, verdict] if payment.rng.random() < 0.6 else [verdict]


def draw_flags(rng: random.Random, size: int) -> list[list[str]]:
    """Return the flags of `size` records with the shares of `FLAG_SHARES`, in random order: mostly none, rarely two."""
    drawn = [[flag] for flag, share in FLAG_SHARES.items() for _ in range(round(share * size))]
    for flags in drawn:
        if rng.random() < SECOND_FLAG:
            flags.append(rng.choice([flag for flag in compatible(flags[0]) if flag != flags[0]]))
            flags.sort(key=list(STORIES).index)
    drawn += [[] for _ in range(size - len(drawn))]
    rng.shuffle(drawn)
    return drawn


def compatible(flag: str) -> list[str]:
    """Return the flags that one payment can have together with `flag`, itself included."""
    cash_flags = ["structuring", "mule_account"]
    return cash_flags if flag in cash_flags else [name for name in STORIES if name not in cash_flags]


def records(split: str, seed: int, taken: set[str]) -> list[dict[str, Any]]:
    """Return the records of a split.

    taken: the texts of the splits generated before, to which those of this one are added.
    """
    rng = random.Random(f"transaction_risk {split} {seed}")
    split_records: list[dict[str, Any]] = []
    for flags in draw_flags(rng, SIZES[split]):
        text, spans = record(rng, split, flags)
        while len(text) > MAX_CHARACTERS or text in taken or not consistent(text, spans):
            text, spans = record(rng, split, flags)
        taken.add(text)
        labels = {} if split == "unlabeled" else {"flags": flags, "entities": spans}
        split_records.append({"id": f"{split}-{len(split_records):04}", "text": text, **labels})
    return split_records
