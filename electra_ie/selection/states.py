"""Texts as points: the mean states of an encoder that nothing has trained on the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from transformers import AutoConfig, AutoModel

from electra_ie.data.windowing import LabeledWindow, WindowTokenizer
from electra_ie.models.encoders import load_tokenizer, max_length, resolve_encoder, translate_load_errors
from electra_ie.models.frozen_encoder import FrozenEncoder

WINDOW = 256
"""Tokens of a window."""
WINDOWS = 4
"""Windows that are read of a text, from its beginning: a longer text is known by these."""


class Encoded:
    """Reads texts with an encoder. Each text is read once."""

    def __init__(self, encoder: str) -> None:
        """Load the encoder. encoder: a folder, or a name as for training. Raises UserError if it cannot be loaded."""
        folder = resolve_encoder(encoder)
        with translate_load_errors(encoder):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModel.from_pretrained(folder, trust_remote_code=False, use_safetensors=True)
        tokenizer = load_tokenizer(encoder)
        size = min(WINDOW, max_length(tokenizer, config))
        self.encoder = FrozenEncoder(model, WindowTokenizer(tokenizer, size, context_overlap=0))
        self._states: dict[str, np.ndarray] = {}

    def states(self, texts: Sequence[str]) -> np.ndarray:
        """Return the mean state of each text, of length one, (N, H)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._states]
        windows = [self.encoder.windower(text)[:WINDOWS] for text in new]
        states = self.encoder.read([LabeledWindow(window, {}) for of_text in windows for window in of_text])
        start = 0
        for text, of_text in zip(new, windows, strict=True):
            mean = states[start : start + len(of_text)].mean(axis=0)
            self._states[text] = mean / max(float(np.linalg.norm(mean)), np.finfo(np.float32).tiny)
            start += len(of_text)
        size = self.encoder.encoder.config.hidden_size
        return np.stack([self._states[text] for text in texts]) if texts else np.zeros((0, size), np.float32)
