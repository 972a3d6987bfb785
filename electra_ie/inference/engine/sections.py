"""Sections: texts of any length as parts that are tokenized and decoded one at a time."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 1_000_000
"""Characters of a section at most. Where a text is cut follows from the text alone, and so do its findings."""


def sections(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sections of a text in their order, each with its first character.

    A section ends at the last line end that fits, else at the last blank, both in its second half; else it is cut.
    No span crosses the end of a section.
    """
    start = 0
    while len(text) - start > LONGEST:
        end = _cut(text, start + LONGEST // 2, start + LONGEST)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _cut(text: str, first: int, last: int) -> int:
    """Return the best place to cut a text from `first` (exclusive) to `last`."""
    line = text.rfind("\n", first, last)
    if line >= 0:
        return line + 1
    blank = next((at for at in range(last, first, -1) if text[at - 1].isspace()), 0)
    return blank or last
