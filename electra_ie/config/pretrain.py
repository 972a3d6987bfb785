"""The recipe of a pretraining run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from electra_ie.common.errors import UserError
from electra_ie.common.randomness import MAX_SEED
from electra_ie.config.base import BaseSettings
from electra_ie.config.train import EMBEDDED

OBJECTIVES: dict[str, dict[str, dict[str, float]]] = {
    "electra": {"discriminator": {"replaced_token_detection": 50.0}, "generator": {"mlm": 1.0}},
    "adversarial": {"discriminator": {"replaced_token_detection": 50.0}, "generator": {"reinforce": 1.0}},
    "mlm": {"discriminator": {"mlm": 1.0}, "generator": {}},
}
"""What each player is trained for. electra: section 3 of the paper. adversarial: its appendix F, the generator rewarded
for fooling the discriminator. mlm: no generator; the encoder itself fills the masks (BERT's objective, the control)."""

SHAPES = ("tiny", "small", "base")
SHARINGS = ("plain", "disentangled", "none")
BOUNDARIES = ("blank", "line", "file")
MASKABLE = ("tokens", "words", "single")
PRECISIONS = ("auto", "no", "bf16")


@dataclass(frozen=True)
class PretrainSettings(BaseSettings):
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
    embedding_sharing: str | None = None
    "Of the embeddings: plain (one table), disentangled (as DeBERTaV3) or none. None: plain from scratch, else none."
    freeze_embeddings: bool | None = None
    "Leave the word embeddings of both players as they are? None: yes, but not from scratch or where they are shared."
    seed: int = 0
    "Decides new weights, the order of the blocks, the masks, the sampled tokens and dropout."
    block_length: int = 128
    "Tokens in a block, special ones included."
    boundary: str = "blank"
    "What ends a document within a text file: blank (an empty line), line (each line is one) or file (nothing)."
    deduplicate: bool = False
    "Leave out lines that occurred before, exactly."
    vocab_size: int | None = None
    "Entries of a new vocabulary. None: 30,522, as BERT's and ELECTRA's."
    lowercase: bool | None = None
    "Does a new vocabulary ignore case (and accents)? None: yes."
    held_out: float = 0.01
    "Share of the blocks that is kept for the loss curves and never trained on."
    max_steps: int | None = None
    "Optimiser steps. None: as many as give one pass over the corpus."
    max_hours: float | None = None
    "Time to train: steps then follow from a trial of the first ones. Beside steps: the longest it may take."
    batch_size: int | None = None
    "Blocks in a step, over all processes and accumulated parts. None: 32 from scratch, else 16."
    gradient_accumulation_steps: int = 1
    "Parts into which a step's blocks are divided, one after another, where memory is short."
    learning_rate: float | None = None
    "Highest learning rate of the encoder. None: 5e-4 from scratch; else 1e-4 with a generator, 2e-4 without (mlm)."
    head_learning_rate: float | None = None
    "Highest learning rate of the head on the encoder. None: rate from scratch, else 1e-3."
    generator_learning_rate: float | None = None
    "Highest learning rate of the generator. None: rate from scratch, else 5e-4."
    warmup_steps: float = 0.1
    "Share of the steps over which the rate rises; then it falls to 0 on a line."
    bias_correction: bool | None = None
    "Correct the bias of Adam's moments? None: yes, unless the rate rises over 1,000 steps or more (as ELECTRA's did)."
    weight_decay: float = 0.01
    "Weight decay, on all weights but biases and layer norms."
    max_grad_norm: float = 1.0
    "Largest norm of the gradient of both players together."
    interpolation: float | None = None
    """The encoder that is saved lies between the one that was gone on from (0) and the one that was trained (1), weight
    by weight (Wortsman et al. 2022): it keeps what the start knew. None: 0.5; 1 from scratch."""
    dropout: bool = False
    "Drop units out, at the rates that the encoder's configuration gives? A text read about once needs none."
    maskable: str | None = None
    """What may be chosen to be filled: tokens (any), words (all tokens of a word together) or single (words that one
    token spells: what a generator puts in their place is nearly always a word too, and not told by its spelling).
    None: tokens from scratch; else words for mlm, and single with a generator."""
    mask_ratio: float = 0.15
    "Share of the maskable tokens of a block that are chosen."
    keep_ratio: float = 0.15
    "Share of the chosen tokens that the generator is shown as they are, in place of the mask token."
    num_evaluations: int = 10
    "How often the held-out blocks are scored, evenly over the steps."
    save_minutes: float = 10.0
    "Minutes between two checkpoints."
    precision: str = "auto"
    "bf16 (quicker on a GPU, or a CPU with AMX), no (float32) or auto (bf16 on a GPU)."
    torch_compile: bool = False
    "Compile both players with torch.compile: a slow first step, faster ones after it."
    discriminator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the discriminator's loss and their weights. Empty: those of the objective."
    generator: Mapping[str, float] = field(default_factory=dict)
    "Terms of the generator's loss and their weights. Empty: those of the objective."

    CHOICE: ClassVar[str] = "objective"
    TABLE: ClassVar[Mapping[str, Any]] = OBJECTIVES
    FOLLOWING: ClassVar[tuple[str, ...]] = ("embedding_sharing", "maskable", "generator_learning_rate")
    LOWEST: ClassVar[Mapping[str, float]] = {
        "seed": 0,
        "generator_layers": 1,
        "block_length": 8,
        "vocab_size": 10,
        "held_out": 0,
        "max_steps": 1,
        "max_hours": 1e-6,
        "batch_size": 1,
        "gradient_accumulation_steps": 1,
        "learning_rate": 0,
        "head_learning_rate": 0,
        "generator_learning_rate": 0,
        "warmup_steps": 0,
        "interpolation": 0,
        "weight_decay": 0,
        "max_grad_norm": 0,
        "mask_ratio": 0.01,
        "keep_ratio": 0,
        "num_evaluations": 1,
        "save_minutes": 0,
    }
    HIGHEST: ClassVar[Mapping[str, float]] = {"seed": MAX_SEED, "interpolation": 1}
    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "from_scratch": SHAPES,
        "embedding_sharing": SHARINGS,
        "boundary": BOUNDARIES,
        "maskable": MASKABLE,
        "precision": PRECISIONS,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mask_ratio", "keep_ratio", "held_out"):
            if getattr(self, name) >= 1:
                raise UserError(f"{name} is {getattr(self, name)}.", remedy="It is a share: give less than 1.")
        for one, other in (("encoder", "from_scratch"), ("generator_encoder", "from_scratch")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise UserError(f"{one} and {other} are both given.", remedy="Give one of them.")
        self._check_use()
        if self.batch_size is not None and self.batch_size % self.gradient_accumulation_steps:
            raise UserError(
                f"a batch of {self.batch_size} cannot be divided into {self.gradient_accumulation_steps} equal parts.",
                remedy="Give an accumulate that divides the batch.",
            )

    def _check_use(self) -> None:
        """Raises UserError for a setting that would do nothing."""
        idle = {
            "from_scratch": (self.from_scratch is None, ("vocab_size", "lowercase")),
            "a generator": (not self.generator, ("generator_encoder", "generator_layers", "generator_learning_rate")),
            "an encoder to go on from": (self.from_scratch is not None, ("generator_layers", "interpolation")),
        }
        for wanted, (lacking, names) in idle.items():
            given = [name for name in names if lacking and getattr(self, name) is not None]
            if given:
                raise UserError(f"{given[0]} does nothing without {wanted}.", remedy=f"Leave {given[0]} out.")
        if self.generator_encoder is not None and self.generator_layers is not None:
            raise UserError("generator_layers does nothing with a generator_encoder.", remedy="Leave one of them out.")
        if not self.generator and self.embedding_sharing in ("plain", "disentangled"):
            raise UserError("sharing does nothing without a generator.", remedy="Leave sharing out.")

    def with_defaults(self) -> PretrainSettings:
        """The recipe with what follows from the start written out. An encoder that has learnt something is changed
        gently; its new head and its generator, which have everything to learn, are not."""
        new = self.from_scratch is not None
        shared = self.embedding_sharing in ("plain", "disentangled")
        gentle = 1e-4 if self.generator else 2e-4  # chosen on dev, see benchmarks/README.md
        rate = (5e-4 if new else gentle) if self.learning_rate is None else self.learning_rate
        return dataclasses.replace(
            self,
            batch_size=self.batch_size or (32 if new else 16),
            learning_rate=rate,
            interpolation=0.5 if self.interpolation is None and not new else self.interpolation,
            head_learning_rate=(rate if new else 1e-3) if self.head_learning_rate is None else self.head_learning_rate,
            generator_learning_rate=(rate if new else 5e-4)
            if self.generator and self.generator_learning_rate is None
            else self.generator_learning_rate,
            embedding_sharing=self.embedding_sharing or ("plain" if new and self.generator else "none"),
            maskable=self.maskable or ("tokens" if new else "single" if self.generator else "words"),
            vocab_size=self.vocab_size or (30_522 if new else None),
            lowercase=True if new and self.lowercase is None else self.lowercase,
            freeze_embeddings=not (new or shared) if self.freeze_embeddings is None else self.freeze_embeddings,
        )

    @property
    def start(self) -> str:
        """The encoder to go on from; only where `from_scratch` is not given."""
        return self.encoder or EMBEDDED
