"""Dates in ISO 8601, with the precision of the text: a day, a month, or a year. No clock is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from electra_ie.values.cleaning import clean
from electra_ie.values.date_names import CHINESE_DATE, named_month, of_chinese, weekday_of
from electra_ie.values.iso_dates import iso
from electra_ie.values.locales import month_names
from electra_ie.values.no_dates import NO_YEAR, refusal
from electra_ie.values.relative_dates import read_relative
from electra_ie.values.settings import DATE_ORDERS, ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

ISO = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?")
THREE = re.compile(r"(\d{4}|\d{1,2})(?P<sep> ?[./-] ?| )(\d{1,2})(?P=sep)(\d{4}|\d{1,2})\.?")
TOGETHER = re.compile(r"(\d{8}|\d{6})")
MONTH_YEAR = re.compile(r"(?:(?P<month>\d{1,2})[./-](?P<year>\d{4})|(?P<year2>\d{4})[./](?P<month2>\d{1,2}))")
TIME = re.compile(
    r"(?<=[\d日号號])(?:T|,? (?:at |um |\u00e0 )?)(?:(?:[01]?\d|2[0-3]):[0-5]\d|24:00)"
    r"(?::(?:[0-5]\d|60)(?:[.,]\d{1,9})?)? ?(?:[ap]\.?m\.?|Uhr)? ?"
    r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.I,
)
"""A time behind a date."""
YEAR_WORD = re.compile(r"(?<=\d{4}) ?(?:r\.?|\u0433\.?|\u0433\u043e\u0434\u0430|\u0440\.?|AD|CE)")
"""A word for year behind it, in Polish and Russian."""
CENTURY = "the year has two digits"
FINANCIAL_YEAR = re.compile(r"(?P<year>\d{4})[-/](?P<month>\d\d)")
"""A year with the two digits of the next one, 2011-12, is written as a year with its month."""


def read_date(text: str, settings: ValueSettings) -> Found:
    """Return a date as a text: `2021-05-03`, `2021-05`, or `2021`.

    Raises:
        Refused: this is no date, or one without a year, or a relative one without a reference date.
    """
    cleaned = clean(text)
    if (found := read_relative(cleaned, settings)) is not None:
        return found
    shortened, steps = _without_time(cleaned)
    weekday, shortened = weekday_of(shortened, settings.language)
    for reader in (_iso, _numeric, _together, _month_and_year, _named, _chinese):
        if (found := reader(shortened, settings)) is not None:
            return _checked(found, weekday, steps)
    if shortened.casefold().rstrip(".") in month_names(settings.language):
        raise Refused("no_year", NO_YEAR)
    raise refusal(shortened)


def _without_time(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without the time behind its date, and without a word for year."""
    matches = list(TIME.finditer(text))
    steps: tuple[str, ...] = ()
    if matches and matches[-1].end() == len(text):
        text, steps = text[: matches[-1].start()].rstrip(), ("time_left_out",)
    return YEAR_WORD.sub("", text).strip(), steps


def _checked(found: Found, weekday: int | None, steps: tuple[str, ...]) -> Found:
    """Return a date whose weekday is the one that the text names."""
    readings = found.readings
    if weekday is not None:
        full = [reading for reading in readings if len(str(reading.value)) == len("2021-05-03")]
        readings = tuple(each for each in full if date.fromisoformat(str(each.value)).weekday() == weekday)
        if not readings:
            raise Refused("weekday", "the date is on another day of the week")
        steps = (*steps, "weekday")
    reason = found.reason if len(readings) > 1 else ""
    return Found(readings, (*found.steps, *steps), found.forms, found.libraries, reason)


def _iso(text: str, settings: ValueSettings) -> Found | None:
    if not (match := ISO.fullmatch(text)):
        return None
    year, month, day = match["year"], match["month"], match["day"]
    value = iso(int(year), int(month) if month else None, int(day) if day else None)
    return _or_financial_year(text, Found((Candidate(value),), ("iso",), (value,)), settings)


def _or_financial_year(text: str, month: Found, settings: ValueSettings) -> Found:
    """Return a month, with the year in which the financial year begins that the text may be too.

    The date order YMD says that the month is behind the year.
    """
    match = FINANCIAL_YEAR.fullmatch(text)
    if not match or int(match["month"]) != (int(match["year"]) + 1) % 100 or settings.date_order == "YMD":
        return month
    readings = (*month.readings, Candidate(match["year"]))
    return Found(readings, ("financial_year",), reason="a month, or the two years of a financial year")


def _numeric(text: str, settings: ValueSettings) -> Found | None:
    if not (match := THREE.fullmatch(text)):
        return None
    return _ordered((match[1], match[3], match[4]), settings)


def _together(text: str, settings: ValueSettings) -> Found | None:
    """Return the date of 8 digits, 20210503, or 6; each order cuts them in its own way."""
    if not TOGETHER.fullmatch(text):
        return None
    long = len(text) == len("20210503")
    year = 4 if long else 2
    parts = {"YMD": (text[:year], text[year:-2], text[-2:]), "DMY": (text[:2], text[2:4], text[4:])}
    parts["MDY"] = parts["DMY"]
    if settings.date_order:
        return _ordered(parts[settings.date_order], settings)
    found: list[Candidate] = []
    for order, cut in parts.items():
        found += [Candidate(value) for value in _dates(cut, order)]
    return _one_or_several(found, "digits", not long)


def _ordered(parts: tuple[str, str, str], settings: ValueSettings) -> Found:
    """Return the dates of three numbers in the order of the settings, or in each possible one."""
    orders = [settings.date_order] if settings.date_order else DATE_ORDERS
    found = [Candidate(value) for order in orders for value in _dates(parts, str(order))]
    two_digits = not any(len(part) == len("2021") for part in parts)
    step = "date_order" if settings.date_order else "year_first" if len(parts[0]) == len("2021") else "every_order"
    return _one_or_several(found, step, two_digits)


def _dates(parts: tuple[str, str, str], order: str) -> Iterator[str]:
    """Yield the dates of three numbers in an order; two for a year of two digits."""
    named = dict(zip(order, parts, strict=True))
    if len(named["D"]) > 2 or len(named["M"]) > 2:  # noqa: PLR2004
        return
    if len(named["Y"]) == 1:
        return
    years = (named["Y"],) if len(named["Y"]) == len("2021") else ("19" + named["Y"], "20" + named["Y"])
    for year in years:
        try:
            yield iso(int(year), int(named["M"]), int(named["D"]))
        except (Refused, ValueError):
            continue


def _one_or_several(found: list[Candidate], step: str, two_digits: bool) -> Found:
    readings = tuple(dict.fromkeys(found))
    if not readings:
        raise Refused("no_such_day", "there is no such day in the order of day, month and year")
    if len(readings) == 1:
        return Found(readings, (step,))
    if two_digits:
        return Found(readings, ("two_digit_year",), reason=CENTURY)
    return Found(readings, ("no_order",), reason="day and month may change places: set the date order")


def _month_and_year(text: str, settings: ValueSettings) -> Found | None:
    if not (match := MONTH_YEAR.fullmatch(text)):
        return None
    value = iso(int(match["year"] or match["year2"]), int(match["month"] or match["month2"]))
    return _or_financial_year(text, Found((Candidate(value),), ("month_and_year",)), settings)


def _named(text: str, settings: ValueSettings) -> Found | None:
    if not (parts := named_month(text, settings.language)):
        return None
    year, month, day = parts
    if len(year) == len("2021"):
        return Found((Candidate(iso(int(year), month, day)),), ("month_name",), libraries=("babel",))
    found = []
    for century in ("19", "20"):
        try:
            found.append(Candidate(iso(int(century + year), month, day)))
        except Refused:
            continue
    if not found:
        raise Refused("no_such_day", "there is no such day")
    return Found(tuple(found), ("two_digit_year",), libraries=("babel",), reason=CENTURY if len(found) > 1 else "")


def _chinese(text: str, settings: ValueSettings) -> Found | None:  # noqa: ARG001
    if not (match := CHINESE_DATE.fullmatch(text)):
        return None
    year, month, day = of_chinese(match)
    return Found((Candidate(iso(year, month, day)),), ("year_month_day",))
