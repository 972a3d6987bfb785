"""Texts and numbers as Markdown shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DASH = "–"
"""Shown for an undefined value."""


def joined(sections: Iterable[Iterable[str]]) -> str:
    """Return the lines of several sections, with a blank line between sections; those without lines are left out."""
    texts = ("\n".join(section) for section in sections)
    return "\n\n".join(text for text in texts if text) + "\n"


def plain(text: str) -> str:
    """Return a text on one line, escaped so that it is neither markup nor the end of a table cell."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def number(value: float | None) -> str:
    """Return a score with three decimals, or a dash for an undefined one."""
    return DASH if value is None else f"{value:.3f}"


def between(ends: Sequence[float] | None) -> str:
    """Return an interval in brackets after a blank; an empty string without one."""
    return "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
