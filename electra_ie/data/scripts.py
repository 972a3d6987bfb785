"""Writing systems: which put no blank between words, and where a word begins and ends in a text."""

from __future__ import annotations

import re
import unicodedata

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af]"
)
"""A character of a script without blanks between words: Thai, Lao, Burmese, Khmer, Japanese, Bopomofo, Chinese."""

COMBINING = ("Mn", "Mc", "Me", "Cf")
"""Categories of characters that belong to the one before them: marks, and format characters such as joiners."""


def is_unspaced(character: str) -> bool:
    """Whether `character` belongs to a script that puts no blank between words."""
    return UNSPACED.match(character) is not None


def continues_word(text: str, at: int) -> bool:
    """Whether the characters before and at `at` belong to one word.

    A word is a run of letters and digits of a script with blanks; marks that combine with them and format characters
    between them (a soft hyphen, a joiner) are part of it. Punctuation, symbols and characters of scripts without blanks
    are words of their own.
    """
    return 0 < at < len(text) and _in_word(text, at - 1) and _in_word(text, at)


def _in_word(text: str, at: int) -> bool:
    """Whether the character at `at` is a letter or a digit of a script with blanks, or what combines with one."""
    while at > 0 and unicodedata.category(text[at]) in COMBINING:
        at -= 1
    return text[at].isalnum() and not is_unspaced(text[at])
