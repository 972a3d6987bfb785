"""Thresholds of flags: each flag is assigned to as many unlabeled texts as its share among the labels.

A model of few labels ranks texts with a rare flag well, but gives hardly any of them a probability above one half. Its
ranking is kept and its logits are shifted: the threshold of one half then divides the unlabeled texts in the label
share of the flag (class proportion thresholding; the shares are assumed to be those of the labels). All presets get the
same thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from electra_ie.data.batching import in_batches
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer, document_indices
from electra_ie.models.discriminator import Discriminator

SAMPLE_SIZE = 500
"""Unlabeled texts at most from which thresholds are set: a share of 5 % has a standard error of 1 %."""
MIN_TEXTS = 3
"""A flag keeps its threshold if fewer texts of the sample than this are expected to have it, or to lack it."""
BATCH_SIZE = 32


def label_shares(documents: Sequence[Document], field: Field) -> np.ndarray:
    """Return the share (K,) of each flag among the documents with gold for the field."""
    gold = [document.gold[field.name] for document in documents if field.name in document.gold]
    shares: np.ndarray = np.array([[name in flags for name in field.labels] for flags in gold], float).mean(0)
    return shares


def document_logits(
    discriminator: Discriminator, windows: Sequence[LabeledWindow], windower: WindowTokenizer, fields: Sequence[Field]
) -> dict[str, np.ndarray]:
    """Return the logits (N, K) of N documents by field, as in extraction: the mean over the windows of a document."""
    device = next(discriminator.parameters()).device
    of_windows = {field.name: np.zeros((len(windows), len(field.labels))) for field in fields}
    for indices, batch in in_batches(windows, BATCH_SIZE, windower, ()):
        for name, logits in discriminator.predict_logits(batch.to(device)).items():
            if name in of_windows:
                of_windows[name][indices] = logits.double().cpu().numpy()
    documents = np.array(document_indices(windows))
    return {name: mean_by_document(logits, documents) for name, logits in of_windows.items()}


def mean_by_document(values: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Return the mean of the windows' values (W, K) in each document; `documents` (W,) are the indices of these."""
    totals = np.zeros((documents[-1] + 1, values.shape[1]))
    np.add.at(totals, documents, values)
    return totals / np.bincount(documents)[:, None]


class FlagThresholds:
    """The thresholds of all fields of kind `flags`, from their label shares and a sample of unlabeled texts."""

    def __init__(
        self,
        fields: Sequence[Field],
        labeled: Sequence[Document],
        sample: Sequence[LabeledWindow],
        windower: WindowTokenizer,
    ) -> None:
        """sample: the windows of complete unlabeled documents; without any, thresholds stay at one half."""
        self.fields = [field for field in fields if field.kind == "flags"] if sample else []
        self.shares = {field.name: label_shares(labeled, field) for field in self.fields}
        self.sample, self.windower = sample, windower

    @property
    def texts(self) -> int:
        """The number of unlabeled texts in the sample."""
        return len(set(document_indices(self.sample)))

    @property
    def unchanged(self) -> dict[str, list[str]]:
        """The flags of each field that some labeled texts have, and that the sample is too small for."""
        texts = self.texts
        return {
            field.name: names
            for field in self.fields
            if (
                names := [
                    name
                    for name, share in zip(field.labels, self.shares[field.name], strict=True)
                    if 0 < share < 1 and not _is_large_enough(texts, share)
                ]
            )
        }

    def set(self, discriminator: Discriminator) -> None:
        """Shift the biases of the flags. A flag that all labeled texts have, or none, is not changed."""
        with torch.no_grad():
            for bias, threshold in self._thresholds(discriminator):
                bias.sub_(threshold)

    @contextmanager
    def within(self, discriminator: Discriminator) -> Iterator[None]:
        """Shift the biases of the flags within the context."""
        heads = [discriminator.head(field).output_layer.bias for field in self.fields]
        before = [bias.detach().clone() for bias in heads if bias is not None]
        self.set(discriminator)
        try:
            yield
        finally:
            with torch.no_grad():
                for bias, values in zip((bias for bias in heads if bias is not None), before, strict=True):
                    bias.copy_(values)

    def _thresholds(self, discriminator: Discriminator) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the bias and the threshold (K,) of each field whose output layer has a bias."""
        fields = [field for field in self.fields if discriminator.head(field).output_layer.bias is not None]
        if not fields:
            return []
        was_training = discriminator.training
        discriminator.eval()
        logits = document_logits(discriminator, self.sample, self.windower, fields)
        discriminator.train(was_training)
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        for field in fields:
            bias = discriminator.head(field).output_layer.bias
            thresholds = [
                _threshold(column, share)
                for column, share in zip(logits[field.name].T, self.shares[field.name], strict=True)
            ]
            pairs.append((bias, torch.tensor(thresholds, dtype=bias.dtype, device=bias.device)))
        return pairs


def _is_large_enough(texts: int, share: float) -> bool:
    return min(share, 1 - share) * texts >= MIN_TEXTS


def _threshold(logits: np.ndarray, share: float) -> float:
    """Return the value that the given share of logits (N,) exceeds, in the middle between two of them.

    It is 0 if the logits are too few for the share, which includes a share of 0, 1 or NaN.
    """
    if not _is_large_enough(len(logits), share):
        return 0.0
    ordered = np.sort(logits)[::-1]
    count = round(share * len(ordered))
    return float(ordered[count - 1 : count + 1].mean())
