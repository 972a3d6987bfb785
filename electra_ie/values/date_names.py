"""Dates with names: months and weekdays in the language of the texts, and 年, 月, 日."""

from __future__ import annotations

import re

from electra_ie.values.locales import month_names, weekday_names
from electra_ie.values.number_words import chinese_integer
from electra_ie.values.value import Refused

WORD = r"[^\W\d_](?:[^\s\d.,/()-]*(?:\.[^\s\d.,/()-]+)*)"
"""A word with its combining marks, and full stops within."""
NAME = rf"(?P<name>{WORD})"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|\u00ba|\u00b0|\u00aa|\.|:e)?"
YEAR = r"(?P<year>\d{4}|'?\d{2})"
OF = r"(?:[ .,/-]|(?:of|de|del|do|den|di) )*"
DAY_FIRST = re.compile(rf"(?:on |am )?(?:the |den |el |le |il )?{DAY}(?: day)?{OF}{NAME}\.?{OF}{YEAR}\.?", re.I)
MONTH_FIRST = re.compile(rf"{NAME}\.?[ -]?(?:the )?{DAY}(?:,? |-){YEAR}\.?", re.I)
YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})[ ,./-]*{NAME}\.?[ /-]*{DAY}", re.I)
MONTH_ONLY = re.compile(rf"{NAME}\.?{OF}(?P<year>\d{{4}}|'\d{{2}})\.?|(?P<year2>\d{{4}}) (?P<name2>{WORD})\.?", re.I)
OTHER_NAMES = {"en": {"sept": 9}, "de": {"feber": 2, "j\u00e4nner": 1, "mrz": 3, "okt": 10, "dez": 12}}
"""Names of months that CLDR has for some countries of a language only."""
NUMERALS = "[0-9〇零一二三四五六七八九十廿]"
CHINESE_DATE = re.compile(
    rf"(?P<year>{NUMERALS}{{4}}) ?[年년] ?"
    rf"(?:(?P<month>{NUMERALS}{{1,3}}) ?[月월] ?(?:(?P<day>{NUMERALS}{{1,3}}) ?[日号號일])?)?"
)
WEEKDAYS = (
    re.compile(r"(?P<name>[^\s\d.,\u060c()]{2,})\.?[,\u060c]? ?(?P<rest>.*\d.*)"),
    re.compile(r"(?P<rest>.*\d(?:[日号號]| ?일)?\.?)[ ,(]*(?P<name>[^\s\d.,\u060c()]{2,})\)?"),
)
"""A weekday before and behind a date. One letter is none: 日 is a Sunday and a day."""


def named_month(text: str, language: str) -> tuple[str, int, int | None] | None:
    """Return the year as it is written, the month, and the day if there is one; None without the name of a month."""
    names = {**month_names(language), **OTHER_NAMES.get(language, {})}
    for form in (DAY_FIRST, MONTH_FIRST, YEAR_FIRST, MONTH_ONLY):
        if not (match := form.fullmatch(text)):
            continue
        parts = match.groupdict()
        month = names.get((parts["name"] or parts["name2"]).casefold())
        if month is not None:
            day = int(parts["day"]) if parts.get("day") else None
            return (parts["year"] or parts["year2"]).lstrip("'"), month, day
    return None


def weekday_of(text: str, language: str) -> tuple[int | None, str]:
    """Return the weekday before or behind a date (0, Monday, to 6; None without one), and the rest of the text."""
    for form in WEEKDAYS:
        match = form.fullmatch(text)
        number = weekday_names(language).get(match["name"].casefold()) if match else None
        if match and number is not None:
            return number, match["rest"]
    return None, text


def of_chinese(match: re.Match[str]) -> tuple[int, int | None, int | None]:
    """Return year, month and day of a match of `CHINESE_DATE`."""
    numbers = [None if part is None else chinese_integer(part) for part in match.group("year", "month", "day")]
    if numbers[0] is None or any(part and number is None for part, number in zip(match.groups(), numbers, strict=True)):
        raise Refused("no_such_day", "there is no such day")
    return numbers[0], numbers[1], numbers[2]
