"""The encoder as pretrained, which training does not change: for co-training, and to choose texts to label."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from electra_ie.common.progress import progress
from electra_ie.data.batching import Batch, in_batches
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer

BATCH_SIZE = 64


class FrozenEncoder:
    """A copy of an encoder, which reads texts as their mean states of length one."""

    def __init__(self, encoder: PreTrainedModel, windower: WindowTokenizer) -> None:
        self.encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.windower = windower
        self._sentences: dict[str, np.ndarray] = {}

    @property
    def device(self) -> torch.device:
        """The device of the encoder."""
        device: torch.device = self.encoder.device
        return device

    @torch.no_grad()
    def states(self, texts: Batch) -> torch.Tensor:
        """Return the mean state of each text of a batch, normalized to length one, (N, H)."""
        states = self.encoder(input_ids=texts.input_ids, attention_mask=texts.attention_mask).last_hidden_state.float()
        mask = texts.attention_mask[..., None]
        return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def read(self, windows: Sequence[LabeledWindow]) -> np.ndarray:
        """Return the states of all windows, (N, H); windows of similar length share a batch."""
        states = np.zeros((len(windows), self.encoder.config.hidden_size), dtype=np.float32)
        done = 0
        with progress(len(windows), "reading texts", unit="windows") as report:
            for indices, batch in in_batches(windows, BATCH_SIZE, self.windower, ()):
                states[indices] = self.states(batch.to(self.device)).cpu().numpy()
                done += len(indices)
                report(done)
        return states

    def read_sentences(self, sentences: Sequence[str]) -> np.ndarray:
        """Return the states of sentences, (N, H). Each is read once, and a long one up to the window size."""
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._sentences]
        if new:
            states = self.read([LabeledWindow(self.windower(sentence)[0], {}) for sentence in new])
            self._sentences.update(zip(new, states, strict=True))
        return np.stack([self._sentences[sentence] for sentence in sentences])
