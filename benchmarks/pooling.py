"""Mean pooling or the stock head's own, by cross-validation on the 109 labels of trec_fine: the test split is not read.

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
    """Accuracy over all labelled questions, each judged by a model that did not see it."""
    import electra_ie

    task = electra_ie.Task.load("trec_fine")
    documents = task.read("train")
    random.Random(seed).shuffle(documents)
    right = 0.0
    for fold in range(FOLDS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for split, chosen in (("train", False), ("dev", True)):
                rows = [each for place, each in enumerate(documents) if (place % FOLDS == fold) == chosen]
                lines = [json.dumps({"id": each.id, "text": each.text, **each.gold}) for each in rows]
                (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
            files = {"train": "train.jsonl", "dev": "dev.jsonl"}
            fields = {each.name: {"kind": each.kind, "labels": list(each.labels)} for each in task.fields}
            told = {"description": "A fold.", "format": "jsonl", "files": files, "fields": fields}
            (folder / "task.yaml").write_text(yaml.safe_dump(told), "utf-8")
            # One evaluation, after the last step: the fold judges the model and chooses nothing.
            settings = [f"pooling={pooling}", "num_evaluations=1"]
            run = electra_ie.train(name, folder / "run", preset="supervised", seed=seed, overrides=settings).path
            scores = json.loads((run / "scores.json").read_text("utf-8"))["dev"]["question"]
            right += scores["accuracy"] * scores["documents"]
    return 100 * right / len(documents)


def table() -> str:
    """Markdown: a row for each pooling."""
    lines = ["| pooling | accuracy, mean | by seed |", "| --- | ---: | --- |"]
    for pooling, known in json.loads(RESULTS.read_text("utf-8")).items():
        lines.append(f"| {pooling} | {statistics.mean(known.values()):.1f} | {', '.join(map(str, known.values()))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    found: dict[str, dict[str, float]] = {"mean": {}, "stock": {}}
    for seed in parser.parse_args().seeds:
        for pooling, known in found.items():
            known[str(seed)] = round(accuracy(pooling, seed), 1)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(table())


if __name__ == "__main__":
    main()
