"""Integers and decimal numbers."""

from __future__ import annotations

import re

from electra_ie.values.amounts import Amount, base_lexicon, is_whole, read_amount
from electra_ie.values.cleaning import clean
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

POWER = re.compile(r"(?P<number>.*\d) ?(?:[eE]|[x*\u00b7] ?10\^)(?P<power>[+-]?\d{1,3})")


def read_decimal(text: str, settings: ValueSettings) -> Found:
    """Return a decimal number.

    Raises:
        Refused: there is no number, more than one, or another word.
    """
    cleaned = clean(text)
    match = POWER.fullmatch(cleaned)
    amount = read_number(match["number"] if match else cleaned, settings)
    amount = amount.scaled(int(match["power"])) if match else amount
    numbers = amount.readings
    forms = (decimal_text(numbers[0]),)
    return Found(tuple(map(Candidate, numbers)), amount.steps or ("digits",), forms, amount.libraries, amount.reason)


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
    return Found(tuple(map(Candidate, numbers)), amount.steps or ("digits",), forms, amount.libraries, amount.reason)


def read_number(text: str, settings: ValueSettings) -> Amount:
    """Return a number with nothing else than a sign and a magnitude."""
    return read_amount(text, settings, base_lexicon(settings.language))
