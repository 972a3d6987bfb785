"""Mean pooling against the stock head, by cross-validation on the 109 labels of trec_fine; test is not read.

    python benchmarks/pooling.py            # five folds for each pooling and seed; about 20 minutes on two cores

Writes results/pooling.json and prints the table.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

import yaml

RESULTS = Path(__file__).parent / "results" / "pooling.json"
FOLDS = 5


def accuracy(pooling: str, seed: int) -> float:
    """Return the accuracy (%) over all labeled questions, each answered by a model that was not trained on it."""
    import electra_ie

    task = electra_ie.Task.load("trec_fine")
    documents = task.read("train")
    random.Random(seed).shuffle(documents)
    correct = 0.0
    for fold in range(FOLDS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for split, is_dev in (("train", False), ("dev", True)):
                rows = [document for index, document in enumerate(documents) if (index % FOLDS == fold) == is_dev]
                lines = [json.dumps({"id": row.id, "text": row.text, **row.gold}) for row in rows]
                (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
            files = {"train": "train.jsonl", "dev": "dev.jsonl"}
            fields = {field.name: {"kind": field.kind, "labels": list(field.labels)} for field in task.fields}
            config = {"description": "A fold.", "format": "jsonl", "files": files, "fields": fields}
            (folder / "task.yaml").write_text(yaml.safe_dump(config), "utf-8")
            # One evaluation, after the last step: the fold scores the model and chooses nothing.
            settings = [f"pooling={pooling}", "num_evaluations=1"]
            run = electra_ie.train(name, folder / "run", preset="supervised", seed=seed, overrides=settings).path
            scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]["question"]
            correct += scores["accuracy"] * scores["documents"]
    return 100 * correct / len(documents)


def table() -> str:
    """Return a Markdown table with a row for each pooling."""
    lines = ["| pooling | accuracy, mean | by seed |", "| --- | ---: | --- |"]
    for pooling, by_seed in json.loads(RESULTS.read_text("utf-8")).items():
        scores = by_seed.values()
        lines.append(f"| {pooling} | {statistics.mean(scores):.1f} | {', '.join(map(str, scores))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    results: dict[str, dict[str, float]] = {"mean": {}, "stock": {}}
    for seed in parser.parse_args().seeds:
        for pooling, by_seed in results.items():
            by_seed[str(seed)] = round(accuracy(pooling, seed), 1)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(table())


if __name__ == "__main__":
    main()
