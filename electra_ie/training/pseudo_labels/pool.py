"""The pseudo-labels of all unlabeled windows of a run."""

from __future__ import annotations

from accelerate.utils import broadcast_object_list

from electra_ie.models.discriminator import Discriminator
from electra_ie.training.pseudo_labels.classes import add_evidence, class_regression
from electra_ie.training.pseudo_labels.flags import align_flags
from electra_ie.training.pseudo_labels.predictions import PseudoLabel, hints_of, predict
from electra_ie.training.pseudo_labels.spans import improve_spans
from electra_ie.training.setup import TrainingSetup


def pseudo_labels(setup: TrainingSetup, teacher: Discriminator) -> tuple[list[PseudoLabel], list[str]]:
    """Return the pseudo-labels of all unlabeled windows, and the fields for which co-training was used.

    With several processes they are those of the first one, since devices round differently.
    """
    result: list[tuple[list[PseudoLabel], list[str]] | None] = [None]
    if setup.is_main_process:
        classifier = class_regression(setup, teacher)
        labels = predict(setup, teacher, setup.windows.pool, classifier)
        fields = list(classifier.layers) if classifier else []
        for field in setup.task.fields:
            if field.kind == "classes" and hints_of(setup, field):
                add_evidence(setup, labels, field)
            if field.kind == "flags" and align_flags(setup, teacher, labels, field):
                fields.append(field.name)
            if field.kind == "spans" and improve_spans(setup, teacher, labels, field):
                fields.append(field.name)
        result = [(labels, fields)]
    labels, fields = broadcast_object_list(result)[0]
    return labels, fields
