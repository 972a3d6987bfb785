"""Many classes with three labels each and a dev split: the kind of thing that a WordNet definition defines.

    apt install wordnet-base                  # or --data FILE, the data.noun of WordNet 3.0
    python benchmarks/wordnet.py              # three seeds; an hour of one core
    python benchmarks/wordnet.py --table      # only print what results/wordnet.json contains

A kind is a noun with 60 to 260 hyponyms, none of them a kind. Each seed draws 77 kinds, and of the definitions of the
hyponyms of each, 3 to train on, 3 for dev and 20 for test; the others are the unlabeled text. The `supervised` run is
the teacher of `adversarial`. Each run is scored on test once; on an earlier draw of these definitions, the criterion
for co-training was changed with knowledge of test scores (benchmarks/README.md).
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

KINDS, MIN_HYPONYMS, MAX_HYPONYMS = 77, 60, 260
SPLITS = {"train": 3, "dev": 3, "test": 20}
"""Definitions of each kind."""
REGRESSION, SUPERVISED = "regression", "supervised"
VARIANTS = {
    REGRESSION: "regression on frozen states, with self-training",
    SUPERVISED: "`supervised`",
    "adversarial co_training=false": "`adversarial` with `--set co_training=false`",
    "adversarial": "`adversarial`",
}
RESULTS = Cells("wordnet")


def kinds(file: Path) -> dict[str, list[str]]:
    """Return the definitions of the hyponyms of each kind, without those that belong to two kinds.

    file: data.noun, in the format of WordNet's manual page wndb(5).
    """
    names, definitions, children = {}, {}, defaultdict(list)
    for line in file.read_text("utf-8").splitlines():
        if line.startswith(" "):  # the license
            continue
        data, _, gloss = line.partition("|")
        fields = data.split()
        synset = fields[0]
        names[synset] = f"{fields[4]}_{synset}"
        definitions[synset] = gloss.split('; "')[0].strip()
        pointers = 5 + 2 * int(fields[3], 16)
        # A pointer is four fields: symbol, offset of the target, part of speech, source and target words.
        for symbol, target, part in zip(*(fields[pointers + offset :: 4] for offset in range(3)), strict=False):
            if symbol in ("~", "~i") and part == "n":
                children[synset].append(target)

    def hyponyms(synset: str) -> set[str]:
        return set().union(*({child} | hyponyms(child) for child in children[synset]))

    below = {synset: hyponyms(synset) for synset in names if children[synset]}
    fitting = {synset: members for synset, members in below.items() if MIN_HYPONYMS <= len(members) <= MAX_HYPONYMS}
    lowest = {synset: members for synset, members in fitting.items() if not members & fitting.keys()}
    kinds_of = defaultdict(set)
    for synset, members in lowest.items():
        for member in members:
            kinds_of[definitions[member]].add(synset)
    texts: dict[str, list[str]] = defaultdict(list)
    for definition, synsets in sorted(kinds_of.items()):
        if len(synsets) == 1:
            texts[names[min(synsets)]].append(definition)
    return {name: members for name, members in sorted(texts.items()) if len(members) >= MIN_HYPONYMS}


def draw(file: Path, folder: Path, seed: int) -> None:
    """Write the task of a seed into a folder."""
    rng = random.Random(f"wordnet {seed}")
    by_kind = kinds(file)
    drawn = sorted(rng.sample(sorted(by_kind), KINDS))
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for name in drawn:
        rng.shuffle(by_kind[name])
        definitions = iter(by_kind[name])
        for split, count in SPLITS.items():
            rows[split] += [{"text": text, "kind": name} for text in islice(definitions, count)]
        rows["unlabeled"] += [{"text": text} for text in definitions]
    for split, records in rows.items():
        rng.shuffle(records)
        lines = [json.dumps({"id": f"{split} {index}", **record}) + "\n" for index, record in enumerate(records)]
        (folder / f"{split}.jsonl").write_text("".join(lines), "utf-8")
    config = {
        "description": "What kind of thing a definition of WordNet defines.",
        "format": "jsonl",
        "files": {split: f"{split}.jsonl" for split in rows},
        "fields": {"kind": {"kind": "classes", "labels": drawn}},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(config), "utf-8")


def measure(variant: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return accuracy (%) on test, and CPU seconds.

    The supervised run in `folder`, if it exists, is the teacher of the others, whose seconds then include its own.
    """
    import peers

    import electra_ie

    if variant == REGRESSION:
        return peers.measure(variant, f"{folder}:all", seed)
    preset, *settings = variant.split()
    run, supervised = folder / variant, folder / SUPERVISED
    teacher = supervised if preset != SUPERVISED and supervised.is_dir() else None
    began = time.process_time()
    electra_ie.train(str(folder), run, preset=preset, seed=seed, overrides=settings, teacher=teacher)
    seconds = time.process_time() - began
    if teacher:
        seconds += RESULTS.load()[f"{SUPERVISED} | {seed}"]["cpu_seconds"]
    scores = electra_ie.evaluate(run, "test")
    return {"test": round(100 * (scores["kind"].value or 0), 2), "cpu_seconds": round(seconds)}


def table() -> str:
    """Return a Markdown table with a row for each variant."""
    lines = ["| | by seed | accuracy | CPU s |", "| --- | --- | ---: | ---: |"]
    for variant, description in VARIANTS.items():
        if results := RESULTS.matching(f"{variant} | ").values():
            scores = [result["test"] for result in results]
            by_seed = ", ".join(f"{score:.1f}" for score in scores)
            seconds = statistics.mean(result["cpu_seconds"] for result in results)
            lines.append(f"| {description} | {by_seed} | {spread(scores)} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/wordnet/data.noun"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    for seed in [] if arguments.table else arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            draw(arguments.data, Path(folder), seed)
            for variant in VARIANTS:
                RESULTS.fill(f"{variant} | {seed}", partial(measure, variant, seed, Path(folder)))
    print(table())


if __name__ == "__main__":
    main()
