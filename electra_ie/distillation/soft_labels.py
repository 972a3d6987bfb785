"""The probabilities of a finished run, which its student learns."""

from __future__ import annotations

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from scipy.special import expit

from electra_ie.data.windowing import document_indices
from electra_ie.models.discriminator import Discriminator
from electra_ie.training.pseudo_labels.predictions import PseudoLabel, logits_of_documents, predict
from electra_ie.training.setup import TrainingSetup


def soft_labels(setup: TrainingSetup, teacher: Discriminator) -> list[PseudoLabel]:
    """Return the teacher's probabilities for all windows of the pool as they are, without alignment or co-training.

    The windows of a document share its flags, whose logits are the mean over its windows, as in extraction. With
    several processes they are those of the first one.
    """
    result: list[list[PseudoLabel] | None] = [None]
    if setup.is_main_process:
        pool = setup.windows.pool
        labels, documents = predict(setup, teacher, pool), np.array(document_indices(pool))
        for field in setup.task.fields:
            if field.kind == "flags":
                logits = logits_of_documents(labels, field, documents)
                for label, document in zip(labels, documents, strict=True):
                    label[field.name] = torch.tensor(expit(logits[document]), dtype=torch.float32)
        result = [labels]
    shared: list[PseudoLabel] = broadcast_object_list(result)[0]
    return shared
