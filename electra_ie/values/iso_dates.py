"""Days, months and years in ISO 8601."""

from __future__ import annotations

from datetime import date

from electra_ie.values.value import Refused

FIRST_YEAR, LAST_YEAR = 1800, 2199
"""The years of dates: those of other calendars (Thai 2564, Islamic 1442) are outside, and refused."""


def iso(year: int, month: int | None = None, day: int | None = None) -> str:
    """Return a date in ISO 8601: a day, a month, or a year.

    Raises:
        Refused: there is no such day, or the year is outside of `FIRST_YEAR` to `LAST_YEAR`.
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Refused("year", f"the year {year} is not between {FIRST_YEAR} and {LAST_YEAR}")
    try:
        whole = date(year, 1 if month is None else month, 1 if day is None else day).isoformat()
    except ValueError:
        raise Refused("no_such_day", "there is no such day") from None
    return whole if day is not None else whole[: len("2021-05")] if month is not None else whole[: len("2021")]
