"""Scripts: those without blanks between words, and the boundaries of words."""

from __future__ import annotations

import re
import unicodedata

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af]"
)
"""Characters of scripts without blanks between words: Thai, Lao, Burmese, Khmer, Japanese, Bopomofo, Chinese."""

COMBINING = ("Mn", "Mc", "Me", "Cf")
"""Unicode categories of characters that belong to the character before them: marks, and format characters (joiners)."""

_WORD = re.compile(rf"{UNSPACED.pattern}|\w\w+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: two or more characters, or one of a script without blanks."""
    return _WORD.findall(text.lower())


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script without blanks between words."""
    return UNSPACED.match(character) is not None


def continues_word(text: str, index: int) -> bool:
    """Return whether the characters before and at `index` belong to the same word.

    A word is a run of letters and digits of a script with blanks, with their combining marks and with format characters
    between them (a soft hyphen, a joiner). Each punctuation mark, symbol and character of a script without blanks is a
    word of its own.
    """
    return 0 < index < len(text) and _in_word(text, index - 1) and _in_word(text, index)


def _in_word(text: str, index: int) -> bool:
    """Return whether a character is a letter or digit of a script with blanks, or combines with one."""
    while index > 0 and unicodedata.category(text[index]) in COMBINING:
        index -= 1
    return text[index].isalnum() and not is_unspaced(text[index])
