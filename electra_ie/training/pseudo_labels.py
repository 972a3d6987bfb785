"""Pseudo-labels: the predictions for the unlabeled texts that a student learns, computed once before it trains.

They are the teacher's probabilities, combined by co-training with those of simpler classifiers where these help, and
with the evidence of hints (see `hint_evidence`; for spans, hints are features of `span_co_training`). The
probabilities of a flag are aligned: shifted so that their mean is the flag's share among the labels (distribution
alignment, Berthelot et al. 2020, "ReMixMatch", arXiv 1911.09785, section 3.1; there for classes, and by a factor). A
teacher of few labels is confident on the texts it was trained on and on no others, and its student would learn that a
rare flag does not occur. For spans, see `span_shares`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from scipy.special import expit

from electra_ie.common.progress import progress
from electra_ie.data.batching import in_batches
from electra_ie.data.document import Document
from electra_ie.data.fields import Field, has_label
from electra_ie.data.hints import Hint
from electra_ie.data.training_data import windows_of
from electra_ie.data.windowing import LabeledWindow, document_indices
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.tags import field_probabilities
from electra_ie.training.co_training import MIN_PROBABILITY, FeatureClassifier, calibrated_loss
from electra_ie.training.flag_co_training import MAX_TEXTS, CoTrainedFlags, aligned, aligned_loss
from electra_ie.training.flag_thresholds import document_logits, label_shares, mean_by_document
from electra_ie.training.hint_evidence import HintEvidence
from electra_ie.training.setup import TrainingSetup
from electra_ie.training.span_co_training import SpellingClassifier, Words, words_of
from electra_ie.training.span_shares import raise_rare_types

PseudoLabel = dict[str, torch.Tensor]
"""The probabilities of one window by field: (K,), or (L, K) for spans, with K all tags of each track."""
BATCH_SIZE = 64
MIN_TAGS = 2


def pseudo_labels(setup: TrainingSetup, teacher: Discriminator) -> tuple[list[PseudoLabel], list[str]]:
    """Return the pseudo-labels of all unlabeled windows, and the fields for which co-training was used.

    With several processes they are those of the first one, since devices round differently.
    """
    result: list[tuple[list[PseudoLabel], list[str]] | None] = [None]
    if setup.is_main_process:
        classifier = _classifier(setup, teacher)
        labels = _predict(setup, teacher, setup.pool, classifier)
        fields = list(classifier.layers) if classifier else []
        for field in setup.task.fields:
            if field.kind == "classes" and _hints(setup, field):
                _add_evidence(setup, labels, field)
            if field.kind == "flags" and _align_flags(setup, teacher, labels, field):
                fields.append(field.name)
            if field.kind == "spans" and _improve_spans(setup, teacher, labels, field):
                fields.append(field.name)
        result = [(labels, fields)]
    labels, fields = broadcast_object_list(result)[0]
    return labels, fields


def soft_labels(setup: TrainingSetup, teacher: Discriminator) -> list[PseudoLabel]:
    """Return the teacher's probabilities for all windows of the pool as they are, without alignment or co-training.

    The windows of a document share its flags, whose logits are the mean over its windows, as in extraction. With
    several processes they are those of the first one.
    """
    result: list[list[PseudoLabel] | None] = [None]
    if setup.is_main_process:
        labels, documents = _predict(setup, teacher, setup.pool), np.array(document_indices(setup.pool))
        for field in setup.task.fields:
            if field.kind == "flags":
                logits = mean_by_document(np.stack([label[field.name].double().numpy() for label in labels]), documents)
                for label, document in zip(labels, documents, strict=True):
                    label[field.name] = torch.tensor(expit(logits[document]), dtype=torch.float32)
        result = [labels]
    shared: list[PseudoLabel] = broadcast_object_list(result)[0]
    return shared


def _classifier(setup: TrainingSetup, teacher: Discriminator) -> FeatureClassifier | None:
    """Return the classifier of co-training for the fields of kind `classes`; None if it helps in none of them."""
    if setup.frozen_encoder is None:
        return None
    dev = windows_of(setup.data.dev, setup.windower, setup.task.fields)
    classifier = FeatureClassifier(setup.task.fields, setup.frozen_encoder)
    classifier.fit(setup.labeled, setup.label_windows, setup.pool, dev, teacher, setup.settings.seed)
    return classifier if classifier.layers else None


def _predict(
    setup: TrainingSetup,
    teacher: Discriminator,
    windows: Sequence[LabeledWindow],
    classifier: FeatureClassifier | None = None,
) -> list[PseudoLabel]:
    """Return the teacher's probabilities for each window, for classes combined with those of `classifier`.

    For flags they are logits still, since probabilities near 1 lose the order of the texts.
    """
    windower = setup.windower
    labels: list[PseudoLabel] = [{}] * len(windows)
    special, done = len(windower.before) + len(windower.after), 0
    fields = {field.name: field for field in setup.task.fields}
    kinds = {name: field.kind for name, field in fields.items()}
    teacher.eval()
    with progress(len(windows), "predictions of the teacher", unit="texts") as report:
        for indices, cpu_batch in in_batches(windows, BATCH_SIZE, windower, ()):
            batch = cpu_batch.to(setup.accelerator.device)
            predicted = {
                name: logits if kinds[name] == "flags" else field_probabilities(fields[name], logits)
                for name, logits in teacher.predict_logits(batch).items()
            }
            if classifier:
                predicted = classifier.combine_with_teacher(predicted, batch)
            on_cpu = {name: values.float().cpu() for name, values in predicted.items()}
            for row, index in enumerate(indices):
                length = len(windows[index].window.ids) + special
                # Copies, since a slice keeps the whole padded batch in memory.
                labels[index] = {
                    name: (values[row, :length] if kinds[name] == "spans" else values[row]).clone()
                    for name, values in on_cpu.items()
                }
            done += len(indices)
            report(done)
    return labels


def _align_flags(setup: TrainingSetup, teacher: Discriminator, labels: Sequence[PseudoLabel], field: Field) -> bool:
    """Replace the logits of a field of kind `flags` by aligned probabilities, which the windows of a document share.

    Return whether they are combined with those of co-training. A flag that all labeled texts have, or none, is not
    aligned.
    """
    documents = np.array(document_indices(setup.pool))
    logits = mean_by_document(np.stack([label[field.name].double().numpy() for label in labels]), documents)
    evidence = _evidence(setup, field)
    views = _views(setup, teacher, field, evidence)
    if views:
        logits = views.combine_with_teacher(logits, _texts(setup.pool_documents))
    logits = logits + evidence
    shares = label_shares(setup.data.train, field)
    columns = np.flatnonzero((shares > 0) & (shares < 1))
    of_documents = expit(logits)
    if len(columns):
        of_documents[:, columns] = aligned(logits[:, columns], shares[columns])
    for label, document in zip(labels, documents, strict=True):
        label[field.name] = torch.tensor(of_documents[document], dtype=torch.float32)
    return views is not None


def _hints(setup: TrainingSetup, field: Field) -> list[Hint]:
    return [hint for hint in setup.data.hints if hint.field == field.name]


def _evidence(setup: TrainingSetup, field: Field) -> np.ndarray:
    """Return the evidence of the hints of a field of kind `classes` or `flags` for the unlabeled documents, (D, K)."""
    labeled = _labeled(setup.data.train, field)
    evidence = HintEvidence(field, setup.data.hints, _texts(labeled), _indicators(labeled, field))
    return evidence.logits(_texts(setup.pool_documents))


def _labeled(documents: Sequence[Document], field: Field) -> list[Document]:
    return [document for document in documents if field.name in document.gold]


def _texts(documents: Sequence[Document]) -> list[str]:
    return [document.text for document in documents]


def _indicators(labeled: Sequence[Document], field: Field) -> np.ndarray:
    """Return whether each document has each label of a field of kind `classes` or `flags`, (N, K)."""
    return np.array([[has_label(document.gold[field.name], label) for label in field.labels] for document in labeled])


def _add_evidence(setup: TrainingSetup, labels: Sequence[PseudoLabel], field: Field) -> None:
    """Add the evidence of the hints of a field of kind `classes` to the probabilities of its pseudo-labels."""
    evidence = torch.tensor(_evidence(setup, field), dtype=torch.float32)
    for label, document in zip(labels, document_indices(setup.pool), strict=True):
        label[field.name] = (label[field.name].clamp_min(MIN_PROBABILITY).log() + evidence[document]).softmax(-1)


def _views(setup: TrainingSetup, teacher: Discriminator, field: Field, evidence: np.ndarray) -> CoTrainedFlags | None:
    """Return the classifiers of co-training for a field of kind `flags`.

    evidence: (D, K), that of the hints for the unlabeled documents.

    Returns None if no flag has enough labeled texts, or if they do not improve the teacher's predictions for dev.
    """
    if setup.frozen_encoder is None:
        return None
    labeled = _labeled(setup.data.train, field)
    views = CoTrainedFlags(_indicators(labeled, field), setup.frozen_encoder.read_sentences)
    if not len(views.columns):
        return None
    drawn = list(range(len(setup.pool_documents)))
    random.Random(f"flag views {setup.settings.seed}").shuffle(drawn)
    del drawn[MAX_TEXTS:]
    about_flags = {
        field.labels.index(document.gold[field.name][0]): document.text
        for document in _labeled(setup.label_texts, field)
    }
    unlabeled = [setup.pool_documents[index].text for index in drawn]
    views.fit(_texts(labeled), unlabeled, about_flags, evidence[drawn])
    return views if _help(views, setup, teacher, field) else None


def _help(views: CoTrainedFlags, setup: TrainingSetup, teacher: Discriminator, field: Field) -> bool:
    """Return whether the views reduce the teacher's loss on dev; without dev they are assumed to."""
    dev = _labeled(setup.data.dev, field)
    if not dev:
        return True
    windows = windows_of(dev, setup.windower, ())
    alone = document_logits(teacher, windows, setup.windower, [field])[field.name]
    combined = views.combine_with_teacher(alone, _texts(dev))
    gold = _indicators(dev, field)
    columns = views.columns
    losses = [aligned_loss(logits[:, columns], gold[:, columns], views.shares) for logits in (alone, combined)]
    return losses[1] < losses[0]


def _improve_spans(setup: TrainingSetup, teacher: Discriminator, labels: Sequence[PseudoLabel], field: Field) -> bool:
    """Raise rare types in the teacher's probabilities of tags, and combine these with those of a `SpellingClassifier`.

    Return whether they are combined: not without co-training, and with dev only if this reduces the loss there.
    """
    hints = _hints(setup, field)
    pool = words_of(_texts(setup.pool_documents), setup.pool, hints)
    of_teacher = _probabilities(setup, labels, pool, field)
    rows = [row for row in setup.labeled if field.name in row.gold]
    labeled = words_of(_texts(_labeled(setup.data.train, field)), rows, hints)
    gold = _gold(rows, labeled, field)
    lengths = [len(words.texts) for words in labeled]
    if not len(of_teacher):
        return False
    improved, is_combined = of_teacher.copy(), False
    for index, (track, columns) in enumerate(_tracks(field)):
        tags, raised = gold[:, index], of_teacher[:, columns]
        if len(set(tags.tolist())) < MIN_TAGS:
            continue
        raised = raise_rare_types(track, raised, tags, lengths)
        if setup.settings.co_training:
            classifier = SpellingClassifier(len(track.names))
            classifier.fit(labeled, tags, pool, raised)
            if _helps(classifier, setup, teacher, field, index, hints):
                raised, is_combined = classifier.combine_with_teacher(raised, pool), True
        improved[:, columns] = raised
    before = len(setup.windower.before)
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
    before = len(setup.windower.before)
    return np.array([labels[window][field.name][before + token].numpy() for window, token in _positions(documents)])


def _helps(
    classifier: SpellingClassifier,
    setup: TrainingSetup,
    teacher: Discriminator,
    field: Field,
    track: int,
    hints: Sequence[Hint],
) -> bool:
    """Return whether the classifier reduces the teacher's loss on the words of dev; without dev it is assumed to."""
    dev = _labeled(setup.data.dev, field)
    if not dev:
        return True
    rows = windows_of(dev, setup.windower, [field])
    words = words_of(_texts(dev), rows, hints)
    columns = _tracks(field)[track][1]
    alone = _probabilities(setup, _predict(setup, teacher, rows), words, field)[:, columns]
    gold = _gold(rows, words, field)[:, track]
    combined = classifier.combine_with_teacher(alone, words)
    losses = [calibrated_loss(probabilities, gold, np.ones(len(gold))) for probabilities in (alone, combined)]
    return losses[1] < losses[0]
