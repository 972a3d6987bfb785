"""Recipe: everything that decides a run, in one frozen record that reads from and writes to YAML."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from electra_ie.common.errors import UserError
from electra_ie.common.randomness import MAX_SEED, round_seed
from electra_ie.config.base import BaseSettings

EMBEDDED = "all-MiniLM-L6-v2"
"""The default encoder: ships in a package, needs no hub."""

PRESETS: dict[str, dict[str, Any]] = {
    "supervised": {"discriminator": {"classification": 1.0}, "generator": {}},
    "adversarial": {
        "discriminator": {"classification": 1.0, "distillation": 1.0},
        "generator": {"adversarial_masking": 1.0},
    },
    "latent": {
        "discriminator": {"classification": 1.0, "adversarial": 0.1},
        "generator": {"generator_adversarial": 1.0, "feature_matching": 1.0, "class_consistency": 1.0},
    },
}
"""What each player is trained for: terms of `objectives.TERMS` and their weights. No generator term: no generator.
adversarial: texts, see `hiding`. latent: states, as GAN-BERT (Croce et al. 2020), see `generators`."""


@dataclass(frozen=True)
class TrainSettings(BaseSettings):
    """All that decides a run. The string under a field is its help; `None` is filled from the data or the encoder."""

    task: str = ""
    "Name of a task, or path to a task.yaml."
    data: str | None = None
    "Folder of the task's files, in place of the one that the task names."
    unlabeled: tuple[str, ...] = ()
    "Text files, folders or .jsonl files that are added to the unlabelled pool."
    label_budget: int | None = None
    "Keep this many labelled documents; the rest of train joins the unlabelled pool. None keeps all."
    seed: int = 0
    "Decides the label draw, the order of batches, new weights, dropout and the generator's noise."
    preset: str = "supervised"
    """control (plain supervised training), adversarial (learns from unlabelled texts too: a generator hides tokens, a
    teacher answers) or latent (a generator fakes states, as in GAN-BERT)."""
    encoder: str = EMBEDDED
    "Name or directory of a Hugging Face encoder."
    pooling: str | None = None
    "How a text becomes one vector: stock (what the encoder's own class does) or mean. None: see the README."
    window: int | None = None
    "Tokens in a window, special ones included. None: 128, or 256 where whole texts are judged; at most the encoder's."
    context_overlap: int = 16
    "Tokens of context on each side of a cut that falls inside a sentence."
    units: str = "auto"
    """What a tag is given to: words (by their first token), tokens, or auto (words, unless more than one gold span in
    twenty begins or ends inside one)."""
    max_steps: int | None = None
    "Optimiser steps. None: 320 / batch * sqrt(labelled windows), at least 100; a larger batch takes fewer."
    batch_size: int | None = None
    "Labelled windows in a step, over all processes. None: 16; 8 for spans below 1,000 labelled windows."
    unlabeled_batch_size: int | None = None
    "Unlabelled windows in a step when there is a generator. None: as many as labelled ones."
    learning_rate: float | None = None
    "Highest learning rate of the encoder. None: 384 / hidden size times 2e-4, or 1e-4 for spans below 1,000 windows."
    head_learning_rate: float = 1e-3
    "Highest learning rate of the heads."
    generator_learning_rate: float = 1e-3
    "Highest learning rate of the generator."
    warmup_steps: float = 0.1
    "Share of the steps over which the rates rise; then they fall to 0 on a line."
    weight_decay: float = 0.01
    "Weight decay of AdamW."
    max_grad_norm: float = 1.0
    "Largest norm of each player's gradient."
    freeze_embeddings: bool = True
    "Leave the encoder's word embeddings as they are."
    self_training_rounds: int = 1
    "How often the game with a teacher is played: each discriminator teaches the next, the last one is kept."
    co_training: bool = True
    "May regression on the untouched encoder answer beside the teacher, on classes? It does where it helps."
    mask_ratio: float = 0.15
    "Share of the tokens of an unlabelled text that the generator hides."
    precision: str = "auto"
    """bf16 (quicker on a GPU, or a CPU with AMX), no (float32) or auto (bf16 on a GPU). Answers are always computed in
    float32."""
    latent_size: int = 64
    "Size of the generator's latent vector z."
    num_evaluations: int = 5
    "How often the dev split is scored, evenly over the second half of the steps."
    max_dev_documents: int = 500
    "Documents of dev that choose the checkpoint, drawn by the seed."
    include_examples: bool = False
    "Show the first documents of dev in the model card, which else holds no text of the corpus."
    discriminator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the discriminator's loss and their weights. Empty: those of the preset."
    generator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the generator's loss and their weights. Empty: those of the preset."

    dropout: ClassVar[bool] = True
    """Few labels are read many times over: here units are always dropped out, as the encoder's configuration says."""
    CHOICE: ClassVar[str] = "preset"
    TABLE: ClassVar[Mapping[str, Any]] = PRESETS
    LOWEST: ClassVar[Mapping[str, float]] = {
        "label_budget": 1,
        "seed": 0,
        "window": 8,
        "context_overlap": 0,
        "max_steps": 1,
        "batch_size": 1,
        "unlabeled_batch_size": 0,
        "learning_rate": 0,
        "head_learning_rate": 0,
        "generator_learning_rate": 0,
        "warmup_steps": 0,
        "weight_decay": 0,
        "max_grad_norm": 0,
        "latent_size": 1,
        "num_evaluations": 1,
        "max_dev_documents": 1,
        "self_training_rounds": 1,
        "mask_ratio": 0,
    }

    GENERATOR_SETTINGS: ClassVar[tuple[str, ...]] = (
        "unlabeled",
        "unlabeled_batch_size",
        "generator_learning_rate",
        "latent_size",
        "self_training_rounds",
        "co_training",
        "mask_ratio",
    )
    """What plain training knows nothing of."""
    HIGHEST: ClassVar[Mapping[str, float]] = {"seed": MAX_SEED, "mask_ratio": 0.9}
    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "pooling": ("stock", "mean"),
        "precision": ("auto", "bf16", "no"),
        "units": ("auto", "words", "tokens"),
    }

    @property
    def has_generator(self) -> bool:
        """Is there a generator?"""
        return bool(self.generator)

    @property
    def has_teacher(self) -> bool:
        """Does the discriminator learn from a teacher's answers too?"""
        return "distillation" in self.discriminator

    @property
    def of_teacher(self) -> TrainSettings:
        """What the teacher is trained with: it is the generation before, and before the first the supervised run."""
        before = self.self_training_rounds - 1
        return dataclasses.replace(self, self_training_rounds=before) if before else self.supervised

    @property
    def supervised(self) -> TrainSettings:
        """The supervised run with the same seed, which the first generation learns from."""
        known = {each.name: each.default for each in dataclasses.fields(self)}
        plain: dict[str, Any] = {name: known[name] for name in self.GENERATOR_SETTINGS}
        return dataclasses.replace(self, preset="supervised", **plain, **PRESETS["supervised"])

    @property
    def training_seed(self) -> int:
        """What new weights, batches, dropout and noise are drawn from: the seed; but another number in each generation
        that has a teacher, so that the two err differently."""
        return round_seed(self.seed, self.self_training_rounds - 1) if self.has_teacher else self.seed

    def with_window(self, most: int, whole_texts: bool) -> TrainSettings:
        """The recipe with its window written out. most: tokens the encoder takes; whole_texts: are texts judged?"""
        window = self.window or min(256 if whole_texts else 128, most)
        if window > most:
            raise UserError(
                f"window is {window}; the encoder takes {most} tokens.", remedy=f"Set it to {most} or less."
            )
        return dataclasses.replace(self, window=window)

    def with_schedule(self, labelled: int, hidden: int, spans: bool = True) -> TrainSettings:
        """The recipe with steps, batch and rate written out.

        labelled: labelled windows; hidden: the encoder's width; spans: are there tokens to judge? Where there are none
        a window gives one row only, and a step takes more of them.
        """
        many = labelled >= 1000 or not spans
        batch = self.batch_size or (16 if many else 8)
        return dataclasses.replace(
            self,
            batch_size=batch,
            unlabeled_batch_size=batch if self.unlabeled_batch_size is None else self.unlabeled_batch_size,
            max_steps=self.max_steps or max(100, round(320 * math.sqrt(labelled) / batch)),
            learning_rate=(2e-4 if many else 1e-4) * 384 / hidden if self.learning_rate is None else self.learning_rate,
        )
