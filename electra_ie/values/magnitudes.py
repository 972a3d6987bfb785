"""Words beside a number in several languages: magnitudes, minus, and those that make it approximate or a bound."""

from __future__ import annotations

EVERYWHERE = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "millions": 10**6,
    "k": 10**3,
    "mio": 10**6,
    "mio.": 10**6,
    "mln": 10**6,
    "mln.": 10**6,
    "mrd": 10**9,
    "mrd.": 10**9,
    "bn": 10**9,
    "tsd": 10**3,
    "tsd.": 10**3,
    "lakh": 10**5,
    "lakhs": 10**5,
    "lac": 10**5,
    "lacs": 10**5,
    "crore": 10**7,
    "crores": 10**7,
    "百": 10**2,
    "千": 10**3,
    "万": 10**4,
    "萬": 10**4,
    "百万": 10**6,
    "百萬": 10**6,
    "千万": 10**7,
    "千萬": 10**7,
    "亿": 10**8,
    "億": 10**8,
    "만": 10**4,
    "억": 10**8,
}
"""Magnitudes with one meaning in all languages that have them."""
MILLION, BILLION = 10**6, 10**12
OF_MONEY = {"m": 10**6, "mm": 10**6, "mn": 10**6, "mn.": 10**6, "mill": 10**6, "mill.": 10**6, "b": 10**9, "tn": 10**12}
"""Letters that are a magnitude beside a currency, and a unit elsewhere."""
SCALES: dict[str, dict[str, tuple[int, ...]]] = {
    language: {word: (10**9, 10**12) for word in words}
    for language, words in {"de": ("billion",), "fr": ("billion", "billions")}.items()
}
"""Words of a language that English writes too, with another factor: a text in German may cite `USD 2 billion`."""
LANGUAGES: dict[str, dict[str, int]] = {
    "en": {"billion": 10**9, "billions": 10**9, "trillion": 10**12},
    "de": {
        "tausend": 10**3,
        "million": 10**6,
        "millionen": 10**6,
        "milliarde": 10**9,
        "milliarden": 10**9,
        "md": 10**9,
        "billionen": 10**12,
    },
    "fr": {
        "mille": 10**3,
        "million": 10**6,
        "millions": 10**6,
        "milliard": 10**9,
        "milliards": 10**9,
        "md": 10**9,
    },
    "es": {
        "mil": 10**3,
        "millón": 10**6,
        "millones": 10**6,
        "mil millones": 10**9,
        "billón": 10**12,
        "billones": 10**12,
    },
    "pt": {
        "mil": 10**3,
        "milhão": 10**6,
        "milhões": 10**6,
        "mil milhões": 10**9,
        "bilhão": 10**9,
        "bilhões": 10**9,
    },
    "it": {
        "mila": 10**3,
        "mille": 10**3,
        "milione": 10**6,
        "milioni": 10**6,
        "miliardo": 10**9,
        "miliardi": 10**9,
        "mld": 10**9,
    },
    "nl": {"duizend": 10**3, "miljoen": 10**6, "miljard": 10**9, "mld": 10**9},
    "sv": {"tusen": 10**3, "miljon": 10**6, "miljoner": 10**6, "miljard": 10**9, "miljarder": 10**9},
    "da": {"tusind": 10**3, "million": 10**6, "millioner": 10**6, "milliard": 10**9, "milliarder": 10**9},
    "nb": {"tusen": 10**3, "million": 10**6, "millioner": 10**6, "milliard": 10**9, "milliarder": 10**9},
    "pl": {
        "tys": 10**3,
        "tys.": 10**3,
        "milion": 10**6,
        "miliony": 10**6,
        "milionów": 10**6,
        "mld": 10**9,
        "miliard": 10**9,
        "miliardy": 10**9,
        "miliardów": 10**9,
    },
    "ru": {
        "тыс": 10**3,
        "тыс.": 10**3,
        "млн": 10**6,
        "млн.": 10**6,
        "млрд": 10**9,
        "млрд.": 10**9,
        "миллион": 10**6,
        "миллиона": 10**6,
        "миллионов": 10**6,
        "миллиардов": 10**9,
    },
    "tr": {"bin": 10**3, "milyon": 10**6, "milyar": 10**9},
    "ja": {"兆": 10**12},
}
"""The magnitudes of a language. A billion has 9 or 12 zeros, depending on it."""
LINKS = {"fr": ("de", "d'"), "es": ("de",), "pt": ("de",), "it": ("di",)}
"""The words of a language between millions and the currency: 3 millions d'euros."""
MINUS = ("minus", "negative", "moins", "menos", "meno", "负", "負", "минус")
"""Words before a negative number."""
APPROXIMATE = (
    "about|approx|approx.|approximately|around|roughly|circa|ca|ca.|c.|nearly|almost|some|~|\u2248|\u00b1|+/-|est|est.|"
    "estimated|etwa|rund|ungefähr|knapp|gut|fast|environ|presque|unos|unas|aproximadamente|aprox.|cerca de|"
    "quasi|ongeveer|około|около|约|約|大约|左右|近|余|多"
).split("|")
BOUNDS = (
    "<|>|<=|>=|over|under|above|below|up to|at least|at most|more than|less than|max|max.|min.|maximum|"
    "minimum|or more|or less|and above|von|über|unter|bis zu|mindestens|höchstens|maximal|mehr als|"
    "weniger als|plus de|moins de|au moins|au plus|jusqu'à|más de|menos de|超过|超過|不超过|至少|最多|以上|"
    "以下"
).split("|")
QUALIFIERS = {
    "approximate": ("an approximate value", APPROXIMATE),
    "bound": ("a bound, not a value", BOUNDS),
}
"""The words that make a number no value, by the rule that refuses them, with its reason."""


def of_language(language: str) -> dict[str, tuple[int, ...]]:
    """Return the factors that each magnitude may be in the texts of a language.

    The words for millions are also there with the word that is before the currency.

    A billion of these languages is not among them: in translations it often is that of English.
    """
    one = EVERYWHERE | LANGUAGES.get(language, {})
    large = {word: factor for word, factor in LANGUAGES.get(language, {}).items() if MILLION <= factor < BILLION}
    linked = {f"{word} {link}": factor for word, factor in large.items() for link in LINKS.get(language, ())}
    return {**{word: (factor,) for word, factor in {**one, **linked}.items()}, **SCALES.get(language, {})}
