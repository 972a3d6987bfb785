"""The commands on thresholds: `calibrate` and `drift`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import Data, Run


def calibrate(
    run: Run,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GOAL",
            help="precision=0.95:LABEL or recall=0.9:LABEL; FIELD.LABEL if several fields have it. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option(metavar="NUMBER", help="Confidence of goals for the precision, between 0 and 1.")
    ] = 0.9,
    data: Data = None,
    reviewed: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Labeled documents in any format, or a reviewed queue of extract, in place of dev.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Option of the format of --reviewed. Can be repeated.", show_default=False
        ),
    ] = None,
) -> None:
    """Set thresholds of a run, so that goals hold for its labels.

    The thresholds are kept in the run, in place of earlier ones. For a goal that the documents do not allow, the
    number of documents that would allow it is printed.

    Exit codes: 0, all goals are met; 1, some are not; 2, an error, nothing was written.
    """
    from electra_ie import api
    from electra_ie.cli.tables import print_table
    from electra_ie.common.progress import output

    result = api.calibrate(run, goal or (), confidence=confidence, data=data, reviewed=reviewed, options=read or ())
    met = [outcome.promise for outcome in result.outcomes if outcome.promise]
    if met:
        rows = [
            {
                "goal": f"{each.measure} {each.level:g}", "label": f"{each.field}.{each.label}",
                "threshold": f"{each.threshold:.4f}", "documents": f"{each.documents:,}",
                "measured": f"{each.measured:.3f}",
                "confidence": "in the mean" if each.confidence is None else f"{each.confidence:g}",
            }
            for each in met
        ]  # fmt: skip
        print_table(rows)
    show = output()
    for outcome in result.outcomes:
        if not outcome.promise:
            show.print(f"{outcome.goal}: not promised: {outcome.price}.", markup=False, highlight=False, soft_wrap=True)
    if met:
        show.print("What the thresholds assume:", markup=False)
    for text in result.assumptions:
        show.print(f"- {text}", markup=False, highlight=False, soft_wrap=True)
    if not result.met:
        raise typer.Exit(1)


def drift(
    run: Run,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="New texts, as for extract.", show_default=False)],
    text: Annotated[
        str | None, typer.Option(metavar="KEY", help="Key or column of the text in records.", show_default=False)
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="KEY", help="Key or column of the id.", show_default=False)
    ] = None,
) -> None:
    """Compare what a run finds in new texts with what it found in dev.

    Exit codes: 0, no difference beyond chance; 1, the texts differ, so that goals may no longer hold; 2, an error.
    """
    from electra_ie import api
    from electra_ie.calibration.drift import FEW
    from electra_ie.cli.tables import print_table
    from electra_ie.common.logs import notice
    from electra_ie.common.progress import output

    result = api.drift(run, paths, text=text, id=id_)
    rows = [
        {
            "field": each.field, "compared": each.what, "dev": f"{each.dev:.3f}", "new": f"{each.new:.3f}",
            "p": f"{each.p:.2g}",
        }
        for each in result.comparisons
    ]  # fmt: skip
    print_table(rows)
    if result.documents < FEW:
        notice(f"{result.documents} texts show large differences only; give {FEW} or more.")
    if not result.lapsed:
        notice(f"{run}: {result.documents:,} texts are like those of dev, as far as the scores show.")
        return
    differences = "; ".join(map(str, result.lapsed))
    promised = "The promise no longer holds: the" if result.goals else "The"
    line = f"{promised} texts are not like those of dev. {differences}."
    output().print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
