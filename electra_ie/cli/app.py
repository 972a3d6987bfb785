"""The command line. torch is imported only once a command runs, so that --help is instant."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from electra_ie.common.errors import UserError
from electra_ie.common.logs import use_cli_format
from electra_ie.common.processes import is_main_process

app = typer.Typer(
    help="Train text information extractors from a handful of labels and a pile of unlabelled text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it starts faster, and square brackets in it are text
)
Run = Annotated[
    str,
    typer.Argument(help="Folder of a run, as train wrote it; or ORG/NAME[@REVISION] on the hub.", show_default=False),
]
Repository = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository on the hub.", show_default=False)]
Private = Annotated[bool, typer.Option("--private", help="Refuse a public repository; make a new one private.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the files, their sizes and the card; send nothing.")]
Data = Annotated[str | None, typer.Option(help="Folder of the task's files, in place of its own.", show_default=False)]
Encoder = Annotated[
    str | None, typer.Option(help="Name or directory of an encoder [default: all-MiniLM-L6-v2].", show_default=False)
]
Unlabeled = Annotated[
    list[str] | None,
    typer.Option(help="Text file, folder or .jsonl to add to the unlabelled pool.", show_default=False),
]
Seed = Annotated[int | None, typer.Option(help="Decides all that is random [default: 0].", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value of a setting, e.g. max_steps=300.", show_default=False),
]
SettingsFile = Annotated[
    str | None, typer.Option(help="YAML file of settings, such as the run.yaml of a run.", show_default=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --output.")]
Track = Annotated[
    str | None,
    typer.Option(
        help="Send losses and scores to tensorboard, wandb, mlflow or trackio [default: none].", show_default=False
    ),
]


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(help="Show this one: fields, labels, sizes, card.")] = None,
) -> None:
    """List the tasks, or show one."""
    from electra_ie.cli.listing import list_all, show

    show(name) if name else list_all()


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    output: Annotated[
        str | None, typer.Option(help="Folder of the run [default: runs/TASK-PRESET-SEED].", show_default=False)
    ] = None,
    encoder: Encoder = None,
    data: Data = None,
    unlabeled: Unlabeled = None,
    label_budget: Annotated[
        int | None, typer.Option(help="Keep this many labelled documents; the rest joins the pool.", show_default=False)
    ] = None,
    seed: Seed = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="supervised, adversarial, latent, or auto: what wins on dev, in six trainings [default: supervised].",
            show_default=False,
        ),
    ] = None,
    include_examples: Annotated[
        bool, typer.Option("--include-examples", help="Show some documents of dev in the model card.")
    ] = False,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
    track: Track = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="For --preset adversarial: folder of the supervised run with the same labels and seed "
            "[default: trains it].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a model for a task, and save it as a run."""
    from electra_ie.api import train as do
    from electra_ie.cli.listing import show_scores
    from electra_ie.common.logs import notice
    from electra_ie.runs.layout import read_scores

    given: dict[str, Any] = {
        "encoder": encoder,
        "data": data,
        "label_budget": label_budget,
        "seed": seed,
        "preset": preset,
    }
    given["unlabeled"] = tuple(unlabeled) if unlabeled else None
    given["include_examples"] = include_examples or None
    folder = do(
        task, output, settings=settings, overrides=set_ or (), resume=resume, track=track, teacher=teacher, **given
    )
    if is_main_process():
        show_scores(read_scores(folder).get("dev", {}), "dev")
        files = "model folders, run.yaml, scores.json, audit.json, log.jsonl, curves.png, README.md"
        notice(f"run saved in {folder}: {files}")


@app.command()
def pretrain(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Text files, folders, .jsonl (each also as .gz), hub:ORG/NAME, or a task; none with --resume.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str, typer.Option(help="Folder of the encoder to make.", show_default=False)] = ...,  # type: ignore[assignment]
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Name or directory of the encoder to go on from [default: all-MiniLM-L6-v2].", show_default=False
        ),
    ] = None,
    from_scratch: Annotated[
        str | None,
        typer.Option(help="New weights and a new vocabulary instead: tiny, small or base.", show_default=False),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="electra, adversarial or mlm [default: electra].", show_default=False),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Optimiser steps [default: one pass over the text].", show_default=False)
    ] = None,
    max_hours: Annotated[
        float | None, typer.Option(help="Time to train, in place of steps.", show_default=False)
    ] = None,
    vocab_size: Annotated[
        int | None, typer.Option(help="Entries of a new vocabulary [default: 30522].", show_default=False)
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
    track: Track = None,
) -> None:
    """Pretrain an encoder on plain text by replaced-token detection (ELECTRA), or adapt one to a domain."""
    from electra_ie.api import pretrain as do
    from electra_ie.cli.listing import show_pretraining
    from electra_ie.common.logs import notice

    given: dict[str, Any] = {"encoder": encoder, "from_scratch": from_scratch, "objective": objective}
    given |= {"max_steps": max_steps, "max_hours": max_hours, "vocab_size": vocab_size, "seed": seed}
    folder = do(paths or (), output, settings=settings, overrides=set_ or (), resume=resume, track=track, **given)
    if is_main_process():
        show_pretraining(folder)
        notice(f"encoder saved in {folder}; use it with: electra-ie train TASK --encoder {folder}")


@app.command()
def compare(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    output: Annotated[
        str | None, typer.Option(help="Folder to make [default: runs/TASK-comparison].", show_default=False)
    ] = None,
    label_budgets: Annotated[
        str | None, typer.Option(help="Label budgets, e.g. 50,100,500 [default: all labels].", show_default=False)
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(
            help="What is compared, the baseline first [default: supervised,adversarial].", show_default=False
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each, with the seeds 0, 1, ... [default: 3].", show_default=False)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="What is scored [default: dev]; dev chooses checkpoints in any case.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs at once [default: one a GPU].", show_default=False)
    ] = None,
    encoder: Encoder = None,
    data: Data = None,
    unlabeled: Unlabeled = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
) -> None:
    """Train several presets on the same labels, and say in one sentence which to keep."""
    from electra_ie.cli.listing import show_comparison
    from electra_ie.common.logs import notice
    from electra_ie.comparison.runner import compare as do

    try:
        budgets = [int(each) for each in label_budgets.split(",")] if label_budgets else None
    except ValueError:
        raise UserError(
            f'--label-budgets is "{label_budgets}".', remedy="Give numbers with commas: 50,100,500."
        ) from None
    told: dict[str, Any] = {"encoder": encoder, "data": data, "unlabeled": tuple(unlabeled) if unlabeled else None}
    names = [each.strip() for each in presets.split(",")] if presets else None
    told |= {"label_budgets": budgets, "presets": names, "seeds": seeds, "split": split}
    folder = do(task, output, jobs=jobs, settings=settings, overrides=set_ or (), resume=resume, **told)
    show_comparison(folder)
    notice(f"comparison saved in {folder}: compare.json, curve.png, runs/; the run to use is {folder}/winner")


@app.command()
def settings(
    command: Annotated[
        str | None,
        typer.Argument(help="Command whose settings to show: train or pretrain [default: both].", show_default=False),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/settings.md.")] = False,
) -> None:
    """List all settings with default, meaning and valid values, and the presets with their loss terms."""
    from electra_ie.cli.settings import settings_markdown, show_settings

    if markdown:
        typer.echo(settings_markdown(), nl=False)
    else:
        show_settings(command)


@app.command()
def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="Split of the task to score.")] = "test",
    data: Data = None,
    json: Annotated[str | None, typer.Option(help="Write the scores to this file too.", show_default=False)] = None,
) -> None:
    """Score a run on a split of its task."""
    from electra_ie.api import evaluate as do
    from electra_ie.cli.listing import show_scores

    show_scores(do(run, split, data=data, file=json), split)


@app.command()
def extract(
    run: Run,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Text files, .jsonl, .csv and .tsv files, folders, or - for standard input. Of a folder each .txt and "
            ".jsonl is read, and tables where the run was trained on such.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File of the findings, one JSON line a document [default: standard output].",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        str | None, typer.Option(help="Write a page with the findings highlighted.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Key or column of the text in .jsonl, .csv and .tsv [default: as the run's task says].",
            show_default=False,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Key or column of the id [default: as the run's task says].", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first input that cannot be read.")] = False,
) -> None:
    """Find in texts what a run was trained to find.

    Exit codes: 0, all is read; 2, a mistake, and nothing is written; 3, done, but for inputs that could not be read and
    are listed.
    """
    from electra_ie.api import extract as do
    from electra_ie.common.logs import notice

    if not output and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is, whatever the terminal's encoding
    counts = do(run, paths, output or sys.stdout, html, text=text, id=id_, strict=strict)
    done = ", ".join(f"{number:,} {name}" for name, number in counts.items()) + (f" -> {output}" if output else "")
    if not counts.faults:
        notice(done)
        return
    failed = len(counts.faults)
    notice(f"{done}; {failed:,} of {counts['documents'] + failed:,} could not be read")
    raise typer.Exit(3)


@app.command()
def verify(run: Run, data: Data = None) -> None:
    """Check a run against its audit: weights, recipe, data, splits, code, environment. Exit code 1 if one differs."""
    from electra_ie.api import verify as do
    from electra_ie.common.logs import notice
    from electra_ie.common.progress import escape_controls, output

    found = do(run, data=data)
    for each in found.differences:
        output().print(escape_controls(str(each)), markup=False, highlight=False, soft_wrap=True)
    for reason in found.unchecked:
        notice(f"not checked: {reason}")
    if found.same:
        notice(f"{run}: all that was checked is as the audit says.")
    else:
        raise typer.Exit(1)


@app.command()
def push(
    run: Annotated[str, typer.Argument(help="Folder of a run, as train wrote it.", show_default=False)],
    repository: Repository,
    private: Private = False,
    revision: Annotated[str | None, typer.Option(help="Branch to push to [default: main].", show_default=False)] = None,
    dry_run: DryRun = False,
) -> None:
    """Send a run to the Hugging Face hub: models, settings, scores and card. No text is sent but what
    --include-examples put into the card."""
    from electra_ie.api import plan_push, push_to_hub
    from electra_ie.cli.listing import show_upload
    from electra_ie.common.logs import notice

    if dry_run:
        show_upload(plan_push(run, repository, revision))
        return
    pushed = push_to_hub(run, repository, private=private, revision=revision)
    notice(f"pushed; use it with: electra-ie extract {pushed} PATH...")


@app.command()
def push_data(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    repository: Repository,
    data: Data = None,
    private: Private = False,
    dry_run: DryRun = False,
) -> None:
    """Send a task's data to the Hugging Face hub: its texts and labels as JSON lines, and its data card."""
    from electra_ie.api import plan_push_data
    from electra_ie.api import push_data as do
    from electra_ie.cli.listing import show_upload
    from electra_ie.common.logs import notice

    if dry_run:
        show_upload(plan_push_data(task, repository, data))
        return
    pushed = do(task, repository, data=data, private=private)
    name, _, commit = pushed.partition("@")
    notice(f'pushed; read it with: datasets.load_dataset("{name}", revision="{commit}")')


def main() -> None:
    """Entry point of `electra-ie`: a user's mistake is one line on standard error and exit code 2."""
    use_cli_format()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that half-written files are cleared away
    try:
        app()
    except UserError as error:
        if is_main_process():
            sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except OSError as error:  # no space, no permission: the machine's fault and the user's to mend, not a bug of ours
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror or error}. Check the path, its permissions and the space.\n")
        sys.stdout = None  # type: ignore[assignment]  # what it could not write it would try again at the end
        sys.exit(2)
