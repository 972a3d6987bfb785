"""Many classes with three labels each, and a dev split: what kind of thing a definition of WordNet defines.

    apt install wordnet-base                  # or --data FILE, the data.noun of WordNet 3.0
    python benchmarks/wordnet.py              # three seeds; an hour of one core
    python benchmarks/wordnet.py --table      # only print what results/wordnet.json holds

A kind is a noun with 60 to 260 others below it, none of them a kind. Each seed draws 77 kinds, and of the definitions
of what is below each 3 to learn from, 3 for dev and 20 for test; the others are the unlabelled text. `supervised`
teaches
`adversarial`. Each run is scored on test once; on an earlier draw of these definitions, test was looked at when the
rule of the second view was changed (benchmarks/README.md).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from cells import Cells, spread

KINDS, LEAST, MOST = 77, 60, 260
SPLITS = {"train": 3, "dev": 3, "test": 20}
"""Definitions of each kind."""
REGRESSION, CONTROL = "regression", "supervised"
VARIANTS = {
    REGRESSION: "regression on frozen states, with self-training",
    CONTROL: "`supervised`",
    "adversarial co_training=false": "`adversarial` with `--set co_training=false`",
    "adversarial": "`adversarial`",
}
RESULTS = Cells("wordnet")


def kinds(file: Path) -> dict[str, list[str]]:
    """The definitions below each noun that has so many below it, without those that stand below two of these."""
    names, definitions, below = {}, {}, defaultdict(list)
    for line in file.read_text("utf-8").splitlines():
        if line.startswith(" "):  # the licence
            continue
        facts, _, gloss = line.partition("|")
        fields = facts.split()
        synset = fields[0]
        names[synset] = f"{fields[4]}_{synset}"
        definitions[synset] = gloss.split('; "')[0].strip()
        pointers = 5 + 2 * int(fields[3], 16)
        for sign, other, part in zip(*(fields[pointers + place :: 4] for place in range(3)), strict=False):
            if sign in ("~", "~i") and part == "n":
                below[synset].append(other)

    def all_below(synset: str) -> set[str]:
        return set().union(*({each} | all_below(each) for each in below[synset]))

    found = {synset: all_below(synset) for synset in names if below[synset]}
    fitting = {synset: each for synset, each in found.items() if LEAST <= len(each) <= MOST}
    lowest = {synset: each for synset, each in fitting.items() if not each & fitting.keys()}
    homes = defaultdict(set)
    for synset, each in lowest.items():
        for other in each:
            homes[definitions[other]].add(synset)
    told: dict[str, list[str]] = defaultdict(list)
    for definition, places in sorted(homes.items()):
        if len(places) == 1:
            told[names[min(places)]].append(definition)
    return {name: each for name, each in sorted(told.items()) if len(each) >= LEAST}


def draw(file: Path, folder: Path, seed: int) -> None:
    """Write the task of a seed."""
    chance = random.Random(f"wordnet {seed}")
    found = kinds(file)
    drawn = sorted(chance.sample(sorted(found), KINDS))
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for name in drawn:
        chance.shuffle(found[name])
        definitions = iter(found[name])
        for split, many in SPLITS.items():
            rows[split] += [{"text": each, "kind": name} for each in islice(definitions, many)]
        rows["unlabeled"] += [{"text": each} for each in definitions]
    for split, each in rows.items():
        chance.shuffle(each)
        lines = [json.dumps({"id": f"{split} {place}", **row}) + "\n" for place, row in enumerate(each)]
        (folder / f"{split}.jsonl").write_text("".join(lines), "utf-8")
    told = {
        "description": "What kind of thing a definition of WordNet defines.",
        "format": "jsonl",
        "files": {split: f"{split}.jsonl" for split in rows},
        "fields": {"kind": {"kind": "classes", "labels": drawn}},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(told), "utf-8")


def measure(variant: str, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracy (%) on test, and CPU seconds. The supervised run in `folder`, if it is there, is the teacher of the
    others, whose seconds then hold its own."""
    import peers

    import electra_ie

    if variant == REGRESSION:
        return peers.measure(variant, f"{folder}:all", seed)
    preset, *settings = variant.split()
    run, control = folder / variant, folder / CONTROL
    teacher = control if preset != CONTROL and control.is_dir() else None
    began = time.process_time()
    electra_ie.train(str(folder), run, preset=preset, seed=seed, overrides=settings, teacher=teacher)
    spent = time.process_time() - began
    if teacher:
        spent += RESULTS.load()[f"{CONTROL} | {seed}"]["cpu_seconds"]
    scores = electra_ie.evaluate(run, "test")
    return {"test": round(100 * (scores["kind"].value or 0), 2), "cpu_seconds": round(spent)}


def table() -> str:
    """Markdown: a row for each variant."""
    lines = ["| | by seed | accuracy | CPU s |", "| --- | --- | ---: | ---: |"]
    for variant, told in VARIANTS.items():
        if found := RESULTS.matching(f"{variant} | ").values():
            scores = [each["test"] for each in found]
            spent = statistics.mean(each["cpu_seconds"] for each in found)
            lines.append(f"| {told} | {', '.join(f'{each:.1f}' for each in scores)} | {spread(scores)} | {spent:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/wordnet/data.noun"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    for seed in [] if given.table else given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            draw(given.data, Path(folder), seed)
            for variant in VARIANTS:
                RESULTS.fill(f"{variant} | {seed}", partial(measure, variant, seed, Path(folder)))
    print(table())


if __name__ == "__main__":
    main()
