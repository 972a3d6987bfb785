"""Text that is safe to print: control and formatting characters become visible symbols or escapes."""

from __future__ import annotations

import re
from typing import Any

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that act instead of showing (C0 and C1 controls, line and paragraph separators, bidirectional controls),
and lone surrogates, which cannot be encoded."""

FORMULA = tuple("=+-@\t\r\n＝＋－＠'")
"""The beginnings of cells that a spreadsheet may execute; and the apostrophe, so that one can be removed again."""
SYMBOLS = {"\n": "↵", "\t": "⇥", "\x7f": "␡"}


def escape_controls(text: str) -> str:
    """Return `text` as one line, with each unsafe character as a symbol (`↵`, `␛`) or its code point (`<U+202E>`)."""

    def visible(match: re.Match[str]) -> str:
        character = match[0]
        # U+2400 to U+241F are pictures of the control characters U+0000 to U+001F.
        default = chr(0x2400 + ord(character)) if character < " " else f"<U+{ord(character):04X}>"
        return SYMBOLS.get(character, default)

    return UNSAFE.sub(visible, text)


def escape_json(line: str) -> str:
    r"""Return a line of JSON with unsafe characters as `\u202e`: the same value to a parser, safe on a terminal."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def no_formula(cell: Any) -> Any:
    """Return a cell that no spreadsheet executes: an apostrophe is put before a text that could be a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
