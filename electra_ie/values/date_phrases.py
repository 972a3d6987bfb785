"""Dates in other words, read by dateparser behind a gate: it fills what a text does not say, and guesses orders.

A date is taken if the text states its day and its year, if every order of day and month gives the same date, and if no
reference date changes it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from electra_ie.values.iso_dates import iso
from electra_ie.values.locales import weekday_names
from electra_ie.values.relative_dates import read_relative
from electra_ie.values.settings import DATE_ORDERS, ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

BASES = (datetime(2004, 3, 15), datetime(2011, 7, 16))
"""Reference dates that show whether a date depends on them."""
YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
DAY = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
RANGE = re.compile(r"\d\S* ?(?:-|/|~|to|until|till|bis|und|and|or|\u00e0|au|al|a|\u81f3|\u5230) ?\S*\d|\d\.\.+\d", re.I)
PAIR = re.compile(r"\d{1,2}[./-]\d{1,2}\.?")
APPROXIMATE = re.compile(
    r"(?:early|mid|late|end of|beginning of|start of|about|around|circa|ca\.?|approx\.?|anfang|mitte|ende|"
    r"d\u00e9but|fin|spring|summer|autumn|fall|winter|q[1-4]|h[12])\b",
    re.I,
)
BOUND = re.compile(
    r"(?:from|since|before|after|until|till|by|not|no|ab|seit|vor|nach|bis|depuis|avant|apr\u00e8s|desde|antes)\b|[<>]",
    re.I,
)
NO_YEAR = "the text states no year in four digits"
MAX_LENGTH = 60


def read_phrase(text: str, settings: ValueSettings) -> Found:
    """Return a relative date, or an absolute one whose form the grammar does not know.

    Raises:
        Refused: there is none, or it is relative and there is no reference date.
    """
    if (found := read_relative(text, settings)) is not None:
        return found
    if APPROXIMATE.match(text):
        raise Refused("approximate", "a part of a month or year, not a date")
    if BOUND.match(text):
        raise Refused("bound", "a bound, not a date")
    if PAIR.fullmatch(text):
        raise Refused("no_year", NO_YEAR)
    if RANGE.search(text):
        raise Refused("range", "a range of dates, or several")
    if len(text) <= MAX_LENGTH and (found := _absolute(text, settings.language)) is not None:
        return found
    if re.search(r"\d", text) and not YEAR.search(text):
        raise Refused("no_year", NO_YEAR)
    raise Refused("no_date", "this is no date that the rules know")


def _absolute(text: str, language: str) -> Found | None:
    """Return an absolute date on which dateparser agrees with itself, whatever the order and the reference date."""
    year, day = YEAR.findall(text), DAY.findall(text)
    words = re.findall(r"[^\W\d_]+", text.casefold())
    if len(year) != 1 or len(day) != 1 or not words or weekday_names(language).keys() & set(words):
        return None
    found = {_parse(text, language, base, order) for order in DATE_ORDERS for base in BASES}
    (one,) = found if len(found) == 1 else (None,)
    if one is None or (one.year, one.day) != (int(year[0]), int(day[0])):
        return None
    return Found((Candidate(iso(one.year, one.month, one.day)),), ("phrase",), libraries=("dateparser",))


def _parse(text: str, language: str, base: datetime, order: str) -> datetime | None:
    """Return what dateparser makes of a text in one language and order, without time zone."""
    import dateparser

    settings: dict[str, Any] = {
        "PARSERS": ["absolute-time"],
        "RELATIVE_BASE": base,
        "REQUIRE_PARTS": ["day", "month", "year"],
        "DATE_ORDER": order,
        "STRICT_PARSING": True,
    }
    try:
        found = dateparser.parse(text, languages=[language], settings=settings)
    except Exception:  # dateparser raises several kinds of error for texts and languages that it does not know
        return None
    return None if found is None else found.replace(tzinfo=None)
