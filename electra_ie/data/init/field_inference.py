"""Fields inferred from annotated documents: what could be predicted, of which kind, with which labels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.text_files import SourceLine
from electra_ie.data.declaration.task_yaml import OF_RECORDS, RESERVED_NAMES, WINDOWS_DEVICE
from electra_ie.data.document import Document, Span
from electra_ie.data.fields import (
    FIELD_NAME,
    LEVELS,
    TRACKS,
    AnyField,
    AnyFieldT,
    Field,
    count_labels,
    drop_overlapping,
    lost_by_overlap,
)
from electra_ie.data.init.anchored_inference import TAKEN, AnchoredInference, Spanned
from electra_ie.data.init.cell_labels import are_dates, labels_in, separator_of
from electra_ie.data.readers.parts.gold import Spans
from electra_ie.formats.annotations import CHOSEN, AnnotatedDocument, choice_of
from electra_ie.formats.concepts import LOST, relations_of_concepts
from electra_ie.formats.concepts import RELATIONS as OF_CONCEPTS
from electra_ie.formats.features import Feature, Losses, reduced
from electra_ie.formats.json_lines import ONE_LAYER

EXPRESSED = frozenset(
    {
        Feature.IDS, Feature.SPANS, Feature.FRAGMENTS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.LAYERS,
        Feature.UNANNOTATED, Feature.LABELS, Feature.QUESTIONS, Feature.METADATA, Feature.RELATIONS, Feature.SYMMETRIC,
        Feature.SPAN_ATTRIBUTES, Feature.RELATION_LAYERS,
    }
)  # fmt: skip
"""What a task can express, or what is distinguished below. Everything else is counted as lost."""
UNNAMED = "entities"
"""The field of spans in formats whose spans have no name."""
MAX_LABELS = 500
MIN_REPETITION, MIN_ANSWERS = 2, 10
"""From this number of answers on, the labels of a question need to be given this often on average: otherwise they are
titles or sources, and not classes."""
MAX_OVERLAPPING = 0.05
"""The share of the spans of a field that may overlap others; with more, each label has its own field."""
SHOWN = 10


@dataclass(frozen=True)
class Inferred:
    """Fields, the documents with their gold, one line for each assumption, and what separates labels in cells."""

    fields: tuple[AnyField, ...]
    documents: list[Document]
    assumptions: list[str]
    separators: tuple[str, ...] = ()


def infer(documents: Sequence[AnnotatedDocument], on_error: OnError) -> Inferred:
    """Infer the fields of documents; there may be none.

    A layer of spans is a field of kind `spans`. If more than `MAX_OVERLAPPING` of its spans overlap, each of its labels
    is one. A question is a field of kind `classes` if every document that answers it has exactly one label, else of
    kind `flags`. Relations of the spans are a field of kind `relations`, and each attribute of spans whose values can
    be learned is one of kind `attributes`.

    Args:
        documents: The documents. Those that are predicted count as unlabeled.
        on_error: Called for each span that is invalid.

    Raises:
        UserError: The offsets of the spans of a file seem to count another unit than code points.
    """
    return _Inference(documents, on_error).result()


class _Inference:
    """The fields, gold and assumptions so far."""

    def __init__(self, documents: Sequence[AnnotatedDocument], on_error: OnError) -> None:
        self.assumed: list[str] = []
        self.separators: dict[str, None] = {}
        self.fields: list[Field] = []
        self.anchored: list[AnyField] = []
        self.documents = [self._bare(document) for document in documents]
        self.read_spans: list[dict[str, Span]] = [{} for _ in documents]  # by the ids of their annotations
        self.gold: list[dict[str, object]] = [{} for _ in documents]
        sizes = Counter(document.file for document in documents)
        # Files of one document each are counted together, by folder.
        places = {file: file if size > 1 else str(Path(file).parent) for file, size in sizes.items()}
        self.spans = {place: Spans(place) for place in dict.fromkeys(places.values())}
        self.spans_of_file = {file: self.spans[place] for file, place in places.items()}
        self.on_error = on_error
        self.expressed = self._without_losses(documents)

    def result(self) -> Inferred:
        """Return the fields and the documents with their gold."""
        self._find_fields()
        if not self.fields and self._take_values():
            self._find_fields()
        self._find_anchored()
        self._note_values()
        for spans in self.spans.values():
            spans.report()
        found = [
            Document(
                document.id, document.text, gold, document.file, document.line, chosen=choice_of(document.metadata)
            )
            for document, gold in zip(self.documents, self.gold, strict=True)
        ]
        return Inferred(
            (*self.fields, *self.anchored), found, list(dict.fromkeys(self.assumed)), tuple(self.separators)
        )

    def _find_fields(self) -> None:
        """Add the fields of all layers and questions."""
        layers = dict.fromkeys(layer for document in self.documents for layer in document.layers or ())
        questions = dict.fromkeys(name for document in self.documents for name in document.labels)
        for name in layers:
            self._layer(name)
        for name in questions:
            if name not in {layer or ONE_LAYER for layer in layers}:
                self._question(name)
            elif mixed := sum(bool(document.labels.get(name)) for document in self.documents):
                self.assumed.append(
                    f'"{name}" is a field of spans: its labels of {mixed:,} whole documents are not read'
                )

    def _find_anchored(self) -> None:
        """Add the fields of relations between the spans of fields, and of their attributes."""
        if not any(each.kind == "spans" for each in self.fields):
            unread = {
                Feature.RELATIONS.value: sum(len(each.relations) for each in self.documents),
                Feature.SPAN_ATTRIBUTES.value: sum(len(s.attributes) for each in self.documents for s in each.spans),
            }
            self.assumed += [
                f"{name}: {number:,} are not read: there is no field of spans"
                for name, number in unread.items()
                if number
            ]
            return
        documents = [
            Spanned(document, gold, spans)
            for document, gold, spans in zip(self.expressed, self.gold, self.read_spans, strict=True)
        ]
        inference = AnchoredInference(documents, self.fields)
        for inferred in (*inference.relations(), *inference.attributes()):
            added = self._named(inferred.field, TAKEN)
            self.anchored.append(added)
            for gold, own in zip(self.gold, inferred.gold, strict=True):
                if own is not None:
                    gold[added.name] = own
            self._note_field(added, inferred.verdict)
        self.assumed += inference.assumed

    def _take_values(self) -> bool:
        """Take the texts among the other values of records, such as columns of tables, as answers to questions."""
        texts = [
            {key: value.strip() for key, value in document.metadata.items() if isinstance(value, str) and value.strip()}
            for document in self.documents
        ]
        cells: dict[str, list[str]] = {}
        for values in texts:
            for key, value in values.items():
                cells.setdefault(key, []).append(value)
        if dates := [key for key, values in cells.items() if are_dates(values)]:
            self.assumed.append(f"dates are no labels: {', '.join(dates)}")
        keys = Counter({key: len(values) for key, values in cells.items() if key not in dates})
        if not keys:
            return False
        self.assumed.append(
            f"nothing is marked as a label, so columns and other values count as labels: {_listed(keys)}"
        )
        separators = {key: separator for key in keys if (separator := separator_of(cells[key]))}
        self.separators |= dict.fromkeys(separators.values())
        for key, separator in separators.items():
            self._note_separator(key, separator, len(texts) - keys[key])
        self.documents = [
            replace(
                document,
                labels={
                    **{key: labels_in(values[key], separators.get(key, "")) for key in keys if key in values},
                    **document.labels,
                },
                metadata={key: value for key, value in document.metadata.items() if key not in values or key in dates},
            )
            for document, values in zip(self.documents, texts, strict=True)
        ]
        return True

    def _note_separator(self, key: str, separator: str, empty: int) -> None:
        unknown = f"; {empty:,} empty ones are unknown (the option blank: none says that no label applies)"
        self.assumed.append(f'the labels in a cell of "{key}" are separated by "{separator}"{unknown if empty else ""}')

    def _bare(self, document: AnnotatedDocument) -> AnnotatedDocument:
        """Return a document as a person has labeled it."""
        if not document.predicted:
            return document
        return AnnotatedDocument(document.id, document.text, layers=None, file=document.file, line=document.line)

    def _without_losses(self, documents: Sequence[AnnotatedDocument]) -> list[AnnotatedDocument]:
        """Return the documents with what tasks can express, and count the rest. documents: as they were read."""
        if predicted := sum(document.predicted for document in documents):
            self.assumed.append(f"{predicted:,} documents are labeled by a model only: they count as unlabeled")
        losses: Losses = Counter()
        expressed = []
        for document in self.documents:
            kept, lost = reduced(document, EXPRESSED)
            expressed.append(kept)
            losses += lost
        for name, number in losses.items():
            self.assumed.append(f"{name}: {number:,} are not read, since no field expresses them")
        return expressed

    def _note_values(self) -> None:
        """Count the other values of records."""
        if concepts := sum(len(relations_of_concepts(document.metadata)) for document in self.documents):
            self.assumed.append(
                f"{LOST}: {concepts:,} are not read: they relate entries of a knowledge base, not spans"
            )
        read = [OF_CONCEPTS] if concepts else []
        keys = Counter(
            key
            for document in self.documents
            for key in document.metadata
            if key not in read and not (key == CHOSEN and choice_of(document.metadata))
        )
        if keys:
            self.assumed.append(f"these values are neither texts of labels nor spans, and not read: {_listed(keys)}")

    def _add(self, field: Field) -> Field:
        """Add a field, with a valid name of its own."""
        self.fields.append(self._named(field))
        return self.fields[-1]

    def _named(self, field: AnyFieldT, taken: Iterable[str] = ()) -> AnyFieldT:
        """Return a field with a valid name that is neither taken nor that of another field."""
        name = valid_name(field.name, [*taken, *(other.name for other in (*self.fields, *self.anchored))])
        source = field.source or field.name
        return replace(field, name=name, source="" if source == name else source)

    def _note_field(self, field: AnyField, verdict: str) -> None:
        gold = [gold[field.name] for gold in self.gold if field.name in gold]
        counts = count_labels(field, gold)
        self.assumed.append(f"{field.name}: {field.kind}{verdict} ({len(gold):,} documents; {_listed(counts)})")

    # Questions

    def _question(self, name: str) -> None:
        """Add the field of a question about whole documents, if its answers can be learned."""
        answers = [_answer(document.labels.get(name)) for document in self.documents]
        given = [labels for labels in answers if labels is not None]
        counts = Counter(label for labels in given for label in labels)
        single = all(len(labels) == 1 for labels in given)
        if reason := _no_field(counts, single):
            self.assumed.append(f'"{name}" is not a field: {reason}')
            return
        kind = "classes" if single else "flags"
        field = self._add(Field(name, kind, tuple(sorted(counts))))
        for gold, labels in zip(self.gold, answers, strict=True):
            if labels is not None and single:
                gold[field.name] = labels[0]
            elif labels is not None:
                gold[field.name] = tuple(label for label in field.labels if label in labels)
        of = "exactly one label in each" if single else "none or several labels in some"
        self._note_field(field, f", {of} of its documents")

    # Spans

    def _layer(self, layer: str) -> None:
        """Add the field of a layer, or the fields of its labels."""
        key = layer or ONE_LAYER
        documents = [
            self._spans_of(document, layer, read)
            for document, read in zip(self.documents, self.read_spans, strict=True)
        ]
        counts = Counter(span.label for spans in documents for span in spans or ())
        if not counts:
            self.assumed.append(f'"{key}" is not a field: it has no span')
            return
        if len(counts) > MAX_LABELS:
            self.assumed.append(f'"{key}" is not a field: its spans have {len(counts):,} labels')
            return
        lost = sum(len(drop_overlapping(spans)[1]) for spans in documents if spans)
        name = layer or UNNAMED
        if lost > MAX_OVERLAPPING * counts.total() and len(counts) > 1:
            scheme = _scheme(Field(name, "spans", tuple(counts)), documents)
            self.assumed.append(
                f"{name}: {lost:,} of {counts.total():,} spans overlap a longer one, so each label has its own field "
                f"(one field with scheme: {scheme} loses none)"
            )
            for label in sorted(counts):
                self._span_field(Field(label, "spans", (label,), key), documents)
        else:
            self._span_field(Field(name, "spans", tuple(sorted(counts)), key), documents)

    def _span_field(self, field: Field, documents: Sequence[tuple[Span, ...] | None]) -> None:
        """Add a field of spans."""
        own = [
            None if spans is None else tuple(span for span in spans if span.label in field.labels)
            for spans in documents
        ]
        scheme, several = _scheme(field, own), sum(bool(span.fragments) for spans in own for span in spans or ())
        if several:
            lost, field = 0, self._add(replace(field, scheme=scheme, fragments=True))
        else:
            lost = sum(len(drop_overlapping(spans)[1]) for spans in own if spans)
            field = self._add(replace(field, overlaps="count" if lost else "error"))
        for gold, spans in zip(self.gold, own, strict=True):
            if spans is not None:
                gold[field.name] = spans
        overlaps = (
            f", {lost:,} that overlap a longer one count as missed (overlaps: count; scheme: {scheme} loses none)"
            if lost
            else ""
        )
        parts = f", {several:,} of several fragments (fragments: true, scheme: {scheme})" if several else ""
        empty = sum(spans == () for spans in own)
        none = f", {empty:,} documents count as without any" if empty else ""
        self._note_field(field, overlaps + parts + none)

    def _spans_of(self, document: AnnotatedDocument, layer: str, read: dict[str, Span]) -> tuple[Span, ...] | None:
        """Return the spans of a layer, without white space at their edges; None if it is unknown.

        read: receives the spans by the ids of their annotations.
        """
        # An empty list of JSON lines may be an empty layer or a question without labels: other documents tell.
        if layer not in (document.layers or ()) and document.labels.get(layer or ONE_LAYER) != ():
            return None
        source, builder = SourceLine(document.file, document.line), self.spans_of_file[document.file]
        spans = []
        for span in document.spans:
            if span.layer == layer and span.label:
                try:
                    read[span.id] = builder.fragmented(document.text, span.fragments, span.label, source)
                except UserError as error:
                    self.on_error(error)
                    continue
                spans.append(read[span.id])
        return builder.gold(spans)


def _scheme(field: Field, documents: Sequence[tuple[Span, ...] | None]) -> str:
    """Return the simpler of the schemes with tracks that express all spans of the documents."""
    tracks = replace(field, scheme=TRACKS)
    return LEVELS if any(lost_by_overlap(tracks, spans) for spans in documents if spans) else TRACKS


def _answer(labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the labels of an answer, each once; None if it is unknown, as an empty text is."""
    named = tuple(dict.fromkeys(label for label in labels or () if label))
    return None if labels is None or (labels and not named) else named


def _no_field(counts: Counter[str], single: bool) -> str:
    """Return why the answers to a question cannot be learned, or ""."""
    if not counts:
        return "no document has a label"
    if single and len(counts) == 1:
        return f'all {counts.total():,} documents have the same label, "{next(iter(counts))}"'
    rarely_repeated = counts.total() >= MIN_ANSWERS and counts.total() < MIN_REPETITION * len(counts)
    if rarely_repeated or len(counts) > MAX_LABELS:
        return f"{len(counts):,} different values in {counts.total():,} answers are not labels"
    return ""


def _listed(counts: Counter[str]) -> str:
    """Return names with their counts, the most frequent first."""
    listed = [f"{name} {number:,}" for name, number in counts.most_common(SHOWN)]
    return ", ".join([*listed, f"{len(counts) - SHOWN} more"] if len(counts) > SHOWN else listed)


def valid_name(name: str, taken: Collection[str] = ()) -> str:
    """Return a valid name of a field: ASCII letters, digits and _, other than the names that are taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    made = name if FIELD_NAME.fullmatch(name) else words or "field"
    made = f"_{made}" if made[0].isdigit() else made
    if WINDOWS_DEVICE.fullmatch(made) or made.lower() in (*RESERVED_NAMES, *OF_RECORDS):
        made += "_field"
    return next(free for free in _numbered(made[:60]) if free.lower() not in {other.lower() for other in taken})


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
