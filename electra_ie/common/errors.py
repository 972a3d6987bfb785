"""What a user did wrong, in one line: where, what, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from electra_ie.common.escaping import escape_controls

SHOWN_FAULTS = 10


class UserError(Exception):
    """A mistake in a file, an option or a path. The command line prints it as one line and exits with code 2.

    `faults` are the mistakes that this one sums up, each on a line of its own behind the first.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | os.PathLike[str] | None = None,
        line: int | None = None,
        remedy: str = "",
        faults: Sequence[UserError] = (),
    ):
        self.message, self.file, self.line, self.remedy, self.faults = message, file, line, remedy, tuple(faults)
        place = f"{os.fspath(file)}:{line}: " if file and line else f"{os.fspath(file)}: " if file else ""
        head = escape_controls(" ".join(f"{place}{message} {remedy}".split()))
        super().__init__("\n".join([head, *map(str, faults)]))


Fault = Callable[[UserError], None]
"""What a reader does with a mistake in one record: `stop`, or note it and go on with the next record."""


def stop(error: UserError) -> None:
    """Ends the reading at the first mistake."""
    raise error


class Faults:
    """The mistakes found in a data set: how many there are, and the first ten."""

    def __init__(self) -> None:
        self.number = 0
        self.first: list[UserError] = []

    def add(self, error: UserError) -> None:
        """Notes a mistake, to go on reading."""
        self.number += 1
        if self.number <= SHOWN_FAULTS:
            self.first.append(error.with_traceback(None))  # a traceback would keep the record in memory

    def refuse(self, data: str) -> None:
        """Raises a single mistake as it is, and several as one UserError that lists the first ten."""
        if self.number > 1:
            first = f" The first {SHOWN_FAULTS}" if self.number > SHOWN_FAULTS else ""
            end = f".{first}:" if first else ":"
            raise UserError(f"{self.number} faults in {data}; nothing is written{end}", faults=self.first)
        for error in self.first:
            raise error


def nearest(word: object, words: Iterable[object]) -> str:
    """`'Did you mean "x"? '` for the closest of `words`, and the list of them: the remedy for a misspelt word."""
    valid = [str(each) for each in words]
    same = [each for each in valid if each.casefold() == str(word).casefold()]
    close = same or get_close_matches(str(word), valid, n=1, cutoff=0.5)
    listed = ", ".join(valid) if len(valid) <= 60 else ", ".join(valid[:60]) + ", ..."
    return (f'Did you mean "{close[0]}"? ' if close else "") + f"Valid: {listed}."


def first_line(told: str | BaseException) -> str:
    """The first line that says anything, cut short, without its full stop; the kind of an error that says nothing."""
    nothing = type(told).__name__ if isinstance(told, BaseException) else ""
    return next((line.strip() for line in str(told).splitlines() if line.strip()), nothing)[:200].rstrip(". ")


def first_process() -> bool:
    """Is this the process that speaks? Of several, as `accelerate launch` starts them, only the first does."""
    return os.environ.get("RANK", "0") == "0"


def warn(message: str) -> None:
    """One line on standard error, beginning with `warning:`. For what a user should know and need not mend."""
    if first_process():
        print(f"warning: {escape_controls(' '.join(message.split()))}", file=sys.stderr, flush=True)
