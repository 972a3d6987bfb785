"""Hints of transaction_risk with 60 labels: self-training without hints, with good ones, and with half of them wrong.

    python benchmarks/hints.py --seeds 0 1 2 --runs /tmp/hints    # an hour of one core for each seed

Labels, dev, pool and test are those of few_labels.py, and the three runs of a seed share their teacher. The good hints
are the phrases and patterns of the keyword rule of the data card, which was written by reading all of train, and a list
of countries. Of the half that is wrong on purpose, each hint names another label of its field, drawn by the seed. Runs
that are in --runs already are not trained again; measurements in results/hints.json are skipped. Test is read once,
after training.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cell_data import CELLS, draw
from cells import Cells, spread
from keyword_peer import present_rules
from measurements import cpu_seconds, package_hash

from electra_ie.data.hints import Hint

CELL = CELLS["transaction_risk:60"]
HINTS = ("none", "good", "half_wrong")
SCORES = {"flags": "macro_f1", "entities": "f1"}
COUNTRIES = """
Albania, Algeria, Angola, Argentina, Armenia, Australia, Austria, Azerbaijan, Bahrain, Belarus, Belgium, Bolivia,
Brazil, Bulgaria, Cambodia, Cameroon, Canada, Chile, China, Colombia, Croatia, Cuba, Cyprus, Denmark, Ecuador, Egypt,
Estonia, Ethiopia, Finland, France, Georgia, Germany, Ghana, Greece, Hungary, Iceland, India, Indonesia, Iran, Iraq,
Ireland, Israel, Italy, Japan, Jordan, Kazakhstan, Kenya, Kuwait, Latvia, Lebanon, Libya, Lithuania, Luxembourg,
Malaysia, Malta, Mexico, Moldova, Morocco, Myanmar, Netherlands, New Zealand, Nigeria, North Korea, Norway, Oman,
Pakistan, Panama, Peru, Philippines, Poland, Portugal, Qatar, Romania, Russia, Saudi, Arabia, Serbia, Singapore,
Slovakia, Slovenia, South Africa, South Korea, Spain, Sudan, Sweden, Switzerland, Syria, Taiwan, Tanzania, Thailand,
Tunisia, Turkey, Ukraine, United Arab Emirates, United Kingdom, Uruguay, Uzbekistan, Venezuela, Vietnam, Yemen, Zambia
"""
RESULTS = Cells("hints")


def hints_of(kind: str, labels: dict[str, Sequence[str]], seed: int) -> tuple[Hint, ...]:
    """Return the hints of a run. labels: those of each field."""
    rules = present_rules()
    if kind == "none":
        return ()
    found = [
        *(
            Hint("flags", label, f"{label}: {number}", pattern=f"(?i){pattern}")
            for label, patterns in rules.FLAG_WORDS.items()
            for number, pattern in enumerate(patterns)
        ),
        *(
            Hint("entities", label, f"{label}: pattern", pattern=pattern)
            for label, pattern in rules.PATTERNS["transaction_risk"].items()
        ),
        Hint(
            "entities",
            "COUNTRY",
            "COUNTRY: countries",
            terms=tuple(name.strip() for name in " ".join(COUNTRIES.split()).split(",")),
        ),
    ]
    if kind == "half_wrong":
        generator = random.Random(seed)
        for index in generator.sample(range(len(found)), len(found) // 2):
            hint = found[index]
            label = generator.choice([label for label in labels[hint.field] if label != hint.label])
            found[index] = replace(hint, label=label, name=f"wrong {index}")
    return tuple(found)


def measure(kind: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return the main score of each field on test in %, and the CPU seconds, those of the teacher left out."""
    import electra_ie
    from electra_ie.inference.scoring import predict, score_answers

    data = draw(CELL, seed)
    task = data.task()
    teacher = folder / f"{seed}-teacher"
    if not (teacher / "scores.json").exists():
        electra_ie.train(task, teacher, preset="supervised", seed=seed)
    hints = hints_of(kind, {field.name: field.labels for field in data.fields}, seed)
    began = cpu_seconds()
    run = electra_ie.train(
        replace(task, hints=hints), folder / f"{seed}-{kind}", preset="self_training", seed=seed, teacher=teacher
    )
    seconds = cpu_seconds() - began
    extractor = run.extractor()
    scores = score_answers(extractor.fields, data.test, predict(extractor, data.test))
    return {
        **{field: 100 * scores[field][name] for field, name in SCORES.items()},
        "cpu_seconds": round(seconds),
        "code": package_hash(),
    }


def table() -> str:
    """Return the table of docs/results.md: mean and standard deviation over the seeds, %."""
    lines = ["| hints | seeds | flags, macro F1 | entities, F1 | CPU min, without the teacher |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    results = RESULTS.load()
    for kind in HINTS:
        found = [result for key, result in results.items() if key.startswith(f"{kind}/")]
        if found:
            scores = " | ".join(spread(each[name] for each in found) for name in SCORES)
            minutes = sum(each["cpu_seconds"] for each in found) / len(found) / 60
            lines.append(f"| {kind.replace('_', ' ')} | {len(found)} | {scores} | {minutes:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--hints", nargs="+", choices=HINTS, default=list(HINTS))
    parser.add_argument("--runs", type=Path, help="folder of the runs, which are kept in it")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        for seed in options.seeds:
            for kind in options.hints:
                RESULTS.fill(f"{kind}/{seed}", partial(measure, kind, seed, options.runs or Path(temporary)))
    print(table())


if __name__ == "__main__":
    main()
