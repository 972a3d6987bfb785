"""Alignment of a teacher's flags with the label shares, before a student learns from its predictions.

A model of few labels is confident on the texts it was trained on and on no others. On unlabeled texts it may rank those
with a rare flag well, while the mean of its probabilities is a tenth of the flag's share and none exceeds one half. A
student of such predictions would learn that the flag does not occur. So the logits of each flag are shifted until the
mean probability equals the flag's share among the labels (distribution alignment, Berthelot et al. 2020, "ReMixMatch",
arXiv 1911.09785, section 3.1; there for classes, and by a factor).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit

from electra_ie.data.batching import in_batches
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer
from electra_ie.models.discriminator import Discriminator

SAMPLE_SIZE = 500
"""Unlabeled windows from which the mean probabilities are estimated: a share of 5 % has a standard error of 1 %."""


@torch.no_grad()
def align_flag_distribution(
    teacher: Discriminator,
    labeled: Sequence[LabeledWindow],
    pool: Sequence[LabeledWindow],
    windower: WindowTokenizer,
    seed: int,
) -> None:
    """Shift the bias of each flag of `teacher` until its mean probability on unlabeled windows is its label share.

    pool: unlabeled windows, of which `SAMPLE_SIZE` are sampled by `seed`. A flag that all labeled texts have, or none,
    is not changed; without a pool, none is.
    """
    fields = [
        field for field in teacher.fields if field.kind == "flags" and teacher.head(field).output_layer.bias is not None
    ]
    if not fields or not pool:
        return
    rng = random.Random(f"shares {seed}")  # the name is part of the seed: another one changes trained weights
    sampled = rng.sample(list(pool), min(SAMPLE_SIZE, len(pool)))
    device = next(teacher.parameters()).device
    teacher.eval()
    weights, answers = [], []
    for indices, batch in in_batches(sampled, 32, windower, fields):
        weights += [sampled[index].window.weight for index in indices]
        answers.append(teacher.predict_logits(batch.to(device)))
    for field in fields:
        logits = torch.cat([logits_of[field.name] for logits_of in answers]).double().cpu().numpy()
        rows = [row for row in labeled if field.name in row.gold]
        for index in range(len(field.labels)):
            has_flag = [float(row.gold[field.name][index]) for row in rows]  # type: ignore[index]
            if 0 < sum(has_flag) < len(has_flag):
                share = float(np.average(has_flag, weights=[row.window.weight for row in rows]))
                teacher.head(field).output_layer.bias[index] += _shift(logits[:, index], weights, share)


def _shift(logits: np.ndarray, weights: Sequence[float], share: float) -> float:
    """Return the number to add to logits (N,) so that the weighted mean of their probabilities is `share`."""
    bound = float(np.abs(logits).max()) + 40.0  # where all probabilities are 0 or 1 in double precision
    return float(brentq(lambda shift: np.average(expit(logits + shift), weights=weights) - share, -bound, bound))
