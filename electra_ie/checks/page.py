"""The report of the checks as one self-contained HTML page, for review.

The page has no script and fetches nothing. Nothing from a document, a label or a file name is interpreted as markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import Any

from electra_ie.checks.checker import CheckReport
from electra_ie.checks.counts import LabelCount
from electra_ie.checks.issues import SEVERITIES, Issue, counted
from electra_ie.checks.tokens import LengthCount
from electra_ie.common.escaping import escape_controls
from electra_ie.inference.html_report import STYLE as REPORT_STYLE

STYLE = REPORT_STYLE + (files("electra_ie.checks") / "page.css").read_text("utf-8")
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src "
WIDTH = 1_000
"""The width of a drawing, in its own units; the style sheet scales it."""
HEIGHT = 70


def page(report: CheckReport, show_text: bool = False) -> str:
    """Return the HTML page of a report. show_text: with short passages of the documents."""
    title = _plain(f"{report.task}: check of the data")
    counts = " · ".join(counted(report.count(severity), severity) for severity in SEVERITIES)
    style_hash = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")
    documents = sum(row.documents for row in report.splits)
    parts = [
        _part("Issues", [_issue(issue, show_text) for issue in report.issues] or ["<p>Nothing was found.</p>"]),
        _part("Not checked", [f"<p>{_plain(sentence)}</p>" for sentence in report.skipped]),
        _part("Splits", [_table([asdict(row) for row in report.splits])]),
        _part("Labels", [_labels([row for row in report.labels if row.field == field]) for field in _fields(report)]),
        _part("Lengths in tokens", [_lengths(report.lengths)] if report.lengths else []),
        _part("Entities that train has", [_table([asdict(row) for row in report.seen])] if report.seen else []),
        _part("Scripts", [_table([asdict(row) for row in report.scripts])] if report.scripts else []),
        _part("Languages", [_table([asdict(row) for row in report.languages])] if report.languages else []),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}'sha256-{style_hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{title}</h1>
<p class="facts">{counts} · {counted(documents, "document")} · tokens of {_plain(report.encoder)}</p></header>
<main>
{"".join(parts)}</main>
</body>
</html>
"""


def _part(title: str, contents: Iterable[str]) -> str:
    """Return a part of the page, or nothing if it is empty."""
    inside = "\n".join(contents)
    return f'<h2 class="part">{title}</h2>\n{inside}\n' if inside else ""


def _issue(issue: Issue, show_text: bool) -> str:
    places = [place.as_dict(show_text) for place in issue.places]
    listed = ""
    if places:
        unlisted = issue.count - len(places)
        more = f" of {issue.count:,}" if unlisted > 0 else ""
        listed = f"<details><summary>{counted(len(places), 'place')}{more}</summary>{_table(places)}</details>"
    severity = f'<span class="severity {issue.severity}">{issue.severity}</span>'
    return f"<article><h2>{severity}{_plain(issue.message)}</h2>{listed}</article>"


def _fields(report: CheckReport) -> list[str]:
    return list(dict.fromkeys(row.field for row in report.labels))


def _labels(rows: Sequence[LabelCount]) -> str:
    """Return the labels of a field with their counts, and a bar for those of train, or of the first split there is."""
    split = next(iter(rows[0].counts), "")
    most = max((row.counts.get(split, 0) for row in rows), default=0)
    widths = [_scaled(row.counts.get(split, 0), most) for row in rows]
    bars = [_drawing(f'<rect class="bar" width="{width}" height="{HEIGHT}"/>') for width in widths]
    values = [{f"{rows[0].field} ({rows[0].kind})": row.label, **row.counts} for row in rows]
    return _table(values, (f"in {split}", bars))


def _lengths(rows: Sequence[LengthCount]) -> str:
    """Return the lengths of each split, and a drawing: a bar to the 90 % quantile, its tail, the median, the window."""
    most = max(row.longest for row in rows)
    drawings = []
    for row in rows:
        ninety = _scaled(row.quantile_90, most)
        shapes = [
            f'<rect class="bar" width="{ninety}" height="{HEIGHT}"/>',
            f'<path class="tail" d="M{ninety} {HEIGHT // 2}H{_scaled(row.longest, most)}"/>',
            f'<path class="median" d="M{_scaled(row.median, most)} 0V{HEIGHT}"/>',
        ]
        if row.window < most:
            shapes.append(f'<path class="window-end" d="M{_scaled(row.window, most)} 0V{HEIGHT}"/>')
        drawings.append(_drawing("".join(shapes)))
    return _table([asdict(row) for row in rows], ("90 %, median, longest; window", drawings))


def _scaled(value: int, most: int) -> int:
    return round(WIDTH * value / most) if most else 0


def _drawing(shapes: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{shapes}</svg>'


def _table(rows: Sequence[Mapping[str, Any]], drawings: tuple[str, Sequence[str]] | None = None) -> str:
    """Return rows as a table, whose columns are their keys. drawings: the title and the cells of a last column."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    heads = [f"<th{_class(rows[0].get(name))}>{_plain(name.replace('_', ' '))}</th>" for name in names]
    lines = []
    for index, row in enumerate(rows):
        cells = [f"<td{_class(row.get(name))}>{_cell(row.get(name))}</td>" for name in names]
        lines.append("".join(cells) + (f"<td>{drawings[1][index]}</td>" if drawings else ""))
    head = "".join(heads) + (f"<th>{_plain(drawings[0])}</th>" if drawings else "")
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(value: object) -> str:
    return ' class="number"' if isinstance(value, int | float) else ""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else _plain(value)


def _plain(value: object) -> str:
    """Return a text as HTML on one line, with the codes of hidden characters."""
    return escape(escape_controls(str(value)))
