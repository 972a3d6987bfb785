"""Argilla's records as JSON: fields, responses of people and suggestions of models, by question.

The answer to a span question is a layer, and a label or a list of labels is that to a question of the whole text. Other
answers (ratings, rankings) are metadata, and so are other fields than the text. Which texts answer a label question and
which a text question, the records do not say: the option `metadata` names the text questions. Both forms of responses
are read: by question, as `records.to_json` writes them, and a list with a `status`, as the server has them. Only
submitted ones count. The client leaves out the status of a response: in a record that is `pending` it may be a draft
and is no label; in a completed one, a discarded response looks like a submitted one. A record without a
response that has suggestions is returned as `predicted`: suggestions are no labels. A span that was suggested to the
person has the origin `model`, one that overlaps a suggestion of its question `corrected`; the labels of a question have
the origin `model` if they are the suggested ones, else `corrected`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, single_questions
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parts.annotation_tools import (
    ANNOTATION,
    SourceTask,
    ToolFile,
    add_values,
    chosen,
    first_record,
    nameless_layer,
    value_of,
    write_array,
)
from electra_ie.formats.parts.json_values import id_of, text_of
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.page_offsets import CODE_POINTS, PAGE, from_page, is_of_page, may_be_of_page
from electra_ie.formats.parts.units import UTF_16

OPTIONS = {
    "text": Option("text"), "annotation": ANNOTATION, "metadata": Option([]),
    "user": Option("00000000-0000-0000-0000-000000000000"),
    "offsets": Option(CODE_POINTS, choices=(CODE_POINTS, PAGE)),
}  # fmt: skip
"""text: the field. annotation: the response that is read if people differ. metadata: the text questions. user: the id
of the person whose responses are written, which Argilla requires. offsets: what they count, when they are read."""
ONE_LAYER = "spans"
"""The span question of a layer without a name."""
SUBMITTED, PENDING = "submitted", "pending"
HOLDS = frozenset((
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.LAYERS, Feature.UNANNOTATED,
    Feature.LABELS, Feature.QUESTIONS, Feature.SCORES, Feature.PREDICTED, Feature.METADATA,
))  # fmt: skip
Answers = dict[str, tuple[Any, Any]]
"""Values by question, each with its score or scores."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the records of an export.

    An empty list is the answer to a span question, unless other records answer the question with labels.
    """
    reader = _Reader(path, options)
    documents = list(reader.file.read(on_error, reader.document))
    if reader.doubtful:
        warn(
            f"{path}: {reader.doubtful} spans are behind characters beyond U+FFFF, such as emoji, which the page of "
            f"Argilla counts twice. Set the option offsets to {PAGE} if people marked them there."
        )
    for document in documents:
        empty = [layer for layer in document.layers or () if layer in reader.questions]
        layers = tuple(layer for layer in document.layers or () if layer not in empty)
        yield replace(document, layers=layers or None, labels={**document.labels, **dict.fromkeys(empty, ())})


class _Reader:
    """Reads the records of one file.

    Attributes:
        questions: Those that a record answers with labels.
        doubtful: The number of spans whose offsets may count what the page counts.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.file, self.options = ToolFile(path), options
        self.file.spans.units.known.add(UTF_16)
        self.questions: set[str] = set()
        self.doubtful = 0

    def document(self, record: Mapping[str, Any], line: SourceLine) -> AnnotatedDocument:
        """Return the document of a record."""
        id = id_of(record, "id", line)
        source = SourceTask(line.file, line.line, id or "without id")
        self.file.check_id(id, source)
        fields = value_of(record, "fields", dict, source)
        text = text_of(fields, self.options["text"], source)
        further = {key: value for key, value in fields.items() if key != self.options["text"]}
        self.file.left["vectors are"] += len(value_of(record, "vectors", dict | list, source, {}))
        people = self._responses(record, source)
        suggested = _suggestions(value_of(record, "suggestions", dict | list, source, {}), source)
        metadata = further | value_of(record, "metadata", dict, source, {})
        bare = AnnotatedDocument(
            id, text, layers=None, metadata=metadata, predicted=bool(suggested and not people), file=source.file,
            line=source.line, submitted=bool(people),
        )  # fmt: skip
        prediction = self._answered(bare, suggested, source)
        if not people:
            return prediction
        sent = {
            (name, item.get("start"), item.get("end"), item.get("label"))
            for name, (value, _) in suggested.items()
            for item in (value if isinstance(value, list) else ())
            if isinstance(item, dict)
        }
        candidates = [
            _with_origins(self._answered(bare, answers, source, sent), prediction) for answers in people.values()
        ]
        return chosen(candidates, self.options["annotation"], people, source)

    def _responses(self, record: Mapping[str, Any], source: SourceLine) -> dict[str, Answers]:
        """Return the answers of each person."""
        people: dict[str, Answers] = {}
        responses = value_of(record, "responses", dict | list, source, {})
        is_pending = value_of(record, "status", str, source, "") == PENDING
        if isinstance(responses, dict):
            responses = [
                {"values": {name: item}, "user_id": item.get("user_id"), "status": item.get("status")}
                for name in responses
                for item in value_of(responses, name, list, source)
                if isinstance(item, dict)
            ]
        for item in responses:
            values = value_of(item, "values", dict, source, {})
            status = value_of(item, "status", str, source, PENDING if is_pending else SUBMITTED)
            if status != SUBMITTED:
                drafts = status == PENDING
                what = "of pending records, which may be drafts," if drafts else "that were not submitted"
                self.file.left[f"answers {what} are"] += len(values)
                continue
            own = people.setdefault(str(item.get("user_id")), {})
            own |= {name: (value_of(values, name, dict, source).get("value"), None) for name in values}
        return people

    def _answered(
        self,
        document: AnnotatedDocument,
        answers: Answers,
        source: SourceLine,
        sent: Set[tuple[Any, ...]] | None = None,
    ) -> AnnotatedDocument:
        """Return a document with the answers to its questions.

        sent: for the answers of a person, the question, offsets and label of each span that was suggested: it is as it
            was sent if the person has accepted it; other spans are marks of the page. None for suggestions.
        """
        spans: list[AnnotatedSpan] = []
        layers, labels, metadata = [], {}, dict(document.metadata)
        label_scores: dict[str, tuple[float, ...]] = {}
        for name, (value, score) in answers.items():
            scores = score if isinstance(score, list) else [score]
            known = tuple(score for score in map(self.file.score, scores) if score is not None)
            if isinstance(value, list) and all(isinstance(item, dict) and "start" in item for item in value):
                layers.append("" if name == ONE_LAYER else name)
                own = known if len(known) == len(value) else [None] * len(value)
                for item, one in zip(value, own, strict=True):
                    pair, label = (item["start"], item.get("end")), value_of(item, "label", str, source)
                    marked = sent is not None and (name, *pair, label) not in sent and item.get("text") is None
                    if marked and [type(offset) for offset in pair] == [int, int]:
                        pair = self._in_code_points(document.text, *pair, source)
                    offsets = self.file.offsets(document.text, pair, source, item.get("text"))
                    spans.append(AnnotatedSpan(f"T{len(spans) + 1}", label, offsets, layer=layers[-1], score=one))
            elif name not in self.options["metadata"] and (texts := _labels(value)):
                labels[name] = texts
                label_scores |= {name: known} if len(known) == len(texts) else {}
            else:
                metadata[name] = value
        self.questions |= set(labels)
        return replace(
            document, spans=tuple(spans), labels=labels, label_scores=label_scores, layers=tuple(layers) or None,
            metadata=metadata,
        )  # fmt: skip

    def _in_code_points(self, text: str, start: int, end: int, source: SourceLine) -> tuple[int, int]:
        """Return the offsets of a mark as code points, and count those that may be others.

        Raises:
            UserError: They are those of the page, and the option does not say so.
        """
        if self.options["offsets"] == PAGE:
            return from_page(text, start, end, source)
        if is_of_page(text, start, end):
            message = f"the span {start} to {end} is behind an emoji, which the page of Argilla counts twice."
            raise source.error(message, f"Set the option offsets to {PAGE}.")
        self.doubtful += may_be_of_page(text, start, end)
        return start, end


def _labels(value: Any) -> tuple[str, ...]:
    """Return the labels of an answer, () if it has none."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        return ()
    return tuple(dict.fromkeys(values))


def _suggestions(suggestions: Any, source: SourceLine) -> Answers:
    """Return the suggested answers, which are an object by question or a list."""
    if isinstance(suggestions, list):
        suggestions = {str(value_of(item, "question_name", str, source)): item for item in suggestions}
    return {
        name: (value_of(suggestions, name, dict, source).get("value"), suggestions[name].get("score"))
        for name in suggestions
    }


def _with_origins(document: AnnotatedDocument, suggested: AnnotatedDocument) -> AnnotatedDocument:
    """Return a document whose spans and labels say whether they were suggested, where there are suggestions."""
    spans = []
    for span in document.spans:
        others = [other for other in suggested.spans if other.layer == span.layer]
        if any((other.fragments, other.label) == (span.fragments, span.label) for other in others):
            origin = "model"
        elif any(other.start < span.end and span.start < other.end for other in others):
            origin = "corrected"
        else:
            origin = "person" if span.layer in (suggested.layers or ()) else ""
        spans.append(replace(span, origin=origin))
    origins = {
        name: "model" if set(labels) == set(suggested.labels[name]) else "corrected"
        for name, labels in document.labels.items()
        if name in suggested.labels
    }
    return replace(document, spans=tuple(spans), label_origins=origins)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as records, predicted ones with suggestions, others with a submitted response."""
    single = single_questions(documents)
    write_array(path, [_record(document, single, path, options) for document in documents])


def _record(
    document: AnnotatedDocument, single: Mapping[str, bool], path: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for layer in document.layers or ():
        name, spans = layer or ONE_LAYER, [span for span in document.spans if span.layer == layer]
        layers[name] = [
            {"start": span.start, "end": span.end, "label": span.label, "text": document.passage(span)}
            for span in spans
        ]
        scores[name] = [span.score for span in spans if span.score is not None] or None
    labels = {name: values[0] if single[name] else list(values) for name, values in document.labels.items()}
    for name, values in document.label_scores.items():
        scores[name] = values[0] if single[name] else list(values)
    answers = add_values(layers, labels, document.id, path, options["metadata"])
    record: dict[str, Any] = {"id": document.id} if document.id else {}
    record |= {"fields": {options["text"]: document.text}, "metadata": dict(document.metadata)}
    agent = document.metadata.get("model")
    suggestions = {name: {"value": value, "score": scores.get(name), "agent": agent} for name, value in answers.items()}
    responses = {name: [{"value": value, "user_id": options["user"]}] for name, value in answers.items()}
    return record | ({"suggestions": suggestions} if document.predicted else {"responses": responses})


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove what responses or suggestions cannot say.

    These are questions without any label, scores of responses, scores of a layer in which not all spans have one, the
    name of a layer `spans`, and the mark of a prediction of nothing.
    """
    document, losses = nameless_layer(document, ONE_LAYER)
    losses = losses.copy()
    answered = {name: labels for name, labels in document.labels.items() if labels}
    losses["questions without a label"] += len(document.labels) - len(answered)
    document = replace(document, labels=answered)
    unscored = {span.layer for span in document.spans if span.score is None or not document.predicted}
    lost = [span for span in document.spans if span.layer in unscored and span.score is not None]
    losses[Feature.SCORES.value] += len(lost)
    spans = tuple(replace(span, score=None) if span in lost else span for span in document.spans)
    document = replace(document, spans=spans)
    if not document.predicted:
        losses[Feature.SCORES.value] += sum(map(len, document.label_scores.values()))
        document = replace(document, label_scores={})
    elif document.layers is None and not document.labels:
        losses[Feature.PREDICTED.value] += 1
        document = replace(document, predicted=False)
    return document, +losses


def detect(path: Path) -> bool:
    """Return whether the first record has fields, and responses or suggestions."""
    record = first_record(path)
    return isinstance(record.get("fields"), dict) and any(key in record for key in ("responses", "suggestions"))


ARGILLA = Format("argilla", "Argilla", read, write, HOLDS, OPTIONS, detect, reduce=reduce)
