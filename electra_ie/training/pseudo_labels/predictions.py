"""The predictions of a teacher for windows, and what all kinds of field read of documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from electra_ie.common.progress import progress
from electra_ie.data.batching import in_batches
from electra_ie.data.document import Document
from electra_ie.data.fields import Field, has_label
from electra_ie.data.hints import Hint
from electra_ie.data.windowing import LabeledWindow
from electra_ie.models.discriminator import Discriminator
from electra_ie.models.tags import field_probabilities
from electra_ie.training.flag_thresholds import mean_by_document
from electra_ie.training.pseudo_labels.class_regression import FeatureClassifier
from electra_ie.training.pseudo_labels.hint_evidence import HintEvidence
from electra_ie.training.setup import TrainingSetup

PseudoLabel = dict[str, torch.Tensor]
"""The probabilities of one window by field: (K,), or (L, K) for spans, with K all tags of each track."""
BATCH_SIZE = 64


def predict(
    setup: TrainingSetup,
    teacher: Discriminator,
    windows: Sequence[LabeledWindow],
    classifier: FeatureClassifier | None = None,
) -> list[PseudoLabel]:
    """Return the teacher's probabilities for each window, for classes combined with those of `classifier`.

    For flags they are logits still, since probabilities near 1 lose the order of the texts.
    """
    windower = setup.windows.windower
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


def logits_of_documents(labels: Sequence[PseudoLabel], field: Field, documents: np.ndarray) -> np.ndarray:
    """Return the logits (D, K) of a field of kind `flags`: the mean over the windows of a document.

    labels: as `predict` returns them. documents: the index of the document of each window, (W,).
    """
    return mean_by_document(np.stack([label[field.name].double().numpy() for label in labels]), documents)


def hints_of(setup: TrainingSetup, field: Field) -> list[Hint]:
    """Return the hints of a field."""
    return [hint for hint in setup.data.hints if hint.field == field.name]


def labeled_for(documents: Sequence[Document], field: Field) -> list[Document]:
    """Return the documents that have gold for a field."""
    return [document for document in documents if field.name in document.gold]


def texts_of(documents: Sequence[Document]) -> list[str]:
    """Return the texts of documents."""
    return [document.text for document in documents]


def indicators(labeled: Sequence[Document], field: Field) -> np.ndarray:
    """Return whether each document has each label of a field of kind `classes` or `flags`, (N, K)."""
    return np.array([[has_label(document.gold[field.name], label) for label in field.labels] for document in labeled])


def evidence_of(setup: TrainingSetup, field: Field) -> np.ndarray:
    """Return the evidence of the hints of a field of kind `classes` or `flags` for the unlabeled documents, (D, K)."""
    labeled = labeled_for(setup.data.train, field)
    evidence = HintEvidence(field, setup.data.hints, texts_of(labeled), indicators(labeled, field))
    return evidence.logits(texts_of(setup.windows.pool_documents))
