"""Integers and decimal numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from electra_ie.values.amounts import Amount, base_lexicon, is_whole, read_amount, times
from electra_ie.values.cleaning import clean
from electra_ie.values.numerals import MAX_DIGITS
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

POWER = re.compile(r"(?P<number>.*\d) ?(?:[eE]|[x*\u00b7] ?10\^)(?P<power>[+-]?\d{1,3})")
SEPARATOR = "the separator may be of groups or of the fraction: set the locale"


def read_decimal(text: str, settings: ValueSettings) -> Found:
    """Return a decimal number.

    Raises:
        Refused: there is no number, more than one, or another word.
    """
    cleaned = clean(text)
    number, power = cleaned, 0
    if match := POWER.fullmatch(cleaned):
        number, power = match["number"], int(match["power"])
    amount = read_number(number, settings)
    if power:
        amount = replace(amount, readings=scaled(amount.readings, power), steps=(*amount.steps, "power_of_ten"))
    numbers = amount.readings
    forms = (decimal_text(numbers[0]),)
    return Found(
        tuple(map(Candidate, numbers)), amount.steps or ("digits",), forms, amount.libraries, reason_of(numbers)
    )


def read_integer(text: str, settings: ValueSettings) -> Found:
    """Return a whole number.

    Raises:
        Refused: there is no number, more than one, another word, or a fraction.
    """
    amount = read_number(clean(text), settings)
    if not any(is_whole(number) for number in amount.readings):
        raise Refused("fraction", "the number is not whole")
    numbers = [int(number) if is_whole(number) else number for number in amount.readings]
    forms = (str(numbers[0]),)
    return Found(
        tuple(map(Candidate, numbers)), amount.steps or ("digits",), forms, amount.libraries, reason_of(numbers)
    )


def read_number(text: str, settings: ValueSettings) -> Amount:
    """Return a number with nothing else than a sign and a magnitude."""
    return read_amount(text, settings, base_lexicon(settings.language))


def scaled(numbers: tuple[Decimal, ...], power: int) -> tuple[Decimal, ...]:
    """Return numbers times a power of ten.

    Raises:
        Refused: the power has more digits than a number may have.
    """
    if abs(power) > MAX_DIGITS:
        raise Refused("digits", f"the power of ten is above {MAX_DIGITS}")
    return tuple(times(number, Decimal(1).scaleb(power)) for number in numbers)


def reason_of(numbers: Sequence[int | Decimal]) -> str:
    """Return why a number has several readings; empty for one reading."""
    return SEPARATOR if len(numbers) > 1 else ""
