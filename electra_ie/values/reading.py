"""The types of values, and the function that reads a text as one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from electra_ie.common.errors import UserError, nearest
from electra_ie.values.code import read_code
from electra_ie.values.dates import read_date
from electra_ie.values.decimals import read_decimal, read_integer
from electra_ie.values.identifier import read_identifier
from electra_ie.values.money import read_money
from electra_ie.values.percentage import read_percentage
from electra_ie.values.quantity import read_quantity
from electra_ie.values.settings import ValueSettings, require
from electra_ie.values.text import read_text_value
from electra_ie.values.value import Found, Refused, Status, Value
from electra_ie.values.yes_no import read_yes_no


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of values.

    Args:
        name: Its name.
        read: The function that finds the value of a text, or raises `Refused`.
        description: One line for people.
        packages: The packages without which no text can be read.
        limit: The characters that a text may have: a longer one is refused before it is read.
        version: Of its rules; it is counted up when a text gets another value, from the first release on.
    """

    name: str
    read: Callable[[str, ValueSettings], Found]
    description: str
    packages: tuple[str, ...] = ()
    limit: int = 200
    version: int = 1


VALUE_TYPES: dict[str, ValueType] = {
    each.name: each
    for each in (
        ValueType("text", read_text_value, "the text, with single blanks", limit=100_000),
        ValueType("integer", read_integer, "a whole number"),
        ValueType("decimal", read_decimal, "a decimal number, without loss"),
        ValueType("money", read_money, "an amount with its currency in ISO 4217", ("babel",)),
        ValueType("date", read_date, "a day, month or year in ISO 8601", ("babel",)),
        ValueType("quantity", read_quantity, "a number with its unit in UCUM", ("ucumvert",)),
        ValueType("percentage", read_percentage, "a number of percent"),
        ValueType("yes_no", read_yes_no, "yes or no"),
        ValueType("identifier", read_identifier, "an IBAN, BIC, LEI, ISIN or card number, checked", ("stdnum",)),
        ValueType("code", read_code, "a code of a list in a file", limit=1_000),
    )
}
"""The types by name."""


def check_type(type: str, settings: ValueSettings) -> ValueType:
    """Return a type by its name, before any text is read.

    Raises:
        UserError: there is no such type, it needs a package that is not installed, or a setting that is missing.
    """
    if type not in VALUE_TYPES:
        raise UserError(f'there is no type of values "{type}".', remedy=nearest(type, VALUE_TYPES))
    for package in VALUE_TYPES[type].packages:
        require(package)
    if type == "code" and settings.codes is None:
        raise UserError("the type code needs a list.", remedy="Give the file of the codes: --codes FILE.")
    return VALUE_TYPES[type]


def read_value(type: str, text: str, settings: ValueSettings | None = None) -> Value:
    """Return the value of a text. The same arguments give the same value, on every day.

    Args:
        type: One of `VALUE_TYPES`.
        text: The text. No text raises an error: it is refused.
        settings: What the text does not say.

    Raises:
        UserError: `check_type` does.
    """
    settings = settings or ValueSettings()
    reader = check_type(type, settings)
    try:
        if not text.strip():
            raise Refused("empty", "there is no text")
        if len(text) > reader.limit:
            raise Refused("length", f"the text has more than {reader.limit:,} characters")
        found = reader.read(text, settings)
    except Refused as refusal:
        return Value(type, "refused", f"{type}:{refusal.rule}", str(reader.version), reason=refusal.reason)
    rule, versions = f"{type}:{'+'.join(found.steps)}", _versions(reader.version, found.libraries)
    readings = tuple(dict.fromkeys(found.readings))
    if len(readings) > 1:
        return Value(type, "ambiguous", rule, versions, reason=found.reason, candidates=readings)
    one = readings[0]
    status: Status = "exact" if text in found.forms else "normalized"
    return Value(type, status, rule, versions, one.value, one.unit, one.currency)


@cache
def _versions(rules: int, libraries: tuple[str, ...]) -> str:
    return "+".join([str(rules), *(f"{name}-{version(name)}" for name in dict.fromkeys(libraries))])
