"""The grammar of amounts: a sign or brackets, one number, a magnitude, and the words of a type around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact
from functools import cache, cached_property
from itertools import product
from math import prod
from typing import Any

from electra_ie.values import magnitudes
from electra_ie.values.locales import has_minus_behind_currency
from electra_ie.values.number_words import MAX_LENGTH, read_words, with_digits
from electra_ie.values.numerals import MAX_DIGITS, NUMBER, readings, refuse_several
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Refused

EXACT = Context(prec=80, traps=[Inexact])
"""Numbers have at most 30 digits and magnitudes at most 24: no product is rounded."""
GRAMMAR = ("sign", "open", "close", "magnitude", "filler", "stop")
"""The kinds of words of the grammar itself."""
MAX_FACTORS = 2
"""Magnitudes of one number: hundred thousand."""
PLUS_BEHIND = ("bound", "a plus behind a number is a bound: 5 or more")
HYPHEN_BEFORE = re.compile(r"(?:[^\W\d_]-|\S - )$")
"""A hyphen between a word and a number that may be no minus: EUR-5, EUR - 5."""
HYPHEN_AFTER = re.compile(r" ?-[^\s\d)-]|.* -$")
"""Likewise behind a number: 5-EUR, 5-%, 5 EUR -."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a word beside a number means.

    Args:
        kind: sign, open, close, magnitude, refusal, filler, or a kind of the type that reads the number.
        meaning: The factors that a magnitude may be, the rule and reason of a refusal, what the type takes from it.
        fused: Whether a letter may follow or come before it without a blank, as in TEUR and EURm.
    """

    kind: str
    meaning: Any = None
    fused: bool = False


@dataclass(frozen=True)
class Lexicon:
    """Words by how they are written, and by how they are written without case."""

    cased: Mapping[str, Word]
    folded: Mapping[str, Word]

    def find(self, text: str) -> Word | None:
        """Return the word that a text is."""
        return self.cased.get(text) or self.folded.get(text.casefold())

    def joined(self, cased: Mapping[str, Word], folded: Mapping[str, Word]) -> Lexicon:
        """Return a lexicon with more words, which go before those of this one."""
        return Lexicon({**self.cased, **cased}, {**self.folded, **folded})

    @cached_property
    def longest(self) -> int:
        """The characters of the longest word."""
        return max(map(len, (*self.cased, *self.folded)))


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with the words around it.

    Args:
        readings: The numbers that it may be.
        steps: The rules that fired.
        before: The words before the number, those of the grammar left out.
        after: Those behind it.
        libraries: The packages whose data decided.
    """

    readings: tuple[Decimal, ...]
    steps: tuple[str, ...]
    before: tuple[Word, ...] = ()
    after: tuple[Word, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why the number has several readings; empty for one."""
        if len(self.readings) == 1:
            return ""
        if "hyphen" in self.steps:
            return "the hyphen may be a minus"
        if "scale" in self.steps:
            return "a billion has 9 zeros in English, and 12 in the language of the locale"
        return "the separator may be of groups or of the fraction: set the locale"

    def scaled(self, power: int) -> Amount:
        """Return the amount times a power of ten.

        Raises:
            Refused: the power has more digits than a number may have.
        """
        if abs(power) > MAX_DIGITS:
            raise Refused("digits", f"the power of ten is above {MAX_DIGITS}")
        numbers = tuple(times(number, Decimal(1).scaleb(power)) for number in self.readings)
        return replace(self, readings=numbers, steps=(*self.steps, "power_of_ten"))


@cache
def base_lexicon(language: str, any_magnitude: bool = False) -> Lexicon:
    """Return signs, magnitudes, and the words that make a number approximate, for the texts of a language.

    any_magnitude: also the letters that mean a magnitude beside a currency only: 5m, 3b.
    """
    signs = {text: Word("sign", -1) for text in ("-", *magnitudes.MINUS)} | {"+": Word("sign", 1)}
    brackets = {"(": Word("open"), ")": Word("close"), ".": Word("stop")}
    refusals = {
        text: Word("refusal", (rule, reason))
        for rule, (reason, texts) in magnitudes.QUALIFIERS.items()
        for text in texts
    }
    factors = magnitudes.of_language(language) | (
        {word: (factor,) for word, factor in magnitudes.OF_MONEY.items()} if any_magnitude else {}
    )
    words = {text: Word("magnitude", factor, fused=len(text) <= 2) for text, factor in factors.items()}  # noqa: PLR2004
    return Lexicon({}, {**signs, **brackets, **refusals, **words})


def read_amount(text: str, settings: ValueSettings, lexicon: Lexicon) -> Amount:
    """Return the one number of a text, which has nothing else than words of the lexicon.

    Args:
        text: A text that `cleaning.clean` has returned.
        settings: The locale of the separators and words.
        lexicon: The words that may stand beside the number.

    Raises:
        Refused: there is no number, more than one, or another word.
    """
    text = with_digits(text, settings.language)
    matches = list(NUMBER.finditer(text))
    if not matches:
        return _in_words(text, settings, lexicon)
    match = matches[0]
    before, after = text[: match.start()], text[match.end() :]
    if len(matches) > 1:
        _refuse_words(segments(before, lexicon) or ())
        refuse_several(text[match.end() : matches[1].start()])
    numbers, steps = readings(match[0], settings.locale)
    hyphen = HYPHEN_BEFORE.search(before) and not (settings.locale and has_minus_behind_currency(settings.locale))
    may_be_hyphen = bool(hyphen or HYPHEN_AFTER.match(after))
    return _combine(numbers, steps, _words(before, lexicon), _words(after, lexicon), may_be_hyphen)


def _combine(
    numbers: list[Decimal],
    steps: tuple[str, ...],
    before: tuple[Word, ...],
    after: tuple[Word, ...],
    may_be_hyphen: bool,
) -> Amount:
    """Apply signs, brackets and magnitudes to the readings of a number."""
    _refuse_words((*before, *after))
    if any(word.kind == "stop" for word in before):
        raise Refused("unknown_words", "a full stop before the number")
    if sum(word.kind == "stop" for word in after) > 1:
        raise Refused("unknown_words", "an abbreviation behind the number")
    negative, named = _sign(before, after)
    factors = _factors(before, after)
    if factors != [1]:
        named += ("magnitude",)
    if len(factors) > 1:
        named += ("scale",)
    numbers = [times(number, factor) for factor in factors for number in numbers]
    numbers = [number.copy_negate() if negative and number else number for number in numbers]
    if may_be_hyphen and negative:
        numbers, named = [*numbers, *(number.copy_negate() for number in numbers)], (*named, "hyphen")
    own_before, own_after = (tuple(each for each in words if each.kind not in GRAMMAR) for words in (before, after))
    return Amount(tuple(numbers), (*steps, *named), own_before, own_after)


def _factors(before: tuple[Word, ...], after: tuple[Word, ...]) -> list[Decimal]:
    """Return what the product of the magnitudes may be; one before the number needs a currency, as in EURm 5."""
    if not any(word.kind not in GRAMMAR for word in before) and any(word.kind == "magnitude" for word in before):
        raise Refused("magnitude", "a magnitude before the number")
    factors = [word for word in (*before, *after) if word.kind == "magnitude"]
    if len(factors) > MAX_FACTORS or sum(word.fused for word in factors) > 1:
        raise Refused("magnitude", "the magnitudes contradict each other")
    return [Decimal(prod(chosen)) for chosen in product(*(word.meaning for word in factors))]


def is_whole(number: Decimal) -> bool:
    """Return whether a number has no fraction, whatever the precision of the context."""
    return number == number.to_integral_value()


def times(number: Decimal, factor: Decimal) -> Decimal:
    """Return an exact product, without zeros at the end of its fraction if the factor is not 1."""
    if factor == 1:
        return number
    product = EXACT.multiply(number, factor)
    return Decimal(int(product)) if is_whole(product) else product.normalize(EXACT)


def _sign(before: tuple[Word, ...], after: tuple[Word, ...]) -> tuple[bool, tuple[str, ...]]:
    """Return whether an amount is negative, and by which rules."""
    signs = [word.meaning for words in (before, after) for word in words if word.kind == "sign"]
    opened = [sum(word.kind == kind for word in words) for words, kind in ((before, "open"), (after, "close"))]
    stray = [sum(word.kind == kind for word in words) for words, kind in ((before, "close"), (after, "open"))]
    if opened[0] != opened[1] or any(stray) or opened[0] + len(signs) > 1:
        raise Refused("sign", "the signs or brackets contradict each other")
    if any(word.kind == "sign" and word.meaning == 1 for word in after):
        raise Refused(*PLUS_BEHIND)
    if opened[0]:
        return True, ("brackets",)
    return -1 in signs, ("minus",) if -1 in signs else ("plus",) if signs else ()


def _in_words(text: str, settings: ValueSettings, lexicon: Lexicon) -> Amount:
    """Return an amount whose number is in words."""
    if len(text) > MAX_LENGTH:
        raise Refused("no_number", "there is no number")
    kept = Lexicon(lexicon.cased, {name: word for name, word in lexicon.folded.items() if word.kind != "magnitude"})
    start = next(end for end in range(len(text), -1, -1) if segments(text[:end], kept, text[end:]) is not None)
    ends = (
        begin for begin in range(start, len(text) + 1) if segments(text[begin:], kept, before=text[:begin]) is not None
    )
    end = next(ends)
    _refuse_words(segments(text[:start], kept, text[start:]) or ())
    number, package = read_words(text[start:end], settings.language)
    before, after = _words(text[:start], kept), _words(text[end:], kept)
    amount = _combine([number], ("words",), before, after, may_be_hyphen=False)
    return Amount(amount.readings, amount.steps, amount.before, amount.after, (package,))


def _words(text: str, lexicon: Lexicon) -> tuple[Word, ...]:
    found = segments(text, lexicon)
    if found is None:
        raise Refused("unknown_words", f'"{text.strip()}" is not understood')
    return found


def _refuse_words(words: tuple[Word, ...]) -> None:
    for word in words:
        if word.kind == "refusal":
            raise Refused(*word.meaning)


def segments(text: str, lexicon: Lexicon, after: str = "", before: str = "") -> tuple[Word, ...] | None:
    """Return the words of the lexicon that a text consists of, the longest ones first; None for any other text.

    after, before: what follows and what comes before, so that no word is cut.
    """
    longest = lexicon.longest
    known: list[tuple[Word, ...] | None] = [None] * len(text) + [()]
    whole = before + text + after
    for start in range(len(text) - 1, -1, -1):
        if text[start] == " ":
            known[start] = known[start + 1]
            continue
        for end in range(min(len(text), start + longest), start, -1):
            rest = known[end]
            word = lexicon.find(text[start:end]) if rest is not None else None
            if word and rest is not None and _is_whole(whole, len(before) + start, len(before) + end, word):
                known[start] = (word, *rest)
                break
    return known[0]


def _is_whole(text: str, start: int, end: int, word: Word) -> bool:
    """Return whether a word does not go on in letters of an alphabet."""
    if word.fused:
        return True
    return not (_letters(text[start - 1 : start + 1]) or _letters(text[end - 1 : end + 1]))


def _letters(pair: str) -> bool:
    """Return whether two characters are letters of an alphabet, so that no word ends between them."""
    return len(pair) == 2 and all(each.isalpha() and not _is_ideograph(each) for each in pair)  # noqa: PLR2004


def _is_ideograph(character: str) -> bool:
    return "\u2e80" <= character <= "\ud7ff" or "\uf900" <= character <= "\ufaff"
