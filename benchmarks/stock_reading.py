"""Strict F1 of stock pipelines against `extract`, on the same trained models.

    python benchmarks/stock_reading.py       # transaction_risk, 60 labels, supervised, seeds 0, 1, 2: ten minutes

Every method reads the same 200 records of test. `exact` is the function in the model card, which uses stock
transformers only. Label draws are stratified.
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
    """Train once; return the strict F1 (%) by method."""
    from transformers import pipeline

    import electra_ie
    from electra_ie.metrics import score
    from electra_ie.runs.cards.usage_snippets import StockFolder

    task = electra_ie.Task.load(TASK)
    (field,) = (field for field in task.fields if field.kind == "spans")
    documents = task.read("test")[:RECORDS]
    gold = [document.gold[field.name] for document in documents]
    with tempfile.TemporaryDirectory() as name:
        settings = {"label_budget": LABELS, "label_draw": "stratified", "seed": seed}
        run = electra_ie.train(TASK, Path(name) / "run", **settings).path
        extractor = electra_ie.Extractor.from_pretrained(run)

        def extract(text: str) -> list[dict[str, Any]]:
            return [dataclasses.asdict(finding) for finding in extractor(text) if finding.field == field.name]

        namespace: dict[str, Any] = {}
        exec(StockFolder.read(run, field).exact.replace(f'"{field.name}"', repr(str(run / field.name))), namespace)
        methods: dict[str, Callable[[str], Any]] = {"extract": extract, "exact": namespace[f"find_{field.name}"]}
        for strategy in STRATEGIES:
            model = str(run / field.name)
            methods[strategy] = pipeline("token-classification", model=model, aggregation_strategy=strategy)  # type: ignore[call-overload]
        spans = {
            method: [[_span(finding) for finding in read(document.text)] for document in documents]
            for method, read in methods.items()
        }
    return {method: round(100 * score(field, gold, predicted)["f1"], 1) for method, predicted in spans.items()}


def _span(finding: dict[str, Any]) -> Any:
    from electra_ie.data.document import Span

    return Span(finding["start"], finding["end"], str(finding.get("label") or finding["entity_group"]))


def table() -> str:
    """Return a Markdown table with a row for each method."""
    results = RESULTS.matching(f"{TASK} {LABELS} | ").values()
    lines = ["| read by | strict F1 | by seed |", "| --- | ---: | --- |"]
    for method in ("extract", "exact", *STRATEGIES):
        scores = [result[method] for result in results]
        lines.append(f"| {method} | {spread(scores)} | {', '.join(map(str, scores))} |")
    return "\n".join(lines)


def main() -> None:
    for seed in SEEDS:
        RESULTS.fill(f"{TASK} {LABELS} | {seed}", partial(measure, seed))
    print(table())


if __name__ == "__main__":
    main()
