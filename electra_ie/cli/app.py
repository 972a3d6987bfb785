"""The command line. Commands import torch inside their functions, so that --help is fast."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from electra_ie.common.errors import UserError
from electra_ie.common.logs import use_cli_format
from electra_ie.common.processes import is_main_process

app = typer.Typer(
    help="Train information extractors for text from few labels and much unlabeled text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts faster and keeps square brackets
)
Run = Annotated[
    str,
    typer.Argument(help="Folder of a run, as written by train; or ORG/NAME[@REVISION] on the Hub.", show_default=False),
]
Repository = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository on the Hub.", show_default=False)]
Private = Annotated[
    bool, typer.Option("--private", help="Create the repository as private; fail if it exists and is public.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the files, their sizes and the card without sending anything.")
]
Data = Annotated[
    str | None, typer.Option(help="Folder of the task's files, instead of the one in task.yaml.", show_default=False)
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="Name or folder of an encoder; multilingual-e5-small for Chinese and other languages [default: "
        "all-MiniLM-L6-v2].",
        show_default=False,
    ),
]
Unlabeled = Annotated[
    list[str] | None,
    typer.Option(
        help="Text file, folder or .jsonl to add to the unlabeled texts. Can be repeated.", show_default=False
    ),
]
Seed = Annotated[int | None, typer.Option(help="Random seed [default: 0].", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Setting as key=value, e.g. max_steps=300. Can be repeated.", show_default=False),
]
SettingsFile = Annotated[
    str | None, typer.Option(help="YAML file of settings, such as the run.yaml of a run.", show_default=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run in --output.")]
Track = Annotated[
    str | None,
    typer.Option(
        help="Send losses and scores to tensorboard, wandb, mlflow or trackio [default: none].", show_default=False
    ),
]


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(help="Task to show: fields, labels, sizes, card.")] = None,
) -> None:
    """List the tasks, or show one."""
    from electra_ie.cli.listing import list_all, show

    show(name) if name else list_all()


@app.command()
def init(
    path: Annotated[str, typer.Argument(metavar="PATH", help="File or folder of annotated data.", show_default=False)],
    output: Annotated[
        str | None, typer.Option(help="Folder of the task [default: NAME_task, here].", show_default=False)
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Format of the data [default: detected].", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the splits that are drawn.")] = 0,
    dev: Annotated[float, typer.Option(help="Share of the labeled documents for dev, if no file is named so.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share of the labeled documents for test, if no file is named so.")] = 0.2,
) -> None:
    """Write a task.yaml for annotated data: its fields, labels and splits, with every assumption stated."""
    from electra_ie.cli.init import init

    init(path, output, format, seed, (dev, test))


@app.command()
def hints(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    data: Data = None,
    label_budget: Annotated[
        int | None,
        typer.Option(
            help="Number of labeled documents to use, drawn as by train; the others count as unlabeled texts.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the label budget.")] = 0,
) -> None:
    """Show how often the hints of a task match, and how often they are right, on train and the unlabeled texts."""
    from electra_ie.cli.listing import show_hints

    show_hints(task, data, label_budget, seed)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="File or folder to read.", show_default=False)],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="File or folder to write; it may not exist.", show_default=False)
    ],
    from_: Annotated[
        str | None, typer.Option("--from", help="Format of IN [default: detected].", show_default=False)
    ] = None,
    to: Annotated[str | None, typer.Option(help="Format of OUT [default: by its ending].", show_default=False)] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format of IN. Can be repeated.", show_default=False),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format of OUT. Can be repeated.", show_default=False),
    ] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Write although something is lost.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Read OUT again and compare.")] = False,
) -> None:
    """Convert annotations to another format, and count what it cannot hold.

    Exit codes: 0, written; 1, something would be lost and nothing was written, or --check found a difference; 2, an
    error in the input, nothing was written.
    """
    from electra_ie.cli.convert import convert_files

    if not convert_files(Path(source), Path(target), (from_, to), (read or (), write or ()), lossy=lossy, check=check):
        raise typer.Exit(1)


@app.command()
def formats(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/formats.md.")] = False,
) -> None:
    """List the annotation formats that convert, init and task.yaml know, with their options."""
    from electra_ie.cli.formats import formats_markdown, show_formats

    if markdown:
        typer.echo(formats_markdown(), nl=False)
    else:
        show_formats()


@app.command()
def check(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    data: Data = None,
    unlabeled: Unlabeled = None,
    encoder: Encoder = None,
    html: Annotated[str | None, typer.Option(help="Also write the report as an HTML page.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show short passages of the documents, here and in the files.")
    ] = False,
) -> None:
    """Look for problems in the data of a task before training. Texts are not shown without --show-text.

    Exit codes: 0, no errors and no warnings; 1, some were found; 2, the data cannot be read.
    """
    from electra_ie.cli.check import check_data

    kwargs: dict[str, Any] = {"data": data, "encoder": encoder}
    kwargs["unlabeled"] = [Path(path) for path in unlabeled] if unlabeled else None
    if not check_data(task, html, json, show_text, **kwargs):
        raise typer.Exit(1)


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
        int | None,
        typer.Option(help="Number of labeled documents to use; the others become unlabeled texts.", show_default=False),
    ] = None,
    seed: Seed = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="supervised, self_training, adversarial, latent, thorough (self_training on an encoder adapted to the "
            "task's text), or auto: trains 6 runs and keeps the preset with the best dev score [default: supervised].",
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
            help="For a preset with a teacher: folder of a supervised run with the same labels and seed "
            "[default: train one].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a model for a task and save it as a run."""
    from electra_ie import api
    from electra_ie.cli.listing import show_scores
    from electra_ie.common.logs import notice

    kwargs: dict[str, Any] = {
        "encoder": encoder,
        "data": data,
        "label_budget": label_budget,
        "seed": seed,
        "preset": preset,
    }
    kwargs["unlabeled"] = [Path(path) for path in unlabeled] if unlabeled else None
    kwargs["include_examples"] = include_examples or None
    result = api.train(
        task, output, settings=settings, overrides=set_ or (), resume=resume, track=track, teacher=teacher, **kwargs
    )
    if is_main_process():
        if "dev" in result.scores.splits:
            show_scores(result.scores["dev"], "dev")
        files = "model folders, run.yaml, scores.json, audit.json, log.jsonl, curves.png, README.md"
        notice(f"run saved in {result.path}: {files}")


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
    output: Annotated[str, typer.Option(help="Folder of the new encoder.", show_default=False)] = ...,  # type: ignore[assignment]
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of the encoder to start from [default: all-MiniLM-L6-v2].", show_default=False
        ),
    ] = None,
    from_scratch: Annotated[
        str | None,
        typer.Option(
            help="Train a new encoder with a new vocabulary instead: tiny, small or base.", show_default=False
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="electra, adversarial or mlm [default: electra].", show_default=False),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Optimizer steps [default: one pass over the text].", show_default=False)
    ] = None,
    max_hours: Annotated[
        float | None, typer.Option(help="Training time in hours, instead of steps.", show_default=False)
    ] = None,
    vocab_size: Annotated[
        int | None, typer.Option(help="Size of a new vocabulary [default: 30522].", show_default=False)
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
    track: Track = None,
) -> None:
    """Pretrain an encoder on plain text by replaced-token detection (ELECTRA), or adapt one to a domain."""
    from electra_ie import api
    from electra_ie.cli.listing import show_pretraining
    from electra_ie.common.logs import notice

    kwargs: dict[str, Any] = {"encoder": encoder, "from_scratch": from_scratch, "objective": objective}
    kwargs |= {"max_steps": max_steps, "max_hours": max_hours, "vocab_size": vocab_size, "seed": seed}
    folder = api.pretrain(
        paths or (), output, settings=settings, overrides=set_ or (), resume=resume, track=track, **kwargs
    )
    if is_main_process():
        show_pretraining(folder)
        notice(f"encoder saved in {folder}; use it with: electra-ie train TASK --encoder {folder}")


@app.command("encoder")
def encoder_command(
    name: Annotated[
        str, typer.Argument(help="Name or folder of the encoder, such as multilingual-e5-small.", show_default=False)
    ],
    vocabulary_of: Annotated[
        list[str],
        typer.Option(
            help="Text file, folder, .jsonl or task whose tokens to keep; of a task, train and unlabeled. Can be "
            "repeated.",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option(help="Folder of the smaller encoder.", show_default=False)],
) -> None:
    """Write a smaller copy of a multilingual encoder that keeps the tokens of your texts and single characters."""
    from electra_ie.common.logs import notice
    from electra_ie.pretraining.vocabulary_cut import cut_vocabulary

    sizes = cut_vocabulary(name, vocabulary_of, Path(output))
    weights = f"{sizes.bytes / 1e6:,.0f} of {sizes.bytes_before / 1e6:,.0f} MB"
    notice(f"encoder saved in {output}: {sizes.tokens:,} of {sizes.tokens_before:,} tokens, {weights}")
    notice(f"use it with: electra-ie train TASK --encoder {output}")


@app.command()
def compare(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of a task.yaml.", show_default=False)],
    output: Annotated[
        str | None, typer.Option(help="Folder of the comparison [default: runs/TASK-comparison].", show_default=False)
    ] = None,
    label_budgets: Annotated[
        str | None, typer.Option(help="Label budgets, e.g. 50,100,500 [default: all labels].", show_default=False)
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(
            help="Presets to compare, the baseline first [default: supervised,self_training].", show_default=False
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each preset, with seeds 0, 1, ... [default: 3].", show_default=False),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split to score [default: dev]. Checkpoints are always chosen on dev.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs in parallel [default: one per GPU].", show_default=False)
    ] = None,
    encoder: Encoder = None,
    data: Data = None,
    unlabeled: Unlabeled = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
) -> None:
    """Train several presets on the same labels and state in one sentence which one to use."""
    from electra_ie.cli.listing import show_comparison
    from electra_ie.common.logs import notice
    from electra_ie.comparison import runner

    try:
        budgets = [int(budget) for budget in label_budgets.split(",")] if label_budgets else None
    except ValueError:
        raise UserError(
            f'--label-budgets is "{label_budgets}".', remedy="Give integers separated by commas: 50,100,500."
        ) from None
    kwargs: dict[str, Any] = {"encoder": encoder, "data": data}
    kwargs["unlabeled"] = [Path(path) for path in unlabeled] if unlabeled else None
    names = [preset.strip() for preset in presets.split(",")] if presets else None
    kwargs |= {"label_budgets": budgets, "presets": names, "seeds": seeds, "split": split}
    folder = runner.compare(task, output, jobs=jobs, settings=settings, overrides=set_ or (), resume=resume, **kwargs)
    show_comparison(folder)
    notice(f"comparison saved in {folder}: compare.json, curve.png, runs/; use the run {folder}/winner")


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
    json: Annotated[str | None, typer.Option(help="Also write the scores to this file.", show_default=False)] = None,
) -> None:
    """Score a run on a split of its task."""
    from electra_ie import api
    from electra_ie.cli.listing import show_scores

    show_scores(api.evaluate(run, split, data=data, file=json), split)


@app.command()
def extract(
    run: Run,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Text files, .jsonl, .csv and .tsv files, folders, or - for standard input. In a folder all .txt and "
            ".jsonl files are read, and tables if the run was trained on tables.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the findings, one JSON line per document [default: standard output].",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        str | None, typer.Option(help="Also write an HTML page with the findings highlighted.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Key or column of the text in .jsonl, .csv and .tsv [default: as in the run's task.yaml].",
            show_default=False,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Key or column of the id [default: as in the run's task.yaml].", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first input that cannot be read.")] = False,
) -> None:
    """Extract findings from texts with a trained run.

    Exit codes: 0, all inputs were read; 2, an error, nothing was written; 3, done, but some inputs could not be read
    and are listed.
    """
    from electra_ie import api
    from electra_ie.common.logs import notice

    if not output and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 in any terminal
    counts = api.extract(run, paths, output or sys.stdout, html, text=text, id=id_, strict=strict)
    summary = ", ".join(f"{count:,} {name}" for name, count in counts.items()) + (f" -> {output}" if output else "")
    if not counts.faults:
        notice(summary)
        return
    failed = len(counts.faults)
    notice(f"{summary}; {failed:,} of {counts['documents'] + failed:,} could not be read")
    raise typer.Exit(3)


@app.command()
def suggest(
    run: Run,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Texts, as for extract.", show_default=False)],
    output: Annotated[
        str, typer.Option("--output", "-o", help="File or folder to write; it may not exist.", show_default=False)
    ],
    to: Annotated[
        str | None, typer.Option(help="Format of the output [default: by its ending].", show_default=False)
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format. Can be repeated.", show_default=False),
    ] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Write although something is lost.")] = False,
) -> None:
    """Write what a run finds in texts as predictions for an annotation tool, the least certain text first.

    Exit codes: 0, written; 1, the format cannot hold something and nothing was written; 2, an error.
    """
    from electra_ie.cli.convert import suggest_files

    if not suggest_files(run, paths, Path(output), to, write or (), lossy):
        raise typer.Exit(1)


@app.command()
def verify(run: Run, data: Data = None) -> None:
    """Check a run against its audit: weights, settings, data, splits, code, environment. Exit code 1 if one differs."""
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


@app.command()
def push(
    run: Annotated[str, typer.Argument(help="Folder of a run, as written by train.", show_default=False)],
    repository: Repository,
    private: Private = False,
    revision: Annotated[str | None, typer.Option(help="Branch to push to [default: main].", show_default=False)] = None,
    dry_run: DryRun = False,
) -> None:
    """Send a run to the Hugging Face Hub: models, settings, scores and card.

    No texts are sent, except those that --include-examples has added to the card.
    """
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
    """Send a task's data to the Hugging Face Hub: texts and labels as JSON lines, and the data card."""
    from electra_ie import api
    from electra_ie.cli.listing import show_upload
    from electra_ie.common.logs import notice

    if dry_run:
        show_upload(api.plan_push_data(task, repository, data))
        return
    pushed = api.push_data(task, repository, data=data, private=private)
    name, _, commit = pushed.partition("@")
    notice(f'pushed; read it with: datasets.load_dataset("{name}", revision="{commit}")')


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
    except OSError as error:  # disk full, no permission: not a bug of this package
        path = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(
            f"error: {path}{error.strerror or error}. Check the path, its permissions and the disk space.\n"
        )
        sys.stdout = None  # else Python flushes it again at exit and fails again
        sys.exit(2)
