"""Texts, with single blanks for runs of white space."""

from __future__ import annotations

from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found


def read_text_value(text: str, settings: ValueSettings) -> Found:  # noqa: ARG001 - all readers have these arguments
    """Return the text without white space at its ends, and single blanks in it."""
    value = " ".join(text.split())
    return Found((Candidate(value),), ("white_space",), (value,))
