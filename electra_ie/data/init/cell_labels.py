"""Labels in the cells of a table: cells of several labels, and columns of dates, which are none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from electra_ie.data.readers.separated import SEPARATORS

DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}([./-])\d{1,2}\2\d{2,4}")


def are_dates(cells: Sequence[str]) -> bool:
    """Return whether all cells are dates in digits."""
    return all(map(DATE.fullmatch, cells))


def separator_of(cells: Sequence[str]) -> str:
    """Return the character that separates the labels of cells, or "" if each has one label.

    The parts of the cells must recur, and be no more than the different cells: those of names and sentences do not.
    """
    for separator in SEPARATORS:
        parts = Counter(part.strip() for cell in cells for part in cell.split(separator))
        several = sum(separator in cell for cell in cells) > 1
        if several and "" not in parts and len(parts) <= len(set(cells)) and parts.total() >= 2 * len(parts):
            return separator
    return ""


def labels_in(cell: str, separator: str) -> tuple[str, ...]:
    """Return the labels of a cell; all of it if there is no separator."""
    return tuple(dict.fromkeys(part.strip() for part in cell.split(separator))) if separator else (cell,)
