"""Drafts: what an annotator has marked and not saved, in a file that is replaced at each change."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.labeling.annotations import Annotation
from electra_ie.labeling.record_files import write_lines

ENDING = ".drafts.json"


class Drafts:
    """The drafts of an annotator, and the text that the page has shown last.

    A file that is damaged is an error: it holds work that nothing else has. It is read again before each change, since
    another server of the annotator may have changed it.
    """

    def __init__(self, folder: Path, annotator: str) -> None:
        """Read the drafts. Raises UserError for a damaged file."""
        self.path = folder / f"{annotator}{ENDING}"
        self.by_key: dict[str, dict[str, Any]] = {}
        content = self._read()
        self.current: str = content.get("current") or ""
        self.chosen: str = content.get("chosen") or ""

    def _read(self) -> dict[str, Any]:
        content = parse(self.path.read_bytes(), self.path) if self.path.is_file() else {}
        self.by_key = content.get("drafts") or {}
        if not isinstance(self.by_key, dict) or not all(isinstance(each, dict) for each in self.by_key.values()):
            raise UserError(
                "these are not drafts of the page.", file=self.path, remedy="Restore the file, or delete it."
            )
        return content

    def get(self, key: str) -> Annotation | None:
        """Return the draft of a text, None without one."""
        return self.by_key.get(key)

    def put(self, key: str, annotation: Annotation | None) -> None:
        """Keep the draft of a text, or forget it (None). Raises OSError if it cannot be written: nothing changes."""
        self._read()
        drafts = {name: value for name, value in self.by_key.items() if name != key}
        if annotation is not None:
            drafts[key] = dict(annotation)
        if drafts != self.by_key:
            self._write(drafts)
            self.by_key = drafts

    def show(self, key: str, chosen: str) -> None:
        """Remember the text that the page shows, and how it was chosen. A disk that is full forgets it at the end."""
        if key != self.current:
            self.current, self.chosen = key, chosen
            with suppress(OSError):
                self._read()
                self._write(self.by_key)

    def _write(self, drafts: dict[str, dict[str, Any]]) -> None:
        content = {"current": self.current, "chosen": self.chosen, "drafts": drafts}
        write_lines(self.path, [json.dumps(content) + "\n"])
