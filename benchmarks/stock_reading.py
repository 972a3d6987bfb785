"""What do stock pipelines find of what `extract` finds? Strict F1 of each way of reading the same trained models.

    python benchmarks/stock_reading.py       # transaction_risk, 60 labels, supervised, seeds 0, 1, 2: ten minutes

Every way reads the same 200 records of test. `exact` is the function that the model card gives, in stock transformers.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells, spread

RESULTS = Cells("stock_reading")
TASK, LABELS, RECORDS, SEEDS = "transaction_risk", 60, 200, (0, 1, 2)
STRATEGIES = ("first", "simple", "average", "max")


def measure(seed: int) -> dict[str, Any]:
    """Train once; strict F1 (%) by way of reading."""
    from transformers import pipeline

    import electra_ie
    from electra_ie.data.document import Span
    from electra_ie.metrics import score
    from electra_ie.runs.usage_snippets import StockFolder

    task = electra_ie.Task.load(TASK)
    (field,) = (each for each in task.fields if each.kind == "spans")
    documents = task.read("test")[:RECORDS]
    gold = [document.gold[field.name] for document in documents]
    with tempfile.TemporaryDirectory() as name:
        run = electra_ie.train(TASK, Path(name) / "run", label_budget=LABELS, seed=seed).path
        extractor = electra_ie.Extractor.from_pretrained(run)
        code: dict[str, Any] = {}
        exec(StockFolder.read(run, field).exact.replace(f'"{field.name}"', repr(str(run / field.name))), code)
        ways: dict[str, Callable[[str], Any]] = {
            "extract": lambda text: [dataclasses.asdict(each) for each in extractor(text) if each.field == field.name],
            "exact": code[f"find_{field.name}"],
        }
        for strategy in STRATEGIES:
            model = str(run / field.name)
            ways[strategy] = pipeline("token-classification", model=model, aggregation_strategy=strategy)  # type: ignore[call-overload]
        found = {
            way: [[Span(each["start"], each["end"], _label(each)) for each in read(one.text)] for one in documents]
            for way, read in ways.items()
        }
    return {way: round(100 * score(field, gold, spans)["f1"], 1) for way, spans in found.items()}


def _label(found: dict[str, Any]) -> str:
    return str(found.get("label") or found["entity_group"])


def table() -> str:
    """Markdown: a row for each way of reading."""
    cells = RESULTS.matching(f"{TASK} {LABELS} | ").values()
    lines = ["| read by | strict F1 | by seed |", "| --- | ---: | --- |"]
    for way in ("extract", "exact", *STRATEGIES):
        scores = [cell[way] for cell in cells]
        lines.append(f"| {way} | {spread(scores)} | {', '.join(map(str, scores))} |")
    return "\n".join(lines)


def main() -> None:
    for seed in SEEDS:
        RESULTS.fill(f"{TASK} {LABELS} | {seed}", partial(measure, seed))
    print(table())


if __name__ == "__main__":
    main()
