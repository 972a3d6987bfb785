"""Annotated documents: everything that an annotation format may hold, independent of the fields of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self, TypeVar

from electra_ie.common.text_files import SourceLine

Offsets = tuple[int, int]
"""First character and the one after the last, in Unicode code points."""
Arguments = tuple[tuple[str, str], ...]
"""Roles, each with the id of a span or an event."""
ORIGINS = ("", "person", "model", "corrected")
"""Who made an annotation: unknown, a person, a model (a person left it as it was), a person who changed a model's."""
CHOSEN = "chosen"
"""The key of the metadata that says how a text was chosen to be labeled, one of `CHOICES`."""
FOUND = "found"
"""How a text of a review queue was chosen: a model has found something in it."""
CHOICES = ("typical", "uncertain", "random", FOUND)
AnyAnnotation = TypeVar("AnyAnnotation", bound="Annotation")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of a span, relation or event. value: None for one that is only present (brat's `Negated`)."""

    name: str
    value: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and isinstance(self.value, str | None)):
            raise ValueError(f"an attribute is {self.name!r} with the value {self.value!r}; both must be texts")


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of a knowledge base that a span, relation or event refers to: `MeSH`, `D003000`, its name there."""

    resource: str
    id: str
    name: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(part, str) for part in (self.resource, self.id, self.name)):
            raise ValueError(f"a reference is {self.resource!r}, {self.id!r}, {self.name!r}; all must be texts")


@dataclass(frozen=True, slots=True)
class Annotation:
    """What spans, relations and events have in common.

    id: unique in the document. score: the probability of a prediction, from 0 to 1; None for a label of a person.
    origin: who made it, one of `ORIGINS`. source: its own line, if it has one in the file, for messages.
    """

    id: str
    label: str
    attributes: tuple[Attribute, ...] = field(default=(), kw_only=True)
    references: tuple[Reference, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    score: float | None = field(default=None, kw_only=True)
    origin: str = field(default="", kw_only=True)
    source: SourceLine | None = field(default=None, kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise ValueError(f'the origin of an annotation is "{self.origin}", not one of {", ".join(ORIGINS[1:])}')
        if self.score is not None and not _is_number(self.score):
            raise ValueError(f"the score of an annotation is {self.score!r}, not a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class AnnotatedSpan(Annotation):
    """A labeled passage of one or more fragments, in the order of the text.

    layer: the name of the set of labels that it belongs to, "" in formats with one set.
    """

    fragments: tuple[Offsets, ...]
    layer: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        Annotation.__post_init__(self)
        if not self.fragments or any(not 0 <= start < end for start, end in self.fragments):
            raise ValueError(f"the fragments are {self.fragments}; each needs 0 <= start < end")
        if any(first[1] > second[0] for first, second in pairwise(self.fragments)):
            raise ValueError(f"the fragments are {self.fragments}; they need to be in order, without overlaps")

    @property
    def start(self) -> int:
        """The first character."""
        return self.fragments[0][0]

    @property
    def end(self) -> int:
        """The character after the last."""
        return self.fragments[-1][1]


@dataclass(frozen=True, slots=True)
class Relation(Annotation):
    """A labeled relation of spans or events, mostly two.

    symmetric: the order of the arguments means nothing. layer: the name of the set of labels that it belongs to, "" in
    formats with one set.
    """

    arguments: Arguments
    symmetric: bool = field(default=False, kw_only=True)
    layer: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Event(Annotation):
    """An event: a span that names it (the trigger), and its arguments, which may be events."""

    trigger: str
    arguments: Arguments = ()


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A text as it was read, without any normalization, with its annotation.

    Attributes:
        id: The id, "" if the format has none.
        text: The text.
        spans: Its spans, in the order of the file.
        relations: Relations of spans and events.
        events: Events.
        labels: Labels of the whole text by question; a single choice is a tuple of one. A question without an answer is
            not in it, and an empty tuple means that no label applies.
        label_scores: The probabilities of predicted labels, in the order of `labels`, for the questions that have them.
        layers: The names of the sets of span labels that were annotated, also if they have no span; None if the text
            was not annotated with spans.
        notes: Notes on the document.
        metadata: Other values of the record, as JSON has them.
        predicted: Whether the annotation is that of a model, for a person to correct.
        submitted: Whether a person has submitted it in an annotation tool, which may leave out a question without a
            choice, and a layer without a span.
        label_origins: Who made the labels of a question, one of `ORIGINS`, for the questions where the format says it.
        relation_layers: The names of the sets of relation labels that were annotated, also if they have no relation.
        file: The file, for messages.
        line: The first line of the record (from 1), or 0.
    """

    id: str
    text: str
    spans: tuple[AnnotatedSpan, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label_scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    layers: tuple[str, ...] | None = ("",)
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    predicted: bool = False
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    label_origins: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    submitted: bool = field(default=False, compare=False, kw_only=True)
    relation_layers: tuple[str, ...] = field(default=("",), kw_only=True)

    def with_layers(self, layers: Iterable[str]) -> Self:
        """Return the document as one that is annotated with these layers, too, with or without spans in them."""
        return replace(self, layers=tuple(dict.fromkeys((*(self.layers or ()), *layers))) or None)

    def __post_init__(self) -> None:
        annotations = list(self.annotations)
        ids = {annotation.id for annotation in annotations}
        if len(ids) < len(annotations):
            raise ValueError("two annotations have the same id")
        if any(span.end > len(self.text) for span in self.spans):
            raise ValueError(f"a span is outside the text of {len(self.text)} characters")
        spans = {span.id for span in self.spans}
        arguments = [item.arguments for item in self.relations] + [event.arguments for event in self.events]
        pairs = [pair for each in arguments for pair in each]
        if other := [pair for pair in pairs if not all(isinstance(part, str) for part in pair)]:
            raise ValueError(f"an argument is {other[0]!r}; role and id must be texts")
        targets = {target for _, target in pairs}
        if unknown := sorted((targets - ids) | ({event.trigger for event in self.events} - spans)):
            raise ValueError(f'there is no annotation "{unknown[0]}"')
        if any(len(scores) != len(self.labels.get(name, ())) for name, scores in self.label_scores.items()):
            raise ValueError("label_scores needs a score for each label of its questions")
        if not all(_is_number(score) for scores in self.label_scores.values() for score in scores):
            raise ValueError(f"label_scores is {dict(self.label_scores)}; scores are numbers")
        if set(self.label_origins) - set(self.labels) or set(self.label_origins.values()) - set(ORIGINS[1:]):
            raise ValueError(f"label_origins needs one of {', '.join(ORIGINS[1:])} for questions that have labels")
        if {span.layer for span in self.spans} - set(self.layers or ()):
            raise ValueError("the layer of a span is not among the layers of the document")
        if {relation.layer for relation in self.relations} - set(self.relation_layers):
            raise ValueError("the layer of a relation is not among the layers of relations of the document")

    @property
    def annotations(self) -> Iterator[Annotation]:
        """All spans, relations and events."""
        yield from self.spans
        yield from self.relations
        yield from self.events

    def passage(self, span: AnnotatedSpan) -> str:
        """Return the text of a span, that of its fragments joined by blanks (as brat quotes it)."""
        return " ".join(self.text[start:end] for start, end in span.fragments)


def without(document: AnnotatedDocument, dropped: Iterable[str]) -> AnnotatedDocument:
    """Return a document without the annotations of these ids, nor relations and events that need them.

    An event loses its arguments that are dropped, a relation is dropped with any of them.
    """
    ids = set(dropped)
    events, relations = list(document.events), list(document.relations)
    while True:
        ids |= {event.id for event in events if event.trigger in ids}
        ids |= {relation.id for relation in relations if any(target in ids for _, target in relation.arguments)}
        kept = [event for event in events if event.id not in ids], [item for item in relations if item.id not in ids]
        if (len(kept[0]), len(kept[1])) == (len(events), len(relations)):
            break
        events, relations = kept
    events = [
        replace(event, arguments=tuple(item for item in event.arguments if item[1] not in ids)) for event in events
    ]
    spans = tuple(span for span in document.spans if span.id not in ids)
    return replace(document, spans=spans, relations=tuple(relations), events=tuple(events))


def choice_of(metadata: Mapping[str, Any]) -> str:
    """Return how a text was chosen to be labeled, one of `CHOICES`; "" if its metadata do not say so."""
    value = metadata.get(CHOSEN)
    return value if isinstance(value, str) and value in CHOICES else ""


def single_questions(documents: Iterable[AnnotatedDocument]) -> dict[str, bool]:
    """Return the questions of documents, each with whether every answer to it is exactly one label."""
    single: dict[str, bool] = {}
    for document in documents:
        for name, labels in document.labels.items():
            single[name] = single.get(name, True) and len(labels) == 1
    return single


def canonical(document: AnnotatedDocument) -> AnnotatedDocument:
    """Return a document with annotations in a fixed order and ids T1, R1, E1, ..., so that equal content is equal.

    Also sorted are attributes, references, notes, layers, labels, and the arguments of events and symmetric relations.
    """
    spans = sorted(document.spans, key=lambda span: (span.fragments, span.layer, span.label, _details(span)))
    names = {span.id: f"T{number}" for number, span in enumerate(spans, start=1)}
    events = _ordered_events(document.events, names)
    names |= {event.id: f"E{number}" for number, event in enumerate(events, start=1)}
    relations = sorted(
        (replace(item, arguments=_arguments(item.arguments, names, item.symmetric)) for item in document.relations),
        key=lambda item: (item.layer, item.label, item.arguments, item.symmetric, _details(item)),
    )
    labels, scores = {}, {}
    for name in sorted(document.labels):
        order = sorted(range(len(document.labels[name])), key=document.labels[name].__getitem__)
        labels[name] = tuple(document.labels[name][index] for index in order)
        if name in document.label_scores:
            scores[name] = tuple(document.label_scores[name][index] for index in order)
    return replace(
        document,
        spans=tuple(_sorted(replace(span, id=names[span.id])) for span in spans),
        events=tuple(
            _sorted(
                replace(
                    event,
                    id=names[event.id],
                    trigger=names[event.trigger],
                    arguments=_arguments(event.arguments, names, sort=True),
                )
            )
            for event in events
        ),
        relations=tuple(_sorted(replace(item, id=f"R{number}")) for number, item in enumerate(relations, start=1)),
        labels=labels,
        label_scores=scores,
        layers=None if document.layers is None else tuple(sorted(document.layers)),
        relation_layers=tuple(sorted(document.relation_layers)),
        notes=tuple(sorted(document.notes)),
    )


def _ordered_events(events: Sequence[Event], names: Mapping[str, str]) -> list[Event]:
    """Return events in a fixed order; one that is an argument of another counts by its trigger there."""
    triggers = {event.id: names[event.trigger] for event in events}
    known = {**names, **triggers}

    def key(event: Event) -> tuple[Any, ...]:
        return known[event.trigger], event.label, _arguments(event.arguments, known, sort=True), _details(event)

    return sorted(events, key=key)


def _arguments(arguments: Arguments, names: Mapping[str, str], sort: bool) -> Arguments:
    renamed = [(role, names[target]) for role, target in arguments]
    return tuple(sorted(renamed, key=lambda item: (item[1], item[0])) if sort else renamed)


def _details(annotation: Annotation) -> tuple[Any, ...]:
    """Return what orders annotations that are equal otherwise."""
    ordered = _sorted(annotation)
    attributes = [(attribute.name, attribute.value or "") for attribute in ordered.attributes]
    references = [(entry.resource, entry.id, entry.name) for entry in ordered.references]
    return attributes, references, ordered.notes, ordered.score or 0.0, ordered.origin


def _sorted(annotation: AnyAnnotation) -> AnyAnnotation:
    return replace(
        annotation,
        attributes=tuple(sorted(annotation.attributes, key=lambda item: (item.name, item.value or ""))),
        references=tuple(sorted(annotation.references, key=lambda item: (item.resource, item.id, item.name))),
        notes=tuple(sorted(annotation.notes)),
    )
