"""Yes and no, in the words and boxes of forms."""

from __future__ import annotations

from electra_ie.values.cleaning import clean
from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused

YES = frozenset(
    (
        "yes y true 1 ja j jawohl wahr oui vrai sí si sim sì vero tak tá ano да kyllä igen da evet ναι نعم כן "
        "हाँ हां ใช่ có ya 是 是的 对 對 有 真 はい 有り 예 네 \u2611 \u2713 \u2714 \u2705 [x] (x)"
    ).split()
)
NO = frozenset(
    (
        "no n false 0 nein falsch non faux não nao nee nej nei nie ne нет ei nem nu hayır όχι لا לא नहीं ไม่ "
        "không tidak 否 不 不是 不对 沒有 没有 无 無 假 いいえ 無し 아니요 아니오 \u2610 \u2717 \u2718 [] ()"
    ).split()
) | {"[ ]", "( )"}
CROSSED = ("\u2612", "\u274c", "x")
"""A crossed box: ticked on a German form, and false elsewhere."""
OUI = "o"
"""Yes on a French form, and an empty circle elsewhere."""


def read_yes_no(text: str, settings: ValueSettings) -> Found:
    """Return True for yes and False for no.

    Raises:
        Refused: the text is neither of them alone.
    """
    word = clean(text).casefold().rstrip(".!")
    if word in CROSSED:
        both = (Candidate(True), Candidate(False))
        return Found(both, ("crossed_box",), reason="a crossed box is ticked, or it is false")
    if word == OUI:
        readings = (Candidate(True),) if settings.language == "fr" else (Candidate(True), Candidate(False))
        return Found(readings, ("word",), reason="" if len(readings) == 1 else "yes in French, or an empty circle")
    if word not in YES | NO:
        raise Refused("unknown_word", "this is neither yes nor no")
    return Found((Candidate(word in YES),), ("word",), ("true",) if word in YES else ("false",))
