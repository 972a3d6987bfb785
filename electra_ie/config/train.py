"""Recipe: everything that decides a run, in one frozen record that reads from and writes to YAML."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from electra_ie.common.errors import UserError
from electra_ie.config.base import Settings

EMBEDDED = "all-MiniLM-L6-v2"
"""The default encoder: ships in a package, needs no hub."""

MOST_SEEDS = 2**32 - 1
"""The greatest seed: with it and the number of a step torch's generator is seeded, which takes 64 bits."""

PRESETS: dict[str, dict[str, Any]] = {
    "control": {"discriminator": {"knows_classes": 1.0}, "generator": {}},
    "adversarial": {
        "discriminator": {"knows_classes": 1.0, "agrees_with_teacher": 1.0},
        "generator": {"hides_what_decides": 1.0},
    },
    "latent": {
        "discriminator": {"knows_classes": 1.0, "rejects_fakes": 0.1},
        "generator": {"passes_for_real": 1.0, "matches_features": 1.0, "shows_its_class": 1.0},
    },
}
"""What each player is trained for: terms of `objectives.TERMS` and their weights. No generator term: no generator.
adversarial: texts, see `hiding`. latent: states, as GAN-BERT (Croce et al. 2020), see `generators`."""


@dataclass(frozen=True)
class Recipe(Settings):
    """All that decides a run. The string under a field is its help; `None` is filled from the data or the encoder."""

    task: str = ""
    "Name of a task, or path to a task.yaml."
    data: str | None = None
    "Folder of the task's files, in place of the one that the task names."
    unlabeled: tuple[str, ...] = ()
    "Text files, folders or .jsonl files that are added to the unlabelled pool."
    labels: int | None = None
    "Keep this many labelled documents; the rest of train joins the unlabelled pool. None keeps all."
    seed: int = 0
    "Decides the label draw, the order of batches, new weights, dropout and the generator's noise."
    preset: str = "control"
    """control (plain supervised training), adversarial (learns from unlabelled texts too: a generator hides tokens, a
    teacher answers) or latent (a generator fakes states, as in GAN-BERT)."""
    encoder: str = EMBEDDED
    "Name or directory of a Hugging Face encoder."
    pooling: str | None = None
    "How a text becomes one vector: stock (what the encoder's own class does) or mean. None: see the README."
    window: int | None = None
    "Tokens in a window, special ones included. None: 128, or 256 where whole texts are judged; at most the encoder's."
    margin: int = 16
    "Tokens of context on each side of a cut that falls inside a sentence."
    units: str = "auto"
    """What a tag is given to: words (by their first token), tokens, or auto (words, unless more than one gold span in
    twenty begins or ends inside one)."""
    steps: int | None = None
    "Optimiser steps. None: 320 / batch * sqrt(labelled windows), at least 100; a larger batch takes fewer."
    batch: int | None = None
    "Labelled windows in a step, over all processes. None: 16; 8 for spans below 1,000 labelled windows."
    unlabeled_batch: int | None = None
    "Unlabelled windows in a step when there is a generator. None: as many as labelled ones."
    rate: float | None = None
    "Highest learning rate of the encoder. None: 384 / hidden size times 2e-4, or 1e-4 for spans below 1,000 windows."
    head_rate: float = 1e-3
    "Highest learning rate of the heads."
    generator_rate: float = 1e-3
    "Highest learning rate of the generator."
    warmup: float = 0.1
    "Share of the steps over which the rates rise; then they fall to 0 on a line."
    weight_decay: float = 0.01
    "Weight decay of AdamW."
    clip: float = 1.0
    "Largest norm of each player's gradient."
    freeze_embeddings: bool = True
    "Leave the encoder's word embeddings as they are."
    generations: int = 1
    "How often the game with a teacher is played: each discriminator teaches the next, the last one is kept."
    second_view: bool = True
    "May regression on the untouched encoder answer beside the teacher, on classes? It does where it helps."
    hide: float = 0.15
    "Share of the tokens of an unlabelled text that the generator hides."
    precision: str = "auto"
    """bf16 (quicker on a GPU, or a CPU with AMX), no (float32) or auto (bf16 on a GPU). Answers are always computed in
    float32."""
    latent: int = 64
    "Size of the generator's latent vector z."
    evaluations: int = 5
    "How often the dev split is scored, evenly over the second half of the steps."
    dev_limit: int = 500
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
        "labels": 1, "seed": 0, "window": 8, "margin": 0, "steps": 1, "batch": 1, "unlabeled_batch": 0, "rate": 0,
        "head_rate": 0, "generator_rate": 0, "warmup": 0, "weight_decay": 0, "clip": 0, "latent": 1, "evaluations": 1,
        "dev_limit": 1, "generations": 1, "hide": 0,
    }  # fmt: skip

    OF_THE_GAME: ClassVar[tuple[str, ...]] = (
        "unlabeled", "unlabeled_batch", "generator_rate", "latent", "generations", "second_view", "hide",
    )  # fmt: skip
    """What plain training knows nothing of."""
    HIGHEST: ClassVar[Mapping[str, float]] = {"seed": MOST_SEEDS, "warmup": 1, "hide": 0.9}
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
    def taught(self) -> bool:
        """Does the discriminator learn from a teacher's answers too?"""
        return "agrees_with_teacher" in self.discriminator

    @property
    def of_the_teacher(self) -> Recipe:
        """What the teacher is trained with: it is the generation before, and before the first the run of control."""
        before = self.generations - 1
        return dataclasses.replace(self, generations=before) if before else self.of_control

    @property
    def of_control(self) -> Recipe:
        """The run of control with the same seed, which the first generation learns from."""
        known = {each.name: each.default for each in dataclasses.fields(self)}
        plain: dict[str, Any] = {name: known[name] for name in self.OF_THE_GAME}
        return dataclasses.replace(self, preset="control", **plain, **PRESETS["control"])

    @property
    def chance(self) -> int:
        """What new weights, batches, dropout and noise are drawn from: the seed; but another number in each generation
        that has a teacher, so that the two err differently."""
        return ((self.seed + 1) * 7_919 + (self.generations - 1) * 104_729) % MOST_SEEDS if self.taught else self.seed

    def with_window(self, most: int, whole_texts: bool) -> Recipe:
        """The recipe with its window written out. most: tokens the encoder takes; whole_texts: are texts judged?"""
        window = self.window or min(256 if whole_texts else 128, most)
        if window > most:
            raise UserError(
                f"window is {window}; the encoder takes {most} tokens.", remedy=f"Set it to {most} or less."
            )
        return dataclasses.replace(self, window=window)

    def with_schedule(self, labelled: int, hidden: int, spans: bool = True) -> Recipe:
        """The recipe with steps, batch and rate written out.

        labelled: labelled windows; hidden: the encoder's width; spans: are there tokens to judge? Where there are none
        a window gives one row only, and a step takes more of them.
        """
        many = labelled >= 1000 or not spans
        batch = self.batch or (16 if many else 8)
        return dataclasses.replace(
            self,
            batch=batch,
            unlabeled_batch=batch if self.unlabeled_batch is None else self.unlabeled_batch,
            steps=self.steps or max(100, round(320 * math.sqrt(labelled) / batch)),
            rate=(2e-4 if many else 1e-4) * 384 / hidden if self.rate is None else self.rate,
        )
