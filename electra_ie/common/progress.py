"""What a command shows in a terminal: results on standard output, progress and notices on standard error.

Rich is imported inside the functions, so that importing this module costs nothing. Text that comes from documents
goes through `escape_controls` and `rich.text.Text`: it can neither move the cursor nor be taken for markup.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from electra_ie.common.errors import first_process
from electra_ie.common.escaping import escape_controls

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WIDTH_OF_A_FILE = 160
"""Columns where there is no terminal to ask: rich would fold tables at 80, which makes logs hard to search."""


def output() -> Console:
    """Standard output, for results. Colour only on a terminal and where NO_COLOR is not set."""
    return _console(sys.stdout)


def notice(message: str) -> None:
    """One line on standard error, neither result nor warning; of several processes the first says it."""
    from rich.text import Text

    if first_process():
        _console(sys.stderr).print(Text(escape_controls(message)), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    if hasattr(stream, "reconfigure"):  # an ASCII terminal shows what it cannot print as `\u2026`, and does not crash
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_FILE
    return Console(file=stream, highlight=False, width=width)


# Tables


# Progress


class Report(Protocol):
    """Called after each step (or document) with the number done so far."""

    def __call__(self, done: int, *, loss: float | None = None, dev: float | None = None) -> None: ...


@contextmanager
def progress(total: int | None, description: str, *, unit: str = "steps", start: int = 0) -> Iterator[Report]:
    """Show on standard error how far a loop is: `with progress(400, "training") as report: report(step, loss=0.5)`.

    A bar on a terminal; elsewhere a line about every tenth of the way, so that logs stay readable. Where `total`
    is None (not known), a line each time the number has doubled. `start` is what an earlier run has done already.
    Of several processes only the first shows anything.
    """
    if not first_process():
        yield lambda done, *, loss=None, dev=None: None
        return
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        lines = _PlainProgress(total, description, unit, start)
        yield lines
        lines.finish()
        return
    with _bar(unit) as bar:
        task = bar.add_task(escape_controls(description), total=total, completed=start, values="")
        shown: dict[str, float | None] = {"loss": None, "dev": None}

        def report(done: int, *, loss: float | None = None, dev: float | None = None) -> None:
            _keep(shown, loss, dev)
            bar.update(task, completed=done, values=_values(shown))

        yield report


def _bar(unit: str) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        TextColumn("{task.fields[values]}", style="cyan", markup=False),
        TimeElapsedColumn(),
        TextColumn("left", style="dim"),
        TimeRemainingColumn(),
        console=_console(sys.stderr),
    )


class _PlainProgress:
    """Progress as plain lines on standard error."""

    def __init__(self, total: int | None, description: str, unit: str, start: int) -> None:
        self.total, self.description, self.unit, self.start = total, escape_controls(description), unit, start
        self.done = self.printed = start
        self.due = self._next()
        self.shown: dict[str, float | None] = {"loss": None, "dev": None}
        self.began = time.monotonic()

    def __call__(self, done: int, *, loss: float | None = None, dev: float | None = None) -> None:
        _keep(self.shown, loss, dev)
        self.done = done
        if done >= self.due:
            self._print()
            self.due = self._next()

    def finish(self) -> None:
        """The last line, where the loop ended between two lines."""
        if self.done > self.printed:
            self._print()

    def _next(self) -> int:
        if not self.total:
            return max(1, 2 * self.done)
        tenth = self.done * 10 // self.total + 1
        return -(-tenth * self.total // 10)

    def _print(self) -> None:
        self.printed = self.done
        seconds = time.monotonic() - self.began
        of = f"/{self.total}" if self.total else ""
        share = f" {self.done / self.total:.0%}" if self.total else ""
        left = ""
        if self.total and self.start < self.done < self.total:
            left = f", {seconds * (self.total - self.done) / (self.done - self.start):.0f} s left"
        values = _values(self.shown)
        line = f"{self.description}: {self.done}{of} {self.unit}{share}{', ' + values if values else ''}"
        print(f"{line}, {seconds:.0f} s{left}", file=sys.stderr, flush=True)


def _keep(shown: dict[str, float | None], loss: float | None, dev: float | None) -> None:
    """The newest values; the dev score of the last evaluation stays until the next."""
    shown["loss"] = shown["loss"] if loss is None else loss
    shown["dev"] = shown["dev"] if dev is None else dev


def _values(shown: Mapping[str, float | None]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in shown.items() if value is not None)


# Findings
