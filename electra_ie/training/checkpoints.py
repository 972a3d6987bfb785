"""A run on disk: checkpoints while it trains, stock folders when it is done. Everything is written beside its place
and then moved there: a file is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path, parse
from electra_ie.models.discriminator import Discriminator
from electra_ie.runs.layout import (
    BEST,
    CORPUS,
    LAST,
    read_log,
    write_log,
)
from electra_ie.training.loop import AdversarialPair, LossNotFinite


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
    with atomic_path(path) as part:
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


def save_checkpoint(run: Path, players: AdversarialPair, progress: Progress) -> None:
    """All that the next step depends on: both players' weights and the optimiser's moments. There is no random state
    to save: the randomness of a step follows from its number."""
    tensors = {f"discriminator.{name}": value for name, value in trained_state(players.judge).items()}
    if players.maker is not None:
        tensors.update({f"generator.{name}": value for name, value in players.maker.state_dict().items()})
    for number, state in players.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{number}.{name}": value for name, value in state.items()})
    save_weights(run / LAST, tensors, progress)


def load_checkpoint(run: Path, players: AdversarialPair) -> Progress:
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


def check_same_corpus(folder: Path, mine: str) -> None:
    """Raises UserError where a run would be resumed on other texts than it was begun with."""
    file = folder / CORPUS
    if not file.is_file() or parse(file.read_bytes(), file).get("hash") != mine:
        remedy = "Give the same texts, or begin another run."
        raise UserError("the corpus is not the one that the run was begun with.", file=folder, remedy=remedy)


def checkpoint(run: Path, players: AdversarialPair, progress: Progress, rows: Sequence[Mapping[str, Any]]) -> None:
    """Log and checkpoint of a step, whose weights `check_weights` has passed."""
    write_log(run, rows)
    save_checkpoint(run, players, progress)


def restore(run: Path, players: AdversarialPair) -> tuple[Progress, list[dict[str, Any]]]:
    """Put the players where the last checkpoint left them, at the beginning where there is none; how far that is, and
    the rows of the log up to there."""
    if not (run / LAST).is_file():
        return Progress(), []
    progress = load_checkpoint(run, players)
    return progress, [row for row in read_log(run) if row["step"] <= progress.step]


def not_finite_error(error: LossNotFinite, run: Path, done: Progress, rate: float | None) -> UserError:
    """What a user is told of a loss that is no number. No checkpoint is made of the weights at hand: they gave it."""
    last = run / LAST
    kept = f"The weights of step {done.step} are in {last}. " if last.is_file() else ""
    remedy = f"{kept}Train again more gently: --set learning_rate={min((rate or 0) / 10, 1e-4):g}"
    return UserError(f"{error}.", file=run, remedy=remedy)


def save_best(run: Path, discriminator: Discriminator, progress: Progress) -> None:
    save_weights(run / BEST, trained_state(discriminator), progress)


def load_best(run: Path, discriminator: Discriminator) -> None:
    discriminator.load_state_dict(read_weights(run / BEST)[0], strict=False)
