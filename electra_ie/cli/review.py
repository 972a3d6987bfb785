"""The command `resolve`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import CodesFolder, RecordsFile, Run


def resolve(
    run: Run,
    findings: Annotated[
        str, typer.Argument(metavar="FINDINGS", help="Output of extract --review, as JSON lines.", show_default=False)
    ],
    reviewed: Annotated[
        str,
        typer.Argument(
            metavar="REVIEWED",
            help="The queue with decisions, or its texts as annotated in another tool.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="File for the findings, JSON lines.", show_default=False),
    ],
    records: RecordsFile = None,
    data: CodesFolder = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Option of the format of REVIEWED. Can be repeated.", show_default=False
        ),
    ] = None,
) -> None:
    """Put the decisions of a review into the findings.

    What a person has confirmed or added is written beside what was accepted, and what was rejected is not.

    Exit codes: 0, all findings are decided; 1, some still wait for review; 2, an error, nothing was written.
    """
    from electra_ie import api
    from electra_ie.common.logs import notice

    made = api.resolve(run, findings, reviewed, output, records=records, data=data, options=read or ())
    parts = f"{made.accepted:,} accepted, {made.confirmed:,} confirmed, {made.added:,} added"
    notice(
        f"{made.documents:,} documents, {made.findings:,} findings ({parts}) -> {output}; {made.rejected:,} rejected"
    )
    if made.to_review:
        notice(f"{made.to_review:,} findings still wait for review, and are not written.")
        raise typer.Exit(1)
