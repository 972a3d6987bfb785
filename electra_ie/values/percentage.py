"""Percentages, per mille and basis points, as percent."""

from __future__ import annotations

import re
from decimal import Decimal

from electra_ie.values.amounts import Lexicon, Word, base_lexicon, read_amount, times
from electra_ie.values.cleaning import clean
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

PERCENT = (
    "%|\u066a|\ufe6a|percent|per cent|pct|pct.|p.c.|prozent|v.h.|pour cent|por ciento|por cento|per cento|procent|"
    "процент|процента|процентов|yüzde|パーセント|퍼센트"
).split("|")
PER_MILLE = ("\u2030", "per mille", "per mil", "promille")
BASIS_POINTS = ("bp", "bps", "basis point", "basis points", "basispunkte", "个基点", "基点")
POINTS = (
    "percentage points",
    "percentage point",
    "pp",
    "p.p.",
    "ppt",
    "prozentpunkte",
    "points de pourcentage",
    "个百分点",
    "百分点",
)
CHINESE = re.compile("(?P<sign>[负負-]?)百分之(?P<number>.+)")


def read_percentage(text: str, settings: ValueSettings) -> Found:
    """Return a number of percent: 12.5 for `12.5 %`, 0.5 for `50 bps`.

    Raises:
        Refused: there is no number or more than one, no sign of a percentage, or percentage points.
    """
    cleaned = clean(text)
    if match := CHINESE.fullmatch(cleaned):
        cleaned = f"{match['sign']}{match['number']}%"
    amount = read_amount(cleaned, settings, _lexicon(settings.language))
    marks = [word.meaning for word in (*amount.before, *amount.after)]
    if len(marks) != 1:
        raise Refused("no_percent_sign", "there is no percent sign" if not marks else "there are several percent signs")
    numbers = [times(number, marks[0]) for number in amount.readings]
    digits = decimal_text(numbers[0])
    rule = {Decimal(1): "percent", Decimal("0.1"): "per_mille", Decimal("0.01"): "basis_points"}[marks[0]]
    candidates = tuple(Candidate(number, unit="%") for number in numbers)
    return Found(candidates, (rule, *amount.steps), (f"{digits}%", f"{digits} %"), amount.libraries, amount.reason)


def _lexicon(language: str) -> Lexicon:
    factors = (("1", PERCENT), ("0.1", PER_MILLE), ("0.01", BASIS_POINTS))
    words = {text: Word("percent", Decimal(factor)) for factor, texts in factors for text in texts}
    points = {text: Word("refusal", ("percentage_points", "percentage points are a difference")) for text in POINTS}
    return base_lexicon(language).joined({}, {**words, **points})
