"""Identifiers of accounts, banks, companies, securities and cards, checked by python-stdnum."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial

from electra_ie.values.settings import SCHEMES, ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

PREFIX = re.compile(r"(?P<scheme>iban|bic|swift|lei|isin)(?:[ /-]?(?:code|no\.?|nr\.?|number))?\s*[:#]?\s*(?=\S)", re.I)
FORMS = {
    "iban": re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"),
    "bic": re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"),
    "lei": re.compile(r"[A-Z0-9]{18}[0-9]{2}"),
    "isin": re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]"),
    "luhn": re.compile(r"(?!0+$)[0-9]{12,19}"),
}
"""What an identifier looks like, without blanks."""
CHECK_DIGITS = {"iban": slice(2, 4), "lei": slice(18, 20)}
"""Where the check digits are that ISO 7064 (mod 97-10) makes: 02 to 98, which is not in the sum itself."""
NO_WORD = re.compile("[0-9]|XXX$")
"""What a BIC has and a word in capitals, HOSPITAL, has not: a digit, or the code of a head office."""
NEVER_MADE = ("00", "01", "99")
NAMES = {"iban": "IBAN", "bic": "BIC", "lei": "LEI", "isin": "ISIN", "luhn": "card number"}


def read_identifier(text: str, settings: ValueSettings) -> Found:
    """Return an identifier in capitals, without blanks and hyphens.

    Raises:
        Refused: it has not the form of one, or a wrong checksum.
    """
    text = text.strip()
    scheme = settings.scheme
    if match := PREFIX.match(text):
        named = match["scheme"].lower().replace("swift", "bic")
        if scheme and named != scheme:
            raise Refused("other_scheme", f"the text names another identifier: {named}")
        scheme, text = named, text[match.end() :]
    compact = re.sub(r"[\s\u200b-]", "", text).upper()
    formed = [name for name in ([scheme] if scheme else SCHEMES) if FORMS[name].fullmatch(compact)]
    if not scheme and formed == ["bic"] and not (text.isupper() and NO_WORD.search(compact)):
        raise Refused("no_checksum", "a word may look like a BIC, which has no checksum: set the scheme")
    if not formed:
        raise Refused("form", f"this has not the form of {NAMES[scheme] if scheme else 'an identifier'}")
    faults = {name: _fault(name, compact) for name in formed}
    valid = [name for name, fault in faults.items() if not fault]
    if not valid:
        raise Refused("checksum", "; ".join(f"{NAMES[name]}: {fault}" for name, fault in faults.items()))
    if len(valid) > 1:
        raise Refused("several_schemes", f"this is valid as {' and '.join(valid)}: set the scheme")
    return Found((Candidate(compact),), (valid[0],), (compact,), ("python-stdnum",))


def _fault(scheme: str, compact: str) -> str:
    """Return what is wrong with an identifier of the right form; empty if nothing is."""
    from stdnum.exceptions import InvalidChecksum, ValidationError

    if scheme in CHECK_DIGITS and compact[CHECK_DIGITS[scheme]] in NEVER_MADE:
        return f"the check digits are {compact[CHECK_DIGITS[scheme]]}, and have to be 02 to 98"
    try:
        _check(scheme)(compact)
    except InvalidChecksum:
        return "the checksum is wrong"
    except ValidationError as error:
        return str(error).rstrip(".").lower()
    return ""


@cache
def _check(scheme: str) -> Callable[[str], str]:
    from stdnum import bic, iban, isin, lei, luhn

    checks = {"bic": bic.validate, "lei": lei.validate, "isin": isin.validate, "luhn": luhn.validate}
    # The further checks of some countries look the bank up in a list that is not kept up to date.
    return (checks | {"iban": partial(iban.validate, check_country=False)})[scheme]
