"""Logistic regression for classes and flags: on tf-idf features, and on the states of a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from cell_data import CellData

from electra_ie.config.train import EMBEDDED
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.metrics import score

INVERSE_PENALTIES = (10.0, 1.0, 100.0)
"""`C` of scikit-learn's LogisticRegression: the best on dev, the first without dev or of equally good ones."""
Predict = Callable[[Sequence[str]], list[Any]]
"""Texts -> the answer to each: a class, a tuple of flags or a tuple of spans."""


def assign(field: Field, scores: np.ndarray, pool_scores: np.ndarray, data: CellData) -> list[Any]:
    """Return the answers to texts with scores (N, K): the best class, or the flags above their thresholds.

    pool_scores: (M, K), those of the pool, on which the thresholds are the quantiles of the label shares.
    """
    if field.kind == "classes":
        return [field.labels[index] for index in scores.argmax(1)]
    shares = [np.mean([label in gold for gold in gold_of(field, data.train)]) for label in field.labels]
    thresholds = [
        np.quantile(column, 1 - share) if share else np.inf for column, share in zip(pool_scores.T, shares, strict=True)
    ]
    return [
        tuple(label for label, assigned in zip(field.labels, row, strict=True) if assigned)
        for row in scores > thresholds
    ]


def gold_of(field: Field, documents: Sequence[Document]) -> list[Any]:
    return [document.gold[field.name] for document in documents]


def texts_of(documents: Sequence[Document]) -> list[str]:
    return [document.text for document in documents]


def best_on_dev(field: Field, data: CellData, candidates: Iterator[Predict]) -> Predict:
    """Return the first of equally good candidates on dev, or the first one without a dev split."""
    if not data.dev:
        return next(candidates)
    best, best_score = None, -1.0
    for predict in candidates:
        scores = score(field, gold_of(field, data.dev), predict(texts_of(data.dev)))
        if (scores[scores["main"]] or 0) > best_score:
            best, best_score = predict, scores[scores["main"]] or 0
    assert best is not None
    return best


def logistic_scores(
    field: Field, data: CellData, penalty: float, rows: Any, pool: Any, self_training: bool
) -> Callable[[Any], np.ndarray]:
    """Return a function from features (N, H) to scores (N, K) by logistic regression on labeled features.

    Classes: one multinomial regression; a class without a label has the score -inf. Flags: a regression for each flag.
    """
    gold = gold_of(field, data.labeled(field))
    fit = partial(_self_trained if self_training else _fitted, penalty=penalty, labeled=rows, pool=pool)
    if field.kind == "classes":
        model = fit(gold=np.array([field.labels.index(label) for label in gold]))

        def of_classes(features: Any) -> np.ndarray:
            scores = np.full((features.shape[0], len(field.labels)), -np.inf)
            scores[:, model.classes_] = model.predict_log_proba(features)
            return scores

        return of_classes
    indicators = [np.array([label in flags for flags in gold], dtype=int) for label in field.labels]
    models = [fit(gold=column) if 0 < column.sum() < len(column) else None for column in indicators]

    def of_flags(features: Any) -> np.ndarray:
        columns = [
            np.zeros(features.shape[0]) if model is None else model.decision_function(features) for model in models
        ]
        return np.stack(columns, 1)

    return of_flags


def _fitted(labeled: Any, gold: np.ndarray, penalty: float, pool: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=1000).fit(labeled, gold)


ROUNDS = 5
FINAL_SHARE = 0.8
"""Share of the pool in the last round of self-training."""


def _self_trained(labeled: np.ndarray, gold: np.ndarray, penalty: float, pool: np.ndarray) -> Any:
    """Return logistic regression after five rounds of class-balanced self-training (Zou et al. 2018, arXiv 1810.07911).

    Each round adds the most confident rows of the pool to the labels, in numbers that keep the shares of the classes,
    and more of them than the round before. With two classes, a flag, the rows are split at the flag's share first:
    without that a rare flag would never be predicted.
    """
    model = _fitted(labeled, gold, penalty, pool)
    classes, counts = np.unique(gold, return_counts=True)
    shares = counts / len(gold)
    for index in range(1, ROUNDS + 1):
        probabilities = model.predict_proba(pool)
        predicted = probabilities.argmax(1)
        if len(classes) == 2:
            predicted = (probabilities[:, 1] > np.quantile(probabilities[:, 1], shares[0])).astype(int)
        confidence = probabilities[np.arange(len(pool)), predicted]
        selected: list[int] = []
        for column, share in enumerate(shares):
            candidates = np.flatnonzero(predicted == column)
            count = round(FINAL_SHARE * share * len(pool) * index / ROUNDS)
            selected += candidates[np.argsort(-confidence[candidates], kind="stable")][:count].tolist()
        model = _fitted(
            np.vstack([labeled, pool[selected]]), np.array([*gold, *classes[predicted[selected]]]), penalty, pool
        )
    return model


def tfidf(field: Field, data: CellData) -> Predict:
    """Fit logistic regression on tf-idf features of words and bigrams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    labeled, pool = vectorizer.fit_transform(texts_of(data.labeled(field))), vectorizer.transform(texts_of(data.pool))

    def of_penalty(penalty: float) -> Predict:
        scores = logistic_scores(field, data, penalty, labeled, pool, self_training=False)
        return lambda texts: assign(field, scores(vectorizer.transform(texts)), scores(pool), data)

    return best_on_dev(field, data, map(of_penalty, INVERSE_PENALTIES))


def frozen_states(field: Field, data: CellData) -> Predict:
    """Fit logistic regression with self-training on the mean states of the encoder, which is not trained."""
    labeled, pool = states(tuple(texts_of(data.labeled(field)))), states(tuple(texts_of(data.pool)))

    def of_penalty(penalty: float) -> Predict:
        scores = logistic_scores(field, data, penalty, labeled, pool, self_training=True)
        return lambda texts: assign(field, scores(states(tuple(texts))), scores(pool), data)

    return best_on_dev(field, data, map(of_penalty, INVERSE_PENALTIES))


@lru_cache(maxsize=4)
def states(texts: tuple[str, ...]) -> np.ndarray:
    """Return the mean states of the encoder, normalized to length one, as (N, H). At most 256 tokens are read."""
    import torch
    from transformers import AutoModel

    from electra_ie.models.encoders import load_tokenizer, resolve_encoder

    tokenizer, model = load_tokenizer(EMBEDDED), AutoModel.from_pretrained(resolve_encoder(EMBEDDED)).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # texts of similar length share a batch
    result = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(texts), 64):
        indices = order[start : start + 64]
        batch = tokenizer(
            [texts[index] for index in indices], return_tensors="pt", padding=True, truncation=True, max_length=256
        )
        mask = batch["attention_mask"][..., None]
        with torch.no_grad():
            output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        result[indices] = torch.nn.functional.normalize((output * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    return result
