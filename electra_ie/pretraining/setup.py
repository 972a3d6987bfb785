"""Everything a pretraining needs before its first step: tokenizer, blocks of tokens, models, optimizer."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.logs import notice
from electra_ie.common.progress import progress
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_revision
from electra_ie.models.losses import TOKEN_TERMS, check_terms
from electra_ie.pretraining import model_factory
from electra_ie.pretraining.corpus_reader import Corpus, Counts, corpus_of_paths
from electra_ie.pretraining.embedding_sharing import TiedEmbeddings, disentangle
from electra_ie.pretraining.masking import MaskingCollator, TokenBatch, TokenBatches, hold_out
from electra_ie.pretraining.memory import peak_memory
from electra_ie.pretraining.optimizer import ElectraAdamW, parameter_groups
from electra_ie.pretraining.token_blocks import Blocks, load_or_build_blocks
from electra_ie.pretraining.token_models import (
    MaskedLanguageModel,
    TokenDiscriminator,
    TokenGenerator,
    check_mlm_parity,
)
from electra_ie.pretraining.vocabulary import new_tokenizer
from electra_ie.runs.layout import TRACKING
from electra_ie.training.loop import AdversarialPair, make_accelerator

HELD_OUT_BATCH = 32
"""Number of held-out blocks that are scored at once."""


@dataclass
class PretrainingSetup:
    """The models, data and settings of a pretraining run.

    settings: with every value that follows from encoder and corpus filled in, except the number of steps. blocks: the
    token ids of the corpus. corpus: its counts of documents, lines, tokens. held_out: batches that are never trained
    on, masked once, so that scores compare.
    """

    settings: PretrainSettings
    accelerator: Accelerator
    tokenizer: PreTrainedTokenizerBase
    blocks: Blocks
    corpus: dict[str, Any]
    pair: AdversarialPair
    batches: TokenBatches
    held_out: list[TokenBatch]

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files; the others only compute."""
        return bool(self.accelerator.is_main_process)


def set_up(
    settings: PretrainSettings, folder: Path, tracker: str | None = None, texts: Corpus | None = None
) -> PretrainingSetup:
    """Read the corpus, and build tokenizer, models and optimizer. Nothing is written to `folder`; tokens are cached.

    texts: the corpus, in place of the one in `settings.paths`.

    Raises UserError for a corpus, an encoder or settings that cannot be used.
    """
    check_terms({"discriminator": settings.discriminator, "generator": settings.generator}, TOKEN_TERMS)
    encoder, generator = (name and resolve_revision(name) for name in (settings.encoder, settings.generator_encoder))
    settings = settings.with_defaults().replace(encoder=encoder, generator_encoder=generator)
    accelerator = make_accelerator(settings.precision, tracker, folder / TRACKING)
    texts = texts or corpus_of_paths(settings.paths, settings.boundary, settings.deduplicate)
    with accelerator.local_main_process_first():
        tokenizer = _tokenizer(settings, texts, folder)
        config = model_factory.encoder_config(settings, tokenizer)
        _check_length(settings, tokenizer, config)
        blocks, corpus = read_blocks(texts, tokenizer, settings.block_length)
    if accelerator.is_main_process:
        _report(corpus, settings)
    torch.manual_seed(settings.seed)  # determines all new weights
    pair = prepare(accelerator, settings, config, tokenizer)
    trained, kept = hold_out(len(blocks), settings.held_out, settings.seed)
    masker = MaskingCollator(
        tokenizer, settings.block_length, settings.mask_ratio, settings.keep_ratio, settings.maskable or "tokens"
    )
    held_out = list(_held_out_batches(masker, blocks, kept))
    if held_out and not any(batch.weight.any() for batch in held_out):
        remedy = "Add --set maskable=tokens."
        raise UserError("no word of the corpus is a single token of this encoder.", remedy=remedy)
    part = (settings.batch_size or 0) // settings.gradient_accumulation_steps
    if part < accelerator.num_processes:
        raise UserError(
            f"an accumulated batch has {part} blocks for {accelerator.num_processes} processes.",
            remedy="Give a larger batch_size or fewer gradient_accumulation_steps.",
        )
    batches = TokenBatches(
        blocks, trained, masker, part, settings.seed, accelerator.process_index, accelerator.num_processes
    )
    return PretrainingSetup(settings, accelerator, tokenizer, blocks, corpus, pair, batches, held_out)


def _tokenizer(settings: PretrainSettings, texts: Corpus, folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the encoder, or a new one; a resumed run has saved the one that it began with."""
    if not settings.from_scratch:
        return load_tokenizer(settings.start)
    if (folder / "tokenizer.json").is_file():
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)

    def lines() -> Iterator[str]:
        return texts.lines(Counts())

    return new_tokenizer(
        lines, settings.vocab_size or 0, bool(settings.lowercase), max(512, settings.block_length), texts.hash
    )


def _check_length(settings: PretrainSettings, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> None:
    longest = max_length(tokenizer, config)
    if settings.block_length > longest:
        raise UserError(
            f"block_length is {settings.block_length}; the encoder takes {longest} tokens.",
            remedy=f"Set it to {longest} or less.",
        )


def read_blocks(texts: Corpus, tokenizer: PreTrainedTokenizerBase, length: int) -> tuple[Blocks, dict[str, Any]]:
    """Return the blocks of a corpus, from the cache or tokenized now, and its counts."""
    with progress(None, "reading the corpus", unit="lines") as report:
        return load_or_build_blocks(texts.lines, tokenizer, length, texts.hash, report)


def _report(corpus: dict[str, Any], settings: PretrainSettings) -> None:
    """Show the size of the corpus, and what was left out of it."""
    left_out = {"repeated": "repeated lines left out", "empty": "files without text", "textless": "null texts"}
    omissions = "".join(f", {corpus[name]:,} {words}" for name, words in left_out.items() if corpus[name])
    memory = peak_memory()
    notice(
        f"corpus: {corpus['documents']:,} documents, {corpus['lines']:,} lines{omissions}, {corpus['tokens']:,} tokens "
        f"in {corpus['blocks']:,} blocks of {settings.block_length}"
        + ("" if memory is None else f"; peak memory {memory:,} MiB")
    )


def _held_out_batches(masker: MaskingCollator, blocks: Blocks, indices: np.ndarray) -> Iterator[TokenBatch]:
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(indices), HELD_OUT_BATCH):
        yield masker(torch.from_numpy(blocks.rows(indices[start : start + HELD_OUT_BATCH])), generator)


def prepare(
    accelerator: Accelerator,
    settings: PretrainSettings,
    config: PreTrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
) -> AdversarialPair:
    """Build generator and discriminator with their shared embeddings, and prepare them and the optimizer."""
    generator: TokenGenerator | None = None
    discriminator: MaskedLanguageModel | TokenDiscriminator
    if not settings.generator:
        discriminator = MaskedLanguageModel(
            model_factory.load_masked_lm(settings, config), model_factory.load_pooler(settings)
        )
        check_mlm_parity(discriminator, settings.start)
    else:
        discriminator = TokenDiscriminator(model_factory.load_encoder(settings, config))
        generator = TokenGenerator(model_factory.load_generator(settings, config, tokenizer))
        check_mlm_parity(generator, settings.generator_encoder or settings.start)
    models = [model for model in (generator, discriminator) if model is not None]
    if settings.freeze_embeddings:
        for model in models:
            model.encoder.get_input_embeddings().requires_grad_(False)
    tied = _share(settings.embedding_sharing, generator, discriminator) if generator is not None else None
    followers = {id(follower) for _, follower in tied.pairs} if tied else set()
    # The name of a group's learning rate is that of its setting.
    parts = [("learning_rate", discriminator.encoder.parameters()), ("head_learning_rate", discriminator.parameters())]
    if generator is not None:
        parts.append(("generator_learning_rate", generator.parameters()))
    optimizer = ElectraAdamW(parameter_groups(parts, followers, settings.weight_decay), lr=0.0, eps=1e-6, fused=True)
    if settings.torch_compile:
        _check_compiler(accelerator)
        for model in models:
            model.encoder.compile()
    return AdversarialPair(
        accelerator,
        accelerator.prepare(discriminator),
        accelerator.prepare(generator) if generator is not None else None,
        accelerator.prepare(optimizer),
        tied,
        accumulation_steps=settings.gradient_accumulation_steps,
        clip_jointly=True,
    )


def _check_compiler(accelerator: Accelerator) -> None:
    """Raise UserError if torch.compile would fail at the first step: on a CPU it compiles C++."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # the one that torch looks for
    if accelerator.device.type == "cpu" and not shutil.which(name):
        remedy = f"Install {name}, or leave out torch_compile."
        raise UserError(f"torch_compile needs the C++ compiler {name}, which is not installed.", remedy=remedy)


def _share(sharing: str | None, generator: TokenGenerator, discriminator: Any) -> TiedEmbeddings | None:
    if sharing == "plain":
        return TiedEmbeddings(_embeddings(generator.encoder), _embeddings(discriminator.encoder))
    if sharing == "disentangled":
        base = generator.encoder.get_input_embeddings().weight
        disentangle(discriminator.encoder, base)
        discriminator.encoder.get_input_embeddings().requires_grad_(base.requires_grad)
    return None


def _embeddings(encoder: PreTrainedModel) -> torch.nn.Module:
    """Return the module that sums word, position and type embeddings, layer norm included; else the word embeddings."""
    embeddings = getattr(encoder, "embeddings", None)
    return embeddings if isinstance(embeddings, torch.nn.Module) else encoder.get_input_embeddings()
