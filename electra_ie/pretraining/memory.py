"""How much memory this process has held."""

from __future__ import annotations

import sys

import psutil


def peak_memory() -> int | None:
    """The most memory that this process has held, in MiB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows, where psutil knows the peak
        most = getattr(psutil.Process().memory_info(), "peak_wset", None)
        return None if most is None else most // 2**20
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (2**20 if sys.platform == "darwin" else 2**10)
