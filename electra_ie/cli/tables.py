"""Tables and findings in a terminal."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from electra_ie.common.escaping import escape_controls
from electra_ie.common.progress import output

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")


DASH = "-"
"""A table shows this for a number that is not defined. A number that does not apply is None, an empty cell."""


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

    heading = Text(escape_controls(title), style="bold") if title else None
    return Table(title=heading, title_justify="left", box=SIMPLE_HEAD, header_style="bold")


def _text(value: object) -> Text:
    from rich.text import Text

    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text("" if value is None else escape_controls(str(value)))


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
    passage, behind = _shorten(text[start:end]), f"{escape_controls(finding['label'])} {finding['score']:.2f}"
    passage = passage if coloured else f"«{passage}»"
    file = escape_controls(record_file)
    if sys.stdout.isatty():
        room = console.width - len(file) - len(passage) - len(behind) - 6
        context = max(8, min(context, room // 2))
    first, last = max(0, start - context), min(len(text), end + context)
    before = ("…" if first else "") + escape_controls(text[first:start])
    after = escape_controls(text[end:last]) + ("…" if last < len(text) else "")
    parts = [(file, "dim"), ("  ", ""), (before, ""), (passage, f"bold {colour} reverse"), (after, ""), ("  ", "")]
    console.print(Text.assemble(*parts, (behind, f"bold {colour}")), soft_wrap=True)


def _shorten(passage: str, most: int = 80) -> str:
    """A passage of any length in about `most` characters: its beginning and its end."""
    half = most // 2
    return escape_controls(passage if len(passage) <= most else f"{passage[:half]} … {passage[-half:]}")
