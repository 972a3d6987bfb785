"""Resident memory over an extraction: one file of many records, many files, and one file that is a single text.

    python benchmarks/extraction_memory.py --megabytes 200

The encoder has the tokenizer of the default one and one small layer with random weights, so that most of the time and
memory is that of reading, cutting into windows, decoding and writing. Each case runs in a process of its own, in which
`psutil` reads the resident memory twice a second. The samples are written to results/extraction_memory.json and drawn
in docs/images/extraction_memory.png.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
PLOT = Path(__file__).parents[1] / "docs" / "images" / "extraction_memory.png"
MB = 10**6
NAMES, GOODS = ("Arden Ltd", "Brisk & Co", "Farrow plc", "Harwick AG"), ("steel", "freight", "rent")
FILES_BYTES = 2000
"""Bytes of a text in the case of many files."""
POINTS = 500
"""The samples that are kept of a case at most."""


def sentences(size: int, draw: random.Random) -> str:
    """Return a text of about `size` characters."""
    parts: list[str] = []
    length = 0
    while length < size:
        name, goods = draw.choice(NAMES), draw.choice(GOODS)
        amount = f"{draw.randint(1, 99)},{draw.randint(100, 999)}"
        parts.append(f"{name} paid EUR {amount} for {goods} on {draw.randint(1, 28)} May.")
        length += len(parts[-1]) + 1
    return " ".join(parts)


def write_records(folder: Path, size: int) -> Path:
    """Write one .jsonl of records of 100 to 2,000 characters."""
    draw, written = random.Random(0), 0
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        while written < size:
            written += file.write(json.dumps({"text": sentences(draw.randint(100, 2000), draw)}) + "\n")
    return folder / "records.jsonl"


def write_files(folder: Path, size: int) -> Path:
    """Write many .txt files, a thousand in a folder."""
    draw = random.Random(0)
    for number in range(size // FILES_BYTES):
        file = folder / "files" / f"{number // 1000:04}" / f"{number % 1000:03}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sentences(FILES_BYTES, draw), encoding="utf-8")
    return folder / "files"


def write_text(folder: Path, size: int) -> Path:
    """Write one .txt that is one text."""
    (folder / "text.txt").write_text(sentences(size, random.Random(0)), encoding="utf-8")
    return folder / "text.txt"


CASES: dict[str, Callable[[Path, int], Path]] = {"records": write_records, "files": write_files, "text": write_text}


def save_run(folder: Path, layers: int = 1, hidden: int = 32) -> Path:
    """Save an extractor of one field of spans with random weights."""
    import torch
    from transformers import AutoConfig, AutoModel

    from electra_ie.config.train import EMBEDDED
    from electra_ie.data.fields import Field
    from electra_ie.data.windowing import WindowTokenizer
    from electra_ie.inference.extractor import Extractor
    from electra_ie.models.discriminator import Discriminator
    from electra_ie.models.encoders import load_tokenizer, resolve_encoder

    torch.manual_seed(0)
    source = resolve_encoder(EMBEDDED)
    config = AutoConfig.from_pretrained(source)
    config.update({"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": 4 * hidden})
    config.num_attention_heads = max(1, hidden // 32)
    AutoModel.from_config(config).save_pretrained(folder / "encoder")
    tokenizer = load_tokenizer(source)
    tokenizer.save_pretrained(folder / "encoder")
    fields = [Field("entities", "spans", ("PAYER", "AMOUNT"))]
    model = Discriminator.from_encoder(str(folder / "encoder"), fields)
    Extractor(model, WindowTokenizer(tokenizer, 128, 16), fields).save_pretrained(folder / "run")
    return folder / "run"


def thinned(samples: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return at most POINTS samples, of equal stretches of time those with the most memory."""
    stretch = max(1, -(-len(samples) // POINTS))
    return [max(samples[at : at + stretch], key=lambda sample: sample[1]) for at in range(0, len(samples), stretch)]


def measure(case: str, size: int, results: Any) -> None:
    """Extract in this process, and put the samples of its memory into `results`."""
    import electra_ie

    process, samples, done = psutil.Process(), [], threading.Event()

    def sample() -> None:
        began = time.monotonic()
        while not done.wait(0.5):
            samples.append((round(time.monotonic() - began, 1), round(process.memory_info().rss / MB)))

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run, source = save_run(folder), CASES[case](folder, size)
        before = process.memory_info().rss
        threading.Thread(target=sample, daemon=True).start()
        cpu = time.process_time()
        counts = electra_ie.extract(run, source, folder / "findings.jsonl")
        done.set()
        row = {"megabytes": size / MB, **counts, "before": round(before / MB)}
        row["cpu_seconds"] = round(time.process_time() - cpu)
        results.put({**row, "samples": thinned(samples)})


def draw(rows: dict[str, Any], file: Path) -> None:
    """Draw the memory of each case over the share of its time."""
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(7, 4))
    for case, row in rows.items():
        end = row["samples"][-1][0]
        label = f"{case}: {row['documents']:,} documents, {row['megabytes']:,.0f} MB"
        panel.plot([100 * at / end for at, _ in row["samples"]], [used for _, used in row["samples"]], label=label)
    panel.set(xlabel="time, % of the run", ylabel="resident memory, MB", ylim=(0, None))
    panel.legend(loc="lower right")
    figure.savefig(file, dpi=150, bbox_inches="tight", metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--text-megabytes", type=float, default=20, help="size of the single text")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    file = RESULTS / "extraction_memory.json"
    rows = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for case in arguments.cases:
        size = round(MB * (arguments.text_megabytes if case == "text" else arguments.megabytes))
        results = context.Queue()
        process = context.Process(target=measure, args=(case, size, results))
        process.start()
        rows[case] = results.get()
        process.join()
        used = [rss for _, rss in rows[case]["samples"]]
        first, last = max(used[: len(used) // 2]), max(used[len(used) // 2 :])
        print(f"{case}: at most {first} MB in the first half, {last} MB in the second", flush=True)
        file.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    draw(rows, PLOT)


if __name__ == "__main__":
    main()
