"""Suspect labels: those that simple classifiers, trained on the other documents, contradict with confidence.

Classes and flags are predicted by logistic regression on tf-idf weights of words and word pairs, spans by logistic
regression on the spelling of words and their neighbors. The predictions are out-of-fold: those for a document come from
a model that was trained on none of the documents with its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from electra_ie.checks.confident_learning import suspects
from electra_ie.checks.counts import Splits, labeled
from electra_ie.checks.issues import Issue, Place, are, counted
from electra_ie.common.scripts import words
from electra_ie.data.bio import to_tags
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import BIO, Field, drop_overlapping, has_label
from electra_ie.data.leakage import digest_of
from electra_ie.data.spelling import features_of
from electra_ie.data.windowing import WindowTokenizer

FOLDS = 5
MIN_EXAMPLES = 2 * FOLDS
"""Distinct texts with a label, from which it is checked: each model should see several of them."""
MAX_TEXTS = 10_000
"""Labeled texts that are checked for a field of classes or flags; of more, every n-th is."""
MAX_WORDS = 60_000
"""Words that are checked for a field of spans, in whole documents; of more, every n-th document is."""
INVERSE_PENALTY = 10.0
"""`C` of scikit-learn's LogisticRegression."""
FEATURES = 2**17
"""The number of columns that features of spelling are hashed to."""
NO_SPAN = "no span"
PLACES = 50
"""Places that an issue lists."""


@dataclass(frozen=True, slots=True)
class _Labeled:
    """A document with gold for a field, with its split and the number of its text: equal texts have the same."""

    split: str
    document: Document
    text: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A label that is suspect: the place, the given and the probable label, and the probability of the given one."""

    split: str
    document: Document
    given: str
    suggested: str
    probability: float
    start: int | None = None
    end: int | None = None


def suspect_labels(splits: Splits, fields: Sequence[Field], windower: WindowTokenizer) -> tuple[list[Issue], list[str]]:
    """Return an issue for each field, or flag, with suspect labels, and a sentence for each that is not checked."""
    issues: list[Issue] = []
    skipped: list[str] = []
    for field in fields:
        documents = _documents(splits, field)
        if field.kind == "classes":
            _classes(field, documents, issues, skipped)
        elif field.kind == "flags":
            _flags(field, documents, issues, skipped)
        else:
            _spans(field, documents, windower, issues, skipped)
    return issues, skipped


def _documents(splits: Splits, field: Field) -> list[_Labeled]:
    """Return the documents with gold for a field, in all splits; empty ones are left out."""
    numbers: dict[bytes, int] = {}
    return [
        _Labeled(split, document, numbers.setdefault(digest_of(document.text), len(numbers)))
        for split, documents in labeled(splits).items()
        for document in documents
        if field.name in document.gold and document.text.strip()
    ]


def _every_nth(documents: Sequence[_Labeled], size: int, most: int, name: str, skipped: list[str]) -> list[_Labeled]:
    """Return every n-th document, so that at most `most` of `size` texts or words are left."""
    step = max(1, -(-size // most))
    chosen = list(documents[::step])
    if step > 1:
        skipped.append(f"{name}: suspect labels were searched in {len(chosen):,} of {len(documents):,} documents.")
    return chosen


def out_of_fold(rows: Any, labels: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return probabilities (N, K) of logistic regressions, each predicted by one that was not trained on the group.

    Args:
        rows: The features (N, F), sparse.
        labels: The labels (N,), from 0 to `count` - 1.
        groups: The group of each row (N,); rows of a group are in the same fold.
        count: The number of labels, K.
    """
    probabilities = np.zeros((len(labels), count))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, held_out in folds.split(np.zeros(len(labels)), labels, groups):
        if len(np.unique(labels[train])) == 1:
            probabilities[held_out, labels[train][0]] = 1.0
            continue
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=200, tol=1e-3).fit(rows[train], labels[train])
        probabilities[np.ix_(held_out, model.classes_)] = model.predict_proba(rows[held_out])
    return probabilities


def _rows(documents: Sequence[_Labeled]) -> scipy.sparse.csr_matrix:
    vectorizer = TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True)
    return vectorizer.fit_transform([each.document.text for each in documents])


def _words_and_pairs(text: str) -> list[str]:
    """Return the words and word pairs of a text; a text without words is one, so that no vocabulary is empty."""
    found = words(text)
    return [*found, *map(" ".join, pairwise(found))] or [text]


def _count_texts(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    """Count the distinct texts of each label, from the labels of texts."""
    return Counter(label for label, _ in set(pairs))


def _classes(field: Field, documents: list[_Labeled], issues: list[Issue], skipped: list[str]) -> None:
    """Add the issue of a field of classes."""
    count = _count_texts((each.document.gold[field.name], each.text) for each in documents)
    frequent = [label for label in field.labels if count[label] >= MIN_EXAMPLES]
    _skip_rare(field, [label for label in field.labels if label not in frequent], skipped)
    if len(frequent) <= 1:
        return
    kept = [each for each in documents if each.document.gold[field.name] in frequent]
    kept = _every_nth(kept, len(kept), MAX_TEXTS, f'field "{field.name}"', skipped)
    labels = np.array([frequent.index(each.document.gold[field.name]) for each in kept])
    probabilities = out_of_fold(_rows(kept), labels, np.array([each.text for each in kept]), len(frequent))
    found = [
        _suspicion(kept[index], frequent[labels[index]], frequent[guess], probabilities[index, labels[index]])
        for index, guess in zip(*suspects(labels, probabilities), strict=True)
    ]
    issues += _issues(field, "", found, len(kept), "label")


def _flags(field: Field, documents: list[_Labeled], issues: list[Issue], skipped: list[str]) -> None:
    """Add the issues of a field of flags, one for each flag."""
    kept = _every_nth(documents, len(documents), MAX_TEXTS, f'field "{field.name}"', skipped)
    columns = {
        label: np.array([has_label(each.document.gold[field.name], label) for each in kept], int)
        for label in field.labels
    }
    groups = np.array([each.text for each in kept])
    checked = {
        label: column
        for label, column in columns.items()
        if min(len(np.unique(groups[column == value])) for value in (0, 1)) >= MIN_EXAMPLES
    }
    _skip_rare(field, [label for label in field.labels if label not in checked], skipped)
    rows = _rows(kept) if checked else None
    for label, column in checked.items():
        probabilities = out_of_fold(rows, column, groups, 2)
        names = (f"not {label}", label)
        found = [
            _suspicion(kept[index], names[column[index]], names[guess], probabilities[index, column[index]])
            for index, guess in zip(*suspects(column, probabilities), strict=True)
        ]
        issues += _issues(field, label, found, len(kept), "document")


def _suspicion(each: _Labeled, given: str, suggested: str, probability: float) -> Suspicion:
    return Suspicion(each.split, each.document, given, suggested, float(probability))


def _spans(
    field: Field, documents: list[_Labeled], windower: WindowTokenizer, issues: list[Issue], skipped: list[str]
) -> None:
    """Add the issue of a field of spans: words whose label, or lack of one, is suspect, joined to passages."""
    by_words = WindowTokenizer(windower.tokenizer, windower.size, windower.context_overlap, whole_words=True)
    characters = sum(len(each.document.text) for each in documents)
    kept = _every_nth(documents, characters // 5, MAX_WORDS, f'field "{field.name}"', skipped)
    names = (NO_SPAN, *field.labels)
    count = _count_texts((span.label, each.text) for each in kept for span in each.document.gold[field.name])
    frequent = {label for label in field.labels if count[label] >= MIN_EXAMPLES}
    _skip_rare(field, [label for label in field.labels if label not in frequent], skipped)
    if not frequent:
        return
    offsets = [[offset for offset in by_words.tokens(each.document.text)[1] if offset[0] < offset[1]] for each in kept]
    pairs = list(zip(kept, offsets, strict=True))
    rows = _spelling([[each.document.text[start:end] for start, end in of] for each, of in pairs])
    labels = np.concatenate([_word_labels(field, names, each.document, of) for each, of in pairs])
    counts = [len(of) for of in offsets]
    document_of = np.repeat(np.arange(len(kept)), counts)
    groups = np.array([each.text for each in kept])[document_of]
    probabilities = out_of_fold(rows, labels, groups, len(names))
    flat = [offset for of in offsets for offset in of]
    found = []
    indices, guesses = suspects(labels, probabilities)
    for index, guess in sorted(zip(indices.tolist(), guesses.tolist(), strict=True)):
        given, suggested = names[labels[index]], names[guess]
        if {given, suggested} <= {NO_SPAN, *frequent}:
            suspicion = _suspicion(kept[document_of[index]], given, suggested, probabilities[index, labels[index]])
            found.append((index, replace(suspicion, start=flat[index][0], end=flat[index][1])))
    total = sum(len(each.document.gold[field.name]) for each in kept)
    issues += _issues(field, "", list(_passages(field, found)), total, "span")


def _spelling(texts: Sequence[Sequence[str]]) -> scipy.sparse.csr_matrix:
    """Return the features of all words of all texts, without those that occur only once."""
    hasher = FeatureHasher(FEATURES, input_type="string", alternate_sign=False)
    rows = hasher.transform(features for text in texts for features in features_of(text))
    return rows[:, np.flatnonzero(np.bincount(rows.indices, minlength=FEATURES) > 1)]


def _word_labels(
    field: Field, names: Sequence[str], document: Document, offsets: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Return the index in `names` of the label of each word."""
    flat = replace(field, scheme=BIO, levels=(), fragments=False)  # a word has one label here, that of its longest span
    kept = drop_overlapping(document.gold[field.name])[0]
    tags = to_tags(flat, [Span(start, end, span.label) for span in kept for start, end in span.ranges], offsets)
    return np.array([names.index(flat.names[tag].partition("-")[2] or NO_SPAN) for tag in tags], dtype=int)


def _passages(field: Field, found: Sequence[tuple[int, Suspicion]]) -> Iterator[Suspicion]:
    """Yield the passages of suspect words: the whole span that has the word, or consecutive words without a span."""

    def key(item: tuple[int, tuple[int, Suspicion]]) -> tuple[object, ...]:
        position, (word, suspicion) = item
        span = _span_at(field, suspicion)
        if span:
            return suspicion.split, suspicion.document.id, span.start, span.end, suspicion.suggested
        return suspicion.split, suspicion.document.id, word - position, suspicion.suggested

    for _, items in groupby(enumerate(found), key):
        several = [suspicion for _, (_, suspicion) in items]
        first, span = several[0], _span_at(field, several[0])
        start, end = (span.start, span.end) if span else (first.start, several[-1].end)
        yield replace(first, start=start, end=end, probability=min(each.probability for each in several))


def _span_at(field: Field, suspicion: Suspicion) -> Span | None:
    """Return the gold span that has the word of a suspicion, or None if the word has no label."""
    if suspicion.given == NO_SPAN or suspicion.start is None or suspicion.end is None:
        return None
    for span in drop_overlapping(suspicion.document.gold[field.name])[0]:
        if span.start < suspicion.end and suspicion.start < span.end and span.label == suspicion.given:
            return span
    return None


def _issues(field: Field, label: str, found: list[Suspicion], total: int, noun: str) -> Iterator[Issue]:
    """Yield the issue of the suspicions of a field or flag, if there are any; the least probable labels come first."""
    if not found:
        return
    ranked = sorted(found, key=lambda suspicion: suspicion.probability)
    places = [
        Place.of(
            each.split, each.document, each.start, each.end, given=each.given, suggested=each.suggested,
            probability=round(each.probability, 4),
        )
        for each in ranked[:PLACES]
    ]  # fmt: skip
    name = f'field "{field.name}"' + (f", {label}" if label else "")
    if noun == "span":
        missing = sum(each.given == NO_SPAN for each in found)
        message = (
            f"{name}: {counted(len(found) - missing, 'span')} of {total:,} {are(len(found) - missing)} suspect, and "
            f"{counted(missing, 'passage')} without a span may have one"
        )
    else:
        message = f"{name}: the label of {len(found):,} of {counted(total, 'document')} is suspect"
    message += ", by the predictions of a simple model that was not trained on them."
    yield Issue("suspect_labels", "note", message, len(found), total, places, "", field.name, label)


def _skip_rare(field: Field, rare: Sequence[str], skipped: list[str]) -> None:
    """Note the labels that are not checked."""
    if rare:
        shown = ", ".join(rare[:5]) + (", ..." if len(rare) > 5 else "")  # noqa: PLR2004 - as many as fit on a line
        skipped.append(
            f'field "{field.name}": suspect labels were not searched for {counted(len(rare), "label")} with fewer than '
            f"{MIN_EXAMPLES} texts: {shown}."
        )
