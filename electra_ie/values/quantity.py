"""Quantities: a number with a unit, whose code in UCUM is returned."""

from __future__ import annotations

import re
from decimal import Decimal

from electra_ie.values.amounts import base_lexicon, read_amount
from electra_ie.values.cleaning import clean
from electra_ie.values.decimals import reason_of, scaled
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
        return _found((Decimal(1),), codes_of(cleaned), ("power_of_ten",), ())
    unit_before = BEFORE.match(cleaned)
    cleaned = cleaned[unit_before.end() :] + " pH" if unit_before else cleaned
    match = NUMBER.search(cleaned)
    if match is None:
        return _in_words(cleaned, settings)
    end, power = match.end(), 0
    if exponent := EXPONENT.match(cleaned, end):
        end, power = exponent.end(), int(exponent["power"])
    amount = read_amount(cleaned[: match.end()], settings, base_lexicon(settings.language))
    unit = cleaned[end:]
    if not unit.strip(" ."):
        raise Refused("no_unit", "there is no unit")
    codes = _codes(unit)
    numbers = scaled(amount.readings, power) if power else amount.readings
    return _found(numbers, codes, (*amount.steps, *(["power_of_ten"] if power else [])), amount.libraries)


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
    amount = read_amount(match["number"], settings, base_lexicon(settings.language))
    return _found(amount.readings, codes_of(match["unit"]), amount.steps, amount.libraries)


def _found(
    numbers: tuple[Decimal, ...], codes: tuple[str, ...], steps: tuple[str, ...], libraries: tuple[str, ...]
) -> Found:
    candidates = tuple(Candidate(number, unit=code) for number in numbers for code in codes)
    reasons = [reason for reason in (SEVERAL_UNITS if len(codes) > 1 else "", reason_of(numbers)) if reason]
    form = f"{decimal_text(numbers[0])} {codes[0]}"
    return Found(candidates, ("unit", *steps), (form,), ("ucumvert", *libraries), "; ".join(reasons))
