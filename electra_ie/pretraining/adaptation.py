"""Adaptation of the encoder to the text of a task by masked language modeling, before a run is trained on it.

This is task-adaptive pretraining (Gururangan et al., ACL 2020, arXiv 2004.10964). The adapted encoder is stored in the
cache, named by a hash of everything that decides its weights, so that other seeds and presets use it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from electra_ie.common import hashing
from electra_ie.common.cache import cache_folder
from electra_ie.common.errors import UserError
from electra_ie.common.files import MODEL_FILES, ROOT, locked, parse, write
from electra_ie.common.logs import notice, silenced
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.config.train import TrainSettings
from electra_ie.data.task import Task
from electra_ie.data.training_data import unlabeled
from electra_ie.models.encoders import encoder_config, load_tokenizer, max_length, resolve_encoder, resolve_revision
from electra_ie.pretraining.corpus_reader import Corpus, corpus_of_texts
from electra_ie.pretraining.setup import read_blocks, set_up
from electra_ie.pretraining.trainer import Pretrainer
from electra_ie.runs.layout import SETTINGS, is_finished
from electra_ie.training.encoder_adaptation import EncoderAdaptation
from electra_ie.training.loop import make_accelerator

STEPS = 200
"""Optimizer steps of 16 blocks of 128 tokens: 6 CPU minutes with bf16 on a slow core, about as many as a supervised run
and its student take with a hundred labels."""
MIN_TOKENS = 50_000
"""The number of tokens below which the encoder is not adapted: the steps would read them more than eight times."""
BLOCK_LENGTH = 128
SAVE_MINUTES = 1.0
CODE = ("common/randomness.py", "config/pretrain.py", "models", "pretraining", "training/driver.py", "training/loop.py")
"""Modules of this package that decide the weights of an adapted encoder."""
SUMS = "sums.json"
"""The hash of each model file of a cached encoder, by its name."""


def plan_adaptation(task: Task, settings: TrainSettings) -> EncoderAdaptation:
    """Read the texts of a run, and return the adaptation of its encoder to them.

    The texts are those of the splits train and unlabeled and of `settings.unlabeled`, never of dev or test. They do not
    depend on the label budget or the seed.

    Raises UserError for texts that cannot be read, and for an encoder without a mask token.
    """
    name = resolve_revision(settings.encoder)
    accelerator = make_accelerator(settings.precision)
    with silenced():  # the warnings about these files are printed when the data of the run are read
        documents = [*task.read("train"), *unlabeled(task, settings)]
    texts = corpus_of_texts([document.text for document in documents])
    tokenizer = load_tokenizer(name)
    length = min(BLOCK_LENGTH, max_length(tokenizer, encoder_config(name)))
    with accelerator.local_main_process_first():
        _, counts = read_blocks(texts, tokenizer, length)
    tokens = counts["tokens"]
    steps = STEPS if tokens >= MIN_TOKENS else 0
    plan = PretrainSettings(
        objective="mlm", encoder=name, block_length=length, max_steps=STEPS, num_evaluations=1,
        save_minutes=SAVE_MINUTES, precision=settings.precision,
    )  # fmt: skip
    key = _key(plan, texts, str(accelerator.mixed_precision), accelerator.device.type)
    shown = Path(name).name if Path(name).is_dir() else name
    if not steps and accelerator.is_main_process:
        notice(
            f"encoder: {shown} is used as it is: the {tokens:,} tokens of unlabeled and training text are fewer than "
            f"the {MIN_TOKENS:,} needed to adapt it. Add text with --unlabeled."
        )

    def train() -> str:
        with _locked(key) if accelerator.is_main_process else nullcontext():
            folder, is_cached = _load_or_train(key, plan, texts, f"adapting {shown}")
        if accelerator.is_main_process:
            extent = f"{counts['documents']:,} texts of {tokens:,} tokens in {steps} steps"
            notice(f"encoder: {shown}, adapted to {extent}{', from the cache' if is_cached else ''}.")
        return str(folder)

    return EncoderAdaptation(key, counts["documents"], tokens, steps, train)


def _key(plan: PretrainSettings, texts: Corpus, precision: str, device: str) -> str:
    """Return a hash of everything that decides the weights of the adapted encoder.

    The encoder counts by the content of its files, so that its path does not matter.
    """
    encoder = Path(resolve_encoder(plan.start))
    model = {file.name: hashing.of_file(file) for pattern in MODEL_FILES for file in encoder.glob(pattern)}
    code = {name: hashing.of_path(ROOT / name) for name in CODE}
    parts = [
        texts.hash,
        model,
        code,
        plan.as_dict(exclude=("encoder", "precision", "save_minutes")),
        precision,
        device,
        torch.__version__,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _load_or_train(key: str, plan: PretrainSettings, texts: Corpus, description: str) -> tuple[Path, bool]:
    """Return the folder of the adapted encoder, and whether it was in the cache.

    It is trained under another name and then renamed, so that a cached folder is complete. A training that was
    interrupted is resumed, or begun again if that fails.
    """
    folder = cache_folder() / f"{key}.encoder"
    part = folder.with_name(f"{folder.name}.part")
    accelerator = make_accelerator(plan.precision)
    is_cached, is_trained, is_begun = broadcast_object_list(
        [_is_intact(folder), part.is_dir() and is_finished(part), (part / SETTINGS).is_file()]
    )
    if is_cached:
        return folder, True
    if not is_trained:
        try:
            _train(plan, texts, part, description, is_begun)
        except UserError as error:
            if not is_begun:
                raise
            notice(f"the adaptation cannot be resumed ({error}); it is begun again.")
            _train(plan, texts, part, description, resume=False)
    if accelerator.is_main_process:
        write(part / SUMS, json.dumps(_sums(part)))
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        os.replace(part, folder)
    accelerator.wait_for_everyone()
    return folder, False


def _train(plan: PretrainSettings, texts: Corpus, folder: Path, description: str, resume: bool) -> None:
    """Train the adapted encoder in a folder, which is emptied first unless its training is resumed."""
    setup = set_up(plan, folder, texts=texts)
    if setup.is_main_process and not resume:
        shutil.rmtree(folder, ignore_errors=True)
    setup.accelerator.wait_for_everyone()
    with locked(folder):
        Pretrainer(setup, folder, time.monotonic(), description=description).run(resume)


def _is_intact(folder: Path) -> bool:
    """Return whether a folder holds an adapted encoder whose files are as they were written."""
    if not folder.is_dir():
        return False
    with suppress(OSError, UserError):  # without a readable sums.json it is damaged too
        if parse((folder / SUMS).read_bytes(), folder / SUMS) == _sums(folder):
            return True
    notice(f"{folder}: this adapted encoder is damaged; it is trained again.")
    return False


def _sums(folder: Path) -> dict[str, str]:
    return {file.name: hashing.of_file(file) for pattern in MODEL_FILES for file in sorted(folder.glob(pattern))}


@contextmanager
def _locked(key: str) -> Iterator[None]:
    """Lock an adapted encoder; wait as long as another process trains it."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache_folder() / f"{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notice("encoder: another process adapts it; waiting.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
