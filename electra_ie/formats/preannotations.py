"""Pre-annotations: the findings of a model as annotated documents, in the order in which a person should see them.

Any format that marks predictions (Label Studio, Prodigy, Argilla, JSON lines) hands them to a person. Where the tool
says what the person did with them, its reader returns it as the `origin` of each annotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from electra_ie.common.errors import UserError, nearest
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Offsets, Relation
from electra_ie.formats.parts.annotation_tools import ROLES

Record = Mapping[str, Any]
"""A record of `electra-ie extract`, or `DocumentResult.record()`."""


def preannotations(
    documents: Iterable[AnnotatedDocument],
    records: Iterable[Record],
    layers: Sequence[str] = (),
    questions: Sequence[str] = (),
) -> list[AnnotatedDocument]:
    """Return documents with the findings of a model as predictions, the least certain document first.

    A document is as certain as its least certain finding: the one with the lowest score, since a score is the
    probability that the model gives to what it found, and one minus the score is that of all alternatives. Equally
    certain documents are ordered by the mean of their scores, then as they are given. Documents without a finding come
    last: a record says nothing about what the model almost found.

    Args:
        documents: The texts, with the ids of the records. Their own annotations are dropped.
        records: The records of the extraction, one for each document. Those of further documents are ignored.
        layers: The fields of spans; those with a finding are added. A document without a span is annotated with each.
        questions: The fields of classes and flags; those with a finding are added. A document without a label has none.

    Returns:
        The documents with `predicted` set, and name (`model`) and version of the model in the metadata.

    Raises:
        UserError: A document has no record, or the record is not that of its text.
    """
    by_id = {str(record["id"]): record for record in records}
    findings = [item for record in by_id.values() for item in record["findings"]]
    all_layers = tuple(dict.fromkeys((*layers, *(item["field"] for item in findings if not _of_whole_text(item)))))
    all_questions = tuple(dict.fromkeys((*questions, *(item["field"] for item in findings if _of_whole_text(item)))))
    predicted = [_predicted(document, _record_of(document, by_id), all_layers, all_questions) for document in documents]
    return sorted(predicted, key=_certainty)


def _of_whole_text(finding: Mapping[str, Any]) -> bool:
    return "window" in finding


def _record_of(document: AnnotatedDocument, records: Mapping[str, Record]) -> Record:
    """Return the record of a document. Raises UserError if there is none, or that of another text."""
    if document.id not in records:
        message = f'there are no findings for the document "{document.id}".'
        raise UserError(message, file=document.file, line=document.line, remedy=nearest(document.id, records))
    record = records[document.id]
    spans = [item for item in record["findings"] if not _of_whole_text(item)]
    same = all(document.text[item["start"] : item["end"]] == item["text"] for item in spans)
    if record["characters"] != len(document.text) or not same:
        message = f'the findings of "{document.id}" are those of another text, of {record["characters"]} characters.'
        raise UserError(message, file=document.file, line=document.line, remedy="Extract from these documents again.")
    return record


def _predicted(
    document: AnnotatedDocument, record: Record, layers: Sequence[str], questions: Sequence[str]
) -> AnnotatedDocument:
    spans = [item for item in record["findings"] if not _of_whole_text(item)]
    answers = {
        name: [item for item in record["findings"] if _of_whole_text(item) and item["field"] == name]
        for name in questions
    }
    model = {name: record[name] for name in ("model", "version") if record.get(name) is not None}
    ids = {_place(item): f"T{number}" for number, item in enumerate(spans, start=1)}
    return replace(
        document,
        spans=tuple(
            AnnotatedSpan(
                f"T{number}", item["label"], _fragments(item), layer=item["field"], score=item["score"],
                attributes=tuple(Attribute(name, said["label"]) for name, said in item.get("attributes", {}).items()),
            )
            for number, item in enumerate(spans, start=1)
        ),
        relations=tuple(
            Relation(
                f"R{number}", item["label"],
                tuple((role, ids[_place(item[end])]) for role, end in zip(ROLES, ("head", "tail"), strict=True)),
                score=item["score"],
            )
            for number, item in enumerate(record.get("relations", ()), start=1)
            if all(_place(item[end]) in ids for end in ("head", "tail"))  # their spans may be filtered out
        ),
        events=(), notes=(), layers=tuple(layers) or None,
        labels={name: tuple(item["label"] for item in found) for name, found in answers.items()},
        label_scores={name: tuple(item["score"] for item in found) for name, found in answers.items() if found},
        metadata={**document.metadata, **model}, predicted=True,
    )  # fmt: skip


def _place(span: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a span among the findings of a record."""
    return span["field"], _fragments(span), span["label"]


def _fragments(span: Mapping[str, Any]) -> tuple[Offsets, ...]:
    return tuple((start, end) for start, end in span.get("fragments", [(span["start"], span["end"])]))


def _certainty(document: AnnotatedDocument) -> tuple[float, float]:
    """Return the lowest and the mean score of a document; more than any score without one."""
    scores = [score for values in document.label_scores.values() for score in values]
    scores += [item.score for item in (*document.spans, *document.relations) if item.score is not None]
    return (min(scores), sum(scores) / len(scores)) if scores else (2.0, 2.0)
