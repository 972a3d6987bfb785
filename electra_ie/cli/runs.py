"""The commands on a finished run: `evaluate`, `extract`, `verify`, `push`; and `push-data` for the data of a task."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from electra_ie.cli.options import CodesFolder, Data, DryRun, Private, RecordsFile, Repository, Run, TaskName


def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of the task to score.")] = "test",
    data: Data = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write the scores to this file.", show_default=False)
    ] = None,
) -> None:
    """Score a run on a split of its task.

    The scores are also saved in the folder of the run, with its plots and its model card.
    """
    from electra_ie import api
    from electra_ie.cli.listing import show_scores

    show_scores(api.evaluate(run, split, data=data, file=json), split)


def extract(
    run: Run,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Text files, .jsonl, .csv, .tsv and .parquet files, HTML and PDF files, folders, patterns in quotes "
            "such as 'inbox/**/*.pdf', or - for standard input (JSON lines or one text). In a folder all .txt and "
            ".jsonl files are read, and tables if the run was trained on tables.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File for the findings [default: standard output]. An interrupted job goes on.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also write an HTML page with the findings highlighted.", show_default=False),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Key or column of the text in records and tables [default: as in the run's task.yaml].",
            show_default=False,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="KEY",
            help="Key or column of the id [default: as in the run's task.yaml].",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first input that cannot be read.")] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv or parquet [default: by the ending of the output].",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Write only findings with this label. Can be repeated.", show_default=False),
    ] = None,
    min_score: Annotated[
        float, typer.Option(metavar="SCORE", help="Write only findings with at least this score.")
    ] = 0.0,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Start over, also if the output is that of another model, other options or other inputs.",
        ),
    ] = False,
    records: RecordsFile = None,
    data: CodesFolder = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Option of tables: delimiter, quotes, header, columns. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    prefix_ids: Annotated[
        bool, typer.Option("--prefix-ids", help="Put the name of the file before the ids of its records.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes that extract, each with the whole model in memory.")
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(metavar="NAME", help="local, or ray: the cluster at RAY_ADDRESS, or a Ray on this machine."),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Workers of Ray [default: one on each machine, or each GPU].", show_default=False
        ),
    ] = None,
    review: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write accepted findings only, and to this file the texts with findings for review, by the thresholds "
            "of the run (calibrate).",
            show_default=False,
        ),
    ] = None,
    review_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="jsonl, or a format of annotation tools such as label_studio or doccano [default: by the ending].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Extract findings from texts with a trained run.

    An interrupted job goes on when the same command is given again, and its output is the same.

    Exit codes: 0, all inputs were read; 2, an error, nothing was written; 3, done, but some inputs could not be read
    and are listed.
    """
    from electra_ie import api
    from electra_ie.cli.tables import use_utf8
    from electra_ie.common.logs import notice

    if output is None:
        use_utf8()
    counts = api.extract(
        run,
        paths,
        sys.stdout if output is None else output,
        html,
        text=text,
        id=id_,
        strict=strict,
        format=format_,
        labels=label or (),
        min_score=min_score,
        overwrite=overwrite,
        processes=processes,
        records=records,
        data=data,
        engine=engine,
        workers=workers,
        review=review,
        review_format=review_format,
        read=read or (),
        prefix_ids=prefix_ids,
    )
    summary = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    summary += f" ({counts.relations:,} of them relations)" if counts.relations else ""
    summary += f" -> {output}" if output else ""
    if review:
        summary += f"; {counts.to_review:,} findings to review -> {review}; {counts.dropped:,} dropped"
    if not counts.failed:
        notice(summary)
        return
    notice(f"{summary}; {counts.failed:,} of {counts['documents'] + counts.failed:,} could not be read")
    raise typer.Exit(3)


def verify(run: Run, data: Data = None) -> None:
    """Check a run or an exported model against its audit.

    Its weights, settings, data, splits, code and environment are compared; of an exported model not data and splits.

    Exit codes: 0, everything that was checked matches; 1, something differs; 2, an error.
    """
    from electra_ie import api
    from electra_ie.common.escaping import escape_controls
    from electra_ie.common.logs import notice
    from electra_ie.common.progress import output

    result = api.verify(run, data=data)
    for difference in result.differences:
        output().print(escape_controls(str(difference)), markup=False, highlight=False, soft_wrap=True)
    for reason in result.unchecked:
        notice(f"not checked: {reason}")
    if result.same:
        notice(f"{run}: everything that was checked matches the audit.")
    else:
        raise typer.Exit(1)


def push(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a run or an exported model.", show_default=False)
    ],
    repository: Repository,
    private: Private = False,
    revision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Branch to push to [default: main].", show_default=False)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Send a run or an exported model to the Hugging Face Hub.

    Its models, settings, scores and card are sent; no texts, except those that --include-examples of train has added
    to the card.
    """
    from electra_ie.api import plan_push, push_to_hub
    from electra_ie.cli.listing import show_upload
    from electra_ie.common.logs import notice

    if dry_run:
        show_upload(plan_push(run, repository, revision))
        return
    pushed = push_to_hub(run, repository, private=private, revision=revision)
    notice(f"pushed; use it with: electra-ie extract {pushed} PATH...")


def push_data(
    task: TaskName,
    repository: Repository,
    data: Data = None,
    private: Private = False,
    dry_run: DryRun = False,
) -> None:
    """Send the data of a task to the Hugging Face Hub.

    Its texts and labels are sent as JSON lines, with the data card.
    """
    from electra_ie import api
    from electra_ie.cli.listing import show_upload
    from electra_ie.common.logs import notice

    if dry_run:
        show_upload(api.plan_push_data(task, repository, data))
        return
    pushed = api.push_data(task, repository, data=data, private=private)
    name, _, commit = pushed.partition("@")
    notice(f'pushed; read it with: datasets.load_dataset("{name}", revision="{commit}")')
