"""What a command shows in a terminal: results on standard output, progress and notices on standard error.

Rich is imported inside the functions, so that importing this module costs nothing. Text that comes from documents
goes through `visible` and `rich.text.Text`: it can neither move the cursor nor be taken for markup.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from electra_ie.common.errors import first_process
from electra_ie.common.escaping import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
DASH = "-"
"""A table shows this for a number that is not defined. A number that does not apply is None, an empty cell."""
WIDTH_OF_A_FILE = 160
"""Columns where there is no terminal to ask: rich would fold tables at 80, which makes logs hard to search."""


def output() -> Console:
    """Standard output, for results. Colour only on a terminal and where NO_COLOR is not set."""
    return _console(sys.stdout)


def notice(message: str) -> None:
    """One line on standard error, neither result nor warning; of several processes the first says it."""
    from rich.text import Text

    if first_process():
        _console(sys.stderr).print(Text(visible(message)), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    if hasattr(stream, "reconfigure"):  # an ASCII terminal shows what it cannot print as `\u2026`, and does not crash
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_FILE
    return Console(file=stream, highlight=False, width=width)


# Tables


def print_table(rows: Sequence[Mapping[str, object]], *, title: str = "", styles: Sequence[str] = ()) -> None:
    """Print rows as a table on standard output; the keys of the rows, in order of appearance, are its columns.

    Numbers are right-aligned, floats with three decimals, `DASH` where one is not defined; None is an empty cell.
    `styles` holds a rich style a row.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = _table(title)
    for name in names:
        words = any(isinstance(row.get(name), str | bool) and row[name] != DASH for row in rows)
        table.add_column(_text(name), justify="left" if words else "right", overflow="fold")
    for number, row in enumerate(rows):
        cells = [_text(row.get(name)) for name in names]
        table.add_row(*cells, style=styles[number] if styles else None)
    output().print(table)


def score_table(scores: Mapping[str, Mapping[str, float | None]], *, title: str = "") -> None:
    """Print of each label how often the gold has it, how often it was found and how often falsely, precision, recall
    and F1; best F1 first, labels without gold last and dimmed, `DASH` for what is not defined."""
    ordered = sorted(scores.items(), key=lambda item: (not item[1]["support"], -(item[1]["f1"] or 0.0), item[0]))
    rows: list[dict[str, object]] = [
        {
            "label": label,
            "gold": score["support"],
            **{name: score.get(name) for name in ("found", "false")},  # None in scores of an earlier version
            **{name: or_dash(score[name]) for name in ("precision", "recall", "f1")},
        }
        for label, score in ordered
    ]
    print_table(rows, title=title, styles=["" if row["gold"] else "dim" for row in rows])


def or_dash(number: float | None) -> float | str:
    """The number, or `DASH` where it is not defined."""
    return DASH if number is None else float(number)


def _table(title: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    heading = Text(visible(title), style="bold") if title else None
    return Table(title=heading, title_justify="left", box=SIMPLE_HEAD, header_style="bold")


def _text(value: object) -> Text:
    from rich.text import Text

    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text("" if value is None else visible(str(value)))


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
        lines = _Lines(total, description, unit, start)
        yield lines
        lines.finish()
        return
    with _bar(unit) as bar:
        task = bar.add_task(visible(description), total=total, completed=start, values="")
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


class _Lines:
    """Progress as plain lines on standard error."""

    def __init__(self, total: int | None, description: str, unit: str, start: int) -> None:
        self.total, self.description, self.unit, self.start = total, visible(description), unit, start
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


def show_finding(record_file: str, finding: Mapping[str, Any], text: str, context: int = 40) -> None:
    """Print a finding of a record in its context, on one line of standard output, label and score behind it.

    `finding` has start, end, label and score; `text` is the whole document, of which at most `context` characters
    are shown on either side. On a terminal the context shrinks until the line fits. The middle of a long finding is
    left out. Where there is no colour the finding stands between « and ».
    """
    from rich.text import Text

    console, start, end = output(), finding["start"], finding["end"]
    coloured = console.color_system is not None and not console.no_color
    colour = COLOURS[zlib.crc32(finding["label"].encode("utf-8", "replace")) % len(COLOURS)]
    passage, behind = _shorten(text[start:end]), f"{visible(finding['label'])} {finding['score']:.2f}"
    passage = passage if coloured else f"«{passage}»"
    file = visible(record_file)
    if sys.stdout.isatty():
        room = console.width - len(file) - len(passage) - len(behind) - 6
        context = max(8, min(context, room // 2))
    first, last = max(0, start - context), min(len(text), end + context)
    before = ("…" if first else "") + visible(text[first:start])
    after = visible(text[end:last]) + ("…" if last < len(text) else "")
    parts = [(file, "dim"), ("  ", ""), (before, ""), (passage, f"bold {colour} reverse"), (after, ""), ("  ", "")]
    console.print(Text.assemble(*parts, (behind, f"bold {colour}")), soft_wrap=True)


def _shorten(passage: str, most: int = 80) -> str:
    """A passage of any length in about `most` characters: its beginning and its end."""
    half = most // 2
    return visible(passage if len(passage) <= most else f"{passage[:half]} … {passage[-half:]}")
