"""Documents of the annotation formats in `formats`, read for the fields of a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, nearest
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine
from electra_ie.data.anchored.relation_pairs import normalized
from electra_ie.data.document import Document, Relation, Span
from electra_ie.data.fields import AnyField, AttributeField, Field, RelationField
from electra_ie.data.readers.parts.attributes import SpanAttributes
from electra_ie.data.readers.parts.divided_spans import DISCONTINUOUS, DividedSpans
from electra_ie.data.readers.parts.gold import Spans, check_label, fields_with_label, flags
from electra_ie.data.readers.parts.keys import Keys
from electra_ie.data.readers.parts.relations import check_relation
from electra_ie.formats.annotations import AnnotatedDocument, Arguments, choice_of
from electra_ie.formats.base import Format
from electra_ie.formats.features import ONE_QUESTION, Feature, reduced
from electra_ie.formats.parts.annotation_tools import ROLES
from electra_ie.formats.parts.delimited import text_columns
from electra_ie.formats.parts.options import Option
from electra_ie.formats.tables import id_column

OPTIONS = {"ignore": Option([]), "discontinuous": DISCONTINUOUS}
"""ignore: labels of spans to skip. discontinuous: see `parts.divided_spans`."""
NOT_READ = (Feature.RELATIONS, Feature.EVENTS, Feature.SPAN_ATTRIBUTES)
"""Features that fields cannot express, which are counted."""
EXPRESSED = frozenset(Feature) - {*NOT_READ}


def read(
    format: Format, path: Path, fields: Sequence[AnyField], options: Mapping[str, Any], on_error: OnError
) -> Iterator[Document]:
    """Yield the documents of a file or folder in an annotation format, with the gold of the fields.

    A field of spans is the layer of its name, or without one, all spans with its labels. A field of classes or flags is
    the question of its name; where questions have no names, it is the only one. In a table, the columns of fields have
    labels, unless the option `labels` names others. Predictions are not gold.
    """
    of_format = {name: value for name, value in options.items() if name in format.options}
    reader, keys = AnnotationReader(path, fields, options), None
    if format.columns and fields and not of_format["labels"]:
        format.check_installed()
        columns = format.columns(path, of_format)
        of_format["labels"] = [field.column for field in reader.others if field.column in columns]
        if Feature.SPANS not in format.holds:
            keys = Keys(str(path), fields, [*text_columns(of_format), id_column(of_format)], "column")
            keys.check(columns, SourceLine(str(path), 1))
    layers = {field.column: [*field.labels, *options["ignore"]] for field in fields if field.kind == "spans"}
    for number, document in enumerate(format.documents(path, format.for_layers(of_format, layers), on_error), start=1):
        try:
            yield reader.document(document, number)
        except UserError as error:
            for single in error.errors or (error,):
                on_error(single)
    reader.report()
    if keys:
        keys.report()


def in_order(arguments: Arguments) -> Arguments:
    """Return the arguments of a relation, head first: `Arg1`, also if the file names `Arg2` before it."""
    return tuple(sorted(arguments)) if {role for role, _ in arguments} == set(ROLES) else arguments


class AnnotationReader:
    """Reads annotated documents of one file for the fields of a task, and counts what these cannot express."""

    def __init__(self, path: Path, fields: Sequence[AnyField], options: Mapping[str, Any]) -> None:
        self.path, self.fields, self.options = path, fields, options
        self.relation_fields = [field for field in fields if isinstance(field, RelationField)]
        of_texts = [field for field in fields if isinstance(field, Field)]
        self.span_fields = [field for field in of_texts if field.kind == "spans"]
        self.others = [field for field in of_texts if field.kind != "spans"]
        self.attribute_fields = [field for field in fields if isinstance(field, AttributeField)]
        counted = {Feature.RELATIONS: self.relation_fields, Feature.SPAN_ATTRIBUTES: self.attribute_fields}
        self.not_expressed = [each for each in NOT_READ if not counted.get(each)]  # the others one by one
        self.spans = Spans(str(path))
        self.divided, self.predicted = DividedSpans(self.spans, options["discontinuous"]), 0
        self.not_read: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()

    def document(self, document: AnnotatedDocument, number: int) -> Document:
        """Return a document with the gold of the fields. number: of the document in its file (from 1).

        Raises:
            UserError: a label that no field has, a span of several fragments that the options do not allow, or several
                answers to a question of classes.
        """
        source = SourceLine(document.file or str(self.path), document.line)
        id = document.id or f"{self.path.stem}-{number}"  # all records of a JSON array may be in one line
        if document.predicted:
            self.predicted += 1
            return Document(id, document.text, {}, *source.position, chosen=choice_of(document.metadata))
        counts = reduced(document, EXPRESSED)[1]
        lost = {feature.value: counts[feature.value] for feature in self.not_expressed}
        self.not_read.update({name: number for name, number in lost.items() if number})
        gold: dict[str, Any] = {}
        if self.span_fields and document.layers is not None:
            by_id: dict[str, Span] = {}
            attributes = SpanAttributes(self.attribute_fields)
            gold |= self._span_gold(document, document.layers, source, by_id, attributes)
            gold |= attributes.gold(self.fields, gold)
            gold |= self._relation_gold(document, by_id, source)
            if self.attribute_fields and attributes.unread:
                self.not_read[Feature.SPAN_ATTRIBUTES.value] += attributes.unread
        origins = Counter(span.origin for span in document.spans if span.origin)
        self.questions.update(list(document.labels))  # of a mapping, the values would be added
        for field in self.others:
            question = self._question(field, document.labels)
            if question in document.labels:
                gold[field.name] = self._labels(document.labels[question], field, source)
                self.answered[field.name] += 1
                origins.update([document.label_origins[question]] if question in document.label_origins else [])
        chosen = choice_of(document.metadata)
        return Document(id, document.text, gold, *source.position, origins, chosen, document.submitted)

    def _span_gold(
        self,
        document: AnnotatedDocument,
        layers: Sequence[str],
        source: SourceLine,
        by_id: dict[str, Span],
        attributes: SpanAttributes,
    ) -> dict[str, Any]:
        """Return the spans of each field: those of its layer, or of all layers that are not named as a field.

        by_id: receives the spans that are read, by the id of their annotation. attributes: receive what they say.
        """
        columns = {field.column: field for field in self.span_fields}
        unnamed = [field for field in self.span_fields if field.column not in layers]
        if any(layer not in columns for layer in layers):
            gold: dict[str, list[Span]] = {field.name: [] for field in self.span_fields}
        else:  # every layer is a field; the other fields are not annotated in this document
            gold = {field.name: [] for field in self.span_fields if field.column in layers}
        self.divided.begin()
        errors: list[UserError] = []
        for span in document.spans:
            if span.label in self.options["ignore"]:
                continue
            try:
                fields = [columns[span.layer]] if span.layer in columns else unnamed
                matching = fields_with_label(span.label, fields, span.source or source)
                more = f"The option ignore: [{span.label}] leaves out all spans of this label."
                found = self.divided.read(
                    document.text, span.fragments, span.label, matching, span.source or source, more
                )
                for read_span, of_fields in found:
                    said = [(attribute.name, attribute.value) for attribute in span.attributes]
                    attributes.add(read_span, said, span.source or source)
                    for field in of_fields:
                        gold[field.name].append(read_span)
                    by_id.setdefault(span.id, read_span)
            except UserError as error:
                errors.append(error)
        if errors:
            raise UserError(f"{len(errors)} invalid spans.", file=source.file, errors=errors)
        self.divided.count()
        return {name: self.spans.gold(spans) for name, spans in gold.items()}

    def _relation_gold(
        self, document: AnnotatedDocument, by_id: Mapping[str, Span], source: SourceLine
    ) -> dict[str, tuple[Relation, ...]]:
        """Return the relations of each field of relations: those with its labels, between spans that are read."""
        gold: dict[str, list[Relation]] = {field.name: [] for field in self.relation_fields}
        for relation in document.relations if self.relation_fields else ():
            if relation.label in self.options["ignore"]:
                continue
            place = relation.source or source
            matching = [field for field in self.relation_fields if relation.label in field.labels]
            if not matching:
                labels = dict.fromkeys(label for field in self.relation_fields for label in field.labels)
                remedy = f"{nearest(relation.label, labels)} The option ignore: [{relation.label}] leaves it out."
                raise place.error(f'no field has the relation "{relation.label}".', remedy)
            ends = [by_id.get(target) for _, target in in_order(relation.arguments)]
            if len(ends) != 2 or None in ends:  # noqa: PLR2004 - of an event, of several spans, or of a skipped one
                self.not_read["relations of other than two spans that are read"] += 1
                continue
            head, tail = (end for end in ends if end is not None)
            if relation.symmetric:
                head, tail = sorted((head, tail))
            check_relation(head, tail, by_id.values(), matching[0], place)
            for field in matching:
                gold[field.name].append(Relation(head, tail, relation.label))
        return {field.name: normalized(field, gold[field.name]) for field in self.relation_fields}

    def _question(self, field: Field, labels: Mapping[str, Any]) -> str:
        """Return the question of a field: that of its name, or the one without a name if no other field asks it."""
        only = field.column not in labels and ONE_QUESTION in labels and len(self.others) == 1
        return ONE_QUESTION if only else field.column

    def _labels(self, labels: Sequence[str], field: Field, source: SourceLine) -> str | tuple[str, ...]:
        if field.kind == "flags":
            return flags(labels, field, source)
        if len(labels) != 1:
            message = f'the question "{field.column}" has {len(labels)} answers ({", ".join(labels) or "none"}).'
            raise source.error(message, "A field of kind classes has exactly one; use kind flags for any number.")
        return check_label(labels[0], field, source)

    def report(self) -> None:
        """Warn of corrections and of what the fields cannot express.

        Raises:
            UserError: the file has questions, and none has the name of a field.
        """
        self.spans.report()
        for field in self.others:
            if self.questions and not self.answered[field.name]:
                message = f'no document has an answer to "{field.column}", the question of the field {field.name}.'
                remedy = f"{nearest(field.column, self.questions)} Set from: in the field."
                raise UserError(message, file=self.path, remedy=remedy)
        parts = [f"{number} {name}" for name, number in self.not_read.items()]
        if self.divided.skipped:
            parts.append(f"{self.divided.skipped} {Feature.FRAGMENTS.value}")
        if self.fields and parts:
            warn(f"{self.path}: not read, since fields cannot express them: {', '.join(parts)}.")
        self.divided.report(str(self.path))
        if self.fields and self.predicted:
            warn(f"{self.path}: {self.predicted} documents have predictions only; they are unlabeled.")
