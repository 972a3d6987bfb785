"""The counts of an extraction, and the inputs that could not be read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from electra_ie.calibration.decisions import DROPPED
from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import MAX_SHOWN, UserError
from electra_ie.common.logs import notice
from electra_ie.common.text_files import escape_undecodable
from electra_ie.data.declaration.record_plan import TO_REVIEW
from electra_ie.inference.jobs.chunks import Chunk
from electra_ie.inference.jobs.filters import Filters
from electra_ie.inference.review.queue import Queue, place, queue_line

LISTED = 100
"""The number of unreadable inputs that are named one by one. Of the others only the number is printed."""
KEPT = 1000
"""The number of unreadable inputs that are kept in memory."""


class Extraction(dict[str, int]):
    """The counts of an extraction: `documents`, `characters`, `windows` and `findings`.

    Attributes:
        faults: A UserError for each file, record or rest of a table that could not be read and was left out; the first
            1,000 of them.
        failed: The number of all.
        left_out: The number of findings that did not pass the filters.
        to_review: The number of findings that are left for review; `findings` are then those that are accepted. A
            relation of which a span is left for review, and none dropped, counts as one; the queue has its spans only.
        dropped: The number of findings that are neither accepted nor left for review.
        relations: The number of the findings that are relations, which have a list of their own in the output.
    """

    def __init__(self) -> None:
        """Set all counts to 0."""
        super().__init__(dict.fromkeys(("documents", "characters", "windows", "findings"), 0))
        self.faults: list[UserError] = []
        self.failed = self.left_out = self.to_review = self.dropped = self.relations = 0

    def all(self) -> dict[str, int]:
        """Return all counts, as a manifest has them."""
        decided = {"to_review": self.to_review, "dropped": self.dropped}
        decided |= {"relations": self.relations} if self.relations else {}
        return {**self, "left_out": self.left_out, "errors": self.failed, **decided}

    def set(self, counts: Mapping[str, int]) -> None:
        """Set the counts to those of a manifest."""
        self.update({name: counts[name] for name in self})
        self.left_out, self.failed = counts["left_out"], counts["errors"]
        self.to_review, self.dropped = counts.get("to_review", 0), counts.get("dropped", 0)
        self.relations = counts.get("relations", 0)

    def keep(self, faults: Sequence[UserError]) -> None:
        """Keep inputs that could not be read, without counting them."""
        self.faults += faults[: KEPT - len(self.faults)]

    def add(self, chunk: Chunk, records: Sequence[dict[str, Any]], filters: Filters) -> None:
        """Count a chunk, and remove the findings that do not pass the filters from its records."""
        for record in records:
            found = record["findings"]
            record["findings"] = filters.kept(found)
            self.left_out += len(found) - len(record["findings"])
            if "relations" in record:
                related = record["relations"]
                record["relations"] = filters.kept(related)
                self.left_out += len(related) - len(record["relations"])
                self.relations += len(record["relations"])
                self["findings"] += len(record["relations"])
            self["findings"] += len(record["findings"])
            self["windows"] += record["windows"]
            self["characters"] += record["characters"]
        self["documents"] += len(records)
        self.failed += len(chunk.faults)
        self.keep(chunk.faults)

    def decide(
        self, chunk: Chunk, records: Sequence[dict[str, Any]], queue: Queue, calibration: Calibration | None
    ) -> list[str]:
        """Count the decisions on a chunk that was added, keep what is accepted, and return the lines of the queue."""
        lines = []
        for record, document in zip(records, chunk.documents, strict=True):
            found, related = record["findings"], record.get("relations", [])
            queued = queue.split(record, document.text, calibration)
            waiting = record[TO_REVIEW]
            left = len(found) + len(related) - len(record["findings"]) - len(record.get("relations", ()))
            lost = [place(finding) for finding in found if finding["decision"] == DROPPED]
            possible = sum(place(each["head"]) not in lost and place(each["tail"]) not in lost for each in related)
            waiting += possible - len(record.get("relations", ()))  # a person decides on their spans
            self.to_review += waiting
            self.dropped += left - waiting
            self["findings"] -= left
            self.relations -= len(related) - len(record.get("relations", ()))
            lines += [queue_line(queued)] if queued else []
        return lines

    def refuse_nothing(self) -> None:
        """Raise UserError if inputs could not be read and no document was."""
        if self["documents"] or not self.failed:
            return
        if self.failed == 1:
            raise self.faults[0]
        first = f". The first {MAX_SHOWN}:" if self.failed > MAX_SHOWN else ":"
        message = f"none of {self.failed:,} inputs could be read; nothing is written{first}"
        raise UserError(message, errors=self.faults[:MAX_SHOWN])

    def report(self) -> None:
        """Log what could not be read, one line each."""
        for fault in self.faults[:LISTED]:
            notice(str(fault))
        if self.failed > LISTED:
            notice(f"... and {self.failed - LISTED:,} more that could not be read.")


def as_record(fault: UserError) -> dict[str, Any]:
    """Return an input that could not be read as a record of the file of errors."""
    file = escape_undecodable(os.fspath(fault.file)) if fault.file else None
    return {"file": file, "line": fault.line, "reason": f"{fault.message} {fault.remedy}".strip()}


def from_record(record: Mapping[str, Any]) -> UserError:
    """Return the error of a record of the file of errors."""
    return UserError(record["reason"], file=record["file"], line=record["line"])
