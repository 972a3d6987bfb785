"""`python -m tasks.generation [FOLDER]`: write the data files of both generated tasks. The bytes are always the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.generation import medical_case, transaction_risk

SEED = 20240317
TASKS = {"transaction_risk": transaction_risk, "medical_case": medical_case}


def write(folder: Path) -> None:
    """Write the splits of each task as `<folder>/<task>/<split>.jsonl`."""
    for name, task in TASKS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        taken: set[str] = set()
        for split in task.SIZES:
            lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in task.records(split, SEED, taken)]
            (folder / name / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1])
