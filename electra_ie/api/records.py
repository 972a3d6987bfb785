"""Records of the findings of a run, for the functions that write them: `extract` and `resolve`."""

from __future__ import annotations

import os
from pathlib import Path

from electra_ie.common.logs import notice
from electra_ie.data.task import Task
from electra_ie.records.grouping import RecordMaker
from electra_ie.records.writing import write_records


def record_maker(run: Path, task: Task, data: str | os.PathLike[str] | None) -> RecordMaker:
    """Return what makes the records of a run. data: the folder of its lists of codes, by default that of the task."""
    from electra_ie.runs.layout import load_task, refuse_foreign_codes

    if data is not None:
        return RecordMaker(load_task(run, data))
    refuse_foreign_codes(run, task)
    return RecordMaker(task)


def make_records(maker: RecordMaker, findings: Path, target: Path, *, queued: bool) -> None:
    """Write the records of a file of findings, and log their number and what is in none of them.

    queued: whether findings wait in a queue for review.
    """
    made = write_records(maker, findings, target, queued=queued)
    outside = f"; {made.outside:,} findings of their fields are in no record" if made.outside else ""
    waiting = f"; {made.waiting:,} findings wait for review and are in no record" if made.waiting else ""
    notice(f"{made.records:,} records{outside}{waiting} -> {os.fspath(target)}")
