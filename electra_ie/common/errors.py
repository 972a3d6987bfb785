"""Errors of the user: one line that names the file and line, what failed, what was expected and how to fix it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from electra_ie.common.escaping import escape_controls

MAX_SHOWN = 10
"""Errors that an error of several lists; the others are counted."""
MAX_LISTED = 60
"""Valid words that an error lists."""


class UserError(ValueError):
    """Error in a file, an option or a path given by the user. The command line prints it and exits with code 2.

    Args:
        message: what failed, with the value and what was expected.
        file: the file with the error.
        line: its line, counting from 1.
        remedy: how to fix it.
        errors: the errors that this one sums up, printed below it, one a line.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | os.PathLike[str] | None = None,
        line: int | None = None,
        remedy: str = "",
        errors: Sequence[UserError] = (),
    ) -> None:
        self.message, self.file, self.line, self.remedy, self.errors = message, file, line, remedy, tuple(errors)
        prefix = f"{os.fspath(file)}:{line}: " if file and line else f"{os.fspath(file)}: " if file else ""
        head = escape_controls(" ".join(f"{prefix}{message} {remedy}".split()))
        super().__init__("\n".join([head, *map(str, errors)]))


OnError = Callable[[UserError], None]
"""Called by a reader with the error in one record: raises it (`raise_error`), or keeps it, to read on."""


def raise_error(error: UserError) -> None:
    """Raise the error, which stops reading at the first one."""
    raise error


class ErrorCollector:
    """Collector of the errors in a data set: their count, and the first ten."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[UserError] = []

    def add(self, error: UserError) -> None:
        """Keep an error, so that reading goes on. The same error of several splits is one."""
        if any(str(error) == str(known) for known in self.first):
            return
        self.count += 1
        if self.count <= MAX_SHOWN:
            self.first.append(error.with_traceback(None))  # a traceback would keep the record in memory

    def raise_any(self, name: str) -> None:
        """Raise a single error as it is, and several as one UserError that lists the first ten. `name`: of the data."""
        if self.count > 1:
            first = f" The first {MAX_SHOWN}" if self.count > MAX_SHOWN else ""
            end = f".{first}:" if first else ":"
            raise UserError(f"{self.count} errors in {name}; nothing is written{end}", errors=self.first)
        for error in self.first:
            raise error


def nearest(word: object, words: Iterable[object]) -> str:
    """Return `Did you mean "x"? Valid: x, y.` for a misspelled word, with the closest of the valid `words`."""
    valid = [str(candidate) for candidate in words]
    same = [candidate for candidate in valid if candidate.casefold() == str(word).casefold()]
    close = same or get_close_matches(str(word), valid, n=1, cutoff=0.5)
    listed = ", ".join(valid[:MAX_LISTED]) + (", ..." if len(valid) > MAX_LISTED else "")
    return (f'Did you mean "{close[0]}"? ' if close else "") + f"Valid: {listed}."


def first_line(message: str | BaseException) -> str:
    """Return the first line of a message that is not blank, at most 200 characters, without its full stop.

    For an exception without a message, return the name of its class.
    """
    default = type(message).__name__ if isinstance(message, BaseException) else ""
    return next((line.strip() for line in str(message).splitlines() if line.strip()), default)[:200].rstrip(". ")
