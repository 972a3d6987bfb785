"""Results in the order of the input, of chunks that workers finish in any order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

from electra_ie.data.document import Document
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.jobs.chunks import Chunk

Records = list[dict[str, Any]]
Report = Callable[[Chunk, int], None]
"""Called with a chunk and the characters of it that are extracted so far."""
Results = Generator[tuple[Chunk, Records], None, None]
AHEAD = 2
"""The chunks that wait, besides those that workers have, so that no worker waits for a chunk."""


class Pending(Protocol):
    """The records of a chunk that a worker has, as a `concurrent.futures.Future` holds them."""

    def result(self) -> Records:
        """Wait for the records."""


def records_of(extractor: TextExtractor, documents: list[Document]) -> Records:
    """Return the records of the documents of a chunk."""
    return [result.record() for result in extractor.read(documents)]


def identity_of(extractor: TextExtractor) -> str:
    """Return the hashes of a model and of its calibration, by which all workers of a job must agree."""
    calibration = extractor.calibration
    return f"{extractor.model}, {calibration.digest(decisions=True) if calibration else 'not calibrated'}"


def extract_in_order(
    chunks: Iterator[Chunk], submit: Callable[[list[Document]], Pending], most: int, report: Report
) -> Results:
    """Yield each chunk with its records, in the order of the input.

    Args:
        chunks: The chunks, which are read as they are needed.
        submit: Gives the documents of a chunk to a worker.
        most: The chunks that are in memory at a time.
        report: Called for each chunk whose records are there.
    """
    waiting: deque[tuple[Chunk, Pending]] = deque()
    for chunk in chunks:
        waiting.append((chunk, submit(chunk.documents)))
        if len(waiting) >= most:
            yield _first(waiting, report)
    while waiting:
        yield _first(waiting, report)


def _first(waiting: deque[tuple[Chunk, Pending]], report: Report) -> tuple[Chunk, Records]:
    chunk, pending = waiting.popleft()
    records = pending.result()
    report(chunk, chunk.characters)
    return chunk, records
