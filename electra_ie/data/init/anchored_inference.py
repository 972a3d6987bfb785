"""Fields of relations and of attributes, inferred from annotated documents whose spans are in fields already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from electra_ie.common.folders import count
from electra_ie.common.text_files import SourceLine
from electra_ie.data.anchored.relation_pairs import NONE, normalized
from electra_ie.data.document import Attribute, Relation, Span
from electra_ie.data.fields import RELATIONS, AnchoredField, AttributeField, Field, RelationField
from electra_ie.data.readers.annotated import in_order
from electra_ie.data.readers.jsonl import OF_SPANS
from electra_ie.data.readers.parts.attributes import FLAGS, SpanAttributes
from electra_ie.formats.annotations import AnnotatedDocument

MAX_VALUES = 20
"""An attribute of more values is no class of a span, but a name or a code."""
MIN_REPETITION, MIN_SPANS = 2, 10
"""From this number of spans on, the values of an attribute need to be given this often on average."""
TAKEN = (*OF_SPANS, "references", "notes", "score")
"""Keys of spans, which no attribute may have for its own."""


@dataclass
class Spanned:
    """A document and its gold so far.

    Attributes:
        annotated: The document, with nothing but what fields express.
        gold: The gold of its fields of spans.
        spans: The spans by the ids of their annotations.
    """

    annotated: AnnotatedDocument
    gold: dict[str, object]
    spans: dict[str, Span] = field(default_factory=dict)

    @property
    def source(self) -> SourceLine:
        """Its position, for messages."""
        return SourceLine(self.annotated.file, self.annotated.line)


@dataclass(frozen=True)
class InferredField:
    """A field that is anchored to spans, its gold in each document (None if unknown), and what was assumed."""

    field: AnchoredField
    gold: Sequence[tuple[Relation, ...] | tuple[Attribute, ...] | None]
    verdict: str


class AnchoredInference:
    """Infers the fields that are anchored to the spans of the fields of spans. `assumed` says what is not read.

    Args:
        documents: The documents, with the gold of the fields of spans.
        fields: All fields so far.
    """

    def __init__(self, documents: Sequence[Spanned], fields: Sequence[Field]) -> None:
        self.documents = documents
        self.fields = [each for each in fields if each.kind == "spans"]
        self.assumed: list[str] = []
        for document in documents:
            known = {span for each in self.fields for span in document.gold.get(each.name, ())}  # type: ignore[attr-defined]
            document.spans = {id: span for id, span in document.spans.items() if span in known}

    def is_labeled(self, document: Spanned) -> bool:
        """Return whether the spans of a document are known."""
        return any(each.name in document.gold for each in self.fields)

    # Relations

    def relations(self) -> Iterator[InferredField]:
        """Yield a field for each layer of relations."""
        layers = dict.fromkeys(each.layer for document in self.documents for each in document.annotated.relations)
        for layer in layers:
            yield from self._relation_field(layer or RELATIONS, [self._stated(each, layer) for each in self.documents])

    def _stated(self, document: Spanned, layer: str) -> list[tuple[str, str, str, bool]] | None:
        """Return the ids of head and tail, the label, and whether there is no direction, of each relation of a layer.

        None if they are unknown: the document was not annotated with the layer, or its spans are unknown.
        """
        if not self.is_labeled(document) or layer not in document.annotated.relation_layers:
            return None
        found = []
        for relation in document.annotated.relations:
            if relation.layer == layer:
                (_, head), (_, tail) = in_order(relation.arguments)
                found.append((head, tail, relation.label, relation.symmetric))
        return found

    def _relation_field(
        self, name: str, stated: Sequence[list[tuple[str, str, str, bool]] | None]
    ) -> Iterator[InferredField]:
        """Yield the field of relations, if a field can express any."""
        losses: Counter[str] = Counter()
        directed: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        gold: list[list[Relation] | None] = []
        for document, listed in zip(self.documents, stated, strict=True):
            own: list[Relation] = []
            for head, tail, label, symmetric in listed or ():
                ends = [document.spans[id] for id in (head, tail) if id in document.spans]
                if label == NONE:
                    losses[f'have the label "{NONE}", which a model needs for pairs of spans that are not related'] += 1
                elif len(ends) < len((head, tail)):
                    losses["have a head or tail that is in no field of spans"] += 1
                elif ends[0] == ends[1]:
                    losses["relate a passage to itself"] += 1
                else:
                    first, second = sorted(ends) if symmetric else ends
                    own.append(Relation(first, second, label))
                    labels[label] += 1
                    directed[label] += not symmetric
            gold.append(None if listed is None else own)
        self.assumed += [f"{name}: {number:,} {reason}: they are not read" for reason, number in losses.items()]
        if not labels:
            return
        symmetric_labels = tuple(label for label in sorted(labels) if not directed[label])
        inferred = RelationField(name, tuple(sorted(labels)), symmetric=symmetric_labels)
        found = [None if own is None else normalized(inferred, own) for own in gold]
        further = sum(len(own) - len({(each.head, each.tail) for each in own}) for own in found if own)
        verdict = f", between spans of {', '.join(each.name for each in self.fields)}"
        verdict += f", without a direction: {', '.join(symmetric_labels)}" if symmetric_labels else ""
        verdict += f", {further:,} further ones of the same two spans count as missed" if further else ""
        repeated = sum(len(own) for own in gold if own) - sum(len(own) for own in found if own)
        verdict += f", {repeated:,} repeated ones count once" if repeated else ""
        yield InferredField(inferred, found, verdict)

    # Attributes

    def attributes(self) -> Iterator[InferredField]:
        """Yield a field for each attribute of spans whose values can be learned; say of the others why not."""
        values: dict[str, list[dict[Span, set[str | None]]]] = {}
        for number, document in enumerate(self.documents):
            for span in document.annotated.spans:
                for attribute in span.attributes if span.id in document.spans else ():
                    said = values.setdefault(attribute.name, [{} for _ in self.documents])[number]
                    said.setdefault(document.spans[span.id], set()).add(attribute.value)
        unread = sum(
            len(span.attributes)
            for document in self.documents
            for span in document.annotated.spans
            if span.id not in document.spans
        )
        if unread:
            self.assumed.append(f"attributes of spans: {unread:,} are of spans in no field, and not read")
        for name, by_document in values.items():
            yield from self._attribute_field(name, by_document)

    def _attribute_field(
        self, name: str, said: Sequence[Mapping[Span, Collection[str | None]]]
    ) -> Iterator[InferredField]:
        """Yield the field of an attribute. said: its values for the spans of each document."""
        is_flag = all(value in FLAGS for own in said for values in own.values() for value in values)
        chosen, several = [_chosen(name, own, is_flag) for own in said], 0
        if not is_flag:
            several = sum(len([each for each in values if each]) > 1 for own in said for values in own.values())
        counts = Counter(label for own in chosen for label in own.values())
        of = tuple(sorted({span.label for own in chosen for span in own}))
        having = sum(len(self._having(document, of)) for document in self.documents)
        reason = _no_classes(counts, having if is_flag else 0, is_flag)
        if all(
            value == span.passage(document.annotated.text)
            for document, own in zip(self.documents, said, strict=True)
            for span, values in own.items()
            for value in values
        ):
            reason = "it is the text of the spans"
        if reason:
            number = sum(len(own) for own in said)
            spans = count(number, "span has", "spans have")
            self.assumed.append(f'the attribute "{name}", which {spans}, is not a field: {reason}')
            return
        default = f"not_{name}" if is_flag else ""
        inferred = AttributeField(name, ((default,) if default else ()) + tuple(sorted(counts)), of, default)
        gold = []
        for document, own in zip(self.documents, chosen, strict=True):
            attributes = SpanAttributes([inferred])
            for span, label in own.items():
                attributes.add(span, [(name, None if is_flag else label)], document.source)
            gold.append(attributes.gold(self.fields, document.gold).get(name))
        missing = having - counts.total() - several
        verdict = f", of {', '.join(of)}"
        verdict += f", {default} where it is not said" if default else ""
        verdict += f", {several:,} spans with several values are unlabeled" if several else ""
        verdict += f", {missing:,} other spans of these labels are unlabeled" if missing > 0 and not default else ""
        yield InferredField(inferred, gold, verdict)

    def _having(self, document: Spanned, of: Collection[str]) -> set[Span]:
        """Return the spans of a document with these labels."""
        return {
            span
            for each in self.fields
            for span in document.gold.get(each.name, ())  # type: ignore[attr-defined]
            if span.label in of
        }


def _chosen(name: str, said: Mapping[Span, Collection[str | None]], is_flag: bool) -> dict[Span, str]:
    """Return the label of each span that has exactly one; of a flag, its name where it applies."""
    if is_flag:
        return {span: name for span, values in said.items() if any(FLAGS[value] for value in values)}
    named = {span: [value for value in values if value] for span, values in said.items()}
    return {span: values[0] for span, values in named.items() if len(values) == 1}


def _no_classes(counts: Counter[str], having: int, is_flag: bool) -> str:
    """Return why the values of an attribute cannot be learned, or "". having: the spans that may have a flag."""
    if not counts:
        return "it applies to none" if is_flag else "no span has exactly one value"
    if is_flag:
        return f"it applies to every span of these labels ({having:,})" if counts.total() == having else ""
    if len(counts) == 1:
        return f'all have the same value, "{next(iter(counts))}"'
    rare = counts.total() >= MIN_SPANS and counts.total() < MIN_REPETITION * len(counts)
    return f"{len(counts):,} different values are no classes" if rare or len(counts) > MAX_VALUES else ""
