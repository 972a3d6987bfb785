"""Codes of a list."""

from __future__ import annotations

from electra_ie.values.settings import ValueSettings
from electra_ie.values.value import Candidate, Found, Refused


def read_code(text: str, settings: ValueSettings) -> Found:
    """Return the code of the list whose code, name or synonym the text is, without case and runs of white space.

    Raises:
        Refused: the list has none.
    """
    code = settings.codes.find(text) if settings.codes else None
    if code is None:
        raise Refused("not_in_list", "the list has no such code, name or synonym")
    return Found((Candidate(code),), ("list",), (code,))
