"""Measurements of a benchmark in a JSON file: no cell is measured twice, and several processes may fill the file."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


class Cells:
    """Measurements by key, in results/<name>.json."""

    def __init__(self, name: str) -> None:
        self.file = RESULTS / f"{name}.json"

    def load(self) -> dict[str, Any]:
        return json.loads(self.file.read_text("utf-8")) if self.file.is_file() else {}

    def fill(self, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the measurement of a key; if there is none, measure, add date, machine and versions, and save it."""
        if key not in self.load():
            print(f"-- {key}", flush=True)
            result = {**measure(), **environment()}
            # Read the file again: another process may have filled other cells meanwhile.
            results = self.load() | {key: result}
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
        return self.load()[key]

    def matching(self, prefix: str) -> dict[str, Any]:
        """Return the measurements whose keys begin with a prefix, by the rest of the key."""
        return {key[len(prefix) :]: result for key, result in sorted(self.load().items()) if key.startswith(prefix)}


def environment() -> dict[str, str]:
    """Return date, machine and versions of a measurement."""
    import torch
    import transformers

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    return {
        "date": date.today().isoformat(),
        "machine": f"{processor()}, {device}",
        "versions": f"torch {torch.__version__}, transformers {transformers.__version__}",
    }


def processor() -> str:
    """Return architecture and, on Linux, name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {names[0]}" if names else platform.machine()


def spread(scores: Iterable[float]) -> str:
    """Return mean and sample standard deviation, such as `62.9 ± 0.5`; `-` without scores."""
    values = list(scores)
    if not values:
        return "-"
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"
