"""Drafts: what an annotator has marked and not saved, in a file that is replaced at each change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.labeling.annotations import Annotation
from electra_ie.labeling.record_files import acquired, lock_of, write_lines

ENDING = ".drafts.json"


class Drafts:
    """The drafts of an annotator, and the text that the page has shown last.

    A file that is damaged is an error: it holds work that nothing else has. Another server of the annotator may change
    it, so it is read again each time, and locked from there until it is written.
    """

    def __init__(self, folder: Path, annotator: str) -> None:
        """Read the drafts. Raises UserError for a damaged file."""
        self.path = folder / f"{annotator}{ENDING}"
        self._lock = lock_of(folder / f".{annotator}.drafts.lock")
        self.by_key: dict[str, dict[str, Any]] = {}
        self.current, self.chosen = self._read()

    def _read(self) -> tuple[str, str]:
        """Read the file. Return the text that was shown last, and how it was chosen: "" if it says neither."""
        content = parse(self.path.read_bytes(), self.path) if self.path.is_file() else {}
        shown = []
        for key in ("current", "chosen"):
            shown.append(content.get(key) or "")
            if not isinstance(shown[-1], str):
                raise self._fault(f'"{key}" is {json.dumps(shown[-1])[:40]}, not a text.')
        drafts = {} if content.get("drafts") is None else content["drafts"]
        if not isinstance(drafts, dict):
            raise self._fault(f'"drafts" is {json.dumps(drafts)[:40]}, not an object.')
        for key, draft in drafts.items():
            if not isinstance(draft, dict):
                raise self._fault(f'the draft of the text "{key}" is {json.dumps(draft)[:40]}, not an object.')
        self.by_key = drafts
        return shown[0], shown[1]

    def _fault(self, message: str) -> UserError:
        return UserError(message, file=self.path, line=1, remedy="Restore the file, or delete it.")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other processes from changing the file, and read it."""
        with acquired(self._lock, self.path):
            self._read()
            yield

    def get(self, key: str) -> Annotation | None:
        """Return the draft of a text, None without one. Raises UserError for a damaged file."""
        self._read()
        return self.by_key.get(key)

    def put(self, key: str, annotation: Annotation | None) -> None:
        """Keep the draft of a text, or forget it (None).

        Raises:
            OSError: The file cannot be written: nothing changes.
            UserError: It is damaged, or another process keeps it locked.
        """
        with self._changing():
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
            with suppress(OSError, UserError), self._changing():
                self._write(self.by_key)

    def _write(self, drafts: dict[str, dict[str, Any]]) -> None:
        content = {"current": self.current, "chosen": self.chosen, "drafts": drafts}
        write_lines(self.path, [json.dumps(content) + "\n"])
