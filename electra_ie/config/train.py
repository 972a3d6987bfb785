"""The settings of a training run, and the presets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from electra_ie.common.errors import UserError
from electra_ie.common.randomness import MAX_SEED, round_seed
from electra_ie.config.base import BaseSettings, LossTerms

EMBEDDED = "all-MiniLM-L6-v2"
"""The default encoder. It ships in a package, so that no download is needed."""
MANY_WINDOWS = 1000
"""The number of labeled windows from which on the derived batch size and learning rate are twice as large."""

PRESETS: dict[str, dict[str, Any]] = {
    "supervised": {"discriminator": {"classification": 1.0}, "generator": {}},
    "self_training": {"discriminator": {"classification": 1.0, "distillation": 1.0}, "generator": {}},
    "adversarial": {
        "discriminator": {"classification": 1.0, "distillation": 1.0},
        "generator": {"adversarial_masking": 1.0},
    },
    "latent": {
        "discriminator": {"classification": 1.0, "adversarial": 0.1},
        "generator": {"generator_adversarial": 1.0, "feature_matching": 1.0, "class_consistency": 1.0},
    },
    "thorough": {"discriminator": {"classification": 1.0, "distillation": 1.0}, "generator": {}},
}
"""The loss terms of each model and their weights (see `models.losses`). Without generator terms no generator is
trained. self_training: random tokens are masked. adversarial: a generator selects them (see
`models.masking_generator`). latent: a generator of encoder states as in GAN-BERT (Croce et al., ACL 2020; see
`models.latent_generator`). thorough: the terms of self_training, on an encoder that was adapted to the text of the task
(see `pretraining.adaptation`)."""


class TrainSettings(BaseSettings):
    """The settings that decide a training run. Values of None are derived from the data or the encoder."""

    task: str = Field(default="", description="Name of a task, or path of a task.yaml.")
    data: str | None = Field(
        default=None,
        description="Folder of the task's files, or hub:ORG/NAME, the data set on the hub that the task names.",
        json_schema_extra={"derived": "the folder that the task names"},
    )
    unlabeled: tuple[str, ...] = Field(
        default=(), description="Text files, folders or .jsonl files that are added to the unlabeled documents."
    )
    label_budget: int | None = Field(
        default=None,
        ge=1,
        description="Number of labeled documents to keep, drawn by the seed. The others join the unlabeled ones.",
        json_schema_extra={"derived": "all labeled documents"},
    )
    label_draw: Literal["plain", "stratified"] = Field(
        default="plain",
        description="How the label budget is drawn. plain: at random. stratified: classes and sets of flags keep the "
        "shares that they have in all of train, so that the draw also reads the labels that are then removed.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Seed of the label draw, the order of the batches, new weights, dropout and the generator's noise.",
    )
    preset: Literal["supervised", "self_training", "adversarial", "latent", "thorough"] = Field(
        default="supervised",
        description="Loss terms of discriminator and generator. supervised: labeled text only. self_training: also "
        "unlabeled text with randomly masked tokens; the discriminator learns to predict what a supervised teacher "
        "predicts for the unmasked text. adversarial: the same, and a generator selects the tokens. latent: a "
        "generator produces encoder states, as in GAN-BERT. thorough: self_training, after the encoder was adapted to "
        "the text of the task.",
    )
    encoder: str = Field(default=EMBEDDED, description="Name or directory of a Hugging Face encoder.")
    adapt_encoder: bool | None = Field(
        default=None,
        description="First adapt the encoder to the texts of train and the unlabeled ones by masked language modeling. "
        "The adapted encoder is cached. With little text it is not adapted.",
        json_schema_extra={"derived": "true for the preset thorough, otherwise false"},
    )
    pooling: Literal["stock", "mean"] | None = Field(
        default=None,
        description="How token states become one vector per text: stock (as the encoder's own classification head) or "
        "mean.",
        json_schema_extra={"derived": "mean if the encoder was trained with mean pooling, otherwise stock"},
    )
    window: int | None = Field(
        default=None,
        ge=8,
        description="Tokens per window, special tokens included.",
        json_schema_extra={"derived": "128, or 256 if a field labels whole texts; at most the encoder's maximum"},
    )
    context_overlap: int = Field(
        default=16, ge=0, description="Tokens of context on each side of a window boundary inside a sentence."
    )
    units: Literal["auto", "words", "tokens"] = Field(
        default="auto",
        description="Unit of tagging: words (by their first token), tokens, or auto (words, unless more than one gold "
        "span in twenty begins or ends inside a word).",
    )
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Number of optimizer steps.",
        json_schema_extra={"derived": "320 / batch_size * sqrt(labeled windows), at least 100"},
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="Labeled windows per step, over all processes.",
        json_schema_extra={"derived": "16, or 8 for span fields with fewer than 1,000 labeled windows"},
    )
    unlabeled_batch_size: int | None = Field(
        default=None,
        ge=0,
        description="Unlabeled windows per step, over all processes; not used by the preset supervised.",
        json_schema_extra={"derived": "batch_size"},
    )
    learning_rate: float | None = Field(
        default=None,
        ge=0,
        description="Peak learning rate of the encoder.",
        json_schema_extra={
            "derived": "2e-4 * 384 / hidden size, or half of it for span fields with fewer than 1,000 labeled windows"
        },
    )
    head_learning_rate: float = Field(default=1e-3, ge=0, description="Peak learning rate of the heads.")
    generator_learning_rate: float = Field(default=1e-3, ge=0, description="Peak learning rate of the generator.")
    warmup_steps: float = Field(
        default=0.1,
        ge=0,
        description="Steps over which the learning rates rise linearly; below 1, a share of max_steps. Then they fall "
        "linearly to 0.",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(
        default=1.0, ge=0, description="Maximum gradient norm, of discriminator and generator separately; 0 for none."
    )
    freeze_embeddings: bool = Field(default=True, description="Do not train the encoder's word embeddings.")
    self_training_rounds: int = Field(
        default=1,
        ge=1,
        description="Rounds of training with a teacher (presets self_training and adversarial). The discriminator of a "
        "round is the teacher of the next; the last one is kept.",
    )
    co_training: bool = Field(
        default=True,
        description="Combine the teacher's predictions with those of simple classifiers where this improves them: "
        "logistic regression on the states of the pretrained encoder (classes), on words and sentences (flags), or on "
        "the spelling of words and their neighbors (spans).",
    )
    label_texts: bool = Field(
        default=True,
        description="Also train on the description of each label, or on its name, as a labeled text (fields of kind "
        "classes and flags).",
    )
    mask_ratio: float = Field(
        default=0.15, ge=0, le=0.9, description="Share of the tokens of an unlabeled text that are masked."
    )
    precision: Literal["auto", "bf16", "no"] = Field(
        default="auto",
        description="bf16, no (float32) or auto (bf16 on a GPU, and on a CPU with instructions for it: AMX or "
        "AVX-512 BF16). Findings and scores are always computed in float32.",
    )
    latent_size: int = Field(default=64, ge=1, description="Size of the generator's latent vector (preset latent).")
    num_evaluations: int = Field(
        default=5, ge=1, description="Number of evaluations on dev, evenly over the second half of the steps."
    )
    max_dev_documents: int = Field(
        default=500, ge=1, description="Maximum number of dev documents that select the checkpoint, drawn by the seed."
    )
    include_examples: bool = Field(
        default=False,
        description="Show the first dev documents in the model card. Otherwise it contains no text of the data.",
    )
    discriminator: LossTerms = Field(
        default_factory=dict,
        description="Loss terms of the discriminator and their weights. If empty: those of the preset.",
    )
    generator: LossTerms = Field(
        default_factory=dict,
        description="Loss terms of the generator and their weights. If empty: those of the preset.",
    )

    dropout: ClassVar[bool] = True
    """Dropout is always on in training, since few labels are read many times. In pretraining it is a setting."""
    preset_field: ClassVar[str] = "preset"
    presets: ClassVar[Mapping[str, Any]] = PRESETS
    reset_with_preset: ClassVar[tuple[str, ...]] = ("adapt_encoder",)

    IGNORED_IF_SUPERVISED: ClassVar[tuple[str, ...]] = (
        "unlabeled",
        "unlabeled_batch_size",
        "generator_learning_rate",
        "latent_size",
        "self_training_rounds",
        "co_training",
        "mask_ratio",
    )
    """The settings that supervised training does not use."""

    @property
    def trains_generator(self) -> bool:
        """Whether the generator has loss terms. One that masks at random, as in `self_training`, has none."""
        return bool(self.generator)

    @property
    def generates_states(self) -> bool:
        """Whether a generator of encoder states is trained (see `models.latent_generator`).

        With a teacher, the generator masks tokens instead.
        """
        return self.trains_generator and not self.has_teacher

    @property
    def reads_unlabeled(self) -> bool:
        """Whether unlabeled texts are in the batches."""
        return self.trains_generator or self.has_teacher

    def uses_unlabeled(self, kinds: Iterable[str]) -> bool:
        """Whether a run on fields of these kinds uses unlabeled texts.

        It does in batches, to adapt the encoder, or for the thresholds of flags.
        """
        return self.reads_unlabeled or self.adapts_encoder or "flags" in kinds

    @property
    def adapts_encoder(self) -> bool:
        """Whether the encoder is adapted to the text of the task."""
        return self.preset == "thorough" if self.adapt_encoder is None else self.adapt_encoder

    @property
    def has_teacher(self) -> bool:
        """Whether the discriminator also learns from the predictions of a teacher.

        It does if it has the loss term `distillation`: in self-training as in the package `distillation`.
        """
        return "distillation" in self.discriminator

    @property
    def of_teacher(self) -> TrainSettings:
        """The settings of the teacher: those of the previous round, or the supervised ones in the first round."""
        previous = self.self_training_rounds - 1
        return self.replace(self_training_rounds=previous) if previous else self.supervised

    @property
    def supervised(self) -> TrainSettings:
        """The settings of the supervised run on the same encoder and seed, which is the teacher of the first round."""
        defaults = {
            name: type(self).model_fields[name].get_default(call_default_factory=True)
            for name in self.IGNORED_IF_SUPERVISED
        }
        adapts = self.adapts_encoder or self.adapt_encoder
        return self.replace(preset="supervised", adapt_encoder=adapts, **defaults, **PRESETS["supervised"])

    @property
    def training_seed(self) -> int:
        """The seed of new weights, batches, dropout and noise.

        With a teacher it differs from `seed`, and between rounds, so that teacher and student make different errors.
        """
        return round_seed(self.seed, self.self_training_rounds - 1) if self.has_teacher else self.seed

    def with_window(self, max_length: int, whole_texts: bool) -> TrainSettings:
        """Return the settings with the window derived.

        max_length: tokens that the encoder accepts. whole_texts: whether a field labels whole texts.

        Raises:
            UserError: the window is longer than the encoder accepts.
        """
        derived = self.derive(window=min(256 if whole_texts else 128, max_length))
        if (derived.window or 0) > max_length:
            raise UserError(
                f"window is {self.window}; the encoder takes {max_length} tokens.",
                remedy=f"Set it to {max_length} or less.",
            )
        return derived

    def with_schedule(self, labeled_windows: int, hidden_size: int, spans: bool = True) -> TrainSettings:
        """Return the settings with batch sizes, steps and learning rate derived.

        spans: whether a field labels spans. Otherwise a window gives one row of the loss instead of one per token, so
        that a step takes more windows.
        """
        many = labeled_windows >= MANY_WINDOWS or not spans
        batch_size = self.batch_size or (16 if many else 8)
        return self.derive(
            batch_size=batch_size,
            unlabeled_batch_size=batch_size,
            max_steps=max(100, round(320 * math.sqrt(labeled_windows) / batch_size)),
            learning_rate=(2e-4 if many else 1e-4) * 384 / hidden_size,
        )
