"""Payment records with flags and entities (spans): a line of columns, as payment systems export them, then a memo."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tasks.generation import transaction_names as names
from tasks.generation.grammar import Piece, Record, Sentence, assemble
from tasks.generation.roughen import roughen
from tasks.generation.transaction_payment import Payment
from tasks.generation.transaction_phrases import STORIES
from tasks.generation.transaction_phrases.shared import FILLERS, OPENINGS, VERDICTS
from tasks.generation.transaction_relations import relations

SIZES = {"train": 200, "dev": 120, "test": 400, "unlabeled": 1360}
FLAG_SHARES = {"structuring": 0.13, "sanctions_exposure": 0.1, "shell_company": 0.08, "mule_account": 0.11,
               "trade_mispricing": 0.055}  # fmt: skip
SECOND_FLAG, REMARK = 0.14, 0.4
"""Shares of the suspicious records that have a second flag, and that have a near miss of another flag."""
NEAR_MISS, SECOND_NEAR_MISS = 0.7, 0.25
"""Share of the other records with a near miss, and share of those that have a second one."""
FACTS, VERDICT, WHOLE = 0.42, 0.26, 0.14
"""Shares of the forms of a story (see `Story`); the rest has a setup and a sentence that decides."""
COLUMN_SLOTS = {"AMOUNT": "amount", "COUNTRY": "country"}
"""The slots with the content of the columns that are spans, by their label."""
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


def record(rng: random.Random, split: str, flags: Sequence[str]) -> Record:
    """Return one record with exactly these flags."""
    shown = list(flags) or (near_misses(rng) if rng.random() < NEAR_MISS else [])
    opening = STORIES[shown[0]].opening if shown else rng.choice(sorted(OPENINGS))
    payment = Payment(rng, split, opening)
    sentences = [payment.sentence(OPENINGS[opening])]
    for flag in shown:
        sentences += story_sentences(payment, flag, bool(flags))
    if flags and rng.random() < REMARK:
        others = [flag for flag in compatible(flags[0]) if flag not in flags]
        sentences += [innocent_remark(payment, rng.choice(others))] if others else []
    for _ in range(rng.choice((0, 1, 1, 2))):
        sentences.insert(rng.randint(1, len(sentences)), payment.sentence(FILLERS))
    joint = rng.choice((" ", " ", " ", "\n"))
    body: list[Piece] = []
    for sentence in sentences:
        body += [*([Piece(joint)] if body else []), *sentence.pieces]
    body = roughen(body, rng, names.SHORTENINGS, frozenset({"COUNTERPARTY"}))
    first_line = columns(payment, opening)
    text, spans = assemble([*first_line, *body])
    related = relations(spans, [COLUMN_SLOTS[piece.label] for piece in first_line if piece.label], sentences)
    return Record({"flags": list(flags)}, text, spans, [sentence.templates for sentence in sentences], related)


def near_misses(rng: random.Random) -> list[str]:
    """Return the one or two flags that a record without a flag nearly has, as often as the flags themselves occur."""
    shown = rng.choices(list(FLAG_SHARES), list(FLAG_SHARES.values()))
    if rng.random() < SECOND_NEAR_MISS:
        shown.append(rng.choice([flag for flag in compatible(shown[0]) if flag != shown[0]]))
    return shown


def story_sentences(payment: Payment, flag: str, has_flag: bool) -> list[Sentence]:
    """Return the one or two sentences of a story: evidence for `flag` if the record has it, else a near miss."""
    story = STORIES[flag]
    form = payment.rng.random()
    if form < FACTS:
        return [payment.fact(story.facts, has_flag)]
    payment.has_flag = False
    if form < FACTS + VERDICT:
        payment.claim_holds = payment.rng.random() < 0.5
        payment.clauses = story.claims if payment.claim_holds == has_flag else story.excuses
        verdict = payment.sentence(VERDICTS)
        return [payment.sentence(story.setup), verdict] if payment.rng.random() < 0.5 else [verdict]
    if form < FACTS + VERDICT + WHOLE:
        return [payment.sentence(story.whole_yes if has_flag else story.whole_no)]
    return [payment.sentence(story.setup), payment.sentence(story.yes if has_flag else story.no)]


def innocent_remark(payment: Payment, flag: str) -> Sentence:
    """Return a near miss of `flag` in one sentence."""
    if payment.rng.random() < 0.6:
        return payment.fact(STORIES[flag].facts, has_flag=False)
    return payment.sentence(STORIES[flag].whole_no)


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


def records(split: str, seed: int, taken: set[str]) -> list[Record]:
    """Return the records of a split.

    taken: the texts of the splits generated before, to which those of this one are added.
    """
    rng = random.Random(f"transaction_risk {split} {seed}")
    drawn: list[Record] = []
    for flags in draw_flags(rng, SIZES[split]):
        candidate = record(rng, split, flags)
        while len(candidate.text) > MAX_CHARACTERS or candidate.text in taken or not candidate.is_consistent():
            candidate = record(rng, split, flags)
        taken.add(candidate.text)
        drawn.append(candidate)
    return drawn
