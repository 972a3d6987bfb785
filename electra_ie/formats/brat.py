"""Standoff annotation (brat): a folder with a `.txt` for each document, and an `.ann` with everything annotated in it.

The id of a document is its path without the ending. One without an id, or whose id cannot be a path on every system,
is written as `unnamed-0001` and so on, and such a name is read as no id. brat has directed relations of two arguments
only; a symmetric one is written as an equivalence (`*`), which has no roles, attributes or notes.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.folders import files_of
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines, read_text, relative
from electra_ie.formats.annotations import (
    AnnotatedDocument,
    AnnotatedSpan,
    Annotation,
    AnyAnnotation,
    Attribute,
    Event,
    Offsets,
    Reference,
    Relation,
    without,
)
from electra_ie.formats.base import Format
from electra_ie.formats.features import PAIR, Feature, Losses
from electra_ie.formats.parts.spans import SpanReader, explain_offsets
from electra_ie.formats.parts.units import UTF_8, UTF_16, convert
from electra_ie.formats.parts.unseen import Unseen
from electra_ie.formats.parts.writable import BLANK, name, one_line, refuse_other_than_text

HOLDS = frozenset(Feature) - {
    Feature.LAYERS, Feature.DOCUMENT_NOTES, Feature.LABELS, Feature.QUESTIONS, Feature.SCORES, Feature.ORIGINS,
    Feature.PREDICTED, Feature.METADATA, Feature.RELATION_LAYERS,
}  # fmt: skip
SPAN = re.compile(r"T\S*\t([^\t]+?) (\d{1,15} \d{1,15}(?:;\d{1,15} \d{1,15})*)\t(.*)", re.DOTALL)
LINE = re.compile(r"([RAEMN]\d\S*|#\S*|\*)[\t ](.*)", re.DOTALL)
"""Lines that are not spans: relations, attributes (M in old files), events, references, notes, equivalences."""
ATTRIBUTE = re.compile(r"(\S+) (\S+)(?: (.*))?", re.DOTALL)
REFERENCE = re.compile(r"(\S+) (\S+) ([^\s:]+):(\S+)(?:[ ]*\t(.*))?", re.DOTALL)
NOTE = re.compile(r"(\S+) (\S+)[ ]*(?:\t(.*))?", re.DOTALL)
DELIMITER = re.compile(r"[\s:]")
"""What separates roles from their arguments, and resources from their ids."""
UNNAMED = re.compile(r"unnamed-\d{4,}")
"""The name of a document without an id."""
EMPTY_VALUES, ROLES = "empty values of attributes", "roles in relations without order"
"""Kinds of loss."""
NO_FILE = re.compile(
    r'[\x00-\x1f\x7f<>:"\\|?*\ud800-\udfff]|^[. ]|[. ]$|\.(?:txt|ann)$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)', re.I
)
"""What a name of a file or folder has that is not valid on every system, that hides it, or that this format needs."""
MAX_NAME, MAX_PATH = 200, 1000
"""Bytes of the name of a file or folder, and of an id, that every system can hold, with the ending."""
LOOKED_AT = 10_000
"""Paths of a folder among which an `.ann` is looked for."""


# The files of a folder


def texts(path: Path, on_error: OnError) -> list[tuple[Path, Path | None]]:
    """Return the texts below a folder in the order of their paths, each with its `.ann` or None (see `pairs`).

    Raises:
        UserError: it is not a folder, or has neither texts nor annotation.
    """
    if not path.is_dir():
        message = "there is no such folder." if not path.exists() else "this is not a folder."
        raise UserError(message, file=path, remedy="Give the folder of the .txt and .ann files.")
    return pairs(files_of(path, (".txt", ".ann")), on_error)


def pairs(files: Sequence[Path], on_error: OnError) -> list[tuple[Path, Path | None]]:
    """Return each text with its `.ann` or None: that of the same name, else of a name that differs in case only.

    Args:
        files: the `.txt` and `.ann` files.
        on_error: called for each `.ann` without a text.
    """
    text_files = [file for file in files if file.suffix.lower() == ".txt"]
    unpaired = dict.fromkeys(file for file in files if file.suffix.lower() == ".ann")
    paired: dict[Path, Path] = {}
    names: tuple[Callable[[Path], Path], ...] = (
        lambda file: file.with_suffix(""),
        lambda file: file.with_name(file.stem.lower()),
    )
    for name_of in names:
        by_name = {name_of(ann_file): ann_file for ann_file in unpaired}
        for file in text_files:
            if file not in paired and (ann_file := by_name.pop(name_of(file), None)):
                paired[file] = ann_file
                del unpaired[ann_file]
    for ann_file in unpaired:
        message = "there is no .txt of the same name."
        on_error(UserError(message, file=ann_file, remedy="Add the text or remove the .ann."))
    return [(file, paired.get(file)) for file in text_files]


def detect(path: Path) -> bool:
    """Return whether a path is a folder with an `.ann`, among its first paths."""
    try:
        return path.is_dir() and any(file.suffix.lower() == ".ann" for file in islice(path.rglob("*"), LOOKED_AT))
    except OSError:
        return False


# Lines of spans


def parse(line: str, source: SourceLine) -> tuple[str, list[Offsets], str]:
    """Return the label, the offsets of the fragments and the quoted text of a `T` line."""
    match = SPAN.fullmatch(line)
    if not match:
        raise source.error("this line is not a standoff annotation.", "Write: T1<tab>label start end<tab>text.")
    label, offsets, quoted = match.groups()
    fragments = [fragment.split() for fragment in offsets.split(";")]
    return label, [(int(start), int(end)) for start, end in fragments], quoted


def quotation(fragments: Sequence[Offsets], text: str) -> str:
    """Return the text of a span as brat quotes it: fragments joined by blanks, line ends and tabs as blanks."""
    return re.sub("[\r\n\t]", " ", " ".join(text[start:end] for start, end in fragments))


def check(fragments: Sequence[Offsets], text: str, quoted: str, source: SourceLine) -> None:
    """Raise UserError if the quoted text of a `T` line is not the text at its offsets."""
    if quotation(fragments, text) != re.sub("[\r\n\t]", " ", quoted):
        actual = " ".join(text[start:end] for start, end in fragments)
        offsets = ";".join(f"{start} {end}" for start, end in fragments)
        message = f"the span {offsets} is {actual[:40]!r}, not {quoted[:40]!r}."
        raise source.error(message, explain_offsets(text, fragments[0][0], fragments[-1][1], quoted))


# Reading


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents below a folder in the order of their paths; one without an `.ann` is not annotated.

    Every invalid line of an `.ann` is an error, and its document is left out.
    """
    spans, unread, unseen = SpanReader(str(path)), Counter[str](), Unseen()
    for file, ann_file in texts(path, on_error):
        path_name = relative(file.with_suffix(""), path)
        try:
            text = read_text(file)
            parts = _Standoff(text, spans, unread).read(ann_file) if ann_file else {"layers": None}
        except UserError as error:
            for single in error.errors or (error,):
                on_error(single)
            continue
        id = "" if UNNAMED.fullmatch(path_name) else path_name
        document = AnnotatedDocument(id, text, **parts, file=str(file), line=1)
        unseen.add(document)
        yield document
    spans.report()
    unseen.report(path, "remove their .ann")
    if counted := +unread:
        warn(f"{path}: not read: {', '.join(f'{number} {kind}' for kind, number in counted.items())}.")


@dataclass
class _Details:
    """What lines of their own say on a span, relation or event."""

    attributes: list[Attribute] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Standoff:
    """The annotation of one text, while its lines are read."""

    def __init__(self, text: str, span_reader: SpanReader, unread: Counter[str]) -> None:
        self.text, self.span_reader, self.unread = text, span_reader, unread
        self.spans: dict[str, AnnotatedSpan] = {}
        self.relations: dict[str, Relation] = {}
        self.events: dict[str, Event] = {}
        self.details: dict[str, _Details] = defaultdict(_Details)
        self.ids: set[str] = set()
        self.targets: list[tuple[str, str, SourceLine]] = []
        """Ids that a line refers to, each with the kinds of id that it may be."""
        self.parsers: dict[str, Callable[[str, str, SourceLine], None]] = {
            "R": self._relation, "*": self._equivalence, "E": self._event, "A": self._attribute, "M": self._attribute,
            "N": self._reference, "#": self._note,
        }  # fmt: skip

    def read(self, file: Path) -> dict[str, Any]:
        """Return spans, relations and events of an `.ann`. Raises UserError with an error for each invalid line."""
        errors = []
        for number, raw in lines(file):
            if raw.strip():
                try:
                    self._line(raw.rstrip("\r\n"), SourceLine(str(file), number))
                except UserError as error:
                    errors.append(error)
        known = {**self.spans, **self.relations, **self.events}
        for target, kinds, source in [] if errors else self.targets:
            if target not in known or target[0] not in kinds:
                valid = " or ".join(f"{kind}..." for kind in kinds)
                errors.append(source.error(f'there is no annotation "{target}" here.', f"Refer to a line {valid}."))
        if errors:
            raise UserError(f"{len(errors)} invalid lines.", file=file, errors=errors)
        return {
            "spans": self._complete(self.spans),
            "relations": self._complete(self.relations),
            "events": self._complete(self.events),
        }

    def _complete(self, annotations: Mapping[str, AnyAnnotation]) -> tuple[AnyAnnotation, ...]:
        """Return annotations with what other lines say on them."""
        return tuple(
            replace(
                annotation,
                attributes=tuple(self.details[id].attributes),
                references=tuple(self.details[id].references),
                notes=tuple(self.details[id].notes),
            )
            for id, annotation in annotations.items()
        )

    def _line(self, line: str, source: SourceLine) -> None:
        match = None if line.startswith("T") else LINE.fullmatch(line)
        id = match[1] if match else line.partition("\t")[0]
        if id in self.ids:
            raise source.error(f'the id "{id}" is used twice.', "Give every line its own id.")
        if match is None and not line.startswith("T"):
            self._comment(line, source)
            return
        if id not in ("*", "#"):
            self.ids.add(id)
        if match:
            self.parsers[id[0]](id, match[2], source)
        else:
            self._span(id, line, source)

    def _comment(self, line: str, source: SourceLine) -> None:
        if not line.startswith("#"):
            raise source.error("this line is not a standoff annotation.", "Write: T1<tab>label start end<tab>text.")
        self.unread["comments"] += 1

    def _span(self, id: str, line: str, source: SourceLine) -> None:
        label, fragments, quoted = parse(line, source)
        located = [
            self.span_reader.offsets(self.text, start, end, source, self.text[start:end])
            for start, end in self._in_code_points(fragments, quoted, source)
        ]
        self.spans[id] = AnnotatedSpan(id, label, self.span_reader.fragments(located, source), source=source)

    def _in_code_points(self, fragments: list[Offsets], quoted: str, source: SourceLine) -> list[Offsets]:
        """Return the fragments, converted if their quoted text fits only in another unit.

        Raises:
            UserError: it fits in none.
        """
        expected = re.sub("[\r\n\t]", " ", quoted)
        if quotation(fragments, self.text) != expected:
            for unit in (UTF_16, UTF_8):
                converted = [pair for start, end in fragments if (pair := convert(self.text, unit, start, end))]
                if len(converted) == len(fragments) and quotation(converted, self.text) == expected:
                    self.span_reader.converted[unit] += 1
                    return converted
        check(fragments, self.text, quoted, source)
        return fragments

    def _relation(self, id: str, rest: str, source: SourceLine) -> None:
        label, *pairs = rest.partition("\t")[0].split() or [""]
        arguments = [self._argument(pair, "TE", source) for pair in pairs]
        if not arguments:
            raise source.error("this relation has no arguments.", "Write: R1<tab>label Arg1:T1 Arg2:T2.")
        self.relations[id] = Relation(id, label, tuple(arguments), source=source)

    def _equivalence(self, id: str, rest: str, source: SourceLine) -> None:
        label, *targets = rest.split() or [""]
        if len(targets) < PAIR:
            raise source.error("an equivalence has two or more arguments.", "Write: *<tab>Equiv T1 T2.")
        self.targets += [(target, "TE", source) for target in targets]
        own = f"*{len(self.relations) + 1}"
        self.relations[own] = Relation(own, label, _unordered(targets), symmetric=True, source=source)

    def _event(self, id: str, rest: str, source: SourceLine) -> None:
        head, *pairs = rest.partition("\t")[0].split() or [""]
        label, trigger = self._argument(head, "T", source)
        arguments = tuple(self._argument(pair, "TE", source) for pair in pairs)
        self.events[id] = Event(id, label, trigger, arguments)

    def _argument(self, pair: str, kinds: str, source: SourceLine) -> tuple[str, str]:
        """Return role and id of an argument, or label and trigger of an event."""
        role, _, target = pair.rpartition(":")
        if not role or not target:
            remedy = "Write: R1<tab>label Arg1:T1 Arg2:T2, and E1<tab>label:T1 role:T2."
            raise source.error(f'"{pair}" is not a role and the id of an annotation.', remedy)
        self.targets.append((target, kinds, source))
        return role, target

    def _attribute(self, id: str, rest: str, source: SourceLine) -> None:
        match = ATTRIBUTE.fullmatch(rest)
        if not match:
            raise source.error("this line is not an attribute.", "Write: A1<tab>name T1, or A1<tab>name T1 value.")
        self.targets.append((match[2], "TRE", source))
        self.details[match[2]].attributes.append(Attribute(match[1], match[3] or None))

    def _reference(self, id: str, rest: str, source: SourceLine) -> None:
        match = REFERENCE.fullmatch(rest)
        if not match:
            raise source.error("this line is not a reference.", "Write: N1<tab>Reference T1 resource:id<tab>name.")
        self.targets.append((match[2], "TRE", source))
        self.unread["kinds of references"] += match[1] != "Reference"
        self.details[match[2]].references.append(Reference(match[3], match[4], match[5] or ""))

    def _note(self, id: str, rest: str, source: SourceLine) -> None:
        match = NOTE.fullmatch(rest) if id != "#" else None
        if not match:
            self.unread["comments"] += 1
        elif match[2][0] not in "TRE":
            self.unread["notes on other lines than spans, relations and events"] += 1
        else:
            self.targets.append((match[2], "TRE", source))
            self.unread["kinds of notes"] += match[1] != "AnnotatorNotes"
            self.details[match[2]].notes.append(match[3] or "")


def _unordered(targets: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the arguments of an equivalence, which has no roles."""
    return tuple((f"Arg{number}", target) for number, target in enumerate(targets, start=1))


# What brat cannot hold


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove and count ids that are no paths, relations that brat does not have, and characters of its own syntax."""
    losses = Losses()
    if document.id and not is_path(document.id):
        losses[Feature.IDS.value] += 1
        document = replace(document, id="")
    lost = [item for item in document.relations if not _is_writable(item)]
    losses.update([Feature.MANY_ARGUMENTS.value] * len(lost))
    document = without(document, [item.id for item in lost])
    return replace(
        document,
        spans=tuple(replace(_written(span, losses), label=name(span.label, losses)) for span in document.spans),
        relations=tuple(_relation(item, losses) for item in document.relations),
        events=tuple(
            replace(
                _written(event, losses),
                label=name(event.label, losses, DELIMITER),
                arguments=_roles(event.arguments, losses),
            )
            for event in document.events
        ),
    ), +losses


def is_path(id: str) -> bool:
    """Return whether an id can be the path of a file on every system."""
    parts = id.split("/")
    fits = len(id.encode("utf-8", "replace")) <= MAX_PATH
    return fits and not UNNAMED.fullmatch(id) and all(map(_is_file_name, parts))


def _is_file_name(part: str) -> bool:
    return bool(part) and not NO_FILE.search(part) and len(part.encode("utf-8")) <= MAX_NAME


def _is_writable(relation: Relation) -> bool:
    number = len(relation.arguments)
    return number >= PAIR if relation.symmetric else number == PAIR


def _relation(relation: Relation, losses: Losses) -> Relation:
    """Return a relation as it is written; a symmetric one is an equivalence, which has its arguments only."""
    label = name(relation.label, losses)
    if not relation.symmetric:
        arguments = _roles(relation.arguments, losses)
        return replace(_written(relation, losses), label=label, arguments=arguments)
    details = {
        Feature.OTHER_ATTRIBUTES: relation.attributes,
        Feature.OTHER_REFERENCES: relation.references,
        Feature.OTHER_NOTES: relation.notes,
    }
    for feature, values in details.items():
        losses[feature.value] += len(values)
    arguments = _unordered([target for _, target in relation.arguments])
    losses[ROLES] += sorted(role for role, _ in arguments) != sorted(role for role, _ in relation.arguments)
    return Relation(relation.id, label, arguments, symmetric=True)


def _roles(arguments: Sequence[tuple[str, str]], losses: Losses) -> tuple[tuple[str, str], ...]:
    return tuple((name(role, losses, DELIMITER), target) for role, target in arguments)


def _written(annotation: AnyAnnotation, losses: Losses) -> AnyAnnotation:
    """Return an annotation with the attributes, references and notes that lines can hold."""
    losses[EMPTY_VALUES] += sum(attribute.value == "" for attribute in annotation.attributes)
    return replace(
        annotation,
        attributes=tuple(
            Attribute(name(item.name, losses), one_line(item.value, losses) if item.value else None)
            for item in annotation.attributes
        ),
        references=tuple(
            Reference(name(item.resource, losses, DELIMITER), name(item.id, losses, BLANK), one_line(item.name, losses))
            for item in annotation.references
        ),
        notes=tuple(one_line(note, losses) for note in annotation.notes),
    )


# Writing


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write a `.txt` for each document, and an `.ann` for each that is annotated, below a folder.

    Raises:
        UserError: two documents have the same id, or ids that differ in case only, or a text is not text.
    """
    names = _names(documents, path)
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        for document, file_name in zip(documents, names, strict=True):
            _save(part / f"{file_name}.txt", document.text, document, path)
            if document.layers is not None:
                _save(part / f"{file_name}.ann", "".join(f"{line}\n" for line in _lines(document)), document, path)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _names(documents: Sequence[AnnotatedDocument], path: Path) -> list[str]:
    """Return the path of each document below the folder, without an ending."""
    width, names, ids = max(4, len(str(len(documents)))), [], dict[str, str]()
    for index, document in enumerate(documents, start=1):
        if document.id:
            folded = unicodedata.normalize("NFC", document.id).casefold()
            if folded in ids:
                message = f'the ids of two documents are "{ids[folded]}" and "{document.id}", which need the same file.'
                raise UserError(message, file=path, remedy="Give them ids that differ by more than their case.")
            ids[folded] = document.id
        names.append(document.id or f"unnamed-{index:0{width}}")
    return names


def _save(file: Path, content: str, document: AnnotatedDocument, path: Path) -> None:
    refuse_other_than_text(document, content, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode())


def _lines(document: AnnotatedDocument) -> Iterator[str]:
    """Yield the lines of an `.ann`; ids are numbered."""
    kinds: tuple[tuple[str, Sequence[Annotation]], ...] = (
        ("T", document.spans), ("E", document.events),
        ("R", [item for item in document.relations if not item.symmetric]),
    )  # fmt: skip
    ids = {item.id: f"{kind}{number}" for kind, items in kinds for number, item in enumerate(items, start=1)}
    for span in document.spans:
        offsets = ";".join(f"{start} {end}" for start, end in span.fragments)
        yield f"{ids[span.id]}\t{span.label} {offsets}\t{quotation(span.fragments, document.text)}"
    for event in document.events:
        yield f"{ids[event.id]}\t{event.label}:{ids[event.trigger]}{_pairs(event.arguments, ids)}"
    for relation in document.relations:
        if relation.symmetric:
            yield f"*\t{relation.label} {' '.join(ids[target] for _, target in relation.arguments)}"
        else:
            yield f"{ids[relation.id]}\t{relation.label}{_pairs(relation.arguments, ids)}\t"
    details = Counter[str]()
    for annotation in document.annotations:
        for line in _detail_lines(annotation, ids.get(annotation.id, "")):
            details[line[0]] += 1
            yield f"{line[0]}{details[line[0]]}\t{line[1:]}"


def _pairs(arguments: Sequence[tuple[str, str]], ids: Mapping[str, str]) -> str:
    return "".join(f" {role}:{ids[target]}" for role, target in arguments)


def _detail_lines(annotation: Annotation, id: str) -> Iterator[str]:
    """Yield the lines on an annotation, without the numbers of their ids and the tabs after them."""
    for attribute in annotation.attributes:
        yield f"A{attribute.name} {id}{'' if attribute.value is None else f' {attribute.value}'}"
    for entry in annotation.references:
        yield f"NReference {id} {entry.resource}:{entry.id}\t{entry.name}"
    for note in annotation.notes:
        yield f"#AnnotatorNotes {id}\t{note}"


BRAT = Format("brat", "brat", read, write, HOLDS, detect=detect, reduce=reduce, writes_folder=True)
