"""A job: documents are read, extracted and written, and what is written is never lost or repeated.

The findings of an output file are collected in a hidden folder beside it, with a manifest that is written every few
seconds. When all inputs are read, the files are moved to their places. A job that is killed at any moment goes on where
its manifest says: the inputs are read again up to there, which costs little, and compared by their hash.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import UserError
from electra_ie.common.files import locked
from electra_ie.common.hashing import of_file, of_path, package_version
from electra_ie.common.logs import notice
from electra_ie.common.progress import document_progress
from electra_ie.data.document import Document
from electra_ie.data.fields import RELATIONS
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.html_report import Page
from electra_ie.inference.jobs.chunks import Chunk, read_chunks
from electra_ie.inference.jobs.counts import KEPT, Extraction, as_record, from_record
from electra_ie.inference.jobs.filters import Filters
from electra_ie.inference.jobs.inputs import Inbox
from electra_ie.inference.jobs.journal import ERRORS, FINDINGS, MANIFEST, QUEUE, TEXTS, Journal, writing
from electra_ie.inference.jobs.kinds import is_converted
from electra_ie.inference.jobs.manifest import OVERWRITE, Manifest
from electra_ie.inference.jobs.own_files import errors_file, job_folder, manifest_file, refuse_foreign, texts_file
from electra_ie.inference.jobs.workers.choice import Workers
from electra_ie.inference.jobs.workers.in_order import Records
from electra_ie.inference.jobs.writers import Columns, csv_lines, header, json_line, write_csv, write_parquet
from electra_ie.inference.loading import load_extractor
from electra_ie.inference.review.queue import Queue
from electra_ie.records.grouping import RecordMaker
from electra_ie.records.writing import as_dict

Add = Callable[[Mapping[str, Any], Document], None]
"""Adds a record and its document to the HTML page."""
COMMIT_SECONDS = 5.0
"""The time after which what is written is committed: what a killed job may have to do again."""
SPACE = "Free some space, or change its permissions, and give the same command again."
MADE = {"csv": write_csv, "parquet": write_parquet}
"""The formats that are made of the JSON lines at the end."""


@dataclass(frozen=True)
class Job:
    """What is extracted, and how.

    Attributes:
        run: The folder of the run.
        inbox: The inputs.
        format: A format of `writers.FORMATS`.
        filters: The findings to write.
        html: The HTML page, or None.
        title: Its title.
        strict: The first input that cannot be read is an error.
        overwrite: Start over, whatever there is.
        workers: What extracts.
        keys: How records and tables are read, as far as that is given: keys of text and id, options, prefix of ids.
        records: Makes the records that the HTML page shows; None for a page without records.
        queue: Where the findings for review go; None to write all findings.
    """

    run: Path
    inbox: Inbox
    format: str = "jsonl"
    filters: Filters = Filters()
    html: Path | None = None
    title: str = ""
    strict: bool = False
    overwrite: bool = False
    workers: Workers = Workers()
    keys: Mapping[str, Any] = field(default_factory=dict)
    records: RecordMaker | None = None
    queue: Queue | None = None

    def load(self) -> TextExtractor:
        """Load the extractor. Raises UserError for a filter that does not fit it."""
        extractor = load_extractor(self.run)
        self.filters.check(extractor.all_fields)
        relations = [field.name for field in extractor.all_fields if field.kind == RELATIONS]
        if self.format == "csv" and relations:
            names = ", ".join(relations)
            remedy = "Write jsonl or parquet: --format jsonl."
            raise UserError(f"CSV has no columns for relations ({names}).", remedy=remedy)
        if self.queue and not (extractor.calibration and extractor.calibration.promises):
            exported = isinstance(extractor, ExportedExtractor)
            goal = "no goal came with this exported model" if exported else "no goal is set for this run"
            rest = ", and records have none" if self.records else ""
            notice(f"{goal} (electra-ie calibrate RUN), so that all findings are for review{rest}.")
        return extractor

    def options(self, calibration: Calibration | None) -> dict[str, Any]:
        """Return what decides the content of the outputs besides model and inputs."""
        own = {"format": self.format, "labels": list(self.filters.labels), "min_score": self.filters.min_score}
        return {
            **own,
            **self.keys,
            "html": [str(self.html), self.title] if self.html else None,
            "records_of_html": self.records.digest if self.html and self.records else None,
            "review": [str(self.queue.path), self.queue.format] if self.queue else None,
            "calibration": calibration.digest(decisions=self.queue is not None) if calibration else None,
        }

    @contextmanager
    def page(self, extractor: TextExtractor) -> Iterator[Add]:
        """Open the HTML page, and yield a function that adds a document to it."""
        if self.html is None:
            yield lambda record, document: None
            return
        html, kinds = self.html, {each.name: each.kind for each in extractor.all_fields}
        with Page(html, self.title, kinds) as page:

            def add(record: Mapping[str, Any], document: Document) -> None:
                with writing(html, SPACE):
                    made = [as_dict(each) for each in self.records.of_findings(record)] if self.records else []
                    page.add({**record, "file": self.inbox.shown(record["file"])}, document.text, made)

            yield add

    def extracted(
        self, extractor: TextExtractor, chunks: Iterator[Chunk], counts: Extraction
    ) -> Generator[tuple[Chunk, Records, list[str]], None, None]:
        """Yield each chunk with its filtered records and lines of the queue, count them, and show the progress."""
        total = self.inbox.fingerprint().bytes
        documents, written, position = counts["documents"], counts["characters"], 0.0  # of the chunks before

        with document_progress("extracting", documents, written) as show:

            def report(chunk: Chunk, characters: int) -> None:
                part = characters / max(chunk.characters, 1)
                share = (position + part * (chunk.position - position)) / total if total else None
                show(documents + round(part * len(chunk.documents)), written + characters, share)

            with closing(self.workers.extract(self.run, extractor, chunks, report)) as results:
                for chunk, records in results:
                    counts.add(chunk, records, self.filters)
                    queued = counts.decide(chunk, records, self.queue, extractor.calibration) if self.queue else []
                    documents, written, position = counts["documents"], counts["characters"], chunk.position
                    yield chunk, records, queued


def extract_to_stream(job: Job, stream: TextIO) -> Extraction:
    """Write findings to an open text file. Nothing is kept besides: what cannot be read is logged.

    Raises:
        UserError: Nothing can be read, or with `strict` something; what was written before stays.
    """
    if job.format == "parquet":
        raise UserError("Parquet is not written to standard output or a pipe.", remedy="Give a file with --output.")
    if any(is_converted(file.name) for file in job.inbox.files):
        message = "the text that is made of HTML and PDF files is kept beside the findings."
        raise UserError(message, remedy="Give a file for the findings with --output.")
    extractor, counts = job.load(), Extraction()
    columns = Columns.of(extractor.all_fields)
    extracted = job.extracted(extractor, read_chunks(job.inbox, job.strict), counts)
    with job.page(extractor) as add_to_page, closing(extracted):
        if job.format == "csv":
            stream.write(header(columns))
        for chunk, records, _ in extracted:
            for record, document in zip(records, chunk.documents, strict=True):
                stream.write(csv_lines(record, columns) if job.format == "csv" else json_line(record))
                add_to_page(record, document)
        counts.refuse_nothing()
    counts.report()
    return counts


def extract_to_file(job: Job, output: Path) -> Extraction:
    """Write findings to a file, going on where an unfinished job with the same command ended.

    Raises:
        UserError: Nothing can be read, or with `strict` something; or the job of this output has another model, other
            options or other inputs; or something cannot be written. An earlier output is as it was.
    """
    folder = job_folder(output)
    try:
        with writing(output, SPACE), locked(folder):
            return _extract_locked(job, output, folder)
    finally:
        with suppress(OSError):  # if it is not empty, the job can go on
            folder.rmdir()


def _extract_locked(job: Job, output: Path, folder: Path) -> Extraction:
    if job.overwrite:
        _discard_damaged(folder)
    _move(folder, output)
    if not (folder / MANIFEST).exists():
        _empty(folder)  # of a job that was killed before its first commit, or after its last file was moved
    extractor = job.load()
    options = job.options(extractor.calibration)
    now = Manifest(package_version(), extractor.model, options, asdict(job.inbox.fingerprint()))
    begun = None if job.overwrite else Manifest.read(folder / MANIFEST)
    before = begun or (Manifest.read(manifest_file(output)) if output.exists() and not job.overwrite else None)
    if before is not None:
        before.check_same(now, output)
        if before.finished and not before.inputs["standard_input"] and _is_there(before, output):
            notice(f"{output}: written already, from the same inputs by the same model. --overwrite writes it again.")
            return _counts_of(before, output)
    if begun is None:
        if before is None and not job.overwrite:
            refuse_foreign(output)
        if job.queue:
            job.queue.refuse_existing(_earlier_queue(job.queue, output))
        _empty(folder)  # its manifest would describe files that this job writes
    try:
        return _run(job, extractor, begun or now, output, folder)
    except BaseException:
        if (folder / MANIFEST).exists():
            without = " without --overwrite" if job.overwrite else ""
            notice(f"{folder}: keeps what was extracted so far. The same command{without} goes on from there.")
        else:
            _empty(folder)
        raise


def _discard_damaged(folder: Path) -> None:
    """Delete the files of an unfinished job whose manifest cannot be read."""
    try:
        Manifest.read(folder / MANIFEST)
    except UserError:
        _empty(folder)


def _earlier_queue(queue: Queue, output: Path) -> Mapping[str, Any] | None:
    """Return size and hash of the queue that the last finished job of an output wrote in this place, if it did."""
    try:
        earlier = Manifest.read(manifest_file(output))
    except UserError:  # of another version, whose outputs are not known
        earlier = None
    return earlier.outputs.get(os.path.relpath(queue.path, output.parent)) if earlier else None


def _is_there(manifest: Manifest, output: Path) -> bool:
    """Return whether all files of a finished job are there. Raises UserError if one was changed."""
    for name, written in manifest.outputs.items():
        file = output.parent / name
        if file.exists() and (_size(file) != written["bytes"] or of_path(file) != written["sha256"]):
            raise UserError("this output was changed after extract wrote it.", file=file, remedy=OVERWRITE)
    return all((output.parent / name).exists() for name in manifest.outputs)


def _counts_of(manifest: Manifest, output: Path) -> Extraction:
    counts = Extraction()
    counts.set(manifest.counts)
    with suppress(FileNotFoundError), errors_file(output).open(encoding="utf-8") as lines:
        counts.faults = [from_record(json.loads(line)) for line in islice(lines, KEPT)]
    counts.report()
    return counts


def _run(job: Job, extractor: TextExtractor, manifest: Manifest, output: Path, folder: Path) -> Extraction:
    """Read and extract what the manifest does not have yet, and write the outputs."""
    counts, chunks = Extraction(), read_chunks(job.inbox, job.strict)
    journal, extracted = Journal(folder, manifest.sizes), job.extracted(extractor, chunks, counts)
    with job.page(extractor) as add_to_page, closing(extracted):
        journal.check()
        _replay(chunks, manifest, counts, folder, add_to_page if job.html else None)
        counts.set(manifest.counts)
        with journal:
            _extract_rest(extracted, manifest, counts, journal, folder, add_to_page)
    _finish(job, manifest, output, folder, Columns.of(extractor.all_fields))
    counts.report()
    return counts


def _extract_rest(
    extracted: Iterator[tuple[Chunk, Records, list[str]]],
    manifest: Manifest,
    counts: Extraction,
    journal: Journal,
    folder: Path,
    add_to_page: Add,
) -> None:
    """Extract the chunks that the manifest does not have yet, and commit them."""
    committed = time.monotonic()
    for chunk, records, queued in extracted:
        _append(journal, chunk, records)
        journal.append(QUEUE, "".join(queued))
        for record, document in zip(records, chunk.documents, strict=True):
            add_to_page(record, document)
        manifest.chunks += 1
        manifest.digest = chunk.chained(manifest.digest)
        manifest.counts = counts.all()
        if time.monotonic() - committed >= COMMIT_SECONDS:
            _commit(manifest, journal, folder)
            committed = time.monotonic()
    counts.refuse_nothing()
    _commit(manifest, journal, folder)


def _replay(
    chunks: Iterator[Chunk],
    manifest: Manifest,
    counts: Extraction,
    folder: Path,
    add_to_page: Add | None,
) -> None:
    """Read the inputs up to where the manifest is, without extracting; add what was found to the HTML page.

    Raises:
        UserError: The content is not the same as before.
    """
    digest, read = "", 0
    with (folder / FINDINGS).open("rb") if manifest.chunks else nullcontext(()) as found:
        lines = iter(found)
        for chunk in islice(chunks, manifest.chunks):
            digest = chunk.chained(digest)
            read += 1
            counts.keep(chunk.faults)
            for document in chunk.documents if add_to_page else ():
                add_to_page(json.loads(next(lines)), document)  # type: ignore[misc]
    if (read, digest) != (manifest.chunks, manifest.digest):
        message = "the content of the inputs is not what it was when this job began."
        raise UserError(message, file=folder, remedy="Restore them, or give --overwrite to start over.")
    if read:
        notice(f"{folder}: going on after {manifest.counts['documents']:,} documents.")


def _append(journal: Journal, chunk: Chunk, records: Records) -> None:
    journal.append(FINDINGS, "".join(map(json_line, records)))
    journal.append(ERRORS, "".join(json_line(as_record(fault)) for fault in chunk.faults))
    for document in chunk.documents:
        if is_converted(document.file):
            source = {"id": document.id, "file": document.file, "sha256": of_file(Path(document.file))}
            journal.append(TEXTS, json_line({**source, "text": document.text}))


def _commit(manifest: Manifest, journal: Journal, folder: Path) -> None:
    manifest.sizes = journal.synced()
    manifest.write(folder / MANIFEST)


def _product(format: str) -> str:
    """Return the name of the findings in the folder of a job."""
    return FINDINGS if format not in MADE else f"findings.{format}"


def _targets(manifest: Manifest, output: Path) -> dict[str, Path]:
    """Return the place of each file of the folder of a job."""
    named = {_product(manifest.options["format"]): output}
    return {**named, ERRORS: errors_file(output), TEXTS: texts_file(output)}


def _finish(job: Job, manifest: Manifest, output: Path, folder: Path, columns: Columns) -> None:
    """Write the findings in their format, and move all files to their places."""
    if job.format in MADE:
        MADE[job.format](folder / FINDINGS, folder / _product(job.format), columns)
    files = {folder / name: target.name for name, target in _targets(manifest, output).items()}
    written = {name: file for file, name in files.items() if name == output.name or file.stat().st_size}
    if job.html:
        written[os.path.relpath(job.html, output.parent)] = job.html
    if job.queue:
        job.queue.write(folder / QUEUE, _earlier_queue(job.queue, output))
        written[os.path.relpath(job.queue.path, output.parent)] = job.queue.path
    manifest.outputs = {name: {"bytes": _size(file), "sha256": of_path(file)} for name, file in written.items()}
    manifest.finished, manifest.sizes = True, {}
    manifest.write(folder / MANIFEST)
    _move(folder, output)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder, which a queue for brat is."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _move(folder: Path, output: Path) -> None:
    """Move the files of a finished job to their places. It may have been killed while it did so."""
    manifest = folder / MANIFEST
    finished = Manifest.read(manifest)
    if finished is None or not finished.finished:
        return
    for name, target in _targets(finished, output).items():
        source = folder / name
        if source.exists() and (target.name in finished.outputs):
            os.replace(source, target)
        elif target.name not in finished.outputs:  # that of an earlier job
            target.unlink(missing_ok=True)
    os.replace(manifest, manifest_file(output))
    _empty(folder)


def _empty(folder: Path) -> None:
    """Delete the files of a job, but not its lock."""
    for file in folder.iterdir():
        if file.name != ".lock":
            shutil.rmtree(file) if file.is_dir() else file.unlink()
