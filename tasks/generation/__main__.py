"""`python -m tasks.generation [FOLDER]`: write the data files of the generated tasks. The bytes are always the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.generation.splits import TASKS, generate


def write(folder: Path) -> None:
    """Write the splits of each task as `<folder>/<task>/<split>.jsonl`."""
    for name in TASKS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, records in generate(name).items():
            lines = []
            for index, record in enumerate(records):
                labels = {} if split == "unlabeled" else {**record.labels, "entities": record.spans}
                row = {"id": f"{split}-{index:04}", "text": record.text, **labels}
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
            (folder / name / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1])
