"""What Unicode CLDR says of a locale, by babel: separators of numbers, currencies of a country, names of months.

Nothing here depends on today: the currencies of a country are those without an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How numbers are written.

    Args:
        decimals: The characters that may separate the fraction.
        groups: The characters that may separate groups of three digits.
        twos: The characters that may separate groups as in India: `12,34,567`.
    """

    decimals: str
    groups: str
    twos: str


ANY_STYLE = NumberStyle(".,\u00b7\u066b", ".,' \u066c", ",")
"""Every way to write numbers: a text that has one reading in it has no other."""


def locale_of(name: str) -> Locale:
    """Return a locale of babel by its name, which has been checked."""
    from babel import Locale

    return Locale.parse(name.replace("-", "_"))


@cache
def number_style(locale: str | None) -> NumberStyle:
    """Return how numbers are written in a locale; blanks and apostrophes separate groups everywhere (ISO 80000-1)."""
    if locale is None:
        return ANY_STYLE
    found = locale_of(locale)
    symbols = found.number_symbols["latn"]
    decimals = {symbols["decimal"], symbols.get("currencyDecimal", symbols["decimal"])}
    groups = {symbols["group"], symbols.get("currencyGroup", symbols["group"])}
    groups = {"'" if group == "\u2019" else " " if group.isspace() else group for group in groups}
    twos = "".join(groups) if found.decimal_formats[None].grouping[1] == 2 else ""  # noqa: PLR2004 - lakh and crore
    return NumberStyle("".join(sorted(decimals)) + "\u066b", "".join(sorted(groups | {" ", "'", "\u066c"})), twos)


@cache
def groups_by_blanks(locale: str) -> bool:
    """Return whether a blank separates groups of three digits in a locale, and nothing else does."""
    return str(locale_of(locale).number_symbols["latn"]["group"]).isspace()


@cache
def has_minus_behind_currency(locale: str) -> bool:
    """Return whether a negative amount is written `CHF-5` in a locale."""
    return "".join(locale_of(locale).currency_formats["standard"].prefix[1].split()).startswith("\u00a4-")


@cache
def all_currencies() -> frozenset[str]:
    """Return the codes of ISO 4217, those of former currencies included, without those for tests and no currency."""
    from babel.core import get_global

    return frozenset(code for code in get_global("all_currencies") if code not in ("XXX", "XTS"))


@cache
def current_currencies() -> frozenset[str]:
    """Return the codes of currencies that are legal tender somewhere."""
    from babel.core import get_global

    rows = (row for rows in get_global("territory_currencies").values() for row in rows)
    return frozenset(code for code, _, end, tender in rows if tender and end is None)


@cache
def country_currencies(locale: str | None) -> frozenset[str]:
    """Return the currencies that are legal tender in the country of a locale; empty if it names none."""
    from babel.core import get_global

    territory = locale_of(locale).territory if locale else None
    rows = get_global("territory_currencies").get(territory or "", ())
    return frozenset(code for code, _, end, tender in rows if tender and end is None)


@cache
def currency_names(language: str) -> Mapping[str, frozenset[str]]:
    """Return the codes of each name of a current currency in a language, without case."""
    from babel.numbers import get_currency_name

    names: dict[str, set[str]] = {}
    for code in sorted(current_currencies()):
        for count in (None, 1, 2, 5):
            name = get_currency_name(code, count, language).casefold()
            if name != code.casefold():
                names.setdefault(name, set()).add(code)
    return {name: frozenset(codes) for name, codes in names.items()}


@cache
def month_names(language: str) -> Mapping[str, int]:
    """Return the number (1 to 12) of each name of a month, without case and full stop.

    The names are those of a language, and the English ones that it does not use otherwise.
    """
    return {**_names(locale_of("en").months), **_names(locale_of(language).months)}


@cache
def weekday_names(language: str) -> Mapping[str, int]:
    """Return the number (0, Monday, to 6) of each name of a weekday, as `month_names` does."""
    return {**_names(locale_of("en").days), **_names(locale_of(language).days)}


def _names(forms: Mapping[str, Mapping[str, Mapping[int, str]]]) -> dict[str, int]:
    names: dict[str, set[int]] = {}
    for form in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in forms[form][width].items():
                plain = name.casefold().rstrip(".").replace("\u02bc", "'").replace("\u2019", "'")
                names.setdefault(plain, set()).add(number)
    return {name: numbers.pop() for name, numbers in names.items() if len(numbers) == 1}
