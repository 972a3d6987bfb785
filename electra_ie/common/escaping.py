"""Text that is safe to print: every hidden character becomes visible or escaped."""

from __future__ import annotations

import re

HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that act instead of showing: controls, line separators, bidi controls; and halves of surrogate pairs."""


SYMBOLS = {"\n": "↵", "\t": "⇥", "\x7f": "␡"}


def escape_controls(text: str) -> str:
    """`text` on one line, every hidden character as a symbol (`↵`, `␛`) or as its number (`<U+202E>`)."""

    def name(match: re.Match[str]) -> str:
        character = match[0]
        picture = chr(0x2400 + ord(character)) if character < " " else f"<U+{ord(character):04X}>"
        return SYMBOLS.get(character, picture)

    return HIDDEN.sub(name, text)


def escape_json(line: str) -> str:
    """A line of JSON with every hidden character as `\\u202e`: the same to a reader of JSON, text to a terminal."""
    return HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
