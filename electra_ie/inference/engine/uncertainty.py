"""How uncertain a model is of its best answer to a whole text, also where it finds nothing.

A score of a finding says how sure the model is of what it found. Whether it almost found something else shows only in
the probabilities of all tokens, so that these are read here, field by field. Each number is from 0 (certain) to 1, but
numbers of different kinds of field cannot be compared: a text of a hundred tokens has few uncertain ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electra_ie.calibration.scales import sigmoid
from electra_ie.data.bio import track_logits, viterbi
from electra_ie.data.fields import Field
from electra_ie.data.windowing import Window, window_starts
from electra_ie.inference.engine.decoding import softmax


def log_probabilities(field: Field, windows: Sequence[Window], logits: Sequence[np.ndarray]) -> np.ndarray:
    """Return the log probability of each tag of the best valid sequence, in all tracks of the field, (N,).

    The rules for the boundaries of spans are not applied: they only matter for single tokens.

    Args:
        field: a field of spans.
        windows: the windows of a text, or of a section of it.
        logits: for each window, the logits (T, K) of the tokens that it owns.
    """
    visible = [start < end for window in windows for start, end in window.owned]  # some tokens have no characters
    found, starts = [], window_starts(windows, visible=True) if field.fragments else []
    for track, scores in track_logits(field, np.concatenate(logits)[visible]):
        best = viterbi(track, scores, starts=starts)
        chosen = softmax(scores.astype(np.float64))[np.arange(len(best)), best]
        found.append(np.log(np.maximum(chosen, np.finfo(np.float64).tiny)))
    return np.concatenate(found)


def of_path(total: float, tags: int) -> float:
    """Return 1 minus the geometric mean of the probabilities of tags, of which `total` is the sum of the logarithms.

    This orders texts as the maximum normalized log-probability (MNLP) of Shen et al. 2018 (arXiv 1707.05928) does: the
    log probability of the best sequence, divided by its length, so that long texts are not preferred.
    """
    return 1 - float(np.exp(total / tags)) if tags else 0.0


def of_text(field: Field, logits: Sequence[np.ndarray]) -> float:
    """Return the uncertainty of a class or of flags, from the logits (K,) of each window, which are averaged.

    A class: 1 minus the margin between the two most probable classes. Flags: 1 minus the margin between yes and no, in
    the mean over the flags.
    """
    mean = np.stack(logits).mean(axis=0).astype(np.float64)
    if field.kind == "flags":
        return float((1 - np.abs(2 * sigmoid(mean) - 1)).mean())
    if len(mean) == 1:
        return 0.0
    second, first = np.sort(softmax(mean))[-2:]
    return float(1 - (first - second))
