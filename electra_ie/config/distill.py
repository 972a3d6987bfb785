"""What a student of a finished run is, and the settings of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from electra_ie.common.errors import UserError, nearest
from electra_ie.config.train import TrainSettings

STATIC = "static"
STATIC_MODEL = "electra_ie_static"
"""The model type of a static model in its config.json."""
TIERS = (STATIC,)
"""The forms of a student besides a part of the teacher's layers."""
VECTORS = ("run", "fasttext")
"""Where token vectors come from: the encoder of the run, or the text by FastText."""
MAX_STEPS = 20_000
"""The derived number of steps is not higher, however much text there is."""
LABELS_ONLY = ("co_training", "label_texts")
"""Settings that make targets from labels. A student has those of its teacher."""
FIXED = (
    "task", "data", "preset", "encoder", "adapt_encoder", "pooling", "window", "context_overlap", "units",
    "label_budget", "label_draw", "seed", "discriminator", "generator", "self_training_rounds", *LABELS_ONLY,
)  # fmt: skip
"""Settings that follow from the run that is distilled."""


@dataclass(frozen=True)
class Schedule:
    """How a student is trained.

    Attributes:
        passes: How often the text is read.
        batch_size: Labeled windows of a step.
        unlabeled_batch_size: Windows of a step that have the teacher's answers.
        learning_rate: The peak learning rate of the encoder; None: as derived for every run.
        head_learning_rate: That of the heads.
        freeze_embeddings: Whether the token vectors stay as they are.
    """

    passes: float
    batch_size: int
    unlabeled_batch_size: int
    learning_rate: float | None
    head_learning_rate: float
    freeze_embeddings: bool


LAYERS_SCHEDULE = Schedule(10, 4, 16, None, 1e-3, True)
STATIC_SCHEDULE = Schedule(12, 8, 32, 2e-3, 2e-3, False)


@dataclass(frozen=True)
class Target:
    """A student: so many layers of the encoder, or a static model.

    Attributes:
        layers: The number of layers that are kept; None for a static model.
        vectors: Where the token vectors of a static model come from (see `VECTORS`).
    """

    layers: int | None = None
    vectors: str = VECTORS[0]

    @classmethod
    def of(cls, layers: int | None, to: str | None, vectors: str | None) -> Self:
        """Return the target that the options name.

        Raises:
            UserError: none or both of `layers` and `to` are given, or a value is invalid.
        """
        if (layers is None) == (to is None):
            found = "both --layers and --to are" if layers is not None else "neither --layers nor --to is"
            raise UserError(f"{found} given.", remedy=f"Give --layers N, or --to {STATIC}.")
        if to is not None and to not in TIERS:
            raise UserError(f'unknown form of a student "{to}".', remedy=nearest(to, TIERS))
        if layers is not None and vectors is not None:
            remedy = f"Leave it out, or give --to {STATIC} in place of --layers."
            raise UserError("--vectors: a student with layers of the encoder has its token vectors.", remedy=remedy)
        if vectors is not None and vectors not in VECTORS:
            raise UserError(f'unknown source of token vectors "{vectors}".', remedy=nearest(vectors, VECTORS))
        if layers is not None and layers < 1:
            raise UserError(f"--layers is {layers}.", remedy="It must be at least 1.")
        return cls(layers, vectors or VECTORS[0])

    @property
    def is_static(self) -> bool:
        """Whether the student is a static model."""
        return self.layers is None

    @property
    def name(self) -> str:
        """A name for folders and cards: `3-layers`, `1-layer` or `static`."""
        if self.layers is None:
            return STATIC
        return f"{self.layers}-layer" + ("s" if self.layers > 1 else "")

    @property
    def schedule(self) -> Schedule:
        """How such a student is trained."""
        return STATIC_SCHEDULE if self.is_static else LAYERS_SCHEDULE


def student_settings(
    teacher: TrainSettings,
    target: Target,
    unlabeled: Sequence[str],
    data: str | None,
    overrides: Sequence[str],
    given: Mapping[str, Any] | None = None,
) -> TrainSettings:
    """Return the settings of a student: those of its teacher about data and windows, its own about training.

    They are settings of self-training without masks, whose teacher is a finished run.

    Args:
        teacher: The settings of the run.
        target: What the student is.
        unlabeled: Paths of unlabeled text, in addition to those of the teacher.
        data: The folder of the task's files, instead of the teacher's.
        overrides: `key=value` texts.
        given: Settings by name.

    Raises:
        UserError: an override is invalid, or sets what follows from the run.
    """
    schedule = target.schedule
    values: dict[str, Any] = dict(teacher.as_dict(exclude=("discriminator", "generator", "max_steps")))
    values |= {
        "preset": "self_training",
        "adapt_encoder": False,
        "self_training_rounds": 1,
        "mask_ratio": 0.0,
        **dict.fromkeys(LABELS_ONLY, False),
        "unlabeled": (*teacher.unlabeled, *unlabeled),
        "batch_size": schedule.batch_size,
        "unlabeled_batch_size": schedule.unlabeled_batch_size,
        "learning_rate": schedule.learning_rate,
        "head_learning_rate": schedule.head_learning_rate,
        "freeze_embeddings": schedule.freeze_embeddings,
    }
    if data is not None:
        values["data"] = data
    settings = TrainSettings.build(None, (), **values)
    changed = TrainSettings.build(None, tuple(overrides), **(values | dict(given or {})))
    for name in FIXED:
        if getattr(settings, name) != getattr(changed, name):
            message = f"the setting {name} follows from the run that is distilled."
            raise UserError(message, remedy=f"Leave {name} out.")
    return changed


def given_options(teacher: TrainSettings, student: TrainSettings, target: Target) -> dict[str, Any]:
    """Return what a distillation was given besides its target: `settings` by name, and the names of `unlabeled` texts.

    A card shows them. A path is private, so that only its last part is there.

    Args:
        teacher: The settings of the run.
        student: Those of the student, as `student_settings` returns them.
        target: What the student is.
    """
    derived = student_settings(teacher, target, (), student.data, ()).as_dict()
    chosen = {name: value for name, value in student.as_dict().items() if value != derived.get(name)}
    chosen.pop("unlabeled", None)
    added = [path for path in student.unlabeled if path not in teacher.unlabeled]
    return {"settings": chosen, "unlabeled": [Path(path).resolve().name for path in added]}


def with_steps(settings: TrainSettings, target: Target, windows: int) -> TrainSettings:
    """Return the settings with the number of steps that reads all windows `passes` times."""
    steps = round(target.schedule.passes * windows / max(settings.unlabeled_batch_size or 1, 1))
    return settings.derive(max_steps=min(max(steps, 100), MAX_STEPS))
