"""Extraction of chunks in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.jobs.chunks import Chunk
from electra_ie.inference.jobs.workers.in_order import AHEAD, Records, Report, Results, extract_in_order, records_of
from electra_ie.inference.loading import load_extractor


def extract_in_processes(run: Path, number: int, chunks: Iterator[Chunk], report: Report) -> Results:
    """Yield each chunk with its records, in the order of the input, from several processes that each load the run.

    Raises:
        UserError: A process ended, for example because the memory is full.
    """
    threads = max(1, (os.cpu_count() or 1) // number)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    pool = ProcessPoolExecutor(number, context, _load, (str(run), threads))
    try:
        yield from extract_in_order(chunks, lambda each: pool.submit(_records_of, each), number + AHEAD, report)
    except BrokenProcessPool:
        message = f"one of {number} processes ended before its time."
        remedy = "If the memory is full, give fewer --processes. The same command goes on where this one ended."
        raise UserError(message, remedy=remedy) from None
    finally:
        pool.shutdown(cancel_futures=True)


_extractor: TextExtractor | Exception | None = None
"""The extractor of a process that `extract_in_processes` started, or why it could not be loaded."""


def _load(run: str, threads: int) -> None:
    """Load the extractor of a process, which ends when its parent does, even if that is killed."""
    global _extractor  # noqa: PLW0603 - an initializer has no other way to leave something for the calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C the parent takes care
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before the library that reads it is imported
    try:
        _extractor = load_extractor(Path(run))
    except Exception as error:  # noqa: BLE001 - raised in an initializer, it would be lost with the process
        _extractor = error


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _records_of(documents: list[Document]) -> Records:
    if isinstance(_extractor, Exception):
        raise _extractor
    assert _extractor is not None
    return records_of(_extractor, documents)
