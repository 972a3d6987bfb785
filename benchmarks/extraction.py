"""CPU seconds of extraction, compared with bare forward passes and with the stock pipeline, alternately in one run.

    python benchmarks/extraction.py                 # trains on bc5cdr with 50 labels first; half an hour of one core
    python benchmarks/extraction.py --run RUN       # a run of bc5cdr that exists
    python benchmarks/extraction.py --table         # only print what results/extraction.json contains, and draw it

The texts are the first documents of five test splits, from questions of 30 characters to case reports of 25,000. All
loops use one thread, fp32 and the same model, and take turns on half of the texts at a time. `ours` is
`Extractor.read`, from the text to the findings. `bound` is the stock model alone, on the tokens of the same windows,
already tokenized and in full batches: sorted by length, 4,096 tokens in a batch, all rows of a batch of the mean length
of its windows, no padding.
`pipeline` is the stock token classification pipeline with a stride of 16 tokens and its default batch size, which is 1.
`overlapped` is `ours` with tokenizing and decoding in a second thread; of it, the wall time is reported.

Two more measurements count the documents whose findings, with their scores, are not the same bytes as those of `ours`:
each text alone, and all texts in another order, with two threads.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells

RESULTS = Cells("extraction")
PLOT = Path(__file__).parents[1] / "docs" / "images" / "extraction_speed.png"
TEXTS = {"bc5cdr": 150, "ade": 150, "sec_filings": 100, "trec_fine": 100, "medical_cases_real": 8}
"""The number of documents of each task."""
PARTS = 2
SPEED, SAME = "speed", "same answer"
"""The two measurements."""
LABELS = {"bound": "bare forward pass", "ours": "`electra-ie extract`", "pipeline": "stock pipeline with stride"}


def read_texts() -> list[Any]:
    """Return the documents in a random order. Raises UserError if a data set is absent."""
    from electra_ie.data.document import Document
    from electra_ie.data.task import Task

    texts = []
    for name, size in TEXTS.items():
        documents = Task.load(name).read("test")[:size]
        texts += [Document(f"{name} {number}", document.text) for number, document in enumerate(documents)]
    random.Random(0).shuffle(texts)
    return texts


def bound(extractor: Any, texts: list[Any]) -> Callable[[], None]:
    """Return the bare forward passes over the tokens of the windows of these texts."""
    import torch

    (field,) = extractor.fields
    windower = extractor.windower
    rows = [(*windower.before, *window.ids, *windower.after) for text in texts for window in windower(text.text)]
    rows.sort(key=len)
    batches = []
    while rows:
        size = next((end for end in range(1, len(rows)) if sum(map(len, rows[: end + 1])) > 4096), len(rows))
        ids = [token for row in rows[:size] for token in row]
        length = round(len(ids) / size)
        batches.append(torch.tensor(ids[: len(ids) // length * length]).reshape(-1, length))
        rows = rows[size:]

    def run() -> None:
        with extractor.discriminator.stock_model(field) as model, torch.inference_mode():
            for batch in batches:
                model(input_ids=batch)

    return run


def measure(run: Path) -> dict[str, Any]:
    """Return the CPU seconds of each loop on each part, and what both methods find."""
    import torch
    from transformers import pipeline

    import electra_ie

    torch.set_num_threads(1)
    texts = read_texts()
    extractor = electra_ie.Extractor.from_pretrained(run, device="cpu")
    stock = pipeline(  # type: ignore[call-overload]
        "token-classification", model=str(run / "entities"), aggregation_strategy="first", stride=16, device=-1
    )
    found: dict[str, dict[str, Any]] = {"ours": {}, "pipeline": {}}

    def ours(part: list[Any], overlapped: bool = False) -> None:
        found["ours"] |= {result.document.id: result for result in extractor.pipeline(overlapped).read(part)}

    def by_pipeline(part: list[Any]) -> None:
        for text, spans in zip(part, stock([text.text for text in part]), strict=True):
            found["pipeline"][text.id] = {(span["start"], span["end"], span["entity_group"]) for span in spans}

    loops = [
        {
            "bound": bound(extractor, part),
            "ours": partial(ours, part),
            "pipeline": partial(by_pipeline, part),
            "overlapped": partial(ours, part, overlapped=True),
        }
        for part in (texts[start::PARTS] for start in range(PARTS))
    ]
    cpu, wall = timed(loops)
    results = found["ours"]
    mine = {
        id: {(span.start, span.end, span.label) for span in result.answers["entities"]}
        for id, result in results.items()
    }
    return {
        "documents": len(texts),
        "characters": sum(len(text.text) for text in texts),
        "windows": sum(result.windows for result in results.values()),
        "cpu_seconds": cpu,
        "wall_seconds": {name: wall[name] for name in ("ours", "overlapped")},
        "findings": {
            "ours": sum(map(len, mine.values())),
            "pipeline": sum(map(len, found["pipeline"].values())),
            "both": sum(len(mine[id] & other) for id, other in found["pipeline"].items()),
        },
    }


def timed(parts: list[dict[str, Callable[[], None]]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the CPU seconds and the wall seconds of each loop on each part. The loops take turns at each part."""
    cpu: dict[str, list[float]] = {name: [] for name in parts[0]}
    wall: dict[str, list[float]] = {name: [] for name in parts[0]}
    for loops in parts:
        for name, loop in loops.items():
            began = time.process_time(), time.perf_counter()
            loop()
            cpu[name].append(round(time.process_time() - began[0], 2))
            wall[name].append(round(time.perf_counter() - began[1], 2))
        print({name: values[-1] for name, values in cpu.items()}, flush=True)
    return cpu, wall


def differing(run: Path) -> dict[str, Any]:
    """Return the number of documents whose record is not the same, alone and in another order with two threads."""
    import torch

    import electra_ie

    texts = read_texts()
    extractor = electra_ie.Extractor.from_pretrained(run, device="cpu")

    def read(texts: list[Any]) -> dict[str, str]:
        return {result.document.id: json.dumps(result.record()) for result in extractor.read(texts)}

    torch.set_num_threads(1)
    expected = read(texts)
    alone = {id: record for text in texts for id, record in read([text]).items()}
    torch.set_num_threads(2)
    other = read(random.Random(1).sample(texts, len(texts)))
    counts = {
        name: sum(found[id] != expected[id] for id in expected) for name, found in (("alone", alone), ("other", other))
    }
    return {"documents": len(texts), **counts}


def table() -> str:
    """Return a Markdown table with a row for each loop."""
    result = RESULTS.load()[SPEED]
    lines = [
        "| one thread, fp32 | CPU seconds | by part | characters a second | time, bare forward pass = 1 |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    cpu = {name: sum(values) for name, values in result["cpu_seconds"].items()}
    for name, label in LABELS.items():
        parts = ", ".join(f"{value:.1f}" for value in result["cpu_seconds"][name])
        speed = result["characters"] / cpu[name]
        lines.append(f"| {label} | {cpu[name]:.1f} | {parts} | {speed:,.0f} | {cpu[name] / cpu['bound']:.2f} |")
    return "\n".join(lines)


def sentences() -> str:
    """Return the sentences of docs/results.md about this measurement."""
    result, same = RESULTS.load()[SPEED], RESULTS.load()[SAME]
    found, wall = result["findings"], {name: sum(values) for name, values in result["wall_seconds"].items()}
    cpu = {name: sum(values) for name, values in result["cpu_seconds"].items()}
    return (
        f"{result['documents']} documents, {result['characters']:,} characters, {result['windows']:,} windows. "
        f"`extract` reaches {cpu['bound'] / cpu['ours']:.2f} of the speed of the bare forward pass and is "
        f"{cpu['pipeline'] / cpu['ours']:.2f} times as fast as the pipeline. It gives {found['ours']:,} findings and "
        f"the pipeline {found['pipeline']:,}; {found['both']:,} are the same. With tokenizing and decoding in a second "
        f"thread, it takes {wall['overlapped']:.0f} instead of {wall['ours']:.0f} seconds of wall time. "
        f"Of {same['documents']} documents, {same['alone']} have other findings or scores alone than in company, and "
        f"{same['other']} in another order with two threads."
    )


def draw() -> None:
    """Draw the characters a second of each loop."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    result = RESULTS.load()[SPEED]
    cpu = {name: sum(values) for name, values in result["cpu_seconds"].items()}
    figure, axes = pyplot.subplots(figsize=(7, 2.2), layout="constrained")
    names = [label.replace("`", "") for label in LABELS.values()][::-1]
    bars = axes.barh(names, [result["characters"] / cpu[name] for name in LABELS][::-1], color="#4477aa")
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.margins(x=0.12)
    axes.set_xlabel("characters per CPU second, one thread, fp32, all-MiniLM-L6-v2")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(PLOT, dpi=120, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        import electra_ie

        with tempfile.TemporaryDirectory() as folder:
            run = arguments.run or electra_ie.train("bc5cdr", Path(folder) / "run", label_budget=50).path
            RESULTS.fill(SPEED, partial(measure, run))
            RESULTS.fill(SAME, partial(differing, run))
    draw()
    print(table(), sentences(), sep="\n\n")


if __name__ == "__main__":
    main()
