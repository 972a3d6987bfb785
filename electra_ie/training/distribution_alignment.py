"""The shares of the labels: where new heads begin, and where a teacher's flags are brought.

A head that begins with all answers alike spends its first steps on learning how rare most of them are; of a field with
one token of interest in 250 it may have found none by the end. So the bias of the last layer begins where, before
anything is learnt, it gives each answer as often as the labels do (after Lin et al. 2017, "Focal loss for dense object
detection", arXiv 1708.02002, section 4.1, who set one small share for what is rare).

A model of few labels is sure of the texts it learnt from and of no others: of those it may rank well who bears a rare
flag, and yet the mean of its probabilities is a tenth of the flag's share, and none is above one half. Who learns from
its answers learns that there are none. So these are brought to the shares first (distribution alignment, Berthelot et
al. 2020, "ReMixMatch", arXiv 1911.09785, section 3.1; there for classes, and by a factor).
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

READ = 500
"""Windows without labels that tell how often a teacher gives a flag: a share of 5 % is known to 1 %."""


@torch.no_grad()
def align_flag_distribution(
    teacher: Discriminator,
    labelled: Sequence[LabeledWindow],
    pool: Sequence[LabeledWindow],
    windower: WindowTokenizer,
    seed: int,
) -> None:
    """Move the bias of each flag to where its mean probability over windows without labels, of which `seed` draws
    `READ`, is its share among the labels. A flag that all labelled texts bear, or none, is left as it is."""
    fields = [
        each for each in teacher.fields if each.kind == "flags" and teacher.head(each).output_layer.bias is not None
    ]
    if not fields or not pool:
        return
    drawn = random.Random(f"shares {seed}").sample(list(pool), min(READ, len(pool)))
    device = next(teacher.parameters()).device
    teacher.eval()
    weights, said = [], []
    for places, batch in in_batches(drawn, 32, windower, fields):
        weights += [drawn[place].window.weight for place in places]
        said.append(teacher.predict_logits(batch.to(device)))
    for field in fields:
        logits = torch.cat([each[field.name] for each in said]).double().cpu().numpy()
        rows = [row for row in labelled if field.name in row.gold]
        for place in range(len(field.labels)):
            borne = [float(row.gold[field.name][place]) for row in rows]  # type: ignore[index]
            if 0 < sum(borne) < len(borne):
                share = float(np.average(borne, weights=[row.window.weight for row in rows]))
                teacher.head(field).output_layer.bias[place] += _shift(logits[:, place], weights, share)


def _shift(logits: np.ndarray, weights: Sequence[float], share: float) -> float:
    """What is to be added to logits (N,) so that the mean of their probabilities is `share`."""
    reach = float(np.abs(logits).max()) + 40.0
    return float(brentq(lambda more: np.average(expit(logits + more), weights=weights) - share, -reach, reach))
