"""Train an extractor on Python objects, score it, and extract from new texts.

    python examples/train_and_extract.py

The records are those of the shipped task `transaction_risk`: 60 with labels, and the text of all others. With the
default settings, training takes about ten minutes on one CPU core; `--steps 20` is enough to see every part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset

import electra_ie

DATA = Path(__file__).parents[1] / "tasks" / "transaction_risk"
FIELDS = {
    "flags": {
        "kind": "flags",
        "labels": ["structuring", "sanctions_exposure", "shell_company", "mule_account", "trade_mispricing"],
    },
    "entities": {"kind": "spans", "labels": ["COUNTERPARTY", "AMOUNT", "COUNTRY", "ACCOUNT"]},
}
TEXT = "Cash deposit of EUR 9,800 by ACME Ltd, the third this week below the reporting limit."


def records(split: str) -> list[dict[str, object]]:
    """Return the records of a split. Offsets of spans count Unicode code points of `text`."""
    return [json.loads(line) for line in (DATA / f"{split}.jsonl").read_text("utf-8").splitlines()]


def main(arguments: Sequence[str] | None = None) -> electra_ie.TrainResult:
    """Train, score and extract. Returns the result of the training."""
    parser = argparse.ArgumentParser(description="Train an extractor on Python objects, and extract from texts.")
    parser.add_argument("--preset", choices=["supervised", "self_training"], default="self_training")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2", help="a folder or a name on the Hub")
    parser.add_argument("--steps", type=int, help="default: chosen by the number of labels")
    parser.add_argument("--output", default="runs/train_and_extract")
    options = parser.parse_args(arguments)

    train = records("train")
    result = electra_ie.train(
        {"train": Dataset.from_list(train[:60]), "dev": records("dev")[:60]},
        options.output,
        fields=FIELDS,
        unlabeled=[record["text"] for record in [*train[60:], *records("unlabeled")]],
        preset=options.preset,
        encoder=options.encoder,
        max_steps=options.steps,
    )
    print(result.path, result.scores["dev"])

    # The test split is scored once, at the end.
    for name, score in electra_ie.evaluate(result.path, data=records("test")[:100]).fields.items():
        print(f"test, {name}: {score.metric} {score.value}")

    extractor = result.extractor()
    for finding in extractor(TEXT):
        print(finding.label, finding.start, finding.end, repr(TEXT[finding.start : finding.end]), finding.score)
    extractor.save_pretrained(f"{options.output}-extractor")  # without scores, settings and provenance
    return result


if __name__ == "__main__":
    main()
