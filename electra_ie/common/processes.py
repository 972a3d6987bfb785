"""The role of this process among the processes of one training."""

from __future__ import annotations

import os


def is_main_process() -> bool:
    """Return whether this is the main process, the only one that logs and writes files.

    The launchers of torch and Accelerate set `RANK` in every process; without a launcher there is one process.
    """
    return os.environ.get("RANK", "0") == "0"
