"""Detection of the format of a file or folder of annotated text, by what is in it."""

from __future__ import annotations

from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import lines, reading
from electra_ie.formats import FORMATS
from electra_ie.formats.base import Format

CHOOSE = "Name the format: --format NAME for init, --from NAME for convert."


def candidates(path: Path) -> list[Format]:
    """Return the formats that a file or folder seems to have."""
    return [format for format in FORMATS.values() if format.detect(path)]


def detect(path: Path) -> Format:
    """Return the format of a file or folder.

    Raises:
        UserError: The path does not exist, is empty or unreadable, or seems to have several formats or none.
    """
    with reading(path):
        path.stat()
    found = candidates(path)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(format.name for format in found)
        raise UserError(f"this may have several formats: {names}.", file=path, remedy=CHOOSE)
    if path.is_file() and next(lines(path), None) is None:  # binary data, UTF-16 and so on are errors of their own
        raise UserError("this file is empty.", file=path, remedy="Give a file with at least one record.")
    known = ", ".join(f"{format.name} ({format.title})" for format in FORMATS.values())
    raise UserError(f"the format is not known by what is in it. Formats: {known}.", file=path, remedy=CHOOSE)
