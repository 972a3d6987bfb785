"""Do scores tell texts of another domain from those that a run was trained for?

    python benchmarks/out_of_domain.py             # trains trec_fine with the preset latent first
    python benchmarks/out_of_domain.py --run RUN   # a run of trec_fine that exists
    python benchmarks/out_of_domain.py --table     # only print what results/out_of_domain.json contains

Signals of a text are compared by the area under the ROC curve, 100 texts of test of the run's own task against as many
of each other task: `realness`, logsumexp of the logits, which the preset `latent` trains to tell texts from generated
states; the largest probability; the mean score of the findings, as `extract` gives it; and how short the text is, since
questions, memos and medical sentences differ in length too. For spans the first two are means over the tokens. 0.5 is
chance.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cells import Cells

RESULTS = Cells("out_of_domain")
TASK, STEPS = "trec_fine", 200
OTHERS = ("transaction_risk", "bc5cdr")
TEXTS = 100
SIGNALS = {
    "realness": "realness",
    "largest": "largest probability",
    "score": "mean score",
    "length": "shorter text",
}


def signals(extractor: Any, texts: Sequence[str]) -> dict[str, list[float]]:
    """Return each signal of each text; larger is more like the texts of the run."""
    from electra_ie.data.document import Document

    kept: list[dict[str, np.ndarray]] = []

    def score(groups: Sequence[Any]) -> list[dict[str, np.ndarray]]:
        scored = extractor.score(groups)
        kept.extend(scored)
        return list(scored)

    reader = replace(extractor.pipeline(overlapped=False), score=score)
    found: dict[str, list[float]] = {name: [] for name in SIGNALS}
    for text in texts:
        kept.clear()
        (result,) = reader.read([Document("", text)])
        logits = [values.reshape(-1, values.shape[-1]) for each in kept for values in each.values()]
        real = [np.logaddexp.reduce(values, axis=1) for values in logits]
        largest = [np.exp(values.max(axis=1) - own) for values, own in zip(logits, real, strict=True)]
        scores = [finding.score for finding in result.findings]
        found["realness"].append(float(np.concatenate(real).mean()))
        found["largest"].append(float(np.concatenate(largest).mean()))
        found["score"].append(float(np.mean(scores)) if scores else 0.0)
        found["length"].append(-float(len(text)))
    return found


def measure(run: Path | None) -> dict[str, Any]:
    """Return the AUROC of each signal for each other task. run: a run of the task; None to train one."""
    from sklearn.metrics import roc_auc_score

    import electra_ie

    with tempfile.TemporaryDirectory() as name:
        if run is None:
            run = electra_ie.train(TASK, Path(name) / "run", preset="latent", max_steps=STEPS).path
        extractor = electra_ie.Extractor.from_pretrained(run)
    tasks = {each: electra_ie.Task.load(each).read("test")[:TEXTS] for each in (TASK, *OTHERS)}
    found = {each: signals(extractor, [document.text for document in documents]) for each, documents in tasks.items()}
    of_run = [1] * len(tasks[TASK])
    return {
        other: {
            signal: round(float(roc_auc_score(of_run + [0] * len(tasks[other]), own + found[other][signal])), 3)
            for signal, own in found[TASK].items()
        }
        for other in OTHERS
    }


def table() -> str:
    """Return the table of the documentation."""
    lines = [f"| texts | {' | '.join(SIGNALS.values())} |", f"| --- |{' ---: |' * len(SIGNALS)}"]
    for result in RESULTS.load().values():
        for other in OTHERS:
            lines.append(f"| {other} | {' | '.join(f'{result[other][name]:.2f}' for name in SIGNALS)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run of trec_fine with the preset latent")
    parser.add_argument("--table", action="store_true", help="only print")
    options = parser.parse_args()
    if not options.table:
        RESULTS.fill(f"{TASK}:latent:{STEPS}", partial(measure, options.run))
    print(table())


if __name__ == "__main__":
    main()
