"""Yes and no, in the words and boxes of forms."""

from __future__ import annotations

from electra_ie.values.cleaning import clean
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

SIGNS = {
    **dict.fromkeys("1 true \u2611 \u2713 \u2714 \u2705 [x] (x)".split(), True),
    **dict.fromkeys(("0", "false", "\u2610", "\u2717", "\u2718", "[]", "()", "[ ]", "( )"), False),
}
"""Digits, boxes and words of programs, which mean the same in all languages."""
WORDS = {
    "en": ("yes y", "no n"),
    "ar": ("نعم", "لا"),
    "bg": ("да", "не"),
    "bs": ("da", "ne"),
    "cs": ("ano no", "ne"),
    "da": ("ja j", "nej n"),
    "de": ("ja j jawohl wahr", "nein n falsch"),
    "el": ("ναι", "όχι"),
    "es": ("sí si", "no n"),
    "fi": ("kyllä", "ei"),
    "fr": ("oui o vrai", "non n faux"),
    "he": ("כן", "לא"),
    "hi": ("हाँ हां", "नहीं"),
    "hr": ("da", "ne"),
    "hu": ("igen", "nem"),
    "id": ("ya", "tidak"),
    "it": ("sì si vero", "no n falso"),
    "ja": ("はい 有り 有 是", "いいえ 無し 無 否"),
    "ko": ("예 네", "아니요 아니오"),
    "nb": ("ja j", "nei n"),
    "nl": ("ja j", "nee n"),
    "nn": ("ja j", "nei n"),
    "no": ("ja j", "nei n"),
    "pl": ("tak no", "nie n"),
    "pt": ("sim", "não nao n"),
    "ro": ("da", "nu"),
    "ru": ("да", "нет"),
    "sk": ("áno ano", "nie"),
    "sl": ("da", "ne"),
    "sr": ("da да", "ne не"),
    "sv": ("ja j", "nej n"),
    "th": ("ใช่", "ไม่"),
    "tr": ("evet", "hayır"),
    "uk": ("так", "ні"),
    "vi": ("có", "không"),
    "zh": ("是 是的 对 對 有 真", "否 不 不是 不对 沒有 没有 无 無 假"),
}
"""The words for yes and for no of each language. In Czech and Polish, no is also a short yes."""
CROSSED = ("\u2612", "\u274c", "x")
"""A crossed box: ticked on a German form, and false elsewhere."""
CIRCLE = "o"
"""An empty circle, outside of French."""


def read_yes_no(text: str, settings: ValueSettings) -> Found:
    """Return True for yes and False for no, in the language of the locale and in English; without one, in any language.

    Raises:
        Refused: the text is neither of them alone, or a word of another language than that of the locale.
    """
    word = clean(text).casefold().rstrip(".!")
    both = (Candidate(True), Candidate(False))
    if word in SIGNS:
        return Found((Candidate(SIGNS[word]),), ("sign",), (str(SIGNS[word]).lower(),))
    if word in CROSSED:
        return Found(both, ("crossed_box",), reason="a crossed box is ticked, or it is false")
    if word == CIRCLE and settings.language != "fr":
        return Found(both, ("word",), reason="yes in French, or an empty circle")
    meanings = _meanings(word, {settings.language, "en"})
    elsewhere = _meanings(word, set(WORDS))
    if not (meanings or elsewhere):
        raise Refused("unknown_word", "this is neither yes nor no")
    if not meanings and settings.locale:
        raise Refused("other_language", f"this is yes or no in another language than that of {settings.locale}")
    readings = tuple(Candidate(meaning) for meaning in meanings or elsewhere)
    return Found(readings, ("word",), reason="yes in one language, and no in another")


def _meanings(word: str, languages: set[str]) -> list[bool]:
    """Return whether a word is yes, no, or both, in some languages."""
    said = [WORDS[language] for language in languages if language in WORDS]
    return [meaning for meaning, index in ((True, 0), (False, 1)) if any(word in each[index].split() for each in said)]
