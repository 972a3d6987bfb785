"""Symbols and words of currencies, with the codes of ISO 4217 that each may mean."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from electra_ie.values.amounts import Lexicon, Word, base_lexicon
from electra_ie.values.locales import all_currencies, currency_names

DOLLARS = tuple("USD CAD AUD NZD HKD SGD TWD BSD BBD BZD BMD BND FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD".split())
PESOS = ("ARS", "CLP", "COP", "CUP", "DOP", "MXN", "PHP", "UYU")
FRANCS = ("CHF", "XAF", "XOF", "XPF", "BIF", "CDF", "DJF", "GNF", "KMF", "RWF")
CROWNS = ("SEK", "NOK", "DKK", "ISK", "CZK")
RUPEES = ("INR", "PKR", "LKR", "NPR", "MUR", "SCR")
PAISE = ("INR", "PKR", "NPR")
POUNDS = ("GBP", "EGP", "GIP", "FKP", "LBP", "SHP", "SSP", "SYP", "SDG")


@dataclass(frozen=True, slots=True)
class Currencies:
    """The currencies that a word may mean.

    Args:
        codes: Their codes.
        usual: The one that it means where nothing else is said; empty if there is none.
        rule: How it was written: code, symbol, name.
        minor: Whether the word is a hundredth of the currency: pence.
        side: The side of the number that it is on, `before` or `behind`; empty for both. P500 are pesos, 50p are pence.
    """

    codes: tuple[str, ...]
    usual: str = ""
    rule: str = "symbol"
    minor: bool = False
    side: str = ""


ONE = {
    "USD": "us$|us $|u$s|usd$|us-dollar|us dollars|us dollar|u.s. dollars|u.s. dollar|美元|美金",
    "CAD": "ca$|can$|cad$|cdn$|加元",
    "AUD": "a$|au$|澳元",
    "NZD": "nz$|新西兰元",
    "HKD": "hk$|港元|港币|港幣",
    "SGD": "s$|新加坡元",
    "TWD": "nt$|新台币|新台幣|新臺幣|台币|台幣",
    "BRL": "r$|reais",
    "MXN": "mx$|mex$",
    "JMD": "j$",
    "XCD": "ec$",
    "TTD": "tt$",
    "EUR": "\u20ac|euro|euros|欧元|歐元|евро",
    "GBP": "英镑|英鎊|pound sterling|pounds sterling|sterling|gb\u00a3|stg\u00a3",
    "CNY": "cn\u00a5|rmb|人民币|人民幣|元人民币|renminbi|yuan|圆",
    "JPY": "jp\u00a5|円|日元|日圆|日圓|yen",
    "INR": "\u20b9|inr.|卢比",
    "KRW": "\u20a9|원|韩元|韓元",
    "RUB": "\u20bd|руб|руб.|рублей|卢布",
    "UAH": "\u20b4|грн|грн.",
    "CHF": "sfr|sfr.|fr.s.|瑞士法郎",
    "PLN": "zł|zl|złotych|złote|złoty",
    "CZK": "kč",
    "HUF": "forint",
    "BGN": "лв|лв.",
    "ILS": "\u20aa|nis",
    "TRY": "\u20ba",
    "VND": "\u20ab|đ",
    "THB": "\u0e3f|baht|泰铢",
    "NGN": "\u20a6",
    "PHP": "\u20b1",
    "GHS": "\u20b5",
    "KZT": "\u20b8",
    "CRC": "\u20a1",
    "PYG": "\u20b2",
    "MNT": "\u20ae",
    "LAK": "\u20ad",
    "AZN": "\u20bc",
    "GEL": "\u20be",
    "BDT": "\u09f3",
    "SEK": "skr",
    "NOK": "nkr",
    "DKK": "dkr",
}
"""Symbols and short words of one currency, divided by |, without case. CLDR has the names in many languages."""
SEVERAL = {
    "$": Currencies((*DOLLARS, *PESOS)),
    "c$": Currencies(("CAD", "NIO")),
    "\u00a3": Currencies(POUNDS, "GBP"),
    **dict.fromkeys(("\u00a5", "\uffe5"), Currencies(("JPY", "CNY"))),
    **dict.fromkeys(("\u20a8", "rs", "rs.", "re"), Currencies(RUPEES)),
    **dict.fromkeys(("kr", "kr."), Currencies(CROWNS[:-1])),
    **dict.fromkeys(("元", "圓"), Currencies(("CNY", "TWD", "HKD", "MOP"), "CNY")),
    "块": Currencies(("CNY", "TWD"), "CNY"),
    "lei": Currencies(("RON", "MDL")),
    **dict.fromkeys(("fr", "fr."), Currencies(FRANCS)),
    **dict.fromkeys(("dhs", "dhs."), Currencies(("AED", "MAD"))),
    **dict.fromkeys(("rp", "rp."), Currencies(("IDR",), side="before")),
}
"""Symbols of several currencies."""
SYMBOLS = {text: Currencies((code,)) for code, texts in ONE.items() for text in texts.split("|")} | SEVERAL
NAMES: dict[str, Currencies] = {
    **dict.fromkeys(("dollar", "dollars"), Currencies(DOLLARS, rule="name")),
    **dict.fromkeys(("pound", "pounds", "quid"), Currencies(POUNDS, "GBP", "name")),
    **dict.fromkeys(("franc", "francs", "franken"), Currencies(FRANCS, rule="name")),
    **dict.fromkeys(("rupee", "rupees"), Currencies(RUPEES, rule="name")),
    **dict.fromkeys(("peso", "pesos"), Currencies(PESOS, rule="name")),
    **dict.fromkeys(("krona", "kronor", "krone", "kroner", "crowns"), Currencies(CROWNS, rule="name")),
    **dict.fromkeys(("pence", "penny"), Currencies(("GBP",), "", "minor_unit", minor=True, side="behind")),
    "p": Currencies(("GBP", *PAISE), "GBP", "minor_unit", minor=True, side="behind"),
    **dict.fromkeys(("paise", "paisa"), Currencies(PAISE, "", "minor_unit", minor=True, side="behind")),
    **dict.fromkeys(
        ("cent", "cents", "\u00a2", "ct", "ct."),
        Currencies(("EUR", *DOLLARS), "", "minor_unit", minor=True, side="behind"),
    ),
}
NUMERALS = {"fr": ("cent", "cents")}
"""Names that are numbers in a language."""
CASED: dict[str, Currencies] = {
    "R": Currencies(("ZAR",), side="before"),
    "P": Currencies(("PHP", "BWP"), side="before"),
    "Br": Currencies(("ETB", "BYN")),
    "Ft": Currencies(("HUF",)),
    "RM": Currencies(("MYR",)),
    "TL": Currencies(("TRY",)),
    **dict.fromkeys(("GBp", "GBX"), Currencies(("GBP",), "", "minor_unit", minor=True)),
    **dict.fromkeys(("ZAc", "ZAC"), Currencies(("ZAR",), "", "minor_unit", minor=True)),
}
"""Symbols that are other words without their case."""
LOWER_CASE = "usd eur gbp jpy chf cny cad aud hkd sgd sek nok dkk inr pln czk brl".split()
"""Codes that no other word is written like, without case."""
THOUSANDS = ("TEUR", "T\u20ac", "TUSD", "TCHF", "TGBP")
"""A thousand of a currency, in German accounts."""
FILLERS = ("/-", "only", "整", "正")
"""What follows an amount, on cheques and in Indian prices."""
DASHES = (",-", ",--", ".-", ".--", ":-")
"""What follows a whole amount in the place of its fraction, in Swiss, German and Nordic prices."""
NO_MAGNITUDES = {"es": ("mn", "mn.", "m$", "$b")}
"""Words of a language that are magnitudes in others: MN is moneda nacional, M$ thousands in Chile, $b bolivianos."""
CREDIT = (
    "the sign of a debit or credit is a convention of the account",
    ("dr", "dr.", "cr.", "debit", "credit", "soll", "haben"),
)

CAPITALS = "capitals"
"""The meaning of CR, which is a credit or a crore."""
HUNDREDTH, THOUSAND, CRORE = Decimal("0.01"), Decimal(1000), Decimal(10**7)


@cache
def money_lexicon(language: str, home: frozenset[str] = frozenset(), any_magnitude: bool = True) -> Lexicon:
    """Return the words beside an amount of money in a language.

    home: the currencies of the country, whose symbols are read in small letters too: 5000 ft in Hungary.
    any_magnitude: also the letters that mean a magnitude beside a currency only: 5m, 3b.
    """
    names = {**currency_names("en"), **currency_names(language)}
    of_cldr = {name: Currencies(tuple(sorted(codes)), rule="name") for name, codes in names.items()}
    folded = {text: Word("currency", found) for text, found in (of_cldr | SYMBOLS | NAMES).items()}
    for numeral in NUMERALS.get(language, ()):
        del folded[numeral]
    codes = {code: Word("currency", Currencies((code,), rule="code"), fused=True) for code in all_currencies()}
    lower = {code: codes[code.upper()] for code in LOWER_CASE}
    cased = {text: Word("currency", found) for text, found in CASED.items()}
    at_home = {text.casefold(): word for text, word in cased.items() if home.intersection(word.meaning.codes)}
    thousands = {
        text: Word("thousands", SYMBOLS.get(text[1:]) or Currencies((text[1:],), rule="code")) for text in THOUSANDS
    }
    fillers = {text: Word("filler") for text in FILLERS} | {text: Word("whole") for text in DASHES}
    marks = {text: Word("refusal", ("debit_or_credit", CREDIT[0])) for text in CREDIT[1]} | {"cr": Word("crore")}
    refused = Word("refusal", ("magnitude", "this is a magnitude in other languages only"))
    not_in_language = dict.fromkeys(NO_MAGNITUDES.get(language, ()), refused)
    return base_lexicon(language, any_magnitude).joined(
        {**codes, **cased, **thousands, "CR": Word("crore", CAPITALS)},
        {**at_home, **folded, **lower, **fillers, **marks, **not_in_language},
    )
