"""The format of a file or folder of annotated text: of one to read by what is in it, of one to write by its ending."""

from __future__ import annotations

from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.folders import count, is_saved_data_set
from electra_ie.common.text_files import lines, reading
from electra_ie.formats import FORMATS
from electra_ie.formats.base import Format
from electra_ie.formats.conll import CONLL
from electra_ie.formats.doccano import DOCCANO
from electra_ie.formats.json_lines import JSON_LINES
from electra_ie.formats.json_spans import JSON_SPANS, lists
from electra_ie.formats.label_studio_min import LABEL_STUDIO_MIN
from electra_ie.formats.tables import CSV, TSV

CHOOSE = "Name the format: --format NAME for init, --from NAME for convert."

SHOWN = 5
"""Files of a folder that an error names."""


def candidates(path: Path) -> list[Format]:
    """Return the formats that a file or folder seems to have.

    Any record with a text may be one of JSON lines, an empty list of entities may be one of doccano, and the lists of
    annotation tools may look like spans: a format that says more of the file goes first.
    """
    found = {name: format for name, format in FORMATS.items() if format.detect(path)}
    if set(found) - {JSON_LINES.name, JSON_SPANS.name}:
        found.pop(JSON_SPANS.name, None)
    if {JSON_SPANS.name, LABEL_STUDIO_MIN.name} & set(found):
        found.pop(JSON_LINES.name, None)
    if CONLL.name in found:  # no table has the tag of a word as the name of a column
        for table in (CSV.name, TSV.name):
            found.pop(table, None)
    if {JSON_LINES.name, DOCCANO.name} <= set(found) and any(keys.is_own for keys in lists(path)):
        found.pop(DOCCANO.name)
    return list(found.values())


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
    if path.is_dir():
        if is_saved_data_set(path):
            message = "this folder is a data set that the library datasets has saved, and no annotation format."
            raise UserError(message, file=path, remedy=f"Make a task of it: electra-ie init {path}.")
        _refuse_folder(path)
    known = ", ".join(f"{format.name} ({format.title})" for format in FORMATS.values())
    raise UserError(f"the format is not known by what is in it. Formats: {known}.", file=path, remedy=CHOOSE)


def _refuse_folder(path: Path) -> None:
    """Raise UserError for a folder without files, not counting hidden ones, or with files that have formats."""
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not files:
        raise UserError("this folder has no files.", file=path, remedy="Give a file or folder of annotated data.")
    known = [
        (file.relative_to(path).as_posix(), found[0].name) for file in files[:SHOWN] if (found := candidates(file))
    ]
    if known:
        others = len(files) - len(known)
        more = f" and {count(others, 'other file', 'other files')}" if others else ""
        shown = ", ".join(f"{name} ({format})" for name, format in known)
        message = f"no format reads this folder as a whole; it contains {shown}{more}."
        raise UserError(message, file=path, remedy="Give one file: convert reads one file of such a format.")


def by_ending(path: Path) -> Format:
    """Return the only format that writes files with the ending of a path.

    Raises:
        UserError: There is none, or there are several.
    """
    written = [format for format in FORMATS.values() if format.write]
    fitting = [format for format in written if path.name.lower().endswith(format.endings)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(format.name for format in fitting or written)
    message = "the ending of this path does not name one format."
    raise UserError(message, file=path, remedy=f"Give the format with --to: {names}.")
