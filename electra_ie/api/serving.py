"""The function that serves a finished run, `serve`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError


@check_types
def serve(  # noqa: PLR0913 - the options of a public function, all but one by keyword
    run: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: str | os.PathLike[str] | None = None,
    allow_hosts: Sequence[str] = (),
    queue: int = 256,
    timeout: float = 30.0,
    max_characters: int = 100_000,
    data: str | os.PathLike[str] | None = None,
    started: Callable[[str], None] = print,
) -> None:
    """Answer requests over HTTP with a finished run, until Ctrl-C or SIGTERM.

    Args:
        run: A folder of a run or of an exported model, or `ORG/NAME[@REVISION]` on the Hub.
        host: The address to listen on.
        port: The port; 0 for one that is free.
        token_file: A file with the token that requests must have (default: the environment variable ELECTRA_IE_TOKEN;
            without it, anyone who reaches the port may send requests).
        allow_hosts: Names by which the server may be reached, beside localhost and the name of the machine.
        queue: The number of texts that may wait; requests beyond it are answered with 503.
        timeout: The seconds after which a request is answered with 504.
        max_characters: The characters of the longest text.
        data: The folder of the lists of codes of records, instead of that of the data that the run was trained from.
        started: Called with the address once requests are answered (default: it is printed).

    Raises:
        UserError: A package is not installed, the run or the token cannot be read, or the port is taken.
    """
    from electra_ie.web.installed import require_server

    require_server("serve")
    from electra_ie.serving.application import ServerSettings, serving_app
    from electra_ie.serving.model import ServedModel
    from electra_ie.web.access import Access, read_token
    from electra_ie.web.running import listen, run_on

    smallest = {"queue": queue, "timeout": timeout, "max_characters": max_characters}
    for name, value in smallest.items():
        if not value > 0:
            raise UserError(f"{name} is {value}.", remedy="Give a number above 0.")
    access = Access(read_token(token_file), allow_hosts)
    with listen(host, port) as listening:  # before the model is loaded, which takes longer
        app = serving_app(ServedModel.load(run, data), access, ServerSettings(queue, timeout, max_characters))
        run_on(listening, app, started)
