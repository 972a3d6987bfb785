"""The settings of a pretraining run, and its objectives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from electra_ie.common.errors import UserError
from electra_ie.common.randomness import MAX_SEED
from electra_ie.config.base import BaseSettings, LossTerms
from electra_ie.config.train import EMBEDDED

OBJECTIVES: dict[str, dict[str, dict[str, float]]] = {
    "electra": {"discriminator": {"replaced_token_detection": 50.0}, "generator": {"mlm": 1.0}},
    "adversarial": {"discriminator": {"replaced_token_detection": 50.0}, "generator": {"reinforce": 1.0}},
    "mlm": {"discriminator": {"mlm": 1.0}, "generator": {}},
}
"""The loss terms of each model and their weights. electra: section 3 of Clark et al. (ICLR 2020). adversarial: its
appendix F, where the generator is rewarded for fooling the discriminator. mlm: masked language modeling as in BERT,
without a generator; the baseline."""


LONG_WARMUP = 1_000
"""Steps of warmup from which Adam's moments need no bias correction."""


class PretrainSettings(BaseSettings):
    """The settings that decide a pretraining run. Values of None are derived from the corpus or from the start."""

    paths: tuple[str, ...] = Field(
        default=(), description="The corpus: text files, folders or .jsonl files, each also as .gz; or hub:ORG/NAME."
    )
    objective: Literal["electra", "adversarial", "mlm"] = Field(
        default="electra",
        description="electra (replaced-token detection), adversarial (its variant with a generator that is rewarded "
        "for fooling the discriminator) or mlm (masked language modeling, the baseline).",
    )
    encoder: str | None = Field(
        default=None,
        description="Name or directory of the encoder to continue from.",
        json_schema_extra={"derived": f"{EMBEDDED}, unless from_scratch is set"},
    )
    from_scratch: Literal["tiny", "small", "base"] | None = Field(
        default=None,
        description="Start with new weights and a new vocabulary, in this size of ELECTRA.",
        json_schema_extra={"derived": "training continues from the encoder"},
    )
    generator_encoder: str | None = Field(
        default=None,
        description="Name or directory of a masked language model to use as the generator.",
        json_schema_extra={"derived": "the one that belongs to the encoder, or one built from the encoder's layers"},
    )
    generator_layers: int | None = Field(
        default=None,
        ge=1,
        description="Number of layers of a generator that is built from the encoder's lower layers.",
        json_schema_extra={"derived": "a third of the encoder's"},
    )
    embedding_sharing: Literal["plain", "disentangled", "none"] | None = Field(
        default=None,
        description="Sharing of the embeddings between generator and discriminator: plain (one table), disentangled "
        "(as in DeBERTaV3) or none.",
        json_schema_extra={"derived": "plain from scratch with a generator, otherwise none"},
    )
    freeze_embeddings: bool | None = Field(
        default=None,
        description="Do not train the word embeddings of generator and discriminator.",
        json_schema_extra={"derived": "true, but false from scratch or if the embeddings are shared"},
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Seed of new weights, the order of the blocks, the masks, the sampled tokens and dropout.",
    )
    block_length: int = Field(default=128, ge=8, description="Tokens per block, special tokens included.")
    boundary: Literal["blank", "line", "file"] = Field(
        default="blank",
        description="What ends a document in a text file: blank (an empty line), line (each line is a document) or "
        "file (each file is one).",
    )
    deduplicate: bool = Field(default=False, description="Skip lines that are identical to an earlier line.")
    vocab_size: int | None = Field(
        default=None,
        ge=10,
        description="Number of entries of a new vocabulary.",
        json_schema_extra={"derived": "30,522 from scratch, as BERT and ELECTRA"},
    )
    lowercase: bool | None = Field(
        default=None,
        description="Ignore case and accents in a new vocabulary.",
        json_schema_extra={"derived": "true from scratch"},
    )
    held_out: float = Field(
        default=0.01, ge=0, lt=1, description="Share of the blocks that is only evaluated and never trained on."
    )
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Number of optimizer steps.",
        json_schema_extra={"derived": "the steps that fit into max_hours, otherwise one pass over the corpus"},
    )
    max_hours: float | None = Field(
        default=None,
        ge=1e-6,
        description="Hours of training. Without max_steps, the number of steps is derived from the duration of the "
        "first ones. With max_steps, training ends at whichever limit comes first.",
        json_schema_extra={"derived": "no limit"},
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="Blocks per step, over all processes and accumulation steps.",
        json_schema_extra={"derived": "32 from scratch, otherwise 16"},
    )
    gradient_accumulation_steps: int = Field(
        default=1,
        ge=1,
        description="Number of equal parts of a step, computed one after another to save memory.",
    )
    learning_rate: float | None = Field(
        default=None,
        ge=0,
        description="Peak learning rate of the encoder.",
        json_schema_extra={"derived": "5e-4 from scratch; otherwise 1e-4 with a generator and 2e-4 without one (mlm)"},
    )
    head_learning_rate: float | None = Field(
        default=None,
        ge=0,
        description="Peak learning rate of the head on the encoder.",
        json_schema_extra={"derived": "learning_rate from scratch, otherwise 1e-3"},
    )
    generator_learning_rate: float | None = Field(
        default=None,
        ge=0,
        description="Peak learning rate of the generator.",
        json_schema_extra={"derived": "learning_rate from scratch, otherwise 5e-4"},
    )
    warmup_steps: float = Field(
        default=0.1,
        ge=0,
        description="Steps over which the learning rates rise linearly; below 1, a share of max_steps. Then they fall "
        "linearly to 0.",
    )
    bias_correction: bool | None = Field(
        default=None,
        description="Correct the bias of Adam's moments.",
        json_schema_extra={"derived": "true, unless the warmup takes 1,000 steps or more (ELECTRA had no correction)"},
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="Weight decay of all weights except biases and layer norms."
    )
    max_grad_norm: float = Field(
        default=1.0, ge=0, description="Maximum gradient norm, of generator and discriminator together; 0 for none."
    )
    interpolation: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Position of the saved encoder between the start (0) and the trained weights (1), weight by weight "
        "(Wortsman et al. 2022). Values below 1 preserve what the start has learned.",
        json_schema_extra={"derived": "0.5; from scratch the trained weights are saved"},
    )
    dropout: bool = Field(
        default=False,
        description="Use dropout at the rates of the encoder's configuration. Text that is read about once needs none.",
    )
    maskable: Literal["tokens", "words", "single"] | None = Field(
        default=None,
        description="What can be masked: tokens (any token), words (all tokens of a word together) or single (words "
        "of one token, so that a replacement is usually a word too and cannot be detected by its spelling).",
        json_schema_extra={"derived": "tokens from scratch; otherwise single, or words without a generator (mlm)"},
    )
    mask_ratio: float = Field(
        default=0.15, ge=0.01, lt=1, description="Share of the maskable tokens of a block that are selected."
    )
    keep_ratio: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the selected tokens that are not replaced by the mask token."
    )
    num_evaluations: int = Field(
        default=10, ge=1, description="Number of evaluations on the held-out blocks, evenly over the steps."
    )
    save_minutes: float = Field(default=10.0, ge=0, description="Minutes between two checkpoints.")
    precision: Literal["auto", "bf16", "no"] = Field(
        default="auto",
        description="bf16, no (float32) or auto (bf16 on a GPU, and on a CPU with instructions for it: AMX or "
        "AVX-512 BF16).",
    )
    torch_compile: bool = Field(
        default=False,
        description="Compile generator and discriminator with torch.compile: a slow first step, then faster steps.",
    )
    discriminator: LossTerms = Field(
        default_factory=dict,
        description="Loss terms of the discriminator and their weights. If empty: those of the objective.",
    )
    generator: LossTerms = Field(
        default_factory=dict,
        description="Loss terms of the generator and their weights. If empty: those of the objective.",
    )

    preset_field: ClassVar[str] = "objective"
    presets: ClassVar[Mapping[str, Any]] = OBJECTIVES
    reset_with_preset: ClassVar[tuple[str, ...]] = ("embedding_sharing", "maskable", "generator_learning_rate")

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        """Check settings that exclude each other.

        Raises:
            UserError: two settings exclude each other, or one has no effect.
        """
        for name in ("encoder", "generator_encoder"):
            if getattr(self, name) is not None and self.from_scratch is not None:
                raise UserError(f"{name} and from_scratch are both set.", remedy="Set only one of them.")
        self._check_effects()
        if self.batch_size is not None and self.batch_size % self.gradient_accumulation_steps:
            raise UserError(
                f"batch_size {self.batch_size} is not divisible by gradient_accumulation_steps "
                f"{self.gradient_accumulation_steps}.",
                remedy="Set gradient_accumulation_steps to a divisor of batch_size.",
            )
        return self

    def _check_effects(self) -> None:
        """Check that each setting has an effect.

        Raises:
            UserError: a setting would be ignored.
        """
        requirements = {
            "from_scratch": (self.from_scratch is not None, ("vocab_size", "lowercase")),
            "a generator": (
                bool(self.generator),
                ("generator_encoder", "generator_layers", "generator_learning_rate"),
            ),
            "an encoder to continue from": (self.from_scratch is None, ("generator_layers", "interpolation")),
        }
        for requirement, (is_met, names) in requirements.items():
            for name in names:
                if not is_met and getattr(self, name) is not None:
                    raise UserError(f"{name} has no effect without {requirement}.", remedy=f"Remove {name}.")
        if self.generator_encoder is not None and self.generator_layers is not None:
            raise UserError(
                "generator_layers has no effect with a generator_encoder.", remedy="Remove one of the two settings."
            )
        if not self.generator and self.embedding_sharing in ("plain", "disentangled"):
            raise UserError(
                f"embedding_sharing={self.embedding_sharing} has no effect without a generator.",
                remedy="Remove embedding_sharing.",
            )

    def with_defaults(self) -> PretrainSettings:
        """Return the settings with the values derived that depend on the start and the objective.

        A pretrained encoder gets a low learning rate; new heads and generators, which start untrained, a higher one.
        """
        is_new = self.from_scratch is not None
        is_shared = self.embedding_sharing in ("plain", "disentangled")
        has_generator = bool(self.generator)
        # Selected on dev, see benchmarks/README.md.
        encoder_rate = 1e-4 if has_generator else 2e-4
        settings = self.derive(learning_rate=5e-4 if is_new else encoder_rate)
        rate = settings.learning_rate
        generator_rate = rate if is_new else 5e-4
        return settings.derive(
            batch_size=32 if is_new else 16,
            interpolation=None if is_new else 0.5,
            head_learning_rate=rate if is_new else 1e-3,
            generator_learning_rate=generator_rate if has_generator else None,
            embedding_sharing="plain" if is_new and has_generator else "none",
            maskable="tokens" if is_new else "single" if has_generator else "words",
            vocab_size=30_522 if is_new else None,
            lowercase=True if is_new else None,
            freeze_embeddings=not (is_new or is_shared),
        )

    def with_max_steps(self, max_steps: int) -> PretrainSettings:
        """Return the settings with the number of steps derived, and the bias correction, which depends on it."""
        settings = self.derive(max_steps=max_steps)
        steps = settings.max_steps or 0
        warmup = self.warmup_steps * steps if self.warmup_steps < 1 else self.warmup_steps
        return settings.derive(bias_correction=warmup < LONG_WARMUP)

    @property
    def start(self) -> str:
        """The encoder to continue from. Used only without `from_scratch`."""
        return self.encoder or EMBEDDED
