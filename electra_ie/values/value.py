"""A typed value: what a reader of a type makes of a text, with the rule that fired; refusals are results too."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Scalar = str | int | bool | Decimal
Status = Literal["exact", "normalized", "ambiguous", "refused"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a text.

    Args:
        value: A `Decimal` (decimal, money, quantity, percentage), an int, a bool, or a text (dates in ISO 8601).
        unit: The UCUM code of a quantity, `%` of a percentage.
        currency: The ISO 4217 code of an amount; None if the text names none.
    """

    value: Scalar
    unit: str | None = None
    currency: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate for JSON: a decimal as a text without exponent, so that no digit is lost."""
        return {"value": plain(self.value), "unit": self.unit, "currency": self.currency}


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a text.

    Args:
        type: The name of its type, one of `VALUE_TYPES`.
        status: `exact`, the text is the value as it is written; `normalized`, the text has one reading; `ambiguous`, it
            has several; `refused`, it has none.
        rule: The steps that lead to the value, `money:code+grouping`, or the rule that refused it.
        version: The version of the rules of the type, with those of the libraries whose data they use:
            `1+babel-2.19.0`.
        value: As in `Candidate`. None if the text is ambiguous or refused.
        unit: As in `Candidate`.
        currency: As in `Candidate`.
        reason: Why the value is ambiguous or refused; else empty.
        candidates: The readings of an ambiguous text, else empty.
    """

    type: str
    status: Status
    rule: str
    version: str
    value: Scalar | None = None
    unit: str | None = None
    currency: str | None = None
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether the text has exactly one reading."""
        return self.status in ("exact", "normalized")

    def as_dict(self) -> dict[str, Any]:
        """Return the value for JSON. Decimals are texts without exponent; all keys are always there."""
        return {
            "type": self.type,
            "value": plain(self.value),
            "unit": self.unit,
            "currency": self.currency,
            "status": self.status,
            "rule": self.rule,
            "version": self.version,
            "reason": self.reason,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


def decimal_text(number: Decimal) -> str:
    """Return a decimal without exponent and with all its digits: `1200.00`."""
    return format(number, "f")


def plain(value: Scalar | None) -> str | int | bool | None:
    """Return a value for JSON: a decimal as a text."""
    return decimal_text(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found in a text.

    Args:
        readings: The different readings, at least one.
        steps: The names of the rules that fired.
        forms: The texts that write the value in its canonical form; one of them is `exact`.
        libraries: The packages whose data decided.
        reason: Why there are several readings.
    """

    readings: tuple[Candidate, ...]
    steps: tuple[str, ...]
    forms: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    reason: str = ""


class Refused(Exception):  # noqa: N818 - not an error: the reader of a type has no value for the text
    """Raised by the reader of a type for a text without a value, and turned into a `Value` by `read_value`.

    Args:
        rule: The name of the rule that refuses.
        reason: Why, for people.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason
