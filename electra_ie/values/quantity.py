"""Quantities: a number with a unit, whose code in UCUM is returned."""

from __future__ import annotations

import re
from decimal import Decimal

from electra_ie.values.amounts import Amount
from electra_ie.values.cleaning import clean
from electra_ie.values.decimals import read_number
from electra_ie.values.numerals import NUMBER, refuse_several
from electra_ie.values.settings import ValueSettings
from electra_ie.values.units import codes_of
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

POWER_ALONE = re.compile(r"10 ?(?:\^|\*{1,2}) ?\d{1,2}(?!\d)")
EXPONENT = re.compile(r"[eE](?P<power>[+-]?\d{1,2})(?![\d])")
BEFORE = re.compile(r"pH\b\s*[=:]?\s*")
SEVERAL_UNITS = "the unit has several meanings"


def read_quantity(text: str, settings: ValueSettings) -> Found:
    """Return a number with the code of its unit; a power of ten with a unit, 10^9/L, is one of this unit.

    Raises:
        Refused: there is no number, more than one, or no unit that is known.
    """
    cleaned = clean(text)
    if POWER_ALONE.match(cleaned):
        return _found(Amount((Decimal(1),), ("power_of_ten",)), codes_of(cleaned))
    unit_before = BEFORE.match(cleaned)
    cleaned = cleaned[unit_before.end() :] + " pH" if unit_before else cleaned
    match = NUMBER.search(cleaned)
    if match is None:
        return _in_words(cleaned, settings)
    exponent = EXPONENT.match(cleaned, match.end())
    unit = cleaned[exponent.end() if exponent else match.end() :]
    amount = read_number(cleaned[: match.end()], settings)
    if not unit.strip(" ."):
        raise Refused("no_unit", "there is no unit")
    return _found(amount.scaled(int(exponent["power"])) if exponent else amount, _codes(unit))


def _codes(unit: str) -> tuple[str, ...]:
    """Return the codes of what follows a number, or refuse a second number by what stands before it."""
    try:
        return codes_of(unit)
    except Refused:
        if second := NUMBER.search(unit):
            refuse_several(unit[: second.start()])
        raise


def _in_words(text: str, settings: ValueSettings) -> Found:
    """Return a quantity whose number is in words, with the unit as the last word or behind a Chinese numeral."""
    match = re.fullmatch(r"(?P<number>.*\S) (?P<unit>\S+)", text) or re.fullmatch(
        r"(?P<number>[负負零〇一二两兩三四五六七八九十百千万点]+)(?P<unit>.+)", text
    )
    if not match:
        raise Refused("no_number", "there is no number")
    return _found(read_number(match["number"], settings), codes_of(match["unit"]))


def _found(amount: Amount, codes: tuple[str, ...]) -> Found:
    candidates = tuple(Candidate(number, unit=code) for number in amount.readings for code in codes)
    reasons = [reason for reason in (SEVERAL_UNITS if len(codes) > 1 else "", amount.reason) if reason]
    form = f"{decimal_text(amount.readings[0])} {codes[0]}"
    return Found(candidates, ("unit", *amount.steps), (form,), ("ucumvert", *amount.libraries), "; ".join(reasons))
