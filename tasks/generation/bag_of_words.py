"""A cheap method to compare with: tf-idf of words and bigrams, and logistic regression.

Each flag is assigned to the texts whose score exceeds a threshold: the quantile of the scores on the unlabeled file that
gives the flag its share among the labels. Of classes, the one with the highest score is assigned. Test chooses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tasks.generation.grammar import Record


def predict(train: Sequence[Record], unlabeled: Sequence[Record], test: Sequence[Record]) -> list[set[str]]:
    """Return the flags of each test record, or its outcome."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectorizer.fit_transform(record.text for record in train)
    pool, scored = (vectorizer.transform(record.text for record in records) for records in (unlabeled, test))
    gold = [record.names() for record in train]
    labels = sorted(set().union(*gold))
    columns = []
    for label in labels:
        is_gold = np.array([label in names for names in gold])
        model = LogisticRegression(C=10, max_iter=1000).fit(features, is_gold)
        threshold = np.quantile(model.decision_function(pool), 1 - is_gold.mean())
        columns.append(model.decision_function(scored) - (threshold if "flags" in train[0].labels else 0))
    margins = np.array(columns).T
    if "flags" in train[0].labels:
        return [{label for label, margin in zip(labels, row, strict=True) if margin > 0} for row in margins]
    return [{labels[row.argmax()]} for row in margins]
