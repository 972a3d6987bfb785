"""Peak memory of this process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")


def peak_memory() -> int | None:
    """Return the peak memory of this process in MiB, or None if the system does not report it."""
    if STATUS.is_file():  # Linux, where the peak of getrusage begins with that of the process that started this one
        peak_kib = re.search(r"^VmHWM:\s*(\d+) kB", STATUS.read_text("utf-8"), re.MULTILINE)
        if peak_kib:
            return int(peak_kib[1]) // 2**10
    try:
        import resource
    except ImportError:  # Windows, where psutil reports the peak
        peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
        return None if peak is None else peak // 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB on Linux
