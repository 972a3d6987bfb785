"""The command `check`: the report of the checks on standard output, as text or JSON, and as an HTML page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.cli.tables import print_table
from electra_ie.common.errors import UserError
from electra_ie.common.escaping import escape_controls, escape_json
from electra_ie.common.files import refuse_overwriting, write
from electra_ie.common.logs import notice
from electra_ie.common.progress import output
from electra_ie.data.in_memory import resolve

if TYPE_CHECKING:
    from electra_ie.checks.checker import Report
    from electra_ie.checks.issues import Issue, Place

SHOWN = 3
"""Places that the text output shows of an issue."""
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def check_data(task: str, html: str | None, as_json: bool, show_text: bool, **options: Any) -> bool:
    """Check the data of a task and print the report.

    Args:
        task: The name or path of the task.
        html: The path of an HTML page to write, or None.
        as_json: Print the report as JSON instead of text.
        show_text: Show short passages of the documents.
        options: `data`, `unlabeled` and `encoder`, as for `train`.

    Returns:
        Whether there is no error and no warning.

    Raises:
        UserError: The task or its data cannot be read, or the page cannot be written. Nothing has been printed.
    """
    from electra_ie.checks.checker import check
    from electra_ie.checks.page import page

    loaded, settings = resolve(task, **options)
    if html:
        _check_page(Path(html))
        refuse_overwriting([Path(html)], [*loaded.paths, loaded.file, *map(Path, settings.unlabeled)])
    report = check(loaded, settings)
    if html:
        write(Path(html), page(report, show_text))
        notice(f"report written to {html}")
    if as_json:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 in any terminal
        lines = json.dumps(report.as_dict(show_text), indent=2, ensure_ascii=False).splitlines()
        sys.stdout.write("\n".join(map(escape_json, lines)) + "\n")
    else:
        _show(report, show_text)
    return report.passed


def _check_page(path: Path) -> None:
    """Raise UserError for a page that cannot be written, before anything is read."""
    if path.is_dir():
        raise UserError("is a folder.", file=path, remedy="Give a file name for the page: --html report.html.")
    if not path.absolute().parent.is_dir():
        remedy = "Create it, or write elsewhere."
        raise UserError("the folder of the output does not exist.", file=path, remedy=remedy)


def _show(report: Report, show_text: bool) -> None:
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
            }
            for row in report.splits
        ]
    )
    for issue in report.issues:
        _show_issue(issue, show_text)
    for sentence in report.skipped:
        notice(sentence)
    counts = ", ".join(f"{report.count(severity)} {severity}s" for severity in STYLES)
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
