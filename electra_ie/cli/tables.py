"""Tables and findings on standard output."""

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

COLORS = ("cyan", "magenta", "yellow", "green", "blue", "red")


DASH = "-"
"""Shown for an undefined value. A value that does not apply is None, shown as an empty cell."""


def print_table(rows: Sequence[Mapping[str, object]], *, title: str = "", styles: Sequence[str] = ()) -> None:
    """Print rows as a table on standard output. Its columns are the keys of the rows in order of appearance.

    Numbers are right-aligned, floats with three decimals; None is an empty cell. styles: a rich style for each row.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = _table(title)
    for name in names:
        is_text = any(isinstance(row.get(name), str | bool) and row[name] != DASH for row in rows)
        table.add_column(_text(name), justify="left" if is_text else "right", overflow="fold")
    for index, row in enumerate(rows):
        cells = [_text(row.get(name)) for name in names]
        table.add_row(*cells, style=styles[index] if styles else None)
    output().print(table)


def use_utf8() -> None:
    """Write standard output as UTF-8, which JSON is, in any terminal."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")


def score_table(scores: Mapping[str, Mapping[str, float | None]], *, title: str = "") -> None:
    """Print counts, precision, recall and F1 of each label: best F1 first, labels without gold last and dimmed."""
    ordered = sorted(scores.items(), key=lambda item: (not item[1]["support"], -(item[1]["f1"] or 0.0), item[0]))
    rows: list[dict[str, object]] = [
        {
            "label": label,
            "gold": score["support"],
            **{name: score[name] for name in ("found", "false")},
            **{name: or_dash(score[name]) for name in ("precision", "recall", "f1")},
        }
        for label, score in ordered
    ]
    print_table(rows, title=title, styles=["" if row["gold"] else "dim" for row in rows])


def or_dash(number: float | None) -> float | str:
    """Return the number, or `DASH` for an undefined one."""
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
    """Print a finding in its context on one line of standard output, followed by its label and score.

    On a terminal the context shrinks until the line fits. The middle of a long finding is omitted. Without color the
    finding is enclosed in « and ».

    finding: start, end, label and score. text: the whole document. context: characters shown on either side, at most.
    """
    from rich.text import Text

    console, start, end = output(), finding["start"], finding["end"]
    colored = console.color_system is not None and not console.no_color
    color = COLORS[zlib.crc32(finding["label"].encode("utf-8", "replace")) % len(COLORS)]
    passage, suffix = _shorten(text[start:end]), f"{escape_controls(finding['label'])} {finding['score']:.2f}"
    passage = passage if colored else f"«{passage}»"
    file = escape_controls(record_file)
    if sys.stdout.isatty():
        free = console.width - len(file) - len(passage) - len(suffix) - 6
        context = max(8, min(context, free // 2))
    first, last = max(0, start - context), min(len(text), end + context)
    before = ("…" if first else "") + escape_controls(text[first:start])
    after = escape_controls(text[end:last]) + ("…" if last < len(text) else "")
    parts = [(file, "dim"), ("  ", ""), (before, ""), (passage, f"bold {color} reverse"), (after, ""), ("  ", "")]
    console.print(Text.assemble(*parts, (suffix, f"bold {color}")), soft_wrap=True)


def _shorten(passage: str, limit: int = 80) -> str:
    """Shorten a passage to about `limit` characters: its beginning and its end."""
    half = limit // 2
    return escape_controls(passage if len(passage) <= limit else f"{passage[:half]} … {passage[-half:]}")
