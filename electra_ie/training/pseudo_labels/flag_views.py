"""Co-training for fields of kind `flags`: a bag of words, and single sentences as the pretrained encoder reads them.

A flag often follows from one sentence or from a few words, and a model fine-tuned on few labels finds neither
reliably. Two simple classifiers of each flag look at a text in these two ways and teach each other on unlabeled texts
(Blum and Mitchell 1998, "Combining labeled and unlabeled data with co-training", COLT):

- words: logistic regression on tf-idf weights of words and word pairs;
- sentences: logistic regression on the mean encoder states of single sentences, where the score of a text is that of
  its highest sentence (multiple-instance learning, Dietterich et al. 1997; which sentence of a labeled text has the
  evidence is estimated in turns with the regression, as in expectation maximization).

In each round both scores are added, with the evidence of hints if there are any, and the sum, aligned to the label
shares, is the target of both classifiers on the unlabeled texts in the next round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import scipy.sparse
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from electra_ie.common.scripts import words
from electra_ie.data.windowing import sentences
from electra_ie.training.pseudo_labels.temperature import MIN_PROBABILITY, least_loss

ROUNDS = 3
UNLABELED_WEIGHT = 0.3
"""The weight of an unlabeled text, relative to a labeled one."""
INVERSE_PENALTY = 10.0
"""`C` of scikit-learn's LogisticRegression."""
ESTIMATES = 3
"""Estimates of which sentence has the evidence, in each round."""
SCALE = 2.0
"""The standard deviation of a view's scores on unlabeled texts, in logits: the confidence of its probabilities."""
LABEL_TEXT_WEIGHT = 2.0
"""The weight of a text about a flag, its description or name, relative to a labeled one."""
MIN_TEXTS = 2
"""A flag of fewer labeled texts, or with fewer texts without it, is left to the teacher."""
MAX_TEXTS = 2_000
"""Unlabeled texts that the views are trained on at most."""
MIN_WEIGHT = 1e-4
"""Rows of a smaller weight are left out."""

Encode = Callable[[Sequence[str]], np.ndarray]
"""Sentences -> their states (S, H)."""


class CoTrainedFlags:
    """The two views of the flags in `columns`.

    Attributes:
        columns: The indices of the flags that have enough labeled texts.
    """

    def __init__(self, gold: np.ndarray, encode: Encode) -> None:
        """gold: (N, K) zeros and ones of the labeled texts. encode: reads sentences with the pretrained encoder."""
        count = gold.sum(0)
        self.columns = np.flatnonzero((count >= MIN_TEXTS) & (count <= len(gold) - MIN_TEXTS))
        self.gold = gold[:, self.columns].astype(float)
        self.shares = self.gold.mean(0)
        self.views: list[Any] = [_Words(), _Sentences(encode)]

    def fit(
        self, labeled: Sequence[str], unlabeled: Sequence[str], about_flags: Mapping[int, str], evidence: np.ndarray
    ) -> None:
        """Train the views on labeled texts, in the order of the gold, and on unlabeled ones.

        about_flags: texts about flags by their index. Each counts as a text with this flag alone. evidence: (U, K)
        logits that are added to the views' scores of the unlabeled texts: the evidence of hints.
        """
        about = {column: about_flags[flag] for column, flag in enumerate(self.columns.tolist()) if flag in about_flags}
        known_texts = [*labeled, *about.values()]
        known = np.vstack([self.gold, np.eye(len(self.columns))[list(about)]])
        known_weights = np.concatenate([np.ones(len(labeled)), np.full(len(about), LABEL_TEXT_WEIGHT)])
        targets, weights = known, known_weights
        for view in self.views:
            view.read_training_texts([*known_texts, *unlabeled])
        for _ in range(ROUNDS):
            logits = evidence[:, self.columns].copy()
            for view in self.views:
                view.fit(targets, weights)
                logits += _standardized(view.scores_of_training_texts()[len(known) :])
            targets = np.vstack([known, aligned(logits / math.sqrt(len(self.views)), self.shares)])
            weights = np.concatenate([known_weights, np.full(len(unlabeled), UNLABELED_WEIGHT)])

    def combine_with_teacher(self, teacher: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Return the logits (N, K) of a teacher for unlabeled texts, for the flags in `columns` added to the views'."""
        combined = teacher.copy()
        of_columns = _standardized(teacher[:, self.columns])
        for view in self.views:
            of_columns += _standardized(view.scores(texts))
        combined[:, self.columns] = of_columns
        return combined


class _Words:
    def read_training_texts(self, texts: Sequence[str]) -> None:
        self.vectorizer = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True)
        self.rows = self.vectorizer.fit_transform(texts)

    def fit(self, targets: np.ndarray, weights: np.ndarray) -> None:
        """Fit a regression for each flag. targets: (N, K) probabilities for the first N texts, weights: (N,)."""
        rows = self.rows[: len(targets)]
        self.models = [_regression(rows, target * weights, (1 - target) * weights) for target in targets.T]

    def scores_of_training_texts(self) -> np.ndarray:
        return _decisions(self.models, self.rows)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        return _decisions(self.models, self.vectorizer.transform(texts))


class _Sentences:
    def __init__(self, encode: Encode) -> None:
        self.encode = encode

    def read_training_texts(self, texts: Sequence[str]) -> None:
        self.states, self.text_of = self._read(texts)
        self.count = len(texts)

    def _read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the states (S, H) of the sentences of all texts, and the index (S,) of the text of each."""
        by_text = [sentences(text) or [text] for text in texts]
        return self.encode(list(chain(*by_text))), np.repeat(np.arange(len(texts)), [len(part) for part in by_text])

    def fit(self, targets: np.ndarray, weights: np.ndarray) -> None:
        """Fit a regression for each flag. targets: (N, K) probabilities for the first N texts, weights: (N,)."""
        known = self.text_of < len(targets)
        states, text_of = self.states[known], self.text_of[known]
        self.models = []
        for target in targets.T:
            share = (1 / np.bincount(text_of))[text_of]  # of each sentence in the evidence of its text
            for _ in range(ESTIMATES):
                positive = target[text_of] * share
                model = _regression(states, positive * weights[text_of], (1 - positive) * weights[text_of])
                share = _softmax_by_text(model.decision_function(states), text_of)
            self.models.append(model)

    def scores_of_training_texts(self) -> np.ndarray:
        return _highest(_decisions(self.models, self.states), self.text_of, self.count)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        states, text_of = self._read(texts)
        return _highest(_decisions(self.models, states), text_of, len(texts))


def _standardized(scores: np.ndarray) -> np.ndarray:
    """Return scores (N, K) of unlabeled texts as logits, with mean 0 and deviation `SCALE` in each column."""
    logits: np.ndarray = (scores - scores.mean(0)) / scores.std(0).clip(1e-6) * SCALE
    return logits


def aligned(logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return probabilities (N, K) of logits, shifted so that the mean of each column is the label share of its flag."""
    bound = float(np.abs(logits).max()) + 40.0  # where all probabilities are 0 or 1 in double precision
    columns = []
    for column, share in zip(logits.T, shares, strict=True):
        shift = brentq(lambda shift, values=column, mean=share: expit(values + shift).mean() - mean, -bound, bound)
        columns.append(expit(column + shift))
    return np.stack(columns, axis=1)


def aligned_loss(logits: np.ndarray, gold: np.ndarray, shares: np.ndarray) -> float:
    """Return the binary cross entropy of logits (N, K), aligned to the shares, at the best temperature."""

    def loss(scale: float) -> float:
        probabilities = aligned(logits * scale, shares).clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        return -float(np.log(np.where(gold, probabilities, 1 - probabilities)).mean())

    return least_loss(loss)


def _words_and_pairs(text: str) -> list[str]:
    found = words(text)
    return [*found, *map(" ".join, pairwise(found))]


def _regression(rows: Any, positive: np.ndarray, negative: np.ndarray) -> LogisticRegression:
    """Fit logistic regression on rows (N, F) that are positive with one weight (N,) and negative with another."""
    stack = scipy.sparse.vstack if scipy.sparse.issparse(rows) else np.vstack
    is_positive, is_negative = positive > MIN_WEIGHT, negative > MIN_WEIGHT
    labels = np.repeat([1, 0], [is_positive.sum(), is_negative.sum()])
    weights = np.concatenate([positive[is_positive], negative[is_negative]])
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000)
    return model.fit(stack([rows[is_positive], rows[is_negative]]), labels, weights)


def _decisions(models: Sequence[LogisticRegression], rows: Any) -> np.ndarray:
    return np.stack([model.decision_function(rows) for model in models], axis=1)


def _highest(scores: np.ndarray, text_of: np.ndarray, count: int) -> np.ndarray:
    """Return the highest of the sentences' scores (S, K) in each of `count` texts, (count, K)."""
    highest = np.full((count, scores.shape[1]), -np.inf)
    np.maximum.at(highest, text_of, scores)
    return highest


def _softmax_by_text(scores: np.ndarray, text_of: np.ndarray) -> np.ndarray:
    """Return the softmax of the sentences' scores (S,) within each text."""
    values = np.exp(scores - scores.max())
    share: np.ndarray = values / np.bincount(text_of, values)[text_of]
    return share
