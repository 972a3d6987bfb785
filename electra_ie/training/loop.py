"""The one adversarial loop, on Accelerate: every preset, one process or several, runs through `training_steps`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import InitProcessGroupKwargs
from torch import nn

from electra_ie.common.randomness import step_seed
from electra_ie.config.train import TrainSettings
from electra_ie.data.fields import IGNORED
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.losses import weighted_loss
from electra_ie.models.outputs import DiscriminatorOutput


class LossNotFinite(Exception):
    """A loss, or a weight, became NaN or infinite at `step`."""

    def __init__(self, step: int, player: str, what: str = "loss is"):
        self.step, self.what = step, f"the {player}'s {what} not a finite number"
        super().__init__(f"{self.what} at step {step}")


@dataclass
class Step:
    """What one step was like. realness: mean p(real) of real and of fake rows, None where nothing is faked. answers:
    for each field how many different answers labelled rows got, and how many would have been right."""

    number: int
    losses: dict[str, float]
    parts: dict[str, float]
    realness: tuple[float, float] | None
    answers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, other: Step, parts: int) -> None:
        """Take in one of the `parts` of this step: every number becomes the mean over them."""
        for mine, its in ((self.losses, other.losses), (self.parts, other.parts)):
            for name, value in its.items():
                mine[name] = mine.get(name, 0.0) + value / parts
        if other.realness:
            real, fake = self.realness or (0.0, 0.0)
            self.realness = real + other.realness[0] / parts, fake + other.realness[1] / parts
        self.answers |= other.answers


class Mean:
    """Weighted means over the rows of all processes, right in value and, once DDP has averaged it, in gradient."""

    def __init__(self, accelerator: Accelerator):
        self.accelerator, self.processes = accelerator, accelerator.num_processes

    def __call__(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """values (N, ...), weights (N,) -> (...); 0 where no row has a weight."""
        values = values.float()
        weights = weights.to(values.dtype)
        total = (values * weights.view(-1, *[1] * (values.dim() - 1))).sum(0)
        count = weights.sum()
        processes = self.processes
        if processes > 1:
            # The value is the global one; the gradient is this process's part times the number of processes,
            # since DDP divides the sum of the processes' gradients by it.
            everywhere, count = self.accelerator.reduce((total.detach(), count), reduction="sum")  # type: ignore[misc]
            total = everywhere + processes * (total - total.detach())
        return total / count.clamp(min=1e-8)


class LoopConfig(Protocol):
    """What the loop asks of a recipe."""

    @property
    def seed(self) -> int: ...
    @property
    def max_steps(self) -> int | None: ...
    @property
    def warmup_steps(self) -> float: ...
    @property
    def max_grad_norm(self) -> float: ...
    @property
    def dropout(self) -> bool: ...
    @property
    def discriminator(self) -> Mapping[str, float]: ...
    @property
    def generator(self) -> Mapping[str, float]: ...


class SharedWeights(Protocol):
    """Weights of which each player has a copy (see `pretraining.sharing.TiedEmbeddings`)."""

    def gather(self) -> None: ...
    def follow(self) -> None: ...
    def lead(self) -> None: ...


@dataclass
class AdversarialPair:
    """Both players and the one optimiser, prepared for the processes and the precision at hand.

    discriminator: called with a batch and fakes, returns the verdicts on real and on fake rows by field; its `judge`
    takes fakes alone. generator: called with a batch and the step's number, returns fakes by field. parts: into how
    many batches a step is divided. jointly: is the gradient of both players clipped as one?
    """

    accelerator: Accelerator
    discriminator: nn.Module
    generator: nn.Module | None
    optimizer: torch.optim.Optimizer
    shared: SharedWeights | None = None
    accumulation_steps: int = 1
    clip_jointly: bool = False

    @property
    def unwrapped_discriminator(self) -> Any:
        """The discriminator without the wrapper of distributed training."""
        return self.accelerator.unwrap_model(self.discriminator)

    @property
    def unwrapped_generator(self) -> Any:
        """The generator without the wrapper of distributed training, or None."""
        return self.accelerator.unwrap_model(self.generator) if self.generator is not None else None

    @property
    def models(self) -> list[nn.Module]:
        return [self.discriminator] if self.generator is None else [self.generator, self.discriminator]

    def step(self, clip: float) -> None:
        """One step of the optimiser on the gradients at hand, each player's of a norm of at most `clip`."""
        if self.shared:
            self.shared.gather()
        weights = [list(each.parameters()) for each in self.models]
        for some in [sum(weights, [])] if self.clip_jointly else weights:
            self.accelerator.clip_grad_norm_(some, clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.shared:
            self.shared.follow()


def prepare(
    accelerator: Accelerator, discriminator: Discriminator, generator: nn.Module | None, settings: TrainSettings
) -> AdversarialPair:
    """Freeze what the recipe freezes, sort the weights into groups by learning rate, hand all to Accelerate."""
    if settings.freeze_embeddings:
        discriminator.encoder.get_input_embeddings().requires_grad_(False)
    encoder = [each for each in discriminator.encoder.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": encoder, "peak": settings.learning_rate},
        {"params": list(discriminator.heads.parameters()), "peak": settings.head_learning_rate},
    ]
    if generator is not None:
        groups.append({"params": list(generator.parameters()), "peak": settings.generator_learning_rate})
    optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
    wrapped = accelerator.prepare(discriminator)
    made = accelerator.prepare(generator) if generator is not None else None
    return AdversarialPair(accelerator, wrapped, made, accelerator.prepare(optimizer))


def training_steps(pair: AdversarialPair, batches: Any, settings: LoopConfig, start: int = 0) -> Iterator[Step]:
    """Play the steps from `start` to `recipe.steps`; yield a `Step` after each. No file is touched here.

    batches: `batches[n]` is batch number n, which can be moved `.to` a device. Each player learns from its own loss
    only. Without a generator this is plain supervised training. Everything random in a step follows from the seed and
    its number, so that a run resumed at any step goes on as if never stopped. Raises `LossNotFinite` before a bad loss
    reaches the weights.
    """
    mean = Mean(pair.accelerator)
    for number in range(start, settings.max_steps or 0):
        torch.manual_seed(step_seed(settings.seed, number, pair.accelerator.process_index))
        set_rates(pair.optimizer, number, settings)
        for each in pair.models:
            each.train(settings.dropout)  # no module of a player but dropout knows the difference
        step = Step(number, {}, {}, None)
        for part in range(pair.accumulation_steps):
            batch = batches[number * pair.accumulation_steps + part].to(pair.accelerator.device)
            with _accumulating(pair, last=part + 1 == pair.accumulation_steps):
                step.add(_adversarial_step(pair, batch, settings, number, mean), pair.accumulation_steps)
        pair.step(settings.max_grad_norm)
        yield step


def _adversarial_step(pair: AdversarialPair, batch: Any, settings: LoopConfig, number: int, mean: Mean) -> Step:
    """Both players' turns on one batch: their gradients, and what they were like."""
    accelerator, discriminator, generator = pair.accelerator, pair.discriminator, pair.generator
    fakes = generator(batch, number) if generator is not None else {}

    # The discriminator's turn: it sees fakes detached from the generator.
    real, fake = discriminator(batch, {name: each.detach() for name, each in fakes.items()})
    loss, parts = weighted_loss("discriminator", settings.discriminator, real, fake, mean)
    losses = {"discriminator": _finite(loss, number, "discriminator")}
    accelerator.backward(loss / pair.accumulation_steps)

    # The generator's turn: the discriminator judges but does not learn.
    if generator is not None:
        with frozen(discriminator):
            with accelerator.autocast():  # as within the wrapped forward pass, which is not the one called here
                answer = pair.unwrapped_discriminator.judge(fakes)
            loss, more = weighted_loss("generator", settings.generator, real, answer, mean)
            losses["generator"] = _finite(loss, number, "generator")
            accelerator.backward(loss / pair.accumulation_steps)
        parts.update(more)
    realness = (_realness(real, mean), _realness(fake, mean)) if _judged(fake) else None
    return Step(number, losses, parts, realness, _answers(real, accelerator))


@contextmanager
def _accumulating(pair: AdversarialPair, last: bool) -> Iterator[None]:
    """Within, gradients are not exchanged between processes, unless this is the last part of a step."""
    with ExitStack() as stack:
        for each in [] if last else pair.models:
            stack.enter_context(pair.accelerator.no_sync(each))
        yield


def check_weights(pair: AdversarialPair, step: int) -> None:
    """Raises `LossNotFinite` for weights that must not become a checkpoint."""
    for name, player in (("discriminator", pair.unwrapped_discriminator), ("generator", pair.unwrapped_generator)):
        if player is not None and not all(bool(each.isfinite().all()) for each in player.parameters()):
            raise LossNotFinite(step, name, "weights are")


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak learning rate at a step: linear warmup, then linear decay to 0.

    warmup: a number of steps, or below 1 a share of them, as `warmup_steps` of transformers' TrainingArguments.
    """
    rising = warmup * steps if warmup < 1 else warmup
    return (step + 1) / rising if step + 1 < rising else (steps - step) / max(steps - rising, 1)


def set_rates(optimizer: torch.optim.Optimizer, step: int, settings: LoopConfig) -> None:
    """The learning rates follow from the step alone: there is no scheduler whose state could be lost."""
    share = min(1.0, rate_at(step, settings.max_steps or 1, settings.warmup_steps))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def make_accelerator(precision: str, tracker: str | None = None, home: Path | None = None) -> Accelerator:
    """A new Accelerator: `bf16`, `no` (float32) or `auto`, bf16 on a GPU; `tracker` writes into the folder `home`.

    A Python session may hold several, of different precision, which Accelerate by itself refuses: each has its own
    precision and its own count of accumulation steps.
    """
    _begin_states(AcceleratorState, GradientState)
    # The first process reads and tokenises a corpus while the others wait: longer than the ten minutes of the default.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    chosen = ("bf16" if torch.cuda.is_available() else "no") if precision == "auto" else precision
    return Accelerator(mixed_precision=chosen, kwargs_handlers=[patience], log_with=tracker, project_dir=home)


@contextmanager
def own_states() -> Iterator[None]:
    """Within, the states that Accelerate shares between all its objects are this run's; afterwards they are the
    caller's again, as they were, so that a program that trains something else with Accelerate can go on.

    The device and the processes stay those that the caller has chosen, if it has. Every object of Accelerate keeps the
    dictionary of its state that was the class's when it was made, so the caller's objects do not notice the exchange.
    """
    classes = (PartialState, AcceleratorState, GradientState)
    callers = [vars(each)["_shared_state"] for each in classes]
    environment = dict(PartialState._shared_state)
    _begin_states(*classes)
    PartialState._shared_state.update(environment)
    try:
        yield
    finally:
        for each, state in zip(classes, callers, strict=True):
            each._shared_state = state


def _begin_states(*classes: Any) -> None:
    """Give classes of Accelerate an empty state; what was made with the former one keeps it. (`_reset_state` empties
    the dictionary itself, under the hands of all that share it.)"""
    for each in classes:
        each._shared_state = type(vars(each)["_shared_state"])()  # a dict, or a descriptor of one on a TPU


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Within, no weight of the model takes a gradient; gradients still pass through it."""
    trained = [each for each in model.parameters() if each.requires_grad]
    for each in trained:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in trained:
            each.requires_grad_(True)


def _finite(loss: torch.Tensor, step: int, player: str) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise LossNotFinite(step, player)
    return value


def _judged(fake: Mapping[str, Any]) -> bool:
    """Is there anything whose realness is asked? A text with hidden tokens is as real as it was."""
    return bool(fake) and all(getattr(each, "taught", None) is None for each in fake.values())


def _realness(verdicts: Mapping[str, Any], mean: Mean) -> float:
    """Mean p(real) over the rows, then over the fields."""
    values = [float(mean(each.realness.detach().sigmoid(), each.weight)) for each in verdicts.values()]
    return sum(values) / len(values)


def _answers(verdicts: Mapping[str, Any], accelerator: Accelerator) -> dict[str, tuple[int, int]]:
    """For each field of several classes, how many different answers its labelled rows got, and how many would have been
    right, over all processes. Of flags there are two: none, and some."""
    found = {}
    for name, verdict in verdicts.items():
        if isinstance(verdict, DiscriminatorOutput) and verdict.logits.shape[-1] > 1:
            given, right = accelerator.reduce(_counts(verdict), reduction="sum").count_nonzero(-1).tolist()  # type: ignore[union-attr]
            found[name] = given, right
    return found


@torch.no_grad()
def _counts(verdict: DiscriminatorOutput) -> torch.Tensor:
    """(2, K): how often each answer was given to labelled rows, and how often it would have been right."""
    flags = verdict.field.kind == "flags"
    given = (verdict.logits > 0).any(-1).long() if flags else verdict.logits.argmax(-1)
    right = (verdict.labels > 0).any(-1).long() if flags else verdict.labels
    known = (verdict.labels != IGNORED).all(-1) if flags else verdict.labels != IGNORED
    classes = 2 if flags else verdict.logits.shape[-1]
    return torch.stack([torch.bincount(each[known], minlength=classes) for each in (given, right)])
