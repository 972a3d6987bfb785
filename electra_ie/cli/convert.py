"""The commands on annotation formats: `convert` and `formats`, and the report of what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from electra_ie.cli.options import Lossy, TargetFormat, TargetOptions

if TYPE_CHECKING:
    from electra_ie.formats.conversion import Conversion

SHOWN = 10
"""Documents that differ after --check and are named; the others are counted."""


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="File or folder to read.", show_default=False)],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="File or folder to write; it may not exist.", show_default=False)
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Format of the input (electra-ie formats lists them) [default: detected].",
            show_default=False,
        ),
    ] = None,
    to: TargetFormat = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Option of the format of the input. Can be repeated.", show_default=False
        ),
    ] = None,
    write: TargetOptions = None,
    lossy: Lossy = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read the output again and compare; remove it if it differs.")
    ] = False,
) -> None:
    """Convert annotations to another format, and count what is lost.

    Exit codes: 0, written; 1, something would be lost and nothing was written, or --check found a difference; 2, an
    error in the input, nothing was written.
    """
    from electra_ie import api
    from electra_ie.formats import FORMATS

    outcome = api.convert(
        source,
        target,
        source_format=from_,
        target_format=to,
        source_options=read or (),
        target_options=write or (),
        lossy=lossy,
        check=check,
    )
    report(outcome, FORMATS[outcome.source_format].title, target)


def formats(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print what each format holds instead, as in docs/formats.md.")
    ] = False,
) -> None:
    """List the annotation formats and their options.

    These formats are known to convert, init, suggest and task.yaml.
    """
    from electra_ie.cli.formats import formats_markdown, show_formats

    if markdown:
        typer.echo(formats_markdown(), nl=False)
    else:
        show_formats()


def report(outcome: Conversion, origin: str, target: str) -> None:
    """Print one line on what was read, from where, and written, and one on what is lost.

    Raises:
        typer.Exit: with code 1 if the target is not written.
    """
    from electra_ie.common.folders import count
    from electra_ie.common.logs import notice
    from electra_ie.formats import FORMATS

    title = FORMATS[outcome.target_format].title
    documents = count(outcome.documents, "document", "documents")
    read = f"{documents} with {count(outcome.annotations, 'annotation', 'annotations')} of {origin}"
    if outcome.losses:
        listed = ", ".join(f"{name} ({number:,})" for name, number in sorted(outcome.losses.items()))
        notice(f"{title} cannot hold: {listed}.")
    if outcome.different:
        more = f", and {len(outcome.different) - SHOWN} more" if len(outcome.different) > SHOWN else ""
        notice(f"read again, these differ, and nothing is written: {', '.join(outcome.different[:SHOWN])}{more}.")
    elif not outcome.written:
        notice(f"{read}: nothing is written, since that would be lost. --lossy writes the rest.")
    else:
        checked = "; read again, they are the same" if outcome.different is not None else ""
        notice(f"{read} to {title} in {target}{checked}.")
    if not outcome.is_complete:
        raise typer.Exit(1)
