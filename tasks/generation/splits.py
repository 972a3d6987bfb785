"""The records of all splits of a generated task, as the committed data files contain them."""

from __future__ import annotations

import functools

from tasks.generation import medical_assertions, medical_case, transaction_risk
from tasks.generation.grammar import Record

SEED = 20240317
TASKS = {
    "transaction_risk": transaction_risk,
    "medical_case": medical_case,
    "medical_assertions": medical_assertions,
}


@functools.cache
def generate(name: str) -> dict[str, list[Record]]:
    """Return the records of each split of a task, which are not to be changed. No text occurs twice."""
    task, taken = TASKS[name], set[str]()
    return {split: task.records(split, SEED, taken) for split in task.SIZES}
