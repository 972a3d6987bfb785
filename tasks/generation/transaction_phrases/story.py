"""The form of a story: the lists of templates that one flag has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Story:
    """The templates of one flag.

    A story has four forms. In the first, one sentence of `facts` contains everything, and its words are the same with
    and without the flag: who does what to whom, a negation, or amounts decide. In the second, a claim or an excuse is
    found to be true or untrue, so that only both halves together decide. In the third, one sentence (`whole_`) contains
    everything in words that differ. In the fourth, a `setup`, which suspicious and innocent records share, is followed
    by a sentence that decides. `yes` contains evidence for the flag, `no` near misses, written with the same words.

    opening: the key in `OPENINGS` of how a text begins. facts: sentences whose slots depend on the flag (see
    `transaction_payment`). claims: clauses that are evidence if they are true. excuses: clauses that explain the record
    if they are true.
    """

    opening: str
    facts: list[str]
    setup: list[str]
    yes: list[str]
    no: list[str]
    whole_yes: list[str]
    whole_no: list[str]
    claims: list[str]
    excuses: list[str]
