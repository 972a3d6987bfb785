"""A run on disk: checkpoints while it trains, stock folders when it is done. Everything is written beside its place
and then moved there: a file is whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from electra_ie.batching import Windows
from electra_ie.common.errors import UserError
from electra_ie.common.files import parse, repository_of, whole
from electra_ie.common.progress import notice
from electra_ie.common.yaml_source import Source
from electra_ie.config.base import Settings
from electra_ie.discriminator import Discriminator
from electra_ie.edges import Edges, edges_from
from electra_ie.encoders import hushed, load_tokenizer, longest
from electra_ie.inspection import forget_code, inspect_model
from electra_ie.labels import Field
from electra_ie.loop import LossNotFinite, Players
from electra_ie.pooling import AVERAGES
from electra_ie.run_files import BEST, CHECKPOINT, CORPUS, LAST, TASK, read_log, refuse_links, write_log
from electra_ie.task import Task


@dataclass(frozen=True)
class Progress:
    """How far a run has come: steps done, the step and dev score of the best weights (None before the first)."""

    step: int = 0
    best_step: int | None = None
    best_score: float | None = None


def trained_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What training can change: the weights that take a gradient, and the buffers."""
    still = {name for name, each in module.named_parameters() if not each.requires_grad}
    return {name: value.detach() for name, value in module.state_dict().items() if name not in still}


def save_weights(path: Path, tensors: Mapping[str, torch.Tensor], progress: Progress) -> None:
    """One safetensors file, its progress in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with whole(path) as part:
        save_file(plain, part, metadata={"progress": json.dumps(vars(progress))})


def read_weights(path: Path) -> tuple[dict[str, torch.Tensor], Progress]:
    """Tensors and progress of a checkpoint. Raises UserError where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return tensors, Progress(**json.loads(file.metadata()["progress"]))
    except (SafetensorError, OSError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            "the checkpoint cannot be read.", file=path, remedy="Delete the run and train again."
        ) from error


def save_checkpoint(run: Path, players: Players, progress: Progress) -> None:
    """All that the next step depends on: both players' weights and the optimiser's moments. There is no random state
    to save: the randomness of a step follows from its number."""
    tensors = {f"discriminator.{name}": value for name, value in trained_state(players.judge).items()}
    if players.maker is not None:
        tensors.update({f"generator.{name}": value for name, value in players.maker.state_dict().items()})
    for number, state in players.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{number}.{name}": value for name, value in state.items()})
    save_weights(run / LAST, tensors, progress)


def load_checkpoint(run: Path, players: Players) -> Progress:
    """Put the players and the optimiser where the last checkpoint left them."""
    tensors, progress = read_weights(run / LAST)
    parts: dict[str, dict[str, torch.Tensor]] = {"discriminator": {}, "generator": {}, "optimizer": {}}
    for name, value in tensors.items():
        player, _, rest = name.partition(".")
        parts[player][rest] = value
    players.judge.load_state_dict(parts["discriminator"], strict=False)
    if players.maker is not None:
        players.maker.load_state_dict(parts["generator"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in parts["optimizer"].items():
        number, _, moment = name.partition(".")
        state.setdefault(int(number), {})[moment] = value
    groups = players.optimizer.state_dict()["param_groups"]
    players.optimizer.load_state_dict({"state": state, "param_groups": groups})
    return progress


def refuse_other_recipe(begun: Settings, mine: Settings, folder: Path) -> None:
    """Raises UserError where a run would be resumed with another recipe than it was begun with."""
    if other := differences(begun, mine):
        remedy = "Resume without these options, or begin another run."
        raise UserError(f"the run was begun with another recipe: {', '.join(other)}.", file=folder, remedy=remedy)


def differences(begun: Settings, mine: Settings) -> list[str]:
    """What a run was begun with and what is wanted now, where they differ: `steps (100, now 200)`."""
    before, now = begun.as_dict(), mine.as_dict()
    return [f"{name} ({before[name]}, now {now[name]})" for name in now if not _same(before[name], now[name])]


def _same(one: Any, other: Any) -> bool:
    """Are two settings alike? `./task` and `task` lead to the same place."""
    if isinstance(one, str) and isinstance(other, str) and os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return other is None or bool(one == other)  # what is not given now is as it was


def refuse_other_corpus(folder: Path, mine: str) -> None:
    """Raises UserError where a run would be resumed on other texts than it was begun with."""
    file = folder / CORPUS
    if not file.is_file() or parse(file.read_bytes(), file).get("hash") != mine:
        remedy = "Give the same texts, or begin another run."
        raise UserError("the corpus is not the one that the run was begun with.", file=folder, remedy=remedy)


def checkpoint(run: Path, players: Players, progress: Progress, rows: Sequence[Mapping[str, Any]]) -> None:
    """Log and checkpoint of a step, whose weights `check_weights` has passed."""
    write_log(run, rows)
    save_checkpoint(run, players, progress)


def restore(run: Path, players: Players) -> tuple[Progress, list[dict[str, Any]]]:
    """Put the players where the last checkpoint left them, at the beginning where there is none; how far that is, and
    the rows of the log up to there."""
    if not (run / LAST).is_file():
        return Progress(), []
    progress = load_checkpoint(run, players)
    return progress, [row for row in read_log(run) if row["step"] <= progress.step]


def not_finite(error: LossNotFinite, run: Path, done: Progress, rate: float | None) -> UserError:
    """What a user is told of a loss that is no number. No checkpoint is made of the weights at hand: they gave it."""
    last = run / LAST
    kept = f"The weights of step {done.step} are in {last}. " if last.is_file() else ""
    remedy = f"{kept}Train again more gently: --set rate={min((rate or 0) / 10, 1e-4):g}"
    return UserError(f"{error}.", file=run, remedy=remedy)


def save_best(run: Path, discriminator: Discriminator, progress: Progress) -> None:
    save_weights(run / BEST, trained_state(discriminator), progress)


def load_best(run: Path, discriminator: Discriminator) -> None:
    discriminator.load_state_dict(read_weights(run / BEST)[0], strict=False)


def save_fields(run: Path, discriminator: Discriminator, cutter: Windows, edges: Mapping[str, Edges]) -> None:
    """A stock folder for each field: config, weights, tokenizer. The `electra_ie` block of the config says how texts
    were cut, and how to decode. edges: the rules for the spans of each field of spans."""
    for field in discriminator.fields:
        part = run / f".{field.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        with hushed(), discriminator.stock(field) as model:
            model.config.electra_ie = {
                "field": field.name,
                "kind": field.kind,
                "window": cutter.size,
                "margin": cutter.margin,
                "whole_words": cutter.whole_words,
                AVERAGES: discriminator.head(field).averages,
                **({"edges": asdict(edges[field.name])} if field.kind == "spans" else {}),
            }
            forget_code(vars(model.config))
            model.save_pretrained(part)
        cutter.tokenizer.save_pretrained(part)
        shutil.rmtree(run / field.name, ignore_errors=True)
        os.replace(part, run / field.name)


def load_run(run: str | os.PathLike[str]) -> tuple[Discriminator, Windows, tuple[Field, ...], dict[str, Edges]]:
    """The discriminator of a finished run, how it cuts texts, its fields, and the rules for the spans of each field.

    Nothing is fetched by name.
    """
    folder = Path(run)
    refuse_links(folder)
    fields = load_task(folder).fields
    check_models(folder, fields)
    for field in fields:
        inspect_model(folder / field.name, saved=True)
    discriminator = Discriminator.from_saved({field.name: str(folder / field.name) for field in fields}, fields)
    place = folder / fields[0].name
    tokenizer = load_tokenizer(str(place))
    config = discriminator.head(fields[0]).model.config
    told = getattr(config, "electra_ie", None)
    most = longest(tokenizer, discriminator.encoder.config)
    try:
        window, margin, whole_words = (told[name] for name in ("window", "margin", "whole_words"))  # type: ignore[index]
        if not (0 < window <= most and 0 <= margin < window and isinstance(whole_words, bool)):
            raise ValueError
        cutter = Windows(tokenizer, window, margin, whole_words)
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            "the config.json does not say how texts are cut (its block electra_ie).",
            file=place,
            remedy="Restore it, or train again.",
        ) from error
    spans = [field for field in fields if field.kind == "spans"]
    edges = {field.name: _edges(folder / field.name, discriminator.head(field).model.config) for field in spans}
    return discriminator, cutter, fields, edges


def _edges(folder: Path, config: Any) -> Edges:
    """The rules for the spans of a field, from its configuration. Raises UserError where it has none."""
    try:
        return edges_from(config.electra_ie["edges"])
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        message = "the config.json does not say where spans end (edges in its block electra_ie)."
        raise UserError(message, file=folder, remedy="Restore it, or train again.") from error


def check_models(folder: Path, fields: Sequence[Field]) -> None:
    """Raises UserError where a run lacks a file of a field's model, naming it."""
    for field in fields:
        for file in ("model.safetensors", "config.json", "tokenizer.json"):
            if not (folder / field.name / file).is_file():
                raise UserError(
                    f'the run has no {file} for the field "{field.name}".',
                    file=folder,
                    remedy="Finish it with: electra-ie train ... --resume"
                    if (folder / CHECKPOINT).exists()
                    else "Restore it, or train again.",
                )


def say_where(run: Path, task: Task) -> None:
    """A run names its data by a path of the machine it was trained on: which one is said before anything there is read,
    and a run that was fetched has no say in it. Raises UserError for one."""
    if repository_of(run):
        remedy = "Give the folder of the data with --data."
        raise UserError("a run from the hub does not decide what is read here.", file=run, remedy=remedy)
    notice(f"data: {task.folder}, as the run's task.yaml says; --data takes another folder")


def load_task(run: str | os.PathLike[str], data: str | None = None) -> Task:
    """The task of a run, as it was when the run began; `data` replaces its folder. Raises UserError for no run."""
    file = Path(run) / TASK
    if not file.is_file():
        raise UserError(
            "this is not the folder of a run (no task.yaml in it).",
            file=run,
            remedy="Give what train wrote to --output.",
        )
    return Task.from_dict(Source.read(file)[0], file, data)
