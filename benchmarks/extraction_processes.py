"""Wall and CPU time of one extraction by one process with one or all threads, and by several processes.

    python benchmarks/extraction_processes.py --megabytes 2

The model has the size of the default encoder (`--layers` of it) and random weights. Each row is one command, whose
start and loading are included, with the CPU time of all its processes. On a machine that does other work, only the CPU
time means something. Outputs are compared: they must be the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from extraction_memory import MB, RESULTS, save_run, write_records

CORES = os.cpu_count() or 1
ROWS = {"1 process, 1 thread": (1, 1), f"1 process, {CORES} threads": (1, CORES), f"{CORES} processes": (CORES, 1)}


def measure(run: Path, source: Path, output: Path, processes: int, threads: int) -> dict[str, float]:
    """Return the wall and CPU seconds of a command."""
    command = [sys.executable, "-m", "electra_ie", "extract", str(run), str(source), "-o", str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, "--processes", str(processes)], check=True, env=environment, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"wall_seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--layers", type=int, default=6)
    arguments = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = save_run(folder, arguments.layers, 384)
        source = write_records(folder, round(MB * arguments.megabytes))
        written = set()
        for name, (processes, threads) in ROWS.items():
            output = folder / f"{len(rows)}.jsonl"
            rows[name] = {**measure(run, source, output, processes, threads), "load": round(os.getloadavg()[0], 1)}
            written.add(output.read_bytes())
            print(f"| {name} | {rows[name]['wall_seconds']} | {rows[name]['cpu_seconds']} |", flush=True)
    same = len(written) == 1
    print("the outputs are the same bytes" if same else f"{len(written)} different outputs")
    result = {"megabytes": arguments.megabytes, "layers": arguments.layers, "cores": CORES, "same": same, "rows": rows}
    (RESULTS / "extraction_processes.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
