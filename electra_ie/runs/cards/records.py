"""The section of a card on the records that are made of the findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from electra_ie.data.declaration.record_plan import Only, Place, RecordField, RecordPlan
from electra_ie.metrics import COUNTS, RECORDS
from electra_ie.runs.cards.facts import RunSummary
from electra_ie.runs.cards.markdown import DASH, number, plain
from electra_ie.runs.cards.metadata import SCORED


def record_lines(facts: RunSummary) -> Iterator[str]:
    """Yield the section on the records: how they are made, and their scores; nothing for a task without records."""
    plan = facts.task.record
    if plan is None:
        return
    yield "## Records"
    yield ""
    yield _grouping(plan)
    yield ""
    yield "| field | filled by | type | settings |"
    yield "| --- | --- | --- | --- |"
    yield from map(_field, plan.fields)
    for split in SCORED:
        if RECORDS in facts.scores.get(split, {}):
            yield ""
            yield from _scores(split, facts.scores[split][RECORDS])


def _grouping(plan: RecordPlan) -> str:
    made = "Records are made of the findings by fixed rules, and no model decides about them."
    if plan.anchor is None:
        return f"{made} Each text has one record."
    joined = f"by the relations `{plan.relation}`" if plan.relation else "if it is the nearest one"
    return f"{made} Each span {_place(plan.anchor)}{_with(plan.only)} has a record, which other spans join {joined}."


def _place(place: Place) -> str:
    return f"`{place.field}`" if place.label is None else f"`{plain(place.label)}` of `{place.field}`"


def _with(only: Only) -> str:
    """Return what the attributes of spans have to be."""
    return "".join(f" with {name} {' or '.join(map(plain, labels))}" for name, labels in only.items())


def _field(field: RecordField) -> str:
    source = f"{_place(field.place)}{_with(field.only)}"
    if field.related:
        source += f", related as {' or '.join(map(plain, field.related))}"
    if field.attribute:
        source = f"`{field.attribute}` of {source}"
    settings = [f"{name} {plain(str(value))}" for name, value in field.given.items()]
    if field.many:
        settings.append("several values are no conflict")
    return f"| {field.name} | {source} | {field.type} | {', '.join(settings)} |"


def _scores(split: str, scores: Mapping[str, Any]) -> Iterator[str]:
    yield f"| {split} | documents | gold | found | false | precision | recall | F1 | without a value |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, values in (*scores["fields"].items(), ("whole records", scores["whole"])):
        without = values.get("without_value")
        shown = DASH if without is None else f"{without['support']:,} of gold, {without['found']:,} found"
        counts = " | ".join(f"{values[key]:,}" for key in ("documents", *COUNTS))
        ratios = " | ".join(number(values[key]) for key in ("precision", "recall", "f1"))
        yield f"| {name} | {counts} | {ratios} | {shown} |"
    yield ""
    yield (
        "A value is right if the gold of the text has it in this field, with its unit and currency. Values that are "
        "ambiguous or refused have none: of these the texts are compared."
    )
