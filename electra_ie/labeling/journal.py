"""The journal of one annotator: a line of JSON for everything that was saved, skipped or undone, never rewritten.

It is written before the file of the task, so that a save that was interrupted is completed at the next start. It is
what undo, the agreement between annotators and the order of the session are computed from.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import parse
from electra_ie.labeling.record_files import Record, Signature, signature_of

NAME = re.compile(r"[^\W_][\w.-]{0,39}")
"""Names of annotators, which are names of files."""
SAVE, DECIDE, SKIP, UNDO = "save", "decide", "skip", "undo"
ENDING = ".jsonl"


@dataclass(frozen=True)
class Event:
    """A line of a journal.

    Attributes:
        number: The number among the events of all annotators, from 1.
        event: `save`, `decide` (a save that settles a difference between annotators), `skip` or `undo`.
        key: The key of the text.
        time: The time in UTC, as 2026-01-31T12:00:00Z.
        record: The record that the annotator has saved; None for `skip` and `undo`.
        file: The name of the file of the task.
        before, after: The record of that file before and after the event; None if the file had or has none.
    """

    number: int
    event: str
    key: str
    time: str
    file: str = ""
    record: Record | None = None
    before: Record | None = None
    after: Record | None = None


TYPES = {
    "number": int, "event": str, "key": str, "time": str, "file": str, "record": dict | None, "before": dict | None,
    "after": dict | None,
}  # fmt: skip
"""The types of the values of an event."""


class Journal:
    """The journal of an annotator in a file, read again whenever another process has added to it."""

    def __init__(self, path: Path) -> None:
        """Remember the file; nothing is read."""
        self.path, self.annotator = path, path.name.removesuffix(ENDING)
        self.events: list[Event] = []
        self._signature: Signature = None
        self._loaded = False
        self._size = 0

    def refresh(self) -> None:
        """Read the file if it has changed. A torn last line, of a process that was killed, counts for nothing.

        Raises:
            UserError: A line is not one that was written here.
        """
        signature = signature_of(self.path)
        if self._loaded and signature == self._signature:
            return
        raw = self.path.read_bytes() if signature is not None else b""
        self._size = raw.rfind(b"\n") + 1
        self.events = [
            self._event(line, number) for number, line in enumerate(raw[: self._size].splitlines(), start=1) if line
        ]
        self._signature, self._loaded = signature, True

    def _event(self, line: bytes, number: int) -> Event:
        values = {key: value for key, value in parse(line, self.path, number).items() if value is not None}
        try:
            event = Event(**values)
        except TypeError:
            message = "this line is not one of the journal of an annotator."
        else:
            wrong = [key for key, kind in TYPES.items() if not isinstance(getattr(event, key), kind)]
            if not wrong and event.event in (SAVE, DECIDE, SKIP, UNDO):
                return event
            key = wrong[0] if wrong else "event"
            message = f'"{key}" is {json.dumps(values[key])[:40]}, which the journal of an annotator does not have.'
        raise UserError(message, file=self.path, line=number, remedy="Restore the file, or move it away.")

    def append(self, event: Event) -> None:
        """Add an event; it is on the disk when this returns.

        Raises:
            OSError: The disk is full, or the file cannot be written. The journal is unchanged.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        line = json.dumps(content, ensure_ascii=False).encode("utf-8") + b"\n"
        with self.path.open("ab", buffering=0) as file:
            file.truncate(self._size)  # removes a torn line
            try:
                written = file.write(line)
                if written != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._size)
                raise
        self._size += len(line)
        self._signature = signature_of(self.path)
        self.events.append(event)

    def withdraw(self) -> None:
        """Remove the last event, whose record could not be written to the file of the task."""
        self.events.pop()
        raw = self.path.read_bytes()
        self._size = raw.rfind(b"\n", 0, self._size - 1) + 1
        os.truncate(self.path, self._size)
        self._signature = signature_of(self.path)

    def live(self) -> list[Event]:
        """Return the saves and skips that were not undone, in their order."""
        stack: list[Event] = []
        for event in self.events:
            if event.event == UNDO:
                if stack:
                    stack.pop()
            else:
                stack.append(event)
        return stack

    def saved(self) -> dict[str, Event]:
        """Return the last save of each text that was not undone, by key."""
        return {event.key: event for event in self.live() if event.event in (SAVE, DECIDE)}

    def independent(self) -> dict[str, Event]:
        """Return the last save of each text that did not settle a difference, by key: what agreement is measured on."""
        return {event.key: event for event in self.live() if event.event == SAVE}

    def skipped(self) -> list[str]:
        """Return the keys of the texts that were skipped and not saved later."""
        live = self.live()
        last = {event.key: event.event for event in live}
        return [key for key, event in last.items() if event == SKIP]


def journals_of(folder: Path) -> Iterator[Journal]:
    """Yield the journals in a folder, by name."""
    for path in sorted(folder.glob(f"*{ENDING}")):
        if NAME.fullmatch(path.name.removesuffix(ENDING)):
            yield Journal(path)


def check_annotator(name: str) -> str:
    """Return the name of an annotator. Raises UserError for one that a file cannot have."""
    if not NAME.fullmatch(name):
        raise UserError(
            f'"{name[:60]}" cannot be the name of an annotator.',
            remedy="Use letters, digits, dots and hyphens, at most 40, beginning with a letter or digit.",
        )
    return name
