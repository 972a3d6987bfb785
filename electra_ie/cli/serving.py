"""The command `serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import AllowHost, Host, Port, Run, TokenFile


def serve(
    run: Run,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    allow_host: AllowHost = None,
    queue: Annotated[int, typer.Option(min=1, metavar="N", help="Texts that may wait; beyond it: 503.")] = 256,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest time of an answer; then 504.")] = 30.0,
    max_characters: Annotated[
        int, typer.Option(min=1, metavar="N", help="Characters of the longest text; beyond it: 413.")
    ] = 100_000,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the lists of codes of records [default: that of the run's data].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Answer requests over HTTP with a trained run, and show a page to extract and review.

    Texts are neither logged nor stored. Only this machine reaches the server unless --host says otherwise.

    Exit codes: 0, ended by Ctrl-C or SIGTERM; 2, an error.
    """
    from electra_ie import api

    api.serve(
        run,
        host=host,
        port=port,
        token_file=token_file,
        allow_hosts=allow_host or (),
        queue=queue,
        timeout=timeout,
        max_characters=max_characters,
        data=data,
        started=typer.echo,
    )
