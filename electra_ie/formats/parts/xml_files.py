"""XML files, parsed without loading or expanding anything that they refer to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.text_files import UTF_8_MARK, decode, reading
from electra_ie.formats.annotations import AnnotatedDocument

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML cannot hold, not even escaped."""
START = 4096
"""The bytes at the beginning of a file that tell its format."""


def read_xml(path: Path) -> Any:
    """Return the root element of an XML file, as `parse_xml`. Raises UserError if it cannot be read."""
    with reading(path):
        raw = path.read_bytes()
    return parse_xml(raw, str(path))


def parse_xml(raw: bytes, file: str) -> Any:
    """Return the root element (of lxml) of the XML in `raw`, the bytes of `file`.

    A document type that only names its DTD, as files of BioC have it, is accepted and not loaded.

    Raises:
        UserError: it is not UTF-8, not well-formed or truncated, or its document type has declarations of its own:
            entities may name other files or expand to gigabytes.
    """
    from lxml import etree

    decode(raw, file)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(raw.removeprefix(UTF_8_MARK), parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or None
        message = f"this is not XML: {first_line(error.msg)}."
        raise UserError(message, file=file, line=line, remedy="Is the file whole?") from None
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and (list(declared.iterentities()) or list(declared.iterelements())):
        message = "the document type of this XML file declares entities or elements of its own."
        raise UserError(message, file=file, line=1, remedy="Remove the part of <!DOCTYPE ...> in [ ].")
    return root


def beginning(path: Path) -> bytes:
    """Return the first bytes of a file that are not white space; b"" if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        return b""
    return start.removeprefix(UTF_8_MARK).lstrip()


def refuse_invalid(document: AnnotatedDocument, path: Path) -> None:
    """Raise UserError if the text of a document has a character that XML cannot hold."""
    if found := INVALID.search(document.text):
        message = f'character {found.start()} of the text of "{document.id}" is U+{ord(found[0]):04X}.'
        raise UserError(message, file=path, remedy="XML cannot hold it: write JSON.")
