"""Which text to label next: the choice of `electra-ie suggest` against random choice, by the number of labels.

    python benchmarks/suggest.py                                # all that is missing: some hours of one core
    python benchmarks/suggest.py --cases trec_fine --seeds 0    # one case and seed
    python benchmarks/suggest.py --table                        # the table, from benchmarks/results/suggest

A person is simulated: the labels of a pool are hidden, and those of the chosen texts are shown. Each round trains
`supervised` on all labels so far, from the beginning and without a dev split (its labels would have to be counted), and
scores documents that are never in the pool. `suggest` begins with typical texts, and each following round takes those
that the run of the round before is uncertain of; a share of each round is random, as in the command. `random` takes a
random order. Both get the same pool, scored documents and seeds of training.

A cell is a case, a method and a seed: one file, results/suggest/<case>/<method>.<seed>.json, written when it is
finished. It is skipped if it is there; if the code has changed since, it is listed, and measured again with `--redo`.
With `--steps` fewer steps are trained, which is for trying the script: nothing is written.

The rule of `suggest` was chosen on the questions of trec_fine and on WordNet, with a cheaper model (trials.md).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import measurements
from cell_data import Cell, CellData, Source, shipped
from cells import spread
from measurements import Result, cpu_seconds
from package_methods import SUPERVISED, Runs

from electra_ie.common.folders import count
from electra_ie.data.document import Document
from electra_ie.data.fields import Field
from electra_ie.data.label_budget import sample

RESULTS = Path(__file__).parent / "results" / "suggest"
METHODS = ("random", "suggest")
LABELS = (20, 40, 60, 80, 100)
"""The numbers of labels, a round each."""
SEEDS = 3
STEPS: list[str] = []
"""Settings of all runs; a test sets small ones."""


@dataclass(frozen=True)
class Case:
    """A data set. read: the documents of a seed, those of the pool and those that are scored, all with gold."""

    name: str
    read: Callable[[int], tuple[Source, list[Document], list[Document]]]


def trec_fine(seed: int) -> tuple[Source, list[Document], list[Document]]:
    """Return half of the 609 questions that have a label as pool, the others to be scored; drawn by the seed."""
    source = shipped("trec_fine")
    documents = [document for document in (*source.train, *source.test) if document.gold]
    random.Random(f"suggest trec_fine {seed}").shuffle(documents)
    half = len(documents) // 2
    return source, documents[:half], documents[half:]


def bc5cdr(seed: int) -> tuple[Source, list[Document], list[Document]]:
    """Return 1,500 sentences of train as pool and 1,500 of test; drawn by the seed, so that a cell takes minutes."""
    source = shipped("bc5cdr")
    return source, sample(source.train, 1500, seed), sample(source.test, 1500, seed)


def transaction_risk(seed: int) -> tuple[Source, list[Document], list[Document]]:
    """Return the 320 labeled records of train and dev as pool, and test. All seeds have the same ones."""
    source = shipped("transaction_risk")
    return source, [*source.train, *source.dev], list(source.test)


CASES = {read.__name__: Case(read.__name__, read) for read in (trec_fine, bc5cdr, transaction_risk)}


# Measuring


def hash_of() -> str:
    """Return the hash of the code that decides the results, without this script."""
    return measurements.package_hash("selection")


def measure(case: Case, method: str, seed: int, labels: Sequence[int]) -> Result:
    """Return the scores after each round, and how the texts were chosen."""
    source, pool, scored = case.read(seed)
    order = list(pool)
    random.Random(f"suggest {seed}").shuffle(order)
    labeled: list[Document] = []
    ways: Counter[str] = Counter()
    rounds: list[Result] = []
    began, extractor = cpu_seconds(), None
    for budget in labels:
        if method == "random":
            labeled = order[:budget]
        else:
            chosen = chosen_texts(order, budget - len(labeled), labeled, extractor, seed)
            ways.update(way for _, way in chosen)
            labeled = [*labeled, *(document for document, _ in chosen)]
        scores, extractor = train(case, source, labeled, order, scored, seed)
        rounds.append({"labels": len(labeled), "test": scores, "seen": seen(source.fields, labeled)})
        print(f"   {len(labeled)} labels: {_line(scores)}", flush=True)
    return {
        "case": case.name, "method": method, "seed": seed, "code": hash_of(), "rounds": rounds, "chosen": dict(ways),
        "sizes": {"pool": len(pool), "scored": len(scored)}, "cpu_seconds": round(cpu_seconds() - began, 1),
        **measurements.environment(("torch", "transformers", "scikit-learn")),
    }  # fmt: skip


def chosen_texts(
    pool: Sequence[Document], count: int, labeled: Sequence[Document], extractor: Any, seed: int
) -> list[tuple[Document, str]]:
    """Return the documents of the pool that are chosen, with their gold, and how."""
    from electra_ie.config.train import TrainSettings
    from electra_ie.selection.choosing import choose

    encoder = TrainSettings.build(None, (*STEPS,), preset=SUPERVISED).encoder
    by_id = {document.id: document for document in pool}
    hidden = [document.unlabeled() for document in pool]
    choices = choose(hidden, count, labeled=labeled, extractor=extractor, encoder=encoder, seed=seed)
    return [(by_id[choice.document.id], choice.chosen) for choice in choices]


def train(
    case: Case,
    source: Source,
    labeled: Sequence[Document],
    pool: Sequence[Document],
    scored: Sequence[Document],
    seed: int,
) -> tuple[dict[str, Result], Any]:
    """Train on the labeled documents; return the scores of each field, and the extractor for the next choice."""
    import electra_ie

    known = {document.id for document in labeled}
    cell = Cell(case.name, lambda _: source, {field.name: field.kind for field in source.fields}, len(labeled), 0)
    rest = [document.unlabeled() for document in pool if document.id not in known]
    data = CellData(
        cell, seed, source.fields, list(labeled), rest, [], [], list(scored), descriptions=source.descriptions
    )
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(data, Path(folder), STEPS)
        trained = runs.train(SUPERVISED)
        scores = measurements.scored(source.fields, scored, runs.predict(trained))
        return scores, electra_ie.Extractor.from_pretrained(trained.path)


def seen(fields: Sequence[Field], labeled: Sequence[Document]) -> dict[str, int]:
    """Return the number of labels of each field that the labeled documents have."""
    found = {}
    for field in fields:
        golds = [document.gold[field.name] for document in labeled if field.name in document.gold]
        items = [item for gold in golds for item in ([gold] if isinstance(gold, str) else gold)]
        found[field.name] = len({getattr(item, "label", item) for item in items})
    return found


def _line(scores: dict[str, Result]) -> str:
    return ", ".join(f"{field} {values['main']:.1f}" for field, values in scores.items())


# Files


def path_of(case: str, method: str, seed: int) -> Path:
    return RESULTS / case / f"{method}.{seed}.json"


def read(case: str, method: str, seed: int) -> Result | None:
    path = path_of(case, method, seed)
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def fill(arguments: argparse.Namespace) -> None:
    """Measure what is missing, seed by seed, and write each cell at once."""
    for seed, name, method in product(arguments.seeds, arguments.cases, arguments.methods):
        existing = read(name, method, seed)
        if existing and not arguments.steps:
            changed = existing["code"] != hash_of()
            if changed and not arguments.redo:
                print(f"-- {name} | {method} | {seed}: other code; kept without --redo")
            if not (changed and arguments.redo):
                continue
        print(f"-- {name} | {method} | {seed}", flush=True)
        result = measure(CASES[name], method, seed, arguments.labels)
        if not arguments.steps:
            measurements.write_file(path_of(name, method, seed), result)
        print(f"   {result['cpu_seconds']:.0f} CPU s", flush=True)


# The table


def curves(case: str, method: str) -> dict[str, dict[int, list[float]]]:
    """Return the scores of all seeds by field and number of labels."""
    found: dict[str, dict[int, list[float]]] = {}
    for seed in paired_seeds(case):
        result = read(case, method, seed)
        assert result is not None
        for each in result["rounds"]:
            for field, values in each["test"].items():
                found.setdefault(field, {}).setdefault(each["labels"], []).append(values["main"])
    return found


def paired_seeds(case: str) -> list[int]:
    """Return the seeds for which both methods are measured: only these are compared."""
    return [seed for seed in range(SEEDS) if all(read(case, method, seed) for method in METHODS)]


def labels_needed(curve: dict[int, float], score: float) -> float | None:
    """Return the number of labels at which a curve first reaches a score, by linear interpolation; None if never."""
    before: tuple[int, float] | None = None
    for labels, reached in sorted(curve.items()):
        if reached >= score:
            if before is None:
                return labels
            share = (score - before[1]) / (reached - before[1])
            return before[0] + share * (labels - before[0])
        before = labels, reached
    return None


def table(cases: Sequence[str]) -> str:
    """Return the scores by the number of labels, and the labels with which `suggest` reaches the last random score."""
    lines = [
        "| data set | field | labels | random | suggest | gain |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    needed = []
    for case in cases:
        seeds, (by_random, by_suggest) = paired_seeds(case), (curves(case, method) for method in METHODS)
        for field, by_labels in by_random.items():
            for labels, values in by_labels.items():
                own = by_suggest[field][labels]
                gain = statistics.mean(own) - statistics.mean(values)
                lines.append(f"| {case} | {field} | {labels} | {spread(values)} | {spread(own)} | {gain:+.1f} |")
            means = {labels: statistics.mean(values) for labels, values in by_suggest[field].items()}
            last = max(by_labels)
            reached = labels_needed(means, statistics.mean(by_labels[last]))
            share = f"{reached:.0f} labels, {100 * reached / last:.0f} %" if reached else f"more than {last} labels"
            measured = count(len(seeds), "seed", "seeds")
            needs = f"labels that `suggest` needs for the score of random choice with {last}: {share}"
            needed.append(f"- `{case}`, {field}, {measured}: {needs}")
    return "\n".join([*lines, "", *needed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(SEEDS)))
    parser.add_argument("--labels", nargs="+", type=int, default=list(LABELS), help="numbers of labels, a round each")
    parser.add_argument("--steps", type=int, help="steps of each run, to try the script: nothing is written")
    parser.add_argument("--redo", action="store_true", help="measure again what was measured with other code")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if arguments.steps:
        STEPS.append(f"max_steps={arguments.steps}")
    if not arguments.table:
        fill(arguments)
    print(table(arguments.cases))


if __name__ == "__main__":
    main()
