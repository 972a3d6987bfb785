"""Quantities: a number with a unit, whose code in UCUM is returned."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from electra_ie.values.amounts import Amount
from electra_ie.values.cleaning import clean
from electra_ie.values.decimals import read_number
from electra_ie.values.locales import groups_by_blanks
from electra_ie.values.numerals import NUMBER, refuse_several
from electra_ie.values.settings import ValueSettings
from electra_ie.values.units import codes_of
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

POWER_ALONE = re.compile(r"10 ?(?:\^|\*{1,2}) ?\d{1,2}(?!\d)")
EXPONENT = re.compile(r"[eE](?P<power>[+-]?\d{1,2})(?![\d])")
TEN = re.compile(r"10[eE]\+?\d{1,2}(?!\d)")
"""A number in scientific notation, or a power of ten: 10E9/L is 10^9/L in laboratories."""
COUNT = re.compile(r"\d{1,2} (?=[1-9]\d\d(?!\d)(?! \d{3}))")
"""The first group of two, which may be a count: 2 500 mg are two tablets of 500 mg in English."""
DOSE = re.compile(r"(?:[mun]?g|mL|[kM]?\[IU\]|k?U|mmol|meq)(?:/d)?")
"""Units of what is given in pieces. Nobody writes a count before a distance or a laboratory value."""
NO_BREAK = re.compile(r"\d[\u00a0\u2009\u202f]\d")
"""Digits in groups, by the blanks of typography."""
BEFORE = re.compile(r"pH\b\s*[=:]?\s*")
POWER_OF_UNIT = re.compile(r"[A-Za-z](?:\^-?)?\d$")
"""A digit that belongs to a unit: cd/m2, m^-2, H2O."""
SEVERAL_UNITS = "the unit has several meanings"
MAY_COUNT = "the number before the blank may be a count"
MAY_BE_POWER = "10E9 may be a power of ten of the unit"


def read_quantity(text: str, settings: ValueSettings) -> Found:
    """Return a number with the code of its unit; a power of ten with a unit, 10^9/L, is one of this unit.

    Raises:
        Refused: there is no number, more than one, or no unit that is known.
    """
    cleaned = clean(text)
    if POWER_ALONE.match(cleaned):
        return _found(Amount((Decimal(1),), ("power_of_ten",)), codes_of(cleaned, settings.language))
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
    found = _found(amount.scaled(int(exponent["power"])) if exponent else amount, _codes(unit, settings.language))
    if TEN.match(cleaned):
        return _or_power(found, cleaned, settings)
    count = COUNT.match(cleaned)
    if count and not NO_BREAK.search(text) and any(DOSE.fullmatch(each.unit or "") for each in found.readings):
        return _or_count(found, cleaned[count.end() :], settings)
    return found


def _or_power(found: Found, text: str, settings: ValueSettings) -> Found:
    """Return the readings of a number such as 10E9, which may be a power of ten of its unit."""
    try:
        codes = codes_of(text, settings.language)
    except Refused:
        return found
    return _joined(found, _found(Amount((Decimal(1),), ("power_of_ten",)), codes), MAY_BE_POWER)


def _or_count(found: Found, piece: str, settings: ValueSettings) -> Found:
    """Return the readings of a number whose first group may be a count, unless the locale groups digits by blanks."""
    if settings.locale and groups_by_blanks(settings.locale):
        return found
    remedy = (
        f"the locale {settings.locale} does not group digits by blanks"
        if settings.locale
        else "set a locale that groups digits by blanks"
    )
    return _joined(found, read_quantity(piece, settings), f"{MAY_COUNT}: {remedy}")


def _joined(found: Found, other: Found, reason: str) -> Found:
    """Return the readings of a text that may be read in another way too."""
    reasons = "; ".join(filter(None, (reason, found.reason)))
    return replace(found, readings=(*found.readings, *other.readings), reason=reasons)


def _codes(unit: str, language: str) -> tuple[str, ...]:
    """Return the codes of what follows a number, or refuse a second number by what stands before it."""
    try:
        return codes_of(unit, language)
    except Refused:
        for match in NUMBER.finditer(unit):
            if not POWER_OF_UNIT.search(unit[: match.end()]):
                refuse_several(unit[: match.start()])
        raise


def _in_words(text: str, settings: ValueSettings) -> Found:
    """Return a quantity whose number is in words, with the unit as the last word or behind a Chinese numeral."""
    match = re.fullmatch(r"(?P<number>.*\S) (?P<unit>\S+)", text) or re.fullmatch(
        r"(?P<number>[负負零〇一二两兩三四五六七八九十百千万点]+)(?P<unit>.+)", text
    )
    if not match:
        raise Refused("no_number", "there is no number")
    return _found(read_number(match["number"], settings), codes_of(match["unit"], settings.language))


def _found(amount: Amount, codes: tuple[str, ...]) -> Found:
    candidates = tuple(Candidate(number, unit=code) for number in amount.readings for code in codes)
    reasons = [reason for reason in (SEVERAL_UNITS if len(codes) > 1 else "", amount.reason) if reason]
    form = f"{decimal_text(amount.readings[0])} {codes[0]}"
    return Found(candidates, ("unit", *amount.steps), (form,), ("ucumvert", *amount.libraries), "; ".join(reasons))
