"""One vector for each token of a vocabulary: from the encoder of a run, or trained on text by FastText."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from electra_ie.common.errors import UserError
from electra_ie.common.progress import progress
from electra_ie.data.batching import Batch, in_batches
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer
from electra_ie.models.discriminator import Discriminator

BATCH_SIZE = 64
SIZE = 256
"""The number of dimensions of a vector at most."""
MAX_CONTEXTS = 2000
"""Windows at most from which vectors are computed."""
ALONE_AT_ONCE = 512
FASTTEXT_EPOCHS = 10
FASTTEXT_BUCKETS = 100_000


def run_vectors(teacher: Discriminator, windower: WindowTokenizer, windows: Sequence[LabeledWindow]) -> torch.Tensor:
    """Return a vector for each token, (V, E): the mean of its states in the encoder, projected on principal components.

    The mean is over its occurrences in the windows, and one more where the token stands alone, which is all that a
    token has that does not occur. The variance of all values is 1.
    """
    device = teacher.device
    size = int(teacher.encoder.get_input_embeddings().num_embeddings)
    totals = torch.zeros(size, teacher.hidden_size, device=device)
    counts = torch.zeros(size, device=device)
    teacher.eval()
    with torch.no_grad(), progress(len(windows), "states of the tokens", unit="texts") as report:
        _add_alone(teacher, windower, totals, counts)
        done = 0
        for indices, cpu_batch in in_batches(windows, BATCH_SIZE, windower, ()):
            batch = cpu_batch.to(device)
            present = batch.attention_mask.bool()
            ids = batch.input_ids[present]
            totals.index_add_(0, ids, teacher.encode(batch)[present].float())
            counts.index_add_(0, ids, torch.ones_like(ids, dtype=counts.dtype))
            done += len(indices)
            report(done)
    return _principal(totals / counts[:, None]).cpu()


def _add_alone(teacher: Discriminator, windower: WindowTokenizer, totals: torch.Tensor, counts: torch.Tensor) -> None:
    """Add to the totals (V, H) the state of each token that stands alone between the special tokens."""
    before, after = list(windower.before), list(windower.after)
    for start in range(0, len(totals), ALONE_AT_ONCE):
        chosen = range(start, min(start + ALONE_AT_ONCE, len(totals)))
        ids = torch.tensor([[*before, token, *after] for token in chosen], device=totals.device)
        ones = torch.ones_like(ids)
        batch = Batch(ids, ones, ones.bool(), {}, totals.new_ones(len(ids)), torch.arange(len(ids)))
        totals[start : start + len(ids)] += teacher.encode(batch)[:, len(before)].float()
    counts += 1


def _principal(vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors (V, H) projected on their first principal components, (V, min(SIZE, H)), with variance 1."""
    centered = vectors.double() - vectors.double().mean(0)
    _, axes = torch.linalg.eigh(centered.T @ centered)  # in the order of rising variance
    chosen = axes.flip(1)[:, :SIZE]
    largest = chosen.abs().argmax(0)
    signs = chosen[largest, torch.arange(chosen.shape[1], device=chosen.device)].sign()  # an axis has no direction
    return _scaled(centered @ (chosen * signs))


def _scaled(vectors: torch.Tensor) -> torch.Tensor:
    return (vectors / vectors.std().clamp(min=1e-8)).float()


def fasttext_vectors(
    tokens: Sequence[str], windows: Sequence[LabeledWindow], seed: int, size: int = SIZE
) -> torch.Tensor:
    """Return a vector for each token, (V, E), trained on the windows by FastText of Gensim.

    A token that does not occur has the vectors of its character n-grams. The variance of all values is 1.

    Args:
        tokens: The token of each id.
        windows: The text.
        seed: The seed of the training.
        size: The number of dimensions.

    Raises:
        UserError: Gensim is not installed.
    """
    try:
        from gensim.models import FastText
    except ImportError as error:
        remedy = "Run: pip install electra_ie[gensim], or leave out --vectors fasttext."
        raise UserError("Gensim, which trains token vectors on text, is not installed.", remedy=remedy) from error
    sentences = [[tokens[token] for token in row.window.ids] for row in windows]
    model = FastText(
        sentences, vector_size=size, sg=1, min_count=1, workers=1, seed=seed, epochs=FASTTEXT_EPOCHS,
        bucket=FASTTEXT_BUCKETS,
    )  # fmt: skip
    return _scaled(torch.tensor(model.wv[list(tokens)]).double())
