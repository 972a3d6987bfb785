"""One pretraining run: read the corpus, play the game, score the held-out blocks, save encoder and generator."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.common.files import CARD, locked, write
from electra_ie.common.logs import notice
from electra_ie.common.progress import progress
from electra_ie.config.base import check_same_settings
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_encoder, resolve_revision
from electra_ie.models.losses import TOKEN_TERMS, check_terms
from electra_ie.models.pooling import TOLD, told_in
from electra_ie.pretraining import corpus_reader as sources
from electra_ie.pretraining import model_factory as models
from electra_ie.pretraining.embedding_sharing import TiedEmbeddings, disentangle
from electra_ie.pretraining.export import blend, save_encoder, verify
from electra_ie.pretraining.masking import MaskingCollator, TokenBatch, TokenBatches, hold_out
from electra_ie.pretraining.memory import peak_memory
from electra_ie.pretraining.model_card import encoder_card
from electra_ie.pretraining.optimizer import ElectraAdamW, groups
from electra_ie.pretraining.players import MaskedLanguageModel, TokenDiscriminator, TokenGenerator, probe
from electra_ie.pretraining.scoring import score
from electra_ie.pretraining.token_blocks import load_or_build_blocks
from electra_ie.pretraining.vocabulary import new_tokenizer
from electra_ie.runs import plots
from electra_ie.runs.layout import CHECKPOINT, CORPUS, CURVES, PRETRAINING, SETTINGS, TRACKING, write_log
from electra_ie.training.checkpoints import Progress, check_same_corpus, checkpoint, not_finite_error, restore
from electra_ie.training.loop import (
    AdversarialPair,
    LossNotFinite,
    Step,
    check_weights,
    make_accelerator,
    own_states,
    training_steps,
)
from electra_ie.training.tracking import tracking

ROWS = 1_000
"""Rows of losses that log.jsonl holds at most, each the mean of the steps since the one before."""
SCORED_AT_ONCE = 32
LONG_WARMUP = 1_000
"""Steps of warm-up from which on Adam's moments need no correction."""
TRIAL = 8
"""Steps that are timed, behind two that are not, to learn how many fit into the hours given."""
SPARE = 0.03
"""Share of the hours that is left for scoring and saving."""


class Pretraining:
    """A recipe about to become an encoder in `folder`. Nothing is written there before `run`; the tokens of the corpus
    are kept in the cache."""

    def __init__(self, settings: PretrainSettings, folder: Path, tracker: str | None = None):
        check_terms({"discriminator": settings.discriminator, "generator": settings.generator}, TOKEN_TERMS)
        encoder, generator = (
            name and resolve_revision(name) for name in (settings.encoder, settings.generator_encoder)
        )
        settings = replace(settings.with_defaults(), encoder=encoder, generator_encoder=generator)
        self.folder, self.began, self.done = folder, time.monotonic(), Progress()
        self.accelerator = make_accelerator(settings.precision, tracker, folder / TRACKING)
        self.main = self.accelerator.is_main_process
        content = json.dumps([sources.content_hash(settings.paths), settings.boundary, settings.deduplicate])
        with self.accelerator.local_main_process_first():
            self.tokenizer = self._tokenizer(settings, content)
            config = models.encoder_config(settings, self.tokenizer)
            self._check_length(settings, config)
            self.blocks, self.corpus = self._read(settings, content)
        torch.manual_seed(settings.seed)  # decides all new weights
        self.players = prepare(self.accelerator, settings, config, self.tokenizer)
        trained, held_out = hold_out(len(self.blocks), settings.held_out, settings.seed)
        masker = MaskingCollator(
            self.tokenizer,
            settings.block_length,
            settings.mask_ratio,
            settings.keep_ratio,
            settings.maskable or "tokens",
        )
        self.held_out = list(self._held_out_batches(masker, held_out))
        if self.held_out and not any(batch.weight.any() for batch in self.held_out):
            remedy = "Add --set maskable=tokens."
            raise UserError("no word of the corpus is a token of this encoder.", remedy=remedy)
        part = (settings.batch_size or 0) // settings.gradient_accumulation_steps
        if part < self.accelerator.num_processes:
            raise UserError(
                f"a part of a step has {part} blocks for {self.accelerator.num_processes} processes.",
                remedy="Give a larger batch or a smaller accumulate.",
            )
        place, places = self.accelerator.process_index, self.accelerator.num_processes
        self.batches = TokenBatches(self.blocks, trained, masker, part, settings.seed, place, places)
        self.settings = settings
        self.one_pass = math.ceil(len(trained) / (settings.batch_size or 1))
        self.rows: list[dict[str, Any]] = []

    def run(self, resume: bool = False) -> None:
        """Pretrain, and leave a complete encoder. With `resume`, go on from the last checkpoint, to the very same
        weights.

        Raises UserError where a loss is no finite number (the last good checkpoint stays), or where the run to resume
        was begun with another recipe or another corpus.
        """
        if resume:
            self._restore()
        try:
            self.settings = self._with_steps()
        except LossNotFinite as error:
            raise UserError(f"{error}, in a trial of the first ones.", remedy="Check the encoder's weights.") from error
        self._set_peaks()
        if not resume and self.main:
            write(self.folder / CORPUS, json.dumps({"hash": self.blocks.hash, **self.corpus}, indent=2) + "\n")
            self.tokenizer.save_pretrained(self.folder)
            # Last: with it the run can be resumed.
            write(self.folder / SETTINGS, yaml.safe_dump(self.settings.as_dict(), sort_keys=False, allow_unicode=True))
        try:
            self._play()
        except LossNotFinite as error:
            if self.main:
                write_log(self.folder, self.rows)
            raise not_finite_error(error, self.folder, self.done, self.settings.learning_rate) from error
        if self.main:
            self._finish()
        self.accelerator.wait_for_everyone()

    # Before the first step

    def _tokenizer(self, settings: PretrainSettings, content: str) -> PreTrainedTokenizerBase:
        """The encoder's; or a new one, which a run that is resumed has kept."""
        if not settings.from_scratch:
            return load_tokenizer(settings.start)
        if (self.folder / "tokenizer.json").is_file():
            return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False)

        def lines() -> Iterator[str]:
            return sources.read(settings.paths, settings.boundary, settings.deduplicate, sources.Counts())

        return new_tokenizer(
            lines, settings.vocab_size or 0, bool(settings.lowercase), max(512, settings.block_length), content
        )

    def _check_length(self, settings: PretrainSettings, config: Any) -> None:
        most = max_length(self.tokenizer, config)
        if settings.block_length > most:
            raise UserError(
                f"block_length is {settings.block_length}; the encoder takes {most} tokens.",
                remedy=f"Set it to {most} or less.",
            )

    def _read(self, settings: PretrainSettings, content: str) -> tuple[Any, dict[str, Any]]:
        """The blocks of the corpus, tokenised now or before."""
        with progress(None, "reading the corpus", unit="lines") as report:
            blocks, counts = load_or_build_blocks(
                lambda counts: sources.read(settings.paths, settings.boundary, settings.deduplicate, counts),
                self.tokenizer, settings.block_length, content, report,
            )  # fmt: skip
        if self.main:
            left_out = {"repeated": "repeated lines left out", "empty": "files without text", "textless": "null texts"}
            said = "".join(f", {counts[name]:,} {words}" for name, words in left_out.items() if counts[name])
            notice(
                f"corpus: {counts['documents']:,} documents, {counts['lines']:,} lines{said}, "
                f"{counts['tokens']:,} tokens in {counts['blocks']:,} blocks of {settings.block_length}{_peak_told()}"
            )
        return blocks, counts

    def _held_out_batches(self, masker: MaskingCollator, places: Any) -> Iterator[TokenBatch]:
        draw = torch.Generator().manual_seed(0)
        for start in range(0, len(places), SCORED_AT_ONCE):
            yield masker(torch.from_numpy(self.blocks.rows(places[start : start + SCORED_AT_ONCE])), draw)

    def _with_steps(self) -> PretrainSettings:
        """The recipe with its steps written out: those given, or those that fit into the hours, or one pass."""
        steps = self.settings.max_steps or (
            self._steps_in(self.settings.max_hours) if self.settings.max_hours else self.one_pass
        )
        corrected = self.settings.bias_correction
        if corrected is None:
            corrected = self.settings.warmup_steps * steps < LONG_WARMUP
        return replace(self.settings, max_steps=steps, bias_correction=corrected)

    def _steps_in(self, hours: float) -> int:
        """How many steps fit: some are played with a learning rate of 0, then all is as it was before."""
        trial = replace(self.settings, max_steps=2 + TRIAL, learning_rate=0.0)
        self._set_peaks(0.0)
        began = 0.0
        for step in training_steps(self.players, self.batches, trial):
            if step.number == 1:
                began = time.monotonic()
        each = (time.monotonic() - began) / TRIAL
        self.players.optimizer.state.clear()
        slowest = max(self.accelerator.gather(torch.tensor([each], device=self.accelerator.device)).tolist())
        left = hours * 3600 * (1 - SPARE) - (time.monotonic() - self.began)
        steps = max(1, int(left / slowest))
        steps = int(broadcast_object_list([steps])[0])
        if self.main:
            notice(f"{slowest:.3f} s a step: {steps:,} steps in {hours:g} hours")
        return steps

    def _set_peaks(self, rate: float | None = None) -> None:
        for group in self.players.optimizer.param_groups:
            group["peak"] = getattr(self.settings, group["rate"]) if rate is None else rate
        optimizer: Any = self.players.optimizer
        optimizer.optimizer.corrected = self.settings.bias_correction is not False

    def _restore(self) -> None:
        check_same_settings(PretrainSettings.build(self.folder / SETTINGS), self.settings, self.folder)
        check_same_corpus(self.folder, self.blocks.hash)
        self.done, self.rows = restore(self.folder, self.players)

    # The steps

    def _play(self) -> None:
        steps = self.settings.max_steps or 0
        every = max(1, steps // ROWS)
        scored = {
            round(steps * number / self.settings.num_evaluations)
            for number in range(1, self.settings.num_evaluations + 1)
        }
        before = max((row["seconds"] for row in self.rows), default=0.0)
        began = saved = time.monotonic()
        row = Row()
        first = steps if self._late(before) else self.done.step  # resumed when the time was up already
        with (
            progress(steps, f"pretraining ({self.settings.objective})", start=self.done.step) as report,
            tracking(self.accelerator, self.folder, self.settings, self.done.step) as track,
        ):
            for step in training_steps(self.players, self.batches, self.settings, first):
                done = step.number + 1
                row.add(step)
                late = False
                if done % every == 0 or done in scored or done == steps:
                    seconds = before + time.monotonic() - began
                    late = self._late(seconds)
                    check_weights(self.players, done)  # in every process: all end, or none
                    self.rows.append(row.close(done, seconds, self._tokens(done)))
                    row = Row()
                    if done in scored or late:
                        self._score(done)
                    track(self.rows[-1])
                    if self.main and (
                        done == steps or late or time.monotonic() - saved > 60 * self.settings.save_minutes
                    ):
                        self._checkpoint(done)
                        saved = time.monotonic()
                report(done, loss=step.losses["discriminator"])
                if late:
                    return

    def _late(self, seconds: float) -> bool:
        """Is the time up that the recipe gives? All processes answer as the first one does."""
        if self.settings.max_hours is None:
            return False
        return bool(broadcast_object_list([seconds > self.settings.max_hours * 3600])[0])

    def _tokens(self, steps: int) -> int:
        """Tokens read in so many steps, special ones included."""
        return steps * (self.settings.batch_size or 0) * self.settings.block_length

    def _score(self, done: int) -> None:
        if self.main and self.held_out:
            self.rows.append({**self.rows[-1], "held_out": score(self.players, self.held_out)})

    def _checkpoint(self, done: int) -> None:
        reached = replace(self.done, step=done)
        checkpoint(self.folder, self.players, reached, self.rows)
        self.done = reached

    # Behind the last step

    def _finish(self) -> None:
        """Save stock folders, prove that they are what was trained, and leave numbers, plot and card."""
        judge, maker = self.players.judge, self.players.maker
        if self.settings.interpolation is not None:
            blend(judge.encoder, models.load_start(self.settings), self.settings.interpolation)
            if self.players.shared:
                self.players.shared.lead()
        save_encoder(judge, self.folder, self.tokenizer)
        if maker is not None:
            save_encoder(maker, self.folder / models.GENERATOR, self.tokenizer)
        pooling = None if self.settings.from_scratch else told_in(resolve_encoder(self.settings.start))
        if pooling:  # so that `train` pools as before
            write(self.folder / TOLD, pooling.read_text("utf-8"))
        if self.held_out:
            verify(self.players, self.held_out[0], self.folder)
        summary = self._summary()
        write(self.folder / PRETRAINING, json.dumps(summary, indent=2) + "\n")
        plots.pretraining(self.rows, self.folder / CURVES)
        write(self.folder / CARD, encoder_card(self.settings, summary))
        write_log(self.folder, self.rows)
        shutil.rmtree(self.folder / CHECKPOINT)

    def _summary(self) -> dict[str, Any]:
        last = self.rows[-1]
        seconds = last["seconds"]
        kind = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
        return {
            "corpus": {"hash": self.blocks.hash, **self.corpus},
            "steps": last["step"],
            "steps_planned": self.settings.max_steps,
            "tokens": last["tokens"],
            "passes": round(last["step"] * (self.settings.batch_size or 0) / len(self.batches.trained), 3),
            "seconds": round(seconds, 1),
            "tokens_per_second": round(last["tokens"] / seconds) if seconds else None,
            "processes": self.accelerator.num_processes,
            "device": kind,
            "precision": self.accelerator.mixed_precision,
            "peak_memory_mib": peak_memory(),
            "held_out": score(self.players, self.held_out) if self.held_out else {},
        }


@own_states()
def pretrain_run(settings: PretrainSettings, folder: Path, resume: bool = False, tracker: str | None = None) -> None:
    """Read the corpus, pretrain, and leave a complete encoder.

    Raises UserError for whatever is wrong with the input, before anything is written.
    """
    pretraining = Pretraining(settings, folder, tracker)
    with locked(folder):
        pretraining.run(resume)


class Row:
    """The mean of some steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, step: Step) -> None:
        self.steps.append(step)

    def close(self, done: int, seconds: float, tokens: int) -> dict[str, Any]:
        total = Step(done, {}, {}, None)
        for each in self.steps:
            total.add(each, len(self.steps))
        row: dict[str, Any] = {"step": done, "seconds": round(seconds, 3), "tokens": tokens, **total.losses}
        if total.realness:
            row.update(realness_real=total.realness[0], realness_fake=total.realness[1])
        return {**row, **total.parts}


def prepare(
    accelerator: Accelerator, settings: PretrainSettings, config: Any, tokenizer: PreTrainedTokenizerBase
) -> AdversarialPair:
    """Both players of a recipe, their embeddings shared as it says, handed to Accelerate with their optimiser."""
    generator: TokenGenerator | None = None
    discriminator: MaskedLanguageModel | TokenDiscriminator
    if not settings.generator:
        discriminator = MaskedLanguageModel(models.load_filler(settings, config), models.load_pooler(settings))
        probe(discriminator, settings.start)
    else:
        discriminator = TokenDiscriminator(models.load_encoder(settings, config))
        generator = TokenGenerator(models.load_generator(settings, config, tokenizer))
        probe(generator, settings.generator_encoder or settings.start)
    both = [each for each in (generator, discriminator) if each is not None]
    if settings.freeze_embeddings:
        for each in both:
            each.encoder.get_input_embeddings().requires_grad_(False)
    ties = _share(settings.embedding_sharing, generator, discriminator) if generator is not None else None
    followers = {id(follower) for _, follower in ties.pairs} if ties else set()
    parts = [("learning_rate", discriminator.encoder.parameters()), ("head_learning_rate", discriminator.parameters())]
    if generator is not None:
        parts.append(("generator_learning_rate", generator.parameters()))
    optimizer = ElectraAdamW(groups(parts, followers, settings.weight_decay), lr=0.0, eps=1e-6, fused=True)
    if settings.torch_compile:
        _check_compiler(accelerator)
        for each in both:
            each.encoder.compile()
    return AdversarialPair(
        accelerator,
        accelerator.prepare(discriminator),
        accelerator.prepare(generator) if generator is not None else None,
        accelerator.prepare(optimizer),
        ties,
        parts=settings.gradient_accumulation_steps,
        jointly=True,
    )


def _check_compiler(accelerator: Accelerator) -> None:
    """Raises UserError where torch.compile would fail at the first step: on a CPU it writes C++."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # what torch looks for
    if accelerator.device.type == "cpu" and not shutil.which(name):
        remedy = f"Install {name}, or leave compile out."
        raise UserError(f"compile needs the C++ compiler {name}, which is not here.", remedy=remedy)


def _share(sharing: str | None, generator: TokenGenerator, discriminator: Any) -> TiedEmbeddings | None:
    if sharing == "plain":
        return TiedEmbeddings(_embeddings(generator.encoder), _embeddings(discriminator.encoder))
    if sharing == "disentangled":
        base = generator.encoder.get_input_embeddings().weight
        disentangle(discriminator.encoder, base)
        discriminator.encoder.get_input_embeddings().requires_grad_(base.requires_grad)
    return None


def _embeddings(encoder: PreTrainedModel) -> torch.nn.Module:
    """All that an encoder adds up for a token, position and norm included; else its word embeddings."""
    found = getattr(encoder, "embeddings", None)
    return found if isinstance(found, torch.nn.Module) else encoder.get_input_embeddings()


def _peak_told() -> str:
    most = peak_memory()
    return "" if most is None else f"; peak memory {most:,} MiB"
