"""Label Studio's JSON: an array of tasks with the annotations of people and the predictions of models.

A result of type `labels` or `hypertextlabels` is a span for each of its labels, and its `from_name` is the layer. Other
results with the id of a span are its attributes. `choices` of the whole text are labels of the question `from_name`;
texts, ratings and taxonomies of the whole text are metadata. The keys of `data` other than text and id are metadata
too, and so is the person (`completed_by`, as `annotator`). Dates, durations and counters of the tool are not read.

A task without an annotation is not annotated. If it has a prediction, that is returned as `predicted`: predictions are
no labels. The tool exports the ids of predictions only; a task with those alone is not annotated. A region quotes its
text, which must be the text at its offsets; the versions that lose repeated white space there (label-studio#3078) are
accepted, with a warning that counts the spans. A path of nested choices is one label, joined by slashes.

Annotations that a person skipped or a reviewer rejected are counted and not read. Of several that differ, the only one
that is marked as ground truth counts, unless the option `annotation` chooses the first or the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError
from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Offsets, Relation
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.label_studio_config import ONE_LAYER, TEXT, write_config
from electra_ie.formats.parts.annotation_tools import (
    ANNOTATION,
    ROLES,
    SourceTask,
    ToolFile,
    add_values,
    choices_of,
    chosen,
    first_record,
    lowest_score,
    nameless_layer,
    texts_of,
    value_of,
    without_roles,
    write_array,
)
from electra_ie.formats.parts.json_values import id_of, text_of
from electra_ie.formats.parts.options import Option

OPTIONS = {"text": Option("text"), "id": Option("id"), "annotation": ANNOTATION, "config": Option("")}
"""text, id: keys in `data`; a task without such an id has that of the tool. annotation: the one that is read if people
differ. config: the file to which the writer writes the labeling configuration."""
SPANS = ("labels", "hypertextlabels")
FREE = {"textarea": "text", "rating": "rating", "taxonomy": "taxonomy", "number": "number", "datetime": "datetime"}
"""The types of results that are no choice, with the key of their value."""
ORIGINS = {"person": "manual", "model": "prediction", "corrected": "prediction-changed"}
ORIGINS_READ = {name: origin for origin, name in ORIGINS.items()}
DIRECTIONS = ("right", "left", "bi")
UNNAMED = "relation"
"""The label of a relation without one."""
HOLDS = frozenset(Feature) - {
    Feature.FRAGMENTS, Feature.MANY_ARGUMENTS, Feature.EVENT_ARGUMENTS, Feature.EVENTS, Feature.OTHER_ATTRIBUTES,
    Feature.SPAN_REFERENCES, Feature.OTHER_REFERENCES, Feature.OTHER_NOTES, Feature.DOCUMENT_NOTES,
    Feature.RELATION_LAYERS,
}  # fmt: skip


@dataclass
class _Results:
    """What the results of one annotation say."""

    regions: dict[str, list[AnnotatedSpan]] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scores: dict[str, tuple[float, ...]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the tasks of an export. A task of a person is annotated with all layers that occur in the file."""
    reader = _Reader(path, options)
    documents = list(reader.file.read(on_error, reader.document))
    for document, open_layers in zip(documents, reader.open_layers, strict=True):
        yield document.with_layers(reader.layers) if open_layers else document


class _Reader:
    """Reads the tasks of one file.

    Attributes:
        number: The number of tasks so far.
        layers: The layers of all spans so far, in order.
        open_layers: For each document, whether it may be annotated with layers in which it has no span.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.file, self.options = ToolFile(path), options
        self.number = 0
        self.layers: dict[str, None] = {}
        self.open_layers: list[bool] = []

    def document(self, record: Mapping[str, Any], line: SourceLine) -> AnnotatedDocument:
        """Return a task."""
        self.number += 1
        data = record.get("data")
        of_data = data.get(self.options["id"]) if isinstance(data, dict) else None
        named = (
            f'with the id "{of_data}" in its data' if isinstance(of_data, str | int) else f"{self.number} of the file"
        )
        source = SourceTask(line.file, line.line, str(record.get("id", named)))
        data = value_of(record, "data", dict, source)
        text = text_of(data, self.options["text"], source)
        id = id_of(data, self.options["id"], source) or id_of(record, "id", source)
        self.file.check_id(id, source)
        made = value_of(record, "annotations", list, source, value_of(record, "completions", list, source, []))
        kept = [item for item in made if not _is_left_out(item, source)]
        if len(kept) < len(made):
            self.file.left["annotations that a person skipped or rejected are"] += len(made) - len(kept)
        self.file.left["drafts that nobody submitted are"] += len(value_of(record, "drafts", list, source, []))
        predictions = self._predictions(record, source)
        metadata = {key: value for key, value in data.items() if key not in (self.options["text"], self.options["id"])}
        bare = AnnotatedDocument(
            id, text, layers=None, metadata=metadata, predicted=bool(predictions and not kept), file=source.file,
            line=source.line,
        )  # fmt: skip
        taken = kept or predictions
        meta = value_of(record, "meta", dict, source, {})
        candidates = [self._annotated(bare, item, predictions, meta, source) for item in taken]
        names = [item.get("completed_by", item.get("model_version")) for item in taken]
        which = self.options["annotation"]
        if not kept and len(predictions) > 1 and which == "error":
            which = "last"
            self.file.left["predictions before the last of a task are"] += len(predictions) - 1
        true = [
            candidate
            for candidate, item in zip(candidates, taken, strict=True)
            if value_of(item, "ground_truth", bool, source, False)
        ]
        if which == "error" and len(true) == 1:
            document = true[0]
        else:
            document = chosen(candidates, which, names, source) if candidates else bare
        by_person = any("completed_by" in item for item in kept)
        self.open_layers.append(bool(taken) and (by_person or "layers" not in meta))
        return replace(document, submitted=by_person)

    def _predictions(self, record: Mapping[str, Any], source: SourceLine) -> list[Mapping[str, Any]]:
        """Return the predictions of a task. The export of the tool has only their ids, which are counted."""
        stated = value_of(record, "predictions", list, source, [])
        found = [item for item in stated if type(item) is not int]
        if len(found) < len(stated):
            self.file.left["predictions of which the export has only the ids are"] += len(stated) - len(found)
        if not all(isinstance(item, dict) for item in found):
            raise source.error("a prediction is not an object.", "Export the file again.")
        return found

    def _annotated(
        self,
        document: AnnotatedDocument,
        annotation: Mapping[str, Any],
        predictions: Sequence[Mapping[str, Any]],
        meta: Mapping[str, Any],
        source: SourceLine,
    ) -> AnnotatedDocument:
        """Return a document with one of its annotations."""
        begun_with, seen = annotation.get("parent_prediction"), annotation.get("prediction")
        known = [*predictions, *([seen] if isinstance(seen, dict) else [])]  # a copy of the one that the person saw
        parents = [item for item in known if begun_with is not None and item.get("id") == begun_with]
        items = [_with_origin(item, parents, source) for item in value_of(annotation, "result", list, source, [])]
        results = _Results()
        for number, item in enumerate(items):
            if item.get("type") in SPANS:
                self._region(item, f"region {number + 1}", document.text, results, source)
        for item in items:
            if item.get("type") == "relation":
                self._relation(item, results, source)
            elif item.get("type") not in SPANS:
                self._value(item, results, source)
        spans = tuple(span for region in results.regions.values() for span in region)
        self.layers |= dict.fromkeys(span.layer for span in spans)
        named = () if meta.get("layers") is None else texts_of(meta, "layers", source)
        declared = ("" if layer == ONE_LAYER else layer for layer in named)
        layers = tuple(dict.fromkeys((*declared, *(span.layer for span in spans))))
        annotator = {} if annotation.get("completed_by") is None else {"annotator": annotation["completed_by"]}
        return replace(
            document, spans=spans, relations=tuple(results.relations), labels=results.labels,
            label_scores=results.scores, layers=layers or None,
            metadata={**annotator, **document.metadata, **results.metadata},
            label_origins={name: origin for name, origin in results.origins.items() if origin},
        )  # fmt: skip

    def _region(self, item: Mapping[str, Any], name: str, text: str, results: _Results, source: SourceLine) -> None:
        """Add the spans of a region, one for each label."""
        value, kind = value_of(item, "value", dict, source), item["type"]
        id, layer = str(item.get("id") or name), value_of(item, "from_name", str, source, ONE_LAYER)
        labels = texts_of(value, kind, source)
        if not labels:
            self.file.left["regions without a label are"] += 1
        fragments = (self._offsets(text, value, source),)
        region = results.regions.setdefault(id, [])
        if region and region[0].fragments != fragments:
            raise source.error(f'two regions have the id "{id}".', "Export the file again.")
        notes = texts_of(value_of(item, "meta", dict, source, {}), "text", source)
        for label in labels:
            region.append(
                AnnotatedSpan(
                    f"{id} {len(region) + 1}" if region else id, label, fragments, notes=notes,
                    layer="" if layer == ONE_LAYER else layer, score=self.file.score(item.get("score")),
                    origin=item["origin"],
                )
            )  # fmt: skip

    def _offsets(self, text: str, value: Mapping[str, Any], source: SourceLine) -> Offsets:
        """Return the offsets of a region. Those of HTML are valid if the text has no markup before them."""
        place = value_of(value, "globalOffsets", dict, source, {}) or value
        pair, quoted = (place.get("start"), place.get("end")), value.get("text")
        return self.file.offsets(text, pair, source, quoted)[0]

    def _relation(self, item: Mapping[str, Any], results: _Results, source: SourceLine) -> None:
        """Add a relation, of the first span of each region, for each of its labels."""
        ends = [str(value_of(item, key, str, source)) for key in ("from_id", "to_id")]
        for end in ends:
            if not results.regions.get(end):
                raise source.error(f'a relation needs the region "{end}", which is not there.', "Correct the task.")
        direction = value_of(item, "direction", str, source, DIRECTIONS[0])
        if direction not in DIRECTIONS:
            raise source.error(f'the direction is "{direction}".', f"It must be {', '.join(DIRECTIONS)}.")
        targets = [results.regions[end][0].id for end in (reversed(ends) if direction == "left" else ends)]
        for label in texts_of(item, "labels", source) or (UNNAMED,):
            number = len(results.relations) + 1
            results.relations.append(
                Relation(
                    f"relation {number}", label, tuple(zip(ROLES, targets, strict=True)), symmetric=direction == "bi",
                    score=self.file.score(item.get("score")), origin=item["origin"],
                )
            )  # fmt: skip

    def _value(self, item: Mapping[str, Any], results: _Results, source: SourceLine) -> None:
        """Add an attribute of a region, or a value of the whole text."""
        kind, region = str(item.get("type")), results.regions.get(str(item.get("id")))
        if kind != "choices" and kind not in FREE:
            self.file.left[f"results of the type {kind} are"] += 1
            return
        name, value = value_of(item, "from_name", str, source), value_of(item, "value", dict, source)
        if region is None and _is_of_region(item):
            self.file.left["answers for regions without a label are"] += 1
        elif region is not None:
            texts = _answers(value, FREE.get(kind, kind), source)
            added = tuple(Attribute(name, None if kind == "choices" and text == name else text) for text in texts)
            region[:] = [replace(span, attributes=span.attributes + added) for span in region]
        elif kind == "choices":
            labels = choices_of(value, source)
            scores = value_of(item, "scores", list, source, [item.get("score")])
            read_scores = [self.file.score(score) for score in scores]
            before = results.origins.setdefault(name, item["origin"])
            if before != item["origin"]:  # people and predictions made parts of one answer
                results.origins[name] = "corrected" if before and item["origin"] else ""
            results.labels[name] = tuple(dict.fromkeys((*results.labels.get(name, ()), *labels)))
            known = tuple(score for score in read_scores if score is not None)
            if known and len(known) == len(results.labels[name]):
                results.scores[name] = known
            else:
                results.scores.pop(name, None)
        else:
            results.metadata[name] = value.get(FREE[kind])


def _is_left_out(annotation: Any, source: SourceLine) -> bool:
    """Return whether a person skipped an annotation (`skipped` in old exports), or a reviewer rejected it."""
    skipped = any(value_of(annotation, key, bool, source, False) for key in ("was_cancelled", "skipped"))
    return skipped or annotation.get("last_action") == "rejected"


def _answers(value: Mapping[str, Any], key: str, source: SourceLine) -> list[str]:
    """Return the answers for a region as texts: a path of a taxonomy with slashes, a number as JSON has it."""
    answer = value_of(value, key, object, source)
    return [
        item if isinstance(item, str) else " / ".join(map(str, item)) if isinstance(item, list) else json.dumps(item)
        for item in (answer if isinstance(answer, list) else [answer])
    ]


def _with_origin(item: Any, parents: Sequence[Mapping[str, Any]], source: SourceLine) -> dict[str, Any]:
    """Return a result with its origin, compared with the prediction that the annotation began with if it has none."""
    origin = value_of(item, "origin", str, source, "")
    if origin:
        return {**item, "origin": ORIGINS_READ.get(origin, "")}
    if not parents:
        return {**item, "origin": ""}
    old = [other for other in value_of(parents[0], "result", list, source, []) if isinstance(other, dict)]
    if any(all(other.get(key) == item.get(key) for key in ("type", "from_name", "value")) for other in old):
        return {**item, "origin": "model"}
    known = item.get("id") is not None and item.get("id") in [other.get("id") for other in old]
    if item.get("type") == "choices" and not _is_of_region(item):  # an answer for the text may have another id
        known = known or any(
            (other.get("type"), other.get("from_name")) == ("choices", item.get("from_name"))
            and not _is_of_region(other)
            for other in old
        )
    return {**item, "origin": "corrected" if known else "person"}


def _is_of_region(item: Mapping[str, Any]) -> bool:
    """Return whether a result has a place in the text."""
    value = item.get("value")
    return isinstance(value, dict) and bool({"start", "globalOffsets"} & set(value))


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents as tasks for the import, predicted ones as predictions; and the configuration if it is asked."""
    if options["config"]:
        write_config(documents, Path(options["config"]), options["text"])
    write_array(path, [_task(document, path, options) for document in documents])


def _task(document: AnnotatedDocument, path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    data = {options["text"]: document.text} | ({options["id"]: document.id} if document.id else {})
    results = [result for span in document.spans for result in _span_results(span, document.text)]
    results += [_label_result(name, document) for name in document.labels]
    results += [
        {"from_id": item.arguments[0][1], "to_id": item.arguments[1][1], "type": "relation", "labels": [item.label],
         "direction": "bi" if item.symmetric else "right", **_made(item.score, item.origin)}
        for item in document.relations
    ]  # fmt: skip
    annotated: dict[str, Any] = {"result": results}
    if document.predicted:
        score = lowest_score(document)
        annotated |= {"model_version": str(document.metadata.get("model") or "")}
        annotated |= {} if score is None else {"score": score}
    bare = document.layers is None and not document.labels and not document.predicted
    layers = None if document.layers is None else [layer or ONE_LAYER for layer in document.layers]
    return {
        "data": add_values(data, document.metadata, document.id, path, [options["id"]]),
        "predictions" if document.predicted else "annotations": [] if bare else [annotated],
        "meta": {"layers": layers},
    }


def _span_results(span: AnnotatedSpan, text: str) -> Iterator[dict[str, Any]]:
    """Yield the result of a span, and those of its attributes, which have the same id."""
    place = {"start": span.start, "end": span.end, "text": text[span.start : span.end]}
    common = {"id": span.id, "to_name": TEXT}
    yield {
        **common, "from_name": span.layer or ONE_LAYER, "type": "labels", "value": {**place, "labels": [span.label]},
        **({"meta": {"text": list(span.notes)}} if span.notes else {}), **_made(span.score, span.origin),
    }  # fmt: skip
    for name in dict.fromkeys(attribute.name for attribute in span.attributes):
        values = [item.value or name for item in span.attributes if item.name == name]
        yield {**common, "from_name": name, "type": "choices", "value": {**place, "choices": values}}


def _label_result(name: str, document: AnnotatedDocument) -> dict[str, Any]:
    scores = document.label_scores.get(name, ())
    id = f"{name} of the text"
    while any(span.id == id for span in document.spans):
        id += "_"
    return {
        "id": id, "from_name": name, "to_name": TEXT, "type": "choices", "value": {"choices": document.labels[name]},
        **({"scores": scores} if len(scores) > 1 else {}),
        **_made(min(scores, default=None), document.label_origins.get(name, "")),
    }  # fmt: skip


def _made(score: float | None, origin: str) -> dict[str, Any]:
    return ({} if score is None else {"score": score}) | ({"origin": ORIGINS[origin]} if origin else {})


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove roles, and what reads as something else: a layer `label`, and an attribute whose value is its name."""
    document, losses = without_roles(document)
    document, others = nameless_layer(document, ONE_LAYER)
    same = sum(item.name == item.value for span in document.spans for item in span.attributes)
    if same:
        spans = tuple(
            replace(
                span,
                attributes=tuple(
                    replace(item, value=None) if item.name == item.value else item for item in span.attributes
                ),
            )
            for span in document.spans
        )
        document, others = replace(document, spans=spans), others + Losses({"values of attributes": same})
    return document, losses + others


def detect(path: Path) -> bool:
    """Return whether the first record is a task with its annotations or predictions."""
    record = first_record(path)
    return isinstance(record.get("data"), dict) and any(key in record for key in ("annotations", "predictions"))


LABEL_STUDIO = Format("label_studio", "Label Studio", read, write, HOLDS, OPTIONS, detect, reduce=reduce)
