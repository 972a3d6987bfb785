"""The keyword rules of the data card of transaction_risk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from cell_data import ROOT, CellData
from linear_peers import Predict

from electra_ie.data.document import Span
from electra_ie.data.fields import Field


def keyword_rule(field: Field, data: CellData) -> Predict:
    """Return the rules with the phrases that the labels support.

    The rules know more than the labels: their phrases were chosen by reading all of train with its flags.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tasks.generation.keyword_baseline import answers

    train = []
    for document in data.train:
        entities = [{"start": span.start, "end": span.end, "label": span.label} for span in document.gold["entities"]]
        train.append({"text": document.text, "flags": list(document.gold["flags"]), "entities": entities})

    def predict(texts: Sequence[str]) -> list[Any]:
        predicted = answers("transaction_risk", train, texts)
        if field.kind == "flags":
            return [tuple(flags) for flags, _ in predicted]
        return [tuple(Span(*span) for span in spans) for _, spans in predicted]

    return predict
