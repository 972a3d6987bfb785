"""Export of pretrained models as stock folders, and the check that these give the logits of the models in memory."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.electra.modeling_electra import ElectraForPreTraining

from electra_ie.models.encoders import quiet_transformers
from electra_ie.models.untrusted import strip_code_references
from electra_ie.pretraining import model_factory
from electra_ie.pretraining.embedding_sharing import GradientDisentangledEmbedding, with_plain_embedding
from electra_ie.pretraining.masking import TokenBatch
from electra_ie.pretraining.token_models import MaskedTokenModel, TokenDiscriminator
from electra_ie.training.loop import AdversarialPair


@torch.no_grad()
def blend(encoder: PreTrainedModel, start: PreTrainedModel, interpolation: float) -> None:
    """Interpolate an encoder's weights in place: start + interpolation * (trained - start).

    WiSE-FT (Wortsman et al. 2022, section 3). Heads are not interpolated: most start from random weights, with which
    an average is of no use.
    """
    initial = dict(start.to(encoder.device).named_parameters())  # type: ignore[arg-type]
    embedding: Any = encoder.get_input_embeddings()
    if isinstance(embedding, GradientDisentangledEmbedding):
        word_weight = start.get_input_embeddings().weight
        (name,) = (name for name, weight in initial.items() if weight is word_weight)
        embedding.residual.copy_(torch.lerp(initial[name], embedding.weight, interpolation) - embedding.bases[0])
    for name, weight in encoder.named_parameters():
        if weight is not getattr(embedding, "residual", None):
            weight.copy_(torch.lerp(initial[name], weight, interpolation))


def save_encoder(module: Any, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Save a generator or discriminator as a stock folder.

    It holds an `ElectraForPreTraining`, a masked language model, or a plain encoder.
    """
    part = folder / ".model.part"
    shutil.rmtree(part, ignore_errors=True)
    with quiet_transformers(), module.stock_model() as model, with_plain_embedding(module.encoder):
        strip_code_references(vars(model.config))
        model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    # config.json is moved last: transformers loads a folder only if it is there, so the folder is complete or unusable.
    for file in sorted(part.iterdir(), key=lambda file: file.name == "config.json"):
        os.replace(file, folder / file.name)
    part.rmdir()


@torch.no_grad()
def verify(pair: AdversarialPair, batch: TokenBatch, folder: Path) -> None:
    """Compare the saved folders, loaded by stock classes, with the models in memory on up to four blocks of `batch`.

    Raises RuntimeError if their logits differ, which is a fault of this program.
    """
    device = pair.accelerator.device
    batch = TokenBatch(*(getattr(batch, field.name)[:4] for field in fields(batch))).to(device)
    saved_in = ((pair.unwrapped_discriminator, folder), (pair.unwrapped_generator, folder / model_factory.GENERATOR))
    for module, path in saved_in:
        if module is None:
            continue
        module.eval()
        model_class: Any = AutoModelForMaskedLM if isinstance(module, MaskedTokenModel) else AutoModel
        if isinstance(module, TokenDiscriminator) and module.is_electra:
            model_class = ElectraForPreTraining
        with quiet_transformers():
            saved = model_class.from_pretrained(path, use_safetensors=True, dtype=torch.float32).to(device).eval()
        inputs = {"input_ids": batch.masked_ids, "attention_mask": batch.mask}
        with module.stock_model() as model:
            trained_logits, saved_logits = model(**inputs)[0], saved(**inputs)[0]
        if not torch.allclose(trained_logits, saved_logits, atol=1e-4):
            raise RuntimeError(f"the model saved in {path} gives other logits than the trained one")
