"""A second view beside the teacher's, on classes of whole texts: logistic regression on the encoder as it came.

Fine-tuning on few labels and regression on states that it never touched err in different texts, above all where there
are many classes with few labels each; what both say is a better teacher than either (after Blum and Mitchell 1998,
"Combining labeled and unlabeled data with co-training", COLT). The regression first learns by itself from texts that
have no labels, the surest first, of each class so many that the classes keep the shares they have among the labels
(self-training class by class, after Zou et al. 2018, arXiv 1810.07911).

It is asked where it helps: with a dev split, where both views together give the right classes there more probability
than the teacher alone (the mean of its logarithm, each at its best temperature; how often each is right is mostly
chance where texts are few, and flatters a teacher whose best step was chosen on them); without one, where no class has
a single label. (The classes of trec_fine, some with one label and others with 24, lost six points to it.)
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from electra_ie.common.progress import progress
from electra_ie.data.batching import Batch, in_batches
from electra_ie.data.fields import Field
from electra_ie.data.windowing import LabeledWindow, WindowTokenizer
from electra_ie.models.discriminator import Discriminator

MOST = 2_000
"""Windows without labels that the regression learns from at most: with three times as many it was no better. Where more
than this are labelled it is not asked: few labels are what it is for."""
ROUNDS = 5
TAKEN = 0.8
"""Share of the texts without labels that the last round learns from: the least sure stay out."""
INVERSE_PENALTY = 10.0
AT_ONCE = 64
POWERS = 3.0
"""Temperatures from exp(-3) to exp(3) are compared: 0.05 to 20."""
LEAST = 1e-9
"""Below this a probability counts as this, so that a class that one view rules out is not nothing at all."""


class FeatureClassifier:
    """The regressions of those fields of kind `classes` in which it helps to ask them too."""

    def __init__(self, discriminator: Discriminator):
        """discriminator: one that nothing has trained yet; a copy of its encoder is kept."""
        self.fields = [field for field in discriminator.fields if field.kind == "classes"]
        self.encoder = copy.deepcopy(discriminator.encoder).eval().requires_grad_(False)
        self.layers: dict[str, nn.Linear] = {}

    def learn(
        self,
        labelled: Sequence[LabeledWindow],
        pool: Sequence[LabeledWindow],
        dev: Sequence[LabeledWindow],
        teacher: Discriminator,
        windower: WindowTokenizer,
        seed: int,
    ) -> None:
        """Fit each field to the windows of which it is known, and to `pool`, of which `seed` draws what is read; keep
        what helps the teacher on the windows of dev, of which there may be none. Of several processes the first
        decides, since on cards that round otherwise two could part about it."""
        chosen = random.Random(f"second view {seed}").sample(list(pool), min(MOST, len(pool)))
        bare: np.ndarray | None = None
        for field in self.fields:
            rows, scored = ([row for row in some if field.name in row.gold] for some in (labelled, dev))
            if len(rows) > MOST:
                continue
            gold = np.array([row.gold[field.name] for row in rows], dtype=int)
            weights = np.array([row.window.weight for row in rows])
            texts = np.bincount(gold, weights)  # of each class
            if np.count_nonzero(texts) < 2 or (not scored and bool(((texts > 0) & (texts < 1.5)).any())):
                continue
            bare = self._read(chosen, windower) if bare is None else bare
            model = self_trained(self._read(rows, windower), gold, weights, bare)
            layer = _layer(model, field)
            if not scored or self._helps(field, layer.to(self.encoder.device), teacher, scored, windower):
                self.layers[field.name] = layer.cpu()
        (agreed,) = broadcast_object_list([self.layers])
        self.layers = {name: layer.to(self.encoder.device) for name, layer in agreed.items()}

    @torch.no_grad()
    def _helps(
        self,
        field: Field,
        layer: nn.Linear,
        teacher: Discriminator,
        rows: Sequence[LabeledWindow],
        windower: WindowTokenizer,
    ) -> bool:
        """Do both views together tell the right classes better than the teacher alone?"""
        teacher.eval()
        told: list[tuple[torch.Tensor, ...]] = []
        for _, given in in_batches(rows, AT_ONCE, windower, (field,)):
            batch = given.to(self.encoder.device)
            taught = teacher.predict(batch)[1][field.name]
            told.append(
                (taught, _together(taught, layer(self._states(batch))), batch.labels[field.name], batch.window_weight)
            )
        alone, both, gold, weights = (torch.cat(each).double().cpu().numpy() for each in zip(*told, strict=True))
        return _surprise(both, gold, weights) < _surprise(alone, gold, weights)

    def beside(self, taught: Mapping[str, torch.Tensor], texts: Batch) -> dict[str, torch.Tensor]:
        """A teacher's probabilities by field, with those of the classes (N, K) made the normalised geometric mean of
        what both views say: neither overrules the other where that one is sure."""
        told = dict(taught)
        if not self.layers or not len(texts.input_ids):
            return told
        states = self._states(texts)
        for name, layer in self.layers.items():
            told[name] = _together(taught[name], layer(states))
        return told

    @torch.no_grad()
    def _states(self, texts: Batch) -> torch.Tensor:
        """(N, H): the mean of the encoder's states, of length one."""
        states = self.encoder(input_ids=texts.input_ids, attention_mask=texts.attention_mask).last_hidden_state.float()
        mask = texts.attention_mask[..., None]
        return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def _read(self, rows: Sequence[LabeledWindow], windower: WindowTokenizer) -> np.ndarray:
        """(N, H), windows of like length together."""
        found = np.zeros((len(rows), self.encoder.config.hidden_size), dtype=np.float32)
        done = 0
        with progress(len(rows), "reading for the teacher's second view", unit="texts") as report:
            for places, batch in in_batches(rows, AT_ONCE, windower, ()):
                found[places] = self._states(batch.to(self.encoder.device)).cpu().numpy()
                done += len(places)
                report(done)
        return found


def self_trained(known: np.ndarray, gold: np.ndarray, weights: np.ndarray, bare: np.ndarray) -> LogisticRegression:
    """Logistic regression on `known` (N, H) with `gold` (N,) and `weights` (N,), then in each round on the surest of
    `bare` (M, H) as well, of every class so many that it keeps its share of the weights."""
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(known, gold, weights)
    shares = np.array([weights[gold == each].sum() for each in model.classes_]) / weights.sum()
    for number in range(1, ROUNDS + 1 if len(bare) else 1):
        chances = model.predict_proba(bare)
        said, sure = chances.argmax(1), chances.max(1)
        chosen: list[int] = []
        for place, share in enumerate(shares):
            mine = np.flatnonzero(said == place)
            most = round(TAKEN * share * len(bare) * number / ROUNDS)
            chosen += mine[np.argsort(-sure[mine], kind="stable")][:most].tolist()
        texts, labels = np.vstack([known, bare[chosen]]), [*gold, *model.classes_[said[chosen]]]
        counted = [*weights, *np.ones(len(chosen))]
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(texts, labels, counted)
    return model


def _layer(model: LogisticRegression, field: Field) -> nn.Linear:
    """The regression as a layer that gives the logits of all K classes; one without a label is never answered."""
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # of two classes the second one's logit, where the first one's is 0
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    layer = nn.Linear(weights.shape[1], len(field.names)).requires_grad_(False)
    layer.weight.zero_()
    layer.bias.fill_(-torch.inf)
    layer.weight[model.classes_] = torch.tensor(weights, dtype=torch.float32)
    layer.bias[model.classes_] = torch.tensor(bias, dtype=torch.float32)
    return layer


def _surprise(chances: np.ndarray, gold: np.ndarray, weights: np.ndarray) -> float:
    """The mean negative logarithm of the probabilities (N, K) of the right classes (N,), at the temperature at which it
    is least: who is only too sure, or not sure enough, is not the worse for it (Guo et al. 2017, arXiv 1706.04599)."""
    logits, right = np.log(chances.clip(LEAST)), (np.arange(len(gold)), gold.astype(int))

    def at(power: float) -> float:
        return -float(np.average(log_softmax(logits * np.exp(power), axis=1)[right], weights=weights))

    return float(minimize_scalar(at, bounds=(-POWERS, POWERS), method="bounded").fun)


def _together(taught: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Probabilities (N, K) of a teacher and logits (N, K) of the regression -> their normalised geometric mean."""
    one, other = (each.clamp_min(LEAST).log() for each in (taught.float(), logits.softmax(-1)))
    return (0.5 * (one + other)).softmax(-1)
