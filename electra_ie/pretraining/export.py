"""Players -> stock folders, and the proof that these answer as the pair do."""

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
from electra_ie.pretraining import model_factory as models
from electra_ie.pretraining.embedding_sharing import GradientDisentangledEmbedding, with_plain_embedding
from electra_ie.pretraining.masking import TokenBatch
from electra_ie.pretraining.token_models import MaskedTokenModel, TokenDiscriminator
from electra_ie.training.loop import AdversarialPair


@torch.no_grad()
def blend(encoder: PreTrainedModel, start: PreTrainedModel, share: float) -> None:
    """Move an encoder's weights to `share` of the way from `start` to where they are (WiSE-FT; Wortsman et al. 2022,
    section 3). Heads stay as they are trained: most begin as noise, and a way from there has no middle worth having."""
    begun = dict(start.to(encoder.device).named_parameters())  # type: ignore[arg-type]
    words: Any = encoder.get_input_embeddings()
    if isinstance(words, GradientDisentangledEmbedding):
        (name,) = (name for name, each in begun.items() if each is start.get_input_embeddings().weight)
        words.residual.copy_(torch.lerp(begun[name], words.weight, share) - words.bases[0])
    for name, weight in encoder.named_parameters():
        if weight is not getattr(words, "residual", None):
            weight.copy_(torch.lerp(begun[name], weight, share))


def save_encoder(player: Any, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """A stock folder of a player: `ElectraForPreTraining`, a masked language model, or a plain encoder."""
    part = folder / ".model.part"
    shutil.rmtree(part, ignore_errors=True)
    with quiet_transformers(), player.stock_model() as model, with_plain_embedding(player.encoder):
        strip_code_references(vars(model.config))
        model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    for file in sorted(part.iterdir(), key=lambda file: file.name == "config.json"):  # what makes it a folder, last
        os.replace(file, folder / file.name)
    part.rmdir()


@torch.no_grad()
def verify(pair: AdversarialPair, batch: TokenBatch, folder: Path) -> None:
    """Raise an error if the saved folders, loaded by stock classes, give other logits than the models in memory.

    Raises RuntimeError where they do not: a fault of this program.
    """
    judge, maker = pair.unwrapped_discriminator, pair.unwrapped_generator
    device = pair.accelerator.device
    batch = TokenBatch(*(getattr(batch, each.name)[:4] for each in fields(batch))).to(device)
    for player, place in ((judge, folder), (maker, folder / models.GENERATOR)):
        if player is None:
            continue
        player.eval()
        kind: Any = AutoModelForMaskedLM if isinstance(player, MaskedTokenModel) else AutoModel
        if isinstance(player, TokenDiscriminator) and player.is_electra:
            kind = ElectraForPreTraining
        with quiet_transformers():
            saved = kind.from_pretrained(place, use_safetensors=True, dtype=torch.float32).to(device).eval()
        given = {"input_ids": batch.masked_ids, "attention_mask": batch.mask}
        with player.stock_model() as model:
            mine, other = model(**given)[0], saved(**given)[0]
        if not torch.allclose(mine, other, atol=1e-4):
            raise RuntimeError(f"the model saved in {place} does not answer as the trained one does")
