"""UIMA CAS by the package dkpro-cassis: XMI with a type system, or JSON, as INCEpTION and DKPro export them.

A type of annotation is a layer, its feature `value` the label, its other features attributes; a type with the features
Governor and Dependent is one of relations. cassis converts the offsets, which count UTF-16 code units, to code points.
What a generated type has no feature for is JSON in the feature `electra_ie`.
"""

from __future__ import annotations

import json
import keyword
import re
import shutil
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from electra_ie.common.errors import OnError, UserError, first_line
from electra_ie.common.files import atomic_path
from electra_ie.common.folders import files_of
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, decode, reading
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Annotation, Attribute, Reference, Relation
from electra_ie.formats.base import Format
from electra_ie.formats.features import Feature
from electra_ie.formats.parts.json_values import check_pairs, parse, refuse_constant, refuse_surrogates
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.references import identifier, reference_of
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.parts.xml_files import beginning, parse_xml, refuse_invalid

OPTIONS = {
    "label": Option("value"),
    "types": Option([]),
    "form": Option("xmi", choices=("xmi", "json")),
}
"""label: the feature with the label; an annotation without it has the name of its type. types: the types that are
layers, by short or full name; by default named entities and all that are not of UIMA and DKPro. form: of what is
written."""
ANNOTATION, STRING = "uima.tcas.Annotation", "uima.cas.String"
DOCUMENT_ANNOTATION = "uima.tcas.DocumentAnnotation"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
NAMED_ENTITIES = "de.tudarmstadt.ukp.dkpro.core.api.ner.type."
LINGUISTIC = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro.")
"""The types that are not layers by default: tokens, sentences, tags, dependencies and others of their systems."""
CARRIED, IDENTIFIER = "electra_ie", "identifier"
GOVERNOR, DEPENDENT = "Governor", "Dependent"
DOCUMENT = "electra_ie.Document"
"""The type of what belongs to a document as a whole, in its feature `electra_ie`."""
CUSTOM = "webanno.custom."
"""The package of the types that are written, as INCEpTION names those of a project."""
TYPE_SYSTEM = "TypeSystem.xml"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*(\[\])?")
"""Names of types and features. cassis makes Python code of them, so that no other is handed to it."""
TAKEN = {
    "begin", "end", "sofa", "type", "self", "get", "set", "value", "xmiID", "get_covered_text", GOVERNOR, DEPENDENT,
    IDENTIFIER, CARRIED, *map(str, keyword.kwlist),
}  # fmt: skip
"""Names that the feature of an attribute cannot have."""
ROOT = "{http://www.omg.org/XMI}XMI"
XMI_ID = "{http://www.omg.org/XMI}id"
MAX_SIZE = 1 << 29
"""The most bytes of a file in a .zip."""


@dataclass(frozen=True)
class _Source:
    """A CAS: the name of its file, its bytes, and those of the type system beside it."""

    name: str
    raw: bytes
    type_system: bytes | None

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, else XMI."""
        return self.raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


@dataclass(frozen=True)
class _Lines:
    """A file, and the lines of its annotations by id, which JSON does not have."""

    file: str
    by_id: Mapping[int, int] = field(default_factory=dict)


@dataclass
class _Parts:
    """The feature structures of a CAS: spans, relations, others, and what belongs to the document as a whole."""

    id: str
    own: dict[str, Any] = field(default_factory=dict)
    spans: list[Any] = field(default_factory=list)
    relations: list[Any] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)


@dataclass
class _Reading:
    """What is collected while the documents of a path are read."""

    options: Mapping[str, Any]
    unread: Counter[str] = field(default_factory=Counter)
    types: dict[bytes, Any] = field(default_factory=dict)


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file, a `.zip` or a folder of XMI or JSON files, each a CAS."""
    state = _Reading(options)
    for source in _zipped(path) if zipfile.is_zipfile(path) else _files(path):
        try:
            yield _document(source, state)
        except UserError as error:
            if source.name == str(path):  # then nothing else is in the file
                raise
            on_error(error)
    for what, number in state.unread.items():
        warn(f"{path}: {number} {what} are not read.")


def _files(path: Path) -> Iterator[_Source]:
    listed = files_of(path, (".xmi", ".json", ".xml")) if path.is_dir() else [path]
    others = [file for file in listed if file.suffix.lower() == ".xml" and path.is_dir()]
    if unknown := [file for file in others if file.name.lower() != TYPE_SYSTEM.lower()]:
        warn(f"{path}: left out: {len(unknown)} .xml files that are not a {TYPE_SYSTEM}.")
    for file in listed:
        if file in others:
            continue
        beside = [file.parent / TYPE_SYSTEM, path / TYPE_SYSTEM]
        found = next((candidate for candidate in beside if candidate.is_file()), None)
        with reading(file):
            source = _Source(str(file), file.read_bytes(), found.read_bytes() if found else None)
        yield source


def _zipped(path: Path) -> Iterator[_Source]:
    try:
        with reading(path):
            archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        message = f"this .zip is damaged: {first_line(error)}."
        raise UserError(message, file=path, remedy="Copy it again.") from None
    with archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        systems = {PurePosixPath(name).parent: name for name in names if name.endswith(TYPE_SYSTEM)}
        texts = sorted(name for name in names if name.endswith((".xmi", ".json")))
        if others := len(names) - len(systems) - len(texts):
            warn(f"{path}: left out: {others} files in it that are not .xmi, .json or a {TYPE_SYSTEM}.")
        if not texts:
            remedy = "Export the documents of INCEpTION as UIMA CAS XMI or JSON."
            raise UserError("there is no .xmi and no .json in this .zip.", file=path, remedy=remedy)
        for name in texts:
            system = systems.get(PurePosixPath(name).parent, next(iter(systems.values()), None))
            beside = _unpacked(archive, system, path) if system else None
            yield _Source(f"{path}/{name}", _unpacked(archive, name, path), beside)


def _unpacked(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > MAX_SIZE:
        raise UserError(f"{name} has more than {MAX_SIZE} bytes.", file=path, remedy="Unpack the .zip.")
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        message = f"{name} cannot be unpacked: {first_line(error)}."
        raise UserError(message, file=path, remedy="Copy it again, or unpack it without a password.") from None


def detect(path: Path) -> bool:
    """Return whether a path is XMI or CAS JSON, or a .zip or folder with an .xmi file."""
    try:
        if path.is_dir():
            return any(path.glob("*.xmi"))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith(".xmi") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
    return any(part in beginning(path) for part in (b"http://www.omg.org/XMI", b'"%TYPES"', b'"%FEATURE_STRUCTURES"'))


def _document(source: _Source, state: _Reading) -> AnnotatedDocument:
    cas, lines = _cas(source, state)
    whole = SourceLine(source.name, 0)
    with_text = [view.sofa for view in cas.views if view.sofa.sofaString is not None]
    if not with_text:
        raise whole.error("this CAS has no text.", "Export it with its sofa string.")
    state.unread.update({"further views of texts": len(with_text) - 1} if len(with_text) > 1 else {})
    view = cas.get_view(with_text[0].sofaID)
    refuse_surrogates(view.sofa_string, "text", whole)
    try:
        parts = _parts(view, whole, state)
        layers = _Layers(cas.typesystem, parts.own, state.options["types"])
        spans = _spans(view, parts.spans, layers, lines, state)
        known = {span.id for span in spans}
        relations = [item for fs in parts.relations for item in _relation(fs, known, state)]
        fields = parts.own or {
            "id": parts.id,
            "labels": _labels(parts.others, state),
            "layers": layers.custom() or None,
        }
        named = list(dict.fromkeys([*(fields["layers"] or ()), *sorted({span.layer for span in spans})]))
        return AnnotatedDocument(
            fields["id"], view.sofa_string, tuple(spans), tuple(relations),
            labels={name: tuple(values) for name, values in fields.get("labels", {}).items()},
            label_scores={name: tuple(values) for name, values in fields.get("scores", {}).items()},
            layers=None if fields["layers"] is None and not named else tuple(named),
            notes=tuple(fields.get("notes", ())), metadata=fields.get("metadata", {}),
            predicted=fields.get("predicted", False), file=source.name, label_origins=fields.get("origins", {}),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise whole.error(f"this document is invalid: {first_line(error)}.", "Correct it.") from None


def _parts(view: Any, whole: SourceLine, state: _Reading) -> _Parts:
    """Return the feature structures of a view by what they are; types that are no layers are counted."""
    parts = _Parts(Path(whole.file).stem)
    for fs in view.select_all_fs():
        if fs.type.name == DOCUMENT:
            parts.own = parse(fs[CARRIED] or "", whole)
        elif fs.type.name == METADATA:
            parts.id = fs["documentId"] or fs["documentTitle"] or parts.id
        elif not _is_kind(fs, DOCUMENT_ANNOTATION) and not _is_layer(fs.type, state.options["types"]):
            state.unread[f"annotations of the type {fs.type.short_name} (option types)"] += 1
        elif not _is_kind(fs, ANNOTATION):
            parts.others.append(fs)
        elif not _is_kind(fs, DOCUMENT_ANNOTATION):
            (parts.relations if _is_relation(fs.type) else parts.spans).append(fs)
    return parts


def _cas(source: _Source, state: _Reading) -> tuple[Any, _Lines]:
    """Return the CAS of a file, and the lines of its annotations."""
    import cassis

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if source.is_json:
                text, lines = _checked_json(source), _Lines(source.name)
                cas = cassis.load_cas_from_json(text)
            else:
                xml, lines = _checked_xml(source)
                cas = cassis.load_cas_from_xmi(BytesIO(xml), typesystem=_type_system(source, state))
        except UserError:
            raise
        except Exception as error:  # cassis raises nearly all kinds, plain ones too
            message = f"this is not a valid CAS: {type(error).__name__}, {first_line(error)}."
            remedy = f"Does the {TYPE_SYSTEM} belong to it, and is the file whole?"
            raise UserError(message, file=source.name, remedy=remedy) from None
    if outside := [str(item.message) for item in caught if "Not mapping" in str(item.message)]:
        remedy = "Offsets of a CAS count UTF-16 code units of its text."
        message = f"an annotation is outside the text: {first_line(outside[0])}."
        raise UserError(message, file=source.name, remedy=remedy)
    return cas, lines


def _checked_xml(source: _Source) -> tuple[bytes, _Lines]:
    """Return XMI without a document type, and the lines of its elements by id."""
    from lxml import etree

    root = parse_xml(source.raw, source.name)
    if root.tag != ROOT:
        message = f"this XML is a {str(root.tag)[:60]!r}, not XMI."
        raise UserError(message, file=source.name, line=1, remedy="XMI begins with <xmi:XMI>.")
    lines: dict[int, int] = {}
    for item in root:
        id = item.get(XMI_ID) or ""
        if id.isdecimal() and int(id) in lines:
            at = SourceLine(source.name, item.sourceline)
            raise at.error(f'the xmi:id "{id}" occurs twice.', "Ids must be unique.")
        lines |= {int(id): item.sourceline} if id.isdecimal() else {}
    return etree.tostring(root, encoding="UTF-8"), _Lines(source.name, lines)


def _type_system(source: _Source, state: _Reading) -> Any:
    """Return the type system of a file. Raises UserError if there is none, or a name in it is not a name."""
    import cassis
    from lxml import etree

    raw = source.type_system
    if raw is None:
        message = f"there is no {TYPE_SYSTEM} beside this file."
        raise UserError(message, file=source.name, remedy="Export it with the documents; it defines their types.")
    if raw not in state.types:
        name = f"{source.name} ({TYPE_SYSTEM})"
        root = parse_xml(raw, name)
        for element in root.iter("{*}typeDescription", "{*}featureDescription"):
            _check_name((element.findtext("{*}name") or "").strip(), name, element.sourceline)
        state.types[raw] = cassis.load_typesystem(BytesIO(etree.tostring(root)))
    return state.types[raw]


def _checked_json(source: _Source) -> str:
    """Return the text of a CAS in JSON. Raises UserError if it is not JSON, or a name in it is not a name."""
    text = decode(source.raw, source.name).removeprefix("\ufeff")
    whole = SourceLine(source.name, 1)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: check_pairs(pairs, whole),
            parse_constant=lambda name: refuse_constant(name, whole),
        )
    except UserError:
        raise
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg} (column {error.colno})."
        raise UserError(message, file=source.name, line=error.lineno, remedy="Is the file whole?") from None
    except (ValueError, RecursionError):
        message = "this JSON has too many levels, or a number with too many digits."
        raise whole.error(message, "Simplify it.") from None
    types = value.get("%TYPES")
    if not isinstance(types, dict):
        raise whole.error("this JSON has no type system (%TYPES).", "Export the CAS with its type system.")
    for name, definition in types.items():
        for part in (name, *(definition if isinstance(definition, dict) else ())):
            _check_name(part.removeprefix("%"), source.name, None)
    return text


def _check_name(name: str, file: str, line: int | None) -> None:
    if not NAME.fullmatch(name):
        message = f"the name {name[:60]!r} in the type system is not that of a type or feature."
        raise UserError(message, file=file, line=line, remedy="Names have letters, digits and _ only.")


def _is_kind(fs: Any, name: str) -> bool:
    return bool(fs.type.name == name or fs.type.typesystem.is_instance_of(fs.type, name))


def _is_relation(type_: Any) -> bool:
    names = {feature.name for feature in type_.all_features}
    return {GOVERNOR, DEPENDENT} <= names


def _is_layer(type_: Any, types: Sequence[str]) -> bool:
    if types and not _is_relation(type_):
        return type_.name in types or type_.short_name in types
    return type_.name.startswith(NAMED_ENTITIES) or not type_.name.startswith(LINGUISTIC)


@dataclass
class _Layers:
    """The names of layers: short names of types, but for those that the document itself names."""

    typesystem: Any
    own: Mapping[str, Any]
    types: Sequence[str]

    def name(self, type_: Any) -> str:
        """Return the layer of a type."""
        return str(self.own.get("types", {}).get(type_.short_name, type_.short_name))

    def custom(self) -> list[str]:
        """Return the layers of the project's own types, also of those without an annotation in the document."""
        candidates = (type_ for type_ in self.typesystem.get_types() if _is_layer(type_, self.types))
        return sorted(
            self.name(type_)
            for type_ in candidates
            if not type_.name.startswith(LINGUISTIC)
            and self.typesystem.is_instance_of(type_, ANNOTATION)
            and not _is_relation(type_)
        )


def _spans(view: Any, found: Iterable[Any], layers: _Layers, where: _Lines, state: _Reading) -> list[AnnotatedSpan]:
    """Return the annotations as spans. Those without a character, which UIMA allows, are counted."""
    text, reader, spans = view.sofa_string, SpanReader(where.file), []
    for fs in found:
        if fs.begin == fs.end:
            state.unread["annotations without a character"] += 1
            continue
        source = SourceLine(where.file, where.by_id.get(fs.xmiID, 0))
        offsets = reader.offsets(text, fs.begin, fs.end, source, text[max(fs.begin, 0) : max(fs.end, 0)])
        spans.append(AnnotatedSpan(**_details(fs, state)[0], fragments=(offsets,), layer=layers.name(fs.type)))
    return spans


def _relation(fs: Any, spans: set[str], state: _Reading) -> Iterator[Relation]:
    """Yield a relation, unless it is not between spans that are read."""
    ends = [fs[name] for name in (GOVERNOR, DEPENDENT)]
    targets = [str(end.xmiID) for end in ends if end is not None and str(end.xmiID) in spans]
    if len(targets) < len(ends):
        state.unread["relations of other annotations than those of layers"] += 1
        return
    details, own = _details(fs, state)
    roles = own.get("roles", (GOVERNOR, DEPENDENT))
    arguments = tuple(zip(roles, targets, strict=True))
    yield Relation(**details, arguments=arguments, symmetric=own.get("symmetric", False))


def _details(fs: Any, state: _Reading) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a feature structure has as an `Annotation`, and what this package wrote as JSON."""
    values = {}
    for feature in fs.type.all_features:
        value = fs[feature.name]
        if value is None or feature.name in ("begin", "end", "sofa", GOVERNOR, DEPENDENT):
            continue
        if fs.type.typesystem.is_primitive(feature.rangeType):
            name = feature.name[:-1] if feature.name in ("self_", "type_") else feature.name
            values[name] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            state.unread[f"values of the feature {feature.name}, which refers to others,"] += 1
    own = json.loads(values.pop(CARRIED, "{}"))
    label = own.get("label", values.pop(state.options["label"], "") or fs.type.short_name)
    known = values.pop(IDENTIFIER, "")
    references = [reference_of(known)] if known else []
    attributes = [Attribute(name, value or None) for name, value in values.items()]
    return {
        "id": str(fs.xmiID),
        "label": label,
        "attributes": (*attributes, *(Attribute(*entry) for entry in own.get("attributes", ()))),
        "references": (*references, *(Reference(*entry) for entry in own.get("references", ()))),
        "notes": tuple(own.get("notes", ())),
        "score": own.get("score"),
        "origin": own.get("origin", ""),
    }, own


def _labels(rest: Iterable[Any], state: _Reading) -> dict[str, list[str]]:
    """Return the labels of the document: annotations without offsets, by the short name of their type."""
    labels: dict[str, list[str]] = {}
    for fs in rest:
        feature = fs.type.get_feature(state.options["label"])
        if feature is not None and isinstance(fs[feature.name], str):
            labels.setdefault(fs.type.short_name, []).append(fs[feature.name])
        else:
            state.unread[f"structures of the type {fs.type.short_name}"] += 1
    return labels


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write a folder with a file for each document, numbered in their order, and the type system of all."""
    writer = _Writer(documents, options["label"])
    form, digits = options["form"], len(str(len(documents)))
    with atomic_path(path) as folder:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            for number, document in enumerate(documents, start=1):
                if form == "xmi":
                    refuse_invalid(document, path)
                name = quote(document.id, safe=" ")[:100]
                text = _text(writer.cas(document), form, document, path)
                file = folder / f"{number:0{digits}}{'_' if name else ''}{name}.{form}"
                file.write_text(text, encoding="utf-8", newline="\n")
            if form == "xmi":
                writer.types.to_xml(folder / TYPE_SYSTEM)
        except BaseException:
            shutil.rmtree(folder)
            raise


def _text(cas: Any, form: str, document: AnnotatedDocument, path: Path) -> str:
    try:
        return str(cas.to_xmi() if form == "xmi" else cas.to_json())
    except ValueError as error:
        message = f'the document "{document.id}" cannot be written: {first_line(error)}.'
        raise UserError(message, file=path, remedy="Remove the character, or write form: json.") from None


class _Writer:
    """The type system of some documents, and the CAS of each."""

    def __init__(self, documents: Sequence[AnnotatedDocument], label: str) -> None:
        import cassis

        if label in TAKEN - {OPTIONS["label"].default} or "." in label or not NAME.fullmatch(label):
            raise UserError(f'the option label is "{label}".', remedy="It must be a name that no other feature has.")
        self.label, self.types = label, cassis.TypeSystem()
        self.names: dict[str, str] = {}
        self.features: dict[str, set[str]] = {}
        self._type(DOCUMENT, [CARRIED], "uima.cas.TOP")
        self._type(METADATA, ["documentId", "documentTitle"], DOCUMENT_ANNOTATION)
        layers = {layer for document in documents for layer in document.layers or ()}
        for layer in sorted(layers):
            spans = [span for document in documents for span in document.spans if span.layer == layer]
            plain = layer if NAME.fullmatch(layer) and "." not in layer else "Span"
            while plain in self.names.values() or (plain != layer and plain in layers) or plain == "Relation":
                plain += "_"
            self.names[layer] = plain
            self._type(CUSTOM + plain, [label, IDENTIFIER, CARRIED], ANNOTATION, spans)
        relations = [relation for document in documents for relation in document.relations]
        if relations:
            self._type(f"{CUSTOM}Relation", [label, IDENTIFIER, CARRIED], ANNOTATION, relations, (GOVERNOR, DEPENDENT))

    def _type(
        self,
        name: str,
        texts: Iterable[str],
        parent: str,
        annotations: Iterable[Annotation] = (),
        ends: Iterable[str] = (),
    ) -> None:
        """Define a type with a feature for each of the texts, the plain attributes, and the ends of a relation."""
        type_ = self.types.create_type(name, parent)
        attributes = {entry.name for item in annotations for entry in item.attributes if self._is_plain(entry)}
        self.features[name] = attributes
        for feature in (*texts, *sorted(attributes)):
            self.types.create_feature(type_, feature, STRING)
        for end in ends:
            self.types.create_feature(type_, end, ANNOTATION)

    def _is_plain(self, attribute: Attribute) -> bool:
        """Return whether an attribute can be a feature."""
        free = attribute.name not in TAKEN and attribute.name != self.label and "." not in attribute.name
        return free and bool(NAME.fullmatch(attribute.name)) and attribute.value != "" and "[" not in attribute.name

    def cas(self, document: AnnotatedDocument) -> Any:
        """Return the CAS of a document."""
        import cassis

        cas = cassis.Cas(typesystem=self.types, sofa_string=document.text)
        metadata = self.types.get_type(METADATA)
        cas.add(metadata(begin=0, end=len(document.text), documentId=document.id, documentTitle=document.id))
        own = {
            "id": document.id, "layers": document.layers, "labels": document.labels, "scores": document.label_scores,
            "notes": document.notes, "metadata": document.metadata, "predicted": document.predicted,
            "origins": document.label_origins,
            "types": {name: layer for layer, name in self.names.items() if name != layer},
        }  # fmt: skip
        cas.add(self.types.get_type(DOCUMENT)(**{CARRIED: json.dumps(own, ensure_ascii=False)}))
        spans = {}
        for span in document.spans:
            type_ = self.types.get_type(CUSTOM + self.names[span.layer])
            spans[span.id] = type_(begin=span.start, end=span.end, **self._values(type_.name, span, {}))
            cas.add(spans[span.id])
        for relation in document.relations:
            governor, dependent = (spans[target] for _, target in relation.arguments)
            type_ = self.types.get_type(f"{CUSTOM}Relation")
            symmetric = {"symmetric": True} if relation.symmetric else {}
            extra = {"roles": [role for role, _ in relation.arguments], **symmetric}
            values = {GOVERNOR: governor, DEPENDENT: dependent, **self._values(type_.name, relation, extra)}
            cas.add(type_(begin=dependent.begin, end=dependent.end, **values))
        return cas

    def _values(self, type_: str, item: Annotation, extra: Mapping[str, Any]) -> dict[str, str]:
        """Return the features of an annotation."""
        names = Counter(entry.name for entry in item.attributes)
        plain = [entry for entry in item.attributes if self._is_plain(entry) and names[entry.name] == 1]
        values = {self.label: item.label} | {entry.name: entry.value or "" for entry in plain}
        first = [entry for entry in item.references if not entry.name and reference_of(identifier(entry)) == entry][:1]
        if first and identifier(first[0]):
            values[IDENTIFIER] = identifier(first[0])
        else:
            first = []
        rest = {
            "attributes": [[entry.name, entry.value] for entry in item.attributes if entry not in plain],
            "references": [[entry.resource, entry.id, entry.name] for entry in item.references if entry not in first],
            "notes": item.notes,
            "origin": item.origin,
            **extra,
        }
        kept = {key: value for key, value in rest.items() if value}
        kept |= {} if item.score is None else {"score": item.score}
        kept |= {} if item.label else {"label": ""}
        return values | ({CARRIED: json.dumps(kept, ensure_ascii=False)} if kept else {})


HOLDS = frozenset(Feature) - {
    Feature.FRAGMENTS, Feature.EVENTS, Feature.EVENT_ARGUMENTS, Feature.MANY_ARGUMENTS,
}  # fmt: skip
CAS = Format("cas", "UIMA CAS", read, write, HOLDS, OPTIONS, detect, package="cassis", extra="formats")
