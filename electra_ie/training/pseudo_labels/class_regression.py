"""Co-training for fields of kind `classes`: logistic regression on the states of the encoder before training.

The teacher, fine-tuned on few labels, and a regression on states that fine-tuning never changed make different errors,
above all with many classes of few labels each, so their combination is a better teacher than either (after Blum and
Mitchell 1998, "Combining labeled and unlabeled data with co-training", COLT). The regression is first self-trained on
unlabeled texts, the most confident first, in numbers that keep the label shares of the classes (class-balanced
self-training, Zou et al. 2018, arXiv 1810.07911).

It is used only for fields where it helps. With a dev split: if the combination gives the correct classes of dev a
higher mean log probability than the teacher alone, both at their best temperatures. (Accuracy on few dev texts is
mostly noise, and favors a teacher whose best step was selected on them.) Without a dev split: if no class has exactly
one label. (Co-training lost six points on trec_fine, where some classes have one label and others 24.)
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from electra_ie.data.batching import Batch, in_batches
from electra_ie.data.fields import Field
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.frozen_encoder import FrozenEncoder
from electra_ie.training.pseudo_labels.temperature import MIN_PROBABILITY, calibrated_loss

MAX_WINDOWS = 2_000
"""Unlabeled windows for self-training at most: three times as many gave no better regression. With more labeled windows
than this, co-training is not used: it is meant for few labels."""
ROUNDS = 5
FINAL_SHARE = 0.8
"""Share of the unlabeled windows in the last round of self-training; the least confident are never used."""
INVERSE_PENALTY = 10.0
"""`C` of scikit-learn's LogisticRegression."""
BATCH_SIZE = 64
SINGLE_TEXT = 1.5
"""A class of fewer texts has one only; texts of several windows count by their windows' weights."""


class FeatureClassifier:
    """Logistic regressions on encoder states, for the fields of kind `classes` in which they help the teacher.

    layers: the regression of each such field, as a linear layer; empty before `fit`.
    """

    def __init__(self, fields: Sequence[Field], encoder: FrozenEncoder) -> None:
        """fields: those of other kinds are ignored. encoder: reads the texts."""
        self.fields = [field for field in fields if field.kind == "classes"]
        self.encoder = encoder
        self.layers: dict[str, nn.Linear] = {}

    def fit(
        self,
        labeled: Sequence[LabeledWindow],
        about_labels: Sequence[LabeledWindow],
        pool: Sequence[LabeledWindow],
        dev: Sequence[LabeledWindow],
        teacher: Discriminator,
        seed: int,
    ) -> None:
        """Fit a regression for each field, and keep those that help the teacher.

        about_labels: labeled windows of texts about the classes. pool: unlabeled windows, sampled by `seed`. dev: may
        be empty.
        """
        rng = random.Random(f"second view {seed}")  # the name is part of the seed: another one changes trained weights
        sampled = rng.sample(list(pool), min(MAX_WINDOWS, len(pool)))
        unlabeled_states: np.ndarray | None = None
        for field in self.fields:
            rows, about, dev_rows = (
                [row for row in windows if field.name in row.gold] for windows in (labeled, about_labels, dev)
            )
            if len(rows) > MAX_WINDOWS:
                continue
            gold = np.array([row.gold[field.name] for row in [*rows, *about]], dtype=int)
            weights = np.array([row.window.weight for row in [*rows, *about]])
            texts_per_class = np.bincount(gold[: len(rows)], weights[: len(rows)])
            has_single_label = bool(((texts_per_class > 0) & (texts_per_class < SINGLE_TEXT)).any())
            if np.count_nonzero(texts_per_class) <= 1 or (not dev_rows and has_single_label):
                continue
            if unlabeled_states is None:
                unlabeled_states = self.encoder.read(sampled)
            model = self_trained(self.encoder.read([*rows, *about]), gold, weights, unlabeled_states)
            layer = _layer(model, field)
            if not dev_rows or self._helps(field, layer.to(self.encoder.device), teacher, dev_rows):
                self.layers[field.name] = layer.to(self.encoder.device)

    @torch.no_grad()
    def _helps(
        self,
        field: Field,
        layer: nn.Linear,
        teacher: Discriminator,
        rows: Sequence[LabeledWindow],
    ) -> bool:
        """Return whether the combination has a lower loss on labeled rows than the teacher alone."""
        teacher.eval()
        batches: list[tuple[torch.Tensor, ...]] = []
        for _, cpu_batch in in_batches(rows, BATCH_SIZE, self.encoder.windower, (field,)):
            batch = cpu_batch.to(self.encoder.device)
            of_teacher = teacher.predict(batch)[1][field.name]
            mean = _geometric_mean(of_teacher, layer(self.encoder.states(batch)))
            batches.append((of_teacher, mean, batch.labels[field.name], batch.window_weight))
        alone, combined, gold, weights = (
            torch.cat(column).double().cpu().numpy() for column in zip(*batches, strict=True)
        )
        return calibrated_loss(combined, gold, weights) < calibrated_loss(alone, gold, weights)

    def combine_with_teacher(self, probabilities: Mapping[str, torch.Tensor], texts: Batch) -> dict[str, torch.Tensor]:
        """Return a teacher's probabilities by field, combined with those of the regressions.

        For the fields in `layers`, (N, K), they are the normalized geometric mean of both, which lets a confident
        classifier overrule an uncertain one.
        """
        combined = dict(probabilities)
        if not self.layers or not len(texts.input_ids):
            return combined
        states = self.encoder.states(texts)
        for name, layer in self.layers.items():
            combined[name] = _geometric_mean(probabilities[name], layer(states))
        return combined


def self_trained(
    labeled: np.ndarray, gold: np.ndarray, weights: np.ndarray, unlabeled: np.ndarray
) -> LogisticRegression:
    """Fit logistic regression on labeled rows, then self-train it on unlabeled ones.

    labeled: (N, H), with `gold` (N,) and `weights` (N,). unlabeled: (M, H). Each round adds the most confident
    unlabeled rows of every class, more of them than the round before, in numbers that keep the classes' shares of
    the weights.
    """
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(labeled, gold, weights)
    shares = np.array([weights[gold == label].sum() for label in model.classes_]) / weights.sum()
    for round_index in range(1, ROUNDS + 1 if len(unlabeled) else 1):
        probabilities = model.predict_proba(unlabeled)
        predicted, confidence = probabilities.argmax(1), probabilities.max(1)
        selected: list[int] = []
        for class_index, share in enumerate(shares):
            candidates = np.flatnonzero(predicted == class_index)
            count = round(FINAL_SHARE * share * len(unlabeled) * round_index / ROUNDS)
            selected += candidates[np.argsort(-confidence[candidates], kind="stable")][:count].tolist()
        states = np.vstack([labeled, unlabeled[selected]])
        labels = [*gold, *model.classes_[predicted[selected]]]
        row_weights = [*weights, *np.ones(len(selected))]
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(states, labels, row_weights)
    return model


def _layer(model: LogisticRegression, field: Field) -> nn.Linear:
    """Return the regression as a layer with the logits of all K classes; a class without a label has logit -inf."""
    weights, bias = model.coef_, model.intercept_
    if len(weights) < len(
        model.classes_
    ):  # two classes: scikit-learn then has the second class's logit only; the first one's is 0
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    layer = nn.Linear(weights.shape[1], len(field.names)).requires_grad_(False)
    layer.weight.zero_()
    layer.bias.fill_(-torch.inf)
    layer.weight[model.classes_] = torch.tensor(weights, dtype=torch.float32)
    layer.bias[model.classes_] = torch.tensor(bias, dtype=torch.float32)
    return layer


def _geometric_mean(probabilities: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the normalized geometric mean of a teacher's probabilities and of a regression's logits, both (N, K)."""
    of_teacher, of_regression = (
        values.clamp_min(MIN_PROBABILITY).log() for values in (probabilities.float(), logits.softmax(-1))
    )
    return (0.5 * (of_teacher + of_regression)).softmax(-1)
