"""Fields of kind `flags`: probabilities that are aligned to the label shares, after co-training where it helps.

The probabilities of a flag are shifted so that their mean is the flag's share among the labels (distribution
alignment, Berthelot et al. 2020, "ReMixMatch", arXiv 1911.09785, section 3.1; there for classes, and by a factor). A
teacher of few labels is confident on the texts it was trained on and on no others, and its student would learn that a
rare flag does not occur.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import expit

from electra_ie.data.fields import Field
from electra_ie.data.training_data import windows_of
from electra_ie.data.windowing import document_indices
from electra_ie.models.discriminator import Discriminator
from electra_ie.training.flag_thresholds import document_logits, label_shares
from electra_ie.training.pseudo_labels.flag_views import MAX_TEXTS, CoTrainedFlags, aligned, aligned_loss
from electra_ie.training.pseudo_labels.predictions import (
    PseudoLabel,
    evidence_of,
    indicators,
    labeled_for,
    logits_of_documents,
    texts_of,
)
from electra_ie.training.setup import TrainingSetup


def align_flags(setup: TrainingSetup, teacher: Discriminator, labels: Sequence[PseudoLabel], field: Field) -> bool:
    """Replace the logits of a field of kind `flags` by aligned probabilities, which the windows of a document share.

    Return whether they are combined with those of co-training. A flag that all labeled texts have, or none, is not
    aligned.
    """
    documents = np.array(document_indices(setup.windows.pool))
    logits = logits_of_documents(labels, field, documents)
    evidence = evidence_of(setup, field)
    views = _views(setup, teacher, field, evidence)
    if views:
        logits = views.combine_with_teacher(logits, texts_of(setup.windows.pool_documents))
    logits = logits + evidence
    shares = label_shares(setup.data.train, field)
    columns = np.flatnonzero((shares > 0) & (shares < 1))
    of_documents = expit(logits)
    if len(columns):
        of_documents[:, columns] = aligned(logits[:, columns], shares[columns])
    for label, document in zip(labels, documents, strict=True):
        label[field.name] = torch.tensor(of_documents[document], dtype=torch.float32)
    return views is not None


def _views(setup: TrainingSetup, teacher: Discriminator, field: Field, evidence: np.ndarray) -> CoTrainedFlags | None:
    """Return the classifiers of co-training for a field of kind `flags`.

    evidence: (D, K), that of the hints for the unlabeled documents.

    Returns None if no flag has enough labeled texts, or if they do not improve the teacher's predictions for dev.
    """
    if setup.frozen_encoder is None:
        return None
    labeled = labeled_for(setup.data.train, field)
    views = CoTrainedFlags(indicators(labeled, field), setup.frozen_encoder.read_sentences)
    if not len(views.columns):
        return None
    drawn = list(range(len(setup.windows.pool_documents)))
    random.Random(f"flag views {setup.settings.seed}").shuffle(drawn)
    del drawn[MAX_TEXTS:]
    about_flags = {
        field.labels.index(document.gold[field.name][0]): document.text
        for document in labeled_for(setup.windows.label_texts, field)
    }
    unlabeled = [setup.windows.pool_documents[index].text for index in drawn]
    views.fit(texts_of(labeled), unlabeled, about_flags, evidence[drawn])
    return views if _help(views, setup, teacher, field) else None


def _help(views: CoTrainedFlags, setup: TrainingSetup, teacher: Discriminator, field: Field) -> bool:
    """Return whether the views reduce the teacher's loss on dev; without dev they are assumed to."""
    dev = labeled_for(setup.data.dev, field)
    if not dev:
        return True
    windows = windows_of(dev, setup.windows.windower, ())
    alone = document_logits(teacher, windows, setup.windows.windower, [field])[field.name]
    combined = views.combine_with_teacher(alone, texts_of(dev))
    gold = indicators(dev, field)
    columns = views.columns
    losses = [aligned_loss(logits[:, columns], gold[:, columns], views.shares) for logits in (alone, combined)]
    return losses[1] < losses[0]
