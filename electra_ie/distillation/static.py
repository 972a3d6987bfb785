"""A static student: token vectors under a light window network, with new heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from electra_ie.data.windowing import LabeledWindow, WindowTokenizer
from electra_ie.distillation.token_vectors import MAX_CONTEXTS, fasttext_vectors, run_vectors
from electra_ie.models.configs import DiscriminatorConfig
from electra_ie.models.discriminator import Discriminator, without_head
from electra_ie.models.static_config import StaticConfig


def static_student(
    teacher: Discriminator, windower: WindowTokenizer, windows: Sequence[LabeledWindow], vectors: str, seed: int
) -> Discriminator:
    """Return a discriminator on a static encoder, whose token vectors are computed and all else is new.

    Args:
        teacher: The discriminator of the run.
        windower: Its window tokenizer.
        windows: The text for the vectors.
        vectors: `run` or `fasttext` (see `token_vectors`).
        seed: The seed of the new weights and of FastText.
    """
    read = windows[:MAX_CONTEXTS]
    if vectors == "run":
        table = run_vectors(teacher, windower, read)
    else:
        size = int(teacher.encoder.get_input_embeddings().num_embeddings)
        names = windower.tokenizer.convert_ids_to_tokens(list(range(size)))
        table = fasttext_vectors([name or "" for name in names], read, seed)
    tokenizer = windower.tokenizer
    encoder = StaticConfig(
        vocab_size=len(table), embedding_size=table.shape[1], pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=max(windower.size, min(int(tokenizer.model_max_length), 512)),
    )  # fmt: skip
    torch.manual_seed(seed)
    student = Discriminator(DiscriminatorConfig(teacher.fields, without_head(encoder.to_dict())))
    with torch.no_grad():
        student.encoder.get_input_embeddings().weight.copy_(table)
    return student
