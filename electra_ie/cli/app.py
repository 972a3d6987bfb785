"""The program `electra-ie`: its commands, which are functions of the other modules, and what errors end in.

A module declares the options of its commands beside what they run. It imports torch and the like inside the functions,
so that --help is fast.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from electra_ie.cli.calibration import calibrate, drift
from electra_ie.cli.check import check
from electra_ie.cli.convert import convert, formats
from electra_ie.cli.distillation import distill
from electra_ie.cli.export import export
from electra_ie.cli.labeling import label
from electra_ie.cli.review import resolve
from electra_ie.cli.runs import evaluate, extract, push, push_data, verify
from electra_ie.cli.serving import serve
from electra_ie.cli.suggest import suggest
from electra_ie.cli.tasks import hints, init, tasks
from electra_ie.cli.training import compare, encoder, pretrain, settings, train
from electra_ie.cli.values import value
from electra_ie.common.errors import UserError
from electra_ie.common.hashing import package_version
from electra_ie.common.logs import use_cli_format
from electra_ie.common.processes import is_main_process

COMMANDS = (
    tasks, init, hints, convert, formats, check, suggest, label, train, distill, pretrain, encoder, compare, settings,
    evaluate, calibrate, extract, resolve, drift, serve, export, verify, push, push_data, value,
)  # fmt: skip
"""The commands in the order of --help."""

app = typer.Typer(
    help="Train information extractors for text from few labels and much unlabeled text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts faster and keeps square brackets
)


def _print_version(is_asked: bool) -> None:
    """Print the version and end."""
    if is_asked:
        typer.echo(f"electra-ie {package_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Declare the options that come before a command."""


for command in COMMANDS:
    # A text such as "-5 USD" is no option.
    app.command(context_settings={"ignore_unknown_options": command is value})(command)


def main() -> None:
    """Run `electra-ie`. A UserError is printed as one line on standard error, with exit code 2."""
    use_cli_format()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # raises SystemExit, so that partly written files are deleted
    try:
        app()
    except UserError as error:
        if is_main_process():
            sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "electra_ie"):
            raise
        # Exported models run without most of what this package depends on: see `docs/extraction.md`.
        sys.stderr.write(
            f"error: this needs the package {package}, which is not installed. Run: pip install {package}; pip install "
            "electra_ie installs what all commands need.\n"
        )
        sys.exit(2)
    except OSError as error:  # disk full, no permission: not a bug of this package
        path = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(
            f"error: {path}{error.strerror or error}. Check the path, its permissions and the disk space.\n"
        )
        sys.stdout = None  # else Python flushes it again at exit and fails again
        sys.exit(2)
