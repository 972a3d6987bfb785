"""Prodigy's JSON lines: spans, relations, and categories as `accept` or a single `label`, each with an `answer`.

`accept` means that the record is annotated, `ignore` that it is not. `reject` says that something is wrong, not what is
right: the record is not annotated, but for one `label`, which does not hold. A record without an answer that has
annotations is `predicted`: it waits for a person. A record with one `label` and no span has no annotation of spans. A
record of `ner.teach` (`_view_id` is `ner`) has none either: people accept one suggestion there, and other entities stay
unmarked. The same holds for spans with an `answer` of their own. Spans of a record that is to be classified
(`_view_id` is `classification`) are highlights, and no annotation.

Records of a file with the same text, `_input_hash` and `_view_id` are one document if people differ (`_session_id`,
`_annotator_id`): the option `annotation` says which one is read. Where each record is about one label, as in
`textcat.teach` with several labels, the document has all labels that were accepted; people differ if the same label was
rejected, too.

A `label` with a `score`, as `textcat.teach` shows it, was predicted: its origin is `model` if a person accepted it, and
`corrected` if a person rejected it. Other records do not say who made their annotations. `meta` and further keys, such
as hashes and the score, are metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.scripts import continues_word
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation
from electra_ie.formats.base import Format
from electra_ie.formats.features import ONE_QUESTION, Feature, Losses
from electra_ie.formats.parts.annotation_tools import (
    ANNOTATION,
    ONE_SUGGESTION,
    PRODIGY_VIEW,
    ROLES,
    ToolFile,
    add_values,
    chosen,
    first_record,
    number_or_text,
    texts_of,
    value_of,
    without_roles,
    write_lines,
)
from electra_ie.formats.parts.json_values import id_of, text_of
from electra_ie.formats.parts.options import Option

OPTIONS = {"text": Option("text"), "id": Option("id"), "annotation": ANNOTATION}
"""text, id: the keys of text and id. annotation: the one that is read if people differ."""
ANSWERS = ("accept", "reject", "ignore")
CLASSIFICATION = "classification"
"""The interface of a `label`, where spans are highlights, as those of the patterns of `textcat.teach`."""
ANNOTATIONS = ("spans", "relations", "label", "accept")
RESERVED = (*ANNOTATIONS, "answer", "options", "tokens", "meta")
HOLDS = frozenset((
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.UNANNOTATED, Feature.RELATIONS,
    Feature.LABELS, Feature.SCORES, Feature.PREDICTED, Feature.METADATA,
))  # fmt: skip
INPUT = "_input_hash"
"""The key of the number of a text, which is the same in all records of it."""
PERSONS = ("_session_id", "_annotator_id")
"""The keys that say who answered a record."""
Token = dict[str, Any]
_Record = tuple[AnnotatedDocument, str]
"""The document of a record, and the `label` that was rejected, or ""."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the records of a data set.

    A rejected `label` means that no label applies if it is the only one in the file, otherwise nothing is known. The
    records of one text are one document if several people answered them, or if each is about one label.
    """
    reader = _Reader(path, options)
    documents = list(reader.file.read(on_error, reader.document))
    by_text: dict[Any, list[_Record]] = {}
    for number, (document, rejected) in enumerate(zip(documents, reader.rejected, strict=True)):
        known = document
        if rejected and len(reader.single) == 1:
            origins = {ONE_QUESTION: "corrected"} if _is_scored(document) else {}
            known = replace(document, labels={ONE_QUESTION: ()}, label_origins=origins)
        input, view = (document.metadata.get(key) for key in (INPUT, PRODIGY_VIEW))
        alone = document.predicted or input is None
        key = (number,) if alone else (document.id, document.text, repr(input), repr(view))
        by_text.setdefault(key, []).append((known, rejected))
    for records in by_text.values():
        try:
            yield from _of_text(records, options["annotation"])
        except UserError as error:
            on_error(error)


def _of_text(records: Sequence[_Record], which: str) -> Sequence[AnnotatedDocument]:
    """Return the records of one text as one document, if several people answered or the records are about labels.

    Raises:
        UserError: answers differ, and the option `annotation` (which) is `error`.
    """
    documents = [document for document, _ in records]
    if documents[0].metadata.get(PRODIGY_VIEW) == CLASSIFICATION:
        return [_with_all_labels(records, which)]
    if len({_person(document) for document in documents}) == 1:
        return documents
    known = [document for document in documents if document.labels or document.layers is not None]
    return [_chosen(known or documents[:1], which)]


def _chosen(documents: Sequence[AnnotatedDocument], which: str) -> AnnotatedDocument:
    last = documents[-1]
    return chosen(documents, which, [_person(document) for document in documents], SourceLine(last.file, last.line))


def _person(document: AnnotatedDocument) -> str:
    """Return the name of the person who answered a record, or of the session."""
    return next((str(document.metadata[key]) for key in PERSONS if document.metadata.get(key) is not None), "a person")


def _with_all_labels(records: Sequence[_Record], which: str) -> AnnotatedDocument:
    """Return the records of one text, each about one label, as a document with all labels that were accepted.

    It has the metadata that are the same in all records with an accepted label. Records of one label may differ.
    """
    by_label: dict[str, list[AnnotatedDocument]] = {}
    for document, rejected in records:
        if label := rejected or next(iter(document.labels.get(ONE_QUESTION, ())), ""):
            by_label.setdefault(label, []).append(document)
    decided = [_chosen(documents, which) for documents in by_label.values()]
    accepted = [document for document in decided if document.labels.get(ONE_QUESTION)]
    first, *others = accepted or decided[:1] or [records[0][0]]
    if not others:
        return first
    labels = (label for document in accepted for label in document.labels[ONE_QUESTION])
    origins = {document.label_origins.get(ONE_QUESTION) for document in accepted}
    metadata = {
        key: value
        for key, value in first.metadata.items()
        if all(key in other.metadata and other.metadata[key] == value for other in others)
    }
    return replace(
        first, labels={ONE_QUESTION: tuple(dict.fromkeys(labels))}, label_scores={}, metadata=metadata,
        label_origins=first.label_origins if len(origins) == 1 else {},
    )  # fmt: skip


class _Reader:
    """Reads the records of one file.

    Attributes:
        single: The values of `label` in the file.
        rejected: For each document, its `label` if that was rejected, or "".
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.file, self.options = ToolFile(path), options
        self.single: set[str] = set()
        self.rejected: list[str] = []

    def document(self, record: Mapping[str, Any], source: SourceLine) -> AnnotatedDocument:
        """Return the document of a record."""
        text = text_of(record, self.options["text"], source)
        answer = value_of(record, "answer", str, source, "")
        if answer and answer not in ANSWERS:
            raise source.error(f'"answer" is "{answer}".', f"It must be {', '.join(ANSWERS)}.")
        own = (self.options["text"], self.options["id"], *RESERVED)
        meta = value_of(record, "meta", dict, source, {})
        further = {key: value for key, value in record.items() if key not in own}
        if both := sorted(key for key in set(meta) & set(further) if meta[key] != further[key]):
            raise source.error(
                f'"{both[0]}" is in the record and in its "meta", with other values.', "Rename one of them."
            )
        bare = AnnotatedDocument(
            id_of(record, self.options["id"], source), text, layers=None, metadata={**meta, **further},
            file=source.file, line=source.line,
        )  # fmt: skip
        label = value_of(record, "label", str, source, "")
        if record.get(PRODIGY_VIEW) == CLASSIFICATION and (highlights := value_of(record, "spans", list, source, [])):
            self.file.left["highlighted passages of texts to be classified are"] += len(highlights)
            record = {**record, "spans": None}
        annotated = any(record.get(key) is not None for key in ANNOTATIONS)
        if answer in ("reject", "ignore"):
            self.file.left[f'records with the answer "{answer}" are unannotated: their annotations are'] += 1
            document = bare
        else:
            document = replace(self._annotated(bare, record, label, source), predicted=annotated and not answer)
            taught = record.get(PRODIGY_VIEW) == ONE_SUGGESTION
            if answer and (taught or any(item.get("answer") for item in record.get("spans") or ())):
                which = "of ner.teach" if taught else "with answers of their own"
                left = f"spans {which}, where other entities of the text are unmarked, are"
                self.file.left[left] += len(document.spans)
                document = replace(document, spans=(), relations=(), layers=None)
            if answer and label and _is_scored(document) and document.labels[ONE_QUESTION] == (label,):
                document = replace(document, label_origins={ONE_QUESTION: "model"})
        self.single |= {label} if label else set()
        self.rejected.append(label if answer == "reject" and not record.get("spans") else "")
        return document

    def _annotated(
        self, document: AnnotatedDocument, record: Mapping[str, Any], label: str, source: SourceLine
    ) -> AnnotatedDocument:
        """Return a document with the annotations of its record."""
        spans: dict[str, AnnotatedSpan] = {}
        for number, item in enumerate(value_of(record, "spans", list, source, []), start=1):
            if (answer := value_of(item, "answer", str, source, "")) in ANSWERS[1:]:
                self.file.left[f'spans with the answer "{answer}" are'] += 1
                continue
            span = AnnotatedSpan(
                str(value_of(item, "id", object, source, f"T{number}")), value_of(item, "label", str, source),
                self.file.offsets(document.text, (item.get("start"), item.get("end")), source, item.get("text")),
                score=self.file.score(item.get("score")),
            )  # fmt: skip
            if span.id in spans:
                raise source.error(f'two spans have the id "{span.id}".', "Correct the record.")
            spans[span.id] = span
        labels = _accepted(record, source)
        options = value_of(record, "options", list, source, [])
        offered = {str(item["id"]): item for item in options if isinstance(item, dict) and "id" in item}
        scores = [self.file.score(offered.get(name, {}).get("score")) for name in labels]
        known = tuple(score for score in scores if score is not None)
        answered = record.get("accept") is not None or label
        return replace(
            document, spans=tuple(spans.values()), relations=tuple(self._relations(record, spans, source)),
            layers=("",) if record.get("spans") or (record.get("spans") is not None and not label) else None,
            labels={ONE_QUESTION: labels or ((label,) if label else ())} if answered else {},
            label_scores={ONE_QUESTION: known} if known and len(known) == len(labels) else {},
        )  # fmt: skip

    def _relations(
        self, record: Mapping[str, Any], spans: Mapping[str, AnnotatedSpan], source: SourceLine
    ) -> Iterator[Relation]:
        """Yield the relations of spans. Those of words, as in the syntax of a sentence, are counted."""
        tokens = value_of(record, "tokens", list, source, [])
        for number, item in enumerate(value_of(record, "relations", list, source, []), start=1):
            label = value_of(item, "label", str, source)
            ends = [_end(item, key, tokens, spans, source) for key in ("head", "child")]
            if None in ends:
                self.file.left["relations of words that are no spans are"] += 1
                continue
            arguments = tuple((role, str(end)) for role, end in zip(ROLES, ends, strict=True))
            yield Relation(f"relation {number}", label, arguments, score=self.file.score(item.get("score")))


def _is_scored(document: AnnotatedDocument) -> bool:
    """Return whether a record has the score of a prediction."""
    return type(document.metadata.get("score")) in (int, float)


def _accepted(record: Mapping[str, Any], source: SourceLine) -> tuple[str, ...]:
    """Return the ids of the accepted options, which may be numbers."""
    accepted = [str(item) if type(item) is int else item for item in value_of(record, "accept", list, source, [])]
    return tuple(dict.fromkeys(texts_of({"accept": accepted}, "accept", source)))


def _end(
    relation: Mapping[str, Any], key: str, tokens: Sequence[Any], spans: Mapping[str, AnnotatedSpan], source: SourceLine
) -> str | None:
    """Return the id of the span at one end of a relation: by its id, by its offsets and label, or by its last token."""
    place = value_of(relation, f"{key}_span", dict, source, {})
    if str(place.get("id")) in spans:
        return str(place["id"])
    if place:
        found = [span for span in spans.values() if (span.start, span.end) == (place.get("start"), place.get("end"))]
        same = [span for span in found if span.label == place.get("label")]
        return (same or found)[0].id if found else None
    index = value_of(relation, key, int, source)
    if not 0 <= index < len(tokens):
        remedy = "Relations count tokens from 0; export the record with its tokens."
        raise source.error(f'"{key}" of a relation is {index}, but there are {len(tokens)} tokens.', remedy)
    start, end = (value_of(tokens[index], name, int, source) for name in ("start", "end"))
    return next((span.id for span in spans.values() if span.start <= start and end <= span.end), None)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents with tokens: predicted ones without an answer, to be answered, the others as accepted."""
    choices = dict.fromkeys(label for document in documents for label in document.labels.get(ONE_QUESTION, ()))
    write_lines(path, [_record(document, list(choices), path, options) for document in documents])


def _record(
    document: AnnotatedDocument, choices: Sequence[str], path: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    record: dict[str, Any] = {options["id"]: number_or_text(document.id)} if document.id else {}
    record[options["text"]] = document.text
    if document.layers is not None:
        record["tokens"] = tokens_of(document)
        spans = {span.id: _span_record(span, document.text, record["tokens"]) for span in document.spans}
        record["spans"] = list(spans.values())
        if document.relations:
            record["relations"] = [_relation_record(item, spans) for item in document.relations]
    if document.labels:
        labels = document.labels[ONE_QUESTION]
        scores = dict(zip(labels, document.label_scores.get(ONE_QUESTION, ()), strict=False))
        record["options"] = [
            {"id": name, "text": name, **({"score": scores[name]} if name in scores else {})} for name in choices
        ]
        record["accept"] = list(labels)
    if not document.predicted and (document.labels or document.layers is not None):
        record["answer"] = "accept"
    own = {key: value for key, value in document.metadata.items() if key.startswith("_")}
    meta = {key: value for key, value in document.metadata.items() if key not in own}
    return add_values(record, own, document.id, path) | ({"meta": meta} if meta else {})


def _span_record(span: AnnotatedSpan, text: str, tokens: Sequence[Token]) -> dict[str, Any]:
    inside = [token["id"] for token in tokens if token["start"] < span.end and token["end"] > span.start]
    return {
        "text": text[span.start : span.end], "start": span.start, "end": span.end, "token_start": inside[0],
        "token_end": inside[-1], "label": span.label, "id": span.id, **_score(span.score),
    }  # fmt: skip


def _relation_record(relation: Relation, spans: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    head, child = (
        {key: value for key, value in spans[target].items() if key != "score"} for _, target in relation.arguments
    )
    return {
        "head": head["token_end"], "child": child["token_end"], "head_span": head, "child_span": child,
        "label": relation.label, **_score(relation.score),
    }  # fmt: skip


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": score}


def tokens_of(document: AnnotatedDocument) -> list[Token]:
    """Return the words of a text as tokens, which Prodigy needs to mark spans.

    Tokens also end where spans begin and end, so that each span has whole tokens. White space is a token if it is more
    than a single blank, as in spaCy, or if a span begins or ends there.
    """
    text = document.text
    starts, ends = {span.start for span in document.spans}, {span.end for span in document.spans}
    edges = starts | ends
    cuts = [
        index
        for index in range(1, len(text))
        if index in edges or not (continues_word(text, index) or text[index - 1].isspace() and text[index].isspace())
    ]
    tokens: list[Token] = []
    for start, end in pairwise([0, *cuts, len(text)]):
        if text[start:end] == " " and start not in starts and end not in ends and tokens:
            tokens[-1]["ws"] = True
        elif start < end:
            tokens.append({"text": text[start:end], "start": start, "end": end, "id": len(tokens), "ws": False})
    return tokens


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove the roles of relations, and the mark of a prediction that has nothing to be answered."""
    document, losses = without_roles(document)
    if document.predicted and document.layers is None and not document.labels:
        document, losses = replace(document, predicted=False), losses + Losses({Feature.PREDICTED.value: 1})
    return document, losses


def detect(path: Path) -> bool:
    """Return whether the first record has keys that only Prodigy writes, or tokens with annotations."""
    record = first_record(path)
    pairs = ({"tokens", "spans"}, {"options", "accept"})
    return "_task_hash" in record or any(pair <= set(record) for pair in pairs) or (
        record.get("answer") in ANSWERS and "text" in record
    )  # fmt: skip


PRODIGY = Format("prodigy", "Prodigy", read, write, HOLDS, OPTIONS, detect, reduce=reduce)
