"""The function on labels made by hand, `label`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError
from electra_ie.data.task import Task
from electra_ie.runs.layout import is_exported, is_finished


@check_types
def label(  # noqa: PLR0913 - the options of a public function, all but one by keyword
    task: str | os.PathLike[str],
    *,
    run: str | os.PathLike[str] | None = None,
    annotator: str = "annotator",
    host: str = "127.0.0.1",
    port: int = 8001,
    seed: int = 0,
    output: str | os.PathLike[str] | None = None,
    encoder: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    token_file: str | os.PathLike[str] | None = None,
    allow_hosts: Sequence[str] = (),
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page on which a person labels the texts of a task, until Ctrl-C or SIGTERM.

    Every annotation is saved at once: in the files of the task, and in the journal of the annotator in its folder
    `labels`. With a run, its findings are suggested, and the texts of which it is uncertain come first. Runs are
    trained from the page.

    Args:
        task: The path of a task.yaml or of its folder. Its files are JSON lines; those of train and dev may not exist.
        run: The run that suggests at first (default: the last one of the folder of runs).
        annotator: The name of the annotator.
        host: The address to listen on.
        port: The port; 0 for one that is free.
        seed: The seed of the order of the texts.
        output: The folder of the runs (default: `labels/runs` beside task.yaml).
        encoder: The encoder of the trainings and of the order, as for `train`.
        preset: The preset of the trainings.
        overrides: Settings of the trainings as `key=value`.
        token_file: A file with the token that a browser signs in with (default: the variable ELECTRA_IE_TOKEN, if it
            is set).
        allow_hosts: Names by which the server may be reached, beside localhost and the name of the machine.
        started: Called with the address of the page.

    Raises:
        UserError: The task cannot be labeled, there is no such run, or the port is taken.
    """
    from electra_ie.web.installed import require_server

    require_server("label")
    from electra_ie.labeling.server import build_app
    from electra_ie.labeling.session import Options, Session
    from electra_ie.web.access import Access, read_token
    from electra_ie.web.running import listen, run_on

    if run is not None and not (is_finished(Path(run)) or is_exported(Path(run))):
        raise UserError("this is not the folder of a finished run.", file=run, remedy="Give one, or omit --run.")
    access = Access(read_token(token_file), allow_hosts)
    training = [*(["--preset", preset] if preset else []), *(word for each in overrides for word in ("--set", each))]
    options = Options(
        annotator,
        Path(run) if run is not None else None,
        seed,
        Path(output) if output is not None else None,
        os.fspath(encoder) if encoder is not None else None,
        tuple(training),
    )
    with listen(host, port) as listening:
        session = Session(Task.load(task), options)
        try:
            run_on(listening, build_app(session, access), started)
        finally:
            session.close()
