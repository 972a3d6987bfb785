"""The model that a server answers with: loaded once, in memory of its own, and compared with its files later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.export_files import EXPORT_PATTERNS
from electra_ie.common.files import CALIBRATION, MODEL_FILES
from electra_ie.common.hashing import SHOWN, of_file, of_sums
from electra_ie.common.logs import warn
from electra_ie.data.task import Task
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.exported import model_sum
from electra_ie.inference.loading import load_extractor
from electra_ie.records.grouping import RecordMaker
from electra_ie.runs.download import run_folder
from electra_ie.runs.layout import is_exported, load_task, model_names, refuse_foreign_codes

Signature = tuple[tuple[str, int, int, int], ...]
"""Name, size, time of the last change and inode of each file of a model."""


@dataclass
class ServedModel:
    """A model with its task.

    Attributes:
        name: The run as it was given: a folder, or a name on the Hub.
        folder: The folder of its files.
        extractor: The loaded model.
        task: The task.
        maker: Makes the records of its findings; None for a task without records.
        replacement: What the files are now, if it is something else: the hash of another model, "calibration" if only
            the calibration is another, "missing" if they are gone.
    """

    name: str
    folder: Path
    extractor: TextExtractor
    task: Task
    maker: RecordMaker | None = None
    replacement: str | None = None
    _signature: Signature = ()
    _calibration: str = ""

    @classmethod
    def load(cls, run: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> ServedModel:
        """Load a run or an exported model.

        Args:
            run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
            data: The folder of the lists of codes of its records, instead of that of the data it was trained from.

        Raises:
            UserError: It is neither, a file is damaged, or its files change while they are read.
        """
        folder = run_folder(run)
        before, calibration = _signature(folder), _calibration_hash(folder)
        extractor = load_extractor(folder)
        extractor.unmap()
        task = load_task(folder, data)
        if data is None:
            refuse_foreign_codes(folder, task)
        model = cls(os.fspath(run), folder, extractor, task, RecordMaker(task) if task.record else None)
        model._signature, model._calibration = _signature(folder), calibration
        if model._signature != before:
            raise UserError("the model changed while it was loaded.", file=folder, remedy="Start the server again.")
        return model

    def check_files(self) -> str | None:
        """Return what the files are now if it is not what was loaded (see `replacement`), or None.

        The model that was loaded stays in memory and answers as before. Files are hashed only if their size, time or
        inode has changed. The first check that finds a difference warns.
        """
        signature = _signature(self.folder)
        if signature == self._signature:
            return self.replacement
        found: str | None = _hash(self.folder)
        if found == self.extractor.model:
            found = None if _calibration_hash(self.folder) == self._calibration else CHANGED
        if found != self.replacement and found is not None:
            what = {MISSING: "are gone", CHANGED: "have another calibration"}.get(
                found, f"are of another model, {found}"
            )
            warn(f"{self.name}: its files {what}. The loaded model {self.extractor.model} goes on answering.")
        self._signature, self.replacement = signature, found
        return self.replacement


MISSING, CHANGED = "missing", "calibration"


def _files(folder: Path) -> Sequence[Path]:
    """Return the files of a model, exported or not, with its calibration. Some may not exist."""
    patterns = EXPORT_PATTERNS if is_exported(folder) else [f"*/{name}" for name in MODEL_FILES]
    return [folder / CALIBRATION, *sorted({file for pattern in patterns for file in folder.glob(pattern)})]


def _signature(folder: Path) -> Signature:
    found = []
    for file in _files(folder):
        try:
            status = file.stat()
        except OSError:
            continue
        name = file.relative_to(folder).as_posix()
        found.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def _calibration_hash(folder: Path) -> str:
    """Return the hash of the calibration in a folder; "" if it has none."""
    try:
        return of_file(folder / CALIBRATION)
    except OSError:
        return ""


def _hash(folder: Path) -> str:
    """Return the first digits of the hash of a model's files, as its findings have it; "missing" if there are none."""
    try:
        if is_exported(folder):
            return model_sum(folder)[:SHOWN]
        from electra_ie.runs.storage import model_files

        files = model_files(folder, model_names(load_task(folder)))
        return of_sums(files)[:SHOWN] if files else MISSING
    except (UserError, OSError):
        return MISSING
