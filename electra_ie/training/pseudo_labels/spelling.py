"""Co-training for fields of kind `spans`: logistic regression on the spelling of words and their neighbors.

A fine-tuned encoder generalizes from the meaning of words. The classifier here sees their spelling only: capitals,
which an uncased encoder does not see, digits, affixes, and the neighboring words (the usual features of conditional
random fields for named entities, such as those of Ratinov and Roth 2009, "Design challenges and misconceptions in named
entity recognition", CoNLL). The errors of both differ, so that both together are a better teacher than either (after
Blum and Mitchell 1998, "Combining labeled and unlabeled data with co-training", COLT).

They are combined as if they were independent given the tag: p(tag | both) is proportional to the product of their
probabilities divided by the frequency of the tag. So a classifier that has learned nothing, and predicts frequencies,
does not change the teacher. In a geometric mean it would remove most spans, since most words have no tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.special import softmax
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression

from electra_ie.data.hints import Hint
from electra_ie.data.spelling import features_of
from electra_ie.data.windowing import LabeledWindow, document_indices

INVERSE_PENALTY = 10.0
"""`C` of scikit-learn's LogisticRegression."""
UNLABELED_WEIGHT = 0.3
"""The weight of an unlabeled word, relative to a labeled one, times the probability of its predicted tag."""
MAX_WORDS = 60_000
"""Unlabeled words that the classifier is trained on at most."""
FEATURES = 2**17
"""The number of columns that features are hashed to."""
MIN_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Words:
    """The words of a document that have a tag.

    Attributes:
        texts: The text of each word.
        positions: The index of its window, and of its token within the window, without special tokens.
        hints: The hints that match at each word, by their names, with "B" at the first word of a match, otherwise "I".
    """

    texts: list[str]
    positions: list[tuple[int, int]]
    hints: list[list[str]]


def words_of(texts: Sequence[str], windows: Sequence[LabeledWindow], hints: Sequence[Hint] = ()) -> list[Words]:
    """Return the words of each document from its text, the windows of all documents, and the hints of the field."""
    words = [Words([], [], []) for _ in texts]
    matches = [[(hint.name, *span) for hint in hints for span in hint.find(text)] for text in texts]
    for index, (row, document) in enumerate(zip(windows, document_indices(windows), strict=True)):
        window = row.window
        for token in range(window.first, window.last):
            start, end = window.offsets[token]
            if start < end:
                words[document].texts.append(texts[document][start:end])
                words[document].positions.append((index, token))
                words[document].hints.append(
                    [
                        f"hint={name} {'B' if first >= start else 'I'}"
                        for name, first, last in matches[document]
                        if first < end and start < last
                    ]
                )
    return words


class SpellingClassifier:
    """Logistic regression that predicts the tag of each word from spelling."""

    def __init__(self, tags: int) -> None:
        """tags: the number of tags, K."""
        self.tags = tags
        self.hasher = FeatureHasher(FEATURES, input_type="string", alternate_sign=False)
        self.model = LogisticRegression(C=INVERSE_PENALTY, max_iter=200, tol=1e-3)

    def fit(
        self,
        labeled: Sequence[Words],
        gold: np.ndarray,
        unlabeled: Sequence[Words],
        teacher: np.ndarray,
    ) -> None:
        """Train on labeled words, then on unlabeled ones with the tags that classifier and teacher predict together.

        gold: (W,) tags of all labeled words. teacher: (U, K) probabilities for all unlabeled words.
        """
        rows = self._read(labeled)
        self.frequencies = (np.bincount(gold, minlength=self.tags) + 1) / (len(gold) + self.tags)
        self.model.fit(rows, gold)
        counts = np.cumsum([len(words.texts) for words in unlabeled])
        count = int(np.searchsorted(counts, MAX_WORDS, side="right"))
        if not count:
            return
        others = self._read(unlabeled[:count])
        combined = self._combined(teacher[: others.shape[0]], self._probabilities(others))
        weights = np.concatenate([np.ones(len(gold)), UNLABELED_WEIGHT * combined.max(1)])
        self.model.fit(scipy.sparse.vstack([rows, others]), [*gold, *combined.argmax(1)], weights)

    def combine_with_teacher(self, teacher: np.ndarray, words: Sequence[Words]) -> np.ndarray:
        """Return the probabilities (W, K) of a teacher for the tags of all words, combined with those from spelling."""
        return self._combined(teacher, self._probabilities(self._read(words))) if len(teacher) else teacher

    def _read(self, words: Sequence[Words]) -> scipy.sparse.csr_matrix:
        return self.hasher.transform(
            [*features, *hints]
            for document in words
            for features, hints in zip(features_of(document.texts), document.hints, strict=True)
        )

    def _probabilities(self, rows: scipy.sparse.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((rows.shape[0], self.tags))
        probabilities[:, self.model.classes_] = self.model.predict_proba(rows)
        return probabilities

    def _combined(self, teacher: np.ndarray, spelling: np.ndarray) -> np.ndarray:
        logs = [np.log(probabilities.clip(MIN_PROBABILITY)) for probabilities in (teacher, spelling)]
        combined: np.ndarray = softmax(logs[0] + logs[1] - np.log(self.frequencies), axis=1)
        return combined
