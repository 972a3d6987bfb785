"""`python -m tasks.generation [FOLDER]`: write the data files of the generated tasks. The bytes are always the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.generation.grammar import Record
from tasks.generation.splits import TASKS, generate


def texts_and_spans(record: Record) -> dict[str, Any]:
    """Return the labels of a record: those of the text, and the spans."""
    return {**record.labels, "entities": record.spans}


def spans_and_relations(record: Record) -> dict[str, Any]:
    """Return the spans of a record and the relations between them."""
    return {"entities": record.spans, "relations": record.relations}


def write(folder: Path) -> None:
    """Write the splits of each task as `<folder>/<task>/<split>.jsonl`.

    The unlabeled texts of transaction_relations are those of transaction_risk.
    """
    for name in TASKS:
        for split, records in generate(name).items():
            _write(folder / name / f"{split}.jsonl", split, records, texts_and_spans)
            if name == "transaction_risk" and split != "unlabeled":
                _write(folder / "transaction_relations" / f"{split}.jsonl", split, records, spans_and_relations)


def _write(file: Path, split: str, records: list[Record], labels: Callable[[Record], dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, record in enumerate(records):
        labeled = {} if split == "unlabeled" else labels(record)
        row = {"id": f"{split}-{index:04}", "text": record.text, **labeled}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    file.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1])
