"""The settings of typed values: what a text alone does not say. They are checked before any text is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from electra_ie.common.errors import UserError, nearest
from electra_ie.common.packages import require_package
from electra_ie.values.code_list import CodeList

DATE_ORDERS = ("DMY", "MDY", "YMD")
SCHEMES = ("iban", "bic", "lei", "isin", "luhn")
"""The identifiers with a checksum or a fixed form; `luhn` is that of payment cards."""
LOCALE = re.compile(r"[a-z]{2,3}(?:[_-][a-z]{4})?(?:[_-](?:[a-z]{2}|[0-9]{3}))?", re.I)
EXTRAS = {"babel": "values", "ucumvert": "values", "stdnum": "identifiers"}
"""The packages that a type may need, and the extras of this package that install them."""


@dataclass(frozen=True, slots=True)
class ValueSettings:
    """What the texts of a collection have in common and a text alone does not say.

    Args:
        locale: A locale of Unicode CLDR, `de_DE`: separators of numbers, words, and the country of a symbol like `$`.
            None: separators are read if they have one reading only, words are English.
        date_order: `DMY`, `MDY` or `YMD`, for dates in digits. None: a date with two readings is ambiguous.
        currency: The ISO 4217 code of amounts whose currency is not stated, or whose symbol may be this currency.
        reference_date: The day that relative dates count from. None: they are refused.
        codes: The list that codes are looked up in.
        scheme: One of `SCHEMES`, for identifiers. None: that whose form and checksum fit.

    Raises:
        UserError: a setting is unknown.
    """

    locale: str | None = None
    date_order: str | None = None
    currency: str | None = None
    reference_date: date | None = None
    codes: CodeList | None = None
    scheme: str | None = None

    def __post_init__(self) -> None:
        _check_word("date order", self.date_order, DATE_ORDERS)
        _check_word("scheme of identifiers", self.scheme, SCHEMES)
        if self.locale is not None:
            _check_locale(self.locale)
        if self.currency is not None:
            require("babel")
            from electra_ie.values.locales import all_currencies, current_currencies

            if self.currency not in all_currencies():
                _check_word("currency", self.currency, sorted(current_currencies()))

    @property
    def language(self) -> str:
        """The language of words: that of the locale, or English."""
        return re.split("[_-]", self.locale)[0].lower() if self.locale else "en"


def require(package: str) -> None:
    """Raise UserError if a package that a type or a setting needs is not installed."""
    require_package(package, "this", install=f"'electra_ie[{EXTRAS[package]}]'")


def _check_word(what: str, word: str | None, valid: tuple[str, ...] | list[str]) -> None:
    if word is not None and word not in valid:
        raise UserError(f'there is no {what} "{word}".', remedy=nearest(word, valid))


def _check_locale(locale: str) -> None:
    """Raise UserError for a locale that babel does not know, or replaces by another one (`en_ZZ` by `en_US`)."""
    require("babel")
    from babel import Locale, UnknownLocaleError

    remedy = "Give a language, or a language and a country: de, de_CH, en_IN, zh_CN."
    try:
        found = Locale.parse(locale.replace("-", "_")) if LOCALE.fullmatch(locale) else None
    except (UnknownLocaleError, ValueError):
        found = None
    parts = [part for part in re.split("[_-]", locale.lower()) if len(part) != len("Hans")]  # no script
    known = [] if found is None else [part.lower() for part in (found.language, found.territory) if part]
    if known[: len(parts)] != parts:
        raise UserError(f'there is no locale "{locale}".', remedy=remedy)
