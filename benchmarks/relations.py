"""Relations of the task ade with few and all labels: strict, by boundaries and given the gold spans, on test.

    python benchmarks/relations.py --labels 50 100 --seeds 0 1 2      # hours on two cores

`--labels 0` means all. The dev split is cut to as many sentences as there are labels, drawn by the seed. The pool of
`self_training` and `adversarial` is the rest of train without its labels and `pool.jsonl`, whose sentences have no
relation by choice of the corpus. Measurements in results/relations.json are skipped. The cheap peer relates every pair
that the run considers, between the spans that the same run finds: in this corpus, nearly all such pairs are related.
Test is read once, after training.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from cells import Cells, spread
from measurements import cpu_seconds, package_hash

TASK, FIELD = "ade", "effects"
METHODS = ("supervised", "self_training", "adversarial")
SCORES = ("strict", "boundaries", "given_spans")
ALL = 0
RESULTS = Cells("relations")


def measure(labels: int, method: str, seed: int) -> dict[str, Any]:
    """Return the F1 of one run in %, of its spans and of its relations by the three conventions, and of the peer."""
    import electra_ie
    from electra_ie.data.anchored.relation_pairs import normalized
    from electra_ie.data.document import Relation
    from electra_ie.data.task import Task
    from electra_ie.inference.relation_scoring import score_relations
    from electra_ie.inference.scoring import read, score_answers
    from electra_ie.metrics import ratios

    began = cpu_seconds()
    with TemporaryDirectory() as home:
        budget = {"label_budget": labels, "max_dev_documents": labels} if labels else {}
        result = electra_ie.train(TASK, Path(home) / "run", preset=method, seed=seed, **budget)
        trained = cpu_seconds() - began
        extractor, test = result.extractor(), Task.load(TASK).read("test")
        found = read(extractor, test)
        scores = score_relations(extractor, test, found)[FIELD]
        spans = score_answers(extractor.fields, test, [each.answers for each in found])["entities"]["f1"]
    reader = extractor.anchored_readers[0]
    correct = predicted = support = 0
    for document, each in zip(test, found, strict=True):
        of_text = [finding.span for finding in each.findings]
        every = {
            Relation(*pair, "causes" if pair[0].label == "Drug" else "dose_of")
            for pair in reader.rules.candidates(document.text, of_text)
        }
        gold = set(normalized(reader.field, document.gold[FIELD]))
        correct, predicted, support = correct + len(gold & every), predicted + len(every), support + len(gold)
    return {
        "spans": 100 * spans,
        "strict": 100 * scores["f1"],
        **{name: 100 * scores[name]["f1"] for name in SCORES[1:]},
        "every_pair": 100 * ratios(correct, predicted, support)["f1"],
        "cpu_seconds": round(trained),
        "code": package_hash(),
    }


def table() -> str:
    """Return the table of docs/results.md: mean and standard deviation over the seeds, %."""
    rows: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for key, result in sorted(RESULTS.load().items()):
        labels, method, _ = key.split("/")
        rows.setdefault((int(labels), method), []).append(result)
    names = ("spans", *SCORES, "every_pair")
    lines = [f"| labels | method | seeds | {' | '.join(name.replace('_', ' ') for name in names)} | CPU min |"]
    lines += ["| ---: | --- | ---: |" + " ---: |" * (len(names) + 1)]
    for (labels, method), results in sorted(
        rows.items(), key=lambda row: (row[0][0] or 10**6, METHODS.index(row[0][1]))
    ):
        cells = [spread(each[name] for each in results) for name in names]
        minutes = mean(each["cpu_seconds"] for each in results) / 60
        lines.append(f"| {labels or 'all'} | `{method}` | {len(results)} | {' | '.join(cells)} | {minutes:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", nargs="*", type=int, default=[], help="labeled sentences; 0: all")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["supervised", "self_training"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    for labels in options.labels:
        for seed in options.seeds:
            for method in options.methods:
                RESULTS.fill(f"{labels}/{method}/{seed}", partial(measure, labels, method, seed))
    print(table())


if __name__ == "__main__":
    main()
