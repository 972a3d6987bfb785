"""The decisions of people put into the findings of an extraction, so that a file has all that is accepted or right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from electra_ie.calibration.decisions import ACCEPTED, DROPPED, REVIEW
from electra_ie.common.errors import UserError
from electra_ie.common.files import atomic_path
from electra_ie.common.text_files import SourceLine
from electra_ie.data.declaration.record_plan import TO_REVIEW
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.data.task import Task
from electra_ie.inference.engine.results import fragments_of
from electra_ie.inference.review.queue import CORRECT, MODEL, place, queue_line
from electra_ie.inference.review.reading import Record

REVIEWED = "reviewed"
"""The decision of a finding that a person has confirmed or added."""
DECISION = "decision"
SHOWN = 3
"""The ids in a message at most."""


@dataclass
class Resolution:
    """What became of the findings. Relations count as findings.

    Attributes:
        documents: The number of texts.
        accepted: Findings that the thresholds have accepted and no person has rejected.
        confirmed: Findings that a person has confirmed.
        added: Findings that a person has added.
        rejected: Findings that a person has rejected, and relations of such spans; they are not written.
        to_review: Findings that still wait for a decision; they are not written.
    """

    documents: int = 0
    accepted: int = 0
    confirmed: int = 0
    added: int = 0
    rejected: int = 0
    to_review: int = 0

    @property
    def findings(self) -> int:
        """The number of findings that are written."""
        return self.accepted + self.confirmed + self.added

    def count(self, *, is_reviewed: bool, is_known: bool) -> None:
        """Count a finding that is written: whether a person has decided on it, and whether the model has found it."""
        if not is_reviewed:
            self.accepted += 1
        elif is_known:
            self.confirmed += 1
        else:
            self.added += 1


Decide = Callable[[Record, Resolution], None]
"""Puts the decisions on one text into its line of the findings, and counts them."""


def resolve_findings(findings: Path, decisions: Mapping[str, Decide], model: str | None, target: Path) -> Resolution:
    """Write the findings with the decisions of people.

    Args:
        findings: JSON lines that `extract --review` wrote.
        decisions: By the id of each reviewed text.
        model: The model whose findings they must be.
        target: The file. It is written when all lines are read.

    Raises:
        UserError: A line is none of `extract --review`, it is of another model, or a reviewed text is not there.
    """
    total, missing = Resolution(), dict(decisions)
    with atomic_path(target) as part, part.open("w", encoding="utf-8") as file:
        for record in _lines(findings, model):
            decide = missing.pop(record["id"], None)
            total.documents += 1
            (decide or _keep)(record, total)
            file.write(queue_line(record))
        if missing:
            names = ", ".join(list(missing)[:SHOWN]) + ", ..." * (len(missing) > SHOWN)
            message = f"{len(missing):,} of the {len(decisions):,} reviewed texts are not in these findings: {names}."
            raise UserError(message, file=findings, remedy="Give the findings that were written with this queue.")
    return total


def _lines(path: Path, model: str | None) -> Iterator[Record]:
    """Yield the lines of a file of findings. Raises UserError for one that `extract --review` did not write."""
    remedy = "Give the output of extract --review, as JSON lines."
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                raise UserError("this is not valid JSON.", file=path, line=number, remedy=remedy) from None
            if not isinstance(record, dict) or not {"id", "findings", "characters", TO_REVIEW} <= record.keys():
                message = "this is no line of findings beside a queue for review."
                raise UserError(message, file=path, line=number, remedy=remedy)
            if model and record.get(MODEL) not in (None, model):
                message = f"these are findings of the model {record[MODEL]}, and the run has {model}."
                raise UserError(message, file=path, line=number, remedy="Give the run that has found them.")
            yield record


def _keep(record: Record, counts: Resolution) -> None:
    """Count a text that no person has reviewed."""
    counts.accepted += len(record["findings"]) + len(record.get("relations", ()))
    counts.to_review += record[TO_REVIEW]


def _check_length(record: Record, text: str, at: SourceLine) -> None:
    """Raise UserError if a reviewed text is not the one of the findings."""
    if len(text) != record["characters"]:
        message = (
            f'the text "{record["id"]}" has {len(text):,} characters here and {record["characters"]:,} in the findings.'
        )
        raise UserError(
            message, file=at.file, line=at.line, remedy="Give the findings that were written with this queue."
        )


def _check_decisions(record: Record, queued: Record, at: SourceLine) -> None:
    """Raise UserError if the thresholds have not decided in a queue as in the findings."""
    made: dict[Any, set[tuple[Any, ...]]] = {}
    for finding in queued["findings"]:
        made.setdefault(finding.get(DECISION), set()).add(place(finding))
    accepted = {place(finding) for finding in record["findings"]}
    if made.get(ACCEPTED, set()) != accepted or len(made.get(REVIEW, ())) != record[TO_REVIEW]:
        message = f'what is accepted in "{record["id"]}" or waits is not the same here as in the findings.'
        remedy = "Give the findings that were written with this queue."
        raise UserError(message, file=at.file, line=at.line, remedy=remedy)


def _order(finding: Mapping[str, Any]) -> tuple[int, int]:
    return finding["start"], finding["end"]


def decisions_of_queue(records: Sequence[tuple[int, Record]], task: Task, path: Path) -> dict[str, Decide]:
    """Return the decisions in a queue of this package, by the id of the text. path: the queue."""
    return {record["id"]: partial(_by_queue, record, task, SourceLine(str(path), line)) for line, record in records}


def decisions_of_documents(documents: Iterable[Document], task: Task) -> dict[str, Decide]:
    """Return the decisions in texts that were annotated in another tool, by the id of the text."""
    return {each.id: partial(_by_document, each, task) for each in documents}


def _by_queue(queued: Record, task: Task, at: SourceLine, record: Record, counts: Resolution) -> None:
    """Put the decisions of a record of a queue into a line of findings."""
    text = queued["text"]
    _check_length(record, text, at)
    _check_decisions(record, queued, at)
    of_spans = {field.name for field in task.fields if field.kind == "spans"}
    kept, waiting = [], set()
    for finding in queued["findings"]:
        correct, made = finding.pop(CORRECT), finding.get(DECISION)
        if correct is False or (correct is None and made == DROPPED):
            counts.rejected += correct is False
        elif correct is None and made != ACCEPTED:
            waiting.add(place(finding))
        else:
            own = {"text": text[finding["start"] : finding["end"]]} if finding["field"] in of_spans else {}
            kept.append(_decided({**finding, **own}, is_reviewed=bool(correct)))
            counts.count(is_reviewed=bool(correct), is_known=made is not None)
    record["findings"] = sorted(kept, key=_order)
    record[TO_REVIEW] = len(waiting)
    counts.to_review += len(waiting)
    if "relations" in record:
        related = queued["relations"] if "relations" in queued else record["relations"]
        _relate(record, related, waiting, counts)


def _decided(finding: Record, *, is_reviewed: bool) -> Record:
    """Return a finding as `extract` writes it. One that a person has added has no score, and no window spoke for it."""
    about = {} if "text" in finding else {"window": finding.get("window")}
    return {**finding, **about, "score": finding.get("score"), DECISION: REVIEWED if is_reviewed else ACCEPTED}


def _relate(record: Record, relations: Iterable[Record], waiting: set[tuple[Any, ...]], counts: Resolution) -> None:
    """Keep the relations of which both spans are kept, and count them.

    A relation waits if one of its spans does and none is rejected. A person rejects one by its own `correct`.
    """
    places = {place(finding) for finding in record["findings"]}
    record["relations"] = []
    for relation in relations:
        correct = relation.pop(CORRECT, None)
        ends = {place(relation["head"]), place(relation["tail"])}
        if correct is False or not ends <= places | waiting:
            counts.rejected += 1
        elif ends <= places:
            record["relations"].append(relation)
            counts.count(is_reviewed=bool(correct), is_known="score" in relation)
        else:
            counts.to_review += 1


def _by_document(document: Document, task: Task, record: Record, counts: Resolution) -> None:
    """Put the annotations of a person in a text into a line of findings, for the fields that the text is labeled for.

    A finding that was accepted has its score. One that waited for review counts as added: the findings do not have it.
    """
    _check_length(record, document.text, SourceLine(document.file, document.line))
    gold = document.gold
    if document.submitted:  # a tool leaves out a field of which nothing is chosen
        gold = {field.name: () for field in task.all_fields if field.kind != "classes"} | dict(gold)
    if not gold:
        return _keep(record, counts)
    said: dict[Span, dict[str, Any]] = {}
    for attribute in task.attributes:
        for each in gold.get(attribute.name, ()):
            said.setdefault(each.span, {})[attribute.name] = {"label": each.label, "score": None}
    before = {place(finding): finding for finding in record["findings"]}
    kept = [finding for finding in record["findings"] if finding["field"] not in gold]
    counts.accepted += len(kept)
    for field in task.fields:
        for finding in _annotated(field, gold.get(field.name, ()), document.text, said):
            own = before.pop(place(finding), {})
            kept.append(_decided({**own, **finding}, is_reviewed=True))
            counts.count(is_reviewed=True, is_known=bool(own))
    counts.rejected += sum(finding["field"] in gold for finding in before.values())
    record["findings"] = sorted(kept, key=_order)
    if all(field.name in gold for field in task.fields):
        record[TO_REVIEW] = 0
    counts.to_review += record[TO_REVIEW]
    if "relations" in record:
        _relate_gold(record, gold, task, counts)


def _annotated(field: Field, gold: Any, text: str, said: Mapping[Span, Mapping[str, Any]]) -> Iterator[Record]:
    """Yield what a person has annotated of a field as findings without a score."""
    if field.kind != "spans":
        for label in (gold,) if isinstance(gold, str) else gold:
            yield {"field": field.name, "label": label, "start": 0, "end": len(text)}
        return
    for span in gold:
        own = {"attributes": said[span]} if span in said else {}
        where = {"start": span.start, "end": span.end, "text": text[span.start : span.end]}
        yield {"field": field.name, "label": span.label, **where, **fragments_of(span), **own}


def _relate_gold(record: Record, gold: Mapping[str, Any], task: Task, counts: Resolution) -> None:
    """Put the relations that a person has drawn into a line of findings, in place of those of their fields."""
    ends = {place({**finding, "field": ""}): finding for finding in record["findings"] if "text" in finding}
    before = {_related(relation): relation for relation in record["relations"]}
    kept = [each for each in record["relations"] if each["field"] not in gold]
    _relate(record, kept, set(), counts)
    for field in task.relations:
        for each in gold.get(field.name, ()):
            head, tail = (
                ends[
                    place(
                        {"field": "", "label": span.label, "start": span.start, "end": span.end, **fragments_of(span)}
                    )
                ]
                for span in (each.head, each.tail)
            )
            drawn = {"field": field.name, "label": each.label, "head": _end(head), "tail": _end(tail)}
            own = before.pop(_related(drawn), {})
            record["relations"].append({**drawn, "score": own.get("score")})
            counts.count(is_reviewed=True, is_known=bool(own))
    counts.rejected += sum(relation["field"] in gold for relation in before.values())


def _related(relation: Mapping[str, Any]) -> tuple[Any, ...]:
    return relation["field"], relation["label"], place(relation["head"]), place(relation["tail"])


def _end(finding: Record) -> Record:
    """Return a finding as the end of a relation has it."""
    return {
        key: finding[key] for key in ("field", "label", "start", "end", "text", "score", "fragments") if key in finding
    }
