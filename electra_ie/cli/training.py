"""The commands that train: `train`, `compare`, `pretrain` and `encoder`, and `settings`, which lists theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from electra_ie.cli.options import (
    Data,
    Encoder,
    Resume,
    Seed,
    Set,
    SettingsFile,
    TaskName,
    Track,
    Unlabeled,
    as_paths,
)  # fmt: skip
from electra_ie.common.errors import UserError
from electra_ie.common.processes import is_main_process


def train(
    task: TaskName,
    output: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Folder of the run [default: runs/TASK-PRESET-SEED].", show_default=False),
    ] = None,
    encoder: Encoder = None,
    data: Data = None,
    unlabeled: Unlabeled = None,
    label_budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of labeled documents to use; the others become unlabeled texts [default: all].",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
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
            metavar="FOLDER",
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
    from electra_ie.runs.layout import load_task

    kwargs: dict[str, Any] = {
        "encoder": encoder,
        "data": data,
        "label_budget": label_budget,
        "seed": seed,
        "preset": preset,
    }
    kwargs["unlabeled"] = as_paths(unlabeled)
    kwargs["include_examples"] = include_examples or None
    result = api.train(
        task, output, settings=settings, overrides=set_ or (), resume=resume, track=track, teacher=teacher, **kwargs
    )
    if is_main_process():
        if "dev" in result.scores.splits:
            show_scores(result.scores["dev"], "dev")
        files = "model folders, run.yaml, scores.json, audit.json, log.jsonl, curves.png, README.md"
        notice(f"run saved in {result.path}: {files}")
        has_test = "test" in load_task(result.path).splits
        following = f"evaluate {result.path}" if has_test else f"extract {result.path} PATH"
        notice(f"next: electra-ie {following}")


def pretrain(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Text files, folders, .jsonl (each also as .gz), hub:ORG/NAME, or a task; none with --resume.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the new encoder.", show_default=False)] = ...,  # type: ignore[assignment]
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name or folder of the encoder to start from [default: all-MiniLM-L6-v2].",
            show_default=False,
        ),
    ] = None,
    from_scratch: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Train a new encoder with a new vocabulary instead, of the size tiny, small or base.",
            show_default=False,
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="electra (replaced-token detection), adversarial (its generator is rewarded for fooling the "
            "discriminator) or mlm (masked language modeling) [default: electra].",
            show_default=False,
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Optimizer steps [default: one pass over the text].", show_default=False),
    ] = None,
    max_hours: Annotated[
        float | None,
        typer.Option(metavar="HOURS", help="Training time in hours, instead of steps.", show_default=False),
    ] = None,
    vocab_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Size of a new vocabulary, with --from-scratch [default: 30522].", show_default=False
        ),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
    track: Track = None,
) -> None:
    """Pretrain an encoder on plain text, or adapt one to a domain.

    The encoder of --encoder is trained further, or a new one with --from-scratch.
    """
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


def encoder(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name or folder of the encoder, such as multilingual-e5-small.", show_default=False
        ),
    ],
    vocabulary_of: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Text file, folder, .jsonl or task whose tokens to keep; of a task, train and unlabeled. Can be "
            "repeated.",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the smaller encoder.", show_default=False)],
) -> None:
    """Write a smaller copy of a multilingual encoder.

    It keeps the tokens of your texts, and single characters.
    """
    from electra_ie.common.logs import notice
    from electra_ie.pretraining.vocabulary_cut import cut_vocabulary

    sizes = cut_vocabulary(name, vocabulary_of, Path(output))
    weights = f"{sizes.bytes / 1e6:,.0f} of {sizes.bytes_before / 1e6:,.0f} MB"
    notice(f"encoder saved in {output}: {sizes.tokens:,} of {sizes.tokens_before:,} tokens, {weights}")
    notice(f"use it with: electra-ie train TASK --encoder {output}")


def compare(
    compared: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK|RUN",
            help="A task, as for train, whose presets are compared; or finished runs, for a table of score and speed.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the comparison [default: runs/TASK-comparison]; of finished runs, a JSON file.",
            show_default=False,
        ),
    ] = None,
    label_budgets: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of labeled documents, e.g. 50,100,500 [default: all labels].",
            show_default=False,
        ),
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Presets to compare, the baseline first [default: supervised,self_training].",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Runs of each preset, with seeds 0, 1, ... [default: 3].", show_default=False
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Split to score [default: dev; of finished runs, test]. Checkpoints are always chosen on dev.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Runs in parallel [default: one per GPU].", show_default=False),
    ] = None,
    encoder: Encoder = None,
    data: Data = None,
    unlabeled: Unlabeled = None,
    set_: Set = None,
    settings: SettingsFile = None,
    resume: Resume = False,
) -> None:
    """Train several presets and state in one sentence which to use.

    All presets get the same labels and seeds. The run of the preset that wins is in the folder, as winner. Of finished
    runs, such as a run and the models distilled and exported from it, score, characters a second, size and memory are
    measured instead.
    """
    from electra_ie.cli.listing import show_comparison, show_measurements
    from electra_ie.common.logs import notice
    from electra_ie.comparison import runner
    from electra_ie.comparison.finished import compare_runs, is_run

    if len(compared) > 1 or is_run(compared[0]):
        options: dict[str, Any] = {"--label-budgets": label_budgets, "--presets": presets, "--seeds": seeds}
        options |= {"--jobs": jobs, "--encoder": encoder, "--unlabeled": unlabeled}
        options |= {"--set": set_, "--settings": settings}
        options["--resume"] = resume or None
        for option, value in options.items():
            if value is not None:
                remedy = f"Leave out {option}, or give one task."
                raise UserError(f"{option} is for the training of presets; these are finished runs.", remedy=remedy)
        show_measurements(compare_runs(compared, split or "test", data=data, file=output), split or "test")
        return
    try:
        budgets = [int(budget) for budget in label_budgets.split(",")] if label_budgets else None
    except ValueError:
        raise UserError(
            f'--label-budgets is "{label_budgets}".', remedy="Give integers separated by commas: 50,100,500."
        ) from None
    kwargs: dict[str, Any] = {"encoder": encoder, "data": data}
    kwargs["unlabeled"] = as_paths(unlabeled)
    names = [preset.strip() for preset in presets.split(",")] if presets else None
    kwargs |= {"label_budgets": budgets, "presets": names, "seeds": seeds, "split": split}
    folder = runner.compare(
        compared[0], output, jobs=jobs, settings=settings, overrides=set_ or (), resume=resume, **kwargs
    )
    show_comparison(folder)
    notice(f"comparison saved in {folder}: compare.json, curve.png, runs/; use the run {folder}/winner")


def settings(
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND",
            help="Command whose settings to show: train or pretrain [default: both].",
            show_default=False,
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print them as Markdown, as in docs/settings.md.")
    ] = False,
) -> None:
    """List the settings and presets of train and pretrain.

    A setting has a default, a meaning and valid values; a preset has loss terms with their weights.
    """
    from electra_ie.cli.settings import settings_markdown, show_settings

    if markdown:
        typer.echo(settings_markdown(), nl=False)
    else:
        show_settings(command)
