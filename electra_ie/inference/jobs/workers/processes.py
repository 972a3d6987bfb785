"""Extraction of chunks in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.jobs.chunks import Chunk
from electra_ie.inference.jobs.workers.in_order import (
    AHEAD,
    Records,
    Report,
    Results,
    extract_in_order,
    identity_of,
    records_of,
)
from electra_ie.inference.loading import load_extractor

ORPHANED = 70
"""The exit code of a process whose parent has ended."""


def extract_in_processes(
    run: Path, loaded: TextExtractor, number: int, chunks: Iterator[Chunk], report: Report
) -> Results:
    """Yield each chunk with its records, in the order of the input, from several processes that each load the run.

    If the caller ends before the last chunk, for example by Ctrl-C, the processes do not finish theirs.

    loaded: the extractor that the caller has loaded; those of the processes must be the same.

    Raises:
        UserError: A process ended, for example because the memory is full, or has loaded another model.
    """
    threads = max(1, (os.cpu_count() or 1) // number)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    pool = ProcessPoolExecutor(number, context, _load, (str(run), identity_of(loaded), threads))
    started: dict[int, multiprocessing.Process] = {}

    def submit(documents: list[Document]) -> Future[Records]:
        future = pool.submit(_records_of, documents)
        started.update(pool._processes)  # the pool starts them one by one, and forgets them when one has ended
        return future

    try:
        yield from extract_in_order(chunks, submit, number + AHEAD, report)
    except BrokenProcessPool:
        pool.shutdown()
        raise _ended(number, {process.exitcode for process in started.values()}) from None
    except BaseException:
        for process in started.values():
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)  # the pool may wait for the rest of a result
        for process in started.values():
            process.join()
        raise
    pool.shutdown()


def _ended(number: int, codes: set[int | None]) -> UserError:
    """Return the error for a process that has ended. codes: the exit codes of all: the pool terminates the others."""
    code = next((code for code in codes if code not in (None, 0, -signal.SIGTERM)), -signal.SIGTERM)
    message = f"one of {number} processes ended before its time (exit code {code})."
    if code == 1:  # an exception while it was started
        remedy = 'Its error is above. A script calls extract under `if __name__ == "__main__":`, since they import it.'
    else:
        remedy = "If the memory is full, give fewer --processes. The same command goes on where this one ended."
    return UserError(message, remedy=remedy)


_extractor: TextExtractor | Exception | None = None
"""The extractor of a process that `extract_in_processes` started, or why it could not be loaded."""


def _load(run: str, identity: str, threads: int) -> None:
    """Load the extractor of a process, which ends when its parent does, even if that is killed."""
    global _extractor  # noqa: PLW0603 - an initializer has no other way to leave something for the calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C the parent takes care
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before the library that reads it is imported
    try:
        _extractor = load_extractor(Path(run))
        if (own := identity_of(_extractor)) != identity:
            message = f"the model has changed since the job began ({own}; before: {identity})."
            raise UserError(message, file=run, remedy="Give the same command again, with --overwrite.")
    except Exception as error:  # noqa: BLE001 - raised in an initializer, it would be lost with the process
        _extractor = error


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(ORPHANED)


def _records_of(documents: list[Document]) -> Records:
    if isinstance(_extractor, Exception):
        raise _extractor
    assert _extractor is not None
    return records_of(_extractor, documents)
