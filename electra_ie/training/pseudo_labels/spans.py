"""Fields of kind `spans`: rare types are raised, and the spelling of words helps the teacher. See `span_shares`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from electra_ie.data.fields import Field
from electra_ie.data.hints import Hint
from electra_ie.data.training_data import windows_of
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator
from electra_ie.training.pseudo_labels.predictions import PseudoLabel, hints_of, labeled_for, predict, texts_of
from electra_ie.training.pseudo_labels.span_shares import raise_rare_types
from electra_ie.training.pseudo_labels.spelling import SpellingClassifier, Words, words_of
from electra_ie.training.pseudo_labels.temperature import calibrated_loss
from electra_ie.training.setup import TrainingSetup

MIN_TAGS = 2


def improve_spans(setup: TrainingSetup, teacher: Discriminator, labels: Sequence[PseudoLabel], field: Field) -> bool:
    """Raise rare types in the teacher's probabilities of tags, and combine these with those of a `SpellingClassifier`.

    Return whether they are combined: not without co-training, and with dev only if this reduces the loss there.
    """
    hints = hints_of(setup, field)
    pool = words_of(texts_of(setup.windows.pool_documents), setup.windows.pool, hints)
    of_teacher = _probabilities(setup, labels, pool, field)
    rows = [row for row in setup.windows.labeled if field.name in row.gold]
    labeled = words_of(texts_of(labeled_for(setup.data.train, field)), rows, hints)
    gold = _gold(rows, labeled, field)
    lengths = [len(words.texts) for words in labeled]
    if not len(of_teacher):
        return False
    on_dev = _on_dev(setup, teacher, field, hints) if setup.settings.co_training else None
    improved, is_combined = of_teacher.copy(), False
    for index, (track, columns) in enumerate(_tracks(field)):
        tags, raised = gold[:, index], of_teacher[:, columns]
        if len(set(tags.tolist())) < MIN_TAGS:
            continue
        raised = raise_rare_types(track, raised, tags, lengths)
        if setup.settings.co_training:
            classifier = SpellingClassifier(len(track.names))
            classifier.fit(labeled, tags, pool, raised)
            if on_dev is None or _helps(classifier, on_dev, index, columns):
                raised, is_combined = classifier.combine_with_teacher(raised, pool), True
        improved[:, columns] = raised
    before = len(setup.windows.windower.before)
    for (window, token), probabilities in zip(_positions(pool), improved, strict=True):
        labels[window][field.name][before + token] = torch.tensor(probabilities, dtype=torch.float32)
    return is_combined


def _tracks(field: Field) -> list[tuple[Field, slice]]:
    """Return each sequence of tags of a field of spans with its columns among the probabilities of all tags."""
    ends = np.cumsum([len(track.names) for track in field.tracks]).tolist()
    return [(track, slice(end - len(track.names), end)) for track, end in zip(field.tracks, ends, strict=True)]


def _positions(documents: Sequence[Words]) -> list[tuple[int, int]]:
    """Return window and token of the words of all documents."""
    return [position for words in documents for position in words.positions]


def _gold(rows: Sequence[LabeledWindow], documents: Sequence[Words], field: Field) -> np.ndarray:
    """Return the tags of all words, (W, N) in the N sequences of tags."""
    tags = [rows[window].gold[field.name][token] for window, token in _positions(documents)]  # type: ignore[index]
    return np.array(tags, dtype=int).reshape(len(tags), len(field.tracks))


def _probabilities(
    setup: TrainingSetup, labels: Sequence[PseudoLabel], documents: Sequence[Words], field: Field
) -> np.ndarray:
    """Return the probabilities of the tags of all words, (W, K), those of all tracks side by side."""
    before = len(setup.windows.windower.before)
    return np.array([labels[window][field.name][before + token].numpy() for window, token in _positions(documents)])


@dataclass(frozen=True)
class _OnDev:
    """The words of dev, the teacher's probabilities of their tags, (W, K) as `_probabilities`, and the right tags."""

    words: Sequence[Words]
    teacher: np.ndarray
    gold: np.ndarray


def _on_dev(setup: TrainingSetup, teacher: Discriminator, field: Field, hints: Sequence[Hint]) -> _OnDev | None:
    """Return what tells on dev whether classifiers help; None without documents with gold for the field."""
    dev = labeled_for(setup.data.dev, field)
    if not dev:
        return None
    rows = windows_of(dev, setup.windows.windower, [field])
    words = words_of(texts_of(dev), rows, hints)
    return _OnDev(words, _probabilities(setup, predict(setup, teacher, rows), words, field), _gold(rows, words, field))


def _helps(classifier: SpellingClassifier, dev: _OnDev, track: int, columns: slice) -> bool:
    """Return whether the classifier of a sequence of tags reduces the teacher's loss on the words of dev."""
    alone, gold = dev.teacher[:, columns], dev.gold[:, track]
    combined = classifier.combine_with_teacher(alone, dev.words)
    losses = [calibrated_loss(probabilities, gold, np.ones(len(gold))) for probabilities in (alone, combined)]
    return losses[1] < losses[0]
