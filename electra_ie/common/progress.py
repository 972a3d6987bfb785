"""The terminal: results on standard output, progress on standard error (for warnings and notices see `logs`).

Rich is imported inside the functions, so that importing this module costs nothing. Text from documents goes through
`escape_controls` and is printed without markup: it can neither move the cursor nor be read as a style.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from electra_ie.common.escaping import escape_controls
from electra_ie.common.logs import logger
from electra_ie.common.processes import is_main_process

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

FILE_WIDTH = 160
"""Columns where the output is not a terminal. The default of rich, 80, folds tables: hard to search in a log."""


def output() -> Console:
    """Return a console on standard output, for results. It has colors on a terminal unless NO_COLOR is set."""
    return _console(sys.stdout)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    if hasattr(stream, "reconfigure"):  # an ASCII terminal prints `\u2026` instead of raising UnicodeEncodeError
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() or "COLUMNS" in os.environ else FILE_WIDTH
    return Console(file=stream, highlight=False, width=width)


class Report(Protocol):
    """Callback that takes the number of steps (or documents) done so far, after each of them."""

    def __call__(self, done: int, *, loss: float | None = None, dev: float | None = None) -> None:
        """Show that `done` steps are done, with the loss and the dev score if there are new ones."""


@contextmanager
def progress(total: int | None, description: str, *, unit: str = "steps", start: int = 0) -> Iterator[Report]:
    """Show the progress of a loop on standard error.

    Use it as `with progress(400, "training") as report:` and call `report(1, loss=0.5)` after each step.

    On a terminal it is a bar; elsewhere a line for about every tenth of `total`, so that logs stay short. If `total` is
    None (unknown), a line is printed each time the count has doubled. `start` is the count that an earlier, resumed run
    had reached. Only the main process shows progress, and none does if the logger `electra_ie` shows no warnings.
    """
    if not _is_shown():
        yield lambda done, *, loss=None, dev=None: None
        return
    if not _is_terminal():
        lines = _PlainProgress(total, description, unit, start)
        yield lines
        lines.finish()
        return
    with _bar(unit) as bar:
        task = bar.add_task(escape_controls(description), total=total, completed=start, values="")
        shown: dict[str, float | None] = {"loss": None, "dev": None}

        def report(done: int, *, loss: float | None = None, dev: float | None = None) -> None:
            _update(shown, loss, dev)
            bar.update(task, completed=done, values=_format_values(shown))

        yield report


def _is_shown() -> bool:
    return is_main_process() and logger.isEnabledFor(logging.WARNING)


class DocumentReport(Protocol):
    """Callback that takes the documents and characters done so far, and the share of the whole, if it is known."""

    def __call__(self, documents: int, characters: int, share: float | None) -> None:
        """Show that so much is done."""


@contextmanager
def document_progress(description: str, documents: int = 0, characters: int = 0) -> Iterator[DocumentReport]:
    """Show documents, characters a second and the time left on standard error.

    On a terminal it is a bar; elsewhere a line for about every tenth of the whole or, if its size is unknown, each time
    the number of documents has doubled. The arguments are the counts that an earlier, interrupted job had reached.
    """
    pace = _Pace(escape_controls(description), characters)
    if not _is_shown():
        yield lambda documents, characters, share: None
    elif _is_terminal():
        with _bar() as bar:
            task = bar.add_task(pace.description, total=None, values="")

            def report(documents: int, characters: int, share: float | None) -> None:
                values = pace.values(documents, characters, share)
                bar.update(task, total=None if share is None else 1.0, completed=share or 0.0, values=values)

            yield report
    else:
        lines = _PaceLines(pace, documents)
        yield lines
        lines.finish()


class _Pace:
    """The speed of a job and the time that is left, from when it began or went on."""

    def __init__(self, description: str, characters: int) -> None:
        self.description, self.first = description, characters
        self.first_share: float | None = None
        self.start_time = time.monotonic()

    def values(self, documents: int, characters: int, share: float | None) -> str:
        """Return documents, characters a second, and the time left."""
        seconds = max(time.monotonic() - self.start_time, 1e-3)
        shown = f"{documents:,} documents, {(characters - self.first) / seconds:,.0f} characters/s"
        if share is None:
            return shown
        if self.first_share is None:  # of the first report, since an earlier job may have done a part
            self.first_share = share if self.first else 0.0
        done = share - self.first_share
        return f"{shown}, {_duration(seconds * (1 - share) / done)} left" if done > 0 and share < 1 else shown


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class _PaceLines:
    """Progress of a job as plain lines on standard error."""

    def __init__(self, pace: _Pace, documents: int) -> None:
        self.pace, self.next, self.tenth = pace, max(1, 2 * documents), 0
        self.last: tuple[int, int, float | None] | None = None

    def __call__(self, documents: int, characters: int, share: float | None) -> None:
        self.last = (documents, characters, share)
        tenth = int(10 * share) if share is not None else 0
        if tenth > self.tenth or (share is None and documents >= self.next):
            self.tenth, self.next = tenth, 2 * documents
            self._print()

    def finish(self) -> None:
        """Print the last counts, unless they have been printed."""
        if self.last is not None:
            self._print()

    def _print(self) -> None:
        assert self.last is not None
        seconds = time.monotonic() - self.pace.start_time
        print(f"{self.pace.description}: {self.pace.values(*self.last)}, {seconds:.0f} s", file=sys.stderr, flush=True)
        self.last = None


def _is_terminal() -> bool:
    """Return whether standard error is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _bar(unit: str = "") -> Progress:
    """Return a bar with counts of a unit and the time left; without a unit, its values say both."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    counts = [MofNCompleteColumn(), TextColumn(unit, markup=False)] if unit else []
    left = [TextColumn("left", style="dim"), TimeRemainingColumn()] if unit else []
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        *counts,
        TextColumn("{task.fields[values]}", style="cyan", markup=False),
        TimeElapsedColumn(),
        *left,
        console=_console(sys.stderr),
    )


class _PlainProgress:
    """Progress as plain lines on standard error."""

    def __init__(self, total: int | None, description: str, unit: str, start: int) -> None:
        self.total, self.description, self.unit, self.start = total, escape_controls(description), unit, start
        self.done = self.printed = start
        self.next = self._next_line()
        self.shown: dict[str, float | None] = {"loss": None, "dev": None}
        self.start_time = time.monotonic()

    def __call__(self, done: int, *, loss: float | None = None, dev: float | None = None) -> None:
        _update(self.shown, loss, dev)
        self.done = done
        if done >= self.next:
            self._print()
            self.next = self._next_line()

    def finish(self) -> None:
        """Print a last line, unless the last count has been printed."""
        if self.done > self.printed:
            self._print()

    def _next_line(self) -> int:
        """Return the count at which the next line is printed: the next tenth of the total, rounded up."""
        if not self.total:
            return max(1, 2 * self.done)
        tenth = self.done * 10 // self.total + 1
        return -(-tenth * self.total // 10)

    def _print(self) -> None:
        self.printed = self.done
        seconds = time.monotonic() - self.start_time
        of = f"/{self.total}" if self.total else ""
        share = f" {self.done / self.total:.0%}" if self.total else ""
        left = ""
        if self.total and self.start < self.done < self.total:
            left = f", {seconds * (self.total - self.done) / (self.done - self.start):.0f} s left"
        values = _format_values(self.shown)
        line = f"{self.description}: {self.done}{of} {self.unit}{share}{', ' + values if values else ''}"
        print(f"{line}, {seconds:.0f} s{left}", file=sys.stderr, flush=True)


def _update(shown: dict[str, float | None], loss: float | None, dev: float | None) -> None:
    """Replace the values that are given; the dev score of the last evaluation stays until the next."""
    shown["loss"] = shown["loss"] if loss is None else loss
    shown["dev"] = shown["dev"] if dev is None else dev


def _format_values(shown: Mapping[str, float | None]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in shown.items() if value is not None)
