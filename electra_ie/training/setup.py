"""Everything a training run needs before its first step: windows, models, optimizer, extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from transformers import PreTrainedTokenizerBase

from electra_ie.common.errors import UserError
from electra_ie.config.train import TrainSettings
from electra_ie.data.fields import Field
from electra_ie.data.label_texts import label_texts
from electra_ie.data.span_boundaries import edges_of
from electra_ie.data.task import Task
from electra_ie.data.training_data import TrainingData, windows_of
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, document_indices
from electra_ie.inference.extractor import Extractor
from electra_ie.models.bias_init import init_bias_to_prior
from electra_ie.models.configs import LatentGeneratorConfig, MaskingGeneratorConfig
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.encoders import load_tokenizer, mask_token, max_length, resolve_revision
from electra_ie.models.frozen_encoder import FrozenEncoder
from electra_ie.models.latent_generator import LatentGenerator
from electra_ie.models.losses import ROW_TERMS, check_terms
from electra_ie.models.masking_generator import MaskingGenerator
from electra_ie.models.parity_checks import check_maskable
from electra_ie.models.pooling import choose_pooling
from electra_ie.runs.layout import TRACKING
from electra_ie.runs.training_facts import DistillationFacts
from electra_ie.training.encoder_adaptation import EncoderAdaptation
from electra_ie.training.flag_thresholds import SAMPLE_SIZE, FlagThresholds
from electra_ie.training.loop import AdversarialPair, make_accelerator, prepare
from electra_ie.training.windows import TrainingWindows

Generator = LatentGenerator | MaskingGenerator


@dataclass(frozen=True)
class Start:
    """The model that a student of a finished run begins with (see `distillation`).

    Attributes:
        discriminator: The model.
        windower: That of the run: teacher and student read the same windows.
        facts: What scores.json, audit.json and corpus.json say of the distillation.
    """

    discriminator: Discriminator
    windower: WindowTokenizer
    facts: DistillationFacts

    @property
    def description(self) -> str:
        """What messages say in place of a preset."""
        return f"distilled to {self.facts['name']}"


@dataclass
class TrainingSetup:
    """What a run trains, and on what.

    Attributes:
        task: The task.
        settings: The settings, with every value that follows from data and encoder filled in.
        data: The documents and hints.
        windows: The windows of the documents.
        discriminator: The model that is trained, as it is before it is prepared.
        generator: The generator, which has no weights that are trained if it masks at random. None for the supervised
            preset, and where there is no unlabeled text for a teacher to label.
        pair: Both models and their optimizer, prepared.
        frozen_encoder: The encoder as it is before the first step, for co-training; None without it.
        thresholds: What sets the thresholds of flags.
        extractor: Predicts with the discriminator.
        description: How messages call the run.
        adaptation: The adaptation of the encoder; None without it.
        distillation: The facts about the distillation; None for any other run.
    """

    task: Task
    settings: TrainSettings
    data: TrainingData
    windows: TrainingWindows
    discriminator: Discriminator
    generator: Generator | None
    pair: AdversarialPair
    frozen_encoder: FrozenEncoder | None
    thresholds: FlagThresholds
    extractor: Extractor
    description: str
    adaptation: EncoderAdaptation | None
    distillation: DistillationFacts | None

    @property
    def accelerator(self) -> Accelerator:
        """The Accelerator that has prepared the models."""
        return self.pair.accelerator

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files; the others only compute."""
        return bool(self.accelerator.is_main_process)


def set_up(
    task: Task,
    settings: TrainSettings,
    data: TrainingData,
    folder: Path,
    tracker: str | None = None,
    student: TrainingSetup | None = None,
    adaptation: EncoderAdaptation | None = None,
    start: Start | None = None,
) -> TrainingSetup:
    """Build windows, models and optimizer of a run. Nothing is written.

    student: the run that the model of this one will teach; both use the same windows and the same encoder. adaptation:
    that of the encoder; while it is only planned, the models are built on the encoder as it is. start: the model of a
    student of a finished run, in place of new heads on the encoder; its settings have every value about the encoder.

    Raises UserError for an encoder that cannot be loaded or used, and for loss terms that do not go together.
    """
    refuse_latent_tracks(settings, task.fields)
    check_terms({"discriminator": settings.discriminator, "generator": settings.generator}, ROW_TERMS)
    accelerator = make_accelerator(settings.precision, tracker, folder / TRACKING)
    adaptation = student.adaptation if student else adaptation
    if start:
        discriminator, windower, tokenizer = start.discriminator, start.windower, start.windower.tokenizer
    else:
        settings, discriminator, tokenizer = _on_encoder(settings, task.fields, adaptation)
        windower = student.windows.windower if student else _windower(tokenizer, settings, data, task.fields)
    labeled = windows_of(data.train, windower, task.fields)
    init_bias_to_prior(discriminator, labeled)
    settings = settings.with_schedule(len(labeled), discriminator.hidden_size, _has(task.fields, "spans"))
    windows = _windows(settings, task.fields, data, windower, labeled, pool_has_labeled=start is not None)
    _refuse_small_batch(settings, windows, accelerator.num_processes)
    sample = windows.pool[: _index_after(windows.pool, SAMPLE_SIZE)]
    generator = _generator(settings, task.fields, discriminator, tokenizer, windows)
    pair = prepare(accelerator, discriminator, generator, settings)
    co_training = settings.co_training and generator and settings.has_teacher and _has(task.fields, "classes", "flags")
    return TrainingSetup(
        task=task,
        settings=settings,
        data=data,
        windows=windows,
        discriminator=discriminator,
        generator=generator,
        pair=pair,
        # Before the first step: it keeps a copy of the encoder as pretrained.
        frozen_encoder=FrozenEncoder(discriminator.encoder, windower) if co_training else None,
        thresholds=FlagThresholds(task.fields, [*data.train, *data.dev], sample, windower),
        extractor=Extractor(discriminator, windower, task.fields, edges=edges_of(data.train, task.fields)),
        description=f"{task.name} ({start.description if start else _description(settings, student is not None)})",
        adaptation=adaptation,
        distillation=start.facts if start else None,
    )


def _on_encoder(
    settings: TrainSettings, fields: Sequence[Field], adaptation: EncoderAdaptation | None
) -> tuple[TrainSettings, Discriminator, PreTrainedTokenizerBase]:
    """Return new heads on the encoder of the settings, its tokenizer, and the settings with what follows from both."""
    encoder = resolve_revision(settings.encoder)
    tokenizer = load_tokenizer(encoder)
    pooling = choose_pooling(encoder, settings.pooling)
    torch.manual_seed(settings.training_seed)  # decides the weights of the new heads and of the generator
    weights = adaptation.folder if adaptation and adaptation.folder else encoder
    discriminator = Discriminator.from_encoder(
        weights, fields, pooling=pooling, realness_head=settings.generates_states
    )
    settings = (
        settings.replace(encoder=encoder)
        .derive(pooling=pooling, adapt_encoder=settings.adapts_encoder)
        .with_window(max_length(tokenizer, discriminator.encoder.config), _has(fields, "classes", "flags"))
    )
    return settings, discriminator, tokenizer


def _windows(
    settings: TrainSettings,
    fields: Sequence[Field],
    data: TrainingData,
    windower: WindowTokenizer,
    labeled: list[LabeledWindow],
    pool_has_labeled: bool,
) -> TrainingWindows:
    """Return the windows of a run, given those of its labeled documents, on which the settings depend."""
    about_labels = label_texts(fields, data.descriptions) if settings.label_texts else []
    documents, pool = data.unlabeled_windows(windower, _windows_needed(settings, fields), settings.seed)
    if pool_has_labeled:
        pool = [*pool, *(LabeledWindow(row.window, {}) for row in labeled)]
    return TrainingWindows(
        windower=windower,
        labeled=labeled,
        label_texts=about_labels,
        label_windows=windows_of(about_labels, windower, fields),
        pool=pool,
        pool_documents=documents,
        pool_has_labeled=pool_has_labeled,
    )


def _refuse_small_batch(settings: TrainSettings, windows: TrainingWindows, processes: int) -> None:
    """Raise UserError if there are more processes than windows in a batch."""
    reads_pool = settings.reads_unlabeled and windows.unlabeled_count > 0
    rows = (settings.batch_size or 0) + (settings.unlabeled_batch_size or 0) * reads_pool
    if rows < processes:
        remedy = "Give a larger batch_size, or fewer processes."
        raise UserError(f"a batch has {rows} windows for {processes} processes.", remedy=remedy)


def _windows_needed(settings: TrainSettings, fields: Sequence[Field]) -> int:
    """Return how many unlabeled windows a run reads: in training, or to set the thresholds of flags."""
    in_training = (settings.max_steps or 0) * (settings.unlabeled_batch_size or 0) if settings.reads_unlabeled else 0
    return max(in_training, SAMPLE_SIZE if _has(fields, "flags") else 0)


def _index_after(windows: Sequence[LabeledWindow], documents: int) -> int:
    """Return the index after the windows of the first documents."""
    return sum(index < documents for index in document_indices(windows))


def _has(fields: Sequence[Field], *kinds: str) -> bool:
    return any(field.kind in kinds for field in fields)


def refuse_latent_tracks(settings: TrainSettings, fields: Sequence[Field]) -> None:
    """Raise UserError for generated states of tokens with several tags: the generator knows one tag a state."""
    for field in fields:
        if field.has_tracks and settings.generates_states:
            message = (
                f"the preset {settings.preset} does not generate states for the scheme {field.scheme} ({field.name})."
            )
            raise UserError(message, remedy="Choose another preset, such as self_training.")


def _windower(
    tokenizer: PreTrainedTokenizerBase, settings: TrainSettings, data: TrainingData, fields: Sequence[Field]
) -> WindowTokenizer:
    return data.windower(tokenizer, settings.window or 0, settings.context_overlap, fields, settings.units)


def _generator(
    settings: TrainSettings,
    fields: Sequence[Field],
    discriminator: Discriminator,
    tokenizer: PreTrainedTokenizerBase,
    windows: TrainingWindows,
) -> Generator | None:
    """Return the generator, or None (see `TrainingSetup`)."""
    if settings.generates_states:
        size, seed = settings.latent_size, settings.training_seed
        return LatentGenerator(LatentGeneratorConfig(fields, discriminator.hidden_size, size, seed))
    if settings.has_teacher and windows.pool:  # on labeled text a teacher adds nothing to the labels
        return _masking_generator(discriminator, tokenizer, settings)
    return None


def _masking_generator(
    discriminator: Discriminator, tokenizer: PreTrainedTokenizerBase, settings: TrainSettings
) -> MaskingGenerator:
    """Raises UserError for an encoder whose tokens cannot be masked."""
    token = mask_token(tokenizer, settings.encoder)
    check_maskable(discriminator, settings.encoder, token)
    size, special, seed = discriminator.hidden_size, tokenizer.all_special_ids, settings.training_seed
    learned = settings.trains_generator
    return MaskingGenerator(MaskingGeneratorConfig(size, token, special, settings.mask_ratio, seed, learned))


def _description(settings: TrainSettings, is_teacher: bool) -> str:
    """Return the preset, and the round of self-training if there are several; `teacher` for the supervised one."""
    if is_teacher and not settings.has_teacher:
        return "teacher"
    several = settings.has_teacher and (is_teacher or settings.self_training_rounds > 1)
    return f"{settings.preset}, round {settings.self_training_rounds}" if several else settings.preset
