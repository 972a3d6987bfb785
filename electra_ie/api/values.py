"""The function on typed values, `value`."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError

if TYPE_CHECKING:
    from electra_ie.values import Value


@check_types
def value(
    type: str,
    text: str,
    *,
    locale: str | None = None,
    date_order: str | None = None,
    currency: str | None = None,
    codes: str | os.PathLike[str] | None = None,
    reference_date: date | str | None = None,
    scheme: str | None = None,
) -> Value:
    """Read a text as a typed value. The same arguments give the same value, on every day.

    For many texts, build the settings once: `electra_ie.values.read_value(type, text, settings)`.

    Args:
        type: text, integer, decimal, money, date, quantity, percentage, yes_no, identifier or code.
        text: The text.
        locale: The locale of its separators and words, such as `de_DE` (default: separators that have one reading only,
            and English words).
        date_order: `DMY`, `MDY` or `YMD`, for dates in digits (default: those with two readings are ambiguous).
        currency: The ISO 4217 code of amounts that state no currency, or a symbol of several.
        codes: The file with the list for the type code.
        reference_date: The day that relative dates count from (default: they are refused).
        scheme: The identifier to expect: iban, bic, lei, isin or luhn (default: any).

    Returns:
        The value with its status, the rule that fired and the version of the rules. Ambiguous and refused are results.

    Raises:
        UserError: A setting or the list of codes is invalid, there is no such type, or it needs a package.
    """
    from electra_ie.values import CodeList, ValueSettings, read_value

    settings = ValueSettings(
        locale=locale,
        date_order=date_order,
        currency=currency,
        reference_date=_day(reference_date),
        codes=None if codes is None else CodeList.read(codes),
        scheme=scheme,
    )
    return read_value(type, text, settings)


def _day(day: date | str | None) -> date | None:
    if not isinstance(day, str):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise UserError(f'the reference date is "{day}".', remedy="Write it as 2021-05-03.") from None
