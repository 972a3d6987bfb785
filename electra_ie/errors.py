"""What a user did wrong, in one line: where, what, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in a file, an option or a path. The command line prints it as one line and exits with code 2."""

    def __init__(
        self, message: str, *, file: str | os.PathLike[str] | None = None, line: int | None = None, remedy: str = ""
    ):
        self.message, self.file, self.line, self.remedy = message, file, line, remedy
        place = f"{os.fspath(file)}:{line}: " if file and line else f"{os.fspath(file)}: " if file else ""
        super().__init__(" ".join(f"{place}{message} {remedy}".split()))


def nearest(word: object, words: Iterable[object]) -> str:
    """`'Did you mean "x"? '` for the closest of `words`, and the list of them: the remedy for a misspelt word."""
    valid = [str(each) for each in words]
    close = get_close_matches(str(word), valid, n=1, cutoff=0.5)
    listed = ", ".join(valid) if len(valid) <= 60 else ", ".join(valid[:60]) + ", ..."
    return (f'Did you mean "{close[0]}"? ' if close else "") + f"Valid: {listed}."


def first_process() -> bool:
    """Is this the process that speaks? Of several, as `accelerate launch` starts them, only the first does."""
    return os.environ.get("RANK", "0") == "0"


def warn(message: str) -> None:
    """One line on standard error, beginning with `warning:`. For what a user should know and need not mend."""
    if first_process():
        print(f"warning: {' '.join(message.split())}", file=sys.stderr, flush=True)
