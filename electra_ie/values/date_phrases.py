"""Dates in other words, read by dateparser behind a gate: it fills what a text does not say, and guesses orders.

Relative dates are read if there is a reference date. Their precision is that of their words: `3 days ago` is a day,
`3 months ago` a month. An absolute date is taken if the text states its day and its year, if every order of day and
month gives the same date, and if no reference date changes it.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any

from electra_ie.values.iso_dates import iso
from electra_ie.values.number_words import chinese_integer
from electra_ie.values.settings import DATE_ORDERS, ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

BASES = (datetime(2001, 3, 15), datetime(2002, 7, 16))
"""Reference dates that show by which unit a phrase counts, and whether a date depends on them."""
YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
DAY = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
CHINESE_DAYS = {"今天": 0, "今日": 0, "昨天": -1, "昨日": -1, "前天": -2, "明天": 1, "明日": 1, "后天": 2, "後天": 2}
CHINESE_AGO = re.compile("(?P<number>[0-9一二两三四五六七八九十百]+) ?(?:天|日)(?P<way>[以之]?前|[以之]?[后後])")
RANGE = re.compile(r"\d\S* ?(?:-|/|~|to|until|till|bis|und|and|or|\u00e0|au|al|a|\u81f3|\u5230) ?\S*\d|\d\.\.+\d", re.I)
PAIR = re.compile(r"\d{1,2}[./-]\d{1,2}\.?")
APPROXIMATE = re.compile(
    r"(?:early|mid|late|end of|beginning of|start of|about|around|circa|ca\.?|approx\.?|anfang|mitte|ende|"
    r"d\u00e9but|fin|spring|summer|autumn|fall|winter|q[1-4]|h[12])\b",
    re.I,
)
NO_YEAR = "the text states no year in four digits"
MAX_LENGTH = 60
MONTHS_A_YEAR, DAYS_A_WEEK = 12, 7


def read_phrase(text: str, settings: ValueSettings) -> Found:
    """Return a relative date, or an absolute one whose form the grammar does not know.

    Raises:
        Refused: there is none, or it is relative and there is no reference date.
    """
    if APPROXIMATE.match(text):
        raise Refused("approximate", "a part of a month or year, not a date")
    if PAIR.fullmatch(text):
        raise Refused("no_year", NO_YEAR)
    if RANGE.search(text):
        raise Refused("range", "a range of dates, or several")
    if len(text) <= MAX_LENGTH:
        found = _chinese_days(text, settings) or _relative(text, settings) or _absolute(text, settings.language)
        if found:
            return found
    if re.search(r"\d", text) and not YEAR.search(text):
        raise Refused("no_year", NO_YEAR)
    raise Refused("no_date", "this is no date that the rules know")


def _chinese_days(text: str, settings: ValueSettings) -> Found | None:
    """Return 昨天, 三天前 and the like."""
    days = CHINESE_DAYS.get(text)
    if match := CHINESE_AGO.fullmatch(text):
        number = chinese_integer(match["number"])
        days = None if number is None else -number if match["way"].endswith("前") else number
    if days is None:
        return None
    reference = _reference(settings)
    try:
        day = reference.fromordinal(reference.toordinal() + days)
    except (ValueError, OverflowError):
        raise Refused("no_such_day", "there is no such day") from None
    return Found((Candidate(iso(day.year, day.month, day.day)),), ("relative",))


def _reference(settings: ValueSettings) -> datetime:
    if settings.reference_date is None:
        raise Refused("relative", "a relative date: set the reference date")
    return datetime.combine(settings.reference_date, time())


def _relative(text: str, settings: ValueSettings) -> Found | None:
    """Return a relative date by dateparser, to the precision of its unit."""
    days = []
    for base in BASES:
        found = _parse(text, settings.language, "relative-time", base)
        if found is None:
            return None
        days.append((found - base).days)
    reference = _reference(settings)
    moved = _parse(text, settings.language, "relative-time", reference)
    if moved is None or moved.time() != time():
        raise Refused("relative", "a relative time that is not counted in days, months or years")
    if days[0] == days[1]:
        if abs(days[0]) == DAYS_A_WEEK and str(DAYS_A_WEEK) not in text:
            raise Refused("relative", "a week is no day")
        return _dated(iso(moved.year, moved.month, moved.day))
    months = MONTHS_A_YEAR * (moved.year - reference.year) + moved.month - reference.month
    return _dated(iso(moved.year, moved.month) if months % MONTHS_A_YEAR else iso(moved.year))


def _dated(value: str) -> Found:
    return Found((Candidate(value),), ("relative",), libraries=("dateparser",))


def _absolute(text: str, language: str) -> Found | None:
    """Return an absolute date on which dateparser agrees with itself, whatever the order and the reference date."""
    year, day = YEAR.findall(text), DAY.findall(text)
    if len(year) != 1 or len(day) != 1 or not re.search(r"[^\W\d_]", text):
        return None
    found = {_parse(text, language, "absolute-time", base, order) for order in DATE_ORDERS for base in BASES}
    (one,) = found if len(found) == 1 else (None,)
    if one is None or (one.year, one.day) != (int(year[0]), int(day[0])):
        return None
    return Found((Candidate(iso(one.year, one.month, one.day)),), ("phrase",), libraries=("dateparser",))


def _parse(text: str, language: str, parser: str, base: datetime, order: str = "") -> datetime | None:
    """Return what dateparser makes of a text in one language, without time zone."""
    import dateparser

    settings: dict[str, Any] = {"PARSERS": [parser], "RELATIVE_BASE": base, "REQUIRE_PARTS": ["day", "month", "year"]}
    if order:
        settings |= {"DATE_ORDER": order, "STRICT_PARSING": True}
    try:
        found = dateparser.parse(text, languages=[language], settings=settings)
    except Exception:  # dateparser raises several kinds of error for texts and languages that it does not know
        return None
    return None if found is None else found.replace(tzinfo=None)
