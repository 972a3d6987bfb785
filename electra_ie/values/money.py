"""Amounts of money: a number with a code of ISO 4217, a symbol or a name, in any order that banks write."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from electra_ie.values.amounts import PLUS_BEHIND, Amount, Word, read_amount, times
from electra_ie.values.cleaning import clean
from electra_ie.values.currencies import CAPITALS, CREDIT, CRORE, HUNDREDTH, THOUSAND, Currencies, money_lexicon
from electra_ie.values.locales import country_currencies
from electra_ie.values.number_words import with_fraction
from electra_ie.values.numerals import NUMBER
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

SEVERAL_CURRENCIES = "the symbol stands for several currencies: set the currency or a locale with its country"
CREDIT_OR_CRORE = "Cr may be a credit or a crore"
NO_WHOLE = re.compile(r"-[.,]\d")
"""A hyphen that may be a minus, or stand for no francs: Fr. -.80."""
NO_FRACTION = re.compile(r"\S-(?=[\s)]|$)")
"""A hyphen behind a whole amount that may be a minus, or end the amount: ¥1,500-."""
CREDIT_MARK = re.compile(rf"({NUMBER.pattern})(?<=[.,]\d\d) ?\+(?= ?(?:[^\s\d.,/+-]|$))")
"""A plus behind two digits of a fraction: bank statements write 1,200.50+ and 1,200.50-."""
CENTS = 2
"""The digits of a fraction that a bank statement writes, and a number of crores mostly not."""


def read_money(text: str, settings: ValueSettings) -> Found:
    """Return an amount with its currency, which is None if neither the text nor the settings name it.

    Raises:
        Refused: there is no amount or more than one, two currencies, or a word that is not understood.
    """
    amount = _amount(with_fraction(clean(text)), settings)
    words = (*amount.before, *amount.after)
    factors, factor_steps = _factors(amount)
    codes, steps = _currencies([word.meaning for word in words if isinstance(word.meaning, Currencies)], settings)
    numbers = [times(number, factor) for factor in factors for number in amount.readings]
    candidates = [Candidate(number, currency=code) for number in numbers for code in codes]
    forms = [_form for number in numbers[:1] for code in codes[:1] for _form in _forms(number, code)]
    several = (
        SEVERAL_CURRENCIES if len(codes) > 1 else "",
        CREDIT_OR_CRORE if len(factors) > 1 else "",
        amount.reason,
    )
    return Found(
        tuple(candidates),
        (*steps, *amount.steps, *factor_steps),
        tuple(forms),
        ("babel", *amount.libraries),
        "; ".join(filter(None, several)),
    )


def _forms(number: Decimal, code: str | None) -> tuple[str, ...]:
    digits = decimal_text(number)
    return (f"{code} {digits}", f"{digits} {code}") if code else (digits,)


def _amount(text: str, settings: ValueSettings) -> Amount:
    """Return the number of a text with its words; m and b are magnitudes beside a currency only."""
    marked, text = text, CREDIT_MARK.sub(r"+\1", text)
    home = country_currencies(settings.locale)
    amount = read_amount(text, settings, money_lexicon(settings.language, home))
    has_currency = settings.currency or any(word.meaning for word in (*amount.before, *amount.after))
    if "magnitude" in amount.steps and not has_currency:
        amount = read_amount(text, settings, money_lexicon(settings.language, home, any_magnitude=False))
    if text != marked and "magnitude" in amount.steps:
        raise Refused(*PLUS_BEHIND)
    return _of_prices(text, amount)


def _of_prices(text: str, amount: Amount) -> Amount:
    """Return an amount whose dash may stand for what is left out: no francs in -.80, no centimes in 5.-.

    Raises:
        Refused: there is a dash in the place of the fraction, and a fraction.
    """
    if any(word.kind == "whole" for word in amount.after):
        whole = tuple(number for number in amount.readings if not _fraction_digits(number))
        if not whole:
            raise Refused("separators", "the dash stands for a fraction, and the number has one")
        return replace(amount, readings=whole)
    before, behind = NO_WHOLE.search(text), NO_FRACTION.search(text)
    positive = tuple(number.copy_negate() for number in amount.readings if before or not _fraction_digits(number))
    if "minus" not in amount.steps or not (before or behind) or not positive:
        return amount
    return replace(amount, readings=(*amount.readings, *positive), steps=(*amount.steps, "hyphen"))


def _factors(amount: Amount) -> tuple[tuple[Decimal, ...], tuple[str, ...]]:
    """Return what the words of the currency may multiply the number by: TEUR, pence, crore."""
    words = (*amount.before, *amount.after)
    if any(word.kind == "thousands" for word in words):
        return (THOUSAND,), ("magnitude",)
    if crores := [word for word in words if word.kind == "crore"]:
        return _credit_or_crore(amount, crores)
    for side, found in (("before", amount.before), ("behind", amount.after)):
        if any(isinstance(word.meaning, Currencies) and word.meaning.side not in ("", side) for word in found):
            raise Refused("side", "a sign of a currency on the side of the number where it is none")
    minor = [word.meaning.minor for word in words if isinstance(word.meaning, Currencies)]
    if any(minor) and (not all(minor) or "magnitude" in amount.steps):
        raise Refused("minor_unit", "a minor unit beside another currency or a magnitude")
    return ((HUNDREDTH,), ()) if any(minor) else ((Decimal(1),), ())


def _credit_or_crore(amount: Amount, crores: list[Word]) -> tuple[tuple[Decimal, ...], tuple[str, ...]]:
    """Return the factors of Cr, which is a credit in a bank statement and ten million behind a short number."""
    words = (*amount.before, *amount.after)
    if not any(isinstance(word.meaning, Currencies) and "INR" in word.meaning.codes for word in words):
        raise Refused("debit_or_credit", CREDIT[0])
    has_cents = any(_fraction_digits(number) == CENTS for number in amount.readings)
    is_before = any(word.kind == "crore" for word in amount.before)
    if has_cents or is_before or any(word.meaning == CAPITALS for word in crores):
        return (Decimal(1), CRORE), ("credit_or_crore",)
    return (CRORE,), ("magnitude",)


def _fraction_digits(number: Decimal) -> int:
    """Return how many digits are behind the point."""
    return len(decimal_text(number).partition(".")[2])


def _currencies(found: list[Currencies], settings: ValueSettings) -> tuple[list[str | None], tuple[str, ...]]:
    """Return the codes that the text may mean, and the rules that lead to them.

    A code in the text decides; then the setting, the country of the locale, and the usual meaning of a symbol.

    Raises:
        Refused: the text names two currencies.
    """
    if not found:
        return [settings.currency], ("currency_of_settings",) if settings.currency else ("no_currency",)
    codes = [code for code in found[0].codes if all(code in other.codes for other in found)]
    if not codes:
        raise Refused("two_currencies", "the text names two currencies")
    rule = min((each.rule for each in found), key=("code", "name", "symbol", "minor_unit").index)
    if len(codes) == 1:
        return [*codes], (rule,)
    of_country = country_currencies(settings.locale)
    usual = {each.usual for each in found}
    for allowed, step in (
        ({settings.currency}, "currency_of_settings"),
        (of_country, "country"),
        (usual, "usual_meaning"),
    ):
        chosen = [code for code in codes if code in allowed]
        if len(chosen) == 1:
            return [*chosen], (rule, step)
    return [*codes], (rule,)
