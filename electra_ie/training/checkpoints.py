"""Checkpoints: all that the next training step depends on, as safetensors.

There is no random state to save, since the randomness of a step follows from the seed and its index (see
`loop.training_steps`); accelerate's `save_state` would pickle it. What is not saved either: the scaler of fp16, and the
sharded states of FSDP and DeepSpeed, neither of which is supported. Files are written to a temporary name and then
renamed, so that a checkpoint is complete or absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path, parse
from electra_ie.models.discriminator import Discriminator
from electra_ie.runs.layout import BEST, CORPUS, LAST, read_log
from electra_ie.training.loop import AdversarialPair, LossNotFinite


@dataclass(frozen=True)
class CheckpointHeader:
    """The progress of a run, which the header of each of its checkpoints holds.

    Attributes:
        step: Optimizer steps done.
        best_step: The step of the weights that score best on dev, None before the first score; `TEACHER_STEP` for
            those of the teacher.
        best_score: The dev score of these weights.
    """

    step: int = 0
    best_step: int | None = None
    best_score: float | None = None


def trained_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return what training can change: the parameters that take a gradient, and the buffers."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {name: value.detach() for name, value in module.state_dict().items() if name not in frozen}


def save_weights(path: Path, tensors: Mapping[str, torch.Tensor], header: CheckpointHeader) -> None:
    """Write one safetensors file with its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    on_cpu = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with atomic_path(path) as part:
        save_file(on_cpu, part, metadata={"progress": json.dumps(vars(header))})


def read_weights(path: Path) -> tuple[dict[str, torch.Tensor], CheckpointHeader]:
    """Read tensors and header of a checkpoint. Raises UserError for a damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return tensors, CheckpointHeader(**json.loads(file.metadata()["progress"]))
    except (SafetensorError, OSError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            "the checkpoint cannot be read.", file=path, remedy="Delete the run and train again."
        ) from error


def save_checkpoint(run: Path, pair: AdversarialPair, header: CheckpointHeader) -> None:
    """Write the weights of both models and the moments of the optimizer."""
    tensors = {f"discriminator.{name}": value for name, value in trained_state(pair.unwrapped_discriminator).items()}
    if pair.generator is not None:
        tensors |= {f"generator.{name}": value for name, value in pair.unwrapped_generator.state_dict().items()}
    for index, moments in pair.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    save_weights(run / LAST, tensors, header)


def load_checkpoint(run: Path, pair: AdversarialPair) -> CheckpointHeader:
    """Load both models and the optimizer from the last checkpoint, and return its header."""
    tensors, header = read_weights(run / LAST)
    parts: dict[str, dict[str, torch.Tensor]] = {"discriminator": {}, "generator": {}, "optimizer": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    pair.unwrapped_discriminator.load_state_dict(parts["discriminator"], strict=False)
    if pair.generator is not None:
        pair.unwrapped_generator.load_state_dict(parts["generator"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in parts["optimizer"].items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    groups = pair.optimizer.state_dict()["param_groups"]
    pair.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return header


def check_same_corpus(folder: Path, corpus_hash: str, parts: Mapping[str, str] | None = None) -> None:
    """Raise UserError if the texts or hints of a run to resume differ from those that it began with.

    parts: the hashes of the parts of the corpus (see `TrainingData.parts`), so that the error names those that differ.
    """
    file = folder / CORPUS
    known = parse(file.read_bytes(), file) if file.is_file() else {}
    if known.get("hash") != corpus_hash:
        before = known.get("parts", {})
        changed = " and ".join(name for name, value in (parts or {}).items() if before.get(name) != value) or "texts"
        remedy = f"Give the same {changed}, or start another run."
        raise UserError(f"the {changed} are not those that the run began with.", file=folder, remedy=remedy)


def check_same_adaptation(folder: Path, adaptation_hash: str) -> None:
    """Raise UserError if a run to resume began with an encoder that was adapted in another way, or not at all."""
    if parse((folder / CORPUS).read_bytes(), folder / CORPUS).get("adaptation") != adaptation_hash:
        message = "the adapted encoder is not the one that the run began with: its code, device or base has changed."
        raise UserError(message, file=folder, remedy="Start another run.")


def check_same_distillation(folder: Path, facts: Mapping[str, Any] | None) -> None:
    """Raise UserError if a run to resume began as a student of another run, or as none, or as one of other size."""
    file = folder / CORPUS
    began = parse(file.read_bytes(), file).get("distillation") if file.is_file() else None
    if _identity(began) != _identity(facts):
        what = "a distillation of another run or to another size" if began and facts else "a distillation"
        if not began:
            what = "no distillation"
        remedy = "Resume it with the command and the arguments that began it, or start another run."
        raise UserError(f"the run began as {what}.", file=folder, remedy=remedy)


def _identity(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the facts about a distillation without the options, which are compared as settings and as texts."""
    return {name: value for name, value in (facts or {}).items() if name not in ("run", "settings", "unlabeled")}


def load_checkpoint_and_log(run: Path, pair: AdversarialPair) -> tuple[CheckpointHeader, list[dict[str, Any]]]:
    """Load the last checkpoint, and return its header and the rows of the log up to its step.

    A run without a checkpoint starts at step 0 with an empty log.
    """
    if not (run / LAST).is_file():
        return CheckpointHeader(), []
    header = load_checkpoint(run, pair)
    return header, [row for row in read_log(run) if row["step"] <= header.step]


def not_finite_error(
    error: LossNotFinite, run: Path, saved: CheckpointHeader, learning_rate: float | None
) -> UserError:
    """Return the error for a loss or a weight that is NaN or infinite: where the last good weights are, what to set."""
    kept = f"The weights of step {saved.step} are in {run / LAST}. " if (run / LAST).is_file() else ""
    lower = min((learning_rate or 0) / 10, 1e-4)
    return UserError(f"{error}.", file=run, remedy=f"{kept}Lower the learning rate: --set learning_rate={lower:g}")


def save_best(run: Path, discriminator: Discriminator, header: CheckpointHeader) -> None:
    """Write the weights that score best on dev so far."""
    save_weights(run / BEST, trained_state(discriminator), header)


def load_best(run: Path, discriminator: Discriminator) -> None:
    """Load the weights that scored best on dev."""
    discriminator.load_state_dict(read_weights(run / BEST)[0], strict=False)
