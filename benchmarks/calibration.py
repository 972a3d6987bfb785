"""Are the scores of findings probabilities, before and after calibration, on texts that calibration has not seen?

    python benchmarks/calibration.py                                # trains each task first
    python benchmarks/calibration.py --run transaction_risk RUN     # a finished run of that task
    python benchmarks/calibration.py --table                        # only print what results/calibration.json contains

The expected calibration error on at most 250 documents of test, with its 95 % interval by bootstrap over documents.
Scales are fitted on at most 120 documents of dev. `cost` is the time that they add to an extraction of 100 documents,
in percent of its CPU seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells

RESULTS = Cells("calibration")
TASKS = {"transaction_risk": 60, "bc5cdr": 50}
"""The labels of each task."""
DEV, TEXTS, TIMED, ROUNDS = 120, 250, 100, 5


def measure(name: str, labels: int, run: Path | None) -> dict[str, Any]:
    """Return the errors before and after by field, and the cost. run: a run of the task; None to train one."""
    import electra_ie
    from electra_ie.calibration.error import calibration_error
    from electra_ie.calibration.found import found_in
    from electra_ie.calibration.stored import Calibration
    from electra_ie.inference.calibrating import calibrate_run, read_with_evidence

    task = electra_ie.Task.load(name)
    with tempfile.TemporaryDirectory() as folder:
        if run is None:
            run = electra_ie.train(name, Path(folder) / "run", label_budget=labels).path
        extractor = electra_ie.Extractor.from_pretrained(run)
        extractor.calibration = None
        dev, test = task.read("dev")[:DEV], task.read("test")[:TEXTS]
        summary = calibrate_run(Path(folder), task.fields, dev, read_with_evidence(extractor, dev), "")
        calibration = Calibration.read(Path(folder), "")
    assert calibration
    results, fields = read_with_evidence(extractor, test), {}
    for field in task.fields:
        evidence = [(result.evidence or {})[field.name] for result in results]
        found = found_in(field, test, [result.findings for result in results], evidence)
        scale = calibration.scales.get(field.name)
        if scale and found.evidence is not None:
            scores = {"before": found.scores, "after": scale(found.evidence)}
            errors = {
                key: calibration_error(found.documents, own, found.right).as_list() for key, own in scores.items()
            }
            fields[field.name] = {**errors, "findings": len(found.scores), "dev": summary[field.name]["findings"]}
    return {"fields": fields, "cost": cost(extractor, calibration.scales, test[:TIMED])}


def cost(extractor: Any, scales: Any, documents: Sequence[Any]) -> float:
    """Return how much longer an extraction takes with scales, in percent. Decoding is repeated, the rest timed once."""
    reader = extractor.pipeline(overlapped=False)
    start = time.process_time()
    pools = list(reader._portions(document.unlabeled() for document in documents))
    for pool in pools:
        reader._tokenize(pool)
        reader._run(pool)
    rest = time.process_time() - start
    plain, scaled = (
        min(_decoding(replace(reader, scales=used), pools) for _ in range(ROUNDS)) for used in ({}, scales)
    )
    return round(100 * (scaled - plain) / (rest + plain), 2)


def _decoding(reader: Any, pools: Sequence[Any]) -> float:
    for part in (part for pool in pools for part in pool):
        part.of.findings, part.of.answers, part.of.ranges, part.of.logits = [], {}, [], {}
    start = time.process_time()
    for pool in pools:
        reader._decode(pool)
    return time.process_time() - start


def table() -> str:
    """Return the table of the documentation."""
    lines = ["| task, labels | field | findings of dev | of test | error before | error after |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
    for key, result in sorted(RESULTS.load().items()):
        for name, own in result["fields"].items():
            errors = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in (own["before"], own["after"])]
            cells = [key.replace(":", ", "), name, str(own["dev"]), str(own["findings"]), *errors]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs=2, metavar=("TASK", "RUN"), help="a finished run of one of the tasks")
    parser.add_argument("--table", action="store_true", help="only print")
    options = parser.parse_args()
    for name, labels in TASKS.items() if not options.table else ():
        if options.run is None or options.run[0] == name:
            run = Path(options.run[1]) if options.run else None
            RESULTS.fill(f"{name}:{labels}", partial(measure, name, labels, run))
    print(table())


if __name__ == "__main__":
    main()
