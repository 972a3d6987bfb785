"""The recipe of a pretraining run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from electra_ie.common.errors import UserError
from electra_ie.config.base import Settings
from electra_ie.config.train import EMBEDDED, MOST_SEEDS

OBJECTIVES: dict[str, dict[str, dict[str, float]]] = {
    "electra": {"discriminator": {"finds_replaced": 50.0}, "generator": {"fills_masks": 1.0}},
    "adversarial": {"discriminator": {"finds_replaced": 50.0}, "generator": {"fools_discriminator": 1.0}},
    "mlm": {"discriminator": {"fills_masks": 1.0}, "generator": {}},
}
"""What each player is trained for. electra: section 3 of the paper. adversarial: its appendix F, the generator rewarded
for fooling the discriminator. mlm: no generator; the encoder itself fills the masks (BERT's objective, the control)."""

SHAPES = ("tiny", "small", "base")
SHARINGS = ("plain", "disentangled", "none")
BOUNDARIES = ("blank", "line", "file")
MASKABLE = ("tokens", "words", "single")
PRECISIONS = ("auto", "no", "bf16")


@dataclass(frozen=True)
class PretrainRecipe(Settings):
    """All that decides a pretraining run. The string under a field is its help."""

    paths: tuple[str, ...] = ()
    "The corpus: text files, folders, .jsonl, each also as .gz; or hub:ORG/NAME."
    objective: str = "electra"
    "electra (replaced-token detection), adversarial (its variant with a rewarded generator) or mlm (the control)."
    encoder: str | None = None
    "Name or directory of the encoder to go on from. None: all-MiniLM-L6-v2, unless from_scratch is given."
    from_scratch: str | None = None
    "Begin with new weights and a new vocabulary, in the shape of ELECTRA tiny, small or base."
    generator_encoder: str | None = None
    "Name or directory of a masked language model as the generator. None: the encoder's own, else one is made from it."
    generator_layers: int | None = None
    "Layers of a generator that is made from the encoder's lower ones. None: a third of the encoder's."
    sharing: str | None = None
    "Of the embeddings: plain (one table), disentangled (as DeBERTaV3) or none. None: plain from scratch, else none."
    freeze_embeddings: bool | None = None
    "Leave the word embeddings of both players as they are? None: yes, but not from scratch or where they are shared."
    seed: int = 0
    "Decides new weights, the order of the blocks, the masks, the sampled tokens and dropout."
    length: int = 128
    "Tokens in a block, special ones included."
    boundary: str = "blank"
    "What ends a document within a text file: blank (an empty line), line (each line is one) or file (nothing)."
    unique: bool = False
    "Leave out lines that occurred before, exactly."
    vocab: int | None = None
    "Entries of a new vocabulary. None: 30,522, as BERT's and ELECTRA's."
    lowercase: bool | None = None
    "Does a new vocabulary ignore case (and accents)? None: yes."
    held_out: float = 0.01
    "Share of the blocks that is kept for the loss curves and never trained on."
    steps: int | None = None
    "Optimiser steps. None: as many as give one pass over the corpus."
    hours: float | None = None
    "Time to train: steps then follow from a trial of the first ones. Beside steps: the longest it may take."
    batch: int | None = None
    "Blocks in a step, over all processes and accumulated parts. None: 32 from scratch, else 16."
    accumulate: int = 1
    "Parts into which a step's blocks are divided, one after another, where memory is short."
    rate: float | None = None
    "Highest learning rate of the encoder. None: 5e-4 from scratch; else 1e-4 with a generator, 2e-4 without (mlm)."
    head_rate: float | None = None
    "Highest learning rate of the head on the encoder. None: rate from scratch, else 1e-3."
    generator_rate: float | None = None
    "Highest learning rate of the generator. None: rate from scratch, else 5e-4."
    warmup: float = 0.1
    "Share of the steps over which the rate rises; then it falls to 0 on a line."
    bias_correction: bool | None = None
    "Correct the bias of Adam's moments? None: yes, unless the rate rises over 1,000 steps or more (as ELECTRA's did)."
    weight_decay: float = 0.01
    "Weight decay, on all weights but biases and layer norms."
    clip: float = 1.0
    "Largest norm of the gradient of both players together."
    blend: float | None = None
    """The encoder that is saved lies between the one that was gone on from (0) and the one that was trained (1), weight
    by weight (Wortsman et al. 2022): it keeps what the start knew. None: 0.5; 1 from scratch."""
    dropout: bool = False
    "Drop units out, at the rates that the encoder's configuration gives? A text read about once needs none."
    maskable: str | None = None
    """What may be chosen to be filled: tokens (any), words (all tokens of a word together) or single (words that one
    token spells: what a generator puts in their place is nearly always a word too, and not told by its spelling).
    None: tokens from scratch; else words for mlm, and single with a generator."""
    mask: float = 0.15
    "Share of the maskable tokens of a block that are chosen."
    kept: float = 0.15
    "Share of the chosen tokens that the generator is shown as they are, in place of the mask token."
    evaluations: int = 10
    "How often the held-out blocks are scored, evenly over the steps."
    save_minutes: float = 10.0
    "Minutes between two checkpoints."
    precision: str = "auto"
    "bf16 (quicker on a GPU, or a CPU with AMX), no (float32) or auto (bf16 on a GPU)."
    compile: bool = False
    "Compile both players with torch.compile: a slow first step, faster ones after it."
    discriminator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the discriminator's loss and their weights. Empty: those of the objective."
    generator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the generator's loss and their weights. Empty: those of the objective."

    CHOICE: ClassVar[str] = "objective"
    TABLE: ClassVar[Mapping[str, Any]] = OBJECTIVES
    FOLLOWING: ClassVar[tuple[str, ...]] = ("sharing", "maskable", "generator_rate")
    LOWEST: ClassVar[Mapping[str, float]] = {
        "seed": 0, "generator_layers": 1, "length": 8, "vocab": 10, "held_out": 0, "steps": 1, "hours": 1e-6,
        "batch": 1, "accumulate": 1, "rate": 0, "head_rate": 0, "generator_rate": 0, "warmup": 0, "blend": 0,
        "weight_decay": 0, "clip": 0, "mask": 0.01, "kept": 0, "evaluations": 1, "save_minutes": 0,
    }  # fmt: skip
    HIGHEST: ClassVar[Mapping[str, float]] = {"seed": MOST_SEEDS, "warmup": 1, "blend": 1}
    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "from_scratch": SHAPES, "sharing": SHARINGS, "boundary": BOUNDARIES, "maskable": MASKABLE,
        "precision": PRECISIONS,
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mask", "kept", "held_out"):
            if getattr(self, name) >= 1:
                raise UserError(f"{name} is {getattr(self, name)}.", remedy="It is a share: give less than 1.")
        for one, other in (("encoder", "from_scratch"), ("generator_encoder", "from_scratch")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise UserError(f"{one} and {other} are both given.", remedy="Give one of them.")
        self._check_use()
        if self.batch is not None and self.batch % self.accumulate:
            raise UserError(
                f"a batch of {self.batch} cannot be divided into {self.accumulate} equal parts.",
                remedy="Give an accumulate that divides the batch.",
            )

    def _check_use(self) -> None:
        """Raises UserError for a setting that would do nothing."""
        idle = {
            "from_scratch": (self.from_scratch is None, ("vocab", "lowercase")),
            "a generator": (not self.generator, ("generator_encoder", "generator_layers", "generator_rate")),
            "an encoder to go on from": (self.from_scratch is not None, ("generator_layers", "blend")),
        }
        for wanted, (lacking, names) in idle.items():
            given = [name for name in names if lacking and getattr(self, name) is not None]
            if given:
                raise UserError(f"{given[0]} does nothing without {wanted}.", remedy=f"Leave {given[0]} out.")
        if self.generator_encoder is not None and self.generator_layers is not None:
            raise UserError("generator_layers does nothing with a generator_encoder.", remedy="Leave one of them out.")
        if not self.generator and self.sharing in ("plain", "disentangled"):
            raise UserError("sharing does nothing without a generator.", remedy="Leave sharing out.")

    def with_defaults(self) -> PretrainRecipe:
        """The recipe with what follows from the start written out. An encoder that has learnt something is changed
        gently; its new head and its generator, which have everything to learn, are not."""
        new = self.from_scratch is not None
        shared = self.sharing in ("plain", "disentangled")
        gentle = 1e-4 if self.generator else 2e-4  # chosen on dev, see benchmarks/README.md
        rate = (5e-4 if new else gentle) if self.rate is None else self.rate
        return dataclasses.replace(
            self,
            batch=self.batch or (32 if new else 16),
            rate=rate,
            blend=0.5 if self.blend is None and not new else self.blend,
            head_rate=(rate if new else 1e-3) if self.head_rate is None else self.head_rate,
            generator_rate=(rate if new else 5e-4)
            if self.generator and self.generator_rate is None
            else self.generator_rate,
            sharing=self.sharing or ("plain" if new and self.generator else "none"),
            maskable=self.maskable or ("tokens" if new else "single" if self.generator else "words"),
            vocab=self.vocab or (30_522 if new else None),
            lowercase=True if new and self.lowercase is None else self.lowercase,
            freeze_embeddings=not (new or shared) if self.freeze_embeddings is None else self.freeze_embeddings,
        )

    @property
    def start(self) -> str:
        """The encoder to go on from; only where `from_scratch` is not given."""
        return self.encoder or EMBEDDED
