"""Scores of records: by field, and of whole records. Gold records are made of gold findings by the same rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from electra_ie.metrics import ratios
from electra_ie.records.grouping import Record, content


def score_records(
    fields: Sequence[str], gold: Sequence[Sequence[Record]], found: Sequence[Sequence[Record]]
) -> dict[str, Any]:
    """Score the records of texts against those of their gold.

    Args:
        fields: The names of the fields of a record.
        gold: The records of the gold of each text.
        found: The records of the findings of each text.

    Returns:
        Under `fields`, precision, recall, F1 and counts of the values of each field: a value is right if the gold of
        the text has it in the same field, with its unit and currency, wherever it stands; of an ambiguous or refused
        value the text counts. Under `whole`, the same of records: one is right if all of its fields have the values of
        a gold record of the text.
    """
    by_field = {name: _compared(gold, found, lambda record, name=name: _values(record, name)) for name in fields}
    whole = _compared(gold, found, lambda record: [tuple(frozenset(_values(record, name)) for name in fields)])
    return {"fields": by_field, "whole": whole}


def _values(record: Record, name: str) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(content(entry) for entry in record.entries[name]))


def _compared(gold: Sequence[Sequence[Record]], found: Sequence[Sequence[Record]], items: Any) -> dict[str, Any]:
    """Return the scores of what `items` returns for each record, counted as often as it occurs in a text."""
    correct = predicted = support = 0
    for expected, answer in zip(gold, found, strict=True):
        one, other = (Counter(item for record in records for item in items(record)) for records in (expected, answer))
        correct, predicted, support = correct + (one & other).total(), predicted + other.total(), support + one.total()
    return ratios(correct, predicted, support)
