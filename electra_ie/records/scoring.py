"""Scores of records: by field, and of whole records. Gold records are made of gold findings by the same rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from electra_ie.data.declaration.record_plan import RecordField, RecordPlan
from electra_ie.metrics import ratios
from electra_ie.records.grouping import Record, content


def score_records(
    plan: RecordPlan,
    labeled: Sequence[Collection[str]],
    gold: Sequence[Sequence[Record]],
    found: Sequence[Sequence[Record]],
) -> dict[str, Any]:
    """Score the records of texts against those of their gold.

    Args:
        plan: The plan of the records.
        labeled: The names of the fields of the task that each text has gold for.
        gold: The records of the gold of each text.
        found: The records of the findings of each text.

    Returns:
        Under `fields`, precision, recall, F1 and counts of the values of each field: a value is right if the gold of
        the text has it in the same field, with its unit and currency, wherever it stands; of an ambiguous or refused
        value the text counts, and `without_value` is how many of the values in `support` and `found` are such.

        Under `whole`, the same of records: one is right if all of its fields have the values of a gold record of the
        text. A record without any value is left out of `whole`, on both sides.

        A field is scored on the texts with gold for all fields of the task that it is made of (see
        `RecordPlan.sources`), and whole records on those with gold for all fields of the task that they are made of.
        `documents` is the number of these texts.
    """

    def texts_with(fields: Sequence[RecordField]) -> tuple[Sequence[Sequence[Record]], Sequence[Sequence[Record]]]:
        """Return the records of the texts with gold for fields, of gold and of findings."""
        needed = plan.sources(fields)
        indices = [index for index, names in enumerate(labeled) if needed.issubset(names)]
        return [gold[index] for index in indices], [found[index] for index in indices]

    by_field = {}
    for field in plan.fields:
        expected, answers = texts_with([field])
        values = partial(_values, name=field.name)
        without = {"support": _without_value(expected, values), "found": _without_value(answers, values)}
        scores = _compared(expected, answers, values)
        by_field[field.name] = {"documents": len(expected), **scores, "without_value": without}
    expected, answers = texts_with(plan.fields)
    return {"fields": by_field, "whole": {"documents": len(expected), **_compared(expected, answers, _whole)}}


def _without_value(records: Sequence[Sequence[Record]], values: Callable[[Record], Iterable[Any]]) -> int:
    """Return how many of the values of a field are ambiguous or refused, so that only their texts are compared."""
    return sum(not is_certain for of_text in records for record in of_text for is_certain, *_ in values(record))


def _values(record: Record, name: str) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(content(entry) for entry in record.entries[name]))


def _whole(record: Record) -> list[tuple[frozenset[Any], ...]]:
    """Return the values of all fields as one item; none for a record without any value."""
    values = tuple(frozenset(_values(record, name)) for name in record.entries)
    return [values] if any(values) else []


def _compared(
    gold: Sequence[Sequence[Record]], found: Sequence[Sequence[Record]], items: Callable[[Record], Iterable[Any]]
) -> dict[str, Any]:
    """Return the scores of what `items` returns for each record, counted as often as it occurs in a text."""
    correct = predicted = support = 0
    for expected, answer in zip(gold, found, strict=True):
        one, other = (Counter(item for record in records for item in items(record)) for records in (expected, answer))
        correct, predicted, support = correct + (one & other).total(), predicted + other.total(), support + one.total()
    return ratios(correct, predicted, support)
