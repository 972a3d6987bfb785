"""Texts before they are read: one kind of blank, digit, minus and apostrophe for the many of Unicode."""

from __future__ import annotations

import re
import unicodedata

from electra_ie.values.value import Refused

SOFT_HYPHEN = "\u00ad"
MAY_BE_MINUS = re.compile(rf"(?<!\w){SOFT_HYPHEN}|{SOFT_HYPHEN}(?!\w)|[^\W\d]{SOFT_HYPHEN}\d|\d{SOFT_HYPHEN}[^\W\d]")
"""A soft hyphen that is not between two letters or two digits: documents print it as a hyphen, so as a minus too."""
INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Soft hyphens, zero-width and bidirectional characters, which formatting puts between digits and signs."""
SAME = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u02bc\u00b4\u0060\u2032\uff07", "'"),
    "\u2044": "/", "\u00d7": "x", "\u2715": "x", "\u22c5": "\u00b7", "\u2264": "<=", "\u2265": ">=",
}  # fmt: skip
"""Signs that are written in several ways."""
SUPERSCRIPTS = {"\u00b9": "1", "\u00b2": "2", "\u00b3": "3", "\u207b": "-", "\u207a": "+"} | {
    chr(0x2070 + digit): str(digit) for digit in (0, 4, 5, 6, 7, 8, 9)
}
NO_GROUP = re.compile(r"(?<=\d)(?:\s{2,}|[\t-\r])(?=\d{3}(?!\d))")
"""What divides two numbers and no groups of digits: a tab, the end of a line, several blanks."""
SUPERSCRIPT = re.compile(f"[{''.join(SUPERSCRIPTS)}]+")


def clean(text: str) -> str:
    """Return a text with ASCII digits, single blanks, minus signs and apostrophes, and superscripts as `^2`.

    Two blanks are left where a tab, the end of a line or several blanks are before three digits: the numbers of two
    columns or lines are not one number with groups.

    Raises:
        Refused: digits of several scripts are mixed, which forgeries do, or a soft hyphen may be a minus.
    """
    if SOFT_HYPHEN in text and MAY_BE_MINUS.search(text) and any(map(str.isdecimal, text)):
        raise Refused("soft_hyphen", "a soft hyphen may be a minus")
    text = INVISIBLE.sub("", text)
    text = SUPERSCRIPT.sub(lambda match: "^" + "".join(map(SUPERSCRIPTS.__getitem__, match[0])), text)
    scripts = set()
    characters = []
    for character in text:
        if "\uff01" <= character <= "\uff5e":  # full-width forms of ASCII
            character = chr(ord(character) - 0xFEE0)  # noqa: PLW2901
        if character.isdecimal():
            digit = unicodedata.decimal(character)
            scripts.add(ord(character) - digit)
            character = str(digit)  # noqa: PLW2901
        characters.append(SAME.get(character, character))
    if len(scripts) > 1:
        raise Refused("mixed_digits", "the digits are of several scripts")
    numbers = NO_GROUP.split("".join(characters))
    return "  ".join(" ".join(number.split()) for number in numbers).strip()
