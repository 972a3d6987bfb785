"""Fields of kind `classes`: the regression that helps the teacher, and the evidence of hints."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from electra_ie.data.fields import Field
from electra_ie.data.training_data import windows_of
from electra_ie.data.windowing import document_indices
from electra_ie.models.discriminator import Discriminator
from electra_ie.training.pseudo_labels.class_regression import FeatureClassifier
from electra_ie.training.pseudo_labels.predictions import PseudoLabel, evidence_of
from electra_ie.training.pseudo_labels.temperature import MIN_PROBABILITY
from electra_ie.training.setup import TrainingSetup


def class_regression(setup: TrainingSetup, teacher: Discriminator) -> FeatureClassifier | None:
    """Return the classifier of co-training for the fields of kind `classes`; None if it helps in none of them."""
    if setup.frozen_encoder is None:
        return None
    dev = windows_of(setup.data.dev, setup.windows.windower, setup.task.fields)
    classifier = FeatureClassifier(setup.task.fields, setup.frozen_encoder)
    windows = setup.windows
    classifier.fit(windows.labeled, windows.label_windows, windows.pool, dev, teacher, setup.settings.seed)
    return classifier if classifier.layers else None


def add_evidence(setup: TrainingSetup, labels: Sequence[PseudoLabel], field: Field) -> None:
    """Add the evidence of the hints of a field of kind `classes` to the probabilities of its pseudo-labels."""
    evidence = torch.tensor(evidence_of(setup, field), dtype=torch.float32)
    for label, document in zip(labels, document_indices(setup.windows.pool), strict=True):
        label[field.name] = (label[field.name].clamp_min(MIN_PROBABILITY).log() + evidence[document]).softmax(-1)
