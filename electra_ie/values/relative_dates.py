"""Dates that count from a reference date: yesterday, 3 days ago, last month. No clock is read.

The precision is that of the words: `3 days ago` is a day, `3 months ago` a month, `last year` a year. A week is no day
and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from electra_ie.values.iso_dates import iso
from electra_ie.values.number_words import chinese_integer, read_words
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Phrases:
    """The relative dates of a language.

    Args:
        days: The words from the day before yesterday to the day after tomorrow, divided by |; an empty one is missing.
        frames: What stands around number and unit in the past, then in the future: `vor {}`.
        units: Regular expressions of the words for day, week, month and year.
        one: The articles that are the number 1.
        months: Last, this and next month, divided by |.
        years: Likewise for the year.
    """

    days: str
    frames: tuple[str, str]
    units: tuple[str, str, str, str]
    one: str
    months: str = ""
    years: str = ""


LANGUAGES = {
    "en": Phrases(
        "the day before yesterday|yesterday|today|tomorrow|the day after tomorrow",
        ("{} ago", "in {}"),
        ("days?", "weeks?", "months?", "years?"),
        "a|an",
        "last month|this month|next month",
        "last year|this year|next year",
    ),
    "de": Phrases(
        "vorgestern|gestern|heute|morgen|\u00fcbermorgen",
        ("vor {}", "in {}"),
        ("tag(?:en)?", "wochen?", "monat(?:en)?", "jahr(?:en)?"),
        "einem|einer",
        "letzten monat|diesen monat|n\u00e4chsten monat",
        "letztes jahr|dieses jahr|n\u00e4chstes jahr",
    ),
    "fr": Phrases(
        "avant-hier|hier|aujourd'hui|demain|apr\u00e8s-demain",
        ("il y a {}", "dans {}"),
        ("jours?", "semaines?", "mois", "ans?|ann\u00e9es?"),
        "un|une",
        "le mois dernier|ce mois-ci|le mois prochain",
        "l'ann\u00e9e derni\u00e8re|cette ann\u00e9e|l'ann\u00e9e prochaine",
    ),
    "es": Phrases(
        "anteayer|ayer|hoy|ma\u00f1ana|pasado ma\u00f1ana",
        ("hace {}", "dentro de {}"),
        ("d\u00edas?", "semanas?", "mes(?:es)?", "a\u00f1os?"),
        "un|una",
        "el mes pasado|este mes|el pr\u00f3ximo mes",
        "el a\u00f1o pasado|este a\u00f1o|el pr\u00f3ximo a\u00f1o",
    ),
    "it": Phrases(
        "l'altro ieri|ieri|oggi|domani|dopodomani",
        ("{} fa", "tra {}"),
        ("giorn[oi]", "settiman[ae]", "mes[ei]", "ann[oi]"),
        "un|una",
    ),
    "nl": Phrases(
        "eergisteren|gisteren|vandaag|morgen|overmorgen",
        ("{} geleden", "over {}"),
        ("dag(?:en)?", "we(?:ek|ken)", "maand(?:en)?", "ja(?:ar|ren)"),
        "een",
    ),
    "pt": Phrases(
        "anteontem|ontem|hoje|amanh\u00e3|depois de amanh\u00e3",
        ("h\u00e1 {}", "daqui a {}"),
        ("dias?", "semanas?", "m[e\u00ea]s(?:es)?", "anos?"),
        "um|uma",
    ),
}
CHINESE_WORDS = {"前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2, "後天": 2}
CHINESE = re.compile(
    "(?P<number>[0-9一二两兩三四五六七八九十百]+) ?(?P<unit>天|日|周|星期|个月|個月|年)(?P<way>[以之]?前|[以之]?[后後])"
)
CHINESE_UNITS = {"天": "day", "日": "day", "周": "week", "星期": "week", "个月": "month", "個月": "month", "年": "year"}


def read_relative(text: str, settings: ValueSettings) -> Found | None:
    """Return a relative date; None if the text is none.

    Raises:
        Refused: there is no reference date, or it counts in weeks.
    """
    counted = _chinese(text) or _words(text.casefold(), LANGUAGES.get(settings.language), settings.language)
    if counted is None:
        return None
    number, unit = counted
    if unit == "week":
        raise Refused("relative", "a week is no day")
    reference = settings.reference_date
    if reference is None:
        raise Refused("relative", "a relative date: set the reference date")
    return Found((Candidate(_moved(reference, number, unit)),), ("relative",))


def _moved(reference: date, number: int, unit: str) -> str:
    """Return the day, month or year that is so many of its units from the reference date."""
    if unit == "day":
        try:
            day = date.fromordinal(reference.toordinal() + number)
        except (ValueError, OverflowError):
            raise Refused("no_such_day", "there is no such day") from None
        return iso(day.year, day.month, day.day)
    if unit == "year":
        return iso(reference.year + number)
    years, month = divmod(reference.month - 1 + number, MONTHS_A_YEAR)
    return iso(reference.year + years, month + 1)


def _chinese(text: str) -> tuple[int, str] | None:
    if text in CHINESE_WORDS:
        return CHINESE_WORDS[text], "day"
    match = CHINESE.fullmatch(text)
    number = chinese_integer(match["number"]) if match else None
    if match is None or number is None:
        return None
    return (-number if match["way"].endswith("前") else number), CHINESE_UNITS[match["unit"]]


def _words(text: str, phrases: Phrases | None, language: str) -> tuple[int, str] | None:
    """Return how many units of time a phrase counts, negative in the past."""
    if phrases is None:
        return None
    for listed, unit, first in ((phrases.days, "day", -2), (phrases.months, "month", -1), (phrases.years, "year", -1)):
        words = listed.split("|")
        if text in words:
            return words.index(text) + first, unit
    for frame, sign in zip(phrases.frames, (-1, 1), strict=True):
        for unit, word in zip(("day", "week", "month", "year"), phrases.units, strict=True):
            match = re.fullmatch(frame.format(rf"(?P<number>[^\W_]+(?:[ -][^\W_]+)*) (?:{word})"), text)
            number = _number(match["number"], phrases.one, language) if match else None
            if number is not None:
                return sign * number, unit
    return None


def _number(text: str, one: str, language: str) -> int | None:
    if text in one.split("|"):
        return 1
    if text.isdecimal():
        return int(text)
    try:
        return int(read_words(text, language)[0])
    except Refused:
        return None
