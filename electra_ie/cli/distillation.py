"""The command `distill`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import Data, Resume, Run, Set, Unlabeled
from electra_ie.common.processes import is_main_process
from electra_ie.config.distill import STATIC, TIERS, VECTORS


def distill(
    run: Run,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help=f"Folder of the student's run [default: RUN-N-layers or RUN-{STATIC}].",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep so many layers of the encoder, evenly chosen.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help=f"{TIERS[0]}: token vectors under a light window network, which stock transformers alone cannot load.",
            show_default=False,
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help=f"Token vectors of --to {STATIC}: {VECTORS[0]} (from its encoder) or {VECTORS[1]} (trained on the "
            f"text by Gensim, of the extra gensim) [default: {VECTORS[0]}].",
            show_default=False,
        ),
    ] = None,
    unlabeled: Unlabeled = None,
    data: Data = None,
    set_: Set = None,
    resume: Resume = False,
) -> None:
    """Teach a smaller and faster model the answers of a run.

    It keeps some layers of the encoder (--layers), or has none (--to), and is saved as a run.
    """
    from electra_ie import api
    from electra_ie.cli.listing import show_scores
    from electra_ie.common.logs import notice

    result = api.distill(
        run, output, layers=layers, to=to, vectors=vectors, unlabeled=unlabeled or (), data=data, overrides=set_ or (),
        resume=resume,
    )  # fmt: skip
    if is_main_process():
        if "dev" in result.scores.splits:
            show_scores(result.scores["dev"], "dev")
        notice(f"run saved in {result.path}; compare both with: electra-ie compare {run} {result.path}")
        if to:
            notice("stock transformers alone cannot load these models: import electra_ie registers their classes")
