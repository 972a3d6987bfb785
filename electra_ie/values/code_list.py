"""Lists of codes: a text file with a code a line, or a csv file with the columns code, name and synonyms."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.text_files import read_text

COLUMNS = ("code", "name", "synonyms")
SYNONYMS = "|"
"""Separates the synonyms of a code."""


def key_of(name: str) -> str:
    """Return the form of a code or a name in which two of them are the same: without case and runs of white space."""
    return " ".join(name.split()).casefold()


@dataclass(frozen=True, slots=True)
class CodeList:
    """Codes with their names and synonyms, which are compared as texts: nothing in them is a regular expression.

    Args:
        codes: The code of each code, name and synonym, by `key_of`.
    """

    codes: dict[str, str] = field(repr=False)

    def __hash__(self) -> int:
        return id(self)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> CodeList:
        """Read a list.

        Args:
            path: A `.csv` file whose first line names its columns, `code` and, if any, `name` and `synonyms` (divided
                by `|`); or any other text file, with a code in each line that is not blank.

        Raises:
            UserError: the file cannot be read or is empty, or a code or name is there twice; with file and line.
        """
        path = Path(path)
        text = read_text(path).removeprefix("\ufeff")
        rows = _table(path, text) if path.suffix.lower() == ".csv" else _lines(text)
        codes: dict[str, str] = {}
        seen: dict[str, int] = {}
        for number, code, names in rows:
            for name in dict.fromkeys(map(key_of, (code, *names))):
                if name in seen:
                    message = f'"{name}" is already in line {seen[name]}, for the code "{codes[name]}".'
                    remedy = "Each code, name and synonym belongs to one code; case does not count."
                    raise UserError(message, file=path, line=number, remedy=remedy)
                seen[name], codes[name] = number, code
        if not codes:
            raise UserError("this list has no codes.", file=path, remedy="Write a code a line.")
        return cls(codes)

    def find(self, text: str) -> str | None:
        """Return the code of a code, a name or a synonym; None if there is none."""
        return self.codes.get(key_of(text))


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number and code of each line that is not blank."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip(), []


def _table(path: Path, text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, code and names of each row."""
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [cell.strip().casefold() for cell in next(rows, [])]
        if "code" not in header or set(header) - set(COLUMNS) or len(set(header)) < len(header):
            message = f"the columns are {', '.join(header) or 'none'}."
            raise UserError(message, file=path, line=1, remedy=f"The first line names them: {', '.join(COLUMNS)}.")
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                message = f"this row has {len(cells)} cells, and the first line {len(header)}."
                raise UserError(message, file=path, line=rows.line_num, remedy="Quote cells that contain a comma.")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            if not row["code"]:
                raise UserError("this row has no code.", file=path, line=rows.line_num, remedy="Add it.")
            names = [row.get("name", ""), *row.get("synonyms", "").split(SYNONYMS)]
            yield rows.line_num, row["code"], [name.strip() for name in names if name.strip()]
    except csv.Error as error:
        raise UserError(f"this is not csv: {error}.", file=path, line=rows.line_num) from None
