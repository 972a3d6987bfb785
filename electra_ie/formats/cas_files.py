"""Files of UIMA CAS: single ones, folders and `.zip` archives, checked before the package dkpro-cassis reads them."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.folders import files_of
from electra_ie.common.logs import warn
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.common.text_files import SourceLine, decode, reading
from electra_ie.formats.parts.json_values import check_pairs, refuse_constant
from electra_ie.formats.parts.xml_files import parse_xml

TYPE_SYSTEM = "TypeSystem.xml"
PROJECT = "exportedproject.json"
"""The file by which the export of a whole project of INCEpTION is known."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*(\[\])?")
"""Names of types and features. cassis makes Python code of them, so that no other is handed to it."""
ROOT = "{http://www.omg.org/XMI}XMI"
XMI_ID = "{http://www.omg.org/XMI}id"
MAX_SIZE = 1 << 29
"""The most bytes of a file in a .zip."""


@dataclass(frozen=True)
class Source:
    """A CAS: the name of its file, its bytes, and those of the type system beside it."""

    name: str
    raw: bytes
    type_system: bytes | None

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, else XMI."""
        return self.raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


@dataclass(frozen=True)
class Lines:
    """A file, and the lines of its annotations by id, which JSON does not have."""

    file: str
    by_id: Mapping[int, int] = field(default_factory=dict)


def sources(path: Path) -> Iterator[Source]:
    """Yield the CAS of a file, a `.zip` or a folder of XMI or JSON files."""
    yield from _zipped(path) if zipfile.is_zipfile(path) else _files(path)


def _files(path: Path) -> Iterator[Source]:
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
            source = Source(str(file), file.read_bytes(), found.read_bytes() if found else None)
        yield source


def _zipped(path: Path) -> Iterator[Source]:
    try:
        with reading(path):
            archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        message = f"this .zip is damaged: {first_line(error)}."
        raise UserError(message, file=path, remedy="Copy it again.") from None
    with archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if any(PurePosixPath(name).name == PROJECT for name in names):
            remedy = (
                "Unpack it, then annotation/DOCUMENT/USER.zip of one person for each document, each into a folder of "
                "its own below one folder, and give that folder."
            )
            message = "this is a whole project of INCEpTION, whose annotations are in .zip files within it."
            raise UserError(message, file=path, remedy=remedy)
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
            yield Source(f"{path}/{name}", _unpacked(archive, name, path), beside)


def _unpacked(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > MAX_SIZE:
        raise UserError(f"{name} has more than {MAX_SIZE} bytes.", file=path, remedy="Unpack the .zip.")
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        message = f"{name} cannot be unpacked: {first_line(error)}."
        raise UserError(message, file=path, remedy="Copy it again, or unpack it without a password.") from None


def cas_of(source: Source, types: dict[bytes, Any]) -> tuple[Any, Lines]:
    """Return the CAS of a file, and the lines of its annotations. types: the type systems that were read before.

    Raises:
        UserError: it is not a valid CAS, an annotation is outside its text, or there is no type system.
    """
    import cassis

    with PROCESS_STATE, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if source.is_json:
                text, lines = _checked_json(source), Lines(source.name)
                cas = cassis.load_cas_from_json(text)
            else:
                xml, lines = _checked_xml(source)
                cas = cassis.load_cas_from_xmi(BytesIO(xml), typesystem=_type_system(source, types))
        except UserError:
            raise
        except Exception as error:  # cassis raises nearly all kinds, plain ones too
            message = f"this is not a valid CAS: {type(error).__name__}, {first_line(error)}."
            remedy = f"Does the {TYPE_SYSTEM} belong to it, and is the file whole?"
            raise UserError(message, file=source.name, remedy=remedy) from None
    if outside := [str(item.message) for item in caught if "Not mapping" in str(item.message)]:
        raise _outside(cas, lines, outside[0])
    return cas, lines


def _outside(cas: Any, lines: Lines, warning: str) -> UserError:
    """Return the error of an annotation outside the text. warning: that of cassis, which names only its offset."""
    remedy = "Offsets of a CAS count UTF-16 code units of its text."
    for view in cas.views:
        length = len(view.sofa.sofaString or "")
        for fs in view.get_all_fs():
            begin, end = (getattr(fs, name, None) for name in ("begin", "end"))
            if isinstance(begin, int) and isinstance(end, int) and not 0 <= begin <= end <= length:
                place = f"the annotation {fs.xmiID} ({fs.type.short_name}), {begin} to {end},"
                line = lines.by_id.get(fs.xmiID)
                message = f"{place} is outside the text of {length} characters."
                return UserError(message, file=lines.file, line=line, remedy=remedy)
    offset = re.search(r"\[(-?\d+)\]", warning)  # within a surrogate pair
    where = f"begins or ends at {offset[1]}" if offset else "is"
    return UserError(f"an annotation {where}, not at a character of the text.", file=lines.file, remedy=remedy)


def _checked_xml(source: Source) -> tuple[bytes, Lines]:
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
    return etree.tostring(root, encoding="UTF-8"), Lines(source.name, lines)


def _type_system(source: Source, types: dict[bytes, Any]) -> Any:
    """Return the type system of a file. Raises UserError if there is none, or a name in it is not a name."""
    import cassis
    from lxml import etree

    raw = source.type_system
    if raw is None:
        message = f"there is no {TYPE_SYSTEM} beside this file."
        raise UserError(message, file=source.name, remedy="Export it with the documents; it defines their types.")
    if raw not in types:
        name = f"{source.name} ({TYPE_SYSTEM})"
        root = parse_xml(raw, name)
        for element in root.iter("{*}typeDescription", "{*}featureDescription"):
            _check_name((element.findtext("{*}name") or "").strip(), name, element.sourceline)
        types[raw] = cassis.load_typesystem(BytesIO(etree.tostring(root)))
    return types[raw]


def _checked_json(source: Source) -> str:
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
