"""UIMA CAS by the package dkpro-cassis: XMI with a type system, or JSON, as INCEpTION and DKPro export them.

cassis converts the offsets, which count UTF-16 code units, to code points. See `cas_reading` for what is read, and
`cas_writing` for what is written.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.logs import warn
from electra_ie.formats.annotations import AnnotatedDocument
from electra_ie.formats.base import Format
from electra_ie.formats.cas_files import PROJECT, cas_of, sources
from electra_ie.formats.cas_reading import document_of
from electra_ie.formats.cas_types import LABEL
from electra_ie.formats.cas_writing import write
from electra_ie.formats.features import Feature
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.xml_files import beginning

OPTIONS = {
    "label": Option(LABEL),
    "types": Option([]),
    "form": Option("xmi", choices=("xmi", "json")),
}
"""label: the feature with the label, by default `value`, or `label` in types without it; an annotation without one has
the name of its type. types: the types that are
layers, by short or full name; by default named entities, coreference and all that are not of UIMA and DKPro. form: of
what is written."""


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file, a `.zip` or a folder of XMI or JSON files, each a CAS.

    A document that does not say its layers is annotated with those of the others, too.
    """
    unread, unlabeled, types = Counter[str](), dict[str, list[str]](), dict[bytes, Any]()
    found: list[tuple[AnnotatedDocument, bool]] = []
    for source in sources(path):
        try:
            found.append(document_of(*cas_of(source, types), options, unread, unlabeled))
        except UserError as error:
            if source.name == str(path):  # then nothing else is in the file
                raise
            on_error(error)
    layers = {layer: None for document, _ in found for layer in document.layers or ()}
    for document, says_layers in found:
        yield document if says_layers or not layers else document.with_layers(layers)
    for what, number in unread.items():
        warn(f"{path}: {number} {what} are not read.")
    for name, features in unlabeled.items():
        label = (
            f'the type {name} has no feature "{options["label"]}", so that the label of its annotations is "{name}".'
        )
        warn(f"{path}: {label} It has {', '.join(features)} (option label).")


def detect(path: Path) -> bool:
    """Return whether a path is XMI or CAS JSON, a .zip or folder with an .xmi file, or a project of INCEpTION."""
    try:
        if path.is_dir():
            return any(path.glob("*.xmi"))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith((".xmi", PROJECT)) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
    return any(part in beginning(path) for part in (b"http://www.omg.org/XMI", b'"%TYPES"', b'"%FEATURE_STRUCTURES"'))


HOLDS = frozenset(Feature) - {Feature.FRAGMENTS, Feature.MANY_ARGUMENTS}
CAS = Format(
    "cas", "UIMA CAS", read, write, HOLDS, OPTIONS, detect, package="cassis", extra="formats", writes_folder=True
)
