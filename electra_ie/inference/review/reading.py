"""Review queues read back: the decisions of people, line by line, and what they found right as gold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from electra_ie.calibration.decisions import ACCEPTED, DECISIONS, DROPPED, REVIEW
from electra_ie.common.errors import ErrorCollector, UserError, nearest
from electra_ie.common.text_files import SourceLine
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import Field
from electra_ie.formats.parts.json_values import check_pairs
from electra_ie.inference.review.queue import ALL, CORRECT, DRAWN, KEYS, LEFT, MODEL, SEAL, place, seal_of

Record = dict[str, Any]
"""A record of a queue: a text with all of its findings."""
ONLY_DECISIONS = (
    f'Only "{CORRECT}" is changed. To correct a finding, set it to false and add another one, without "decision" and '
    '"score".'
)
SPAN = {"field", "label", "start", "end"}
"""The keys that a finding needs."""
Fault = Callable[[str, str], UserError]
"""Makes the error of a line from a message and a remedy."""


def read_queue(path: Path, fields: Sequence[Field], model: str | None = None) -> list[Document]:
    """Return the reviewed texts of a queue with what people found right as gold.

    A text counts as reviewed when each of its findings has a decision. A finding that a person has added has no score.
    All texts must be: the first ones of a queue have the lowest scores, so that they are not like the others.

    Args:
        path: The file.
        fields: The fields of the task; each reviewed text is labeled for all of them.
        model: The model whose findings they must be, if the queue says it: people have not seen those of another one.

    Raises:
        UserError: A line is damaged, a text is not reviewed, or thresholds have chosen the texts. Several faults are
            one error with the first ten.
    """
    read = records_of_queue(path, fields, model, _refuse_chosen)
    documents = [gold_of(record, fields, path, line) for line, record in read if not is_open(record)]
    if not documents:
        remedy = f'Set "{CORRECT}" of each finding of a text to true or false.'
        raise UserError("no text of this queue is reviewed.", file=path, remedy=remedy)
    if waiting := len(read) - len(documents):
        raise unreviewed(path, waiting, len(read))
    return documents


def records_of_queue(
    path: Path, fields: Sequence[Field], model: str | None, check: Callable[[Record, Fault], None] | None = None
) -> list[tuple[int, Record]]:
    """Return the records of a queue with the numbers of their lines. Each finding has a decision, or None.

    Args:
        path: The file.
        fields: The fields of the task.
        model: The model whose findings they must be, if the queue says it.
        check: A further check of each record, which raises what it gets.

    Raises:
        UserError: A line is damaged, or what is decided does not fit the text or the fields. Several faults are one
            error with the first ten.
    """
    errors, records = ErrorCollector(), []
    seen: set[str] = set()
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = _checked(line, path, number, check)
            if record["id"] in seen:
                raise UserError(f'the id "{record["id"]}" is there twice.', file=path, line=number)
            seen.add(record["id"])
            if model and record.get(MODEL) not in (None, model):
                message = f"these are findings of the model {record[MODEL]}, and the run has {model}."
                remedy = "Extract with this run, and review its own findings."
                raise UserError(message, file=path, line=number, remedy=remedy)
            if SEAL in record and record[SEAL] != seal_of(record):
                message = "the text or the findings are not those that extract wrote."
                raise UserError(message, file=path, line=number, remedy=ONLY_DECISIONS)
            gold_of(record, fields, path, number)
            records.append((number, record))
        except UserError as error:
            errors.add(error)
    errors.raise_any(str(path))
    return records


def is_open(record: Record) -> bool:
    """Return whether a finding of a record has no decision of a person."""
    return any(finding[CORRECT] is None for finding in record["findings"])


def refuse_unsealed(record: Record, fault: Fault) -> None:
    """Raise an error for a record of which nobody knows whether it is as `extract` wrote it."""
    if SEAL not in record:
        raise fault(f'the record has no "{SEAL}".', "Give the queue of extract --review with its decisions.")


def _refuse_chosen(record: Record, fault: Fault) -> None:
    """Raise an error for a text that thresholds have chosen, as the record or a decision of theirs says."""
    made = {finding.get("decision") for finding in record["findings"]}
    if record[DRAWN] == LEFT or not made.isdisjoint((ACCEPTED, DROPPED)):
        message = "thresholds have chosen the texts of this queue, so that nothing can be promised from them."
        raise fault(message, "Review texts that were drawn at random: those that electra-ie suggest marks random.")


def unreviewed(path: Path, waiting: int, texts: int) -> UserError:
    """Return the error for a queue of which only some texts are reviewed."""
    message = (
        f"{waiting:,} of the {texts:,} texts of this queue are not reviewed. It begins with the lowest scores, so that "
        "those that are reviewed are not like the others."
    )
    remedy = (
        "Review all of them, and reject what nobody can decide. If they are too many, extract a queue of fewer texts, "
        "drawn at random."
    )
    return UserError(message, file=path, remedy=remedy)


def _checked(content: bytes, path: Path, line: int, check: Callable[[Record, Fault], None] | None) -> dict[str, Any]:
    """Return the record in a line of a queue. Raises UserError if it is none."""

    def fault(message: str, remedy: str = "") -> UserError:
        return UserError(message, file=path, line=line, remedy=remedy or "Restore the line as extract wrote it.")

    try:
        record = json.loads(content, object_pairs_hook=partial(check_pairs, source=SourceLine(str(path), line)))
    except UserError:
        raise
    except (ValueError, RecursionError):
        raise fault("this is not valid JSON.") from None
    if not isinstance(record, dict):
        raise fault("this is no object.")
    for key in KEYS:
        if key not in record:
            raise fault(f'the record has no "{key}".')
    texts = isinstance(record["id"], str) and isinstance(record["text"], str)
    if not texts or not isinstance(record["findings"], list):
        raise fault('"id" and "text" must be texts, and "findings" a list.')
    if not isinstance(record.get(MODEL), str | None):
        raise fault(f'"{MODEL}" is {json.dumps(record[MODEL])[:40]}.', "It must be the hash of the model, or null.")
    if record[DRAWN] not in (ALL, LEFT):
        raise fault(f'"{DRAWN}" is {json.dumps(record[DRAWN])}.', f"It must be {ALL} or {LEFT}.")
    _check_findings(record["findings"], fault)
    _check_relations(record.get("relations", []), fault)
    if check:
        check(record, fault)
    return record


def _check_findings(findings: Sequence[Any], fault: Callable[[str, str], UserError]) -> None:
    """Check the form of findings, and give each a decision. Raises what `fault` makes."""
    places = set()
    for finding in findings:
        if not isinstance(finding, dict) or not finding.keys() >= SPAN:
            raise fault(f"a finding is {json.dumps(finding)[:60]}.", "It needs field, label, start and end.")
        if not (isinstance(finding["field"], str) and isinstance(finding["label"], str)):
            raise fault(f"a finding is {json.dumps(finding)[:60]}.", "Its field and label must be texts.")
        finding.setdefault(CORRECT, None)
        if not isinstance(finding[CORRECT], bool | None):
            message = f'"{CORRECT}" of a finding is {json.dumps(finding[CORRECT])[:40]}.'
            raise fault(message, "It must be true, false, or null for no decision yet.")
        if finding.get("decision", REVIEW) not in DECISIONS:
            message = f'"decision" of a finding is {json.dumps(finding["decision"])[:40]}.'
            raise fault(message, f'{nearest(str(finding["decision"]), DECISIONS)} People decide in "{CORRECT}".')
        score = finding.get("score")
        if score is not None and (type(score) not in (int, float) or not 0 <= score <= 1):
            message = f'"score" of a finding is {json.dumps(score)[:40]}.'
            raise fault(message, "It is a number from 0 to 1, or null for a finding that a person has added.")
        where = json.dumps(place(finding))
        if where in places:
            about = f"{finding['label']} {finding['start']}-{finding['end']}"
            raise fault(f"the finding {about} is there twice.", "Keep one of them, with one decision.")
        places.add(where)


def _check_relations(relations: Any, fault: Fault) -> None:
    """Check the form of relations. Raises what `fault` makes."""
    if not isinstance(relations, list):
        raise fault('"relations" is no list.', "Restore the line as extract wrote it.")
    for relation in relations:
        is_whole = isinstance(relation, dict) and {"field", "label", "head", "tail"} <= relation.keys()
        ends = (relation["head"], relation["tail"]) if is_whole else ()
        if not is_whole or not all(isinstance(end, dict) and end.keys() >= SPAN for end in ends):
            remedy = "It needs field, label, head and tail, and these field, label, start and end."
            raise fault(f"a relation is {json.dumps(relation)[:60]}.", remedy)
        if not isinstance(relation.get(CORRECT), bool | None):
            message = f'"{CORRECT}" of a relation is {json.dumps(relation[CORRECT])[:40]}.'
            raise fault(message, "It must be true, false, or null if it is as right as its spans.")


def gold_of(record: Record, fields: Sequence[Field], path: Path, line: int) -> Document:
    """Return a text with what people found right as gold. Raises UserError for what does not fit text or fields."""
    text, known = record["text"], {field.name: field for field in fields}
    right: dict[str, list[Any]] = {field.name: [] for field in fields}
    for finding in record["findings"]:
        field = known.get(finding["field"])
        if field is None or finding["label"] not in field.labels:
            valid = known if field is None else field.labels
            name = finding["field"] if field is None else finding["label"]
            message = f'a finding names "{name}", which the task has not.'
            raise UserError(message, file=path, line=line, remedy=nearest(name, valid))
        found_there = _gold(finding, field, text, path, line)
        if finding[CORRECT]:
            right[field.name].append(found_there)
    gold: dict[str, Any] = {}
    for name, found in right.items():
        field = known[name]
        if field.kind == "spans":
            gold[name] = tuple(sorted(set(found)))
        elif field.kind == "flags":
            gold[name] = tuple(label for label in field.labels if label in found)
        elif len(found) == 1:
            gold[name] = found[0]
        elif found:
            raise UserError(
                f'{len(found)} classes of "{name}" are correct.', file=path, line=line, remedy="Only one can be."
            )
        else:  # the class that was found is wrong, and the right one is not named: it is none of them
            gold[name] = ""
    return Document(str(record["id"]), text, gold, str(path), line)


def _gold(finding: Mapping[str, Any], field: Field, text: str, path: Path, line: int) -> Any:
    start, end, label = finding["start"], finding["end"], finding["label"]
    whole = type(start) is int and type(end) is int and 0 <= start <= end <= len(text)
    if whole and field.kind != "spans":
        return label
    if not whole or start == end or finding.get("text", text[start:end]) != text[start:end]:
        message = f"the finding {label} {start}-{end} is not what the text has there."
        remedy = "Offsets are characters, the end is exclusive; correct them, or leave out its text."
        raise UserError(message, file=path, line=line, remedy=remedy)
    pairs = finding.get("fragments")
    if pairs in (None, []):
        return Span(start, end, label)
    if (span := _fragmented(start, end, label, pairs)) is None:
        message = f'the finding {label} {start}-{end} has "fragments": {json.dumps(pairs)[:60]}.'
        remedy = (
            f"They are pairs of whole numbers, at least two, in order and apart, from {start} to {end}; null for none."
        )
        raise UserError(message, file=path, line=line, remedy=remedy)
    if not field.fragments:
        message = f"the finding {label} {start}-{end} has {len(pairs)} fragments"
        message += f"; the field {field.name} has continuous spans."
        raise UserError(message, file=path, line=line, remedy="Leave out its fragments, or set correct to false.")
    return span


def _fragmented(start: int, end: int, label: str, pairs: Any) -> Span | None:
    """Return the span of fragments in a line of JSON; None if they are none."""
    try:
        if any(type(offset) is not int for pair in pairs for offset in pair):
            return None
        return Span(start, end, label, tuple((first, last) for first, last in pairs))
    except (TypeError, ValueError):
        return None
