"""Flags by a bag of words: tf-idf and logistic regression, on the labels of few_labels.py, scored on test.

    python benchmarks/bag_of_words.py              # a minute of one core
    python benchmarks/bag_of_words.py --table      # only print what results/bag_of_words.json contains

The features are words and bigrams. Each flag is assigned to the texts whose probability exceeds a threshold. The
threshold is the quantile of the probabilities on the unlabeled pool that gives the flag its share among the labels.
Test chooses nothing.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import few_labels
import numpy as np
from cells import Cells, spread

RESULTS = Cells("bag_of_words")
CELLS = ("transaction_risk:60", "transaction_risk:200")


def measure(cell: str, seed: int) -> dict[str, Any]:
    """Return macro F1 (%) of the flags on test."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from electra_ie.config.train import TrainSettings
    from electra_ie.data.task import Task
    from electra_ie.data.training_data import TrainingData
    from electra_ie.metrics import score

    name, _, budget = cell.partition(":")
    task = Task.load(name)
    settings = TrainSettings(task=name, label_budget=int(budget), seed=seed, preset="adversarial")
    data = TrainingData.read(task, settings)
    (field,) = (field for field in task.fields if field.kind == "flags")
    test = task.read("test")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    train = vectorizer.fit_transform(document.text for document in data.train)
    pool, scored = (vectorizer.transform(document.text for document in documents) for documents in (data.pool, test))
    columns = []
    for label in field.labels:
        gold = np.array([label in document.gold[field.name] for document in data.train])
        model = LogisticRegression(C=10, max_iter=1000).fit(train, gold)
        threshold = np.quantile(model.decision_function(pool), 1 - gold.mean())
        columns.append(model.decision_function(scored) > threshold)
    answers = [
        tuple(label for label, assigned in zip(field.labels, row, strict=True) if assigned)
        for row in np.array(columns).T
    ]
    scores = score(field, [document.gold[field.name] for document in test], answers)
    return {"test": round(100 * scores["macro_f1"], 2)}


def table() -> str:
    """Return a Markdown table: a row for each cell, with both presets of few_labels.py on the default encoder."""
    lines = ["| set | bag of words | supervised | adversarial |", "| --- | ---: | ---: | ---: |"]
    ours = {row.cell: row for row in few_labels.rows() if (row.encoder, row.field) == (few_labels.DEFAULT, "flags")}
    for cell in CELLS:
        if results := RESULTS.matching(f"{cell} | ").values():
            scores = [spread(result["test"] for result in results)]
            scores += [spread(ours[cell].supervised), spread(ours[cell].adversarial)]
            lines.append(f"| {cell}, flags | {' | '.join(scores)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    for seed in [] if arguments.table else arguments.seeds:
        for cell in arguments.cells:
            RESULTS.fill(f"{cell} | {seed}", partial(measure, cell, seed))
    print(table())


if __name__ == "__main__":
    main()
