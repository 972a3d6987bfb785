"""The training loop on Accelerate: every preset and pretraining objective, in any number of processes, uses it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import InitProcessGroupKwargs
from torch import nn

from electra_ie.common.logs import notice
from electra_ie.common.randomness import step_seed
from electra_ie.config.train import TrainSettings
from electra_ie.data.fields import IGNORED
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.outputs import UnitScores


class DistinctLabels(NamedTuple):
    """The numbers of different labels among the labeled rows of a step: predicted ones, and those of gold."""

    predicted: int
    gold: int


class LossNotFinite(Exception):
    """Raised when a loss, or a weight, of `model` becomes NaN or infinite at `step`."""

    def __init__(self, step: int, model: str, what: str = "loss is") -> None:
        self.step, self.what = step, f"the {model}'s {what} not a finite number"
        super().__init__(f"{self.what} at step {step}")


@dataclass
class Step:
    """The record of one training step.

    Attributes:
        number: The index of the step, from 0.
        losses: The loss of each model.
        parts: The unweighted value of each loss term, by `<field>.<term>`.
        realness: Mean p(real) of real and of generated rows; None if nothing is generated.
        distinct_labels: The numbers of different labels, by field.
    """

    number: int
    losses: dict[str, float]
    parts: dict[str, float]
    realness: tuple[float, float] | None
    distinct_labels: dict[str, DistinctLabels] = field(default_factory=dict)

    def add(self, other: Step, parts: int) -> None:
        """Add one of the `parts` accumulated batches of this step: each value becomes the mean over them.

        The numbers of different labels are those of the last batch.
        """
        for totals, values in ((self.losses, other.losses), (self.parts, other.parts)):
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value / parts
        if other.realness:
            real, generated = self.realness or (0.0, 0.0)
            self.realness = real + other.realness[0] / parts, generated + other.realness[1] / parts
        self.distinct_labels |= other.distinct_labels


class Mean:
    """Weighted mean over the rows of all processes, exact in value and, after DDP has averaged them, in gradients."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator, self.processes = accelerator, accelerator.num_processes

    def __call__(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the mean (...) of values (N, ...) with weights (N,); 0 if no row has a weight."""
        values = values.float()
        weights = weights.to(values.dtype)
        total = (values * weights.view(-1, *[1] * (values.dim() - 1))).sum(0)
        count = weights.sum()
        processes = self.processes
        if processes > 1:
            # The value is the global one. The gradient is that of the own rows times the number of processes, since
            # DDP divides the sum of the processes' gradients by it.
            everywhere, count = self.accelerator.reduce((total.detach(), count), reduction="sum")
            total = everywhere + processes * (total - total.detach())
        return total / count.clamp(min=1e-8)


class LoopConfig(Protocol):
    """The settings that the loop reads."""

    @property
    def seed(self) -> int:
        """The seed of all randomness."""

    @property
    def max_steps(self) -> int | None:
        """The number of steps."""

    @property
    def warmup_steps(self) -> float:
        """Steps of warmup, or below 1 a share of all."""

    @property
    def max_grad_norm(self) -> float:
        """The norm to which gradients are clipped."""

    @property
    def dropout(self) -> bool:
        """Whether dropout is active."""

    @property
    def discriminator(self) -> Mapping[str, float]:
        """The weights of the discriminator's loss terms."""

    @property
    def generator(self) -> Mapping[str, float]:
        """The weights of the generator's loss terms."""


class SharedWeights(Protocol):
    """Weights of which generator and discriminator have a copy each (see `pretraining.embedding_sharing`)."""

    def gather(self) -> None:
        """Add the discriminator's gradients to those of the generator, before a step."""

    def follow(self) -> None:
        """Copy the generator's weights to the discriminator, after a step."""

    def lead(self) -> None:
        """Copy the discriminator's weights to the generator."""


@dataclass
class AdversarialPair:
    """Discriminator, generator and their optimizer, prepared for the processes and the precision.

    Attributes:
        accelerator: The Accelerator that has prepared them.
        discriminator: Called with a batch, `generated=`, `loss_weights=` and `mean=`, it returns an output with `loss`,
            `losses`, `units` and `generated_units`; see `models.discriminator.Discriminator` for them and for
            `generator_loss`.
        generator: Called with a batch and `step=`, it returns an output with a method `detach`. None for supervised
            training.
        optimizer: One optimizer for both.
        shared: Weights that are shared between them, or None.
        accumulation_steps: The number of batches of a step.
        clip_jointly: Whether the gradients of both models are clipped by their common norm.
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
        """Return the discriminator without the wrapper of distributed training."""
        return self.accelerator.unwrap_model(self.discriminator)

    @property
    def unwrapped_generator(self) -> Any:
        """Return the generator without the wrapper of distributed training, or None."""
        return self.accelerator.unwrap_model(self.generator) if self.generator is not None else None

    @property
    def models(self) -> list[nn.Module]:
        """Return the models that are trained, the generator first."""
        models = [self.discriminator] if self.generator is None else [self.generator, self.discriminator]
        return [model for model in models if next(model.parameters(), None) is not None]

    def step(self, clip: float) -> None:
        """Clip the gradients of each model to the norm `clip`, take an optimizer step, and reset the gradients.

        A norm of 0 clips nothing, as in the Trainer of transformers.
        """
        if self.shared:
            self.shared.gather()
        weights = [list(model.parameters()) for model in self.models]
        for group in [sum(weights, [])] if self.clip_jointly else weights:
            if clip:
                self.accelerator.clip_grad_norm_(group, clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.shared:
            self.shared.follow()


def prepare(
    accelerator: Accelerator, discriminator: Discriminator, generator: nn.Module | None, settings: TrainSettings
) -> AdversarialPair:
    """Freeze what the settings freeze, group the weights by learning rate, and prepare all with Accelerate."""
    if settings.freeze_embeddings:
        discriminator.encoder.get_input_embeddings().requires_grad_(False)
    encoder = [parameter for parameter in discriminator.encoder.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": encoder, "peak": settings.learning_rate},
        {"params": list(discriminator.heads.parameters()), "peak": settings.head_learning_rate},
    ]
    if generator is not None and settings.trains_generator:
        groups.append({"params": list(generator.parameters()), "peak": settings.generator_learning_rate})
    optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay, fused=True)
    prepared_discriminator = accelerator.prepare(discriminator)
    prepared_generator = generator
    if generator is not None and settings.trains_generator:  # otherwise it has no weights to distribute
        prepared_generator = accelerator.prepare(generator)
    return AdversarialPair(accelerator, prepared_discriminator, prepared_generator, accelerator.prepare(optimizer))


def training_steps(pair: AdversarialPair, batches: Any, settings: LoopConfig, start: int = 0) -> Iterator[Step]:
    """Train from step `start` to `settings.max_steps`, and yield a `Step` after each. No file is read or written.

    Each model learns from its own loss only. Without a generator this is plain supervised training. All randomness of a
    step follows from the seed and its number, so that a resumed run continues as if it had not been interrupted.

    Args:
        pair: The models.
        batches: `batches[n]` is batch n, with a method `to` for the device.
        settings: The settings.
        start: The index of the first step.

    Raises:
        LossNotFinite: a loss is not finite; the weights of the step before are kept.
    """
    mean = Mean(pair.accelerator)
    for number in range(start, settings.max_steps or 0):
        torch.manual_seed(step_seed(settings.seed, number, pair.accelerator.process_index))
        set_rates(pair.optimizer, number, settings)
        for model in pair.models:
            model.train(settings.dropout)  # dropout is the only module that training mode affects
        step = Step(number, {}, {}, None)
        for part in range(pair.accumulation_steps):
            batch = batches[number * pair.accumulation_steps + part].to(pair.accelerator.device)
            with _accumulating(pair, last=part + 1 == pair.accumulation_steps):
                step.add(_adversarial_step(pair, batch, settings, number, mean), pair.accumulation_steps)
        pair.step(settings.max_grad_norm)
        yield step


def _adversarial_step(pair: AdversarialPair, batch: Any, settings: LoopConfig, number: int, mean: Mean) -> Step:
    """Compute the gradients of both models on one batch, and return the record of it."""
    accelerator, discriminator, generator = pair.accelerator, pair.discriminator, pair.generator
    generated = generator(**batch, step=number) if generator is not None else None

    # The turn of the discriminator, on inputs that are detached from the generator.
    detached = generated.detach() if generated is not None else None
    output = discriminator(**batch, generated=detached, loss_weights=settings.discriminator, mean=mean)
    losses, parts = {"discriminator": _finite(output.loss, number, "discriminator")}, dict(output.losses)
    accelerator.backward(output.loss / pair.accumulation_steps)

    # The turn of the generator, whose gradient passes through the frozen discriminator.
    if generated is not None and settings.generator:
        with frozen(discriminator):
            with accelerator.autocast():  # the call bypasses the wrapped forward pass, which has it
                loss, more = pair.unwrapped_discriminator.generator_loss(generated, output, settings.generator, mean)
            losses["generator"] = _finite(loss, number, "generator")
            accelerator.backward(loss / pair.accumulation_steps)
        parts.update(more)
    units, generated_units = output.units, output.generated_units
    realness = None
    if generated_units and _has_realness(generated_units):
        realness = _realness(units, mean), _realness(generated_units, mean)
    return Step(number, losses, parts, realness, _distinct_labels(units, accelerator))


@contextmanager
def _accumulating(pair: AdversarialPair, last: bool) -> Iterator[None]:
    """Within the context, do not reduce gradients over processes, except for the last batch of a step."""
    with ExitStack() as stack:
        for model in [] if last else pair.models:
            stack.enter_context(pair.accelerator.no_sync(model))
        yield


def check_weights(pair: AdversarialPair, step: int) -> None:
    """Raise `LossNotFinite` for weights that are not finite and must not become a checkpoint."""
    for name, model in (("discriminator", pair.unwrapped_discriminator), ("generator", pair.unwrapped_generator)):
        if model is not None and not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
            raise LossNotFinite(step, name, "weights are")


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak learning rate at a step: linear warmup, then linear decay to 0.

    warmup: a number of steps, or below 1 a share of them, as `warmup_steps` of transformers' TrainingArguments.
    """
    rising = warmup * steps if warmup < 1 else warmup
    return (step + 1) / rising if step + 1 < rising else (steps - step) / max(steps - rising, 1)


def set_rates(optimizer: torch.optim.Optimizer, step: int, settings: LoopConfig) -> None:
    """Set the learning rates of a step. They depend on it alone: a scheduler would have a state to save and restore."""
    share = min(1.0, rate_at(step, settings.max_steps or 1, settings.warmup_steps))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def make_accelerator(precision: str, tracker: str | None = None, home: Path | None = None) -> Accelerator:
    """Return a new Accelerator.

    A Python session may have several with different precisions, which Accelerate alone refuses: each has its own state.

    Args:
        precision: `bf16`, `no` (float32) or `auto`, which is bf16 where the hardware has instructions for it.
        tracker: The name of an experiment tracker, or None.
        home: The folder of the tracker's files.
    """
    _begin_states(AcceleratorState, GradientState)
    # The first process reads and tokenizes a corpus while the others wait, longer than the ten minutes of the default.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    chosen = ("bf16" if has_bf16() else "no") if precision == "auto" else precision
    return Accelerator(mixed_precision=chosen, kwargs_handlers=[patience], log_with=tracker, project_dir=home)


def has_bf16() -> bool:
    """Return whether the GPU, or without one the CPU, has bf16 instructions. Emulated, bf16 is slower than float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not hasattr(torch.cpu, "get_capabilities"):  # an older version of torch
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def own_states() -> Iterator[None]:
    """Use separate shared states of Accelerate and of torch's random generator, and restore the caller's afterwards.

    So a program that also trains something else with Accelerate is not affected. One thread of a process trains at a
    time: the states and the generator are those of the process. The device and the processes are those
    that the caller has chosen, if it has. Each object of Accelerate keeps the state dictionary that its class had when
    it was created, so that the caller's objects do not notice the exchange.
    """
    classes = (PartialState, AcceleratorState, GradientState)
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with _one_training(), torch.random.fork_rng(devices):
        callers = [vars(cls)["_shared_state"] for cls in classes]
        environment = dict(PartialState._shared_state)
        _begin_states(*classes)
        PartialState._shared_state.update(environment)
        try:
            yield
        finally:
            for cls, state in zip(classes, callers, strict=True):
                cls._shared_state = state


_TRAINING = threading.RLock()
"""Held by the thread that trains. A training may begin another one, that of its teacher."""


@contextmanager
def _one_training() -> Iterator[None]:
    """Wait until no other thread of this process trains."""
    if not _TRAINING.acquire(blocking=False):
        notice("another thread of this process is training; this training begins when it has ended.")
        _TRAINING.acquire()
    try:
        yield
    finally:
        _TRAINING.release()


def _begin_states(*classes: Any) -> None:
    """Give classes of Accelerate an empty state; existing objects keep the old one.

    `_reset_state` of Accelerate empties the dictionary itself, which existing objects share.
    """
    for cls in classes:
        cls._shared_state = type(vars(cls)["_shared_state"])()  # a dict, or on a TPU a descriptor of one


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Compute no gradients of a model's weights within the context; gradients still pass through it to its inputs."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _finite(loss: torch.Tensor, step: int, model: str) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise LossNotFinite(step, model)
    return value


def _has_realness(generated: Mapping[str, UnitScores]) -> bool:
    """Return whether there are generated units to tell from real ones; a masked text is as real as the complete one."""
    return all(scores.teacher_probabilities is None for scores in generated.values())


def _realness(units: Mapping[str, UnitScores], mean: Mean) -> float:
    """Return the mean p(real) over the units of each field, then over the fields."""
    values = [float(mean(scores.realness.detach().sigmoid(), scores.weight)) for scores in units.values()]
    return sum(values) / len(values)


def _distinct_labels(units: Mapping[str, Any], accelerator: Accelerator) -> dict[str, DistinctLabels]:
    """Return the numbers of different labels by field.

    They are over all processes. Flags count as two labels: none, and some. Fields with a single class are left out.
    """
    counts = {}
    for name, scores in units.items():
        if isinstance(scores, UnitScores) and (scores.field.kind == "flags" or scores.logits.shape[-1] > 1):
            of_processes = accelerator.reduce(_label_counts(scores), reduction="sum")
            counts[name] = DistinctLabels(*of_processes.count_nonzero(-1).tolist())
    return counts


@torch.no_grad()
def _label_counts(scores: UnitScores) -> torch.Tensor:
    """Return (2, K): how often each label is predicted for labeled rows, and how often it is the gold one."""
    flags = scores.field.kind == "flags"
    predicted = (scores.logits > 0).any(-1).long() if flags else scores.logits.argmax(-1)
    gold = (scores.labels > 0).any(-1).long() if flags else scores.labels
    known = (scores.labels != IGNORED).all(-1) if flags else scores.labels != IGNORED
    classes = 2 if flags else scores.logits.shape[-1]
    return torch.stack([torch.bincount(labels[known], minlength=classes) for labels in (predicted, gold)])
