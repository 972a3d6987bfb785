"""Throughput of `electra-ie serve` at 32 clients, compared with reading the same texts offline on the same core.

    python benchmarks/serving.py                 # trains on transaction_risk with 60 labels first
    python benchmarks/serving.py --run RUN       # a run of transaction_risk that exists
    python benchmarks/serving.py --table         # only print what results/serving.json contains

The server is pinned to one core, and its 32 clients, in this process, to another one. A client sends its next text when
it has the answer to the last. `offline` makes the same lines of JSON of the same texts with `Extractor.read`, as
`extract` does, in a process pinned to the core of the server. Offline and served take turns, with the same texts, so
that other work on the machine disturbs both. CPU seconds are those of the whole process: of the server with HTTP, JSON
and counts. On a core that is free otherwise, the wall time is the same if the clients keep the server busy: `busy` are
the seconds in which a thread of the server ran or waited for the core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cells import Cells

RESULTS = Cells("serving")
CLIENTS, ROUNDS = 32, 5
SERVER_CORE, CLIENT_CORE = 0, 1
KINDS = {"memos": (1, 160), "pages": (5, 32)}
"""Kinds of texts: the number of memos of transaction_risk that one consists of, and the number of texts in a round."""
OFFLINE = """
import json, sys, time
import electra_ie
from electra_ie.inference.jobs.writers import json_line
extractor = electra_ie.Extractor.from_pretrained(sys.argv[1], device="cpu")
print("ready", flush=True)
for line in sys.stdin:
    documents = [electra_ie.Document(str(number), text) for number, text in enumerate(json.loads(line))]
    began = time.process_time(), time.perf_counter()
    lines = [json_line(result.record()) for result in extractor.read(documents)]
    print(json.dumps([time.process_time() - began[0], time.perf_counter() - began[1]]), flush=True)
"""


def read_texts(kind: str) -> list[str]:
    """Return texts of a kind, as many as there are in all rounds."""
    from electra_ie.data.task import Task

    size, number = KINDS[kind]
    task = Task.load("transaction_risk")
    memos = [document.text for split in ("test", "dev", "unlabeled") for document in task.read(split)]
    needed = [memos[place % len(memos)] for place in range(size * number * ROUNDS)]
    return ["\n\n".join(needed[start : start + size]) for start in range(0, len(needed), size)]


@contextmanager
def pinned(arguments: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a Python process on the core of the server, with one thread of torch."""
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(SERVER_CORE), sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )
    assert process.stdout
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def usage(process: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and the seconds in which its threads ran or waited for a core."""
    ran = waited = 0.0
    for thread in Path(f"/proc/{process}/task").iterdir():
        parts = (thread / "schedstat").read_text("ascii").split()
        ran, waited = ran + int(parts[0]) / 1e9, waited + int(parts[1]) / 1e9
    return ran, ran + waited


async def client(port: int, texts: Iterator[str], seconds: list[float]) -> None:
    """Send one text after the other and keep the seconds of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for text in texts:
        body = json.dumps({"text": text}).encode("utf-8")
        head = f"POST /extract HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        began = time.perf_counter()
        writer.write(head.encode("ascii") + b"Content-Type: application/json\r\n\r\n" + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert answer.startswith(b"http/1.1 200"), answer
        await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))
        seconds.append(time.perf_counter() - began)
    writer.close()


async def clients(port: int, texts: list[str]) -> list[float]:
    """Send texts by all clients at once; return the seconds of each answer."""
    left, seconds = iter(texts), list[float]()
    await asyncio.gather(*(client(port, left, seconds) for _ in range(CLIENTS)))
    return seconds


def measure(run: Path, kind: str) -> dict[str, Any]:
    """Return the seconds of each round, offline and served, and the quantiles of the time of an answer."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    texts = read_texts(kind)
    size = KINDS[kind][1]
    offline: dict[str, list[float]] = {"cpu": [], "wall": []}
    served: dict[str, list[float]] = {"cpu": [], "wall": [], "busy": []}
    answers: list[float] = []
    with (
        pinned(["-c", OFFLINE, str(run)], stdin=subprocess.PIPE) as reading,
        pinned(["-m", "electra_ie", "serve", str(run), "--port", "0", "--timeout", "600"]) as server,
    ):
        assert reading.stdin
        assert reading.stdout
        assert server.stdout
        port = int(server.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        reading.stdout.readline()
        for number in range(-1, ROUNDS):  # the first round warms up
            part = texts[max(0, number) * size :][:size]
            reading.stdin.write(json.dumps(part) + "\n")
            reading.stdin.flush()
            alone = json.loads(reading.stdout.readline())
            before, began = usage(server.pid), time.perf_counter()
            seconds = asyncio.run(clients(port, part))
            wall, after = time.perf_counter() - began, usage(server.pid)
            if number < 0:
                continue
            answers += seconds
            for name, value in zip(("cpu", "wall"), alone, strict=True):
                offline[name].append(round(value, 3))
            for name, value in zip(
                ("cpu", "busy", "wall"), (after[0] - before[0], after[1] - before[1], wall), strict=True
            ):
                served[name].append(round(value, 3))
            print(
                kind, number, {"offline": alone, "served": [served[name][-1] for name in ("cpu", "wall")]}, flush=True
            )
    quantiles = statistics.quantiles(answers, n=100)
    return {
        "texts": size,
        "rounds": ROUNDS,
        "clients": CLIENTS,
        "characters": sum(map(len, texts)),
        "offline_seconds": offline,
        "served_seconds": served,
        "answer_seconds": {"p50": round(quantiles[49], 4), "p95": round(quantiles[94], 4)},
    }


def ratio(result: dict[str, Any], clock: str) -> str:
    """Return the throughput of the server relative to offline, over all rounds, with the lowest and highest of one."""
    offline, served = result["offline_seconds"][clock], result["served_seconds"][clock]
    rounds = [alone / beside for alone, beside in zip(offline, served, strict=True)]
    return f"{sum(offline) / sum(served):.2f} ({min(rounds):.2f} to {max(rounds):.2f})"


def table() -> str:
    """Return a Markdown table with a row for each kind of texts."""
    lines = [
        "| texts | characters each | offline, texts a CPU second | served, texts a CPU second "
        "| served / offline, CPU | served / offline, wall | p50 | p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind, result in RESULTS.load().items():
        number = result["texts"] * result["rounds"]
        speeds = [number / sum(result[name]["cpu"]) for name in ("offline_seconds", "served_seconds")]
        times = [f"{1000 * result['answer_seconds'][name]:.0f} ms" for name in ("p50", "p95")]
        cells = [
            kind,
            f"{result['characters'] / number:.0f}",
            *(f"{speed:.1f}" for speed in speeds),
            ratio(result, "cpu"),
            ratio(result, "wall"),
            *times,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        import electra_ie

        with tempfile.TemporaryDirectory() as folder:
            run = arguments.run or electra_ie.train("transaction_risk", Path(folder) / "run", label_budget=60).path
            for kind in KINDS:
                RESULTS.fill(kind, partial(measure, run, kind))
    print(table())


if __name__ == "__main__":
    main()
