"""The relations between the spans of a payment record, as its templates state them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from tasks.generation.grammar import Sentence, Statement

ENDS = {
    "paid_to": (("AMOUNT", "COUNTERPARTY"), ("AMOUNT", "ACCOUNT")),
    "paid_by": (("AMOUNT", "COUNTERPARTY"), ("AMOUNT", "ACCOUNT")),
    "held_by": (("ACCOUNT", "COUNTERPARTY"),),
}
"""The labels of head and tail that each relation may have."""
CUSTOMER, OF_CUSTOMER = "customer", ("holder", "account")
"""The end of a statement that means the holder and the account, as far as the first sentence names them."""


def relations(
    spans: Sequence[dict[str, Any]], columns: Sequence[str], sentences: Sequence[Sentence]
) -> list[dict[str, Any]]:
    """Return the relations of a record in the form of the data files, in the order of the text.

    What the first sentence states of the amount holds for the column with the amount, too.

    spans: those of the record. columns: the slots of the columns that are spans. sentences: in the order of the text.
    """
    first, *others = (sentence.mentions for sentence in sentences)
    found, start, customer = [], 0, list[int]()
    for mentions, sentence in zip([[*columns, *first], *others], sentences, strict=True):
        places: dict[str, list[int]] = {}
        for place, name in enumerate(mentions, start):
            places.setdefault(name, []).append(place)
        customer = customer if start else [place for name in OF_CUSTOMER for place in places.get(name, ())]
        for statement in sentence.statements:
            found += [(*pair, statement.label) for pair in _pairs(statement, {**places, CUSTOMER: customer})]
        start += len(mentions)
    return [
        {"head": _without_text(spans[head]), "tail": _without_text(spans[tail]), "label": label}
        for head, tail, label in sorted(found)
    ]


def _pairs(statement: Statement, places: Mapping[str, list[int]]) -> list[tuple[int, int]]:
    """Return the heads with their tails: as many of a sentence one by one, otherwise all with all."""
    heads, tails = (places.get(name, []) for name in (statement.head, statement.tail))
    if statement.tail != CUSTOMER and len(heads) == len(tails):
        return list(zip(heads, tails, strict=True))
    return list(product(heads, tails))


def _without_text(span: dict[str, Any]) -> dict[str, Any]:
    return {key: span[key] for key in ("start", "end", "label")}
