"""Texts that are no dates, by the reason: parts of a month, bounds, ranges, times, days without a year."""

from __future__ import annotations

import re

from electra_ie.values.value import Refused

NO_YEAR = "the text states no year in four digits"
FORMS = (
    ("time", "a time is not a date", re.compile(r"\d{1,2}[:.h]\d\d(?::\d\d)? ?(?:[ap]\.?m\.?|Uhr|h)?", re.I)),
    (
        "approximate",
        "a part of a month or year, not a date",
        re.compile(
            r"(?:early|mid|late|end of|beginning of|start of|about|around|circa|ca\.?|approx\.?|anfang|mitte|ende|"
            r"d\u00e9but|fin|spring|summer|autumn|fall|winter|q[1-4]|h[12])\b.*",
            re.I,
        ),
    ),
    (
        "bound",
        "a bound, not a date",
        re.compile(
            r"(?:(?:from|since|before|after|until|till|by|not|no|ab|seit|vor|nach|bis|depuis|avant|apr\u00e8s|desde|"
            r"antes)\b|[<>]).*",
            re.I,
        ),
    ),
    ("no_year", NO_YEAR, re.compile(r"\d{1,2}[./-]\d{1,2}\.?")),
    (
        "range",
        "a range of dates, or several",
        re.compile(
            r".*\d\S{0,12} ?(?:-|/|~|to|until|till|bis|und|and|or|\u00e0|au|al|a|\u81f3|\u5230) ?\S{0,12}\d.*",
            re.I,
        ),
    ),
)
"""The rule of a refusal, its reason, and the texts that it refuses."""
YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")


def refusal(text: str) -> Refused:
    """Return why a text is no date."""
    for rule, reason, form in FORMS:
        if form.fullmatch(text):
            return Refused(rule, reason)
    if re.search(r"\d", text) and not YEAR.search(text):
        return Refused("no_year", NO_YEAR)
    return Refused("no_date", "this is no date that the rules know")
