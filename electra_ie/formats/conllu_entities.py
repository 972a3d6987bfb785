"""Mentions of entities in CoNLL-U as brackets in MISC, the format of CorefUD: `Entity=(e1-person-1(e2-place-1)`, `e1)`.

The comment `# global.Entity = eid-etype-head-other` names the fields of an opening bracket: the cluster of mentions,
its type, the number of the head word, and others. A closing bracket has the cluster only. The parts of a mention with
gaps are numbered: `(e5[1/2]-person`, `e5[1/2])`, `(e5[2/2]-person`, `e5[2/2])`. A mention is in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from electra_ie.common.text_files import SourceLine
from electra_ie.formats.annotations import Attribute, Offsets

KEY = "Entity"
FIELDS = "global.Entity"
"""The comment with the names of the fields."""
UNTYPED = "entity"
"""The label of a mention whose entity has no type."""
CLUSTER, TYPE = ("eid", "GRP"), ("etype", "entity")
"""The names of the fields of cluster and type: that of CorefUD, and an older one."""
BRACKET = re.compile(r"\([^()]+\)?|[^()]+\)")
PART = re.compile(r"(.+)\[(\d+)/(\d+)\]")
"""A cluster with the number of a part and the number of parts."""


@dataclass(frozen=True, slots=True)
class Node:
    """A word or an empty node of a sentence. word: the number of the word (from 0), None for an empty node."""

    word: int | None
    value: str
    source: SourceLine


@dataclass(slots=True)
class Mention:
    """A mention: its label, its attributes, and first and last word of each part; none if it has empty nodes only."""

    label: str
    attributes: tuple[Attribute, ...]
    pieces: list[tuple[int, int]]

    def fragments(self, offsets: Sequence[Offsets]) -> tuple[Offsets, ...]:
        """Return the fragments by the offsets of the words; parts that share a word are one."""
        found: list[Offsets] = []
        for first, last in sorted(self.pieces):
            start, end = offsets[first][0], offsets[last][1]
            if found and start < found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((start, end))
        return tuple(found)


def mentions(nodes: Sequence[Node], fields: Sequence[str]) -> list[Mention]:
    """Return the mentions of a sentence, in the order of their first brackets. fields: the names of the fields.

    Raises:
        UserError: brackets are invalid, or not all are opened and closed.
    """
    reader = _Reader(nodes, fields)
    for index, node in enumerate(nodes):
        for bracket in _brackets(node):
            inner = bracket.strip("()")
            cluster = reader.opened(inner, index) if bracket.startswith("(") else reader.cluster(inner)
            if bracket.endswith(")"):
                reader.close(cluster, index)
    return reader.finished()


def _brackets(node: Node) -> Iterator[str]:
    """Yield the brackets of a word. Raises UserError for anything between them."""
    found = BRACKET.findall(node.value)
    if "".join(found) != node.value:
        message = f'"{KEY}={node.value[:60]}" is not a row of brackets like (e1-person-1 and e1).'
        raise node.source.error(message, "Correct it.")
    yield from found


class _Reader:
    """Collects the mentions of a sentence. open: those that are not closed, with their first nodes, by cluster."""

    def __init__(self, nodes: Sequence[Node], fields: Sequence[str]) -> None:
        self.nodes, self.fields = nodes, fields
        self.cluster_at = next(index for index, name in enumerate(fields) if name in CLUSTER)
        self.open: dict[str, list[tuple[Mention, int]]] = {}
        self.parts: dict[str, tuple[Mention, int, int]] = {}
        self.found: list[Mention] = []

    def cluster(self, inner: str) -> str:
        """Return the cluster of a closing bracket, which has no other field but in old files."""
        values = inner.split("-")
        return values[self.cluster_at] if 1 < len(values) > self.cluster_at else inner

    def opened(self, inner: str, index: int) -> str:
        """Open a mention, or a further part of one, and return its cluster, with the number of the part."""
        source, values = self.nodes[index].source, inner.split("-", len(self.fields) - 1)
        named = {name: value for name, value in zip(self.fields, values, strict=False) if value}
        cluster = named.get(self.fields[self.cluster_at], "")
        if not cluster:
            raise source.error(
                f'the bracket "({inner[:60]}" has no cluster.', f"Its fields are {'-'.join(self.fields)}."
            )
        part = PART.fullmatch(cluster)
        base, number, total = (part[1], int(part[2]), int(part[3])) if part else (cluster, 1, 1)
        if number > 1:
            mention = self._continued(base, number, total, source)
        else:
            mention = _mention({**named, self.fields[self.cluster_at]: base})
            self.found.append(mention)
        if total > 1:
            self.parts[base] = mention, number, total
        self.open.setdefault(cluster, []).append((mention, index))
        return cluster

    def _continued(self, cluster: str, number: int, total: int, source: SourceLine) -> Mention:
        """Return the mention of a part. Raises UserError if the part before is not there."""
        mention, before, parts = self.parts.get(cluster, (None, 0, 0))
        if mention is None or (before + 1, parts) != (number, total):
            message = f'the part {number} of {total} of a mention of "{cluster}" does not follow part {number - 1}.'
            raise source.error(message, "Number the parts of a mention from 1, within its sentence.")
        return mention

    def close(self, cluster: str, index: int) -> None:
        """Close a mention. Raises UserError if it is not open."""
        if not self.open.get(cluster):
            message = f'a bracket closes a mention of "{cluster[:60]}" that is not open in this sentence.'
            raise self.nodes[index].source.error(message, "Each needs an opening bracket with its cluster.")
        mention, first = self.open[cluster].pop()
        words = [node.word for node in self.nodes[first : index + 1] if node.word is not None]
        if words:
            mention.pieces.append((words[0], words[-1]))

    def finished(self) -> list[Mention]:
        """Return all mentions. Raises UserError if one is not closed, or lacks parts."""
        for cluster, left in self.open.items():
            if left:
                source = self.nodes[left[0][1]].source
                raise source.error(
                    f'the mention of "{cluster[:60]}" is not closed in its sentence.', "Close its bracket."
                )
        for cluster, (_, number, total) in self.parts.items():
            if number < total:
                message = f'a mention of "{cluster}" has {number} of its {total} parts.'
                raise self.nodes[0].source.error(message, "All parts of a mention are in its sentence.")
        return self.found


def _mention(named: dict[str, str]) -> Mention:
    """Return a mention without words: its type is the label, and its other fields are attributes."""
    label = next((named[name] for name in TYPE if name in named), UNTYPED)
    attributes = tuple(Attribute(name, value) for name, value in named.items() if name not in TYPE)
    return Mention(label, attributes, [])


def fields_of(comment: str, source: SourceLine) -> tuple[str, ...]:
    """Return the names of the fields in a comment. Raises UserError if the cluster is not among them."""
    fields = tuple(name.strip() for name in comment.split("-"))
    if not set(fields) & set(CLUSTER):
        raise source.error(f'the comment {FIELDS} is "{comment[:60]}", without the field eid.', "Add it.")
    return fields


def has_brackets(nodes: Iterable[Node]) -> bool:
    """Return whether a word of a sentence has brackets."""
    return any(node.value for node in nodes)
