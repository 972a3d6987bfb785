"""The readings of digits with separators: `1,234.5`, `1 234,5`, `12,34,567`, `.5`, `½`."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from electra_ie.values.locales import NumberStyle, number_style
from electra_ie.values.value import Refused

NUMBER = re.compile(
    r"(?:(?<!\w)[.,])?\d+(?:[.,\u00b7'\u066b\u066c]\d+| \d{3}(?!\d))*[\u00bc-\u00be\u2150-\u215e]?"
    r"|[\u00bc-\u00be\u2150-\u215e]"
)
"""Digits with single separators between them; a blank separates groups of three."""
FRACTIONS = {
    "\u00bc": "0.25", "\u00bd": "0.5", "\u00be": "0.75", "\u2155": "0.2", "\u2156": "0.4", "\u2157": "0.6",
    "\u2158": "0.8", "\u215b": "0.125", "\u215c": "0.375", "\u215d": "0.625", "\u215e": "0.875",
}  # fmt: skip
"""The fractions that are decimals."""
MAX_DIGITS = 30
"""The digits that a number may have: more are a fault of the text, not an amount."""
PLAIN = re.compile(r"\d+(?:\.\d+)?")
RANGES = re.compile(r" ?(?:-|~|\u81f3|\u5230) ?| (?:to|and|or|bis|und|oder|\u00e0|a|et|ou|y|o|t/m|tot|e|al) ", re.I)
"""What stands between the two numbers of a range, or of two values like a blood pressure."""


@cache
def _patterns(style: NumberStyle) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Return a pattern for each pair of separators, of groups and of the fraction, with both separators."""
    patterns = []
    for decimal in style.decimals:
        for group in ("", *style.groups):
            if group != decimal:
                whole = rf"\d+|[1-9]\d{{0,2}}(?:{re.escape(group)}\d{{3}})+" if group else r"\d+"
                if group and group in style.twos:
                    whole += rf"|[1-9]\d?(?:{re.escape(group)}\d\d)+{re.escape(group)}\d{{3}}"
                pattern = rf"(?:{whole}|)(?:{re.escape(decimal)}\d+)?"
                patterns.append((group, decimal, re.compile(pattern)))
    return tuple(patterns)


def readings(text: str, locale: str | None) -> tuple[list[Decimal], tuple[str, ...]]:
    """Return the numbers that a match of `NUMBER` may be, and the names of the rules.

    Raises:
        Refused: it is none, or has too many digits.
    """
    if sum(character.isdigit() for character in text) > MAX_DIGITS:
        raise Refused("digits", f"the number has more than {MAX_DIGITS} digits")
    if text[-1] in FRACTIONS or not text[-1].isdecimal():
        return [_fraction(text)], ("fraction",)
    found: dict[Decimal, None] = {}
    for group, decimal, pattern in _patterns(number_style(locale) if locale else number_style(None)):
        if pattern.fullmatch(text):
            plain = text.replace(group, "") if group else text
            found[Decimal(plain.replace(decimal, "."))] = None
    if not found:
        where = f"the locale {locale}" if locale else "any locale"
        raise Refused("separators", f'"{text}" is not how a number is written in {where}')
    steps = () if text.isdecimal() else (f"separators({locale})",) if locale else ("separators",)
    return list(found), steps


def _fraction(text: str) -> Decimal:
    """Return the number of a fraction sign, alone or behind a whole number."""
    if text[-1] not in FRACTIONS or not (len(text) == 1 or text[:-1].isdecimal()):
        raise Refused("fraction", f'"{text}" is not a decimal number')
    whole = text[:-1] or "0"
    return Decimal(f"{whole}{FRACTIONS[text[-1]][1:]}")


def refuse_several(between: str) -> None:
    """Raise `Refused` for two numbers with this text between them."""
    word = between.strip()
    if word == "/":
        raise Refused("two_values", "two values, divided by a slash")
    if word in ("\u00b1", "+/-", "+-"):
        raise Refused("approximate", "a value with a tolerance")
    if RANGES.fullmatch(between):
        raise Refused("range", "a range of two numbers")
    raise Refused("two_values", "two numbers")
