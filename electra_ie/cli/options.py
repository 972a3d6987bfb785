"""Arguments and options that several commands have, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="Name of a shipped task (electra-ie tasks lists them), or path of a task.yaml or its folder.",
        show_default=False,
    ),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Folder of a run, as written by train; or ORG/NAME[@REVISION] on the Hub.",
        show_default=False,
    ),
]
Repository = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository on the Hub.", show_default=False)]
Private = Annotated[
    bool, typer.Option("--private", help="Create the repository as private; fail if it exists and is public.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the files, their sizes and the card without sending anything.")
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of the task's files, instead of the one in task.yaml; or hub:ORG/NAME[@REVISION], the data set on "
        "the Hub that the task names.",
        show_default=False,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name or folder of an encoder; multilingual-e5-small for Chinese and other languages [default: "
        "all-MiniLM-L6-v2].",
        show_default=False,
    ),
]
Unlabeled = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH",
        help="Text file, folder or .jsonl to add to the unlabeled texts. Can be repeated.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Random seed [default: 0].", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Setting, e.g. max_steps=300 (electra-ie settings lists them). Can be repeated.",
        show_default=False,
    ),
]
SettingsFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="YAML file of settings, such as the run.yaml of a run.", show_default=False),
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume what was begun in the folder --output.")]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Send losses and scores to tensorboard, wandb, mlflow or trackio [default: none].",
        show_default=False,
    ),
]
TargetFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="Format of the output (electra-ie formats lists them) [default: by its ending].",
        show_default=False,
    ),
]
TargetOptions = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Option of the format of the output. Can be repeated.", show_default=False),
]
Lossy = Annotated[bool, typer.Option("--lossy", help="Write the rest if the format of the output cannot hold all.")]


Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option(metavar="N", help="Port; 0 for one that is free.")]
TokenFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File with the token that requests must have [default: the environment variable ELECTRA_IE_TOKEN, or "
        "no token].",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Name by which the server may be reached, too. Can be repeated.", show_default=False
    ),
]


def as_paths(texts: Sequence[str] | None) -> list[Path] | None:
    """Return the values of an option as paths, which Python functions never take for texts; None if there are none."""
    return [Path(text) for text in texts] if texts else None


RecordsFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Also write the records of the task, with typed values: .jsonl, .csv or .parquet.",
        show_default=False,
    ),
]
CodesFolder = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of the lists of codes of --records [default: that of the run's data].",
        show_default=False,
    ),
]
