"""The command `label`: the page on which a person labels the texts of a task."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import AllowHost, Encoder, Host, Port, Set, TokenFile


def label(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="Folder of the task, or its task.yaml.", show_default=False)
    ],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run that suggests at first [default: the last one that was trained on the page].",
            show_default=False,
        ),
    ] = None,
    annotator: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the annotator: each has a journal of their own.")
    ] = "annotator",
    host: Host = "127.0.0.1",
    port: Port = 8001,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the order of the texts.")] = 0,
    output: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Folder of the runs [default: TASK/labels/runs].", show_default=False),
    ] = None,
    encoder: Encoder = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Preset of the trainings, as for train [default: supervised].", show_default=False
        ),
    ] = None,
    set_: Set = None,
    token_file: TokenFile = None,
    allow_host: AllowHost = None,
) -> None:
    """Label the texts of a task in the browser, with suggestions of a model that is trained on the way.

    Each annotation is saved at once, in the task's own JSON lines. Ctrl-C ends the server, and a training with it.
    """
    from electra_ie import api
    from electra_ie.common.logs import notice

    api.label(
        task,
        run=run,
        annotator=annotator,
        host=host,
        port=port,
        seed=seed,
        output=output,
        encoder=encoder,
        preset=preset,
        overrides=set_ or (),
        token_file=token_file,
        allow_hosts=allow_host or (),
        started=lambda address: notice(f"the page is at {address} (Ctrl-C ends it)"),
    )
