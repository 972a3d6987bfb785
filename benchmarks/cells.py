"""What a benchmark has measured so far, in a JSON file: nothing is measured twice, several processes may fill it."""

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

    def __init__(self, name: str):
        self.file = RESULTS / f"{name}.json"

    def load(self) -> dict[str, Any]:
        return json.loads(self.file.read_text("utf-8")) if self.file.is_file() else {}

    def fill(self, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What stands at the key; where nothing does, measure it, note when and on what, and save it."""
        if key not in self.load():
            print(f"-- {key}", flush=True)
            found = {**measure(), **circumstances()}
            # Read again: another process may have filled other cells meanwhile.
            known = self.load() | {key: found}
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        return self.load()[key]

    def matching(self, begin: str) -> dict[str, Any]:
        """The measurements whose keys begin so, by the rest of the key."""
        return {key[len(begin) :]: each for key, each in sorted(self.load().items()) if key.startswith(begin)}


def circumstances() -> dict[str, str]:
    import torch
    import transformers

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    return {
        "date": date.today().isoformat(),
        "machine": f"{_processor()}, {device}",
        "versions": f"torch {torch.__version__}, transformers {transformers.__version__}",
    }


def _processor() -> str:
    """Its name, where Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {names[0]}" if names else platform.machine()


def spread(scores: Iterable[float]) -> str:
    """Mean and standard deviation: `62.9 ± 0.5`."""
    found = list(scores)
    if not found:
        return "-"
    deviation = f" ± {statistics.stdev(found):.1f}" if len(found) > 1 else ""
    return f"{statistics.mean(found):.1f}{deviation}"
