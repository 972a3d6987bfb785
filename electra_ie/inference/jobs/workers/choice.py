"""The choice of what extracts the chunks of a job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from electra_ie.common.errors import UserError, nearest
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.jobs.chunks import Chunk
from electra_ie.inference.jobs.workers.in_order import Report, Results
from electra_ie.inference.jobs.workers.on_ray import extract_on_ray
from electra_ie.inference.jobs.workers.processes import extract_in_processes

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Workers:
    """What extracts the chunks of a job. The output does not depend on it.

    Attributes:
        engine: `local`, this machine, or `ray`.
        processes: The processes of this machine.
        number: The workers of Ray, or None for one on each machine, or on each GPU.

    Raises:
        UserError: The values do not fit each other, or Ray is not installed.
    """

    engine: str = "local"
    processes: int = 1
    number: int | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UserError(f'there is no engine "{self.engine}".', remedy=nearest(self.engine, ENGINES))
        if self.engine == "local" and self.number is not None:
            raise UserError("--workers needs --engine ray.", remedy="For several processes here, give --processes.")
        if self.processes < 1:
            raise UserError(f"--processes is {self.processes}, but at least 1 process extracts.")
        if self.engine == "local":
            return
        if self.processes != 1:
            raise UserError("--engine ray does not go with --processes.", remedy="Give --workers.")
        if self.number is not None and self.number < 1:
            raise UserError(f"--workers is {self.number}, but at least 1 worker extracts.")
        if find_spec("ray") is None:
            raise UserError("--engine ray needs Ray, which is not installed.", remedy="pip install 'electra_ie[ray]'")

    def extract(self, run: Path, extractor: TextExtractor, chunks: Iterator[Chunk], report: Report) -> Results:
        """Yield each chunk with its records, in the order of the input.

        Args:
            run: The folder of the run.
            extractor: Its extractor in this process.
            chunks: The chunks.
            report: Called with a chunk and the characters of it that are extracted so far.
        """
        if self.engine == "ray":
            return extract_on_ray(run, extractor, self.number, chunks, report)
        if self.processes > 1:
            return extract_in_processes(run, extractor, self.processes, chunks, report)
        return _extract_here(extractor, chunks, report)


def _extract_here(extractor: TextExtractor, chunks: Iterator[Chunk], report: Report) -> Results:
    for chunk in chunks:
        records, characters = [], 0
        for result in extractor.read(chunk.documents):
            records.append(result.record())
            characters += len(result.document.text)
            report(chunk, characters)
        yield chunk, records
