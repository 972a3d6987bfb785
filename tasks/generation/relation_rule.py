"""`python -m tasks.generation.relation_rule [FOLDER]`: scores of two rules for the relations of transaction_relations, on test.

`nearest` relates each amount and each account to the nearest span of each label that it may be related to, by the label of
relations that is most frequent between such spans in train. `words` reads who pays, who is paid, and what reaches the
customer of the first sentence. It knows the templates of all splits, and nothing of the labels. Both are scored given the gold
spans, and strictly, with the spans of the keyword baseline. The data card quotes the table.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tasks.generation.keyword_baseline import FORMS, PATTERNS, f1, find, gazetteer, read_records
from tasks.generation.transaction_relations import ENDS

Span = tuple[int, int, str]
"""Start, end and label."""
Relation = tuple[Span, str, Span]
Rule = Callable[[str, Sequence[Span]], set[Relation]]
"""Returns the relations between the spans of a text."""

PAIRS = tuple(dict.fromkeys(pair for pairs in ENDS.values() for pair in pairs))
PAYER_AFTER = re.compile(r"\b(from|by order of|buyer|sold to|sender|payer)\W*$", re.IGNORECASE)
PAYER_BEFORE = re.compile(r"\W*(?:[A-Z][\w ]+, )?(sent|orders)\b", re.IGNORECASE)
SELLER_AFTER = re.compile(r"\b(documents|docs|lading|bought) from\W*$", re.IGNORECASE)
"""Words before and after a party that say that it pays, and words before one that is paid."""
BOTH_NAMED = re.compile(r"\b(received|rcvd|got|sent|arrived|booked for)\b", re.IGNORECASE)
"""Words of a sentence that names who pays and who is paid."""
UNDIRECTED = re.compile(r"\b(documentary|letter of credit|open (account|acct)|trade in)\b", re.IGNORECASE)
NOT_PAID_IN = re.compile(
    r"\b(rent|fees|wages|payroll|split|broken|cut|divided|moved as|leave|to go out)\b", re.IGNORECASE
)
"""Words of a sentence that does not say who is paid, and of one whose amounts are not paid to the customer."""
PASSED_ON = re.compile(r"\b(out|went|left|got|moved|gets|goes|paid)\b", re.IGNORECASE)
"""Words of a sentence in which a company is paid."""
COMPANY = re.compile(rf" {FORMS}$", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<!\(no)[.!?](?=\s)|\n")


def nearest(train: Iterable[dict[str, Any]]) -> Rule:
    """Return the rule `nearest`. train: the records that it counts."""
    counts: dict[tuple[str, str], Counter[str]] = {pair: Counter() for pair in PAIRS}
    for record in train:
        for head, label, tail in gold_relations(record):
            counts[head[2], tail[2]][label] += 1

    def rule(text: str, spans: Sequence[Span]) -> set[Relation]:
        return {
            (head, counts[head[2], label].most_common(1)[0][0], tail)
            for head in spans
            for from_label, label in PAIRS
            if from_label == head[2] and (tail := _closest(head, spans, label))
        }

    return rule


def words(text: str, spans: Sequence[Span]) -> set[Relation]:
    """Return the relations of the rule `words`. Amounts of the first line, of columns, belong to the sentence after it."""
    customer: list[Span] = []
    found: set[Relation] = set()
    for number, (passage, sentence) in enumerate(_sentences(text, spans)):
        parties = [span for span in sentence if span[2] == "COUNTERPARTY"]
        payers = [party for party in parties if _pays(text, party)]
        others = [party for party in parties if party not in payers]
        accounts = [span for span in sentence if span[2] == "ACCOUNT"]
        found |= {(each, "held_by", party) for each in accounts if (party := _closest(each, others, "COUNTERPARTY"))}
        amounts = [span for span in sentence if span[2] == "AMOUNT"]
        if number == 0:
            if not any(COMPANY.search(text[start:end]) for start, end, _ in parties):
                customer = [*others, *accounts]
            payees = others if not payers or BOTH_NAMED.search(passage) else []
            if not UNDIRECTED.search(passage):
                found |= _paid(amounts, payers, [*payees, *accounts])
            continue
        passed = amounts[-1:] if others and PASSED_ON.search(passage) else []
        found |= _paid(passed, customer, others)
        if not NOT_PAID_IN.search(passage):
            found |= _paid([amount for amount in amounts if amount not in passed], payers, customer)
    return found


def _sentences(text: str, spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    """Return the sentences of the memo with their spans, the first one with those of the columns, too."""
    memo = text.find("\n") + 1
    ends = [end for match in SENTENCE_END.finditer(text, memo) if not _is_inside(end := match.start(), spans)]
    starts = [memo, *(end + 1 for end in ends)]
    sentences: list[tuple[str, list[Span]]] = [
        (text[start:end], []) for start, end in zip(starts, [*ends, len(text)], strict=True)
    ]
    for span in sorted(spans):
        sentences[sum(end < span[0] for end in ends)][1].append(span)
    return sentences


def _paid(amounts: Iterable[Span], payers: Sequence[Span], payees: Sequence[Span]) -> set[Relation]:
    """Return what relates amounts to who pays, of several the next party after each amount, and to all who are paid."""
    found = {(amount, "paid_to", payee) for amount in amounts for payee in payees}
    for amount in amounts:
        parties = [payer for payer in payers if payer[2] == "COUNTERPARTY"]
        following = [party for party in parties if party > amount] or parties
        found |= {(amount, "paid_by", payer) for payer in [*following[:1], *(p for p in payers if p not in parties)]}
    return found


def _pays(text: str, party: Span) -> bool:
    """Return whether words beside a party say that it pays."""
    before, after = text[max(party[0] - 25, 0) : party[0]], text[party[1] : party[1] + 40]
    return bool(PAYER_AFTER.search(before) or PAYER_BEFORE.match(after)) and not SELLER_AFTER.search(before)


def _is_inside(place: int, spans: Iterable[Span]) -> bool:
    return any(start <= place < end for start, end, _ in spans)


def _closest(head: Span, spans: Iterable[Span], label: str) -> Span | None:
    """Return the span of a label with the fewest characters between it and the head; of equally near ones the first."""
    others = [span for span in spans if span[2] == label and span != head]
    return min(others, key=lambda span: (max(head[0] - span[1], span[0] - head[1]), span), default=None)


def gold_spans(record: dict[str, Any]) -> list[Span]:
    """Return the spans of a record."""
    return [_span(span) for span in record["entities"]]


def gold_relations(record: dict[str, Any]) -> set[Relation]:
    """Return the relations of a record."""
    return {(_span(each["head"]), each["label"], _span(each["tail"])) for each in record["relations"]}


def _span(span: dict[str, Any]) -> Span:
    return span["start"], span["end"], span["label"]


def scores(folder: Path) -> dict[str, list[float]]:
    """Return the F1 of each label, and of all: of both rules given the gold spans, and of both strictly."""
    train, test = (read_records(folder / "transaction_relations", split) for split in ("train", "test"))
    gold = [gold_relations(record) for record in test]
    given = [(record["text"], gold_spans(record)) for record in test]
    finders = gazetteer(train, PATTERNS["transaction_risk"])
    found = [(text, sorted(find(text, finders))) for text, _ in given]
    rules = nearest(train), words
    answers = [[rule(*each) for each in texts] for texts in (given, found) for rule in rules]
    table = {}
    for label in ENDS:
        sides = [[{each for each in relations if each[1] == label} for relations in side] for side in (gold, *answers)]
        table[label] = [f1(sides[0], side) for side in sides[1:]]
    return table | {"micro F1": [f1(gold, side) for side in answers]}


def show(folder: Path) -> str:
    """Return the scores as a Markdown table for the data card."""
    lines = [
        "| relations, test | `nearest`, spans given | `words`, spans given | `nearest`, strict | `words`, strict |"
    ]
    lines += ["|---|---:|---:|---:|---:|"]
    lines += [f"| {name} | {' | '.join(f'{value:.3f}' for value in row)} |" for name, row in scores(folder).items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(show(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]))
