"""The review queue: texts with findings that a person should see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.calibration.decisions import ACCEPTED, DROPPED, REVIEW
from electra_ie.calibration.stored import Calibration
from electra_ie.common.errors import UserError
from electra_ie.common.escaping import escape_json
from electra_ie.common.files import atomic_path
from electra_ie.common.hashing import SHOWN, of_path, of_text
from electra_ie.common.logs import warn
from electra_ie.data.declaration.record_plan import TO_REVIEW
from electra_ie.data.fields import Field
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import CHOSEN, FOUND, AnnotatedDocument
from electra_ie.formats.conversion import Side, write_all
from electra_ie.formats.features import Feature
from electra_ie.formats.preannotations import preannotations

LINES = "jsonl"
"""The format of a queue of this package; any other is one of `formats`."""
DRAWN, ALL, LEFT = "drawn", "all", TO_REVIEW
"""How the texts of a queue were drawn: all with a finding, or those of which thresholds left a finding for review."""
CORRECT = "correct"
"""The key of a person's decision on a finding: true, false, or null for none yet."""
MOVE = "Give another name for the new queue, or move this one."
MOVE_ONLY = "Move it, and give the same command without --overwrite: the new queue is written then."
"""The remedy when all findings are there, and only their queue has no place."""
MODEL = "model"
"""The key of the model whose findings they are: the first digits of the hash of its files; null if it has none."""
SEAL = "seal"
"""The key of the hash of what people do not change: the text and what was found in it (`seal_of`)."""
KEYS = ("id", "file", "text", DRAWN, "findings")
LOOKED_AT = 100
"""The lines of a file that are looked at, in search of one of a queue."""


@dataclass(frozen=True)
class Queue:
    """Where the findings for review go.

    Attributes:
        path: The file.
        format: `jsonl`, or the name of a format of annotation tools.
    """

    path: Path
    format: str = LINES

    def __post_init__(self) -> None:
        if self.format == LINES:
            _refuse_decided(self.path)
            return
        side = Side.of_target(self.path, self.format, ())
        if side.format.write is None:
            raise UserError(f"the format {self.format} is only read.", remedy="Choose another one for the queue.")
        side.format.check_installed()

    def refuse_existing(self, written: Mapping[str, Any] | None, part: Path | None = None) -> None:
        """Raise UserError for a file or folder of an annotation tool in this place: it may have people's work in it.

        Args:
            written: SHA-256 (`sha256`) of the queue that the last job of the same output wrote, which may be replaced.
            part: What takes its place; if it is the same, a job that was killed has written it, and it may be replaced.
        """
        if self.format == LINES or not self.path.exists():
            return
        known = [*([written["sha256"]] if written else []), *([of_path(part)] if part else [])]
        if of_path(self.path) not in known:
            message = "this exists and may have annotations of people, which are kept."
            raise UserError(message, file=self.path, remedy=MOVE_ONLY if part else MOVE)

    def split(self, record: dict[str, Any], text: str, calibration: Calibration | None) -> dict[str, Any] | None:
        """Keep the accepted findings in a record of `extract`, and return the record of the queue, if there is one.

        A relation is kept if both of its spans are accepted. The record gets the number of findings that wait for
        review. A record of the queue has all findings and relations of its text.
        """
        decided = calibration or Calibration("")
        for finding in record["findings"]:
            finding["decision"] = decided.decide(finding["field"], finding["label"], finding["score"])
        whole = {name: record[name] for name in ("id", "file")} | {
            "text": text,
            DRAWN: LEFT if decided.promises else ALL,
            MODEL: record.get(MODEL),
            "findings": [{**finding, CORRECT: None} for finding in record["findings"]],
        }
        if "relations" in record:
            whole["relations"] = [{**relation, CORRECT: None} for relation in record["relations"]]
        whole[SEAL] = seal_of(whole)
        record["findings"] = [finding for finding in record["findings"] if finding["decision"] == ACCEPTED]
        waiting = sum(finding["decision"] == REVIEW for finding in whole["findings"])
        record[TO_REVIEW] = waiting
        places = {place(finding) for finding in record["findings"]}
        if "relations" in record:
            related = record["relations"]
            record["relations"] = [each for each in related if places >= {place(each["head"]), place(each["tail"])}]
        return whole if waiting else None

    def write(self, lines: Path, written: Mapping[str, Any] | None = None) -> None:
        """Write the queue, the text with the lowest score for review first.

        Args:
            lines: Its records as JSON lines, in the order of the inputs.
            written: As for `refuse_existing`, which is asked again: a job takes long.

        Raises:
            UserError: The format cannot hold a record, or what is in this place may have people's work in it.
        """
        with lines.open("rb") as source:
            order = sorted(_places_of(source))
            if self.format == LINES:
                with atomic_path(self.path) as part, part.open("wb") as target:
                    for _, _, start, size in order:
                        source.seek(start)
                        target.write(source.read(size))
                    _refuse_decided(self.path, MOVE_ONLY)
                return
            records = []
            for _, _, start, size in order:
                source.seek(start)
                records.append(json.loads(source.read(size)))
        self._convert(records, written)

    def _convert(self, records: Sequence[Mapping[str, Any]], written: Mapping[str, Any] | None) -> None:
        side = Side.of_target(self.path, self.format, ())
        chosen = {ALL: FOUND, LEFT: "uncertain"}  # from LEFT as little follows for other texts as by `suggest`
        texts = [
            AnnotatedDocument(each["id"], each["text"], metadata={CHOSEN: chosen[each[DRAWN]]}) for each in records
        ]
        kept = [
            {**record, "characters": len(record["text"]), "findings": [
                finding for finding in record["findings"] if finding["decision"] != DROPPED
            ]}
            for record in records
        ]  # fmt: skip
        position = {record["id"]: number for number, record in enumerate(records)}
        documents = sorted(preannotations(texts, kept), key=lambda document: position[document.id])
        losses = write_all(documents, side, lossy=True, may_replace=partial(self.refuse_existing, written)).losses
        if losses:
            lost = ", ".join(f"{count:,} {kind}" for kind, count in losses.items())
            warn(f"{self.path}: the format {self.format} cannot hold {lost}; they are left out.")


def check_fragments(format: str, fields: Iterable[Field], file: Path) -> None:
    """Raise UserError if a field has spans of several fragments and a format cannot hold them.

    What people found right would be missing among the gold, so that such a finding would count as wrong.
    """
    able = [name for name, each in FORMATS.items() if Feature.FRAGMENTS in each.holds]
    names = [field.name for field in fields if field.fragments]
    if names and format not in able:
        message = (
            f"the format {format} cannot hold spans of several fragments, which the model finds: {', '.join(names)}."
        )
        raise UserError(message, file=file, remedy=f"Formats that can: {', '.join(able)}.")


def queue_line(record: Mapping[str, Any]) -> str:
    """Return a record of the queue or of the findings as a line of JSON without control characters."""
    return escape_json(json.dumps(record, ensure_ascii=False)) + "\n"


def place(span: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a span among the findings of a record."""
    return *(span[name] for name in ("field", "label", "start", "end")), json.dumps(span.get("fragments"))


def seal_of(record: Mapping[str, Any]) -> str:
    """Return the first digits of a hash of a record of the queue, without decisions and what people have added."""
    found = [finding for finding in record["findings"] if "decision" in finding]
    related = [relation for relation in record.get("relations", ()) if "score" in relation]
    own = [
        sorted(json.dumps({key: each[key] for key in each if key != CORRECT}, sort_keys=True) for each in listed)
        for listed in (found, related)
    ]
    return of_text(json.dumps([record["id"], record["text"], record[DRAWN], record.get(MODEL), *own]))[:SHOWN]


def _places_of(source: Iterable[bytes]) -> Iterator[tuple[float, float, int, int]]:
    """Yield the lowest and the mean score for review, the place and the size of each line."""
    start = 0
    for line in source:
        findings = json.loads(line)["findings"]
        scores = [finding["score"] for finding in findings if finding["decision"] == REVIEW]
        yield min(scores), sum(scores) / len(scores), start, len(line)
        start += len(line)


def is_queue(path: Path) -> bool:
    """Return whether a file is a review queue, by its first lines: one of them may be damaged."""
    if not path.is_file():
        return False
    with path.open("rb") as lines:
        return any(map(_is_of_queue, islice(lines, LOOKED_AT)))


def _is_of_queue(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"text", DRAWN, "findings"} <= record.keys()


def _refuse_decided(path: Path, remedy: str = MOVE) -> None:
    """Raise UserError if a queue in this place has decisions of people, or something else is there."""
    if not path.exists() or not os.path.isfile(path) or not path.stat().st_size:
        return
    if not is_queue(path):
        raise UserError("this file exists and is no review queue.", file=path, remedy="Give another name.")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not _is_untouched(line):
                message = "this queue has decisions of people, which are kept."
                raise UserError(message, file=path, line=number, remedy=remedy)


def _is_untouched(line: bytes) -> bool:
    """Return whether no finding of a line has a decision; False for a line that `extract` did not write like this."""
    try:
        record = json.loads(line)
        return all(each[CORRECT] is None for each in (*record["findings"], *record.get("relations", ())))
    except (ValueError, RecursionError, TypeError, KeyError):
        return False
