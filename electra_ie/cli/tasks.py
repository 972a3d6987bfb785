"""The commands on tasks: `tasks`, `init` and `hints`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import Data, TaskName


def tasks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK", help="Name or path of a task to show: fields, labels, sizes, card.", show_default=False
        ),
    ] = None,
) -> None:
    """List the shipped tasks, or show a task."""
    from electra_ie.cli.listing import list_all, show

    show(name) if name else list_all()


def init(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="File or folder of annotated data, or ORG/NAME[@REVISION] of a data set on the Hub.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the task [default: NAME_task in the current folder, for the NAME of the data].",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Format of the files (electra-ie formats lists them) [default: detected].",
            show_default=False,
        ),
    ] = None,
    configuration: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Configuration of a data set on the Hub, if it has several.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the splits that are drawn.")] = 0,
    dev: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of the labeled documents drawn for dev, if no file is named dev."),
    ] = 0.2,
    test: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of the labeled documents drawn for test, if no file is named test."),
    ] = 0.2,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND:LABEL,LABEL",
            help="For texts without labels: a field to label by hand, of kind classes, flags, spans or relations. Can "
            "be repeated.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Option of the format, such as text=Message for the column of the text. Can be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a task.yaml for annotated data: fields, labels, splits; or, with --field, for texts without labels.

    Every assumption is printed, and is a comment in task.yaml: correct the task if one is wrong.
    """
    from electra_ie import api
    from electra_ie.cli.listing import show
    from electra_ie.common.logs import notice
    from electra_ie.common.progress import output as standard_output
    from electra_ie.data.init.from_texts import declared_fields

    fields = declared_fields(field) if field else None
    done = api.init(
        path, output, format=format, configuration=configuration, seed=seed, dev=dev, test=test, fields=fields,
        options=read or (),
    )  # fmt: skip
    for line in done.assumptions:
        standard_output().print(f"assumed: {line}", markup=False, highlight=False, soft_wrap=True)
    folder = str(done.task.file.parent)
    if fields:
        notice(f"task written to {done.task.file}; then: electra-ie label {folder}")
        return
    show(folder)
    notice(f"task written to {done.task.file}: correct it if an assumption is wrong; then: electra-ie train {folder}")


def hints(
    task: TaskName,
    data: Data = None,
    label_budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of labeled documents to use, drawn as by train; the others count as unlabeled texts.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the label budget.")] = 0,
) -> None:
    """Show how often the hints of a task match, and are right.

    They are counted in train and the unlabeled texts. No text is shown.
    """
    from electra_ie.cli.listing import show_hints

    show_hints(task, data, label_budget, seed)
