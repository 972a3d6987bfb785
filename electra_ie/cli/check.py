"""The command `check`: the report of the checks on standard output, as text or JSON, and as an HTML page."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from electra_ie.cli.options import Data, Encoder, TaskName, Unlabeled, as_paths
from electra_ie.cli.tables import print_table, use_utf8
from electra_ie.common.escaping import escape_controls, escape_json
from electra_ie.common.folders import count
from electra_ie.common.logs import notice
from electra_ie.common.progress import output

if TYPE_CHECKING:
    from electra_ie.checks.checker import CheckReport
    from electra_ie.checks.issues import Issue, Place

SHOWN = 3
"""Places that the text output shows of an issue."""
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def check(
    task: TaskName,
    data: Data = None,
    unlabeled: Unlabeled = None,
    encoder: Encoder = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write the report as an HTML page.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show short passages of the documents, also in the JSON and the page.")
    ] = False,
) -> None:
    """Look for problems in the data of a task before training.

    Texts are not shown without --show-text.

    Exit codes: 0, no errors and no warnings; 1, some were found; 2, the data cannot be read.
    """
    from electra_ie import api

    report = api.check(task, unlabeled=as_paths(unlabeled), html=html, show_text=show_text, data=data, encoder=encoder)
    if html:
        notice(f"report written to {html}")
    if as_json:
        use_utf8()
        lines = json.dumps(report.as_dict(show_text), indent=2, ensure_ascii=False).splitlines()
        sys.stdout.write("\n".join(map(escape_json, lines)) + "\n")
    else:
        _show(report, show_text)
    if not report.passed:
        raise typer.Exit(1)


def _show(report: CheckReport, show_text: bool) -> None:
    """Print the sizes of the splits, the issues, and what was not checked."""
    lengths = {row.split: row for row in report.lengths}
    print_table(
        [
            {
                "split": row.split,
                "documents": row.documents,
                "labeled": row.labeled,
                "characters": row.characters,
                "tokens, median": lengths[row.split].median if row.split in lengths else None,
                "longest": lengths[row.split].longest if row.split in lengths else None,
                "main script": next((of.script for of in report.scripts if of.split == row.split), None),
                "main language": next((of.language for of in report.languages if of.split == row.split), None),
            }
            for row in report.splits
        ]
    )
    for issue in report.issues:
        _show_issue(issue, show_text)
    for sentence in report.skipped:
        notice(sentence)
    counts = ", ".join(count(report.count(severity), severity, f"{severity}s") for severity in STYLES)
    notice(f"{counts}; --html and --json list the places of all")


def _show_issue(issue: Issue, show_text: bool) -> None:
    from rich.text import Text

    severity = Text(issue.severity, style=STYLES[issue.severity])
    line = Text.assemble(severity, f": {escape_controls(issue.message)}")
    if issue.places and not show_text:
        shown = ", ".join(_short(place) for place in issue.places[:SHOWN])
        line.append(f" [{shown}{', ...' if issue.count > SHOWN else ''}]", style="dim")
    output().print(line, soft_wrap=True)
    for place in issue.places[:SHOWN] if show_text else ():
        output().print(Text(f"    {_short(place)}: {escape_controls(place.passage)}", style="dim"), soft_wrap=True)


def _short(place: Place) -> str:
    """Return a place on one line, with the given and the suggested label or the other document of a pair."""
    details = place.details
    if "suggested" in details:
        return escape_controls(f"{place} {details['given']} -> {details['suggested']}")
    if "other" in details:
        return escape_controls(f"{place} = {details['other_split']}:{details['other']}")
    return escape_controls(f"{place} {details['given']}" if "given" in details else str(place))
