"""The keyword rules of the data card of transaction_risk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

from cell_data import ROOT, CellData
from linear_peers import Predict

from electra_ie.data.document import Span
from electra_ie.data.fields import Field

RULES = "tasks/generation/keyword_baseline.py"
COMMIT = "1d0406b"
"""A commit with the rules for the earlier data of transaction_risk; the present rules are for the present phrases."""


def keyword_rule(field: Field, data: CellData) -> Predict:
    """Return the rules with the phrases that the labels support.

    The rules know more than the labels: their phrases were chosen by reading all of train with its flags.
    """
    rules = earlier_rules() if data.cell.is_earlier else present_rules()
    train = []
    for document in data.train:
        entities = [{"start": span.start, "end": span.end, "label": span.label} for span in document.gold["entities"]]
        train.append({"text": document.text, "flags": list(document.gold["flags"]), "entities": entities})

    def predict(texts: Sequence[str]) -> list[Any]:
        predicted = rules.answers("transaction_risk", train, texts)
        if field.kind == "flags":
            return [tuple(flags) for flags, _ in predicted]
        return [tuple(Span(*span) for span in spans) for _, spans in predicted]

    return predict


def present_rules() -> ModuleType:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tasks.generation import keyword_baseline

    return keyword_baseline


@lru_cache
def earlier_rules() -> ModuleType:
    git = ["git", "-C", str(ROOT), "show", f"{COMMIT}:{RULES}"]
    source = subprocess.run(git, check=True, capture_output=True).stdout
    module = ModuleType("earlier_keyword_baseline")
    exec(compile(source, RULES, "exec"), vars(module))
    return module
