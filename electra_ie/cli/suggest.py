"""The command `suggest`: which texts to label next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from electra_ie.cli.convert import report
from electra_ie.cli.options import Data, Encoder, Lossy, Seed, TargetFormat, TargetOptions, TaskName
from electra_ie.common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from electra_ie.selection.choosing import Choice

SHOWN = 60
"""Characters of a text that are shown."""


def suggest(  # noqa: PLR0913 - an argument for each option of the command
    task: TaskName,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Texts, as for extract [default: the unlabeled documents of the task].",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Finished run, exported model, or ORG/NAME[@REVISION] on the Hub: choose what it is uncertain of, and "
            "write its findings as predictions.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(metavar="N", help="Number of texts; 0 for all, the ones a run is least certain of first.")
    ] = 20,
    seed: Seed = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File or folder to write; it may not exist [default: print a table].",
            show_default=False,
        ),
    ] = None,
    to: TargetFormat = None,
    write: TargetOptions = None,
    lossy: Lossy = False,
    encoder: Encoder = None,
    data: Data = None,
) -> None:
    """Choose the texts to label next.

    Typical texts without a run, uncertain ones with a run, and a fifth at random. Chosen texts belong in train: scores
    on them are biased.

    Exit codes: 0, done; 1, the format cannot hold something and nothing was written; 2, an error.
    """
    from electra_ie import api

    for option, value in {"--to": to, "--write": write, "--lossy": lossy}.items():
        if value and not output:
            raise UserError(f"{option} needs --output FILE.", remedy=f"Add it, or omit {option} to print a table.")
    outcome = api.suggest(
        task,
        paths or (),
        output,
        run=run,
        count=count,
        seed=seed or 0,
        encoder=encoder,
        data=data,
        format=to,
        options=write or (),
        lossy=lossy,
    )
    if not output:
        _show(outcome.choices)
    if outcome.outlook:
        typer.echo(str(outcome.outlook))
    if outcome.conversion and output:
        report(outcome.conversion, f"the run {run}" if run else f"the task {task}", output)


def _show(choices: Sequence[Choice]) -> None:
    """Print a table of the texts, in the order of labeling."""
    from electra_ie.cli.tables import print_table

    rows = [
        {
            "id": choice.document.id,
            "chosen": choice.chosen,
            "score": choice.score,
            "text": " ".join(choice.document.text[: 4 * SHOWN].split())[:SHOWN],
        }
        for choice in choices
    ]
    print_table(rows)
