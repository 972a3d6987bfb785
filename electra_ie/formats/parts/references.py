"""References to entries of knowledge bases in one column or value: `MESH:D003000`."""

from __future__ import annotations

import re

from electra_ie.formats.annotations import Reference

SEPARATORS = re.compile(r"[|;,]|\+(?=[A-Za-z][\w.]*:)")
"""What producers put between several identifiers; a plus only before one with its resource (`OMIM:2+MESH:D3`)."""
VARIANTS = "tmVar"
"""The resource of variants, as PubTator 3 names it before them."""
VARIANT = re.compile(r"[a-z]?\|(?:SUB|DEL|INS|INDEL|DUP|FS|Allele|SSR)\|")
"""The beginning of a variant without its resource, as PubTator 2 writes it."""
SPECIES = re.compile(r"\s*\(Tax:\d+\)$")
"""The species of a gene, which is no part of its id."""
UNKNOWN = ("", "-", "-1")
"""Identifiers that mean that no entry is known."""


def identifier(reference: Reference) -> str:
    """Return resource and id as one text; `reference_of` returns them from it, but for a resource with a colon."""
    plain = not reference.resource and ":" not in reference.id
    return reference.id if plain else f"{reference.resource}:{reference.id}"


def reference_of(identifier: str, name: str = "") -> Reference:
    """Return the reference of an identifier. An address (`http://...`) and what has no colon have no resource."""
    resource, colon, id = identifier.partition(":")
    return Reference(resource, id, name) if colon and not id.startswith("//") else Reference("", identifier, name)


def references_of(identifiers: str) -> list[Reference]:
    """Return the references of several identifiers in one text. A variant (`c|SUB|...`) is one, of `VARIANTS`."""
    if VARIANT.match(identifiers):
        return [Reference(VARIANTS, identifiers.strip())]
    parts = [identifiers] if identifiers.startswith(f"{VARIANTS}:") else SEPARATORS.split(identifiers)
    bare = (SPECIES.sub("", part.strip()) for part in parts)
    return [reference_of(part) for part in bare if part not in UNKNOWN]


def is_exact(reference: Reference) -> bool:
    """Return whether `references_of` returns this reference, but for its name, from its `identifier`."""
    text = identifier(reference)
    found = references_of(text)
    return found == [Reference(reference.resource, reference.id)] and not re.search(r"[\t\r\n]", text)
