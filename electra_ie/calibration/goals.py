"""Goals: which precision or recall is wanted of a label, as `precision=0.95:AMOUNT` says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from electra_ie.calibration.stored import MEASURES
from electra_ie.common.errors import UserError, nearest
from electra_ie.data.fields import ATTRIBUTES, RELATIONS, AnyField

FORM = "Write it as precision=0.95:LABEL or recall=0.9:FIELD.LABEL."


@dataclass(frozen=True)
class Goal:
    """A goal: `measure` (`precision` or `recall`) of at least `level`, between 0 and 1, for a label of a field."""

    measure: str
    level: float
    field: str
    label: str

    def __str__(self) -> str:
        return f"{self.measure}={self.level:g}:{self.field}.{self.label}"


def parse_goals(texts: Sequence[str], fields: Sequence[AnyField]) -> list[Goal]:
    """Return the goals in texts.

    Args:
        texts: The goals, each as `MEASURE=LEVEL:LABEL` or `MEASURE=LEVEL:FIELD.LABEL`.
        fields: The fields of the task.

    Raises:
        UserError: There is none, one is malformed, no field or several fields have the label, its scores are not
            calibrated, or two goals are for the same measure and label.
    """
    if not texts:
        raise UserError("there is no goal.", remedy=f"Give at least one with --goal. {FORM}")
    goals: list[Goal] = []
    for text in texts:
        goal = _parse(text, fields)
        if any((goal.measure, goal.field, goal.label) == (each.measure, each.field, each.label) for each in goals):
            message = f'the goal "{text}" is the second one for {goal.measure} of {goal.field}.{goal.label}.'
            raise UserError(message, remedy="Give one of them.")
        goals.append(goal)
    return goals


def _parse(text: str, fields: Sequence[AnyField]) -> Goal:
    wanted, colon, label = text.partition(":")
    measure, equals, level = (part.strip() for part in wanted.partition("="))
    if not (colon and equals and label.strip()):
        raise UserError(f'the goal "{text}" is malformed.', remedy=FORM)
    if measure not in MEASURES:
        raise UserError(f'the goal "{text}" is for "{measure}".', remedy=nearest(measure, MEASURES))
    try:
        value = float(level)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise UserError(f'the goal "{text}" has the value "{level}".', remedy="It must be above 0 and below 1.")
    return Goal(measure, value, *_place(text, label.strip(), fields))


def _place(text: str, label: str, fields: Sequence[AnyField]) -> tuple[str, str]:
    """Return field and label. Raises UserError if there is no such label, it is ambiguous, or not calibrated."""
    named = {f"{field.name}.{own}": (field, own) for field in fields for own in field.labels}
    places = [named[label]] if label in named else [(field, label) for field in fields if label in field.labels]
    if not places:
        known = dict.fromkeys([own for field in fields for own in field.labels] + list(named))
        raise UserError(f'the goal "{text}" names no label: no field has "{label}".', remedy=nearest(label, known))
    if len(places) > 1:
        several = " or ".join(f"{field.name}.{label}" for field, _ in places)
        raise UserError(f'the goal "{text}" is ambiguous: several fields have "{label}".', remedy=f"Write {several}.")
    field, own = places[0]
    if field.kind in (ATTRIBUTES, RELATIONS):
        message = f'the goal "{text}" is for a label of {field.kind}, whose scores are not calibrated.'
        raise UserError(message, remedy="Set goals for the labels of the spans that they belong to.")
    return field.name, own
