"""Amounts of money: a number with a code of ISO 4217, a symbol or a name, in any order that banks write."""

from __future__ import annotations

from decimal import Decimal

from electra_ie.values.amounts import Word, read_amount, times
from electra_ie.values.cleaning import clean
from electra_ie.values.currencies import CREDIT, CRORE, HUNDREDTH, THOUSAND, Currencies, money_lexicon
from electra_ie.values.locales import country_currencies
from electra_ie.values.number_words import with_fraction
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused, decimal_text

SEVERAL_CURRENCIES = "the symbol stands for several currencies: set the currency or a locale with its country"


def read_money(text: str, settings: ValueSettings) -> Found:
    """Return an amount with its currency, which is None if neither the text nor the settings name it.

    Raises:
        Refused: there is no amount or more than one, two currencies, or a word that is not understood.
    """
    amount = read_amount(with_fraction(clean(text)), settings, money_lexicon(settings.language))
    words = (*amount.before, *amount.after)
    factor, factor_steps = _factor(words)
    codes, steps = _currencies([word.meaning for word in words if isinstance(word.meaning, Currencies)], settings)
    numbers = [times(number, factor) for number in amount.readings]
    candidates = [Candidate(number, currency=code) for number in numbers for code in codes]
    forms = [_form for number in numbers[:1] for code in codes[:1] for _form in _forms(number, code)]
    reasons = [reason for reason in (SEVERAL_CURRENCIES if len(codes) > 1 else "", amount.reason) if reason]
    return Found(
        tuple(candidates),
        (*steps, *amount.steps, *factor_steps),
        tuple(forms),
        ("babel", *amount.libraries),
        "; ".join(reasons),
    )


def _forms(number: Decimal, code: str | None) -> tuple[str, ...]:
    digits = decimal_text(number)
    return (f"{code} {digits}", f"{digits} {code}") if code else (digits,)


def _factor(words: tuple[Word, ...]) -> tuple[Decimal, tuple[str, ...]]:
    """Return what the words of the currency multiply the number by: TEUR, pence, crore."""
    if any(word.kind == "thousands" for word in words):
        return THOUSAND, ("magnitude",)
    if any(word.kind == "crore" for word in words):
        if not any(isinstance(word.meaning, Currencies) and "INR" in word.meaning.codes for word in words):
            raise Refused("debit_or_credit", CREDIT[0])
        return CRORE, ("magnitude",)
    minor = [word.meaning.minor for word in words if isinstance(word.meaning, Currencies)]
    if any(minor) and not all(minor):
        raise Refused("minor_unit", "a minor unit beside another currency")
    return (HUNDREDTH, ()) if any(minor) else (Decimal(1), ())


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
