"""DocBin, the files of spaCy (`.spacy`): entities, groups of spans and categories of tokenized texts.

`doc.ents` is the layer "", a group of `doc.spans` the layer of its key, `doc.cats` the labels of a question. What a Doc
has no place for is JSON in `doc.user_data`. Entities of a text are not read if other tokens of it are
not annotated. A DocBin is msgpack, and runs no code when it is read. Importing spaCy imports torch where it is
installed.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, first_line
from electra_ie.common.files import atomic_path
from electra_ie.common.logs import notice, warn
from electra_ie.common.text_files import SourceLine, reading
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute
from electra_ie.formats.base import Format
from electra_ie.formats.features import ONE_QUESTION, Feature, Losses, reduced
from electra_ie.formats.parts.json_values import id_of, parse
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.references import identifier, reference_of

OPTIONS = {"lang": Option("xx")}
"""lang: the language whose blank tokenizer splits the texts that are written; `xx` is that of no language."""
CARRIED = "electra_ie"
"""The key of user_data with what a Doc has no place for."""
GROUP = "sc"
"""The group of the layer "" if it cannot be entities; spaCy's span categorizer reads it by default."""
SPAN_ID = "id"
"""The attribute that is `span.id_`."""
APPLIES = 0.5
"""The score from which on a category applies."""
FLAT = frozenset(Feature) - {Feature.NESTED, Feature.CROSSING, Feature.EQUAL}


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file. Tokens, tags and parses are not read."""
    unread: Counter[str] = Counter()
    for number, doc in enumerate(_docs(path), start=1):
        source = SourceLine(f"{path}, document {number}", 0)
        try:
            yield _document(doc, source, unread)
        except UserError as error:
            on_error(error)
    for what, number in unread.items():
        warn(f"{path}: {number} {what} are not read.")


def _docs(path: Path) -> Iterator[Any]:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    with reading(path):
        raw = path.read_bytes()
    try:
        yield from DocBin().from_bytes(raw).get_docs(Vocab())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, MemoryError):
        message = "this is not a DocBin of spaCy, or it is damaged."
        raise UserError(message, file=path, remedy="Write it again with DocBin.to_disk.") from None


def _document(doc: Any, source: SourceLine, unread: Counter[str]) -> AnnotatedDocument:
    user = _user_data(doc, unread)
    carried = parse(user.pop(CARRIED), source) if isinstance(user.get(CARRIED), str) else None
    unread.update({"texts with unknown white space between tokens": 1} if doc.has_unknown_spaces else {})
    values = carried or {"id": user.pop("id", None), "metadata": user}
    names = values.get("groups", {})
    partial = _is_partial(doc)
    if partial and doc.ents:
        unread["entities of texts in which other tokens are not annotated (ent_iob 0)"] += len(doc.ents)
    try:
        spans = [] if partial else [_span(span, "", None) for span in doc.ents]
        for key, group in doc.spans.items():
            scores = group.attrs.get("scores")
            scores = [None] * len(group) if scores is None else list(scores)
            layer = names.get(key, key)
            spans += [_span(span, layer, score) for span, score in zip(group, scores, strict=True)]
        found = ([""] if doc.ents or doc.has_annotation("ENT_IOB") else []) + list(doc.spans)
        layers = values["layers"] if carried else found or None
        if partial and "" not in [names.get(key, key) for key in doc.spans]:
            layers = [layer for layer in layers or () if layer] or None
        labels, label_scores = _labels(doc.cats, carried, unread)
        return AnnotatedDocument(
            id_of(values, "id", source) if values.get("id") else "", doc.text,
            tuple(replace(span, id=f"T{number}") for number, span in enumerate(spans, start=1)),
            labels=labels, label_scores=label_scores, layers=None if layers is None else tuple(layers),
            notes=tuple(values.get("notes", ())), metadata=values.get("metadata", {}),
            predicted=values.get("predicted", False), file=source.file,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise source.error(f"this document is invalid: {first_line(error)}.", "Write it with spaCy again.") from None


def _is_partial(doc: Any) -> bool:
    """Return whether some tokens have a value of entities, if only that they are none, and others are missing it."""
    return len({token.ent_iob == 0 for token in doc if not token.text.isspace()}) > 1


def _user_data(doc: Any, unread: Counter[str]) -> dict[str, Any]:
    """Return the user data that JSON can hold; extension attributes (`doc._.x`) have no text as key."""
    kept = {}
    for key, value in doc.user_data.items():
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            text = ""
        if isinstance(key, str) and text:
            kept[key] = json.loads(text)
        else:
            unread["custom attributes"] += 1
    return kept


def _span(span: Any, layer: str, score: Any) -> AnnotatedSpan:
    attributes = (Attribute(SPAN_ID, span.id_),) if span.id_ else ()
    references = (reference_of(span.kb_id_),) if span.kb_id_ else ()
    return AnnotatedSpan(
        "", span.label_, ((span.start_char, span.end_char),), layer=layer, attributes=attributes,
        references=references, score=None if score is None else float(score),
    )  # fmt: skip


def _labels(
    cats: Mapping[str, float], carried: Mapping[str, Any] | None, unread: Counter[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, ...]]]:
    """Return the labels that apply, and their scores unless all are 1."""
    labels = [label for label, score in cats.items() if score >= APPLIES]
    if carried and carried.get("labels") is not None:
        labels = carried["labels"]
    elif not cats:
        return {}, {}
    scores = tuple(float(cats[label]) for label in labels)
    others = sum(score not in (0, 1) for label, score in cats.items() if label not in labels)
    unread.update({"scores of labels that do not apply": others} if others else {})
    scored = carried["scored"] if carried else any(score != 1 for score in scores)
    return {ONE_QUESTION: tuple(labels)}, {ONE_QUESTION: scores} if scored else {}


def detect(path: Path) -> bool:
    """Return whether a file is compressed msgpack with the attributes of a DocBin."""
    try:
        with path.open("rb") as file:
            start = zlib.decompressobj().decompress(file.read(1024), 256)
    except (OSError, zlib.error):
        return False
    return b"version" in start and b"attrs" in start


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove attributes but the id of a span, references but the first, and the names of references."""
    losses: Losses = Losses()
    spans = []
    for span in document.spans:
        attributes = [entry for entry in span.attributes if entry.name == SPAN_ID and entry.value][:1]
        references = [entry for entry in span.references if ":" not in entry.resource and entry.id][:1]
        lost = {
            Feature.SPAN_ATTRIBUTES.value: len(span.attributes) - len(attributes),
            Feature.SPAN_REFERENCES.value: len(span.references) - len(references),
            "names of references": sum(entry.name != "" for entry in references),
        }
        losses.update({what: number for what, number in lost.items() if number})
        bare = tuple(replace(entry, name="") for entry in references)
        spans.append(replace(span, attributes=tuple(attributes), references=bare))
    return replace(document, spans=tuple(spans)), losses


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents, with tokens of a blank tokenizer that are split where a span begins or ends within one."""
    from spacy.tokens import DocBin

    tokenizer = _tokenizer(options["lang"])
    entities = all(_are_entities(document) for document in documents)
    layers = {layer for document in documents for layer in document.layers or ()}
    group = GROUP
    while group in layers:
        group += "_"
    labels = sorted({label for document in documents for label in document.labels.get(ONE_QUESTION, ())})
    split, docs = 0, DocBin(store_user_data=True)
    for document in documents:
        doc, more = _doc(document, tokenizer, path)
        split += more
        for layer in document.layers or ():
            spans = [span for span in document.spans if span.layer == layer]
            _add_layer(doc, spans, None if layer == "" and entities else layer or group)
        carried = _add_labels(doc, document, labels)
        carried |= {
            "id": document.id, "metadata": document.metadata, "notes": document.notes, "predicted": document.predicted,
            "layers": document.layers, "groups": {} if entities else {group: ""},
        }  # fmt: skip
        doc.user_data[CARRIED] = json.dumps(carried, ensure_ascii=False)
        docs.add(doc)
    if split:
        notice(f"DocBin: {split:,} tokens are split, since a span begins or ends within them.")
    with atomic_path(path) as part:
        docs.to_disk(part)


def _tokenizer(lang: str) -> Any:
    import spacy

    try:
        return spacy.blank(lang).tokenizer
    except (ImportError, ValueError) as error:
        message = f'spaCy has no tokenizer for the language "{lang}": {first_line(error)}.'
        raise UserError(message, remedy="Give another lang, such as xx.") from None


def _are_entities(document: AnnotatedDocument) -> bool:
    """Return whether the layer "" can be `doc.ents`: labeled spans without overlaps and scores."""
    spans = tuple(span for span in document.spans if span.layer == "")
    _, overlaps = reduced(replace(document, spans=spans, relations=(), events=()), FLAT)
    return not overlaps and all(span.label and span.score is None for span in spans)


def _doc(document: AnnotatedDocument, tokenizer: Any, path: Path) -> tuple[Any, int]:
    """Return a Doc in which every span is a sequence of tokens, and the number of additional tokens."""
    from spacy.tokens import Doc

    text = document.text
    plain = tokenizer(text)
    starts, ends = {span.start for span in document.spans}, {span.end for span in document.spans}
    edges = sorted(starts | ends)
    words: list[str] = []
    spaces: list[bool] = []
    for token in plain:
        first, last = token.idx, token.idx + len(token)
        cuts = [first, *edges[bisect_right(edges, first) : bisect_left(edges, last)], last]
        words += [text[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]
        spaces += [False] * (len(cuts) - 1)
        if token.whitespace_ and (last in starts or last + 1 in ends):
            words.append(" ")
            spaces.append(False)
        elif token.whitespace_:
            spaces[-1] = True
    doc = Doc(plain.vocab, words=words, spaces=spaces)
    if doc.text != text:
        message = f'the tokens of the document "{document.id}" do not give back its text.'
        raise UserError(message, file=path, remedy="Give another lang, such as xx.")
    return doc, len(words) - len(plain)


def _add_layer(doc: Any, spans: Sequence[AnnotatedSpan], group: str | None) -> None:
    """Add the spans of a layer to a Doc, as a group, or as entities if it is None."""
    from spacy.tokens import SpanGroup

    tokens = []
    for span in spans:
        kb_id = identifier(span.references[0]) if span.references else ""
        span_id = (span.attributes[0].value or "") if span.attributes else ""
        tokens.append(doc.char_span(span.start, span.end, label=span.label, kb_id=kb_id, span_id=span_id))
    if group is None:
        doc.set_ents(tokens, default="outside")
        return
    scores = [span.score for span in spans]
    attributes = {"scores": scores} if any(score is not None for score in scores) else {}
    doc.spans[group] = SpanGroup(doc, name=group, attrs=attributes, spans=tokens)


def _add_labels(doc: Any, document: AnnotatedDocument, labels: Sequence[str]) -> dict[str, Any]:
    """Add all labels of the file to a Doc that has the question: 0 where they do not apply. Return what that loses."""
    own = document.labels.get(ONE_QUESTION)
    if own is None:
        return {"scored": False}
    scores = document.label_scores.get(ONE_QUESTION)
    doc.cats = dict.fromkeys(labels, 0.0) | dict(zip(own, scores or [1.0] * len(own), strict=True))
    plain = doc.cats and {label for label, score in doc.cats.items() if score >= APPLIES} == set(own)
    return {"scored": scores is not None, "labels": None if plain else list(own)}


HOLDS = frozenset({
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.LAYERS, Feature.UNANNOTATED,
    Feature.SPAN_ATTRIBUTES, Feature.SPAN_REFERENCES, Feature.DOCUMENT_NOTES, Feature.LABELS, Feature.SCORES,
    Feature.PREDICTED, Feature.METADATA,
})  # fmt: skip
DOCBIN = Format(
    "docbin",
    "DocBin of spaCy",
    read,
    write,
    HOLDS,
    OPTIONS,
    detect,
    package="spacy",
    extra="formats",
    reduce=reduce,
    endings=(".spacy",),
)
